# SPDX-License-Identifier: Apache-2.0
"""Living with a lock while archives and indexes move on. As lib.py."""
import json, os

from lib import build, end, read, scenario, start
from indexes import lock, recipe, wheel_of


class later:
    """The world of a week later."""

    def __init__(self, stage):
        self.file = os.path.join(stage.world, "later")

    def __enter__(self):
        open(self.file, "w").close()

    def __exit__(self, *_):
        os.unlink(self.file)


def versions(document):
    return {a["type"] + " " + a["name"]: a["version"] for a in document["artifacts"]}


def changed(old, new):
    old, new = versions(old), versions(new)
    return {n: (old.get(n), new.get(n)) for n in {**old, **new} if old.get(n) != new.get(n)}


def run(stage, path, *args, code=0):
    got, out, err = end(start(stage, path, *args))
    assert got == code, f"exit {got}, not {code}: {out}{err}"
    return out, err


def begin(stage, *lines):
    path = stage.fresh()
    recipe(stage, path, f"indexes: [{stage.index}]", *lines)
    return path, lock(stage, path)


@scenario
def adding_one_moves_no_other(stage):
    path, first = begin(stage, "pip: [filelock]", "apt: [gcc]")
    with later(stage):
        recipe(stage, path, f"indexes: [{stage.index}]", "pip: [filelock, numpy]", "apt: [gcc]")
        second = lock(stage, path)
        assert changed(first, second) == {"wheel numpy": (None, "2.3.0")}, changed(first, second)
        assert second["archives"] == first["archives"]  # nobody asked the archive
        recipe(stage, path, f"indexes: [{stage.index}]", "pip: [filelock, numpy]", "apt: [gcc, git]")
        third = lock(stage, path)
        assert changed(second, third) == {"deb git": (None, "1:2.40.0")}, changed(second, third)
        # What is asked for by version moves, and only that.
        recipe(stage, path, f"indexes: [{stage.index}]", "pip: [filelock, \"numpy<2\"]", "apt: [gcc, git]")
        fourth = lock(stage, path)
        assert changed(third, fourth) == {"wheel numpy": ("2.3.0", "1.26.4")}, changed(third, fourth)


@scenario
def what_is_gone_must_move(stage):
    """The archive has replaced a deb: a changed list of debs takes the new one, and says so."""
    path, first = begin(stage, "apt: [git]")
    with later(stage):
        recipe(stage, path, f"indexes: [{stage.index}]", "apt: [git, gcc]")
        _, err = run(stage, path, "lock", "recipe.yaml")
        second = json.loads(read(path, "recipe.lock"))
    assert changed(first, second) == {"deb git": ("1:2.39.2", "1:2.40.0"), "deb gcc": (None, "12.2.0")}
    assert "deb git 1:2.39.2 becomes 1:2.40.0\n" in err, err


@scenario
def upgrade_one_or_all(stage):
    path, first = begin(stage, "pip: [filelock, numpy]", "apt: [git]")
    assert lock(stage, path, "--upgrade") == first  # nothing is newer
    with later(stage):
        second = lock(stage, path, "--upgrade", "numpy")
        assert changed(first, second) == {"wheel numpy": ("2.2.0", "2.3.0")}
        third = lock(stage, path, "--upgrade", "deb:libc6")
        assert changed(second, third) == {"deb libc6": ("2.36-9", "2.36-9+deb12u1"), "deb git": ("1:2.39.2", "1:2.40.0")}
        everything = lock(stage, path, "--upgrade")
        assert changed(third, everything) == {"wheel filelock": ("3.16.0", "3.17.0")}
        err = lock(stage, path, "--upgrade", "nunpy", code=2)
        assert "\"nunpy\" is not in the lock (did you mean \"numpy\"?)" in err
        assert "--upgrade" in lock(stage, path, "numpy", code=2)
        build(stage, path)
        assert json.loads(read(path, "recipe.lock"))["built"]


@scenario
def check_lists_what_is_newer(stage):
    path, _ = begin(stage, "pip: [numpy]", "apt: [git]")
    before = read(path, "recipe.lock")
    out, err = run(stage, path, "lock", "--check", "recipe.yaml")
    assert not out and "is up to date" in err, (out, err)
    with later(stage):
        out, err = run(stage, path, "lock", "--check", "recipe.yaml", code=1)
        assert out.splitlines() == ["deb git 1:2.39.2 becomes 1:2.40.0", "deb libc6 2.36-9 becomes 2.36-9+deb12u1 (security)",
                                    "wheel filelock 3.16.0 becomes 3.17.0", "wheel numpy 2.2.0 becomes 2.3.0"], out
        assert "4 packages changed, 1 of them for security; run `envbuild lock --upgrade recipe.yaml`" in err, err
        out, _ = run(stage, path, "lock", "--check", "--json", "recipe.yaml", code=1)
        told = json.loads(out)
        assert [p["name"] for p in told["packages"] if p["security"]] == ["libc6"] and not told["recipe_changes"]
    recipe(stage, path, f"indexes: [{stage.index}]", "pip: [numpy, filelock]", "apt: [git]")
    out, err = run(stage, path, "lock", "--check", "recipe.yaml", code=1)
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
        "recipe: apt is new; user is new; pip is gone", "user: root becomes me (1000:1000)",
        "deb git 1:2.40.0 is new", "deb libc6 2.36-9 becomes 2.36-9+deb12u1 (security)",
        "wheel filelock 3.16.0 becomes 3.17.0", "wheel numpy 2.2.0 is gone"], out
    assert out.splitlines()[-2].startswith("download: ") and out.splitlines()[-1].startswith("layers: "), out
    assert run(stage, path, "lock", "diff", "old.lock", "old.lock")[0] == ""
    told = json.loads(run(stage, path, "lock", "diff", "--json", "old.lock", "recipe.lock")[0])
    assert [p["name"] for p in told["packages"]] == ["git", "libc6", "filelock", "numpy"]
    assert told["download"]["missing"] < told["download"]["new"]
    assert "two locks" in run(stage, path, "lock", "diff", "old.lock", code=2)[1]
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
