# SPDX-License-Identifier: Apache-2.0
"""What a power cut may leave. The writes of a few commands are recorded (hooks.c); then, for each moment, folders are made
as a disk may hold them afterwards: what was synced is there; of the rest any part may be missing, torn or out of order.
Nothing half-written may be seen in them, and the next run must give what it always gives.

The disk is a strict one: a file's bytes are safe after fsync of the file, its name only after fsync of its folder. Names
that were not synced may be lost one by one; bytes that were not may be old, zero or cut.
"""
import concurrent.futures, os, random, shutil, tarfile, tempfile, threading

from common import check_lock, check_output, check_store, digest_of, envbuild, hooked, read

MODES = ("nothing", "names", "zeros", "dice", "dice again")


class Step:
    def __init__(self, args, recipe, after):
        self.args, self.recipe, self.after = args, recipe, after  # `after`: the commands that must work then
        self.end = self.digest = None


# ---- recording ----


def parse(log, top):
    """(what, argument...) in order; paths below `top` and relative to it."""
    ops, at = [], 0
    while at < len(log):
        end = log.index(b"\n", at)
        word, *rest = log[at:end].decode().split(" ", 1)
        rest, at = rest[0], end + 1
        if word == "write":
            ino, offset, n = map(int, rest.split())
            ops.append(("write", ino, offset, log[at:at + n]))
            at += n
        elif word in ("new", "sync"):
            ops.append((word, int(rest)))
        elif word == "size":
            ops.append(("size", *map(int, rest.split())))
        elif word in ("name", "link", "mkdir"):
            ino, path = rest.split(" ", 1)
            ops.append((word, int(ino), os.path.relpath(os.path.normpath(path), top)))
        elif word == "to":
            ops[-1] += (os.path.relpath(os.path.normpath(rest), top),)
        else:
            ops.append((word, os.path.relpath(os.path.normpath(rest), top)))
    return ops


def record(stage):
    """The folder, the steps and everything that they did to the disk."""
    path, log = stage.fresh(), os.path.join(stage.top, "changes")
    index = ("--index", stage.index, "recipe.yaml")
    first = read(path + "/recipe.yaml").decode()
    second = first + "env: {A: b}\n"
    build, lock = ("build", "-q", *index), ("lock", "-q", *index)
    prune = ("prune", "images", "--keep", "1")
    steps = [Step(build, first, [build]), Step(lock, second, [lock, build]), Step(build, second, [build]),
             Step((*build, "-o", "oci:images:another"), second, [build]), Step(prune, second, [prune, build]),
             Step((*build, "-o", "oci-archive:o.tar"), second, [build])]
    for s in steps:
        with open(path + "/recipe.yaml", "w") as f:
            f.write(s.recipe)
        code, out, err = envbuild(stage, path, *s.args, **hooked(log=log))
        assert code == 0, err
        s.digest = digest_of(path, out) if s.args[0] == "build" else None
        s.end = len(parse(read(log), path))
    steps[1].digest = steps[4].digest = steps[2].digest
    return path, steps, parse(read(log), path)


# ---- the disk ----


