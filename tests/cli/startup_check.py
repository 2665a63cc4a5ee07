# SPDX-License-Identifier: Apache-2.0
"""Scenarios of the start-up check: what of it stands in the lock and in the image, and what it leaves alone. What the
script does is the affair of tests/unit/test_startup.c and tests/real/startup-check-in-docker.sh."""
import gzip, io, json, os, shutil, tarfile

from lib import begin, blobs, build, lock, printed, read, run, scenario

CHECK = "/usr/local/bin/envbuild-startup-check"


def image_of(path, digest, layout="/images"):
    all_blobs = blobs(path + layout)
    manifest = json.loads(all_blobs[digest])
    return manifest, json.loads(all_blobs[manifest["config"]["digest"]])["config"], all_blobs


def top_files(manifest, all_blobs):
    plain = gzip.decompress(all_blobs[manifest["layers"][-1]["digest"]])
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        return {t.name: (t, tar.extractfile(t).read() if t.isfile() else None) for t in tar}


def document(path):
    return json.loads(read(path, "recipe.lock"))


def say(path, *lines):
    """The recipe with other lines behind; the lock stays."""
    with open(path + "/recipe.yaml") as f:
        first = [x for x in f.read().splitlines() if not x.startswith("startup_check")]
    with open(path + "/recipe.yaml", "w") as f:
        f.write("\n".join([*first, *lines, ""]))


@scenario
def the_check_is_the_first_step(stage):
    path, _ = begin(stage, "entrypoint: [python3, -X, dev]", "cmd: [work.py]")
    manifest, config, all_blobs = image_of(path, build(stage, path))
    assert config["Entrypoint"] == [CHECK, "python3", "-X", "dev"] and config["Cmd"] == ["work.py"], config
    assert config["Labels"]["io.envbuild.startup-check"] == "warn"
    entry, text = top_files(manifest, all_blobs)[CHECK[1:]]
    assert entry.mode == 0o755 and entry.uid == entry.gid == 0
    assert text.decode() == document(path)["files"][-1]["text"], "the lock does not say what is in the image"
    assert text.startswith(b"#!/bin/sh\n") and b"525.60.13" in text and b"exit 78" not in text
    assert "a container with a GPU warns" in run(stage, path, "explain", "recipe.lock")[0]
    assert json.loads(run(stage, path, "explain", "--json", "recipe.lock")[0])["startup_check"] == "warn"


@scenario
def only_the_last_layer_knows_of_the_check(stage):
    path, _ = begin(stage)
    found = {}
    for mode in ("warn", "fail", "off"):
        say(path, f"startup_check: {mode}")
        lock(stage, path)
        manifest, config, all_blobs = image_of(path, build(stage, path, "-o", f"oci:{mode}"), "/" + mode)
        found[mode] = manifest["layers"]
        there = CHECK[1:] in top_files(manifest, all_blobs)
        assert there == (mode != "off") == ("io.envbuild.startup-check" in config["Labels"]), mode
        assert config.get("Entrypoint", []) == ([CHECK] if there else []) and config["Cmd"] == ["/bin/bash"], config
        if there:
            assert (b"exit 78" in top_files(manifest, all_blobs)[CHECK[1:]][1]) == (mode == "fail")
    assert found["warn"][:-1] == found["fail"][:-1] == found["off"][:-1], "a shared layer is another one"
    assert len({layers[-1]["digest"] for layers in found.values()}) == 3


@scenario
def a_lock_without_the_check_stays(stage):
    """A lock that an envbuild wrote which knew of no check is up to date, and gives the image it gave."""
    path, _ = begin(stage, "startup_check: off")
    build(stage, path)
    kept = document(path)
    say(path)
    os.unlink(path + "/recipe.lock")
    fresh = lock(stage, path)
    assert fresh["files"][-1]["to"] == CHECK and "startup_check" not in fresh["recipe"]["normal"]
    old = {**kept, "recipe": fresh["recipe"]}  # as it was written when a recipe could not name the check
    old.pop("built")
    old["envbuild"] = "0.2.0"
    with open(path + "/recipe.lock", "w") as f:
        json.dump(old, f)
    before = read(path, "recipe.lock")
    err = run(stage, path, "lock", "recipe.yaml")[1]
    assert "is up to date" in err and read(path, "recipe.lock") == before, err
    assert document(path)["envbuild"] == "0.2.0", "a lock of this envbuild would be an edited one"
    run(stage, path, "lock", "--check", "recipe.yaml")
    out, err = run(stage, path, "build", "recipe.yaml")
    assert "recipe.lock is from envbuild 0.2.0" in err and 'start-up check is "off"' in err, err
    without = printed(path, out)
    manifest, config, all_blobs = image_of(path, without)
    assert CHECK[1:] not in top_files(manifest, all_blobs) and "Entrypoint" not in config, config
    assert "startup" not in json.dumps(config), "an old lock gives another config"
    assert [x["digest"] for x in manifest["layers"]] == [x["digest"] for x in kept["built"]["layers"]]
    # A change takes the check in, and the difference is told.
    shutil.copy(path + "/recipe.lock", path + "/old.lock")
    say(path, "startup_check: fail")
    err = build(stage, path, "--locked", code=3)
    assert 'startup_check: "fail" is new' in err, err
    lock(stage, path)
    out = run(stage, path, "lock", "diff", "old.lock", "recipe.lock")[0].splitlines()
    assert out[:2] == ['recipe: startup_check: "fail" is new', "start-up check: off becomes fail"], out
    told = json.loads(run(stage, path, "lock", "diff", "--json", "old.lock", "recipe.lock")[0])
    assert told["startup_check"] == {"old": "off", "new": "fail"} and told["packages"] == []
    assert build(stage, path) != without


@scenario
def no_file_takes_the_place_of_the_check(stage):
    path, _ = begin(stage)
    for name in ("mine", "more"):
        with open(f"{path}/{name}", "w") as f:
            f.write("#!/bin/sh\nexec evil\n")
    say(path, f"files: [{{from: mine, to: {CHECK}}}, {{from: more, to: /usr/local/bin/}}]")
    lock(stage, path)
    manifest, _, all_blobs = image_of(path, build(stage, path))
    files = top_files(manifest, all_blobs)
    assert files[CHECK[1:]][1].startswith(b"#!/bin/sh\n# Written by envbuild") and "usr/local/bin/more" in files
