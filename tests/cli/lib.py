# SPDX-License-Identifier: Apache-2.0
"""What no single command can show. Each function takes the stage of run.py and raises when a promise is broken."""
import gzip, hashlib, io, json, os, random, shutil, signal, subprocess, tarfile, time

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


def end(process):
    out, err = process.communicate(timeout=90)
    return process.returncode, out.decode(), err.decode()


def build(stage, path, *args, code=0, **how):
    """The digest, or the error's text where another code than 0 is expected."""
    got, out, err = end(start(stage, path, "build", "-q", "--index", stage.index, "recipe.yaml", *args, **how))
    assert got == code, f"exit {got}, not {code}: {err}"
    if code:
        assert not out and err.startswith(("envbuild: ", "recipe.")), f"stdout {out!r}, stderr {err!r}"
        return err
    assert out.count("\n") == 1 and not err, f"stdout {out!r}, stderr {err!r}"
    return out.strip().split("@")[1]


class mischief:
    def __init__(self, stage, *lines):
        self.file, self.lines = os.path.join(stage.world, "mischief"), lines

    def __enter__(self):
        with open(self.file, "w") as f:
            f.write("\n".join(self.lines))

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


def blobs(layout):
    """Every blob's bytes by digest; each must be what its name says."""
    found = {}
    folder = os.path.join(layout, "blobs", "sha256")
    for name in sorted(os.listdir(folder)):
        body = read(folder, name)
        assert hashlib.sha256(body).hexdigest() == name, f"{folder}/{name} is not what its name says"
        found["sha256:" + name] = body
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


def check_layout(layout, digest):
    """A whole, valid image; gives all blobs."""
    all_blobs = blobs(layout)
    assert json.loads(read(layout, "oci-layout")) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads(read(layout, "index.json"))
    assert digest in [m["digest"] for m in index["manifests"]], "the index lacks the image"
    for m in index["manifests"]:
        manifest = json.loads(all_blobs[m["digest"]])
        assert len(all_blobs[m["digest"]]) == m["size"]
        config = json.loads(all_blobs[manifest["config"]["digest"]])
        assert len(config["rootfs"]["diff_ids"]) == len(manifest["layers"]) > 3
        for layer, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"]):
            body = all_blobs[layer["digest"]]
            plain = gzip.decompress(body)
            assert len(body) == layer["size"]
            assert "sha256:" + hashlib.sha256(plain).hexdigest() == diff_id, "a diff_id is not its layer's"
            check_entries(layer["digest"], plain)
    return all_blobs


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


GOLD = {}


def golden(stage):
    """The digest and blobs that every other way must give."""
    if not GOLD:
        path = stage.fresh()
        GOLD["digest"] = build(stage, path)
        GOLD["blobs"] = check_layout(path + "/images", GOLD["digest"])
        GOLD["lock"] = read(path, "recipe.lock")
        assert check_store(path) > 10
    return GOLD["digest"], GOLD["blobs"]


# ---- the same bytes everywhere ----


@scenario
def layout_is_valid(stage):
    golden(stage)


@scenario
def same_bytes_everywhere(stage):
    digest, want = golden(stage)
    for name, args, how in [("another folder", (), {}), ("umask", (), {"wrap": ["sh", "-c", "umask 077; exec \"$@\"", "-"]}),
                            ("zone", (), {"TZ": "Asia/Kathmandu"}), ("locale", (), {"LC_ALL": "C.UTF-8"}), ("-j1", ("-j1",), {}),
                            ("-j4", ("-j4", "--downloads", "1"), {}), ("home", (), {"HOME": "/nonexistent"})]:
        path = stage.fresh()
        assert build(stage, path, *args, **how) == digest, name
        assert blobs(path + "/images") == want, name


@scenario
def same_bytes_as_another_user(stage):
    if os.getuid() != 0 or not shutil.which("setpriv"):
        raise Skip("only root can become somebody else")
    digest, want = golden(stage)
    path = stage.fresh()
    program = shutil.copy(stage.envbuild, path)
    os.chmod(stage.top, 0o755)
    for name in [path, *(os.path.join(path, n) for n in os.listdir(path))]:
        os.chmod(name, 0o777)
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "build", "-q",
                           "--index", stage.index, "recipe.yaml"], cwd=path, env=stage.env(path), capture_output=True,
                          timeout=90, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().strip().endswith(digest)
    assert blobs(path + "/images") == want


@scenario
def same_bytes_at_another_time(stage):
    if not shutil.which("faketime"):
        raise Skip("faketime is not installed")
    digest, _ = golden(stage)
    # Under AddressSanitizer, which wants to be loaded first, faketime is let in before it.
    wrap = ["env", "ASAN_OPTIONS=verify_asan_link_order=0", "faketime", "2031-01-01"]
    assert build(stage, stage.fresh(), wrap=wrap) == digest


@scenario
def lock_into_empty_store(stage):
    digest, want = golden(stage)
    path = locked(stage)
    assert build(stage, path, "--locked") == digest
    assert read(path, "recipe.lock") == GOLD["lock"], "--locked changed the lock"
    assert blobs(path + "/images") == want


@scenario
def archives_hold_the_same(stage):
    digest, want = golden(stage)
    path = stage.fresh()
    assert build(stage, path, "-o", "oci-archive:o.tar") == digest
    assert build(stage, path, "-o", "docker-archive:d.tar") == digest
    piped = start(stage, path, "build", "-q", "recipe.yaml", "-o", "-")
    code, out, err = *(lambda o: (piped.returncode, *o))(piped.communicate(timeout=60)),
    assert code == 0 and digest.encode() in err, err
    assert out == read(path, "d.tar"), "standard output is not the docker-archive"
    for name in ("o", "d"):
        with tarfile.open(f"{path}/{name}.tar") as tar:
            tar.extractall(f"{path}/{name}", filter="data") if hasattr(tarfile, "data_filter") else tar.extractall(f"{path}/{name}")
        assert check_layout(f"{path}/{name}", digest) == want, name
    manifest = json.loads(read(path, "d/manifest.json"))
    assert len(manifest) == 1 and all(os.path.exists(f"{path}/d/{x}") for x in manifest[0]["Layers"])


