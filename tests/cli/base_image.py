# SPDX-License-Identifier: Apache-2.0
"""Scenarios on somebody's own image: a layout made by hand, with tiny files that say what real ones say."""
import gzip, hashlib, io, json, os, shutil, tarfile

import bytecode, project
from lib import blobs, build, check_entries, end, printed, read, scenario, start, wheel_of
from overlaps import SITE, wheels

CHECK = "/usr/local/bin/envbuild-startup-check"

LIBC = b"\0GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\n"
VENV = "usr/lib/python3.11/venv/scripts/"
FILES = {"etc/os-release": b'ID=debian\nVERSION_ID="12"\n', "lib/x86_64-linux-gnu/libc.so.6": LIBC,
         "bin/sh": b"sh", "usr/bin/python3": ("python3.11",), "usr/bin/python3.11": b"\x7fELF\x003.11.2\0", "usr/lib/python3.11/os.py": b"",
         "etc/passwd": b"root:x:0:0:root:/root:/bin/bash\nada:x:1000:1000::/home/ada:/bin/sh\n",
         "etc/group": b"root:x:0:\nada:x:1000:\n", "etc/shadow": b"root:*:19000:0:99999:7:::\n",
         VENV + "common/activate": b"VIRTUAL_ENV=__VENV_DIR__\n", "old": b"old"}
CONFIG = {"Env": ["PATH=/usr/bin", "MORE=1", "LANG=de_DE.UTF-8"], "Entrypoint": ["/entry"], "Cmd": ["word"], "User": "ada",
          "WorkingDir": "/srv", "Labels": {"theirs": "yes", "org.opencontainers.image.title": "theirs"}}


def tar_of(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, body in files.items():
            t = tarfile.TarInfo(path)
            if isinstance(body, tuple):
                t.type, t.linkname = tarfile.SYMTYPE, body[0]
                tar.addfile(t)
            else:
                t.size, t.mode = len(body), 0o755 if "bin/" in path else 0o600 if "shadow" in path else 0o644
                tar.addfile(t, io.BytesIO(body))
    return out.getvalue()


HISTORY = [{"created_by": "one"}, {"created_by": "two"}, {"created_by": "env", "empty_layer": True}]
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"


def zstd(plain):
    """One frame of blocks that are not compressed (RFC 8878, 3.1.1)."""
    at = range(0, len(plain), 1 << 17)
    return b"\x28\xb5\x2f\xfd\xa0" + len(plain).to_bytes(4, "little") + b"".join(
        (len(plain[i:i + (1 << 17)]) << 3 | (i == at[-1])).to_bytes(3, "little") + plain[i:i + (1 << 17)] for i in at)


class image:
    """A layout `base` in the folder `path`; two layers, one plain and one gzip, or with `docker` one plain and one zstd. `more` goes into its config."""

    def __init__(self, path, files=None, arch="amd64", index=False, history=HISTORY, docker=False, **more):
        self.dir = os.path.join(path, "base")
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir + "/blobs/sha256")
        first, second = tar_of(files or FILES), tar_of({".wh.old": b"", "new-é": b"x"})
        second = second.rstrip(b"\0")  # as umoci insert leaves it
        self.layers = [self.put(first, DOCKER_LAYER if docker else "application/vnd.oci.image.layer.v1.tar"),
                       self.put(zstd(second), DOCKER_LAYER + ".zstd") if docker else
                       self.put(gzip.compress(second, mtime=0), DOCKER_LAYER + ".gzip")]
        diff_ids = ["sha256:" + hashlib.sha256(x).hexdigest() for x in (first, second)]
        config = {"architecture": arch, "os": "linux", "created": "2024-01-02T03:04:05Z", "config": CONFIG | more,
                  "rootfs": {"type": "layers", "diff_ids": diff_ids}}
        if history is not None:
            config["history"] = history
        top = self.put({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                        "config": self.put(config, "application/vnd.oci.image.config.v1+json"), "layers": self.layers},
                       "application/vnd.oci.image.manifest.v1+json")
        self.manifest = top["digest"]
        if index:
            other = dict(top, platform={"os": "linux", "architecture": "arm64"}, digest="sha256:" + "0" * 64)
            top = self.put({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
                            "manifests": [other, dict(top, platform={"os": "linux", "architecture": arch})]},
                           "application/vnd.oci.image.index.v1+json")
        self.digest = top["digest"]
        named = dict(top, annotations={"org.opencontainers.image.ref.name": "v1",
                                       "io.containerd.image.name": "docker.io/library/theirs:v1"})
        for name, value in (("oci-layout", {"imageLayoutVersion": "1.0.0"}), ("index.json", {"schemaVersion": 2, "manifests": [named]})):
            with open(os.path.join(self.dir, name), "w") as f:
                json.dump(value, f)

    def put(self, body, media_type):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        digest = hashlib.sha256(body).hexdigest()
        with open(os.path.join(self.dir, "blobs/sha256", digest), "wb") as f:
            f.write(body)
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(body)}

    def blob(self, digest):
        return os.path.join(self.dir, "blobs/sha256", digest.split(":")[1])


