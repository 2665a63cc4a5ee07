# SPDX-License-Identifier: Apache-2.0
"""What goes wrong in life: builds that are stopped, bad networks, bad disks. Afterwards the result is the same. As lib.py."""
import json, os, re, signal, subprocess, time

from lib import (GOLD, PATIENCE, Skip, blobs, build, check_store, end, golden, locked, log_since, mischief,
                 nothing_published, read, recipe, scenario, start, tmpfs)
import world

# ---- being stopped ----


def start_until_asked(stage, path, text):
    """A build that has asked for such a file."""
    mark = len(log_since(stage))
    p = start(stage, path, "build", "-q", "--index", stage.index, "recipe.yaml")
    assert world.wait_until_asked(text, mark, PATIENCE), "it does not ask for " + text
    return p


@scenario
def killed_ten_times(stage):
    digest, want = golden(stage)
    path = locked(stage)

    def killed(p):
        p.kill()
        end(p)
        check_store(path)
        if os.path.exists(path + "/images/blobs/sha256"):
            blobs(path + "/images")

    for _ in range(3):
        with mischief(stage, "stall always torch-2.6.0-cp"):
            killed(start_until_asked(stage, path, "torch-2.6.0-cp"))
    for lines in (2, 4, 8, 12, 16, 20, 24):
        p = start(stage, path, "build", "--index", stage.index, "recipe.yaml")
        for _ in zip(range(lines), p.stderr):
            pass
        killed(p)
    assert build(stage, path) == digest
    assert blobs(path + "/images") == want
    check_store(path)


@scenario
def interrupted(stage):
    digest, _ = golden(stage)
    path = locked(stage)
    with mischief(stage, "stall always torch-2.6.0-cp"):
        p = start_until_asked(stage, path, "torch-2.6.0-cp")
        at = time.monotonic()
        p.send_signal(signal.SIGINT)
        code, out, err = end(p)
    assert time.monotonic() - at < 10, "it waits for a server that says nothing more"
    assert code == 130 and not out, f"exit {code}: {err}"
    nothing_published(path + "/images")
    check_store(path)
    assert build(stage, path) == digest


# ---- a bad network ----


@scenario
def nobody_answers(stage):
    path = stage.fresh()
    got, _, err = end(start(stage, path, "build", "-q", "--index", "http://127.0.0.1:1/simple/", "recipe.yaml"))
    assert got == 5 and err.startswith("envbuild: ") and err.count("\n") == 1, f"{got} {err}"
    assert not os.path.exists(path + "/images") and not os.path.exists(path + "/recipe.lock")


@scenario
def wrong_bytes(stage):
    digest, _ = golden(stage)
    path = locked(stage)
    with mischief(stage, "wrong always /files/torch-2.6.0-cp311-cp311-manylinux1_x86_64.whl"):
        build(stage, path, "-j2", code=6)
        nothing_published(path + "/images")
        check_store(path)
    assert build(stage, path) == digest


@scenario
def faults_that_pass(stage):
    digest, _ = golden(stage)
    for fault in ("cut", "503"):
        with mischief(stage, f"{fault} 1 torch-2.6.0", f"{fault} 1 dpkg_", f"{fault} 1 /simple/numpy/"):
            assert build(stage, stage.fresh()) == digest, fault
    with mischief(stage, "norange always numpy"):
        build(stage, stage.fresh({"recipe.yaml": 'pytorch: "2.6.0"\nbase: ./base.yaml\npip: [numpy]\n'}))


# ---- a bad disk ----


def full(stage, mounted, *args):
    digest, want = golden(stage)
    path = locked(stage)
    with tmpfs(os.path.join(path, mounted), "4m") as disk:
        err = build(stage, path, *args, code=7)
        assert re.search(r"this build needs 9.6 MiB in \S+, and that disk has 4.0 MiB free; make room, or name other places", err), err
        assert not any(files for _, _, files in os.walk(os.path.join(path, mounted)) if "torch" in str(files)), "something was fetched"
        lock = json.loads(GOLD["lock"])
        disk.grow(f"{sum(x['size'] for x in (lock['built']['layers'] if args else lock['artifacts'])) // 4096 * 4 + (12 if args else 8)}k")
        err = build(stage, path, *args, code=7)  # what was reckoned with fits, but not all that comes with it
        assert "No space left" in err, err
        assert read(path, "recipe.lock") == GOLD["lock"], "the lock was harmed"
        nothing_published(path + ("/disk/images" if mounted == "disk" else "/images"))
        check_store(path)
        disk.grow("200m")
        assert build(stage, path, *args) == digest
        assert blobs(path + ("/disk/images" if mounted == "disk" else "/images")) == want


@scenario
def full_store(stage):
    full(stage, ".cache")


@scenario
def full_output(stage):
    full(stage, "disk", "-o", "oci:disk/images")


@scenario
def output_not_writable(stage):
    path = stage.fresh()
    with tmpfs(path + "/ro", "1m"):
        subprocess.run(["mount", "-o", "remount,ro", path + "/ro"], check=True)
        assert "Read-only" in build(stage, path, "-o", "oci:ro/images", code=7)


@scenario
def unreadable_recipe(stage):
    if os.getuid() == 0:
        raise Skip("root reads everything")
    path = stage.fresh()
    os.chmod(path + "/recipe.yaml", 0)
    assert "Permission denied" in build(stage, path, code=3)


@scenario
def json_tells_warnings_beside_an_error(stage):
    path = stage.fresh()
    os.mkdir(path + "/app")
    with open(path + "/app/.env", "w") as f:
        f.write("SECRET=1\n")
    recipe(stage, path, "files: [{from: app, to: /srv/app}]")
    with mischief(stage, "gone always files/torch-2.6.0-cp311-cp311-manylinux1_x86_64.whl"):
        code, out, _ = end(start(stage, path, "build", "--json", "--index", stage.index, "recipe.yaml"))
    said = json.loads(out)
    assert code == 5 and "torch" in said["errors"][0]["message"], said
    assert any("app/.env" in w for w in said.get("warnings", [])), said
