# SPDX-License-Identifier: Apache-2.0
"""The edit loop: a file of the recipe's own changes, and one command takes it over. As lib.py."""
import hashlib, json, os, shutil, tarfile

import world
from lib import build, check_layout, end, log_since, printed, read, recipe, run, scenario, start


def asked(stage, mark):
    return [line for line in log_since(stage, mark) if "/log" not in line]


def edit(path, text):
    with open(path + "/app/train.py", "w") as f:
        f.write(text)


def begin(stage, *lines):
    path = stage.fresh()
    os.mkdir(path + "/app")
    edit(path, "print(1)\n")
    recipe(stage, path, "files: [{from: app, to: /srv/app}]", *lines)
    return path, build(stage, path)


def document(path):
    return json.loads(read(path, "recipe.lock"))


def layers(path):
    return {l["name"]: l["digest"] for l in document(path)["built"]["layers"]}


@scenario
def a_changed_file_needs_one_command(stage):
    path, first = begin(stage)
    before, kept = document(path), layers(path)
    edit(path, "print(2)\n")
    err = build(stage, path, "--locked", code=3)
    assert "app/train.py changed" in err and document(path) == before, err
    mark = len(log_since(stage))
    code, out, err = end(start(stage, path, "build", "--index", stage.index, "recipe.yaml"))
    assert code == 0 and "app/train.py changed; recipe.lock takes that over" in err and "warning" not in err, err
    assert not asked(stage, mark), asked(stage, mark)
    second, now = printed(path, out), layers(path)
    assert second != first and [n for n in now if now[n] != kept[n]] == ["files"], (kept, now)
    changed = [k for k in before if before[k] != document(path)[k]]
    assert changed == ["files", "built"], changed
    check_layout(path + "/images", second)
    assert build(stage, path, "--locked") == second
    # as one who chooses and builds it all from the beginning
    other = stage.fresh()
    shutil.copytree(path + "/app", other + "/app")
    shutil.copy(path + "/recipe.yaml", other)
    assert build(stage, other) == second
    assert read(other, "recipe.lock") == read(path, "recipe.lock")
    # back again is the first image
    edit(path, "print(1)\n")
    assert build(stage, path) == first and document(path) == before


@scenario
def a_bare_runner_fetches_nothing(stage):
    """The output has every layer that stays, and the system that the files lie on; the store has nothing."""
    for extra in ((), ("folders: [/data]", "workdir: /srv/app")):
        path, _ = begin(stage, *extra)
        edit(path, "print(2)\n")
        bare = stage.fresh()
        for name in ("app", "images"):
            shutil.copytree(f"{path}/{name}", f"{bare}/{name}")
        for name in ("recipe.yaml", "recipe.lock"):
            shutil.copy(f"{path}/{name}", bare)
        want = build(stage, path)
        mark = len(log_since(stage))
        assert build(stage, bare) == want, "another image than where the store has everything"
        assert not asked(stage, mark), asked(stage, mark)
        assert read(bare, "recipe.lock") == read(path, "recipe.lock")
        check_layout(bare + "/images", want)


@scenario
def lock_keeps_what_it_does_not_touch(stage):
    path, _ = begin(stage)
    before = document(path)
    edit(path, "print(2)\n")
    mark = len(log_since(stage))
    err = run(stage, path, "lock", "recipe.yaml")[1]
    assert "app/train.py changed" in err and "what is built stays" in err, err
    assert not asked(stage, mark), asked(stage, mark)
    kept = document(path)
    assert "built" not in kept and kept["kept"]["layers"] == [l for l in before["built"]["layers"] if l["name"] != "files"], kept["kept"]
    assert not {"config", "manifest"} & set(kept["kept"])
    assert "up to date" in run(stage, path, "lock", "recipe.yaml")[1]
    run(stage, path, "explain", "recipe.yaml")
    assert "not built yet" in run(stage, path, "emit", "k8s", "recipe.yaml", code=3)[1]
    bare = stage.fresh()
    for name in ("app", "images"):
        shutil.copytree(f"{path}/{name}", f"{bare}/{name}")
    for name in ("recipe.yaml", "recipe.lock"):
        shutil.copy(f"{path}/{name}", bare)
    digest = build(stage, path, "--locked")
    assert "kept" in document(path), "--locked changed the lock"
    assert build(stage, path) == digest and "kept" not in document(path)
    mark = len(log_since(stage))
    assert build(stage, bare) == digest and not asked(stage, mark), asked(stage, mark)
    # what it keeps is a claim like any other
    kept["kept"]["layers"][0]["digest"] = "sha256:" + "1" * 64
    with open(path + "/recipe.lock", "w") as f:
        json.dump(kept, f)
    assert "the lock was edited" in build(stage, path, "-o", "oci:other", code=6)


