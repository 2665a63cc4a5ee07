#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hold every include of builder/ against what builder/README.md draws: the floors, and the order of the parts
inside large rooms. Hold each library's header against its home files, and a header that says "what the files X*.c
share; nobody else includes it" against that. Hold it that only a hasher says what was seen, and that the manual knows
every key of recipe and lock."""
import fnmatch, json, os, re, sys

top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
floors, inside = {}, {}
for line in open(os.path.join(top, "builder/README.md"), encoding="utf-8"):
    m = re.match(r"floor (\d+): ([a-z ]+?)\s*#", line)
    if m:
        for room in m.group(2).split():
            floors[room] = int(m.group(1))
    m = re.match(r"inside ([a-z]+): ([a-z. <]+)$", line)
    if m:
        inside[m.group(1)] = {part: level for level, parts in enumerate(m.group(2).split("<"))
                              for part in parts.split()}

# Headers that are neither ours nor the C library's, by the files that may include them.
homes = {
    "curl/": ["net/transfer.c", "net/call.c"],
    "yaml.h": ["doc/yaml.c"],
    "archive": ["io/decompress.c"],
    "openssl/": ["io/crypto.c", "io/server_cert.c"],
    "isa-l": ["io/inflate.c"],
    "zlib.h": ["io/inflate.c"],
    "zstd.h": ["io/zstd.c"],
    "libxml/": ["pkg/pypi/simple.c"],
    "cpuid.h": ["io/hash_pair.c"],
    "immintrin.h": ["io/hash_pair.c"],
    "microhttpd.h": ["serve/httpd.c"],
    "qrencode.h": ["serve/qr.c"],
}
libc = set("""assert.h ctype.h dirent.h dlfcn.h elf.h errno.h fcntl.h fnmatch.h ifaddrs.h inttypes.h limits.h malloc.h net/if.h poll.h pthread.h pwd.h
signal.h spawn.h stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h string.h strings.h time.h
unistd.h""".split())

# Text leaves the program in one way, which escapes what a terminal obeys.
output = "cmd/output.c"
prints = re.compile(r"(?<![\w.>])(v?f?printf|f?puts|f?putc|putchar|fwrite|v?dprintf|perror)\(")

faults = 0


def fault(path, number, text):
    global faults
    faults += 1
    print(f"builder/{path}:{number}: {text}")


def part(path):
    """The part of its room that a file stands in."""
    steps = path.split("/")
    return steps[1] if len(steps) > 2 else "."


def check_own(path, number, target, private):
    room = path.split("/")[0]
    if target not in known:
        return fault(path, number, f'includes "{target}", which is not there')
    other = target.split("/")[0]
    if other != room:
        if path != "cmd/main.c" and floors.get(other, 99) >= floors[room]:
            fault(path, number, f'includes "{target}", which is not on a lower floor')
    elif part(path) != part(target):
        order = inside.get(room)
        if not order or part(path) not in order or part(target) not in order:
            fault(path, number, f'includes "{target}", but builder/README.md has no order of {room}\'s parts with both')
        elif order[part(target)] >= order[part(path)]:
            fault(path, number, f'includes "{target}", which does not stand before "{part(path)}" inside {room}')
    users = private.get(target)
    if users and not (os.path.dirname(path) == os.path.dirname(target) and
                      fnmatch.fnmatch(os.path.basename(path), users)):
        fault(path, number, f'includes "{target}", which is only for {users}')


def check_library(path, number, header):
    home = next((home for prefix, home in homes.items() if header.startswith(prefix)), None)
    if home is None and header not in libc and not header.startswith(("sys/", "linux/", "netinet/", "arpa/")):
        fault(path, number, f"includes <{header}>, which has no home in tests/lint.py")
    elif home and path not in home:
        fault(path, number, f"includes <{header}>, whose home is {' or '.join(home)}")


known, private = {}, {}
for folder, _, names in os.walk(os.path.join(top, "builder")):
    for name in sorted(names):
        if name.endswith((".c", ".h", ".inc")):
            path = os.path.relpath(os.path.join(folder, name), os.path.join(top, "builder"))
            known[path] = open(os.path.join(folder, name), encoding="utf-8").read()
            m = re.search(r"what the files (\S+) share; nobody else includes it", known[path])
            if m:
                private[path] = m.group(1)

for path, text in sorted(known.items()):
    if path.split("/")[0] not in floors:
        fault(path, 1, f'room "{path.split("/")[0]}" stands on no floor of builder/README.md')
        continue
    if "SPDX-License-Identifier: Apache-2.0" not in text:
        fault(path, 1, "no SPDX line")
    for number, line in enumerate(text.split("\n"), 1):
        m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if m:
            check_own(path, number, os.path.normpath(os.path.join(os.path.dirname(path), m.group(1))), private)
        m = prints.search(line)
        if m and path != output:
            fault(path, number, f"calls {m.group(1)}, whose home is {output}")
        m = re.match(r"\s*#\s*include\s+<([^>]+)>", line)
        if m:
            check_library(path, number, m.group(1))
        if path not in ("io/crypto.c", "io/crypto.h", "io/hash_pair.c") and re.search(r"made_by_hash|\(struct seen\)\s*\{[^0}]", line):
            fault(path, number, "makes a struct seen of something that was not hashed")
# Formats have manual pages, which know every key.


def documented(page):
    """The names that a page's lists tell of."""
    text = open(os.path.join(top, "builder/man", page), encoding="utf-8").read()
    return {name for line in re.findall(r"(?m)^\.It (.*)$", text) for name in re.findall(r'Cm "([^"]+)"', line)}


def keys_of(schema, node, before=""):
    """The dotted names of what a schema allows."""
    if node.get("$ref"):
        node = {**schema["$defs"][node["$ref"].rsplit("/", 1)[1]], **node, "$ref": ""}
    for key, value in node.get("properties", {}).items():
        yield before + key
        yield from keys_of(schema, value, before + key + ".")
    for inner in [node[k] for k in ("items",) if k in node] + node.get("anyOf", []) + node.get("oneOf", []):
        yield from keys_of(schema, inner, before)


schema = json.load(open(os.path.join(top, "builder/model/recipe.schema.json"), encoding="utf-8"))
for key in sorted(set(keys_of(schema, schema)) - documented("envbuild-recipe.5.mdoc")):
    fault("man/envbuild-recipe.5.mdoc", 1, f"does not tell of {key}, which recipe.schema.json has")
told = {name.rsplit(".", 1)[-1] for name in documented("envbuild-lock.5.mdoc")}
for path in ("model/lock_print.c", "model/lock_slim.c", "model/lock_source.c", "model/lock_toolkit.c"):
    for key in sorted(set(re.findall(r'\bput\w*\(\s*&?d, \w+,\s*"(\w+)"|\bnode_put\w*\(\s*d, \w+,\s*"(\w+)"', known[path]))):
        key = key[0] or key[1]
        if key not in told:
            fault("man/envbuild-lock.5.mdoc", 1, f"does not tell of {key}, which {path} writes")

if not floors or not inside or not known:
    sys.exit("lint: found no floors, no order of parts, or no files")
print(f"lint: {len(known)} files, {faults} faults")
sys.exit(1 if faults else 0)
