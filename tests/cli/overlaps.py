# SPDX-License-Identifier: Apache-2.0
"""Wheels with the same path: the file that pip would leave is in the image, wherever the layers stand, and it is told."""
import gzip, io, json, os, shutil, tarfile

import world
from lib import blobs, build, end, lock, printed, read, recipe, run, scenario, start

SITE = "opt/venv/lib/python3.11/site-packages/"
OF_ALL = {"same/mod.py": b"the same\n"}


def wheels(path, *rows):
    os.makedirs(path + "/wheels", exist_ok=True)
    for name, requires, files in rows:
        file, body, _ = world.wheel(name, "1.0", world.ANY, requires, files)
        with open(f"{path}/wheels/{file}", "wb") as f:
            f.write(body)


def ask(stage, path, *names):
    recipe(stage, path, f"pip: [{', '.join(names)}]", "find_links: [wheels]", f"indexes: [{stage.index}]")


def files_of(path, digest):
    """All files by path, as a container sees them, and how many layers have each."""
    every = blobs(path + "/images")
    files, times = {}, {}
    for layer in json.loads(every[digest])["layers"]:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(every[layer["digest"]]))) as tar:
            for t in tar:
                if t.isreg():
                    files[t.name] = tar.extractfile(t).read()
                    times[t.name] = times.get(t.name, 0) + 1
    return files, times


def overlaps(path):
    return json.loads(read(path, "recipe.lock"))["built"].get("overlaps", [])


def told(stage, path, *args, code=0):
    return run(stage, path, "build", "--index", stage.index, "recipe.yaml", *args, code=code)[1]


def built(stage, path, *args):
    """The digest; there is a warning."""
    return printed(path, run(stage, path, "build", "--index", stage.index, "recipe.yaml", *args)[0])


@scenario
def the_later_one_stays_in_one_layer(stage):
    """Neither needs the other: the last name is first, so that the first one's files stay."""
    path = stage.fresh()
    wheels(path, ("view-contrib", [], {"view/a.py": b"contrib\n", "view/b.py": b"contrib\n", "view/more.py": b"1\n", **OF_ALL}),
           ("view-headless", [], {"view/a.py": b"headless\n", "view/b.py": b"headless, longer\n", **OF_ALL}))
    ask(stage, path, "view-contrib", "view-headless")
    lock(stage, path)
    fresh = read(path, "recipe.lock")
    words = told(stage, path)
    assert ("view-headless and view-contrib both bring 2 files with different content; the first is /" + SITE + "view/a.py; "
            "the image has what view-contrib brings, as after pip install") in words, words
    digest = json.loads(read(path, "recipe.lock"))["built"]["manifest"]
    files, _ = files_of(path, digest)
    assert files[SITE + "view/a.py"] == files[SITE + "view/b.py"] == b"contrib\n"
    assert overlaps(path) == [{"winner": "view-contrib", "loser": "view-headless",
                               "paths": [SITE + "view/a.py", SITE + "view/b.py"]}]
    record = files[SITE + "view_headless-1.0.dist-info/RECORD"].decode()
    assert "view/a.py,sha256=" in record
    assert "both bring" not in told(stage, path)  # it is known now, and in the lock
    with open(path + "/recipe.lock", "wb") as f:
        f.write(fresh)
    assert built(stage, path) == digest


@scenario
def a_dependent_overrides_what_stands_in_a_higher_layer(stage):
    path = stage.fresh()
    wheels(path, ("nvidia-patch", ["plain"], {"plain/a.py": b"patched\n", **OF_ALL}),
           ("plain", [], {"plain/a.py": b"plain\n", "plain/b.py": b"plain\n", **OF_ALL}))
    ask(stage, path, "nvidia-patch")
    lock(stage, path)
    fresh = read(path, "recipe.lock")
    digest = built(stage, path)
    files, times = files_of(path, digest)
    assert files[SITE + "plain/a.py"] == b"patched\n" and times[SITE + "plain/a.py"] == 1
    assert files[SITE + "plain/b.py"] == b"plain\n" and times[SITE + "same/mod.py"] == 2
    assert "plain/a.py,sha256=" in files[SITE + "plain-1.0.dist-info/RECORD"].decode()
    text = read(path, "recipe.lock")
    # What store and place have already shows in no byte; nor does an audit find otherwise.
    for gone in (["images"], [".cache"], ["images", ".cache"], []):
        for name in gone:
            shutil.rmtree(f"{path}/{name}")
        with open(path + "/recipe.lock", "wb") as f:
            f.write(fresh)
        assert built(stage, path) == digest, gone
        assert read(path, "recipe.lock") == text
    assert built(stage, path, "--audit") == digest
    shutil.rmtree(path + "/images")
    assert built(stage, path, "-o", "docker-archive:x.tar") == digest


