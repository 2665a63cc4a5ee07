#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What look/ reads in ELF files, against binutils' readelf, over the programs and libraries of this
machine (or the files and folders given as arguments)."""
import os, re, shutil, subprocess, sys

top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
tool = os.path.join(os.environ.get("TOOLS", os.path.join(top, "build/obj-cc/tools")), "look_elf")
if not shutil.which("readelf"):
    print("skipped: readelf (binutils) is not installed")
    sys.exit(0)


def files(paths):
    for path in paths:
        if os.path.isfile(path):
            yield path
        for folder, _, names in os.walk(path):
            for name in sorted(names):
                full = os.path.join(folder, name)
                if os.path.isfile(full) and not os.path.islink(full):
                    with open(full, "rb") as f:
                        if f.read(6) == b"\x7fELF\x02\x01":
                            yield full


def readelf(path):
    """The same lines as `look_elf elf`, but for sections their names alone."""
    env = dict(os.environ, LC_ALL="C")
    text = subprocess.run(["readelf", "-hldVSW", path], capture_output=True, env=env).stdout.decode("utf-8", "replace")
    lines = []
    m = re.search(r"Requesting program interpreter: (.*)\]", text)
    if m:
        lines.append("interpreter " + m.group(1))
    for tag, label in ("SONAME", "soname"), ("RPATH", "rpath"), ("RUNPATH", "runpath"), ("NEEDED", "needed"):
        for m in re.finditer(r"\(%s\)\s+[A-Za-z ]+: \[(.*)\]" % tag, text):
            if m.group(1):
                lines.append(f"{label} {m.group(1)}")
    library, part = "", ""
    for line in text.split("\n"):
        if line.startswith("Version needs section"):
            part = "needs"
        elif line.startswith("Version definition section"):
            part = "defines"
        elif line.startswith("Version symbols section"):
            part = ""
        if part == "needs":
            m = re.search(r"Version: 1\s+File: (\S+)\s+Cnt:", line)
            if m:
                library = m.group(1)
            m = re.search(r"Name: (\S+)\s+Flags: (.*?)\s+Version:", line)
            if m:
                lines.append(f"version {library} {m.group(1)}" + (" weak" if "WEAK" in m.group(2) else ""))
        if part == "defines":
            m = re.search(r"Rev: \d+\s+Flags: .*Cnt: \d+\s+Name: (\S+)", line)
            if m:
                lines.append("defines " + m.group(1))
        m = re.match(r"\s+\[\s*(\d+)\] (\S*)\s+\S+\s+[0-9a-f]{16} ([0-9a-f]+) ([0-9a-f]+) ", line)
        if m and m.group(1) != "0":
            lines.append(f"section {m.group(2)} {int(m.group(3), 16):x} {int(m.group(4), 16):x}")
    return lines


def ours(path):
    done = subprocess.run([tool, "elf", path], capture_output=True)
    if done.returncode:
        sys.exit(f"FAILED: {done.stderr.decode()}")
    return done.stdout.decode("utf-8", "replace").split("\n")[1:-1]


count = facts = 0
order = ["interpreter", "soname", "rpath", "runpath", "needed", "version", "defines", "section"]
rank = lambda line: order.index(line.split(" ")[0])
for path in files(sys.argv[1:] or ["/usr/bin", "/usr/sbin", "/usr/lib"]):
    theirs = readelf(path)
    mine = ours(path)
    theirs.sort(key=rank)  # a stable sort: the order within a kind stays
    if mine != theirs:
        for line in sorted(set(mine) ^ set(theirs)):
            print(("look_elf: " if line in mine else "readelf: ") + line)
        sys.exit(f"FAILED: {path} reads otherwise")
    count += 1
    facts += len(mine)
if not count:
    sys.exit("FAILED: no ELF file found")
print(f"ok: {facts} facts of {count} files read as readelf reads them")
