# SPDX-License-Identifier: Apache-2.0
"""`run` and `shell`: what the engine is told, by one that records it. As lib.py."""
import hashlib, os, shutil

from base_image import image
from lib import Skip, end, read, recipe, scenario, start

ENGINE = """#!/bin/sh
case "$1 $2" in
"version ") exit $(cat "$HERE/bin/answers" 2>/dev/null || echo 0) ;;
"load ") cat >/dev/null; echo load >>"$HERE/asked" ;;
"run "*) for word; do echo "$word"; done >"$HERE/told"; echo from the container; exit 42 ;;
*) exit 1 ;;
esac
"""
IMAGE = "pytorch:2.6.0-cuda12.4-cudnn9-runtime"


def engine(stage, path, *names):
    shutil.rmtree(path + "/bin", ignore_errors=True)
    os.mkdir(path + "/bin")
    for name in names:
        with open(path + "/bin/" + name, "w") as f:
            f.write(ENGINE)
        os.chmod(path + "/bin/" + name, 0o755)
    for tool in ("sh", "cat", "gpgv"):
        os.symlink(shutil.which(tool), path + "/bin/" + tool)
    return dict(HERE=path, PATH=path + "/bin")


def told(path):
    return read(path, "told").decode().split("\n")[:-1]


def go(stage, path, *args, code=42, **env):
    got, out, err = end(start(stage, path, *args, **env))
    assert got == code, f"exit {got}, not {code}: {out}{err}"
    return out, err


@scenario
def the_engine_is_told_what_to_run(stage):
    path = stage.fresh()
    for name in ("docker", "podman"):
        env = engine(stage, path, name)
        out, err = go(stage, path, "run", "-q", "--index", stage.index, "recipe.yaml", "--", "python", "train.py", "--lr", "1e-3", **env)
        assert out == "from the container\n" and not err, (out, err)
        mount = f"type=bind,source={os.path.realpath(path)},target=/workspace"
        want = ["run", "--rm", "-i", "--shm-size", "8g", "--mount", mount, IMAGE, "python", "train.py", "--lr", "1e-3"]
        assert told(path) == want, told(path)
    go(stage, path, "run", "-q", "--no-mount", "recipe.yaml", **env)
    assert told(path) == ["run", "--rm", "-i", "--shm-size", "8g", IMAGE], told(path)
    go(stage, path, "shell", "-q", "recipe.yaml", **env)
    assert told(path)[-5:] == ["--entrypoint", "/bin/sh", IMAGE, "-c", "command -v bash >/dev/null && exec bash; exec sh"], told(path)


@scenario
def ports_and_volumes(stage):
    """Ports for this machine alone; a volume is this recipe's own, and no second mount of the work folder."""
    path = stage.fresh()
    env = engine(stage, path, "docker")
    recipe(stage, path, "ports: [8888, 53/udp]", "volumes: [/data, /srv/cache, /workspace]")
    go(stage, path, "run", "-q", "--index", stage.index, "recipe.yaml", **env)
    whose = hashlib.sha256((os.path.realpath(path) + "/recipe.yaml").encode()).hexdigest()[:8]
    volume = "type=volume,source=pytorch{}-" + whose + ",target={}"
    want = ["--publish", "127.0.0.1:8888:8888/tcp", "--publish", "127.0.0.1:53:53/udp",
            "--mount", volume.format("-data", "/data"), "--mount", volume.format("-srv-cache", "/srv/cache"),
            "--mount", f"type=bind,source={os.path.realpath(path)},target=/workspace", IMAGE]
    assert told(path)[5:] == want, told(path)
    go(stage, path, "run", "-q", "--no-mount", "recipe.yaml", **env)
    assert told(path)[-3:-1] == ["--mount", volume.format("-workspace", "/workspace")], told(path)


