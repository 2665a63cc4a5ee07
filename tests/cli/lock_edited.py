# SPDX-License-Identifier: Apache-2.0
"""Scenarios of locks that somebody edited: what a recipe and its packages give is derived again and compared, by every
command that obeys or judges a lock; nothing of an edited one reaches an image."""
import copy, hashlib, json, os

from lib import begin, build, lock, read, run, scenario

EVIL = "#!/bin/sh\necho evil\n"


def change(document, *way, to):
    """A copy with another value at the end of the way; a list grows where the way ends in None."""
    new = copy.deepcopy(document)
    at = new
    for step in way[:-1]:
        at = at[step]
    if way[-1] is None:
        at.append(to)
    else:
        at[way[-1]] = to
    return new


def put(path, document):
    with open(path + "/recipe.lock", "w") as f:
        json.dump(document, f)


def made_file(to, text):
    return {"text": text, "to": to, "uid": 0, "gid": 0, "content": [
        {"path": "", "executable": True, "size": len(text), "sha256": "sha256:" + hashlib.sha256(text.encode()).hexdigest()}]}


@scenario
def an_edited_lock_is_told_by_name(stage):
    path, _ = begin(stage, "user: {name: student, uid: 1000}", "labels: {course: ml}", "pip: [numpy]")
    honest = lock(stage, path)
    layers = honest["layers"]
    swapped = layers[:2] + [layers[3], layers[2]] + layers[4:]
    edits = {
        "env LD_PRELOAD is \"/x.so\" and should not be there": change(honest, "image", "env", None, to="LD_PRELOAD=/x.so"),
        "env VIRTUAL_ENV is missing": change(honest, "image", "env", to=[
            x for x in honest["image"]["env"] if not x.startswith("VIRTUAL_ENV")]),
        "entrypoint is \"/bin/evil\"": change(honest, "image", "entrypoint", to=["/bin/evil"]),
        "cmd is \"/bin/sh -c true\"": change(honest, "image", "cmd", to=["/bin/sh", "-c", "true"]),
        "user is \"root\"": change(honest, "image", to={k: v for k, v in honest["image"].items() if k != "user"}),
        "user is \"student (1001:1001)\"": change(honest, "image", "user", to={"name": "student", "uid": 1001, "gid": 1001}),
        "work folder is \"/root\" and not \"/workspace\"": change(honest, "image", "workdir", to="/root"),
        "label course is \"x\" and not \"ml\"": change(honest, "image", "labels", to={"course": "x"}),
        "label more is \"x\"": change(honest, "image", "labels", to={"course": "ml", "more": "x"}),
        "file /etc/profile.d/x.sh is": change(honest, "files", None, to=made_file("/etc/profile.d/x.sh", EVIL)),
        "apt sources is \"Trusted: yes\"": change(
            honest, "base", "apt_sources", to="Trusted: yes\n" + honest["base"]["apt_sources"]),
        "file of apt sources is \"/etc/apt/x.sources\"": change(
            honest, "base", "apt_sources_path", to="/etc/apt/x.sources"),
        "oldest driver is \"1.0.0\"": change(honest, "facts", "driver_min", to="1.0.0"),
        "tag is \"latest\"": change(honest, "tag", to="latest"),
        "image is \"other\"": change(honest, "name", to="other"),
        "plan of the layers": change(honest, "layers", to=swapped),
        "asked for by name: filelock": change(honest, "artifacts", to=[
            {**a, "requested": True} if a["name"] == "filelock" else a for a in honest["artifacts"]]),
        "file /usr/local/bin/envbuild-startup-check is \"echo evil\"": change(
            honest, "files", to=honest["files"][:-1] + [made_file(honest["files"][-1]["to"], EVIL)]),
    }
    with open(path + "/honest.lock", "wb") as f:
        f.write(read(path, "recipe.lock"))
    for says, document in edits.items():
        put(path, document)
        before = read(path, "recipe.lock")
        for args in ((), ("--locked",)):
            err = build(stage, path, *args, code=3)
            assert says in err and "the lock was edited" in err, (says, err)
        assert not os.path.exists(path + "/images/index.json"), says
        out = run(stage, path, "lock", "--check", "recipe.yaml", code=9)[0]
        assert f"recipe.lock was edited: {says}" in out, (says, out)
        told = json.loads(run(stage, path, "lock", "--check", "--json", "recipe.yaml", code=9)[0])
        assert any(says.startswith(x["what"]) for x in told["edits"]), (says, told)
        out = run(stage, path, "lock", "diff", "honest.lock", "recipe.lock")[0]
        assert says.partition(" is")[0] in out, (says, out)
        assert read(path, "recipe.lock") == before, "judging a lock wrote it"
        # `lock` writes what the recipe gives, and moves no package.
        err = run(stage, path, "lock", "recipe.yaml")[1]
        assert f"recipe.lock was edited: {says}" in err, (says, err)
        assert read(path, "recipe.lock") == read(path, "honest.lock"), says