@scenario
def who_asks_of_a_recipe_takes_files_over_as_well(stage):
    """They are no choices: nobody is asked, nothing is written, and only the image of it is not there yet."""
    path, _ = begin(stage)
    run(stage, path, "emit", "k8s", "recipe.yaml", "--as", "example.org/x")
    edit(path, "print(2)\n")
    before, mark = read(path, "recipe.lock"), len(log_since(stage))
    for words in (["why", "recipe.yaml", "filelock"], ["tree", "recipe.yaml"], ["explain", "recipe.yaml"], ["check", "recipe.yaml", "--driver", "550.54.15"]):
        run(stage, path, *words)
    out = run(stage, path, "diff", "recipe.lock", "recipe.yaml")[0]
    assert out.startswith("recipe: app/train.py changed\n"), out
    err = run(stage, path, "emit", "k8s", "recipe.yaml", "--as", "example.org/x", code=3)[1]
    assert "app/train.py changed, so the digest of its image is not known; run `envbuild build recipe.yaml` first" in err, err
    assert not asked(stage, mark), asked(stage, mark)
    assert read(path, "recipe.lock") == before
    with open(path + "/recipe.yaml", "a") as f:
        f.write("env: {A: b}\n")
    assert "run `envbuild lock recipe.yaml` and" in run(stage, path, "emit", "k8s", "recipe.yaml", code=3)[1]


@scenario
def a_wheel_of_ones_own_is_a_choice(stage):
    """It may need others now: a build tells both digests, and `lock` chooses with it."""
    url = "wheels/my_own-1.0-py3-none-any.whl"
    for lines in ([f'pip: ["./{url}"]'], ["pip: [my-own]", "find_links: [wheels]"]):
        path = stage.fresh()
        os.mkdir(path + "/wheels")

        def make(text, needs):
            file, body, _ = world.wheel("my_own", "1.0", world.ANY, needs, {"my_own.py": text})
            with open(f"{path}/wheels/{file}", "wb") as f:
                f.write(body)
            return "sha256:" + hashlib.sha256(body).hexdigest()

        old = make(b"one\n", [])
        recipe(stage, path, *lines)
        first, before = build(stage, path), read(path, "recipe.lock")
        assert build(stage, path, "--locked") == first
        now = make(b"two\n", ["filelock", "numpy<2"])
        says = f"recipe.lock is out of date with recipe.yaml: {url} changed: it is {now}, and the lock has {old}; run `envbuild lock recipe.yaml`"
        for options in ([], ["--locked"], ["--offline"]):
            err = build(stage, path, *options, code=3)
            assert says in err, err
        assert read(path, "recipe.lock") == before
        assert f"{url} changed" in run(stage, path, "lock", "--check", "--index", stage.index, "recipe.yaml", code=9)[0]
        run(stage, path, "lock", "--index", stage.index, "recipe.yaml")
        wheels = {a["name"]: a for a in document(path)["artifacts"] if a["type"] == "wheel"}
        assert wheels["my-own"]["sha256"] == now and wheels["numpy"]["version"] == "1.26.4", wheels
        assert build(stage, path, "--locked") != first
    os.unlink(path + "/wheels/my_own-1.0-py3-none-any.whl")  # of a folder, and the store has it
    assert build(stage, path, "--locked", "-o", "oci:other") == build(stage, path)


@scenario
def more_than_files_is_a_choice(stage):
    path, _ = begin(stage)
    edit(path, "print(2)\n")
    with open(path + "/recipe.yaml", "a") as f:
        f.write("env: {A: b}\n")
    assert "run `envbuild lock recipe.yaml` to accept the change" in build(stage, path, code=3)


ENGINE = """#!/bin/sh
case "$1 $2" in
"image inspect") cat "$HERE/has" 2>/dev/null ;;
"info --format") cat "$HERE/driver" ;;
"load ") cat >"$HERE/loaded.tar" ;;
esac
"""


@scenario
def an_engine_gets_only_what_it_lacks(stage):
    """Layers that an image of that name has there, from the bottom up; all of them where containerd keeps the images."""
    path, _ = begin(stage)
    os.mkdir(path + "/bin")
    with open(path + "/bin/docker", "w") as f:
        f.write(ENGINE)
    os.chmod(path + "/bin/docker", 0o755)
    plain, containerd = '[["Backing Filesystem","extfs"]]', '[["driver-type","io.containerd.snapshotter.v1"]]'
    env = dict(HERE=path, PATH=f"{path}/bin:" + stage.env(path)["PATH"])

    def load(driver, has):
        for name, text in (("driver", driver), ("has", has)):
            with open(f"{path}/{name}", "w") as f:
                f.write(text)
        code, out, err = end(start(stage, path, "build", "-q", "recipe.yaml", "-o", "docker:", **env))
        assert code == 0, err
        with tarfile.open(path + "/loaded.tar") as tar:
            names = {n.split("/")[-1] for n in tar.getnames() if n.startswith("blobs/sha256/")}
            assert len(json.load(tar.extractfile("manifest.json"))[0]["Layers"]) == len(layers(path))
        return [n for n, d in layers(path).items() if d[7:] in names]

    every = list(layers(path))
    diff_ids = [l["diff_id"] for l in document(path)["built"]["layers"]]
    assert load(plain, "") == every and load(plain, "no JSON") == every
    assert load(plain, json.dumps(diff_ids)) == []
    assert load(containerd, json.dumps(diff_ids)) == every
    assert load(plain, json.dumps(diff_ids[1:])) == every, "not from the bottom up"
    edit(path, "print(2)\n")
    assert load(plain, json.dumps(diff_ids)) == ["files"]
    assert load(plain, json.dumps(["sha256:" + "1" * 64])) == every
