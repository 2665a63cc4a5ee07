# SPDX-License-Identifier: Apache-2.0
"""What `lock` chooses and says of it. As lib.py."""
import hashlib, json, os

from lib import end, lock, recipe, scenario, start, wheel_of
import world


def put(path, name, text):
    with open(path + "/" + name, "w") as f:
        f.write(text)


@scenario
def a_file_is_no_requirement(stage):
    path = stage.fresh()
    put(path, "requirements.txt", "numpy\n")
    put(path, "pyproject.toml", "[project]\nname = 'x'\n")
    put(path, "uv.lock", "version = 1\n[[package]]\nname = 'x'\n")
    put(path, "pylock.dev.toml", "lock-version = '1.0'\n")
    for item, want in (
            ("requirements.txt", "pip: \"requirements.txt\" is a file here, not the name of a package; write {requirements: requirements.txt}"),
            ("pyproject.toml", "pip: \"pyproject.toml\" is a file, and not a requirements file; lock it with `uv lock` or `poetry lock`, and write {lock: uv.lock} or {lock: poetry.lock}"),
            ("uv.lock", "pip: \"uv.lock\" is a file, and not a requirements file; write {lock: uv.lock}"),
            ("pylock.dev.toml", "pip: \"pylock.dev.toml\" is a file, and not a requirements file; write {lock: FILE} with its name"),
            ("{requirements: uv.lock}", "pip: uv.lock is not a requirements file; write {lock: uv.lock}"),
            ("{requirements: pyproject.toml}", "pip: pyproject.toml is not a requirements file; lock it with `uv lock`")):
        recipe(stage, path, f"pip: [{item}]", f"indexes: [{stage.index}]")
        err = lock(stage, path, code=3)
        assert want in err and len([line for line in err.splitlines() if "error" in line or "recipe.yaml" in line]) == 1, err
    put(path, "requirements.txt", "-r uv.lock\n")
    recipe(stage, path, "pip: [{requirements: requirements.txt}]", f"indexes: [{stage.index}]")
    err = lock(stage, path, code=3)
    assert "requirements.txt:1:1: uv.lock is not a requirements file; " in err, err


@scenario
def hashes_belong_to_their_line(stage):
    """As `uv export` writes them: one project, two lines, each with a marker and hashes of its own."""
    path = stage.fresh()
    digest = {version: hashlib.sha256(world.wheel(*next(w for w in world.WHEELS if w[:2] == ("numpy", version)))[1]).hexdigest()
              for version in ("1.26.4", "2.2.0")}
    other = "numpy==2.2.0 ; sys_platform == 'win32' \\\n    --hash=sha256:" + "0" * 64 + "\n    # via x\n"
    here = "numpy==1.26.4 ; sys_platform == 'linux' \\\n    --hash=sha256:" + "1" * 64 + " \\\n    --hash=sha256:" + digest["1.26.4"] + "\n"
    recipe(stage, path, "pip: [{requirements: requirements.txt}]", f"indexes: [{stage.index}]")
    for text in (other + here, here + other):
        put(path, "requirements.txt", text)
        assert wheel_of(lock(stage, path), "numpy")["version"] == "1.26.4"
    put(path, "requirements.txt", here.replace(digest["1.26.4"], digest["2.2.0"]))
    assert "numpy==1.26.4" in lock(stage, path, code=4)


@scenario
def a_source_is_not_passed_over_in_silence(stage):
    path = stage.fresh()
    what = "%s; write `build: [turned]` to build it; with wheels alone %s would be %s: pin it (%s), name a folder with a wheel that you built under `find_links`, or write `wheels_only: true`"
    for name, source, dated, pin in (
            ("turned", "turned 2.0 (2025-03-04) is published as source only", "1.0 (2020-01-02)", "turned==1.0"),
            ("early", "early 1.0 (2024-01-02) is published as source only", "1.1.dev3 (2024-05-06)", "early==1.1.dev3"),
            ("deep", "turned 2.0 (2025-03-04), needed by middle 3.0 for deep 2.0, is published as source only", "1.0 (2024-01-02)", "deep==1.0")):
        version = pin.split("==")[1]
        recipe(stage, path, f"pip: [{name}]", f"indexes: [{stage.index}]")
        err = lock(stage, path, code=4)
        assert what.replace("[turned]", f"[{source.split()[0]}]") % (source, name, dated, pin) in err and "recipe.yaml:" in err, err
        recipe(stage, path, f"pip: [{name}]", f"indexes: [{stage.index}]", "build: [other]")
        assert f"; add {source.split()[0]} to `build` to build it; " in lock(stage, path, code=4)
        recipe(stage, path, f"pip: [{name}]", f"indexes: [{stage.index}]", "wheels_only: true")
        assert wheel_of(lock(stage, path), name)["version"] == version
        # The lock has it: without `wheels_only` it stays. A bound of one's own is no silence either.
        recipe(stage, path, f"pip: [{name}]", f"indexes: [{stage.index}]")
        assert wheel_of(lock(stage, path), name)["version"] == version
        assert lock(stage, path, "--upgrade", code=4)
        for bound in (pin, f"{name}<={version}") if name != "early" else (pin,):
            path = stage.fresh()
            recipe(stage, path, f"pip: [\"{bound}\"]", f"indexes: [{stage.index}]")
            assert wheel_of(lock(stage, path), name)["version"] == version


@scenario
def an_old_release_has_a_reason(stage):
    path = stage.fresh()
    recipe(stage, path, "pip: [fast]", f"indexes: [{stage.index}]")
    err = lock(stage, path, code=4)
    assert "fast would be 1.0 of 2020-01-02, more than two years older than the newest: 2.0 of 2025-01-02 needs torch==9.0; change what keeps it out, or pin it if it is meant (fast==1.0)" in err, err
    for bound in ("fast==1.0", "fast<2"):
        path = stage.fresh()
        recipe(stage, path, f"pip: [\"{bound}\"]", f"indexes: [{stage.index}]")
        assert wheel_of(lock(stage, path), "fast")["version"] == "1.0"
    recipe(stage, path, "pip: [fast]", f"indexes: [{stage.index}]")
    assert wheel_of(lock(stage, path), "fast")["version"] == "1.0"  # as the lock has it


@scenario
def what_was_asked_for_is_listed(stage):
    path = stage.fresh()
    put(path, "requirements.txt", "--no-cache-dir\nslow\nnumpy<2.2\n")
    recipe(stage, path, "pip: [{requirements: requirements.txt}, filelock, trial, \"colour ; sys_platform == 'win32'\"]", f"indexes: [{stage.index}]")
    code, _, err = end(start(stage, path, "lock", "recipe.yaml"))
    assert code == 0, err
    lines = [line for line in err.splitlines() if line.startswith("  ")]
    assert lines[1:] == ["  slow 1.0 (newest 2.0 needs torch==9.0)", "  numpy 1.26.4 (newest 2.2.0 does not fit numpy<2.2)", f"  filelock {lines[3].split()[1]}", "  trial 1.0"], err
    assert lines[0].startswith("  torch "), err
    assert err.count("requirements.txt:1 --no-cache-dir: pip's options that change nothing; the recipe decides") == 1, err
    os.unlink(path + "/recipe.lock")
    code, out, err = end(start(stage, path, "lock", "-q", "--json", "recipe.yaml"))
    assert code == 0 and "slow" not in err, err
    assert json.loads(out)["requested"][1] == {"name": "slow", "version": "1.0", "newest": "2.0", "why": "needs torch==9.0"}, out
