#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a pull of one image costs those who have pulled another: MiB and layers, in each kind of store.

    pulls.py OLD.lock NEW.lock [ECO:NAME...]

Docker's classic store looks for a layer by the chain of all layers below it, so it fetches anew all above the lowest that
changed. containerd's and podman's stores lack what they have no digest of. Of locks that were built the layers' own sizes and
digests count; of others the sizes of what the layers are made from, so that an image need not be fetched to be compared.
A layer of bytecode then counts twice what the modules of its wheels have in those of the user's store, about as gzip makes it.
Artifacts that are named, as in deb:libc6, count as if NEW had another version of them: those locks are taken as planned.
"""
import json, os, sys, zipfile

STORE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "envbuild/blobs/sha256")
STATES = ("base", "python", "apt", "locales", "compile", "toolkit")


def modules(wheel):
    """Bytes of its modules in it."""
    try:
        with zipfile.ZipFile(os.path.join(STORE, wheel["sha256"].removeprefix("sha256:"))) as z:
            return sum(f.compress_size for f in z.infolist() if f.filename.endswith(".py"))
    except FileNotFoundError:
        sys.exit(f"pulls.py: {wheel['file']} is not in the store, so that the size of its bytecode is not known")


def planned(lock, fresh):
    """Of each layer what decides its bytes, and about how many."""
    artifacts = {f"{a['type']}:{a['name']}": a for a in lock["artifacts"]}
    what = lambda name: (name, artifacts[name]["sha256"], name in fresh)
    system, layers, wheels = [], [], []
    for layer in lock["layers"]:
        if layer["kind"] == "image":
            layers.append((layer["digest"], layer["size"]))
            continue
        if layer["kind"] == "bytecode":  # of the wheels since the last one
            layers.append((("bytecode", tuple(map(what, wheels))), sum(2 * modules(artifacts[n]) for n in wheels)))
            wheels = []
            continue
        names = layer["artifacts"]
        wheels += names if layer["kind"] == "wheels" else []
        own = [what(n) for n in names]
        if layer["kind"] == "system":
            system += own
            if layer["name"] not in STATES or lock["format"] < 3:  # dpkg's status and its like
                own = list(system)
        layers.append(((layer["kind"], layer["name"] if layer["kind"] == "system" else "", tuple(own)), sum(artifacts[n]["size"] for n in names)))
    return layers


def recorded(lock):
    return [(n["digest"], n["size"]) for n in lock["built"]["layers"]]


def classic(old, new):
    same = 0
    while same < min(len(old), len(new)) and old[same][0] == new[same][0]:
        same += 1
    return new[same:]


def by_digest(old, new):
    have = {what for what, _ in old}
    return [layer for layer in new if layer[0] not in have]


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    locks = [json.load(open(path)) for path in sys.argv[1:3]]
    if sys.argv[3:] or not all("built" in lock for lock in locks):
        old, new = planned(locks[0], ()), planned(locks[1], sys.argv[3:])
    else:
        old, new = map(recorded, locks)
    for store, pull in (("Docker's classic store", classic), ("containerd's store", by_digest)):
        layers = pull(old, new)
        print(f"{store:24}{sum(size for _, size in layers) / 2**20:10.1f} MiB {len(layers):4} of {len(new)} layers")


if __name__ == "__main__":
    main()
