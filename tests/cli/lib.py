# SPDX-License-Identifier: Apache-2.0
"""What the scenarios share. Each scenario takes the stage of run.py and raises when a promise is broken."""
import gzip, hashlib, io, json, os, subprocess, tarfile, threading, urllib.request

import world

ALL = {}


class Skip(Exception):
    pass


def scenario(f):
    ALL[f.__module__ + "/" + f.__name__.replace("_", "-")] = f
    return f


# ---- running ----


def start(stage, path, *args, wrap=(), **env):
    return subprocess.Popen([*wrap, stage.envbuild, *args], cwd=path, env=stage.env(path, **env), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)


PATIENCE = 600  # seconds; a net for what never ends, however busy the machine


def end(process):
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out.decode(), err.decode()


def images(index):
    """The images of an index.json: what refers to one, as its lock does, is none."""
    return [m for m in index["manifests"] if "artifactType" not in m]


def printed(path, out):
    """The digest of the image that a build's printed line names."""
    line = out.strip()
    scheme, place, ref = (line + ":").split(":", 2)
    place = os.path.join(path, place)
    if scheme == "oci":
        index = json.loads(read(place, "index.json"))
    else:
        with tarfile.open(place) as tar:
            index = json.load(tar.extractfile("index.json"))
    digests = [m["digest"] for m in images(index) if not ref or m["annotations"]["org.opencontainers.image.ref.name"] == ref[:-1]]
    assert len(digests) == 1, (line, index)
    return digests[0]


def build(stage, path, *args, code=0, **how):
    """The digest, or the error's text where another code than 0 is expected."""
    got, out, err = end(start(stage, path, "build", "-q", "--index", stage.index, "recipe.yaml", *args, **how))
    assert got == code, f"exit {got}, not {code}: {err}"
    if code:
        assert not out and err.startswith(("envbuild: ", "recipe.")), f"stdout {out!r}, stderr {err!r}"
        return err
    assert out.count("\n") == 1 and not err, f"stdout {out!r}, stderr {err!r}"
    return printed(path, out)


def run(stage, path, *args, code=0):
    got, out, err = end(start(stage, path, *args))
    assert got == code, f"exit {got}, not {code}: {out}{err}"
    return out, err


def recipe(stage, path, *lines):
    with open(os.path.join(path, "recipe.yaml"), "w") as f:
        f.write(world.GOOD + "".join(line + "\n" for line in lines))


def lock(stage, path, *args, code=0, **env):
    """The lock as a document, or the error's text."""
    got, out, err = end(start(stage, path, "lock", "-q", "recipe.yaml", *args, **env))
    assert got == code, f"exit {got}, not {code}: {err}"
    assert "secret" not in err.replace("secretlib", ""), err
    return err if code else json.loads(read(path, "recipe.lock"))


def begin(stage, *lines):
    path = stage.fresh()
    recipe(stage, path, f"indexes: [{stage.index}]", *lines)
    return path, lock(stage, path)


# ---- changing the world ----


def at(stage, path):
    return f"http://127.0.0.1:{stage.port}{path}"


class mischief:
    def __init__(self, stage, *lines):
        self.file, self.lines = os.path.join(stage.world, "mischief"), lines

    def __enter__(self):
        world.USED.clear()  # whatever another test had of the same kind
        with open(self.file, "w") as f:
            f.write("\n".join(self.lines))

    def __exit__(self, *_):
        os.unlink(self.file)


class later:
    """The world of a week later."""

    def __init__(self, stage):
        self.file = os.path.join(stage.world, "later")

    def __enter__(self):
        open(self.file, "w").close()

    def __exit__(self, *_):
        os.unlink(self.file)


class tmpfs:
    def __init__(self, path, size):
        self.path, self.size = path, size

    def __enter__(self):
        os.makedirs(self.path, exist_ok=True)
        if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.size}", "tmpfs", self.path], stderr=subprocess.DEVNULL).returncode:
            raise Skip("a small disk needs root and mount")
        return self

    def grow(self, size):
        subprocess.run(["mount", "-o", f"remount,size={size}", self.path], check=True)

    def __exit__(self, *_):
        subprocess.run(["umount", self.path], check=True)


# ---- looking ----


def read(*parts):
    with open(os.path.join(*parts), "rb") as f:
        return f.read()


def wheel_of(document, name):
    return next(a for a in document["artifacts"] if a["type"] == "wheel" and a["name"] == name)


def log_since(stage, mark=0):
    with urllib.request.urlopen(at(stage, "/log")) as f:
        return f.read().decode().splitlines()[mark:]


