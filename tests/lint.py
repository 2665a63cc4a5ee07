#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hold every include of builder/ against the floors in builder/README.md, and a library's header
against its one home file."""
import os, re, sys

top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
floors = {}
for line in open(os.path.join(top, "builder/README.md"), encoding="utf-8"):
    m = re.match(r"floor (\d+): ([a-z ]+?)\s*#", line)
    if m:
        for room in m.group(2).split():
            floors[room] = int(m.group(1))

homes = {
    "curl/": ["net/http.c"],
    "yaml.h": ["doc/yaml.c"],
    "jansson.h": ["doc/json.c"],
    "archive": ["io/unpack.c"],
    "openssl/": ["io/crypto.c"],
    "isa-l": ["io/inflate.c", "io/inflate_isal.c"],
    "zlib.h": ["io/inflate.c", "io/inflate_zlib.c"],
    "libxml/": ["pkg/pypi/simple.c"],
}

faults = 0
def fault(path, number, text):
    global faults
    faults += 1
    print(f"builder/{path}:{number}: {text}")

count = 0
for folder, _, names in os.walk(os.path.join(top, "builder")):
    for name in sorted(names):
        if not name.endswith((".c", ".h")):
            continue
        count += 1
        path = os.path.relpath(os.path.join(folder, name), os.path.join(top, "builder"))
        room = path.split("/")[0]
        floor = 7 if path == "cmd/main.c" else floors.get(room)
        if floor is None:
            fault(path, 1, f'room "{room}" stands on no floor of builder/README.md')
            continue
        text = open(os.path.join(folder, name), encoding="utf-8").read()
        if "SPDX-License-Identifier: Apache-2.0" not in text:
            fault(path, 1, "no SPDX line")
        for number, line in enumerate(text.split("\n"), 1):
            m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if m:
                target = os.path.normpath(os.path.join(os.path.dirname(path), m.group(1)))
                other = target.split("/")[0]
                if other != room and floors.get(other, 99) >= floor and path != "cmd/main.c":
                    fault(path, number, f'includes "{target}", which is not on a lower floor')
            m = re.match(r"\s*#\s*include\s+<([^>]+)>", line)
            if m:
                for prefix, home in homes.items():
                    if m.group(1).startswith(prefix) and path not in home:
                        fault(path, number, f"includes <{m.group(1)}>, whose home is {' or '.join(home)}")
if not floors or not count:
    sys.exit("lint: found neither floors nor files")
print(f"lint: {count} files, {faults} faults")
sys.exit(1 if faults else 0)
