# SPDX-License-Identifier: Apache-2.0
"""Scenarios of slim images: what is missing in them is what the rules say, and nothing else is another."""
import csv, gzip, io, json, os, shutil, tarfile

import world
from lib import begin, blobs, build, lock, read, recipe, run, scenario

SITE = "opt/venv/lib/python3.11/site-packages/"
CUDA = ["nvidia-cuda-runtime-cu12==12.4.127", "nvidia-cudnn-cu12==9.1.0.70", "nvidia-nccl-cu12==2.21.5"]
WHEELS = [
    ("torch", "2.6.0", world.CP, CUDA + ["triton==3.2.0"],
     {"torch/__init__.py": b"v = '2.6.0'\n", "torch/include/ATen/ATen.h": b"// a header\n" * 9, "torch/bin/protoc": b"protoc",
      "torch/bin/torch_shm_manager": b"manager"}),
    ("triton", "3.2.0", world.CP, [], {"triton/__init__.py": b"\n", "triton/backends/amd/driver.py": b"\n",
                                       "triton/backends/amd/lib/ockl.bc": world.noise(70000, 1)}),
    ("numpy", "2.2.6", world.CP, [],
     {"numpy/__init__.py": b"\n", "numpy/tests/__init__.py": b"", "numpy/tests/test_a.py": b"1\n",
      "numpy/_core/tests/_natype.py": b"2\n", "numpy/_core/lib/libnpymath.a": world.noise(200, 2)}),
    ("nvidia-cuda-runtime-cu12", "12.4.127", world.LINUX, [],
     {"nvidia/cuda_runtime/include/cuda.h": b"//\n", "nvidia/cuda_runtime/lib/libcudart.so.12": world.noise(3000, 3)}),
]
RULES = {"torch-headers": ["torch/include/ATen/ATen.h"], "torch-protoc": ["torch/bin/protoc"],
         "triton-amd": ["triton/backends/amd/lib/ockl.bc"], "triton-static": [], "cuda-static": [],
         "numpy-static": ["numpy/_core/lib/libnpymath.a"], "numpy-tests": ["numpy/tests/__init__.py", "numpy/tests/test_a.py"],
         "cuda-headers": ["nvidia/cuda_runtime/include/cuda.h"]}
COMPILED = ("torch-headers", "torch-protoc", "numpy-static", "cuda-headers", "cuda-static")  # not where something compiles


def wheels(path):
    os.makedirs(path + "/wheels")
    for w in WHEELS:
        file, body, _ = world.wheel(*w)
        with open(f"{path}/wheels/{file}", "wb") as f:
            f.write(body)


def ask(stage, path, *lines):
    recipe(stage, path, "pip: [numpy]", "find_links: [wheels]", f"indexes: [{stage.index}]", *lines)


def image(path, digest):
    """Its labels, its layers' digests, and all files by path."""
    every = blobs(path + "/images")
    manifest = json.loads(every[digest])
    files, plain_sizes = {}, []
    for layer in manifest["layers"]:
        plain = gzip.decompress(every[layer["digest"]])
        plain_sizes.append(len(plain))
        with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
            files.update({t.name.rstrip("/"): tar.extractfile(t).read() if t.isreg() else t.linkname for t in tar})
    return (json.loads(every[manifest["config"]["digest"]])["config"]["Labels"], [x["digest"] for x in manifest["layers"]],
            files, plain_sizes)


def document(path):
    return json.loads(read(path, "recipe.lock"))


def recorded(files):
    """All paths that the RECORD files name, below the root."""
    names = set()
    for path, body in files.items():
        if path.startswith(SITE) and path.endswith(".dist-info/RECORD"):
            names |= {os.path.normpath(SITE + row[0]) for row in csv.reader(io.StringIO(body.decode()))}
    return names


