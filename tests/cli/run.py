#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run the command-line cases: tests/cli/<area>/<case>/{cmd,recipe.yaml,stdout,stderr,exit}.

Each case runs in a copy of its folder with a store, a home and an environment of its own, and without
a network. `--accept` rewrites the expectations instead; review the difference like code.
"""
import os
import shutil
import subprocess
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
program = os.environ.get("ENVBUILD") or os.path.join(here, "../../build/envbuild")


def run(case, work):
    """What the case's command gives: {"stdout": ..., "stderr": ..., "exit": ...}."""
    folder = os.path.join(work, "case")
    shutil.copytree(case, folder)
    home = os.path.join(work, "home")
    os.mkdir(home)
    env = {"PATH": f"{work}/bin:/usr/bin:/bin", "HOME": home, "LC_ALL": "C.UTF-8",
           # A port that nobody listens on: a case that asks the network fails at once.
           "HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    os.mkdir(f"{work}/bin")
    os.symlink(program, f"{work}/bin/envbuild")
    with open(os.path.join(case, "cmd"), encoding="utf-8") as f:
        command = f.read()
    done = subprocess.run(["/bin/sh", "-c", command], cwd=folder, env=env, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=60)

    def clean(text):
        return text.decode("utf-8", "backslashreplace").replace(work, "@WORK@")

    return {"stdout": clean(done.stdout), "stderr": clean(done.stderr), "exit": f"{done.returncode}\n"}


def main():
    accept = "--accept" in sys.argv
    cases = sorted(folder for folder, _, files in os.walk(here) if "cmd" in files)
    passed = failed = 0
    for case in cases:
        name = os.path.relpath(case, here)
        with tempfile.TemporaryDirectory() as work:
            got = run(case, os.path.realpath(work))
        good = True
        for key, text in got.items():
            path = os.path.join(case, key)
            want = ""
            if os.path.exists(path):
                with open(path, encoding="utf-8") as f:
                    want = f.read()
            if accept:
                if text:
                    with open(path, "w", encoding="utf-8") as f:
                        f.write(text)
                elif os.path.exists(path):
                    os.remove(path)
            elif text != want:
                good = False
                print(f"{name}: {key}:\n  wanted {want!r}\n  got    {text!r}")
        passed += good
        failed += not good
    if not cases:
        sys.exit("no case was found")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
