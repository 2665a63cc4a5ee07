# SPDX-License-Identifier: Apache-2.0
"""Programs that envbuild starts and that never end, or print without end. As scenarios.py."""
import json, os, signal, subprocess, tarfile

from base_image import image
from lib import recipe, scenario


def stand_in(path, name, script):
    """A program of that name before all others in PATH; returns the PATH."""
    folder = os.path.join(path, "programs")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "w") as f:
        f.write(f"#!/bin/sh\n{script}\n")
    os.chmod(os.path.join(folder, name), 0o755)
    return folder + ":/usr/bin:/bin"


def interrupt_when_told(stage, path, words, *args, **env):
    """Ctrl-C once it says what it waits for: it ends, and so does the program, which holds the pipe of stderr."""
    p = subprocess.Popen([stage.envbuild, *args], cwd=path, env=stage.env(path, **env), stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = []
    for line in p.stderr:
        said.append(line)
        if line == words + "\n":
            p.send_signal(signal.SIGINT)
    assert p.wait(timeout=60) == 130 and words + "\n" in said, (p.returncode, said)
    assert said[-1] == "envbuild: interrupted; run the same command again to continue\n", said


@scenario
def a_gpgv_that_never_ends(stage):
    path = stage.fresh()
    found = stand_in(path, "gpgv", "sleep 1000")
    interrupt_when_told(stage, path, "waiting for gpgv", "lock", "--index", stage.index, "recipe.yaml", PATH=found)


def with_keyring(stage, script):
    path = stage.fresh()
    recipe(stage, path, f"indexes: [\"http://me@127.0.0.1:{stage.port}/private/\"]")
    program = stand_in(path, "my-keyring", script).split(":")[0] + "/my-keyring"
    os.makedirs(os.path.join(path, ".home/.config/envbuild"))
    with open(os.path.join(path, ".home/.config/envbuild/config.yaml"), "w") as f:
        f.write(f"keyring: [{program}]\n")
    return path, program


@scenario
def a_keyring_that_never_ends(stage):
    path, program = with_keyring(stage, "exec sleep 1000")
    interrupt_when_told(stage, path, f'waiting for the keyring "{program}"', "lock", "recipe.yaml")


@scenario
def a_keyring_that_prints_without_end(stage):
    path, program = with_keyring(stage, "exec yes")
    done = subprocess.run([stage.envbuild, "lock", "recipe.yaml"], cwd=path, env=stage.env(path), text=True, timeout=60,
                          capture_output=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 7, done
    assert done.stderr.endswith(f'envbuild: the keyring "{program}" printed more than 65536 bytes, and was ended\n'), done


@scenario
def an_engine_that_never_ends(stage):
    path = stage.fresh()
    found = stand_in(path, "docker", "cat >/dev/null; sleep 1000")
    interrupt_when_told(stage, path, "waiting for docker load", "build", "--index", stage.index, "recipe.yaml", "-o",
                        "docker:", PATH=found)


@scenario
def a_reader_of_standard_output_that_never_reads(stage):
    path = stage.fresh()
    reads, writes = os.pipe()
    p = subprocess.Popen([stage.envbuild, "build", "--index", stage.index, "recipe.yaml", "-o", "-"], cwd=path,
                         env=stage.env(path), stdin=subprocess.DEVNULL, stdout=writes, stderr=subprocess.PIPE, text=True)
    os.close(writes)
    for line in p.stderr:
        if line == "waiting for the reader of standard output\n":
            p.send_signal(signal.SIGINT)
    os.close(reads)
    assert p.wait(timeout=60) == 130, p.returncode


def with_engine(stage, name, script):
    """A stand-in for an engine, and the archive of an image that it may print."""
    path = stage.fresh()
    base = image(path)
    with tarfile.open(path + "/saved.tar", "w") as tar:
        for file in ("oci-layout", "index.json", "blobs"):
            tar.add(os.path.join(base.dir, file), file)
    return path, base, stand_in(path, name, script)


def ask(stage, path, found, *args):
    return subprocess.run([stage.envbuild, *args], cwd=path, env=stage.env(path, PATH=found), text=True, timeout=60,
                          capture_output=True, stdin=subprocess.DEVNULL)


@scenario
def an_image_of_an_engine(stage):
    for engine in ("docker", "podman"):
        path, base, found = with_engine(stage, engine, '[ "$*" = "save theirs:v1" ] && echo words >&2 && cat saved.tar')
        done = ask(stage, path, found, "inspect", "-q", "--json", engine + ":theirs:v1")
        assert done.returncode == 0 and json.loads(done.stdout)["digest"] == base.manifest, done
        done = ask(stage, path, found, "check", "-q", engine + ":theirs:v1", "--driver", "550.54.15", "--gpu", "H100")
        assert done.returncode == 0, done
        done = ask(stage, path, found, "emit", "-q", "compose", engine + ":theirs:v1", "--gpus", "0")
        assert done.returncode == 0 and 'image: "theirs:v1"' in done.stdout, done
        assert not os.listdir(path + "/.cache/envbuild/scratch"), "the scratch file stayed"


@scenario
def an_engine_that_fails(stage):
    path, _, found = with_engine(stage, "docker", "echo 'Error: no such image' >&2; exit 1")
    done = ask(stage, path, found, "inspect", "-q", "docker:theirs")
    assert (done.returncode, done.stderr) == (7, 'envbuild: "docker save" failed (exit 1): Error: no such image\n'), done
    done = ask(stage, path, found, "inspect", "-q", "docker:--help")
    assert done.returncode == 3 and "--help" in done.stderr, done
    done = ask(stage, path, os.path.join(path, "programs"), "inspect", "-q", "podman:theirs")
    assert done.returncode == 7 and done.stderr.startswith("envbuild: podman is not installed here; save the image"), done
    path, _, found = with_engine(stage, "docker", "echo no tar")
    done = ask(stage, path, found, "inspect", "-q", "docker:theirs")
    assert done.returncode == 3 and "docker:theirs is not an image" in done.stderr, done


@scenario
def an_engine_that_never_ends(stage):
    path, _, found = with_engine(stage, "docker", "exec sleep 1000")
    interrupt_when_told(stage, path, "waiting for docker save", "inspect", "docker:theirs", PATH=found)
