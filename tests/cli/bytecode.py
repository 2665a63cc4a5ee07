# SPDX-License-Identifier: Apache-2.0
"""`bytecode: true`: what is compiled, where it lies, what is compiled again, and what stays as it is. In place of a system with Python there is a bwrap
that "compiles" itself: its bytecode of a module is the module's path and text. As lib.py."""
import hashlib, json, os, shutil, sys

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
        print(at)
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
    assert [layer for layer in made["layers"] if layer["kind"] == "bytecode"] == [
        {"name": name, "kind": "bytecode", "artifacts": []} for name in ("torch-bytecode", "wheels-256k-bytecode", "asked-256k-bytecode")], made["layers"]
    assert [layer["name"] for layer in made["layers"][-3:]] == ["asked-256k", "asked-256k-bytecode", "files"]
    err = build(stage, path, code=7, **sealed(stage, path))
    assert "layer torch-bytecode: cannot build from source here: bwrap, which seals builds from source, is not here" in err, err
    with_bwrap = sealed(stage, path, "bwrap")
    digest = build(stage, path, **with_bwrap)
    files, _ = files_of(path, digest)
    compiled = {name: text for name, text in files.items() if name.endswith(".pyc")}
    assert {name: text for name, text in compiled.items() if name.split("/")[5] in ("one", "__pycache__")} == {
        SITE + "one/__pycache__/__init__.cpython-311.pyc": f"/{SITE}one/__init__.py import two\n".encode(),
        SITE + "__pycache__/two.cpython-311.pyc": f"/{SITE}two.py x = 1\n".encode(),
        SITE + "__pycache__/both.cpython-311.pyc": f"/{SITE}both.py of one\n".encode()}, compiled
    # All other layers are as they were.
    now = layers_of(path, digest)
    assert [d for d, layer in zip(now, made["layers"]) if layer["kind"] != "bytecode"] == layers_of(path, without)
    assert b"pyc" not in files[SITE + "one-1.0.dist-info/RECORD"]
    out, _ = run(stage, path, "explain", "recipe.yaml")
    assert any(line.split()[0:1] == ["asked-256k-bytecode"] for line in out.splitlines()), out
    run(stage, path, "lock", "--check", "recipe.yaml")
    # What the lock knows needs no compiler, and what is lost is made again as it was.
    assert build(stage, path, **sealed(stage, path)) == digest
    shutil.rmtree(path + "/.cache")
    shutil.rmtree(path + "/images")
    assert build(stage, path, "-j", "1", **with_bwrap) == digest
    code, out, err = end(start(stage, path, "build", "--audit", "--index", stage.index, "recipe.yaml", **with_bwrap))
    assert code == 0 and printed(path, out) == digest and "0 in the output were wrong" in err, err
    built = json.loads(read(path, "recipe.lock"))
    next(layer for layer in built["built"]["layers"] if layer["name"] == "torch-bytecode")["digest"] = "sha256:" + "1" * 64
    with open(path + "/recipe.lock", "w") as f:
        json.dump(built, f)
    shutil.rmtree(path + "/images")
    err = build(stage, path, code=6, **with_bwrap)
    assert "layer torch-bytecode: its digest is sha256:" in err, err
    # Locks without it are as ever.
    ask(stage, path)
    assert "bytecode" not in json.dumps(lock(stage, path))


@scenario
def a_file_that_hides_a_module_is_refused(stage):
    """Where the recipe is locked and, as what is compiled stays, where its files are edited."""
    path = stage.fresh()
    wheels(path, ("one", ["two"], {"one/__init__.py": b"import two\n"}), ("two", [], {"two.py": b"x = 1\n", "two.txt": b"x"}))
    os.makedirs(path + "/mine")
    for name in ("three.py", "two.txt"):
        with open(f"{path}/mine/{name}", "w") as f:
            f.write("x = 2\n")
    files = "files: [{from: mine, to: /%s}]" % SITE
    env = sealed(stage, path, "bwrap")
    ask(stage, path, files, "bytecode: true")
    digest = build(stage, path, **env)
    assert files_of(path, digest)[0][SITE + "three.py"] == b"x = 2\n"
    shutil.copy(path + "/mine/three.py", path + "/mine/two.py")
    for edited in (True, False):
        if not edited:
            os.unlink(path + "/recipe.lock")
            lock(stage, path)
        err = build(stage, path, code=3, **env)
        assert f"/{SITE}two.py is a file of `files` and of two-1.0-py3-none-any.whl, whose bytecode Python would run" in err, err
    ask(stage, path, files)
    lock(stage, path)
    build(stage, path, **env)


def compiled(path):
    """The modules of the last run."""
    return sorted(line.removeprefix(SITE) for line in read(path, ".cache/envbuild/logs/bytecode.log").decode().splitlines())


def big(n):
    """What no deflate makes smaller than a layer of its own has to be."""
    return hashlib.shake_256(n).digest(9 << 20)


