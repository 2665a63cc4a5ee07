# SPDX-License-Identifier: Apache-2.0
"""`bytecode: true`: what is compiled, where it lies, and what stays as it is. In place of a system with Python there is a bwrap
that "compiles" itself: its bytecode of a module is the module's path and text. As lib.py."""
import json, os, shutil, sys

from lib import blobs, build, end, lock, printed, read, recipe, run, scenario, start
from overlaps import SITE, files_of, wheels
from sources import tools

BWRAP = """#!%s
import json, os, sys
args = sys.argv[1:]
if "--block-fd" not in args:
    sys.exit(0)  # somebody asks whether it works
build = next(args[i + 1] for i in range(len(args)) if args[i] == "--bind" and args[i + 2] == "/seal/build")
script = next(args[i + 1] for i in range(len(args)) if args[i] == "--ro-bind" and args[i + 2] == "/seal/in/bytecode.py")
assert "py_compile" in open(script).read() and args[-7:-1] == ["sh", "/opt/venv/bin/python", "-s", "-S", "-B", "/seal/in/bytecode.py"], args
assert os.environ["PYTHONHASHSEED"] == "0"
os.write(3, json.dumps({"child-pid": os.getpid()}).encode() + b"\\n")
os.read(4, 1)
code = 0
for folder, _, names in os.walk(build + "/src"):
    for name in names:
        at = os.path.join(folder, name)[len(build + "/src/"):]
        text = open(f"{build}/src/{at}").read()
        code |= text.startswith("crash")
        if not text.startswith("("):
            made = f"{build}/result/{os.path.dirname(at)}/__pycache__"
            os.makedirs(made, exist_ok=True)
            with open(f"{made}/{name[:-3]}.cpython-311.pyc", "w") as f:
                f.write(f"/{at} {text}")
os.write(3, json.dumps({"exit-code": code}).encode() + b"\\n")
""" % sys.executable


def sealed(stage, path, *names):
    """PATH with that bwrap, or without."""
    folder = tools(path, "gpgv")
    for name in names:
        with open(f"{folder}/{name}", "w") as f:
            f.write(BWRAP)
        os.chmod(f"{folder}/{name}", 0o755)
    return {"PATH": os.path.dirname(stage.envbuild) + ":" + folder}


def ask(stage, path, *lines):
    recipe(stage, path, "pip: [one, two]", "find_links: [wheels]", f"indexes: [{stage.index}]", *lines)


def layers_of(path, digest):
    return [layer["digest"] for layer in json.loads(blobs(path + "/images")[digest])["layers"]]


@scenario
def modules_are_compiled_as_a_layer_of_their_own(stage):
    path = stage.fresh()
    wheels(path, ("one", ["two"], {"one/__init__.py": b"import two\n", "one/bad.py": b"(\n", "one/data.txt": b"x\n", "both.py": b"of one\n",
                                   "one-1.0.data/scripts/tool.py": b"#!python\n"}),
           ("two", [], {"two.py": b"x = 1\n", "both.py": b"of two\n"}))
    ask(stage, path)
    lock(stage, path)
    without = build(stage, path, **sealed(stage, path))
    ask(stage, path, "bytecode: true")
    made = lock(stage, path)
    assert [layer for layer in made["layers"] if layer["kind"] == "bytecode"] == [{"name": "bytecode", "kind": "bytecode", "artifacts": []}]
    assert made["layers"][-2]["kind"] == "bytecode"
    err = build(stage, path, code=7, **sealed(stage, path))
    assert "layer bytecode: cannot build from source here: bwrap, which seals builds from source, is not here" in err, err
    with_bwrap = sealed(stage, path, "bwrap")
    digest = build(stage, path, **with_bwrap)
    files, _ = files_of(path, digest)
    compiled = {name: text for name, text in files.items() if name.endswith(".pyc")}
    assert {name: text for name, text in compiled.items() if name.split("/")[5] in ("one", "__pycache__")} == {
        SITE + "one/__pycache__/__init__.cpython-311.pyc": f"/{SITE}one/__init__.py import two\n".encode(),
        SITE + "__pycache__/two.cpython-311.pyc": f"/{SITE}two.py x = 1\n".encode(),
        SITE + "__pycache__/both.cpython-311.pyc": f"/{SITE}both.py of one\n".encode()}, compiled
    # Its layer stands below the files, and all others are as they were.
    now = layers_of(path, digest)
    assert now[:-2] + now[-1:] == layers_of(path, without)
    assert b"pyc" not in files[SITE + "one-1.0.dist-info/RECORD"]
    out, _ = run(stage, path, "explain", "recipe.yaml")
    assert any(line.split()[0:1] == ["bytecode"] for line in out.splitlines()), out
    run(stage, path, "lock", "--check", "recipe.yaml")
    # What the lock knows needs no compiler, and what is lost is made again as it was.
    assert build(stage, path, **sealed(stage, path)) == digest
    shutil.rmtree(path + "/.cache")
    shutil.rmtree(path + "/images")
    assert build(stage, path, "-j", "1", **with_bwrap) == digest
    code, out, err = end(start(stage, path, "build", "--audit", "--index", stage.index, "recipe.yaml", **with_bwrap))
    assert code == 0 and printed(path, out) == digest and "0 in the output were wrong" in err, err
    built = json.loads(read(path, "recipe.lock"))
    next(layer for layer in built["built"]["layers"] if layer["name"] == "bytecode")["digest"] = "sha256:" + "1" * 64
    with open(path + "/recipe.lock", "w") as f:
        json.dump(built, f)
    shutil.rmtree(path + "/images")
    err = build(stage, path, code=6, **with_bwrap)
    assert "layer bytecode: its digest is sha256:" in err, err
    # Locks without it are as ever.
    ask(stage, path)
    assert "bytecode" not in json.dumps(lock(stage, path))


@scenario
def a_compiler_that_fails_is_told(stage):
    path = stage.fresh()
    wheels(path, ("one", [], {"one.py": b"crash\n"}), ("two", [], {"two.py": b"x = 1\n"}))
    ask(stage, path, "bytecode: true")
    lock(stage, path)
    err = build(stage, path, code=3, **sealed(stage, path, "bwrap"))
    assert "layer bytecode: the compiler ended with exit code 1; all it said is in " in err, err
