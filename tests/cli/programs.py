# SPDX-License-Identifier: Apache-2.0
"""Programs that envbuild starts and that never end, or print without end. As scenarios.py."""
import os, signal, subprocess

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