@scenario
def lacks_what_the_rules_say(stage):
    path = stage.fresh()
    wheels(path)
    ask(stage, path)
    full_labels, full_layers, full, _ = image(path, build(stage, path))
    full_lock = document(path)
    ask(stage, path, "slim: true")
    assert "slim: \"true\" is new" in build(stage, path, code=3)
    lock(stage, path)
    fresh = document(path)
    assert "slim" not in full_lock
    assert sorted(fresh["slim"]) == sorted(RULES), fresh["slim"]
    digest = build(stage, path)
    labels, layers, slim, sizes = image(path, digest)

    gone = {SITE + f for files in RULES.values() for f in files}
    folders = {SITE + "numpy/tests", SITE + "torch/include", SITE + "torch/include/ATen", SITE + "triton/backends/amd/lib",
               SITE + "numpy/_core/lib", SITE + "nvidia/cuda_runtime/include"}
    assert set(full) - set(slim) == gone | folders, set(full) ^ set(slim)
    assert not set(slim) - set(full)
    changed = {f for f in slim if slim[f] != full[f]}
    assert all(f.endswith(".dist-info/RECORD") for f in changed) and len(changed) == 4, changed
    assert recorded(full) - recorded(slim) == gone and recorded(slim) <= set(slim)
    assert labels["io.envbuild.slim"] == " ".join(fresh["slim"]) and "io.envbuild.slim" not in full_labels
    names = [x["name"] for x in fresh["layers"]]
    same = [n for n, x in zip(names, layers) if x in full_layers]
    assert "base" in same and "python" in same and "torch" not in same and len(same) == len(names) - 4, same

    # What is told: figures of each rule, and unpacked sizes.
    built = document(path)["built"]
    told = {x["rule"]: x for x in built["slim"]}
    assert {n: x["files"] for n, x in told.items()} == {n: len(f) for n, f in RULES.items()}
    for name, files in RULES.items():
        assert told[name]["bytes"] == sum(len(full[SITE + f]) for f in files)
    assert told["torch-headers"]["packed"] < told["torch-headers"]["bytes"]
    assert [x["unpacked"] for x in built["layers"]] == sizes
    said = json.loads(run(stage, path, "explain", "--json", "recipe.lock")[0])
    assert [x["unpacked"] for x in said["layers"]] == sizes and said["all"]["unpacked"] == sum(sizes)
    assert {x["rule"]: x["files"] for x in said["slim"]} == {n: len(f) for n, f in RULES.items()}
    assert "numpy-tests                    2 " in run(stage, path, "explain", "recipe.lock")[0]

    # The same again: remembered, into another place, from an empty store.
    want = read(path, "recipe.lock")
    for args, drop in (((), "images"), (("-o", "oci-archive:x.tar"), ""), ((), ".cache")):
        os.unlink(path + "/recipe.lock")
        if drop:
            shutil.rmtree(f"{path}/{drop}")
        assert build(stage, path, *args) == digest
        assert read(path, "recipe.lock") == want, (args, drop)
    shutil.rmtree(path + "/.cache")
    shutil.rmtree(path + "/images")
    assert build(stage, path, "--locked") == digest and read(path, "recipe.lock") == want


@scenario
def keeps_what_compilers_read(stage):
    path = stage.fresh()
    wheels(path)
    ask(stage, path, "slim: true", "apt: [gcc]")
    document_ = lock(stage, path)
    assert sorted(document_["slim"]) == sorted(r for r in RULES if r not in COMPILED), document_["slim"]
    with open(path + "/old.lock", "wb") as f:
        f.write(read(path, "recipe.lock"))
    ask(stage, path, "slim: true")
    lock(stage, path)
    out = run(stage, path, "lock", "diff", "old.lock", "recipe.lock")[0]
    assert "slim torch-headers: kept becomes left out\n" in out and "numpy-tests" not in out, out
    said = json.loads(run(stage, path, "lock", "diff", "--json", "old.lock", "recipe.lock")[0])["slim"]
    assert sorted(set(said["new"]) - set(said["old"])) == sorted(COMPILED), said


@scenario
def sizes_of_remembered_layers_are_right(stage):
    """An older lock that tells no sizes stays as it is; what was made from it tells them to a new one."""
    path, _ = begin(stage)
    build(stage, path)
    whole = document(path)
    sizes = [x["unpacked"] for x in whole["built"]["layers"]]
    assert all(sizes)
    for layer in whole["built"]["layers"]:
        del layer["unpacked"]
    old = json.dumps(whole)
    with open(path + "/recipe.lock", "w") as f:
        f.write(old)
    shutil.rmtree(path + "/.cache")
    shutil.rmtree(path + "/images")
    build(stage, path)  # digests are known, so that nothing is inflated
    assert read(path, "recipe.lock").decode() == old
    assert "unpacked" not in run(stage, path, "explain", "recipe.lock")[0]
    os.unlink(path + "/recipe.lock")
    build(stage, path)
    assert [x["unpacked"] for x in document(path)["built"]["layers"]] == sizes
