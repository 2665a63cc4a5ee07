# SPDX-License-Identifier: Apache-2.0
"""What `lock` chooses and says of it. As lib.py."""
import hashlib

from lib import lock, recipe, scenario, wheel_of
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
    for item, want in (
            ("requirements.txt", "pip: \"requirements.txt\" is a file, and a requirement is the name of a project; write {requirements: requirements.txt}"),
            ("pyproject.toml", "pip: \"pyproject.toml\" is a file, and no requirements file; write one with `uv pip compile pyproject.toml -o requirements.txt`"),
            ("{requirements: uv.lock}", "pip: uv.lock is no requirements file; write one with `uv export --no-hashes -o requirements.txt`"),
            ("{requirements: pyproject.toml}", "pip: pyproject.toml is no requirements file; write one with")):
        recipe(stage, path, f"pip: [{item}]", f"indexes: [{stage.index}]")
        err = lock(stage, path, code=3)
        assert want in err and len([line for line in err.splitlines() if "error" in line or "recipe.yaml" in line]) == 1, err
    put(path, "requirements.txt", "-r uv.lock\n")
    recipe(stage, path, "pip: [{requirements: requirements.txt}]", f"indexes: [{stage.index}]")
    err = lock(stage, path, code=3)
    assert "requirements.txt:1:1: uv.lock is no requirements file; " in err, err


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