def recipe(path, reference, *lines):
    with open(path + "/recipe.yaml", "w") as f:
        f.write("\n".join(['pytorch: "2.6.0"', 'cuda: "12.4"', f'base: {{image: "{reference}"}}', *lines, ""]))
    if os.path.exists(path + "/recipe.lock"):
        os.unlink(path + "/recipe.lock")


def documents(path, digest, layout="/images"):
    all_blobs = blobs(path + layout)
    manifest = json.loads(all_blobs[digest])
    return manifest, json.loads(all_blobs[manifest["config"]["digest"]]), all_blobs


@scenario
def on_an_image(stage):
    path = stage.fresh()
    base = image(path)
    recipe(path, "oci:base@" + base.digest)
    digest = build(stage, path)
    manifest, config, all_blobs = documents(path, digest)
    assert manifest["layers"][:2] == base.layers, "the image's own layers are not taken as they are"
    for layer in base.layers:
        assert all_blobs[layer["digest"]] == read(base.blob(layer["digest"]))
    c = config["config"]
    env = dict(e.split("=", 1) for e in c["Env"])
    assert env["PATH"].startswith("/opt/venv/bin:") and env["PATH"].endswith(":/usr/bin"), env["PATH"]
    assert env["MORE"] == "1" and env["LANG"] == "de_DE.UTF-8"
    assert (c["Entrypoint"], c["Cmd"], c["User"], c["WorkingDir"]) == ([CHECK, "/entry"], ["word"], "ada", "/srv")
    labels = c["Labels"]
    assert labels["theirs"] == "yes" and labels["org.opencontainers.image.title"] == "pytorch"
    assert labels["org.opencontainers.image.base.digest"] == base.digest
    assert labels["org.opencontainers.image.base.name"] == "docker.io/library/theirs:v1"
    assert [h.get("created_by") for h in config["history"]][:4] == ["one", "two", "env", "envbuild python"]
    assert len([h for h in config["history"] if not h.get("empty_layer")]) == len(config["rootfs"]["diff_ids"])
    venv = gzip.decompress(all_blobs[manifest["layers"][2]["digest"]])
    names = check_entries("venv", venv)
    assert "opt/venv/pyvenv.cfg" in names and "opt/venv/bin/activate" in names, names
    assert all(n == "opt" or n.startswith("opt/venv") for n in names), names
    with tarfile.open(fileobj=io.BytesIO(venv)) as tar:
        assert tar.getmember("opt/venv/bin/python3.11").linkname == "/usr/bin/python3.11"
    lock = json.loads(read(path, "recipe.lock"))
    assert lock["base"]["image"]["manifest"] == base.manifest and lock["base"]["python_full"] == "3.11.2"
    for args, layout in ((("-o", "oci:again"), "/again"), (("--locked", "--offline", "-o", "oci:third"), "/third")):
        assert build(stage, path, *args) == digest
        assert blobs(path + layout) == all_blobs
    assert build(stage, path, "-o", "docker-archive:image.tar") == digest
    # Without the memory of the first build.
    os.rename(path + "/.cache", path + "/.cache-1")
    assert build(stage, path, "-o", "oci:fourth") == digest


