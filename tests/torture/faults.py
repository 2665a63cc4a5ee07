# SPDX-License-Identifier: Apache-2.0
"""Every call that can fail does, in turn, once and from then on: nothing crashes or hangs, nothing half-written is to
be seen, a sentence says what was wrong, and afterwards the same command gives what it always gives."""
import concurrent.futures, errno, itertools, os, random, shutil, struct, tarfile, tempfile

from common import check_lock, check_output, check_store, copy_folder, digest_of, envbuild, hooked, leftovers, read

DOCUMENTED = (0, 3, 4, 5, 6, 7)
# As in `kinds` of hooks.c; with what may go wrong. EINTR is no fault: it must not be seen at all.
KINDS = {
    "open": "EMFILE EIO EACCES", "read": "EIO EINTR", "write": "ENOSPC EIO EINTR", "pread": "EIO EINTR",
    "pwrite": "ENOSPC EIO EINTR", "fsync": "EIO ENOSPC", "fdatasync": "EIO ENOSPC", "ftruncate": "EIO",
    "linkat": "EIO ENOSPC", "rename": "EIO ENOSPC", "unlink": "EIO", "mkdir": "ENOSPC EIO", "mkdtemp": "ENOSPC",
    "flock": "ENOLCK EINTR", "fstat": "EIO", "stat": "EIO", "lstat": "EIO", "opendir": "EMFILE EIO", "realpath": "EIO",
    "readlink": "EIO", "pipe2": "EMFILE", "posix_spawnp": "EAGAIN", "mmap": "ENOMEM", "pthread_create": "EAGAIN",
    "socket": "EMFILE", "send": "ECONNRESET", "recv": "ECONNRESET",
}
NETWORK = ("socket", "send", "recv")  # from then on: minutes of trying again


class Act:
    """A command that is to meet every fault. `folder` holds what it starts from."""

    def __init__(self, name, folder, args, output=None):
        self.name, self.folder, self.args, self.output = name, folder, args, output
        self.want = self.counts = None

    def check_whole(self, path, locks):
        check_output(path + "/images")
        check_store(path)
        check_lock(path, locks)
        if self.output and os.path.exists(f"{path}/{self.output}"):
            with tarfile.open(f"{path}/{self.output}") as tar:
                assert "index.json" in tar.getnames(), "an archive that is not whole has a name"


def make_acts(stage):
    """The folders that the acts start from, and all texts that a lock may have."""
    build = ("build", "-q", "-j1", "--downloads", "1", "--index", stage.index, "recipe.yaml")
    fresh = stage.fresh()
    lock = stage.fresh()
    assert envbuild(stage, lock, "lock", "-q", "--index", stage.index, "recipe.yaml")[0] == 0
    locks = {read(lock + "/recipe.lock")}
    done = stage.fresh()
    assert envbuild(stage, done, *build)[0] == 0
    locks.add(read(done + "/recipe.lock"))
    stored = stage.fresh()
    shutil.copytree(done + "/.cache", stored + "/.cache")
    shutil.copy(done + "/recipe.lock", stored)
    twice = stage.fresh()  # a second tag, and blobs of an image that lost its own
    shutil.copytree(done, twice, dirs_exist_ok=True)
    with open(twice + "/recipe.yaml", "a") as f:
        f.write("env: {A: b}\n")
    assert envbuild(stage, twice, "lock", "-q", "--index", stage.index, "recipe.yaml")[0] == 0
    assert envbuild(stage, twice, *build)[0] == 0 and envbuild(stage, twice, *build, "-o", "oci:images:another")[0] == 0
    locks.add(read(twice + "/recipe.lock"))
    acts = [Act("cold", fresh, build), Act("locked", stored, (*build, "--locked", "--offline")),
            Act("archive", stored, (*build, "-o", "oci-archive:o.tar"), "o.tar"), Act("again", done, build),
            Act("lock", fresh, ("lock", "-q", "--index", stage.index, "recipe.yaml")),
            Act("inspect", done, ("inspect", "-q", "oci:images")),
            Act("prune", twice, ("prune", "images", "--keep", "1")), Act("prune the store", twice, ("prune",))]
    return acts, locks