class File:
    def __init__(self):
        self.now, self.safe, self.later = bytearray(), b"", []  # later: what was written since it was synced

    def write(self, offset, body):
        self.now.extend(bytes(max(0, offset + len(body) - len(self.now))))
        self.now[offset:offset + len(body)] = body
        self.later.append((offset, body))

    def size(self, n):
        del self.now[n:]
        self.now.extend(bytes(n - len(self.now)))
        self.later.append((n, None))

    def sync(self):
        if self.later:
            self.safe, self.later = bytes(self.now), []

    def after(self, mode, dice):
        if mode in ("nothing", "names") or not self.later:
            return self.safe
        if mode == "zeros":
            return self.safe[:len(self.now)] + bytes(max(0, len(self.now) - len(self.safe)))
        f = File()
        f.now = bytearray(self.safe)
        for offset, body in self.later:
            if body is None:
                f.size(offset)
            elif dice.random() < 0.7:
                f.write(offset, body[:dice.choice((len(body), len(body) // 2, min(512, len(body))))])
        return bytes(f.now)


def apply(names, op):
    """One change of a name, as far as what it needs is there. `names`: path -> inode, None for a folder."""
    what, path = op[0], op[-1]
    parent = os.path.dirname(path)
    if parent and parent not in names:
        return
    if what == "mkdir":
        names[path] = None
    elif what in ("name", "link"):
        names[path] = op[1]
    elif what == "rename" and op[1] in names:
        names[path] = names.pop(op[1])
    elif what == "unlink":
        names.pop(path, None)


class Disk:
    def __init__(self, top_inode):
        self.files, self.folders = {}, {top_inode: ""}
        self.safe, self.later = {}, []  # names; changes of names since their folder was synced

    def do(self, op):
        what = op[0]
        if what == "new":
            self.files[op[1]] = File()
        elif what == "write":
            self.files[op[1]].write(op[2], op[3])
        elif what == "size":
            self.files[op[1]].size(op[2])
        elif what == "sync" and op[1] in self.folders:
            folder, rest = self.folders[op[1]], []
            for change in self.later:
                if os.path.dirname(change[-1]) == folder:
                    apply(self.safe, change)
                else:
                    rest.append(change)
            self.later = rest
        elif what == "sync" and op[1] in self.files:
            self.files[op[1]].sync()
        elif what == "sync":
            pass  # a folder that was there before
        else:
            if what == "mkdir":
                self.folders[op[1]] = op[2]
            if what in ("name", "link"):  # the inode may be another file's later
                op = (what, self.files[op[1]], op[2])
            self.later.append(op)

    def after(self, mode, dice):
        """path -> bytes, None for a folder."""
        names, often, folders = dict(self.safe), dice.choice((0.2, 0.5, 0.9)), dice.random() < 0.8
        for change in self.later:
            if mode in ("names", "zeros") or (mode != "nothing" and (
                    change[0] == "mkdir" and folders or dice.random() < often)):
                apply(names, change)
        return {p: f and f.after(mode, dice) for p, f in names.items()}


def lock_texts(ops, top_inode):
    """Every text that was ever given the lock's name."""
    disk, texts = Disk(top_inode), set()
    for op in ops:
        disk.do(op)
        if op[0] in ("link", "rename") and op[-1] == "recipe.lock":
            names = {}
            for change in disk.later:
                apply(names, change)
            for p, f in (*disk.safe.items(), *names.items()):
                if p == "recipe.lock":
                    texts.add(bytes(f.now))
    return texts


# ---- the next morning ----


def put(stage, top, recipe, held):
    path = tempfile.mkdtemp(dir=stage.top)
    for name in ("base.yaml", "base.gpg"):
        shutil.copy(os.path.join(top, name), path)
    with open(path + "/recipe.yaml", "w") as f:
        f.write(recipe)
    for name in sorted(held):
        if held[name] is None:
            os.mkdir(f"{path}/{name}")
        else:
            with open(f"{path}/{name}", "wb") as f:
                f.write(held[name])
    return path


def check_archive(path):
    if os.path.exists(path + "/o.tar"):
        with tarfile.open(path + "/o.tar") as tar:
            assert "index.json" in tar.getnames(), "an archive that is not whole has a name"


def wake(stage, path, step, texts, ended):
    """`ended`: the command had told of its success, so what it told must be there."""
    named = check_output(path + "/images")
    check_store(path)
    check_lock(path, texts)
    check_archive(path)
    if ended:
        assert step.digest in named or step.args[0] == "lock", "the image is gone"
        assert os.path.exists(path + "/recipe.lock"), "the lock is gone"
        assert os.path.exists(path + "/o.tar") or "oci-archive:o.tar" not in step.args, "the archive is gone"
    for args in step.after:
        code, out, err = envbuild(stage, path, *args)
        assert code == 0, f"afterwards: exit {code}: {err}"
    assert digest_of(path, out) == step.digest, "afterwards: another digest"
    assert step.digest in check_output(path + "/images"), "afterwards: the image is not there"
    check_store(path)


def states(ops, steps):
    """(number of changes that were made, mode); not in the midst of every write."""
    ends = {s.end for s in steps}
    for n in range(1, len(ops) + 1):
        if ops[n - 1][0] not in ("write", "size", "new") or n in ends or n % 16 == 0:
            for mode in MODES:
                yield n, mode


def run(stage, sample, only=None):
    top, steps, ops = record(stage)
    there = os.stat(top)
    inode = (there.st_dev << 40) + there.st_ino & 2 ** 64 - 1  # as hooks.c names it
    texts = lock_texts(ops, inode)
    assert len(texts) > 2, texts
    todo = [t for t in states(ops, steps) if not only or only in f"{t[0]} {t[1]}"]
    total = len(todo)
    if sample:
        ends = [(s.end, "nothing") for s in steps]
        todo = sorted({*random.Random(12).sample(todo, min(sample, len(todo))), *ends})
    disk, failures, room = Disk(inode), [], threading.Semaphore(4)
    done = 0

    def one(path, step, ended, what):
        try:
            wake(stage, path, step, texts, ended)
            shutil.rmtree(path)
        except Exception as fault:
            failures.append(f"{what}: {'' if isinstance(fault, AssertionError) else type(fault).__name__} {fault}")
        finally:
            room.release()

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for n, mode in todo:
            while done < n:
                disk.do(ops[done])
                done += 1
            step = next(s for s in steps if n <= s.end)
            held = disk.after(mode, random.Random(f"{n} {mode}"))
            room.acquire()
            path = put(stage, top, step.recipe, held)
            pool.submit(one, path, step, n == step.end, f"after change {n} of {len(ops)} ({ops[n - 1][0]} {ops[n - 1][-1] if isinstance(ops[n - 1][-1], str) else ''}), {mode}")
    print(f"crashes: {len(todo)} of {total} states of {len(ops)} changes, {len(failures)} failed", flush=True)
    return failures