@scenario
def on_an_image_whose_history_does_not_fit(stage):
    """As docker build and buildah leave it on bases that have none: every layer gets a line, so ours stay ours."""
    path = stage.fresh()
    for history in (None, [], HISTORY[:1], HISTORY + [{"created_by": "three"}]):
        base = image(path, history=history)
        recipe(path, "oci:base@" + base.digest)
        config = documents(path, build(stage, path))[1]
        lines = [h for h in config["history"] if not h.get("empty_layer")]
        assert len(lines) == len(config["rootfs"]["diff_ids"]), (history, lines)
        assert [h.get("created_by") for h in lines[:3]] == [None, None, "envbuild python"], (history, lines)


@scenario
def on_layers_of_docker_types(stage):
    """They are in our manifest as OCI's types of the same bytes, which all readers know."""
    path = stage.fresh()
    base = image(path, docker=True)
    recipe(path, "oci:base@" + base.digest)
    layers = documents(path, build(stage, path))[0]["layers"]
    oci = "application/vnd.oci.image.layer.v1.tar"
    assert layers[:2] == [dict(base.layers[0], mediaType=oci), dict(base.layers[1], mediaType=oci + "+zstd")], layers
    build(stage, path, "--locked", "--offline", "-o", "oci:again")


@scenario
def on_an_image_without_a_shell(stage):
    """There the start-up check cannot be: a warning says so, unless the recipe wants it, or wants none."""
    path = stage.fresh()
    base = image(path, {k: v for k, v in FILES.items() if k != "bin/sh"})
    where = "oci:base@" + base.digest
    recipe(path, where)
    code, out, err = end(start(stage, path, "build", "--index", stage.index, "recipe.yaml"))
    assert code == 0 and "warning: the base has neither /bin/bash nor /bin/sh" in err, err
    config = documents(path, printed(path, out))[1]
    assert config["config"]["Entrypoint"] == ["/entry"] and "io.envbuild.startup-check" not in config["config"]["Labels"]
    recipe(path, where, "startup_check: off")
    build(stage, path)
    recipe(path, where, "startup_check: warn")
    err = build(stage, path, code=3)
    assert err.startswith("recipe.yaml:4:16: startup_check: \"warn\" needs a shell"), err
    with_bash = image(path, {**FILES, "bin/bash": ("/usr/bin/bash",), "usr/bin/bash": b"bash"})
    recipe(path, "oci:base@" + with_bash.digest, "startup_check: warn")
    build(stage, path)
    assert json.loads(read(path, "recipe.lock"))["files"][-1]["text"].startswith("#!/bin/bash --posix\n")


@scenario
def on_an_archive_and_an_index(stage):
    path = stage.fresh()
    base = image(path, index=True)
    recipe(path, "oci:base:v1@" + base.digest)
    digest = build(stage, path)
    with tarfile.open(path + "/base.tar", "w") as tar:
        for name in ("oci-layout", "index.json", "blobs"):
            tar.add(os.path.join(base.dir, name), name)
    shutil.rmtree(base.dir)
    recipe(path, "oci-archive:base.tar@" + base.digest)
    other = build(stage, path, "-o", "oci:two")
    first, second = documents(path, digest)[0], documents(path, other, "/two")[0]
    assert first["layers"] == second["layers"], "an archive gives other layers than its layout"


@scenario
def on_a_folder_of_skopeo(stage):
    """`skopeo copy oci:base dir:flat`: the same image, so the same layers."""
    path = stage.fresh()
    base = image(path)
    recipe(path, "oci:base@" + base.digest)
    digest = build(stage, path)
    os.rename(base.dir + "/blobs/sha256", path + "/flat")
    os.rename(path + "/flat/" + base.manifest[7:], path + "/flat/manifest.json")
    recipe(path, "dir:flat")
    assert f'"dir:flat@{base.digest}"' in build(stage, path, code=3)
    recipe(path, "dir:flat@" + base.digest)
    other = build(stage, path, "-o", "oci:two")
    assert documents(path, digest)[0]["layers"] == documents(path, other, "/two")[0]["layers"]
    assert build(stage, path, "--locked", "--offline", "-o", "oci:three") == other