def fresh(stage, act):
    path = tempfile.mkdtemp(dir=stage.top)
    copy_folder(act.folder, path)
    return path


def result_of(act, path, out):
    if act.name == "lock":
        return read(path + "/recipe.lock")
    if act.name.startswith("prune"):
        return sorted(os.path.join(root, f)[len(path):] for root, _, names in os.walk(path) for f in names
                      if "sha256" in root or f == "index.json")
    return digest_of(path, out) if act.name != "inspect" else out


def measure(stage, act):
    """What the command gives, and how many calls of each kind it makes."""
    path, counts = fresh(stage, act), os.path.join(stage.top, "counts")
    with open(counts, "wb") as f:
        f.write(bytes(8 * len(KINDS)))
    code, out, err = envbuild(stage, path, *act.args, **hooked(counts=counts))
    assert code == 0, f"{act.name}: {err}"
    act.want = result_of(act, path, out)
    act.counts = dict(zip(KINDS, struct.unpack(f"{len(KINDS)}Q", read(counts))))
    shutil.rmtree(path)


def suffer(stage, act, locks, fault):
    """One command with one fault, and the same one without."""
    path = fresh(stage, act)
    code, out, err = envbuild(stage, path, *act.args, **hooked(fail=fault))
    assert code in DOCUMENTED, f"exit {code}: {err}"
    if code:
        assert err.startswith(("envbuild: ", "recipe.", "base.")) and not out, f"exit {code}, stdout {out!r}, stderr {err!r}"
    else:
        assert result_of(act, path, out) == act.want, "another result"
    act.check_whole(path, locks)
    assert fault.startswith("unlink") or not leftovers(path), leftovers(path)
    code, out, err = envbuild(stage, path, *act.args)
    assert code == 0, f"afterwards: exit {code}: {err}"
    assert result_of(act, path, out) == act.want, "afterwards: another result"
    act.check_whole(path, locks)
    shutil.rmtree(path)


def all_faults(act):
    for kind, errors in KINDS.items():
        names = itertools.cycle(errors.split())
        for n in range(act.counts[kind]):
            name = next(names)
            yield f"{kind}:{n}:{getattr(errno, name)}:once"
            if name != "EINTR" and (kind not in NETWORK or n == 0):
                yield f"{kind}:{n}:{getattr(errno, name)}:on"


def some(todo, n):
    """So many of each kind, and always a machine that starts no thread at all."""
    dice, picked = random.Random(12), [t for t in todo if t[1].startswith("pthread_create:0:") and t[1].endswith(":on")]
    for kind in KINDS:
        of_kind = [t for t in todo if t[1].startswith(kind + ":") and not (kind in NETWORK and t[1].endswith(":on"))]
        picked += dice.sample(of_kind, min(n, len(of_kind)))
    return picked


def run(stage, sample, only=None):
    """Failures as text; `sample`: so many faults of each kind, 0: all."""
    acts, locks = make_acts(stage)
    todo = []
    for act in acts:
        measure(stage, act)
        todo += [(act, f) for f in all_faults(act)]
    total = len(todo)
    if only:
        todo = [(a, f) for a, f in todo if only in f"{a.name} {f}"]
    if sample:
        todo = some(todo, sample)

    def one(t):
        try:
            suffer(stage, t[0], locks, t[1])
        except Exception as fault:
            return f"{t[0].name} {t[1]}: {type(fault).__name__ if not isinstance(fault, AssertionError) else ''} {fault}"

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        failures = [f for f in pool.map(one, todo) if f]
    print(f"faults: {len(todo)} of {total} in {len(acts)} commands, {len(failures)} failed", flush=True)
    return failures
