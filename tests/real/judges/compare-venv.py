#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare two environments path by path: theirs (venv and pip) and ours. What may differ stands below."""
import hashlib, os, re, stat, sys

# Paths of the environment, and why they may differ.
ALLOWED = [
    (r".*\.dist-info/RECORD", "REQUESTED files are taken away after pip ran, their rows stay"),
    (r"pyvenv\.cfg", "names the command line that made it"),
]


def walk(top):
    found = {}
    for folder, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(folder, name)
            st = os.lstat(path)
            mode = stat.S_IMODE(st.st_mode)
            if stat.S_ISLNK(st.st_mode):
                what = ("link", os.readlink(path))
            elif stat.S_ISDIR(st.st_mode):
                what = ("folder", oct(mode))
            else:
                with open(path, "rb") as f:
                    what = ("file", oct(mode), hashlib.file_digest(f, "sha256").hexdigest())
            found[os.path.relpath(path, top)] = what + (st.st_uid, st.st_gid)
    return found


def rows(path):
    """RECORD without the rows of REQUESTED and of itself."""
    with open(path, encoding="utf-8", newline="") as f:
        return sorted(r for r in f.read().split("\r\n") if r and not re.search(r"/(REQUESTED|RECORD),", r))


theirs, ours = walk(sys.argv[1]), walk(sys.argv[2])
faults = 0
for path in sorted(set(theirs) | set(ours)):
    a, b = theirs.get(path), ours.get(path)
    if a == b:
        continue
    if path.endswith(".dist-info/RECORD") and a and b:
        if rows(os.path.join(sys.argv[1], path)) == rows(os.path.join(sys.argv[2], path)):
            continue
    elif a and b and any(re.fullmatch(p, path) for p, _ in ALLOWED):
        continue
    faults += 1
    print(f"{path}: theirs {a}, ours {b}")
print(f"{len(theirs)} paths of theirs, {len(ours)} of ours, {faults} differences")
sys.exit(1 if faults or len(theirs) < 1000 else 0)