@scenario
def a_change_compiles_its_own_group(stage):
    path = stage.fresh()
    with_bwrap = sealed(stage, path, "bwrap")
    # Of one file in two layers both have the bytecode.
    wheels(path, ("one", ["two"], {"one.py": b"import two\n", "same.py": b"the same\n"}),
           ("two", [], {"two.py": b"x = 1\n", "two.bin": big(b"two"), "same.py": b"the same\n"}))
    ask(stage, path, "bytecode: true")
    made = lock(stage, path)
    assert [layer["name"] for layer in made["layers"] if layer["kind"] == "bytecode"] == [
        "torch-bytecode", "two-bytecode", "wheels-256k-bytecode", "asked-256k-bytecode"], made["layers"]
    code, out, err = end(start(stage, path, "build", "--index", stage.index, "recipe.yaml", **with_bwrap))
    digest = printed(path, out)
    assert code == 0 and err.count("compile to bytecode\n") == 1, err
    assert {"one.py", "two.py", "same.py"} < set(compiled(path)) and compiled(path).count("same.py") == 1, compiled(path)
    files, times = files_of(path, digest)
    assert times[SITE + "__pycache__/same.cpython-311.pyc"] == 2 and times[SITE + "same.py"] == 2, times
    # One that the recipe asks for by name, then one that is large.
    old = layers_of(path, digest)
    wheels(path, ("one", ["two"], {"one.py": b"import two, sys\n"}))
    lock(stage, path, "--upgrade", "one")
    digest = build(stage, path, **with_bwrap)
    assert "one.py" in compiled(path) and not {"two.py", "same.py", "torch/__init__.py"} & set(compiled(path)), compiled(path)
    new = layers_of(path, digest)
    assert [i for i in range(len(new)) if new[i] != old[i]] == [len(new) - 3, len(new) - 2], (old, new)
    old = new
    wheels(path, ("two", [], {"two.py": b"x = 2\n", "two.bin": big(b"two"), "same.py": b"the same\n"}))
    lock(stage, path, "--upgrade", "two")
    digest = build(stage, path, **with_bwrap)
    assert compiled(path) == ["same.py", "two.py"], compiled(path)
    new = layers_of(path, digest)
    assert sum(a != b for a, b in zip(old, new)) == 2, (old, new)


@scenario
def a_lock_with_one_layer_of_bytecode_keeps_it(stage):
    """As they were written in format 3 at first."""
    path = stage.fresh()
    with_bwrap = sealed(stage, path, "bwrap")
    wheels(path, ("one", ["two"], {"one.py": b"import two\n"}), ("two", [], {"two.py": b"x = 1\n", "two.bin": big(b"two")}))
    ask(stage, path, "bytecode: true")
    made = lock(stage, path)
    apart = build(stage, path, **with_bwrap)
    made["layers"] = [layer for layer in made["layers"] if layer["kind"] != "bytecode"]
    made["layers"].insert(-1, {"name": "bytecode", "kind": "bytecode", "artifacts": []})
    with open(path + "/recipe.lock", "w") as f:
        json.dump(made, f)
    run(stage, path, "lock", "--check", "recipe.yaml")
    digest = build(stage, path, **with_bwrap)
    files, times = files_of(path, digest)
    assert files == files_of(path, apart)[0] and set(times.values()) == {1}
    now = json.loads(read(path, "recipe.lock"))
    assert now["layers"] == made["layers"] and len(layers_of(path, digest)) == len(made["layers"])
    is_now = next(n["diff_id"] for n in now["built"]["layers"] if n["name"] == "bytecode")
    assert is_now == "sha256:0a374779ee721bff35c9e8b330ed5a14757c338c02a5c409aee2ad5d75d078df", is_now
    assert build(stage, path, "--locked", **with_bwrap) == digest
    # Another choice has the new plan.
    recipe(stage, path, "pip: [one]", "find_links: [wheels]", f"indexes: [{stage.index}]", "bytecode: true")
    assert "bytecode" not in [layer["name"] for layer in lock(stage, path)["layers"]]


@scenario
def a_delta_has_the_bytecode_of_what_is_new_alone(stage):
    path = stage.fresh()
    with_bwrap = sealed(stage, path, "bwrap")
    # What no packer makes smaller: the bytecode has it, too.
    module = lambda n, name: {name + ".py": hashlib.shake_256(name.encode()).hexdigest(n // 2).encode()}
    more = module(40000, "more")
    wheels(path, ("one", [], module(300000, "one")), ("two", [], module(300000, "two")), ("more", [], more))
    ask(stage, path, "bytecode: true")
    lock(stage, path)
    old = build(stage, path, "-o", "oci:one", **with_bwrap)
    recipe(stage, path, "pip: [one, two, more]", "find_links: [wheels]", f"indexes: [{stage.index}]", "bytecode: true")
    lock(stage, path)
    new = build(stage, path, "-o", "oci:two", **with_bwrap)
    run(stage, path, "delta", f"oci:one@{old}", f"oci:two@{new}", "-o", "x.delta")
    package, size = (os.path.getsize(f"{path}/{name}") for name in ("wheels/more-1.0-py3-none-any.whl", "x.delta"))
    assert size < package * 2 + 30000, (package, size)
    run(stage, path, "apply", "x.delta", "oci:one")
    assert new[7:] in os.listdir(path + "/one/blobs/sha256")


@scenario
def groups_without_modules_have_equal_layers(stage):
    path = stage.fresh()
    with_bwrap = sealed(stage, path, "bwrap")
    wheels(path, ("one", [], {"one.txt": big(b"one")}), ("two", [], {"two.txt": big(b"two")}))
    ask(stage, path, "bytecode: true")
    lock(stage, path)
    digest = build(stage, path, **with_bwrap)
    now = layers_of(path, digest)
    assert len(now) - len(set(now)) >= 1, now
    assert build(stage, path, "-o", "docker-archive:x.tar", **with_bwrap) == digest
    shutil.rmtree(path + "/images")
    shutil.rmtree(path + "/.cache")
    assert build(stage, path, **with_bwrap) == digest


@scenario
def a_compiler_that_fails_is_told(stage):
    path = stage.fresh()
    wheels(path, ("one", [], {"one.py": b"crash\n"}), ("two", [], {"two.py": b"x = 1\n"}))
    ask(stage, path, "bytecode: true")
    lock(stage, path)
    err = build(stage, path, code=3, **sealed(stage, path, "bwrap"))
    assert "compile to bytecode: the compiler ended with exit code 1; all it said is in " in err, err
