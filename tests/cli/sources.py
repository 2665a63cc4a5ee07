# SPDX-License-Identifier: Apache-2.0
"""Wheels from source, as far as that goes without a system to build in. As lib.py."""
import contextlib, json, os, shutil, subprocess, sys, urllib.request

from lib import build, end, lock, read, recipe, run, scenario, start, wheel_of
import world


def tools(path, *names):
    """A folder of programs for PATH, without bwrap."""
    folder = path + "/.tools"
    os.makedirs(folder, exist_ok=True)
    for name in names:
        if not os.path.exists(f"{folder}/{name}"):
            os.symlink(shutil.which(name), f"{folder}/{name}")
    return folder


@scenario
def nothing_is_built_unsealed(stage):
    path = stage.fresh()
    recipe(stage, path, "pip: [turned]", f"indexes: [{stage.index}]", "build: [turned]")
    err = lock(stage, path, code=7, PATH=os.path.dirname(stage.envbuild) + ":" + tools(path, "gpgv"))
    assert "build of turned 2.0: cannot build from source here: bwrap, which seals builds from source, is not here" in err, err
    assert not os.path.exists(path + "/recipe.lock")
    _, _, err = end(start(stage, path, "lock", "recipe.yaml", PATH=os.path.dirname(stage.envbuild) + ":" + tools(path, "gpgv")))
    assert "\nask the build of turned 2.0 what it needs, in the image's system\n" in err, err


@scenario
def a_name_that_nothing_needs_is_told(stage):
    path = stage.fresh()
    recipe(stage, path, "pip: [numpy]", f"indexes: [{stage.index}]", "build: [nunpy]")
    code, _, err = end(start(stage, path, "lock", "recipe.yaml"))
    assert code == 0 and "build: nothing needs nunpy; ask for it under `pip`" in err, err
    # What builds need is there before anybody knows whether something will be built.
    made = json.loads(read(path, "recipe.lock"))
    assert [a["group"] for a in made["tools"]] == ["compile"] * len(made["tools"]) and made["tools"], made["tools"]
    names = {a["name"] for a in made["artifacts"]}
    assert not names & {a["name"] for a in made["tools"]}
    recipe(stage, path, "pip: [numpy]", f"indexes: [{stage.index}]")
    assert "tools" not in lock(stage, path)


def from_source(path, name, wheel):
    """As if the wheel had been built: the lock that a first build leaves."""
    made = json.loads(read(path, "recipe.lock"))
    a = next(a for a in made["artifacts"] if a["name"] == name)
    sdist = {k: a[k] for k in ("file", "url", "size", "sha256")}
    a.pop("url")
    at = list(a)
    keys = {k: a[k] for k in at if k in ("needs", "extras", "turn")}
    for k in keys:
        a.pop(k)
    a["source"], a["build"] = sdist, {"root": ["base", "python"]}
    a.update(keys)
    with open(path + "/recipe.lock", "w") as f:
        json.dump(made, f, indent=2)
    os.makedirs(path + "/wheels", exist_ok=True)
    with open(f"{path}/wheels/{a['file']}", "wb") as f:
        f.write(wheel)
    return f"{path}/wheels/{a['file']}"


