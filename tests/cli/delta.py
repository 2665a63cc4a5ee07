# SPDX-License-Identifier: Apache-2.0
"""Scenarios on `delta` and `apply`: next week's image for those who have this week's. As lib.py."""
import bz2, gzip, hashlib, io, json, os, random, re, shutil, signal, struct, subprocess, tarfile, threading

from registry_peer import Fault, Registry

from serve import Serve

from lib import PATIENCE, all_blobs, build, check_layout, end, images, printed, read, recipe, run, scenario, start, tmpfs


def noise(n, seed):
    return random.Random(seed).randbytes(n)


def text(n, seed):
    """Like a program: a few hundred lines that differ."""
    r = random.Random(seed)
    return "".join(f"def f{r.randrange(1000)}(x):\n    return x + {r.randrange(100000)}\n" for _ in range(n // 40)).encode()


def put(path, name, body):
    os.makedirs(os.path.dirname(os.path.join(path, name)), exist_ok=True)
    with open(os.path.join(path, name), "wb") as f:
        f.write(body)


def weeks(stage, *lines, first=(), then=(), big=300000):
    """Two images of one recipe, in week-1 and week-2; the second has lines or files more."""
    path = stage.fresh()
    for i in range(60):
        put(path, f"app/m{i:02}.py", text(30000, i))
    put(path, "app/big.bin", noise(big, 1))
    recipe(stage, path, "files: [{from: app, to: /srv/app}]", *lines, *first)
    one = build(stage, path, "-o", "oci:week-1")
    put(path, "app/m31b.py", text(20000, 99))
    put(path, "app/m07.py", text(30000, 7).replace(b"return x + 1", b"return x + 2"))
    recipe(stage, path, "files: [{from: app, to: /srv/app}]", *lines, *then)
    run(stage, path, "lock", "-q", "--index", stage.index, "recipe.yaml")
    return path, one, build(stage, path, "-o", "oci:week-2")


def size(path, name):
    return os.path.getsize(os.path.join(path, name))


def same(path, layout, digest):
    """The layout has the image, whole, as week-2 has it, with its lock."""
    have, want = all_blobs(os.path.join(path, layout)), all_blobs(path + "/week-2")
    manifest = json.loads(have[digest])
    for d in [manifest["config"], *manifest["layers"]]:
        assert have[d["digest"]] == want[d["digest"]], d
    locks = lambda p: [m["digest"] for m in json.loads(read(path, p, "index.json"))["manifests"] if "artifactType" in m]
    assert set(locks("week-2")) <= set(locks(layout)), (locks(layout), locks("week-2"))
    for lock in locks("week-2"):
        for d in json.loads(have[lock])["layers"]:
            assert have[d["digest"]] == want[d["digest"]], d


@scenario
def a_week_later(stage):
    """A file more in the middle and one that changed: the delta is small, and what it makes is the same to the byte."""
    path, one, two = weeks(stage)
    run(stage, path, "copy", "--all", "oci:week-1", "oci:here:course:old")
    out, err = run(stage, path, "delta", "oci:week-1", "oci:week-2", "-o", "w.delta")
    assert out == "w.delta\n" and "for whoever has the old image" in err, (out, err)
    assert size(path, "w.delta") < 30000, size(path, "w.delta")
    first = read(path, "w.delta")
    run(stage, path, "delta", "oci:week-1", "oci:week-2", "-o", "w.delta")
    assert read(path, "w.delta") == first
    out, err = run(stage, path, "apply", "w.delta", "oci:here:course:new")
    assert out == "oci:here:course:new\n" and "made 1 of" in err, (out, err)
    assert printed(path, out) == two
    same(path, "here", two)
    check_layout(path + "/here", two)


@scenario
def places(stage):
    """An archive in place, another place with -o, a layout that lost its tag and its lock."""
    path, one, two = weeks(stage)
    run(stage, path, "delta", "oci:week-1", "oci:week-2", "-o", "w.delta")
    run(stage, path, "copy", "oci:week-1", "docker-archive:course.tar:course:latest")
    out, _ = run(stage, path, "apply", "w.delta", "docker-archive:course.tar:course:latest")
    run(stage, path, "copy", "docker-archive:course.tar", "oci:back")
    assert two in [m["digest"] for m in images(json.loads(read(path, "back/index.json")))]
    out, err = run(stage, path, "apply", "w.delta", "oci:week-1", "-o", "oci-archive:new.tar:x")
    assert out == "oci-archive:new.tar:x\n" and printed(path, out) == two, out
    shutil.copytree(path + "/week-1", path + "/bare")
    put(path, "bare/index.json", b'{"schemaVersion":2,"manifests":[]}')
    out, _ = run(stage, path, "apply", "w.delta", "oci:bare:x:y", "--json")
    told = json.loads(out)
    assert told["digest"] == two and told["made_layers"] == 1 and told["reference"] == "oci:bare:x:y", told
    assert two in all_blobs(path + "/bare")
    # What a place has already is not made again.
    told = json.loads(run(stage, path, "apply", "w.delta", "oci:bare:x:z", "--json")[0])
    assert told["made_layers"] == 0 and told["read"] == 0, told


@scenario
def a_wheel_more_another_version_and_one_less(stage):
    path, one, two = weeks(stage, first=["pip: [numpy==1.26.4, early==1.1.dev3, torchvision]"], then=["pip: [numpy==2.2.0, deep==1.0, torchvision]"])
    run(stage, path, "copy", "--all", "oci:week-1", "oci:here:course:old")
    run(stage, path, "delta", "oci:week-1", "oci:week-2", "-o", "w.delta")
    assert size(path, "w.delta") < 60000, size(path, "w.delta")
    run(stage, path, "apply", "w.delta", "oci:here:course:new")
    same(path, "here", two)
    # And back again.
    run(stage, path, "delta", "oci:week-2", "oci:week-1", "-o", "back.delta")
    run(stage, path, "apply", "back.delta", "oci:week-2:course:back")
    assert one in all_blobs(path + "/week-2")


@scenario
def every_form(stage):
    """Layers of one gzip member, of one zstd frame and of many."""
    for form, most in (('"gzip,single"', 60000), ("zstd", 60000), ("zstd:chunked", 120000)):
        path, one, two = weeks(stage, f"compression: {form}")
        run(stage, path, "copy", "--all", "oci:week-1", "oci:here:course:old")
        run(stage, path, "delta", "oci:week-1", "oci:week-2", "-o", "w.delta")
        assert size(path, "w.delta") < most, (form, size(path, "w.delta"))
        if form == "zstd":
            liar = Liar(stage, path, "w.delta", "here", two)
            liar.wrong(lambda h, at: h.__setitem__("encoder", "zstd/0.0.1/3"), 7, "needs zstd/0.0.1/3, and this machine has zstd/")
        run(stage, path, "apply", "w.delta", "oci:here:course:new")
        same(path, "here", two)


@scenario
def registries(stage):
    """Where the old image is in a registry, only what is made is sent, and the lock goes along."""
    path, one, two = weeks(stage)
    with Registry() as r:
        for week in ("week-1", "week-2"):
            run(stage, path, "copy", "--all", f"oci:{week}", f"docker://{r.host}/course:{week}")
        run(stage, path, "delta", f"docker://{r.host}/course:week-1", f"docker://{r.host}/course:week-2", "-o", "w.delta")
        run(stage, path, "delta", "oci:week-1", "oci:week-2", "-o", "here.delta")
        assert size(path, "w.delta") - size(path, "here.delta") in range(-100, 100)  # but for the names
    with Registry() as r:
        run(stage, path, "copy", "--all", "oci:week-1", f"docker://{r.host}/course:latest")
        mark = len(r.log)
        out, err = run(stage, path, "apply", "--json", "w.delta", f"docker://{r.host}/course:latest")
        told = json.loads(out)
        assert told["reference"] == f"{r.host}/course@{two}" and told["made_layers"] == 1, told
        tags = r.repositories["course"].tags
        assert tags["latest"] == two and len([t for t in tags if t.endswith(".lock")]) == 2, tags
        layers = [d["digest"] for d in json.loads(all_blobs(path + "/week-2")[two])["layers"]]
        fetched = {p.rsplit("/", 1)[1] for m, p, _ in r.log[mark:] if m == "GET" and "/blobs/" in p} & set(layers)
        assert not fetched, fetched  # of the new image's
        run(stage, path, "copy", f"docker://{r.host}/course:latest", "oci:back")
        assert two in all_blobs(path + "/back")


# ---- engines, by one of our own ----

# It keeps layers as tars, as Docker's classic store and Podman do; `kept` is what it has.
ENGINE = """#!/usr/bin/env python3
import hashlib, io, json, os, sys, tarfile, gzip
kept = os.environ["HOME"] + "/kept/"
def blob(name):
    with open(kept + name, "rb") as f:
        return f.read()
def add(tar, name, body):
    t = tarfile.TarInfo(name)
    t.size = len(body)
    tar.addfile(t, io.BytesIO(body))
args = sys.argv[1:]
if args[0] == "info":
    print("[]")
elif args[:2] == ["image", "inspect"] and "RepoTags" in args[-2]:
    os.path.exists(kept + args[-1]) or sys.exit(1)
    print(json.dumps([n.replace("_", "/") for n in os.listdir(kept) if ":" in n and open(kept + n).read() == args[-1]]))
elif args[:2] == ["image", "inspect"]:
    name = kept + args[-1].replace("/", "_")
    number = open(name).read() if ":" in args[-1] else args[-1]
    print(json.dumps(["sha256:" + number] if ".Id" in args[-2] else json.loads(blob(number))["rootfs"]["diff_ids"]))
elif args[0] == "save":
    if os.path.exists(kept + "by name alone"):
        ":" in args[1] or sys.exit("Error response from daemon: invalid repository name")
        args[1] = open(kept + args[1].replace("/", "_")).read()
    if not os.path.exists(kept + args[1]):
        sys.exit("Error: No such image: " + args[1])
    config = json.loads(blob(args[1]))
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as tar:
        layers = [d[7:] for d in config["rootfs"]["diff_ids"]]
        for d in layers:
            add(tar, d + "/layer.tar", blob(d))
        add(tar, args[1] + ".json", blob(args[1]))
        add(tar, "manifest.json", json.dumps([{"Config": args[1] + ".json", "RepoTags": None, "Layers": [d + "/layer.tar" for d in layers]}]).encode())
elif args[0] == "load":
    names = []
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as tar:
        files = {t.name: tar.extractfile(t).read() for t in tar if t.isfile()}
    item = json.loads(files["manifest.json"])[0]
    config = files[item["Config"]]
    for path, diff in zip(item["Layers"], json.loads(config)["rootfs"]["diff_ids"]):
        if path in files:
            body = files[path]
            body = gzip.decompress(body) if body[:2] == b"\\x1f\\x8b" else body
            assert "sha256:" + hashlib.sha256(body).hexdigest() == diff, path
            open(kept + diff[7:], "wb").write(body)
        assert os.path.exists(kept + diff[7:]), "a layer is missing: " + path
    open(kept + hashlib.sha256(config).hexdigest(), "wb").write(config)
    open(kept + item["RepoTags"][0].replace("/", "_"), "w").write(hashlib.sha256(config).hexdigest())
    with open(kept + "told", "a") as f:
        f.write(f"{item['RepoTags'][0]} {len([p for p in item['Layers'] if p in files])}\\n")
"""


def with_engine(stage, path, program, *args, code=0):
    os.makedirs(path + "/bin", exist_ok=True)
    os.makedirs(path + "/.home/kept", exist_ok=True)
    put(path, "bin/" + program, ENGINE.encode())
    os.chmod(path + "/bin/" + program, 0o755)
    got, out, err = end(start(stage, path, *args, PATH=path + "/bin:/usr/bin:/bin"))
    assert got == code, (got, out, err)
    return out, err


@scenario
def engines(stage):
    """An image that was loaded becomes the new one, by tars: the same image ID."""
    path, one, two = weeks(stage)
    run(stage, path, "delta", "oci:week-1", "oci:week-2", "-o", "w.delta")
    config = lambda week, digest: json.loads(all_blobs(f"{path}/{week}")[digest])["config"]["digest"]
    for program in ("docker", "podman"):
        err = with_engine(stage, path, program, "apply", "w.delta", f"{program}:course:latest", code=7)[1]
        assert f"w.delta needs the image {config('week-1', one)} in {program}" in err and "No such image" in err, err
        with_engine(stage, path, program, "copy", "oci:week-1", f"{program}:course:latest")
        out, err = with_engine(stage, path, program, "apply", "w.delta", f"{program}:course:latest")
        assert out == "course:latest\n" and "made 1 of" in err, (out, err)
        assert os.path.exists(f"{path}/.home/kept/{config('week-2', two)[7:]}")
        told = read(path, ".home/kept/told").decode().splitlines()
        layers = len(json.loads(all_blobs(path + "/week-2")[two])["layers"])
        changed = [i for i, (a, b) in enumerate(zip(*(json.loads(all_blobs(f"{path}/{w}")[d])["layers"] for w, d in (("week-1", one), ("week-2", two))))) if a != b]
        assert told == [f"course:latest {layers}", f"course:latest {layers - changed[0] if program == 'docker' else layers}"], (told, changed)
        if program == "docker":
            err = with_engine(stage, path, program, "apply", "w.delta", f"{program}:course:latest", "-o", "oci:images:x:y", code=3)[1]
            assert "has the layers unpacked" in err and one in err, err
            run(stage, path, "apply", "w.delta", "oci:week-1", "-o", "docker-archive:whole.tar:a:b")
        with_engine(stage, path, program, "copy", "oci:week-1", f"{program}:course:latest")
        put(path, ".home/kept/by name alone", b"")  # as Docker 26 does where containerd keeps its images
        with_engine(stage, path, program, "apply", "w.delta", f"{program}:course:latest")
        shutil.rmtree(path + "/.home/kept")


# ---- images that others built ----


def foreign(path, layout, layers, media="application/vnd.oci.image.layer.v1.tar"):
    """A layout with one image; `layers` are tars and what packs them."""
    blobs = {}

    def add(body, kind):
        digest = hashlib.sha256(body).hexdigest()
        blobs[digest] = body
        return {"mediaType": kind, "digest": "sha256:" + digest, "size": len(body)}

    made = [add(pack(tar), media + {b"\x1f\x8b": "+gzip", b"\x28\xb5": "+zstd"}.get(pack(tar)[:2], "")) for tar, pack in layers]
    config = add(json.dumps({"os": "linux", "architecture": "amd64", "config": {}, "rootfs": {
        "type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar).hexdigest() for tar, _ in layers]}}).encode(), "application/vnd.oci.image.config.v1+json")
    manifest = add(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": made}).encode(),
                   "application/vnd.oci.image.manifest.v1+json")
    for digest, body in blobs.items():
        put(path, f"{layout}/blobs/sha256/{digest}", body)
    put(path, layout + "/oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    put(path, layout + "/index.json", json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode())
    return manifest["digest"]


def tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for name, body in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.size = len(body)
            t.addfile(info, io.BytesIO(body))
    return out.getvalue()


def packed(body):
    return gzip.compress(body, mtime=0)


def members(body):
    return b"".join(packed(body[i:i + 30720]) for i in range(0, len(body), 30720))


@scenario
def images_of_others(stage):
    path = stage.fresh()
    base = tar({"usr/lib/big": noise(400000, 5)})
    files = {f"app/m{i:02}.py": text(30000, i) for i in range(60)}
    later = {**files, "app/m07b.py": text(3000, 70)}
    for name, pack, most in (("plain", lambda b: b, 10000), ("members", members, 400000), ("gzip", packed, None), ("bzip2", bz2.compress, None)):
        foreign(path, name + "-1", [(base, packed), (tar(files), pack)])
        two = foreign(path, name + "-2", [(base, packed), (tar(later), pack)])
        err = run(stage, path, "delta", f"oci:{name}-1", f"oci:{name}-2", "-o", name)[1]
        if most:
            assert size(path, name) < most, (name, size(path, name))
        assert ("a pull costs less" in err) == (most is None), err
        run(stage, path, "apply", name, f"oci:{name}-1:a:b")
        assert two in all_blobs(f"{path}/{name}-1")
    # A layer more, none less, and one twice.
    two = foreign(path, "more", [(base, packed), (tar(files), packed), (tar(later), packed), (tar(later), packed)])
    run(stage, path, "delta", "oci:gzip-1@" + images(json.loads(read(path, "gzip-1/index.json")))[0]["digest"], "oci:more", "-o", "m")
    run(stage, path, "apply", "m", "oci:gzip-1:c:d")
    assert two in all_blobs(path + "/gzip-1")
    # The same image: nothing but its documents.
    run(stage, path, "delta", "oci:more", "oci:more", "-o", "same")
    assert size(path, "same") < 2000
    run(stage, path, "apply", "same", "oci:more:e:f")
    # Without digests.
    whole = tarfile.open(path + "/saved.tar", "w")
    manifest = json.loads(all_blobs(path + "/more")[two])
    body = all_blobs(path + "/more")[manifest["config"]["digest"]]
    for name, b in (("c.json", body), *((f"{i}/layer.tar", gzip.decompress(all_blobs(path + "/more")[d["digest"]])) for i, d in enumerate(manifest["layers"])),
                    ("manifest.json", json.dumps([{"Config": "c.json", "RepoTags": ["x:y"], "Layers": [f"{i}/layer.tar" for i in range(4)]}]).encode())):
        info = tarfile.TarInfo(name)
        info.size = len(b)
        whole.addfile(info, io.BytesIO(b))
    whole.close()
    err = run(stage, path, "delta", "docker-archive:saved.tar", "oci:more", "-o", "x", code=3)[1]
    assert "saved.tar does not tell the digests of its layers" in err and not os.path.exists(path + "/x"), err


# ---- what goes wrong ----


@scenario
def too_many_parts(stage):
    """Frames and members of no byte or one are noted one by one: the memory for them is bounded, whatever a blob is made of."""
    path = stage.fresh()
    body = tar({"a": b"a"}) + bytes(200000)
    empty = packed(b"")
    number = lambda n, size: n.to_bytes(size, "little")
    frame = lambda b: b"\x28\xb5\x2f\xfd\xa0" + number(len(b), 4) + number(len(b) << 3 | 1, 3) + b  # of one raw block
    frames = lambda b: b"".join(frame(b[i:i + 65536]) for i in range(0, len(b), 65536))
    ways = {"frames": (1 << 20, "more than 1048576 gzip members and zstd frames, too many for a delta; copy the new image whole",
                       lambda n: lambda b: frames(b[:1024]) + frame(b"") * n + frames(b[1024:])),
            "members": (1 << 20, "more than 1048576 gzip members and zstd frames", lambda n: lambda b: packed(b) + empty * n),
            "turns": (140000, "the images differ in too many places for a delta; copy the new one whole",
                      lambda n: lambda b: frames(b[:-n]) + (frame(b"") + frame(b"\0")) * n)}
    old = foreign(path, "old", [(body, packed)])
    for name, (most, words, pack) in ways.items():
        two = foreign(path, name, [(body, pack(3))])
        run(stage, path, "delta", "oci:old@" + old, "oci:" + name, "-o", "x")
        run(stage, path, "apply", "x", f"oci:old:{name}:new")
        assert two in all_blobs(path + "/old")
        foreign(path, "many", [(body, pack(most))])
        err = run(stage, path, "delta", "oci:old@" + old, "oci:many", "-o", "y", code=3)[1]
        assert words in err and not os.path.exists(path + "/y"), err
        shutil.rmtree(path + "/many")


@scenario
def what_is_not_right(stage):
    path, one, two = weeks(stage)
    run(stage, path, "copy", "oci:week-1", "oci:here:course:old")
    run(stage, path, "delta", "oci:week-1", "oci:week-2", "-o", "w.delta")
    before = sorted(all_blobs(path + "/here"))
    body = read(path, "w.delta")

    def refused(name, code, *words, place="oci:here:course:new"):
        err = run(stage, path, "apply", name, place, code=code)[1]
        assert all(w in err for w in words), err
        assert sorted(all_blobs(path + "/here")) == before, err

    for n in (0, 10, 17, 60, len(body) // 2, len(body) - 1):
        put(path, "cut", body[:n])
        refused("cut", 3 if n < 57 else 6, "cut is not a delta" if n < 57 else "cut is cut or damaged: fetch it again")
    for at in random.Random(1).sample(range(20, len(body)), 12):
        put(path, "flipped", body[:at] + bytes([body[at] ^ 1 << at % 8]) + body[at + 1:])
        refused("flipped", 6, "flipped is cut or damaged")
    put(path, "newer", body.replace(b"delta 1\n", b"delta 2\n"))
    refused("newer", 3, "of a form that this envbuild does not know")
    put(path, "long", body + b"x")
    refused("long", 6, "damaged")
    # A place that has another image, or none.
    refused("w.delta", 3, "w.delta needs the image " + one, place="oci:week-2:course:new")
    err = run(stage, path, "apply", "w.delta", "oci:nowhere:x:y", code=3)[1]
    assert "w.delta needs the image " + one in err and not os.path.exists(path + "/nowhere"), err
    run(stage, path, "copy", "oci:week-2", "dir:flat")
    refused("w.delta", 3, "flat is another image than w.delta is made for", one, place="dir:flat")
    for args, words in ((["delta", "oci:week-1"], "delta"), (["apply", "w.delta", "here"], "places are"),
                        (["apply", "w.delta", "docker-archive:-"], "standard output has no old image"), (["apply", "w.delta", "oci:here,compression=zstd"], "compression")):
        err = run(stage, path, *args, code=2)[1]
        assert words in err, err
    # A blob of the old image that is damaged on the disk, in what is wanted of it.
    layers = [d["digest"] for d in json.loads(all_blobs(path + "/here")[one])["layers"]]
    gone = next(d for d in layers if d not in [x["digest"] for x in json.loads(all_blobs(path + "/week-2")[two])["layers"]])
    name = f"here/blobs/sha256/{gone[7:]}"
    os.chmod(os.path.join(path, name), 0o644)
    whole = read(path, name)
    for at in (len(whole) // 3, len(whole) - 400000):
        put(path, name, whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1:])
        err = run(stage, path, "apply", "w.delta", "oci:here:course:new", code=6)[1]
        assert gone in err or "is damaged" in err, err
        assert two[7:] not in os.listdir(path + "/here/blobs/sha256"), err
    put(path, name, whole)
    run(stage, path, "apply", "w.delta", "oci:here:course:new")
    assert two in all_blobs(path + "/here")


class Liar:
    """A delta whose head says something else, with a hash that is right, as whoever means harm would write it."""

    def __init__(self, stage, path, name, layout, new):
        self.stage, self.path, self.layout, self.new, self.body = stage, path, layout, new, read(path, name)
        packed_len, _ = struct.unpack("<II", self.body[17:25])
        self.rest = self.body[25 + packed_len:-32]
        self.head = json.loads(self.zstd(self.body[25:25 + packed_len], "-d"))

    def zstd(self, body, *how):
        return subprocess.run(["zstd", "-q", *how], input=body, capture_output=True, check=True).stdout

    def pieces(self, kind):
        return [(i, p) for i, p in enumerate(self.head["layers"][0]["pieces"]) if p[0] == kind]

    def wrong(self, change, code, *words, there=False):
        lying = json.loads(json.dumps(self.head))
        change(lying, lying["layers"][0]["pieces"])
        text = json.dumps(lying).encode()
        frame = self.zstd(text)
        made = self.body[:17] + struct.pack("<II", len(frame), len(text)) + frame + self.rest
        put(self.path, "lying", made + hashlib.sha256(made).digest())
        err = run(self.stage, self.path, "apply", "lying", f"oci:{self.layout}:course:new", code=code)[1]
        assert any(w in err for w in words), (words, err)
        assert (self.new[7:] in os.listdir(f"{self.path}/{self.layout}/blobs/sha256")) == there


@scenario
def a_head_that_lies(stage):
    path, one, two = weeks(stage)
    run(stage, path, "copy", "oci:week-1", "oci:here:course:old")
    run(stage, path, "delta", "oci:week-1", "oci:week-2", "-o", "w.delta")
    liar = Liar(stage, path, "w.delta", "here", two)
    wrong = liar.wrong
    assert liar.head["manifest"] == two and liar.head["old"]["manifest"] == one
    i, piece = next((i, p) for i, p in liar.pieces(2) if p[2][0])  # that begins with a run of the old image
    wrong(lambda h, at: h.pop("old"), 3, "OLD has not", "name two images")
    wrong(lambda h, at: at[i].__setitem__(0, 7), 3, "of a kind")
    wrong(lambda h, at: at[i].__setitem__(0, 4), 3, "of a kind")
    wrong(lambda h, at: at[i][2].__setitem__(0, 99), 3, "a layer that OLD has not")
    wrong(lambda h, at: at[i][2].__setitem__(2, 1 << 21), 3, "too large", "more or less")
    wrong(lambda h, at: at[i].__setitem__(1, 1 << 19), 3, "shorter than its head says")
    wrong(lambda h, at: at[i].append(1), 3, "too long")
    wrong(lambda h, at: h["layers"][0].__setitem__("size", 1 << 60), 3, "more or less than it has")
    wrong(lambda h, at: h["layers"][0].__setitem__("plain", 1 << 62), 3, "more or less", "too large")
    wrong(lambda h, at: h["layers"][0].__setitem__("form", "lzma"), 3, "unknown form")
    wrong(lambda h, at: h["layers"][0].__setitem__("form", "single"), 3, "of a kind", "more or less")
    wrong(lambda h, at: h["layers"].pop(0), 3, "longer than its head says")
    wrong(lambda h, at: h["documents"][0].__setitem__("size", 1 << 60), 3, "documents are too large")
    wrong(lambda h, at: h["documents"][1].__setitem__("size", h["documents"][1]["size"] + 1), 3, "zstd")
    wrong(lambda h, at: h.__setitem__("manifest", "sha256:" + "1" * 64), 3, "lacks a document")
    wrong(lambda h, at: at[i][2].__setitem__(1, piece[2][1] + 512), 6, "does not come out right")
    wrong(lambda h, at: at[i][2].__setitem__(1, 1 << 37), 6, "ends early")
    wrong(lambda h, at: h["old"]["layers"].pop(), 3, "another image", "OLD has not")
    wrong(lambda h, at: h["locks"].__setitem__(0, "sha256:" + "1" * 64), 3, "lacks a document", there=True)  # the lock comes behind the image
    body = {f"app/m{i:02}.py": text(30000, i) for i in range(20)}
    foreign(path, "theirs", [(tar(body), members)])
    new = foreign(path, "theirs-2", [(tar({**body, "app/m09b.py": b"x" * 3000}), members)])
    run(stage, path, "delta", "oci:theirs", "oci:theirs-2", "-o", "t.delta")
    liar = Liar(stage, path, "t.delta", "theirs", new)
    copy, raw = liar.pieces(0)[0][0], liar.pieces(1)[0][0]
    liar.wrong(lambda h, at: at[copy].__setitem__(1, 99), 3, "a layer that OLD has not")
    liar.wrong(lambda h, at: at[copy].__setitem__(2, 1 << 40), 3, "outside its layer")
    liar.wrong(lambda h, at: at[copy].__setitem__(2, (1 << 64) - 1), 3, "outside its layer")
    liar.wrong(lambda h, at: at[raw].__setitem__(1, at[raw][1] - 1), 3, "longer than its head says")
    liar.wrong(lambda h, at: at.append(at[copy]), 3, "more or less")
    run(stage, path, "apply", "t.delta", "oci:theirs:course:new")


def layers(path, layout, digest):
    return [d["digest"] for d in json.loads(all_blobs(os.path.join(path, layout))[digest])["layers"]]


def halfway(seen, hold):
    """A blob of a registry of which half comes, until somebody lets the rest go."""
    def do(handler):
        body = handler.server.registry.blobs["sha256:" + handler.path.rsplit(":", 1)[1]]
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:len(body) // 2])
        handler.wfile.flush()
        seen.set()
        hold.wait(PATIENCE)
        handler.close_connection = True
        return True

    return do


def stopped(stage, path, r, fault, sign, args):
    """What has met the fault gets the signal."""
    seen, hold = threading.Event(), threading.Event()
    r.faults[:] = [fault(seen, hold)]
    p = start(stage, path, *args)
    while not seen.wait(0.05):
        assert p.poll() is None, end(p)
    p.send_signal(sign)
    code, _, err = end(p)
    hold.set()
    r.settle()
    r.faults.clear()
    assert code == (130 if sign == signal.SIGINT else -sign), (code, err)


@scenario
def stopped_in_a_layer(stage):
    """Its bytes are read the first time to be kept, the second to be put into the new layer. Nothing half-written stays, and the
    same command again ends well."""
    path, one, two = weeks(stage, big=3000000)
    run(stage, path, "delta", "oci:week-1", "oci:week-2", "-o", "w.delta")
    (changed,) = set(layers(path, "week-1", one)) - set(layers(path, "week-2", two))
    with Registry() as r:
        run(stage, path, "copy", "--all", "oci:week-1", f"docker://{r.host}/x:old")
        args = ("apply", "w.delta", f"docker://{r.host}/x:old", "-o", "oci:here:course:new")
        for sign in (signal.SIGINT, signal.SIGKILL):
            for after in (0, 1):
                stopped(stage, path, r, lambda *events: Fault("GET", "blobs/" + changed, 1, after, do=halfway(*events)), sign, args)
                left = set(all_blobs(path + "/here")) if os.path.exists(path + "/here/blobs/sha256") else set()
                assert left <= set(all_blobs(path + "/week-2")) and not left & (set(layers(path, "week-2", two)) - set(layers(path, "week-1", one)))
                if os.path.exists(path + "/here/index.json"):
                    assert not json.loads(read(path, "here/index.json"))["manifests"]
        assert printed(path, run(stage, path, *args)[0]) == two
        same(path, "here", two)
        check_layout(path + "/here", two)


@scenario
def stopped_while_it_sends(stage):
    """An upload that was begun is cancelled, where there is time for it; there is no tag, and the same command again ends well."""
    path, one, two = weeks(stage)
    run(stage, path, "delta", "oci:week-1", "oci:week-2", "-o", "w.delta")
    (new,) = set(layers(path, "week-2", two)) - set(layers(path, "week-1", one))
    args = lambda r: ("apply", "w.delta", "oci:week-1", "-o", f"docker://{r.host}/x:new")

    def stall(seen, hold):
        def do(handler):
            seen.set()
            hold.wait(PATIENCE)
            return False

        return Fault("PATCH|PUT", "uploads", 1, do=do)

    for sign in (signal.SIGINT, signal.SIGKILL):
        with Registry() as r:
            stopped(stage, path, r, stall, sign, args(r))
            assert not r.repository("x").tags and new not in r.repository("x").blobs
            if sign == signal.SIGINT:
                # One that was asked for in the last moment, whose answer nobody read, the client does not know.
                used = [p for m, p, _ in r.log if m in ("PATCH", "PUT")]
                assert not [s for s in r.sessions if any(s in p for p in used)], r.log
                assert any(m == "DELETE" and "uploads" in p for m, p, _ in r.log), r.log
            assert run(stage, path, *args(r))[0].strip() == f"{r.host}/x@{two}"
            assert r.repository("x").tags["new"] == two and new in r.repository("x").blobs


@scenario
def disks_that_are_full(stage):
    """The old image's own, another place's, and that of the scratch files of a push."""
    path, one, two = weeks(stage)
    run(stage, path, "delta", "oci:week-1", "oci:week-2", "-o", "w.delta")
    with tmpfs(path + "/small", "100k"):
        err = run(stage, path, "apply", "w.delta", "oci:week-1", "-o", "oci-archive:small/new.tar", code=7)[1]
        assert "No space left" in err and not os.listdir(path + "/small"), err
        with Registry() as r:
            err = run(stage, path, "apply", "--store", "small/store", "w.delta", "oci:week-1", "-o", f"docker://{r.host}/x:new", code=7)[1]
            assert "No space left" in err and not r.repository("x").tags and not r.sessions, err
            assert run(stage, path, "apply", "w.delta", "oci:week-1", "-o", f"docker://{r.host}/x:new")[0].strip() == f"{r.host}/x@{two}"
    room = sum(map(len, all_blobs(path + "/week-1").values())) // 1024 + 300
    with tmpfs(path + "/full", f"{room}k") as disk:
        shutil.copytree(path + "/week-1", path + "/full/lay")
        before = all_blobs(path + "/full/lay"), read(path, "full/lay/index.json")
        err = run(stage, path, "apply", "w.delta", "oci:full/lay:course:new", code=7)[1]
        assert "No space left" in err, err
        assert (all_blobs(path + "/full/lay"), read(path, "full/lay/index.json")) == before
        assert not [f for _, _, files in os.walk(path + "/full") for f in files if f.startswith(".envbuild-")]
        disk.grow("100m")
        run(stage, path, "apply", "w.delta", "oci:full/lay:course:new")
        same(path, "full/lay", two)


@scenario
def served(stage):
    """The teacher's machine makes the delta for what a place has."""
    path, one, two = weeks(stage)
    run(stage, path, "copy", "--all", "oci:week-1", "oci:all:course:week-1")
    run(stage, path, "copy", "--all", "oci:week-2", "oci:all:course:latest")
    run(stage, path, "copy", "--all", "oci:week-1", "oci:here:course:mine")
    for week in ("week-1", "week-2"):  # the tag moves, and the lock of the first tells what it named
        run(stage, path, "copy", "--all", "oci:" + week, "oci:grown:course:latest")
    run(stage, path, "copy", "--all", "oci:week-1", "oci:mine:course:mine")
    with Serve(stage, path, "oci:grown") as s:
        assert run(stage, path, "apply", f"http://{s.host}/course", "oci:mine:course:mine")[0] == "oci:mine:course:mine\n"
        same(path, "mine", two)
        assert s.ask("/v2/course/manifests/" + one)[0] == 404, "what is not named is not handed out"
    with Serve(stage, path, "oci:all") as s:
        out, err = run(stage, path, "apply", f"http://{s.host}/course", "oci:here:course:mine")
        assert out == "oci:here:course:mine\n" and printed(path, out) == two, (out, err)
        same(path, "here", two)
        config = json.loads(all_blobs(path + "/week-1")[one])["config"]["digest"]
        with_engine(stage, path, "docker", "copy", "oci:week-1", "docker:course:latest")
        err = with_engine(stage, path, "docker", "apply", f"http://{s.host}/course:latest", "docker:course:none", code=3)[1]
        assert "docker has no image course:none" in err, err
        with_engine(stage, path, "docker", "apply", f"http://{s.host}/course:latest", "docker:")
        assert read(path, ".home/kept/docker.io_library_course:latest").decode() == json.loads(all_blobs(path + "/week-2")[two])["config"]["digest"][7:]
        status, headers, body = s.ask(f"/delta/course:latest?have={config}")
        assert status == 200 and body[:17] == b"envbuild delta 1\n" and headers["Accept-Ranges"] == "bytes", (status, headers)
        assert s.ask(f"/delta/course?have={one}", Range="bytes=0-16")[::2] == (206, body[:17])
        table = s.ask("/table")[2].decode()
        assert re.search(r"<td>127\.0\.0\.1</td><td>[^<]* · a delta</td>", table) and "all done" in table, table
        assert " · 增量</td>" in s.ask("/table?lang=zh")[2].decode()
        for ask, status in (("course", 404), ("course?have=x", 404), (f"course?have=sha256:{'1' * 64}", 404), (f"other?have={one}", 404),
                            (f"course:no?have={one}", 404), (f"../course?have={one}", 404), ("", 404)):
            assert s.ask("/delta/" + ask)[0] == status, ask
        err = run(stage, path, "apply", f"http://{s.host}/course", "oci:nowhere:x:y", code=3)[1]
        assert "nowhere is not there" in err, err
        err = run(stage, path, "apply", f"http://{s.host}/", "oci:here:course:mine", code=2)[1]
        assert "names no image" in err, err
    assert re.search(r"envbuild: 1 machine fetched \d.* in .*, 1 of them by a delta\n", s.err), s.err