@scenario
def on_an_image_with_a_user(stage):
    path = stage.fresh()
    base = image(path)
    where = "oci:base@" + base.digest
    for line, word in (("user: {name: bob}", 'uid 1000 is the base image\'s own user "ada"; write `user: {name: ada, uid: 1000}` to be that one'), ("user: {name: ada, uid: 2000}", 'user "ada" already'),
                       ("user: {name: bob, uid: 2000, gid: 1000}", "gid 1000 already")):
        recipe(path, where, line)
        assert word in build(stage, path, code=3), line
    recipe(path, where, "user: {name: bob, uid: 2000}", "cmd: [x]", "workdir: /w", "entrypoint: [y]")
    manifest, config, all_blobs = documents(path, build(stage, path))
    c = config["config"]
    assert (c["User"], c["WorkingDir"], c["Entrypoint"], c["Cmd"]) == ("2000:2000", "/w", [CHECK, "y"], ["x"])
    top = gzip.decompress(all_blobs[manifest["layers"][-1]["digest"]])
    with tarfile.open(fileobj=io.BytesIO(top)) as tar:
        passwd = tar.extractfile("etc/passwd").read()
        assert passwd == FILES["etc/passwd"] + b"bob:x:2000:2000::/home/bob:/bin/bash\n", passwd
        assert tar.getmember("etc/shadow").mode == 0o600 and tar.getmember("w").uid == 2000
        assert "etc/gshadow" not in tar.getnames(), "the image has none"


def layers_of(path):
    return {l["name"]: l["digest"] for l in json.loads(read(path, "recipe.lock"))["built"]["layers"]}


@scenario
def a_project_is_built_in_the_image(stage):
    """In its layers below ours, whose digest decides with the rest. As project.py."""
    path = stage.fresh()
    env = project.sealed(stage, path)
    base = image(path)
    project.write(path, "app/pyproject.toml", project.TOML % ("1.0", '"numpy"'))
    project.write(path, "app/src/app.py", "print(1)\n")
    recipe(path, "oci:base@" + base.digest, "project: app")
    first = build(stage, path, **env)
    made, before = wheel_of(json.loads(read(path, "recipe.lock")), "app"), layers_of(path)
    assert made["build"]["root"] == [base.manifest, "python"], made["build"]
    roots = path + "/.cache/envbuild/unpacked/roots/"
    root = next(f"{roots}{name}/files/" for name in os.listdir(roots) if os.path.exists(f"{roots}{name}/files/bin"))
    assert read(root + "bin/sh") == b"sh" and read(root + "new-é") == b"x" and not os.path.exists(root + "old"), os.listdir(root)
    assert os.readlink(root + "opt/venv/bin/python3.11") == "/usr/bin/python3.11"
    assert documents(path, first)[0]["layers"][:2] == base.layers
    # An edit changes one layer, and the image's are not read again for it.
    project.write(path, "app/src/app.py", "print(2)\n")
    second = build(stage, path, **env)
    now = layers_of(path)
    assert second != first and [name for name in now if now[name] != before[name]] == ["project"], (before, now)
    assert build(stage, path, "--locked", "--offline", **env) == second
    # In another image it is built again.
    other = image(path, {**FILES, "more": b"x"})
    recipe(path, "oci:base@" + other.digest, "project: app")
    build(stage, path, **env)
    assert wheel_of(json.loads(read(path, "recipe.lock")), "app")["build"]["root"] == [other.manifest, "python"]
    assert len([name for name in os.listdir(roots) if os.path.exists(f"{roots}{name}/files/bin")]) == 2
    # A lock says of no other image that it was built in it.
    lock = json.loads(read(path, "recipe.lock"))
    wheel_of(lock, "app")["build"]["root"][0] = base.manifest
    with open(path + "/recipe.lock", "w") as f:
        json.dump(lock, f, indent=2)
    err = build(stage, path, code=3, **env)
    assert f'wheel "app": build: "{base.manifest}" is not a group' in err, err


