#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The README's commands, and what it says that they print.

    readme_commands.py FOLDER    runs them all in FOLDER, one after the other, on the real network

A block of ```console has commands behind "$ ", each with the lines that it prints, among others; numbers may be others.
A block of ```yaml whose first line is "# NAME" is that file."""
import os, re, shlex, shutil, subprocess, sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
REGISTRY = "docker://registry.example.org/"  # nobody's


def text():
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as f:
        return f.read()


def steps(of=None):
    """Of the README, or another text, in order: ("file", name, text) and ("run", command, lines)."""
    for kind, block in re.findall(r"(?ms)^```(console|yaml)\n(.*?)^```$", text() if of is None else of):
        if kind == "yaml":
            name = re.match(r"# (\S+)\n", block)
            assert name, f"a block of YAML names no file: {block}"
            yield "file", name.group(1), block
            continue
        assert block.startswith("$ "), block
        for part in block[2:].split("\n$ "):
            command, *lines = part.rstrip("\n").split("\n")
            yield "run", command, lines


def shape(line):
    return re.sub(r"[0-9]+(\.[0-9]+)*", "#", line)


def hold(command, lines, output):
    """The lines stand in the output, in this order."""
    found = iter([shape(line) for line in output.splitlines()])
    for line in lines:
        assert shape(line) in found, f"`{command}` prints\n{output}\nand not\n{line}"


def run(command, path, env):
    """What it prints; a failure is one but of `lock --check`, whose exit code is its answer."""
    done = subprocess.run(["sh", "-c", command], cwd=path, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    good = (0, 1, 8) if "--check" in shlex.split(command) else (0,)
    assert done.returncode in good, f"`{command}` exits {done.returncode}: {done.stdout}"
    return done.stdout


def prepare(path):
    """What the README's reader has: a project with requirements, notebooks and code."""
    for folder in ("notebooks", "src"):
        os.makedirs(os.path.join(path, folder))
        open(os.path.join(path, folder, "one.ipynb"), "w").close()
    with open(os.path.join(path, "requirements.txt"), "w") as f:
        f.write("torch==2.6.0\nnumpy\n")
    with open(os.path.join(path, "pyproject.toml"), "w") as f:
        f.write('[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["torch==2.6.0", "numpy"]\n')


def needs(command):
    """What a command needs besides envbuild, and whether it is here."""
    words = shlex.split(command)
    if words[:2] == ["envbuild", "run"] or "docker:" in words:
        answers = shutil.which("docker") and subprocess.run(["docker", "version"], capture_output=True).returncode == 0
        return "a Docker daemon", answers
    return None, True


def main(path):
    prepare(path)
    for kind, name, what in steps():
        if kind == "file":
            with open(os.path.join(path, name), "w") as f:
                f.write(what)
            continue
        tool, there = needs(name)
        if not there:
            print(f"skipped: `{name}` needs {tool}")
            continue
        hold(name, what, run(name.replace(REGISTRY, "oci:pushed/"), path, os.environ))
        print(f"ok: {name}")


if __name__ == "__main__":
    main(sys.argv[1])
