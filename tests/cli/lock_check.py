# SPDX-License-Identifier: Apache-2.0
"""What is told of a lock: lock --check, lock diff, and locks of other versions of envbuild. As lib.py."""
import json, os

from lib import begin, build, later, lock, read, recipe, run, scenario


@scenario
def check_lists_what_is_newer(stage):
    path, _ = begin(stage, "pip: [numpy]", "apt: [git]")
    before = read(path, "recipe.lock")
    out, err = run(stage, path, "lock", "--check", "recipe.yaml")
    assert not out and "is up to date" in err, (out, err)
    with later(stage):
        out, err = run(stage, path, "lock", "--check", "recipe.yaml", code=8)
        assert out.splitlines() == ["deb git 1:2.39.2 becomes 1:2.40.0", "deb libc6 2.36-9 becomes 2.36-9+deb12u1 (security)",
                                    "wheel filelock 3.16.0 becomes 3.17.0", "wheel numpy 2.2.0 becomes 2.3.0"], out
        assert "4 packages changed, 1 of them for security; run `envbuild lock --upgrade recipe.yaml`" in err, err
        out, _ = run(stage, path, "lock", "--check", "--json", "recipe.yaml", code=8)
        told = json.loads(out)
        assert [p["name"] for p in told["packages"] if p["security"]] == ["libc6"] and not told["recipe_changes"]
    recipe(stage, path, f"indexes: [{stage.index}]", "pip: [numpy, filelock]", "apt: [git]")
    out, err = run(stage, path, "lock", "--check", "recipe.yaml", code=9)
    assert "recipe.yaml changed: pip: \"filelock\" is new" in out, out
    assert read(path, "recipe.lock") == before, "--check wrote the lock"
    os.unlink(path + "/recipe.lock")
    assert "recipe.lock is not there" in run(stage, path, "lock", "--check", "recipe.yaml", code=3)[1]


@scenario
def diff_tells_in_words(stage):
    path, _ = begin(stage, "pip: [numpy]")
    os.rename(path + "/recipe.lock", path + "/old.lock")
    with later(stage):
        recipe(stage, path, f"indexes: [{stage.index}]", "apt: [git]", "user: {name: me}")
        lock(stage, path)
    out, _ = run(stage, path, "lock", "diff", "old.lock", "recipe.lock")
    assert out.splitlines()[:-2] == [
        "recipe: apt is new; user is new; pip is gone",
        "folders of the user: /root (0), /workspace (0) becomes /home/me (1000), /workspace (1000)", "user: root becomes me (1000:1000)",
        "env USER: root becomes me", "env HOME: /root becomes /home/me",
        "deb git 1:2.40.0 is new", "deb libc6 2.36-9 becomes 2.36-9+deb12u1 (security)",
        "wheel filelock 3.16.0 becomes 3.17.0", "wheel numpy 2.2.0 is gone"], out
    assert out.splitlines()[-2].startswith("download: ") and out.splitlines()[-1].startswith("layers: "), out
    assert run(stage, path, "lock", "diff", "old.lock", "old.lock")[0] == ""
    told = json.loads(run(stage, path, "lock", "diff", "--json", "old.lock", "recipe.lock")[0])
    assert [p["name"] for p in told["packages"]] == ["git", "libc6", "filelock", "numpy"]
    assert told["download"]["missing"] < told["download"]["new"]
    assert "two locks" in run(stage, path, "lock", "diff", "old.lock", code=2)[1]
    assert "and recipe.yaml is a recipe; `envbuild diff`" in run(stage, path, "lock", "diff", "recipe.yaml", "recipe.yaml", code=2)[1]
    assert "none.lock" in run(stage, path, "lock", "diff", "none.lock", "old.lock", code=3)[1]


@scenario
def locks_of_other_versions(stage):
    """An older envbuild's lock is read and builds; a newer one's is refused with the version it needs."""
    path, _ = begin(stage)
    build(stage, path)
    document = json.loads(read(path, "recipe.lock"))
    write = lambda d: open(path + "/recipe.lock", "w").write(json.dumps(d))
    write({**document, "envbuild_lock": 9, "envbuild": "7.1.0"})
    err = build(stage, path, code=3)
    assert "lock schema 9 needs envbuild 7.1.0 or newer" in err, err
    document["recipe"].pop("inputs")  # schema 1 did not know them, nor a base of one's own that changes
    document.pop("built")
    write({**document, "envbuild_lock": 1, "envbuild": "0.1.0"})
    build(stage, path)
    again = json.loads(read(path, "recipe.lock"))
    assert again["envbuild_lock"] == 1 and again["envbuild"] == "0.1.0" and "inputs" not in again["recipe"]