@scenario
def bytecode_is_compiled_by_the_image(stage):
    path = stage.fresh()
    base = image(path)
    wheels(path, ("one", [], {"one/__init__.py": b"x = 1\n"}))
    recipe(path, "oci:base@" + base.digest, "pip: [one]", "find_links: [wheels]", "bytecode: true")
    digest = build(stage, path, **bytecode.sealed(stage, path, "bwrap"))
    name = SITE + "one/__pycache__/__init__.cpython-311.pyc"
    manifest, _, all_blobs = documents(path, digest)
    found = {}
    for layer in manifest["layers"][2:]:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(all_blobs[layer["digest"]]))) as tar:
            found |= {t.name: tar.extractfile(t).read() for t in tar if t.isfile()}
    assert found[name] == f"/{SITE}one/__init__.py x = 1\n".encode(), list(found)


@scenario
def no_base_to_build_on(stage):
    path = stage.fresh()

    def refused(reference, *words, code=3, lines=()):
        recipe(path, reference, *lines)
        err = build(stage, path, code=code)
        assert err.startswith("recipe.yaml:") and all(w in err for w in words), err

    base = image(path)
    where = "oci:base@" + base.digest
    refused("oci:base", f'"oci:base@{base.digest}"', "names no digest")
    refused("oci:base:v1", f'"oci:base:v1@{base.digest}"')
    refused("oci:base:v2@" + base.digest, 'tag "v2"')
    refused("oci:base@sha256:" + "1" * 64, "has no image", base.digest, "(v1)")
    refused("oci:base@sha256:12", "64 hex digits")
    refused("oci:gone@" + base.digest, "gone is not there")
    refused("docker:x", "is not a stored image")
    refused(where, "apt: packages cannot be added", lines=["apt: [git]"])
    refused(where, "services: their programs are packages", lines=["services: {jupyter: {}}"])
    refused(where, "variant: devel needs a base of packages", lines=["variant: devel", "project: ."])
    refused(where, "variant: compile needs gcc", lines=["variant: compile"])
    refused(where, 'no Python 3.12 on its PATH', lines=['python: "3.12"'])
    for files, word in (({k: v for k, v in FILES.items() if "python" not in k}, "has no Python"),
                        ({k: v for k, v in FILES.items() if "libc" not in k} | {"lib/ld-musl-x86_64.so.1": b""}, "is musl"),
                        (FILES | {"opt/venv/x": b""}, "/opt/venv already")):
        refused("oci:base@" + image(path, files).digest, word)
    refused("oci:base@" + image(path, arch="arm64").digest, "linux/arm64")
    refused("oci:base@" + image(path, arch="s390x", index=True).digest, "no image for linux/amd64")


@scenario
def damaged_base_image(stage):
    path = stage.fresh()
    base = image(path)
    recipe(path, "oci:base@" + base.digest)
    whole = read(base.blob(base.layers[1]["digest"]))
    digest = build(stage, path)
    for bad, code in ((whole[:-9] + b"x" + whole[-8:], 6), (whole[:-1], 6), (None, 3)):
        if bad is None:
            os.unlink(base.blob(base.layers[1]["digest"]))
        else:
            with open(base.blob(base.layers[1]["digest"]), "wb") as f:
                f.write(bad)
        err = build(stage, path, "-o", "oci:other", code=code)
        assert base.layers[1]["digest"] in err, err
        assert not os.path.exists(path + "/other/index.json") or json.loads(read(path, "other/index.json"))["manifests"] == []
        os.rename(path + "/recipe.lock", path + "/kept.lock")
        err = build(stage, path, "-o", "oci:other", code=code)
        assert base.layers[1]["digest"] in err, err
        os.rename(path + "/kept.lock", path + "/recipe.lock")
    shutil.rmtree(base.dir)
    assert "base is not there" in build(stage, path, "-o", "oci:other", code=3)
    image(path)
    assert build(stage, path, "-o", "oci:other") == digest
