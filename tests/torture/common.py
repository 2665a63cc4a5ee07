# SPDX-License-Identifier: Apache-2.0
"""What faults.py and crashes.py share: the stage, and what must hold of a folder at any time."""
import hashlib, json, os, shutil, subprocess, sys, tarfile, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "cli"), os.path.join(HERE, "..", "peers")]
sys.dont_write_bytecode = True
import lib, run, world  # noqa: E402

PATIENCE = 120  # seconds; nothing here takes so long but what hangs
LARGE = 64 * 1024  # bytes


def open_stage():
    """On a disk in memory where there is one: here nothing is slow, and nothing is durable anyway."""
    top = tempfile.mkdtemp(prefix="envbuild-torture-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    os.mkdir(top + "/world")
    envbuild = os.environ.get("ENVBUILD") or os.path.join(HERE, "../../build/envbuild")
    return run.Stage(os.path.abspath(envbuild), top, world.serve(top + "/world"))


def envbuild(stage, path, *args, **env):
    """Exit code, stdout, stderr."""
    try:
        done = subprocess.run([stage.envbuild, *args], cwd=path, env=stage.env(path, **env), capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise AssertionError("it hangs") from None
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def hooked(**how):
    """The environment that puts hooks.so between envbuild and libc."""
    return {"LD_PRELOAD": os.environ["HOOKS"], "ASAN_OPTIONS": "verify_asan_link_order=0",
            **{f"HOOKS_{k.upper()}": v for k, v in how.items()}}


def digest_of(path, out):
    return lib.printed(path, out)


def read(path):
    with open(path, "rb") as f:
        return f.read()


HASHES = {}


def hash_of(path):
    """SHA-256; of a large file only once, as long as it is the very same one."""
    st = os.stat(path)
    key = (st.st_dev, st.st_ino, st.st_size, st.st_mtime_ns)
    found = HASHES.get(key) or hashlib.sha256(read(path)).hexdigest()
    if st.st_size > LARGE:
        HASHES[key] = found
    return found


def check_names(folder):
    """Every blob is what its name says."""
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        if not name.startswith(".envbuild-"):
            assert hash_of(f"{folder}/{name}") == name, f"the blob {name} is torn"


def copy_folder(old, path):
    """Blobs are never written to again, so a second name is a copy of a large one."""
    def copy(a, b):
        return os.link(a, b) if "/sha256/" in a and os.path.getsize(a) > LARGE else shutil.copy2(a, b)
    shutil.copytree(old, path, dirs_exist_ok=True, copy_function=copy)


def is_whole(layout, descriptor):
    path = os.path.join(layout, "blobs/sha256", descriptor["digest"][7:])
    return os.path.getsize(path) == descriptor["size"] and hash_of(path) == descriptor["digest"][7:]


def check_output(layout):
    """No blob is torn, and index.json names only what is whole. Gives the digests it names."""
    blobs, index = os.path.join(layout, "blobs/sha256"), os.path.join(layout, "index.json")
    check_names(blobs)
    if not os.path.exists(index):
        return set()
    named = json.loads(read(index))["manifests"]
    for m in named:
        assert is_whole(layout, m), "the index names a manifest that is not whole"
        manifest = json.loads(read(os.path.join(blobs, m["digest"][7:])))
        for d in (manifest["config"], *manifest["layers"]):
            assert is_whole(layout, d), "the index names an image that is not whole"
    assert json.loads(read(layout + "/oci-layout")) == {"imageLayoutVersion": "1.0.0"}
    return {m["digest"] for m in named if "artifactType" not in m}


def check_store(path):
    check_names(path + "/.cache/envbuild/blobs/sha256")


def check_lock(path, texts):
    """An old lock or a new one, or none."""
    file = os.path.join(path, "recipe.lock")
    assert not os.path.exists(file) or read(file) in texts, "the lock is neither the old nor the new one"


def leftovers(path):
    return [os.path.join(root, f) for root, _, files in os.walk(path) for f in files if f.startswith(".envbuild-")]
