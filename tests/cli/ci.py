# SPDX-License-Identifier: Apache-2.0
"""The examples of examples/ci: their scripts against a registry and a git repository on this machine, and that the files
which call them call what is there."""
import re, shutil, subprocess

from lib import *
from registry import names
from registry_peer import Registry

CI = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/ci")


def checkout(stage, *lines):
    """A repository with a recipe and its lock, built once so that it has digests; and a clone of it, on a runner of its own."""
    if not shutil.which("git"):
        raise Skip("git is not installed")
    path = stage.fresh()
    recipe(stage, path, f"indexes: [{stage.index}]", *lines)
    build(stage, path)
    shutil.rmtree(path + "/images")
    with open(path + "/.gitignore", "w") as f:
        f.write(".cache\n.home\n")
    git(stage, path, "init", "-q", "-b", "main")
    git(stage, path, "add", "-A")
    git(stage, path, "-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "-q", "-m", "first")
    return path


def git(stage, path, *words):
    return subprocess.run(["git", *words], cwd=path, env=stage.env(path), check=True, capture_output=True, text=True).stdout


def clone(stage, origin):
    path = stage.fresh()
    git(stage, path, "clone", "-q", origin, "work")
    return path + "/work"


def script(stage, work, name, code=0, **env):
    """On a machine whose store and temporary folder are below the checkout's own folder."""
    top = os.path.dirname(work)
    done = subprocess.run(["sh", os.path.join(CI, name)], cwd=work, capture_output=True, text=True, timeout=PATIENCE,
                          env=stage.env(top, RECIPE="recipe.yaml", TMPDIR=top, **env), stdin=subprocess.DEVNULL)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


def nothing_moved(r, work):
    """Neither an artifact nor a layer, into the runner or out of it."""
    layers = {x["digest"] for x in json.loads(read(work, "recipe.lock"))["built"]["layers"]}
    assert check_store(os.path.dirname(work)) == 0, "a bare runner with a cache fetches artifacts"
    moved = [x for x in r.log if (x[0] == "GET" or x[0] == "PUT") and any(d[7:] in x[1] for d in layers)]
    assert not moved, moved


@scenario
def a_change_is_built_and_main_is_published(stage):
    origin = checkout(stage)
    with Registry() as r:
        env = {"IMAGE": f"{r.host}/team/torch", "CACHE": f"{r.host}/team/layers"}
        work = clone(stage, origin)
        script(stage, work, "build.sh", **env)
        assert set(r.repositories) == {"team/layers"}, r.repositories
        work = clone(stage, origin)
        r.since()
        out, _ = script(stage, work, "build.sh", PUBLISH="1", **env)
        nothing_moved(r, work)
        digest = json.loads(read(work, "recipe.lock"))["built"]["manifest"]
        assert list(names(r, "team/torch").values()) == [digest] and digest in out, out
        assert not git(stage, work, "status", "--porcelain")
        recipe(stage, work, "env: {NEW: b}")
        assert "recipe.lock is out of date" in script(stage, work, "build.sh", code=3, **env)[1]
        assert list(names(r, "team/torch").values()) == [digest]


@scenario
def what_is_newer_is_proposed(stage):
    """With what changed as the text; and taken, it is published without moving a layer."""
    origin = checkout(stage)
    with Registry() as r:
        env = {"IMAGE": f"{r.host}/torch", "CACHE": f"{r.host}/layers"}
        work = clone(stage, origin)
        text = os.path.join(os.path.dirname(work), "changes.txt")
        env.update(BRANCH="envbuild/upgrade", TEXT=text)
        out, _ = script(stage, work, "upgrade.sh", **env)
        assert "nothing is newer" in out and read(text) == b"" and not git(stage, work, "status", "--porcelain"), out
        with later(stage):
            script(stage, work, "upgrade.sh", **env)
        said = read(text).decode()
        assert said.startswith("recipe.lock\n\n    ") and " becomes " in said, said
        assert said.strip() in git(stage, origin, "log", "-1", "--format=%B", "envbuild/upgrade").replace("\n\n\n", "\n\n"), said
        assert git(stage, origin, "diff", "--name-only", "main", "envbuild/upgrade").split() == ["recipe.lock"]
        git(stage, origin, "merge", "-q", "--ff-only", "envbuild/upgrade")
        work = clone(stage, origin)
        r.since()
        script(stage, work, "build.sh", PUBLISH="1", **env)
        nothing_moved(r, work)


def commands(node, found):
    """All that the files run."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if key in ("run", "script", "before_script", "args"):
            found.append(value if isinstance(value, str) else "\n".join(value))
        else:
            commands(value, found)
    return found


@scenario
def the_files_run_what_is_there(stage):
    try:
        import yaml
    except ImportError:
        raise Skip("PyYAML is not installed")
    for name in sorted(os.listdir(CI)):
        if name.endswith(".sh"):
            subprocess.run(["sh", "-n", os.path.join(CI, name)], check=True)
            continue
        found = [c for d in yaml.safe_load_all(open(os.path.join(CI, name))) for c in commands(d, [])]
        scripts = {s for c in found for s in re.findall(r"ci/(\w+\.sh)", c)}
        assert scripts == {"build.sh", "upgrade.sh"}, (name, scripts)
        for c in found:
            subprocess.run(["sh", "-n"], input=c.encode(), check=True)
        text = open(os.path.join(CI, name)).read()
        for word in ("RECIPE", "CACHE", "IMAGE", "BRANCH", "TEXT"):
            assert word in text, f"{name} does not set {word}"
