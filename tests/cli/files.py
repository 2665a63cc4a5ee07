# SPDX-License-Identifier: Apache-2.0
"""Scenarios on `files:`, `folders:`, `user:` and `env:`: what is taken, whose it is, and what any uid may do."""
import gzip, io, json, os, tarfile

from base_image import image
from lib import blobs, build, end, lock, read, recipe, scenario, start


def put(path, files):
    for name, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(path, name)), exist_ok=True)
        with open(os.path.join(path, name), "w") as f:
            f.write(text)


def top(path, digest):
    """The entries of the top layer by path, and the config."""
    found = blobs(path + "/images")
    manifest = json.loads(found[digest])
    plain = gzip.decompress(found[manifest["layers"][-1]["digest"]])
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        entries = {t.name.rstrip("/"): (oct(t.mode)[2:], t.uid, t.gid) for t in tar}
    return entries, json.loads(found[manifest["config"]["digest"]])["config"]


def made(stage, path, *lines, base=None):
    recipe(stage, path, f"indexes: [{stage.index}]", *lines)
    if base:
        text = read(path, "recipe.yaml").decode().replace("base: ./base.yaml", 'base: {image: "oci:base@' + base.digest + '"}')
        put(path, {"recipe.yaml": text})
    lock(stage, path)
    return top(path, build(stage, path))


@scenario
def own_folders(stage):
    """Home, work folder and `folders` are the user's whatever files are put there; group 0 may do what the user may."""
    path = stage.fresh()
    put(path, {"nb/deep/a.ipynb": "{}", "home/student/.bashrc": "x", "tool": "#!/bin/sh\n", "key": "k"})
    entries, config = made(stage, path, "user: {name: student, uid: 2000}", "workdir: /workspace", "folders: [/data, /srv/cache/]", "files:", "- {from: nb, to: /workspace/course/}",
                           "- {from: home, to: /home/}", "- {from: tool, to: /usr/local/bin/tool, mode: '0755'}",
                           "- {from: key, to: /workspace/key, owner: root, mode: '0640'}", "- {from: tool, to: /opt/x/tool, owner: student}", base=image(path))
    want = {"workspace": ("775", 2000, 0), "workspace/course": ("775", 2000, 0), "workspace/course/deep": ("775", 2000, 0),
            "workspace/course/deep/a.ipynb": ("664", 2000, 0), "home/student": ("775", 2000, 0), "data": ("775", 2000, 0),
            "srv/cache": ("775", 2000, 0), "srv": ("755", 0, 0), "usr/local/bin/tool": ("755", 0, 0), "workspace/key": ("640", 0, 0),
            "opt/x/tool": ("664", 2000, 0), "home": ("755", 0, 0)}
    got = {name: entries.get(name) for name in want}
    assert got == want, got
    env = dict(line.split("=", 1) for line in config["Env"])
    assert (env["USER"], env["HOME"]) == ("student", "/home/student") and "TORCHINDUCTOR_CACHE_DIR" not in env, env
    assert config["User"] == "2000:2000"


@scenario
def the_users_of_an_image(stage):
    """A user that the base image has already is that one; without `user`, the work folder is who the image runs as."""
    path = stage.fresh()
    base = image(path)
    entries, config = made(stage, path, "user: {name: ada}", "workdir: /w", base=base)
    assert config["User"] == "1000:1000" and "etc/passwd" not in entries, entries
    assert entries["home/ada"] == entries["w"] == ("775", 1000, 0), entries
    entries, config = made(stage, path, "workdir: /w", base=base)  # its user is a name, whose number nothing tells
    assert config["User"] == "ada" and entries["w"] == ("775", 0, 0), entries
    assert "USER=ada" in config["Env"] and not [line for line in config["Env"] if line.startswith("HOME=")], config


@scenario
def any_uid_without_a_user(stage):
    """An image of root's has a home and a work folder where any uid, being in group 0, may write."""
    path = stage.fresh()
    entries, config = made(stage, path, "env: {HOME: /workspace}")
    assert entries["workspace"] == ("775", 0, 0), entries
    assert entries["root"][0] in ("770", "775"), entries
    env = dict(line.split("=", 1) for line in config["Env"])
    assert (env["USER"], env["HOME"]) == ("root", "/workspace")