@scenario
def tags_share_a_layout(stage):
    path = stage.fresh()
    first = build(stage, path, "-o", "oci:all:one")
    build(stage, path, "-o", "oci:all:two")
    os.unlink(path + "/recipe.lock")
    with open(path + "/recipe.yaml", "a") as f:
        f.write("env: {A: b}\n")
    second = build(stage, path, "-o", "oci:all:two")
    assert first != second
    tags = {m["annotations"]["org.opencontainers.image.ref.name"]: m["digest"] for m in json.loads(read(path, "all/index.json"))["manifests"]}
    assert tags == {"one": first, "two": second}, tags
    check_layout(path + "/all", second)


# ---- being stopped ----


@scenario
def killed_ten_times(stage):
    digest, want = golden(stage)
    path, dice = locked(stage), random.Random(7)
    with mischief(stage, "slow always torch-2.6.0-cp", "slow always /pool/"):
        for _ in range(10):
            p = start(stage, path, "build", "-q", "--index", stage.index, "recipe.yaml")
            time.sleep(dice.uniform(0.02, 0.6))
            p.kill()
            end(p)
            check_store(path)
            if os.path.exists(path + "/images/blobs/sha256"):
                blobs(path + "/images")
    assert build(stage, path) == digest
    assert blobs(path + "/images") == want
    check_store(path)


@scenario
def interrupted(stage):
    digest, _ = golden(stage)
    path = locked(stage)
    with mischief(stage, "stall always torch-2.6.0-cp"):
        p = start(stage, path, "build", "-q", "--index", stage.index, "recipe.yaml")
        time.sleep(1)
        at = time.monotonic()
        p.send_signal(signal.SIGINT)
        code, out, err = end(p)
    assert time.monotonic() - at < 1, "more than a second to end"
    assert code == 130 and not out, f"exit {code}: {err}"
    nothing_published(path + "/images")
    check_store(path)
    assert build(stage, path) == digest


# ---- side by side ----


@scenario
def two_at_once(stage):
    digest, want = golden(stage)
    for outputs in (("oci:images", "oci:images"), ("oci:a", "oci:b")):
        path = stage.fresh()
        both = [start(stage, path, "build", "-q", "--index", stage.index, "recipe.yaml", "-o", o) for o in outputs]
        for p, o in zip(both, outputs):
            code, out, err = end(p)
            assert code == 0 and out.strip().endswith(digest), f"{o}: {code} {err}"
        for o in set(outputs):
            assert check_layout(os.path.join(path, o[4:]), digest) == want


# ---- a bad network ----


@scenario
def nobody_answers(stage):
    path = stage.fresh()
    got, _, err = end(start(stage, path, "build", "-q", "--index", "http://127.0.0.1:1/simple/", "recipe.yaml"))
    assert got == 5 and err.startswith("envbuild: ") and err.count("\n") == 1, f"{got} {err}"
    assert not os.path.exists(path + "/images") and not os.path.exists(path + "/recipe.lock")


@scenario
def wrong_bytes(stage):
    digest, _ = golden(stage)
    path = locked(stage)
    with mischief(stage, "wrong always /files/torch-2.6.0-cp311-cp311-manylinux1_x86_64.whl"):
        build(stage, path, "-j2", code=6)
        nothing_published(path + "/images")
        check_store(path)
    assert build(stage, path) == digest


@scenario
def faults_that_pass(stage):
    digest, _ = golden(stage)
    for fault in ("cut", "503"):
        with mischief(stage, f"{fault} 1 torch-2.6.0", f"{fault} 1 dpkg_", f"{fault} 1 /simple/numpy/"):
            assert build(stage, stage.fresh()) == digest, fault
    with mischief(stage, "norange always numpy"):
        build(stage, stage.fresh({"recipe.yaml": 'pytorch: "2.6.0"\nbase: ./base.yaml\npip: [numpy]\n'}))


# ---- a bad disk ----


def full(stage, mounted, *args):
    digest, want = golden(stage)
    path = locked(stage)
    with tmpfs(os.path.join(path, mounted), "4m") as disk:
        err = build(stage, path, *args, code=7)
        assert "No space left" in err, err
        assert read(path, "recipe.lock") == GOLD["lock"], "the lock was harmed"
        nothing_published(path + ("/disk/images" if mounted == "disk" else "/images"))
        check_store(path)
        disk.grow("200m")
        assert build(stage, path, *args) == digest
        assert blobs(path + ("/disk/images" if mounted == "disk" else "/images")) == want


@scenario
def full_store(stage):
    full(stage, ".cache")


@scenario
def full_output(stage):
    full(stage, "disk", "-o", "oci:disk/images")


@scenario
def output_not_writable(stage):
    path = stage.fresh()
    with tmpfs(path + "/ro", "1m"):
        subprocess.run(["mount", "-o", "remount,ro", path + "/ro"], check=True)
        assert "Read-only" in build(stage, path, "-o", "oci:ro/images", code=7)


@scenario
def unreadable_recipe(stage):
    if os.getuid() == 0:
        raise Skip("root reads everything")
    path = stage.fresh()
    os.chmod(path + "/recipe.yaml", 0)
    assert "Permission denied" in build(stage, path, code=3)
