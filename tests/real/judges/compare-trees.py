#!/usr/bin/env python3
"""compare-trees.py LIST TREE ALLOW: hold a list of entries (as tests/tools/system_tree prints it) against
a folder. ALLOW has lines "GLOB  # reason"."""
# SPDX-License-Identifier: Apache-2.0
import fnmatch
import hashlib
import os
import stat
import sys


def describe(path):
    s = os.lstat(path)
    what, extra = "?", ""
    if stat.S_ISLNK(s.st_mode):
        what, extra = "l", os.readlink(path)
    elif stat.S_ISDIR(s.st_mode):
        what = "d"
    elif stat.S_ISREG(s.st_mode):
        what = "f"
        with open(path, "rb") as f:
            extra = hashlib.sha256(f.read()).hexdigest()
        if "security.capability" in os.listxattr(path):
            extra += " " + os.getxattr(path, "security.capability").hex()
    return f"{what} {stat.S_IMODE(s.st_mode):04o} {s.st_uid} {s.st_gid} {extra}"


def read_tree(root):
    found = {}
    for folder, dirs, files in os.walk(root):
        for name in dirs + files:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, root)] = describe(path)
    return found


def read_list(path):
    found = {}
    with open(path, encoding="utf-8", errors="surrogateescape") as f:
        for line in f:
            entry, extra = line.rstrip("\n").split("\t")
            what, mode, uid, gid, name = entry.split(" ", 4)
            found[name] = f"{what} {mode} {uid} {gid} {extra}"
    return found


def main():
    ours, theirs = read_list(sys.argv[1]), read_tree(sys.argv[2])
    allowed = []
    with open(sys.argv[3], encoding="utf-8") as f:
        for line in f:
            glob, _, reason = line.partition("#")
            if glob.strip():
                assert reason.strip(), f"no reason: {line}"
                allowed.append(glob.strip())
    bad = 0
    for name in sorted(ours.keys() | theirs.keys()):
        a, b = ours.get(name), theirs.get(name)
        if a == b:
            continue
        if not any(fnmatch.fnmatchcase(name, glob) for glob in allowed):
            bad += 1
            print(f"{name}\n    ours:   {a}\n    theirs: {b}")
    print(f"{len(ours)} paths here, {len(theirs)} there, {bad} differ without a reason")
    return 1 if bad or not ours else 0


sys.exit(main())
