# SPDX-License-Identifier: Apache-2.0
"""Machines that lack something, disks that may only be read, and others that are busy. What a bad disk and
a power cut do is in tests/torture."""
import fcntl, os, shutil, signal, subprocess, threading

from lib import PATIENCE, Skip, blobs, build, check_store, end, golden, locked, log_since, mischief, printed, scenario, start

SANITIZED = "-san" in os.environ.get("ENVBUILD", "")


def in_namespace(script):
    """What a command begins with to run behind `script`, which may mount."""
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        raise Skip("mounting for one program needs root and unshare")
    return ["unshare", "-m", "sh", "-ec", script + '\nexec "$@"', "-"]


@scenario
def without_proc(stage):
    """A bare chroot has none."""
    if SANITIZED:
        raise Skip("AddressSanitizer itself needs /proc")
    digest, want = golden(stage)
    wrap = in_namespace("mount -t tmpfs tmpfs /proc")
    path = stage.fresh()
    assert build(stage, path, wrap=wrap) == digest
    assert blobs(path + "/images") == want
    assert build(stage, path, "--locked", wrap=wrap) == digest
    assert build(stage, path, "-o", "oci-archive:o.tar", wrap=wrap) == digest
    check_store(path)
    for root, _, files in os.walk(path):
        assert not [f for f in files if f.startswith(".envbuild-")], f"{root}: {files}"


@scenario
def a_store_to_read_only(stage):
    digest, want = golden(stage)
    path = stage.fresh()
    store = path + "/.cache/envbuild"
    assert build(stage, path) == digest
    wrap = in_namespace(f"mount --bind {store} {store}\nmount -o remount,ro,bind {store}")
    for name, args in (("locked", ["--locked"]), ("offline", ["--locked", "--offline"]), ("archive", ["-o", "oci-archive:o.tar"])):
        shutil.rmtree(path + "/images", ignore_errors=True)
        assert build(stage, path, *args, wrap=wrap) == digest, name
        assert name == "archive" or blobs(path + "/images") == want, name
    os.unlink(path + "/recipe.lock")  # a lock without digests gets them from what the store remembers
    assert end(start(stage, path, "lock", "-q", "--index", stage.index, "recipe.yaml"))[0] == 0
    assert build(stage, path, "--offline", wrap=wrap) == digest
    # What lacks is told, and by what name the store goes.
    shutil.rmtree(path + "/images")
    for name in os.listdir(store + "/layers"):
        shutil.rmtree(f"{store}/layers/{name}")
    err = build(stage, path, "--locked", code=7, wrap=wrap)
    assert f"the store {store} is read-only and lacks layers of this lock: " in err and "torch" in err and "--store DIR" in err, err
    assert "Read-only" not in err


@scenario
def a_store_of_somebody_else(stage):
    """The same by rights: everybody may read it."""
    if os.getuid() == 0 and not shutil.which("setpriv"):
        raise Skip("root may write everywhere, and there is no setpriv to become somebody else")
    digest, _ = golden(stage)
    path = locked(stage)
    store = path + "/store"
    assert build(stage, path, "--store", store) == digest
    shutil.rmtree(path + "/images")
    os.chmod(stage.top, 0o755)
    os.chmod(path, 0o777)
    program = shutil.copy(stage.envbuild, path)
    folders = [root for root, _, _ in os.walk(store)]
    wrap = []
    if os.getuid() == 0:
        wrap = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    for f in folders:
        os.chmod(f, 0o555)
    try:
        done = subprocess.run([*wrap, program, "build", "-q", "--store", store, "--locked", "recipe.yaml"], cwd=path,
                              env=stage.env(path), capture_output=True, timeout=90, stdin=subprocess.DEVNULL)
        assert done.returncode == 0 and printed(path, done.stdout.decode()) == digest, done.stderr.decode()
    finally:
        for f in folders:
            os.chmod(f, 0o755)


# ---- waiting ----


def wait_for(process, text):
    """Its words until one line has the text; one that never says it is ended."""
    watch = threading.Timer(PATIENCE, process.kill)
    watch.start()
    try:
        for line in process.stderr:
            if text in line.decode():
                return line.decode()
    finally:
        watch.cancel()
    raise AssertionError(f"it ended and never said {text!r}")


def stop(process):
    """Ctrl-C ends it, while what it waits for is still held."""
    process.send_signal(signal.SIGINT)
    code, _, err = end(process)
    assert code == 130, f"exit {code}: {err}"


@scenario
def waiting_for_an_output(stage):
    digest, want = golden(stage)
    path = locked(stage)
    assert build(stage, path) == digest
    with open(path + "/images/.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        p = start(stage, path, "build", "recipe.yaml")
        line = wait_for(p, "waiting")
        assert line == "waiting for the lock images/.lock, which another process holds\n", line
        stop(p)
        p = start(stage, path, "build", "recipe.yaml")
        wait_for(p, "waiting")
    code, out, err = end(p)  # the lock is free now
    assert code == 0 and printed(path, out) == digest, f"exit {code}: {err}"
    assert blobs(path + "/images") == want


@scenario
def waiting_for_a_download(stage):
    digest, _ = golden(stage)
    path = locked(stage)
    with mischief(stage, "stall always torch-2.6.0-cp"):
        mark = len(log_since(stage))
        first = start(stage, path, "build", "-q", "recipe.yaml", "-o", "oci:a")
        while not any("torch-2.6.0-cp" in p for p in log_since(stage, mark)):
            assert first.poll() is None
        second = start(stage, path, "build", "recipe.yaml", "-o", "oci:b")
        line = wait_for(second, "waiting")
        assert line.startswith("waiting for torch-2.6.0-") and line.endswith(", which another process fetches\n"), line
        stop(second)
        stop(first)
    assert build(stage, path) == digest
