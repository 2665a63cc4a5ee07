#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command line, end to end, without network.

    run.py [--accept] [--times] [--envbuild PATH] [NAME...]

A case is a folder tests/cli/AREA/CASE with `cmd` (a shell script), and what it must give: `stdout`, `stderr`,
`exit`. It runs in a fresh folder that holds the case's other files, base.yaml and base.gpg of the world
(tests/peers/world.py) and, where it brings none, a recipe.yaml that is fine. `envbuild` is in PATH, $INDEX is the
world's index. Lines of progress (two spaces in front) are left out, for their order is free, and so is what says that it waits; digests, the
port and the scratch folder have placeholders. What no single command can show is a scenario: a function that says
so, in any other file here, named by the command or the feature that it tries. NAME picks those whose name has it.
Tests run side by side in WORKERS processes, one at a time in each, and each process has a world of its own: so a test
may change how its world behaves, and what the world was asked for was asked by this test. --times tells the slowest.
"""
import argparse, concurrent.futures, importlib, multiprocessing, os, re, shutil, subprocess, sys, tempfile, time, traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "peers")]
sys.dont_write_bytecode = True
import lib, world  # noqa: E402

for found in sorted(os.listdir(HERE)):
    if found.endswith(".py") and found != "run.py":
        importlib.import_module(found[:-3])

WORKERS = 8  # more than cores, for most of a test's time is waiting
FIRST = ("build_faults/nobody-answers",)  # the longest, so that nobody waits for it in the end
WANTED = ("stdout", "stderr", "exit")


class Stage:
    """What every test gets: the program, the world and fresh folders."""

    def __init__(self, envbuild, top, server):
        self.envbuild, self.top, self.port = envbuild, top, server.server_address[1]
        self.world = os.path.join(top, "world")
        self.index = f"http://127.0.0.1:{self.port}/simple/"

    def fresh(self, files=None):
        path = tempfile.mkdtemp(dir=self.top)
        for name in ("base.yaml", "base.gpg"):
            shutil.copy(os.path.join(self.world, name), path)
        for name, text in {"recipe.yaml": world.GOOD, **(files or {})}.items():
            with open(os.path.join(path, name), "w") as f:
                f.write(text)
        return path

    def env(self, path, **more):
        return {"PATH": os.path.dirname(self.envbuild) + ":/usr/bin:/bin", "HOME": path + "/.home",
                "XDG_CACHE_HOME": path + "/.cache", "INDEX": self.index, "LSAN_OPTIONS": "detect_leaks=0", **more}

    def clean(self, text, path, progress=False):
        text = re.sub(r"(?m)^(  |waiting for ).*\n", "", text) if progress and "usage:" not in text else text
        for what, name in ((path, "@HERE@"), (str(self.port), "@PORT@")):
            text = text.replace(what, name)
        text = re.sub(r"sha256:[0-9a-f]{64}", "sha256:@DIGEST@", text)
        return text


def run_case(stage, folder, accept):
    path = stage.fresh()
    for name in os.listdir(folder):
        if name not in WANTED + ("cmd",):
            shutil.copy(os.path.join(folder, name), path)
    done = subprocess.run(["bash", os.path.join(folder, "cmd")], cwd=path, env=stage.env(path), capture_output=True,
                          timeout=lib.PATIENCE, stdin=subprocess.DEVNULL)
    got = {"stdout": stage.clean(done.stdout.decode(errors="replace"), path),
           "stderr": stage.clean(done.stderr.decode(errors="replace"), path, True), "exit": f"{done.returncode}\n"}
    for name in WANTED:
        file = os.path.join(folder, name)
        want = open(file).read() if os.path.exists(file) else None
        if accept:
            with open(file, "w") as f:
                f.write(got[name])
        elif want != got[name]:
            raise AssertionError(f"{name} is\n{got[name]}and not\n{want}")
    shutil.rmtree(path, ignore_errors=True)


def cases():
    for root, _, files in sorted(os.walk(HERE)):
        if "cmd" in files:
            yield os.path.relpath(root, HERE), root


def all_tests(accept):
    """Each test by its name: a function of the stage."""
    tests = {n: lambda stage, f=f: run_case(stage, f, accept) for n, f in cases()}
    return tests if accept else {**{n: lib.ALL[n] for n in FIRST}, **lib.ALL, **tests}


class Worker:
    """What a process of the pool has: its stage, and the tests."""
    stage, tests = None, {}


def open_world(envbuild, top, made, accept):
    top = tempfile.mkdtemp(dir=top)
    os.mkdir(os.path.join(top, "world"))
    Worker.stage = Stage(envbuild, top, world.serve(os.path.join(top, "world"), made))
    Worker.tests = all_tests(accept)


def tell(name):
    """Nothing, or why it did not pass; and the seconds that it took."""
    start, says = time.monotonic(), None
    try:
        Worker.tests[name](Worker.stage)
    except lib.Skip as why:
        says = f"skipped: {name}: {why}"
    except Exception as fault:
        says = f"FAILED: {name}: {fault if isinstance(fault, AssertionError) else traceback.format_exc()}"
    return says, time.monotonic() - start


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--accept", action="store_true")
    p.add_argument("--times", action="store_true")
    p.add_argument("--envbuild", default=os.environ.get("ENVBUILD") or os.path.join(HERE, "../../build/envbuild"))
    p.add_argument("names", nargs="*")
    a = p.parse_args()
    picked = [n for n in all_tests(a.accept) if not a.names or any(x in n for x in a.names)]
    top = tempfile.mkdtemp(prefix="envbuild-cli-")
    os.chmod(top, 0o711)  # a test may let another user into its worker's folder
    try:
        with concurrent.futures.ProcessPoolExecutor(max(1, min(WORKERS, len(picked))), multiprocessing.get_context("fork"), open_world,
                                                    (os.path.abspath(a.envbuild), top, world.World(), a.accept)) as pool:
            results = list(pool.map(tell, picked))
    finally:
        subprocess.run(["rm", "-rf", top])  # a million files, of which Python makes minutes
    for says, _ in results:
        if says:
            print(says)
    if a.times:
        for seconds, name in sorted(((r[1], n) for n, r in zip(picked, results)), reverse=True)[:40]:
            print(f"{seconds:7.1f} s  {name}")
    failed, skipped = (sum(bool(says and says[0] == first) for says, _ in results) for first in "Fs")
    if skipped:
        print(f"{skipped} skipped, as told above")
    print(f"{len(picked) - failed - skipped} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