def all_blobs(layout):
    """Every blob's bytes by digest; each must be what its name says."""
    found = {}
    folder = os.path.join(layout, "blobs", "sha256")
    for name in sorted(os.listdir(folder)):
        body = read(folder, name)
        assert hashlib.sha256(body).hexdigest() == name, f"{folder}/{name} is not what its name says"
        found["sha256:" + name] = body
    return found


def blobs(layout):
    """The same without the locks that travel with images: an archive has none, and they tell what was before."""
    found, index = all_blobs(layout), os.path.join(layout, "index.json")
    for m in json.loads(read(index))["manifests"] if os.path.exists(index) else []:
        if "artifactType" in m and m["digest"] in found:
            manifest = json.loads(found.pop(m["digest"]))
            for d in (manifest["config"], *manifest["layers"]):
                found.pop(d["digest"], None)
    return found


def check_entries(layer, plain):
    names, seen = [], set()
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        for t in tar:
            name = t.name.rstrip("/")
            parent = os.path.dirname(name)
            assert name not in seen and (not parent or parent in seen), f"{layer}: {name} before its folder, or twice"
            assert not name.startswith("/") and ".." not in name.split("/"), f"{layer}: {name}"
            assert t.uid == 0 and 0 <= t.gid <= 65534 and 0 <= t.mtime <= 1800000000, f"{layer}: {name}: owner or date"
            assert t.mode & ~0o7777 == 0 and (not t.isdir() or t.mode & 0o500 == 0o500), f"{layer}: {name}: mode {t.mode:o}"
            seen.add(name)
            names.append(name)
    assert names == sorted(names, key=lambda n: n.encode()), f"{layer}: not sorted"
    return names


def unpacked(body):
    """Of gzip's members or zstd's frames, all; by programs that are not ours."""
    if body[:2] == b"\x1f\x8b":
        return gzip.decompress(body)
    return subprocess.run(["zstd", "-dcq"], input=body, stdout=subprocess.PIPE, check=True).stdout


def check_layout(layout, digest):
    """A whole, valid image; gives all blobs but those of locks that travel with images."""
    held = all_blobs(layout)
    assert json.loads(read(layout, "oci-layout")) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads(read(layout, "index.json"))
    assert digest in [m["digest"] for m in images(index)], "the index lacks the image"
    for m in index["manifests"]:
        manifest = json.loads(held[m["digest"]])
        assert len(held[m["digest"]]) == m["size"]
        if "artifactType" in m:
            assert manifest["subject"]["digest"] in held and manifest["layers"][0]["digest"] in held, m
            continue
        config = json.loads(held[manifest["config"]["digest"]])
        assert len(config["rootfs"]["diff_ids"]) == len(manifest["layers"]) > 3
        for layer, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"]):
            body = held[layer["digest"]]
            plain = unpacked(body)
            assert len(body) == layer["size"]
            assert "sha256:" + hashlib.sha256(plain).hexdigest() == diff_id, "a diff_id is not its layer's"
            check_entries(layer["digest"], plain)
    return blobs(layout)


def nothing_published(layout):
    """No image has a name, and no blob is half there; the empty layout may stand."""
    if os.path.exists(layout + "/index.json"):
        assert json.loads(read(layout, "index.json"))["manifests"] == [], "an image that is not whole has a name"
        blobs(layout)
    for root, _, files in os.walk(layout):
        for f in files:
            assert f in ("index.json", "oci-layout", ".lock") or len(f) == 64, f"{root}/{f} is left over"


def locked(stage):
    """A fresh folder with the lock, so that mischief meets the build and not the choice of versions."""
    golden(stage)
    path = stage.fresh()
    with open(path + "/recipe.lock", "wb") as f:
        f.write(GOLD["lock"])
    return path


def check_store(path):
    """Every file below the store's blobs is what its name says."""
    n = 0
    for root, _, files in os.walk(os.path.join(path, ".cache")):
        for f in files:
            if len(f) == 64 and "sha256" in root:
                assert hashlib.sha256(read(root, f)).hexdigest() == f, f"store: {root}/{f}"
                n += 1
    return n


GOLD, GOLD_LOCK = {}, threading.Lock()


def golden(stage):
    """The digest and blobs that every other way must give."""
    with GOLD_LOCK:
        if not GOLD:
            path = stage.fresh()
            digest = build(stage, path)
            held = check_layout(path + "/images", digest)
            assert check_store(path) > 10
            GOLD.update(digest=digest, blobs=held, lock=read(path, "recipe.lock"))
    return GOLD["digest"], GOLD["blobs"]