@scenario
def an_older_lock_is_no_edited_one(stage):
    """Another envbuild may have derived otherwise: its lock is obeyed, what differs is told; --strict refuses."""
    path, _ = begin(stage)
    document = change(lock(stage, path), "image", "env", None, to="OLD=1")
    document["envbuild"] = "0.2.0"
    put(path, document)
    assert "env OLD is" in build(stage, path, "--locked", "--strict", code=3)
    _, err = run(stage, path, "build", "--locked", "recipe.yaml")
    assert 'recipe.lock is from envbuild 0.2.0' in err and 'env OLD is "1"' in err, err
    for args in (("lock", "--check", "recipe.yaml"), ("lock", "recipe.yaml")):
        err = run(stage, path, *args)[1]
        assert 'env OLD is "1"' in err and "is up to date" in err, err


@scenario
def a_text_is_hashed_when_it_is_taken(stage):
    """A file made for the image whose text was edited and whose digest was left; the store then gives the honest one."""
    path, _ = begin(stage)
    honest = lock(stage, path)
    evil = copy.deepcopy(honest)
    evil["files"][-1]["text"] = evil["files"][-1]["text"].replace("exec", "nope")
    put(path, evil)
    err = build(stage, path, "--locked", code=3)
    assert "has another size or sha256 than stands beside it" in err, err
    put(path, honest)
    build(stage, path)


@scenario
def locks_that_crashed_are_refused(stage):
    path, _ = begin(stage)
    honest = lock(stage, path)
    image = {"name": "x", "kind": "image", "media_type": "application/vnd.oci.image.layer.v1.tar+gzip", "size": 1,
             "digest": "sha256:" + 64 * "0", "diff_id": "sha256:" + 64 * "0", "artifacts": []}
    for says, document in {
        "layers": change(honest, "layers", to=[]),
        "the lock has no base image": change(honest, "layers", to=[image] + honest["layers"]),
        'python: "3.11/.."': change(honest, "base", "python", to="3.11/.."),
        "has no artifact": change(honest, "layers", to=[
            {**x, "artifacts": []} if x["kind"] == "wheels" else x for x in honest["layers"]]),
        'workdir: "x"': change(honest, "image", "workdir", to="x"),
        'unknown key "run"': change(honest, "run", to="x"),
    }.items():
        put(path, document)
        for args in (("recipe.yaml", "--locked"), ("explain", "recipe.lock"), ("check", "recipe.lock"),
                     ("lock", "--check", "recipe.yaml"), ("lock", "diff", "recipe.lock", "recipe.lock")):
            err = run(stage, path, *args, code=3)[1]
            assert says in err, (says, args, err)


@scenario
def recorded_digests_that_differ_are_told(stage):
    """What a refused build advises: two locks of one choice, of which somebody edited what a build recorded."""
    path, _ = begin(stage)
    build(stage, path)
    with open(path + "/honest.lock", "wb") as f:
        f.write(read(path, "recipe.lock"))
    honest = json.loads(read(path, "recipe.lock"))
    other = "sha256:" + 64 * "7"
    for key, says in (("diff_id", "diff_id of layer files"), ("digest", "digest of layer files")):
        put(path, change(honest, "built", "layers", -1, key, to=other))
        out = run(stage, path, "lock", "diff", "honest.lock", "recipe.lock")[0]
        assert out.startswith(says + ": sha256:") and out.endswith(f" becomes {other}\n") and out.count("\n") == 1, out
        assert "envbuild lock diff OLD NEW" in build(stage, path, "--locked", code=6)
    put(path, honest)
    assert run(stage, path, "lock", "diff", "honest.lock", "recipe.lock")[0] == ""