@scenario
def what_is_built_is_taken_by_its_hash(stage):
    path = stage.fresh()
    wheel = world.wheel(*next(w for w in world.WHEELS if w[:2] == ("numpy", "2.2.0")))[1]
    none = {"PATH": os.path.dirname(stage.envbuild) + ":" + tools(path, "gpgv")}
    recipe(stage, path, "pip: [numpy]", f"indexes: [{stage.index}]", "build: [numpy]")
    assert wheel_of(lock(stage, path), "numpy")["version"] == "2.2.0"
    plain = build(stage, path, **none)
    os.unlink(path + "/recipe.lock")
    shutil.rmtree(path + "/images")
    shutil.rmtree(path + "/.cache")
    lock(stage, path)
    beside = from_source(path, "numpy", wheel)
    made = build(stage, path, **none)
    assert wheel_of(json.loads(read(path, "recipe.lock")), "numpy")["source"]["file"].startswith("numpy")
    out, _ = run(stage, path, "explain", "recipe.yaml")
    assert any("numpy" in line and line.endswith("built from source") for line in out.splitlines()), out
    out, _ = run(stage, path, "wheel", "-q", "recipe.yaml", "-o", "out")
    assert out.startswith("out/numpy-2.2.0") and open(path + "/" + out.strip(), "rb").read() == wheel, out
    assert plain != made  # for the lock, which the image names, says where the wheel is from
    # What is bound to a torch has a folder of its own.
    bound = json.loads(read(path, "recipe.lock"))
    wheel_of(bound, "numpy")["build"]["abi"] = "torch2.6.0cxx11abiFALSE"
    with open(path + "/recipe.lock", "w") as f:
        json.dump(bound, f, indent=2)
    out, _ = run(stage, path, "wheel", "-q", "recipe.yaml", "-o", "out")
    assert out.startswith("out/torch2.6.0cxx11abiFALSE/numpy-2.2.0"), out
    wheel_of(bound, "numpy")["build"].pop("abi")
    with open(path + "/recipe.lock", "w") as f:
        json.dump(bound, f, indent=2)
    # Another file of that name is not it, and then it has to be built.
    shutil.rmtree(path + "/.cache")
    with open(beside, "ab") as f:
        f.write(b"more")
    assert build(stage, path, **none) == made  # its layer is there, so nobody asks for it
    shutil.rmtree(path + "/images")
    err = build(stage, path, code=7, **none)
    assert "bwrap, which seals builds from source, is not here" in err, err
    # A lock does not say what may run.
    recipe(stage, path, "pip: [numpy]", f"indexes: [{stage.index}]")
    lock(stage, path)
    from_source(path, "numpy", wheel)
    err = build(stage, path, code=3, **none)
    assert "recipe.lock builds numpy from source, and `build` of the recipe does not name it" in err, err


@scenario
def what_wants_a_toolkit_when_it_runs_is_told(stage):
    path = stage.fresh()
    os.makedirs(path + "/own")
    name, wheel, _ = world.wheel("deepspeed", "0.16.0", world.ANY, [], {"deepspeed/__init__.py": b"\n"})
    with open(f"{path}/own/{name}", "wb") as f:
        f.write(wheel)
    recipe(stage, path, "pip: [deepspeed]", "find_links: [own]", f"indexes: [{stage.index}]")
    code, _, err = end(start(stage, path, "lock", "recipe.yaml"))
    assert code == 0 and "deepspeed compiles its operators when they are used" in err, err


@contextlib.contextmanager
def git_served(path):
    """The address of a server of git's, with the repositories of git_peer.py."""
    peer = subprocess.Popen([sys.executable, os.path.join(os.path.dirname(world.__file__), "git_peer.py"), path], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE)
    try:
        yield f"127.0.0.1:{peer.stdout.readline().split()[0].decode()}"
    finally:
        peer.communicate()


@scenario
def a_commit_of_git_is_fetched_and_built_sealed(stage):
    path = stage.fresh()
    here = os.path.dirname(stage.envbuild) + ":"
    with git_served(path) as server:
        asks = f"demo @ git+http://{server}/demo@main"
        recipe(stage, path, f'pip: ["{asks}"]', f"indexes: [{stage.index}]")
        err = lock(stage, path, code=3)
        assert f'demo: "git+http://{server}/demo@main" is built from source, and the recipe\'s `build` does not name it' in err, err
        recipe(stage, path, f'pip: ["{asks}"]', f"indexes: [{stage.index}]", "build: [demo]")
        err = lock(stage, path, code=7, PATH=here + tools(path, "gpgv"))
        assert "demo: " in err and "there is no program git, which fetches git+... addresses; install git" in err, err
        code, _, err = end(start(stage, path, "lock", "--offline", "recipe.yaml"))
        assert code == 5 and "offline" in err, err
        err = lock(stage, path, code=7, PATH=here + tools(path, "gpgv", "git", "ssh"))
        assert "build of demo a865356" in err and "bwrap, which seals builds from source, is not here" in err, err
        asked = urllib.request.urlopen(f"http://{server}/log").read().decode()
        assert "/demo/git-upload-pack" in asked and "/sub/git-upload-pack" in asked, asked
        assert not os.path.exists(path + "/pwned")
        # What no lock may have, and what says too little.
        for text, want in ((f"git+http://{server}/demo", "does not say what is in it; write name @ git+http://"),
                           ("x @ git+https://u:secret@h.test/x", "an address with a password in it, which the lock would keep"),
                           ("x @ git+ext::sh", "is not the address of a git repository"),
                           ("x @ git+https://h.test/x@--upload-pack=y", "is not a branch, a tag or a commit"),
                           ("x @ hg+https://h.test/x", "of sources only sdists and git repositories are built")):
            recipe(stage, path, f'pip: ["{text}"]', f"indexes: [{stage.index}]", "build: all")
            err = lock(stage, path, code=3)
            assert want in err and "recipe.yaml:" in err, err
