#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What look/needs.h says of this machine's programs and libraries, against the loader itself
(asked to trace as ldd asks it, which runs nothing of theirs): as many files loaded, and the same ones missing.
Folders as arguments are judged instead of the machine's own and belong to the tree."""
import os, re, subprocess, sys

top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
tool = os.path.join(os.environ.get("TOOLS", os.path.join(top, "build/obj-cc/tools")), "look_needs")
loader = "/lib64/ld-linux-x86-64.so.2"
if not os.path.exists(loader) or not os.path.islink("/lib64") or not os.path.islink("/bin"):
    print("skipped: needs a glibc machine for x86-64 with a merged /usr")
    sys.exit(0)
folders = sys.argv[1:] or ["/usr/bin", "/usr/sbin", "/usr/lib/x86_64-linux-gnu"]
env = {"LC_ALL": "C", "PATH": os.environ["PATH"]}
trace = dict(env, LD_TRACE_LOADED_OBJECTS="1", LD_WARN="yes")


def elf_files():
    for folder in folders:
        for path, _, names in os.walk(folder):
            for name in sorted(names):
                full = os.path.join(path, name)
                # Other loaders' files, and those that a loader with a glibc-hwcaps folder takes.
                if os.path.isfile(full) and not os.path.islink(full) and "/glibc-hwcaps/" not in full:
                    with open(full, "rb") as f:
                        head = f.read(20)
                        if head[:6] == b"\x7fELF\x02\x01" and head[16] in (2, 3) and head[18] == 62:
                            yield full


paths, theirs = [], {}
for path in elf_files():
    done = subprocess.run([loader, path], capture_output=True, text=True, env=trace)
    lines = [line.strip() for line in done.stdout.split("\n") if line.strip() and "linux-vdso" not in line]
    if "statically linked" in done.stdout or "not a dynamic executable" in done.stderr or not lines:
        continue
    missing = sorted({line.split(" ")[0] for line in lines if "not found" in line})
    loaded = len({os.path.realpath(m.group(1)) for line in lines if (m := re.search(r"(/\S+) \(0x", line))})
    versions = sorted({m.group(1) for m in re.finditer(r"version `([^']+)' not found", done.stderr)})
    theirs[path] = (loaded, missing, versions)
    paths.append(path)
if not paths:
    sys.exit("FAILED: no dynamic file found")
tree = ["/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib64"] + [f for f in folders if not f.startswith("/usr/")]
ours, path = {}, ""
done = subprocess.run([tool, "/etc/ld.so.cache", ":".join(tree)] + paths, capture_output=True, text=True)
if done.returncode:
    sys.exit("FAILED: " + done.stderr)
for line in done.stdout.split("\n"):
    if m := re.match(r"(/.*) loaded (\d+)$", line):
        path = m.group(1)
        ours[path] = [int(m.group(2)) - 1, set(), set()]
    elif m := re.match(r"(missing|driver) (.*)$", line):
        ours[path][1].add(m.group(2))
    elif m := re.match(r"version \S+ (.*)$", line):
        ours[path][2].add(m.group(1))
faults = 0
for path in paths:
    mine = (ours[path][0], sorted(ours[path][1]), sorted(ours[path][2]))
    if mine != theirs[path]:
        faults += 1
        print(f"{path}: look_needs {mine}, ld.so {theirs[path]}")
if faults:
    sys.exit(f"FAILED: {faults} of {len(paths)} files judged otherwise")
missing = sum(1 for p in paths if theirs[p][1])
print(f"ok: {len(paths)} files judged as the loader judges them; {missing} of them lack a library")