@scenario
def what_files_leave_out(stage):
    """.dockerignore, the built-in list and `exclude` leave out; one sentence names what nobody asked to be left out."""
    path = stage.fresh()
    put(path, {"c/.git/HEAD": "x", "c/.env": "SECRET=1", "c/a.py": "x", "c/__pycache__/a.pyc": "x", "c/big.csv": "x", "c/keep.csv": "x",
               "c/n/.ipynb_checkpoints/x": "x", "c/n/b.py": "x", "c/n/t.log": "x", "c/own.pem": "-----BEGIN PRIVATE KEY-----\n",
               "c/ca.pem": "-----BEGIN CERTIFICATE-----\n", "c/out/x": "x", "c/out/in": "x",
               ".dockerignore": "# all\n**/*.csv\n!c/keep.csv\nc/out\n!c/out/in\n"})
    recipe(stage, path, f"indexes: [{stage.index}]", "files: [{from: c, to: /workspace/c, exclude: ['**/*.log']}]")
    code, out, err = end(start(stage, path, "lock", "recipe.yaml"))
    assert code == 0, err
    told = [line for line in err.splitlines() if "left out" in line]
    assert len(told) == 1 and "c/.env, c/.git, c/__pycache__, c/n/.ipynb_checkpoints, c/own.pem; " in told[0], err
    names = [f["path"] for f in json.loads(read(path, "recipe.lock"))["files"][0]["content"]]
    assert names == ["a.py", "ca.pem", "keep.csv", "n", "n/b.py", "out", "out/in"], names
    before = read(path, "recipe.lock")
    put(path, {"c/.env": "SECRET=2", "c/n/t.log": "other"})  # what is left out changes nothing
    code, out, err = end(start(stage, path, "build", "recipe.yaml"))
    assert code == 0 and "left out" not in err, err  # it was told when it was chosen
    assert json.loads(read(path, "recipe.lock"))["files"] == json.loads(before)["files"]


@scenario
def files_refusals(stage):
    """What cannot be meant is told with its place and what would work."""
    path = stage.fresh()
    put(path, {"c/a": "x", "d/a": "x", ".dockerignore": "d\n"})
    for line, words in (("files: [{from: d, to: /d}]", '"d" is left out by .dockerignore; take its line away, or add "!d" below it'),
                        ("files: [{from: c, to: /c, mode: 9}]", 'files: mode "9" is not three octal digits such as "0755"'),
                        ("files: [{from: c, to: /c, exclude: ['[']}]", 'files: exclude: "[" is not a pattern'),
                        ("folders: [data]", 'folders: "data" is not an absolute path such as "/data"'),
                        ("folders: [/]", 'folders: "/" is not'), ("folders: [/proc/x]", 'folders: "/proc/x" is not'),
                        ("env: {PATH: '/x:$NOPE'}", 'env: PATH: the image has no variable "$NOPE"; it has PATH, '),
                        ("env: {A: '${B'}", "env: A: \"${B\" has a \"${\" that is not \"${NAME}\"")):
        recipe(stage, path, f"indexes: [{stage.index}]", line)
        err = lock(stage, path, code=3)
        assert err.startswith("recipe.yaml:") and words in err, err
    put(path, {".dockerignore": "a\n[\n"})
    recipe(stage, path, f"indexes: [{stage.index}]", "files: [{from: c, to: /c}]")
    assert '.dockerignore:2: "[" is not a pattern' in lock(stage, path, code=3)


@scenario
def env_of_the_image(stage):
    """$NAME is what the image has, and what the recipe said before; a folder that nobody makes is told."""
    path = stage.fresh()
    recipe(stage, path, f"indexes: [{stage.index}]", "user: {name: student}",
           "env: {PATH: '/opt/mine:$PATH', ONE: '${HOME}/1', TWO: '$ONE$$', HF_HOME: /data, TORCH_HOME: /workspace/t, PIP_CACHE_DIR: /tmp/p}")
    code, out, err = end(start(stage, path, "lock", "recipe.yaml"))
    assert code == 0, err
    env = dict(line.split("=", 1) for line in json.loads(read(path, "recipe.lock"))["image"]["env"])
    assert env["PATH"].startswith("/opt/mine:/opt/venv/bin:") and env["ONE"] == "/home/student/1" and env["TWO"] == "/home/student/1$", env
    told = [line for line in err.splitlines() if "nothing makes" in line]
    assert len(told) == 1 and "env: HF_HOME is /data, which nothing makes and student cannot make; add `folders: [/data]`" in told[0], err
