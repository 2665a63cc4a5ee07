# SPDX-License-Identifier: Apache-2.0
"""A base is a file and its keyring, nothing else. As lib.py."""
import gzip, io, json, os, shutil, tarfile

from lib import build, check_layout, end, golden, lock, locked, read, run, scenario, start
import world

HERE = world.GOOD.replace("./base.yaml", "./bases/other.yaml")


def with_other(stage, recipe=HERE):
    """A folder with a base of one's own in it: another suite, signed by another key."""
    path = stage.fresh({"recipe.yaml": recipe})
    shutil.copytree(os.path.join(stage.world, "other"), os.path.join(path, "bases"))
    return path


def files_of(layout, digest):
    """What the image has at each path."""
    held, found = check_layout(layout, digest), {}
    for layer in json.loads(held[digest])["layers"]:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(held[layer["digest"]]))) as tar:
            for t in tar:
                found[t.name] = tar.extractfile(t).read() if t.isfile() else t.linkname
    return found


@scenario
def a_base_of_ones_own_is_a_file(stage):
    path = with_other(stage)
    os.unlink(path + "/base.yaml")
    os.unlink(path + "/base.gpg")
    digest = build(stage, path)
    assert digest != golden(stage)[0]
    document = json.loads(read(path, "recipe.lock"))
    assert document["base"]["name"] == "other", document["base"]
    assert [a["suite"] for a in document["archives"]] == ["other-stable"], document["archives"]
    assert {a["name"]: a["version"] for a in document["artifacts"]}["libc6"] == "2.41-12"
    files = files_of(path + "/images", digest)
    assert b"http://other.example.org" in files["etc/apt/sources.list.d/debian.sources"]
    assert files["bin"] == "usr/bin"
    assert files["opt/venv/bin/activate"] == b"VIRTUAL_ENV=/opt/venv (venv)\n", files["opt/venv/bin/activate"]
    assert files["opt/venv/bin/activate.fish"] == b"fish /opt/venv\n" and "opt/venv/.gitignore" in files
    assert "opt/venv/.gitignore" not in files_of_golden(stage)
    shutil.rmtree(path + "/images")
    assert build(stage, path, "--locked", "--offline") == digest


def files_of_golden(stage):
    path = stage.fresh()
    return files_of(path + "/images", build(stage, path))


@scenario
def a_lock_builds_without_the_keyring(stage):
    """Only who asks an archive needs its keys: what is built from a lock is verified by its hashes."""
    digest, _ = golden(stage)
    path = locked(stage)
    os.unlink(path + "/base.gpg")
    assert build(stage, path, "--locked") == digest
    lock(stage, path)
    _, err = run(stage, path, "lock", "--upgrade", "recipe.yaml", code=3)
    assert "keyring: cannot open ./base.gpg" in err, err


@scenario
def a_base_may_lie_anywhere(stage):
    path = with_other(stage)
    digest = build(stage, path)
    elsewhere = with_other(stage)
    with open(elsewhere + "/recipe.yaml", "w") as f:
        f.write(world.GOOD.replace("./base.yaml", path + "/bases/other.yaml"))
    assert files_of(elsewhere + "/images", build(stage, elsewhere)) == files_of(path + "/images", digest)


@scenario
def a_base_believes_its_own_keys_only(stage):
    path = with_other(stage)
    shutil.copy(path + "/base.gpg", path + "/bases/archive.gpg")
    err = lock(stage, path, "--index", stage.index, code=6)
    assert "other-stable" in err, err
    os.unlink(path + "/bases/archive.gpg")
    err = lock(stage, path, "--index", stage.index, code=3)
    assert "archive.gpg" in err, err


@scenario
def a_base_that_changed_needs_a_new_lock(stage):
    path = with_other(stage)
    build(stage, path)
    with open(path + "/bases/other.yaml", "a") as f:
        f.write("  Signed-By: /usr/share/keyrings/other.gpg\n")
    err = build(stage, path, code=3)
    assert "bases/other.yaml" in err, err
    code, _, err = end(start(stage, path, "lock", "-q", "--index", stage.index, "recipe.yaml"))
    assert code == 0, err
    files = files_of(path + "/images", build(stage, path))
    assert b"Signed-By" in files["etc/apt/sources.list.d/debian.sources"]