@scenario
def a_lie_about_it_ends(stage):
    path = stage.fresh()
    wheels(path, ("nvidia-patch", ["plain"], {"plain/a.py": b"patched\n"}),
           ("plain", [], {"plain/a.py": b"plain\n", "plain/b.py": b"plain\n"}))
    ask(stage, path, "nvidia-patch")
    lock(stage, path)
    built(stage, path)
    text = json.loads(read(path, "recipe.lock"))
    text["built"]["overlaps"][0]["paths"] = [SITE + "plain/b.py"]
    with open(path + "/recipe.lock", "w") as f:
        json.dump(text, f)
    shutil.rmtree(path + "/images")
    assert "layer wheels-256k: its digest is" in build(stage, path, code=6)
    text["built"]["overlaps"][0]["winner"] = "plain"
    with open(path + "/recipe.lock", "w") as f:
        json.dump(text, f)
    assert "are not two wheels of the lock that share paths" in build(stage, path, code=3)


@scenario
def a_file_where_another_layer_has_a_folder(stage):
    path = stage.fresh()
    wheels(path, ("nvidia-one", [], {"shared": b"a file\n"}), ("two", [], {"shared/mod.py": b"\n"}))
    ask(stage, path, "nvidia-one", "two")
    lock(stage, path)
    words = build(stage, path, code=3)
    assert (f"/{SITE}shared is a file of nvidia_one-1.0-py3-none-any.whl and a folder of two-1.0-py3-none-any.whl; "
            "leave one of the two packages out") in words, words


@scenario
def the_same_bytes_are_no_overlap(stage):
    path = stage.fresh()
    wheels(path, ("nvidia-one", [], OF_ALL), ("two", [], OF_ALL), ("three", [], OF_ALL))
    ask(stage, path, "nvidia-one", "two", "three")
    lock(stage, path)
    assert "both bring" not in told(stage, path)
    assert overlaps(path) == []


@scenario
def locks_of_format_1_keep_their_bytes(stage):
    """There the higher layer's file stays, and in a layer that of the last name."""
    path = stage.fresh()
    wheels(path, ("nvidia-patch", ["plain"], {"plain/a.py": b"patched\n"}),
           ("plain", ["zero"], {"plain/a.py": b"plain\n", "plain/b.py": b"plain\n"}), ("zero", [], {"plain/b.py": b"zero\n"}))
    ask(stage, path, "nvidia-patch")
    with open(path + "/recipe.yaml", "a") as f:
        f.write("env: {PRICE: '$$5'}\n")  # which format 1 takes as it is
    old = lock(stage, path)
    assert "PRICE=$5" in old["image"]["env"], old["image"]
    old["image"]["env"] = ["PRICE=$$5" if line == "PRICE=$5" else line for line in old["image"]["env"]]
    old.update({"envbuild_lock": 2, "format": 1, "envbuild": "0.3.0"})
    for a in old["artifacts"]:
        for key in ("needs", "extras", "turn"):
            a.pop(key, None)
    kind = {k: [n for n in old["layers"] if n["kind"] == k and n["name"] != "state"] for k in ("system", "wheels", "files")}
    small = [n for n in kind["wheels"] if n["name"].startswith(("wheels-", "asked-"))]
    group = {"name": "wheels", "kind": "wheels", "artifacts": [a for n in small for a in n["artifacts"]]}
    old["layers"] = kind["system"] + [n for n in kind["wheels"] if n not in small] + [group] + kind["files"]
    for layer in old["layers"]:
        layer["artifacts"].sort()
    with open(path + "/recipe.lock", "w") as f:
        json.dump(old, f)
    code, out, err = end(start(stage, path, "lock", "--check", "recipe.yaml"))
    assert "0.3.0" in out + err and "PRICE" not in out + err, (out, err)
    files, times = files_of(path, build(stage, path))
    assert files[SITE + "plain/a.py"] == b"plain\n" and times[SITE + "plain/a.py"] == 2, times
    assert files[SITE + "plain/b.py"] == b"zero\n", files[SITE + "plain/b.py"]
    again = json.loads(read(path, "recipe.lock"))
    assert again["envbuild_lock"] == 2 and again["format"] == 1 and "overlaps" not in again["built"]
    # While nothing changes `lock` leaves it; then it chooses the same wheels anew, in format 3.
    assert lock(stage, path) == again
    ask(stage, path, "nvidia-patch", "plain")
    new = lock(stage, path)
    assert new["format"] == 3, new["format"]
    assert all(a["turn"] for a in new["artifacts"] if a["type"] == "wheel")
    assert [a["sha256"] for a in new["artifacts"]] == [a["sha256"] for a in old["artifacts"]], "artifacts"
    files, _ = files_of(path, built(stage, path))
    assert files[SITE + "plain/a.py"] == b"patched\n" and files[SITE + "plain/b.py"] == b"plain\n"