@scenario
def roots_folder(stage):
    """Where root mounts a folder that the recipe's user cannot write, that is told."""
    if os.getuid():
        raise Skip("root alone has a folder that others cannot write")
    path = stage.fresh()
    env = engine(stage, path, "docker")
    base = image(path)
    recipe(stage, path, "user: {name: student, uid: 2000}")
    with open(path + "/recipe.yaml") as f:
        text = f.read().replace("base: ./base.yaml", 'base: {image: "oci:base@' + base.digest + '"}')
    with open(path + "/recipe.yaml", "w") as f:
        f.write(text)
    os.chmod(path, 0o755)
    says = "cannot be written by student, who the container runs as"
    assert says in go(stage, path, "run", "--index", stage.index, "recipe.yaml", **env)[1]
    assert says not in go(stage, path, "run", "--no-mount", "recipe.yaml", **env)[1]
    os.chown(path, 2000, 2000)
    assert says not in go(stage, path, "run", "recipe.yaml", **env)[1]


@scenario
def what_the_mount_hides_is_told(stage):
    """Files of the image that the recipe's folder has not at the same place."""
    path = stage.fresh()
    env = engine(stage, path, "docker")
    os.mkdir(path + "/notebooks")
    for name in ("train.py", "notebooks/a.ipynb", "notebooks/b.ipynb"):
        with open(f"{path}/{name}", "w") as f:
            f.write("{}\n")
    recipe(stage, path, "files: [{from: train.py, to: /workspace/}, {from: notebooks, to: /workspace/notebooks}, {from: notebooks, to: /srv}]")
    assert "hides" not in go(stage, path, "run", "--index", stage.index, "recipe.yaml", **env)[1]
    recipe(stage, path, "files: [{from: train.py, to: /workspace/}, {from: notebooks, to: /workspace/}]")
    go(stage, path, "lock", "-q", "--index", stage.index, "recipe.yaml", code=0, **env)
    says = f"{os.path.realpath(path)} is mounted over /workspace, and hides 2 of the files that the recipe puts there, such as /workspace/a.ipynb; --no-mount"
    err = go(stage, path, "run", "recipe.yaml", **env)[1]
    assert err.count("hides") == 1 and says in err, err
    assert "hides" not in go(stage, path, "run", "--no-mount", "recipe.yaml", **env)[1]


@scenario
def the_first_engine_that_answers(stage):
    path = stage.fresh()
    env = engine(stage, path, "docker", "podman")
    with open(path + "/bin/docker", "w") as f:
        f.write("#!/bin/sh\nexit 1\n")
    go(stage, path, "run", "-q", "--index", stage.index, "recipe.yaml", **env)
    assert told(path)[0] == "run"
    env = engine(stage, path)
    err = go(stage, path, "run", "recipe.yaml", code=7, **env)[1]
    assert "neither docker nor podman answers here" in err, err


@scenario
def a_changed_file_is_taken_over(stage):
    path = stage.fresh()
    env = engine(stage, path, "docker")
    with open(path + "/train.py", "w") as f:
        f.write("1\n")
    recipe(stage, path, "files: [{from: train.py, to: /srv/}]")
    go(stage, path, "run", "-q", "--index", stage.index, "recipe.yaml", **env)
    with open(path + "/train.py", "w") as f:
        f.write("2\n")
    go(stage, path, "run", "-q", "recipe.yaml", **env)
    with open(path + "/train.py", "w") as f:
        f.write("3\n")
    assert "train.py changed" in go(stage, path, "run", "-q", "--locked", "recipe.yaml", code=3, **env)[1]


@scenario
def no_engine_is_asked_for_a_layout(stage):
    """`emit oci:images` names no image of an engine's, although it could be one's name."""
    path = stage.fresh()
    env = engine(stage, path, "docker", "podman")
    go(stage, path, "build", "-q", "--index", stage.index, "recipe.yaml", code=0, **env)
    for name in ("docker", "podman"):
        with open(path + "/bin/" + name, "w") as f:
            f.write('#!/bin/sh\necho "$@" >>"$HERE/asked"\nexit 1\n')
    go(stage, path, "emit", "compose", "oci:images", "--as", "example.org/x", "--gpus", "1", code=0, **env)
    assert not os.path.exists(path + "/asked"), read(path, "asked")


@scenario
def a_folder_that_cannot_be_named(stage):
    path = os.path.join(stage.fresh(), "a,b")
    shutil.copytree(os.path.dirname(path), path)
    env = engine(stage, path, "docker")
    err = go(stage, path, "run", "-q", "--index", stage.index, "recipe.yaml", code=3, **env)[1]
    assert "cannot be mounted" in err and "--no-mount" in err, err
    go(stage, path, "run", "-q", "--no-mount", "recipe.yaml", **env)
