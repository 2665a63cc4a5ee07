# SPDX-License-Identifier: Apache-2.0
"""What of a lock stays and what moves while archives and indexes move on. As lib.py."""
import json

from lib import begin, build, later, lock, read, recipe, run, scenario


def versions(document):
    return {a["type"] + " " + a["name"]: a["version"] for a in document["artifacts"]}


def changed(old, new):
    old, new = versions(old), versions(new)
    return {n: (old.get(n), new.get(n)) for n in {**old, **new} if old.get(n) != new.get(n)}


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
