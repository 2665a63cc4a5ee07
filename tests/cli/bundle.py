# SPDX-License-Identifier: Apache-2.0
"""Scenarios on `bundle`: a folder for those without a network, and what its script does with it."""
import hashlib, io, json, os, re, subprocess, tarfile

from lib import build, images, read, run, scenario

# An engine that keeps what is loaded, and tells it by its config as Docker does.
ENGINE = """#!/bin/sh
case $1 in
info) [ $# = 1 ] || echo "$HOME" ;;
load) cat >"$HOME/loaded.tar"; tar -xf "$HOME/loaded.tar" -C "$HOME" manifest.json ;;
image) [ -f "$HOME/manifest.json" ] && python3 -c '
import json, sys
for m in json.load(open(sys.argv[1])):
    if sys.argv[2] in m["RepoTags"]:
        print("sha256:" + m["Config"].split("/")[-1])' "$HOME/manifest.json" "$5" ;;
esac
"""


def loading(path, stick, *args):
    """Run load.sh of a stick with an engine of our own."""
    home = os.path.join(path, "home")
    os.makedirs(home + "/bin", exist_ok=True)
    with open(home + "/bin/docker", "w") as f:
        f.write(ENGINE)
    os.chmod(home + "/bin/docker", 0o755)
    done = subprocess.run(["sh", os.path.join(stick, "load.sh"), *args], env={"PATH": home + "/bin:/usr/bin:/bin", "HOME": home},
                          capture_output=True, text=True, cwd="/")
    return done.returncode, done.stderr


def sums(stick):
    """Every file but the list itself is in it, and is what it says."""
    found = dict(reversed(line.split("  ")) for line in read(stick, "SHA256SUMS").decode().splitlines())
    for name, want in found.items():
        assert hashlib.sha256(read(stick, name)).hexdigest() == want, name
    return sorted(found)


def whole(stick):
    names = sorted(n for n in os.listdir(stick) if n.startswith("image.tar"))
    return b"".join(read(stick, n) for n in names)


@scenario
def a_stick(stage):
    """The folder is whole, loads by its own script, and comes back to the same digest."""
    path = stage.fresh()
    err = run(stage, path, "bundle", "recipe.yaml", "-o", "stick", code=3)[1]
    assert "recipe.yaml is not built; run `envbuild build recipe.yaml` first" in err, err
    digest = build(stage, path)
    stick = os.path.join(path, "media/my course")
    assert run(stage, path, "bundle", "recipe.yaml", "-o", "media/my course")[0] == "media/my course\n"
    assert sums(stick) == ["README.html", "image.tar", "load.cmd", "load.ps1", "load.sh", "recipe.lock", "recipe.yaml"]
    assert sorted(os.listdir(stick)) == sorted(sums(stick) + ["SHA256SUMS"])
    assert read(stick, "recipe.lock") == read(path, "recipe.lock") and read(stick, "recipe.yaml") == read(path, "recipe.yaml")
    name = json.loads(read(path, "recipe.lock"))
    name = f"{name['name']}:{name['tag']}"
    page = read(stick, "README.html").decode()
    assert name in page and "不需要网络" in page and "{{" not in page, page
    code, err = loading(path, stick)
    assert code == 0 and f"load: {name} is loaded; start it with: docker run" in err, err
    assert read(path, "home/loaded.tar") == read(stick, "image.tar")
    assert loading(path, stick) == (0, "load: docker has them already\n")
    run(stage, path, "copy", f"docker-archive:{os.path.join('media/my course', 'image.tar')}", "oci:back")
    assert [m["digest"] for m in images(json.loads(read(path, "back/index.json")))] == [digest]
    with tarfile.open(os.path.join(stick, "image.tar")) as tar:
        assert "oci-layout" in tar.getnames() and "manifest.json" in tar.getnames()


@scenario
def a_stick_that_is_not_whole(stage):
    """One that was pulled out early, or is damaged, loads nothing."""
    path = stage.fresh()
    build(stage, path)
    run(stage, path, "bundle", "recipe.yaml", "-o", "stick", "--split", "100000")
    stick = os.path.join(path, "stick")
    parts = [n for n in sums(stick) if n.startswith("image.tar")]
    assert len(parts) > 2 and parts[:2] == ["image.tar.001", "image.tar.002"], parts
    assert {os.path.getsize(os.path.join(stick, n)) for n in parts[:-1]} == {100000}
    with tarfile.open(fileobj=io.BytesIO(whole(stick))) as tar:
        assert "manifest.json" in tar.getnames()
    # One whose writing ended early is known again, and written anew.
    layer = max((os.path.join(path, "images/blobs/sha256", n) for n in os.listdir(path + "/images/blobs/sha256")), key=os.path.getsize)
    os.rename(layer, path + "/away")
    run(stage, path, "bundle", "recipe.yaml", "-o", "again", code=3)
    assert "load.sh" in os.listdir(path + "/again") and "SHA256SUMS" not in os.listdir(path + "/again")
    code, err = loading(path, path + "/again")
    assert code == 1 and "this copy is incomplete" in err, err
    os.rename(path + "/away", layer)
    run(stage, path, "bundle", "recipe.yaml", "-o", "again")
    assert loading(path, path + "/again")[0] == 0
    for name in ("manifest.json", "loaded.tar"):
        os.unlink(path + "/home/" + name)
    os.rename(stick + "/SHA256SUMS", stick + "/x")
    code, err = loading(path, stick)
    assert code == 1 and "this copy is incomplete" in err, err
    os.rename(stick + "/x", stick + "/SHA256SUMS")
    with open(stick + "/image.tar.002", "r+b") as f:
        f.write(b"!")
    code, err = loading(path, stick)
    assert code == 1 and "a file is damaged or missing" in err and not os.path.exists(path + "/home/loaded.tar"), err
    run(stage, path, "bundle", "recipe.yaml", "-o", "stick")  # anew, and in one piece
    assert [n for n in sums(stick) if n.startswith("image.tar")] == ["image.tar"] and loading(path, stick)[0] == 0
    assert not [n for n in os.listdir(stick) if n.startswith("image.tar.")]


def back(stage, path, text, tag=""):
    """The digest of what `copy` takes from there."""
    out = f"back{len(os.listdir(path))}"
    run(stage, path, "copy", "-q", text, f"oci:{out}:x")
    return images(json.loads(read(path, out, "index.json")))[0]["digest"]


@scenario
def copy_takes_a_bundle_back(stage):
    """As a folder and as a tar, in one piece and in parts, of one image and of two; nothing of one that is not whole."""
    path = stage.fresh()
    digest = build(stage, path)
    name = json.loads(read(path, "recipe.lock"))
    name = f"{name['name']}:{name['tag']}"
    run(stage, path, "bundle", "recipe.yaml", "-o", "stick")
    run(stage, path, "bundle", "recipe.yaml", "-o", "parts", "--split", "100000")
    run(stage, path, "bundle", "recipe.yaml", "-o", "course.tar")
    with tarfile.open(path + "/parts.tar", "w") as tar:
        tar.add(path + "/parts", "parts")
    for text in ("stick", "docker-archive:stick", "parts", "parts:" + name, "course.tar", "docker-archive:course.tar", f"course.tar:{name}", "parts.tar", "stick@" + digest):
        assert back(stage, path, text) == digest, text
    err = run(stage, path, "copy", "stick:other:1", "oci:x:y", code=3)[1]
    assert '"stick:other:1" holds no such image' in err, err
    os.rename(path + "/parts/image.tar.002", path + "/away")
    with tarfile.open(path + "/hole.tar", "w") as tar:
        tar.add(path + "/parts", "parts")
    for text in ("parts", "hole.tar"):
        err = run(stage, path, "copy", text, "oci:x:y", code=3)[1]
        assert "is not whole: it has not all parts of image.tar" in err, err
    os.rename(path + "/away", path + "/parts/image.tar.002")
    os.unlink(path + "/parts/SHA256SUMS")
    err = run(stage, path, "copy", "parts", "oci:x:y", code=3)[1]
    assert "is not whole: SHA256SUMS is missing" in err, err
    with open(path + "/stick/image.tar", "r+b") as f:
        f.seek(os.path.getsize(path + "/stick/image.tar") // 2)
        f.write(b"damaged")
    assert "digest" in run(stage, path, "copy", "stick", "oci:x:y", code=6)[1]
    with open(path + "/second.yaml", "w") as f:
        f.write(read(path, "recipe.yaml").decode() + "name: second\nenv: {A: b}\n")
    run(stage, path, "build", "-q", "--index", stage.index, "second.yaml")
    run(stage, path, "bundle", "recipe.yaml", "second.yaml", "-o", "both.tar")
    assert "holds several images" in run(stage, path, "copy", "both.tar", "oci:x:y", code=3)[1]
    assert back(stage, path, f"both.tar:{name}") == digest


@scenario
def one_file_for_all(stage):
    """A tar of the folder: the same files, the same bytes twice, there when it is whole; what is unpacked loads by its script."""
    path = stage.fresh()
    build(stage, path)
    run(stage, path, "bundle", "recipe.yaml", "-o", "stick")
    out, err = run(stage, path, "bundle", "recipe.yaml", "-o", "out/my course.tar")
    assert out == "out/my course.tar\n" and "`tar -xf out/my course.tar` unpacks it" in err and os.listdir(path + "/out") == ["my course.tar"], (out, err)
    with tarfile.open(path + "/out/my course.tar") as tar:
        names = tar.getnames()
        assert names[-1] == "my_course/SHA256SUMS" and sorted(names) == sorted("my_course/" + n for n in os.listdir(path + "/stick")), names
        assert {(m.mode, m.uid, m.gid, m.uname) for m in tar} == {(0o644, 0, 0, "")} and len({m.mtime for m in tar}) == 1
        tar.extractall(path + "/unpacked", filter="data")
    stick = path + "/unpacked/my_course"
    sums(stick)
    for name in set(os.listdir(stick)) - {"README.html", "SHA256SUMS"}:
        assert read(stick, name) == read(path, "stick", name), name
    assert "sh my_course/load.sh" in read(stick, "README.html").decode()
    code, err = loading(path, stick)
    assert code == 0 and "is loaded; start it with: docker run" in err, err
    first = read(path, "out/my course.tar")
    run(stage, path, "bundle", "recipe.yaml", "-o", "out/my course.tar", "-j", "1")  # over the old one
    assert read(path, "out/my course.tar") == first
    err = run(stage, path, "bundle", "recipe.yaml", "-o", "other.tar", "--split", "2G", code=2)[1]
    assert "--split: other.tar is one file; name a folder, or cut it with `split -b 2G other.tar`" in err, err
    layer = max((os.path.join(path, "images/blobs/sha256", n) for n in os.listdir(path + "/images/blobs/sha256")), key=os.path.getsize)
    os.unlink(layer)
    run(stage, path, "bundle", "recipe.yaml", "-o", "other.tar", code=3)
    run(stage, path, "bundle", "recipe.yaml", "-o", "out/my course.tar", code=3)
    assert read(path, "out/my course.tar") == first and not os.path.exists(path + "/other.tar") and os.listdir(path + "/out") == ["my course.tar"]


# Engines that have no way to be asked what they have: they write down what they are told.
OTHERS = """#!/bin/sh
echo "$(basename "$0") $*" >>"$HOME/log"
case "$*" in
"images import -") cat >"$HOME/imported.tar" ;;
"build --force "*" docker-archive:"*) echo sif >"$3"; cp "${4#docker-archive:}" "$HOME/built.tar" ;;
"build --force "*" oci:"*@*) layout=${4#oci:}; cp "${layout%@*}/blobs/sha256/${layout##*:}" "$3" ;;
esac
"""


@scenario
def engines_of_other_kinds(stage):
    """load.sh with containerd's ctr, nerdctl and Apptainer, of one file and of parts; and one that it does not know."""
    path = stage.fresh()
    build(stage, path)
    run(stage, path, "bundle", "recipe.yaml", "-o", "stick")
    run(stage, path, "bundle", "recipe.yaml", "-o", "parts", "--split", "100000")
    name = json.loads(read(path, "recipe.lock"))
    name = f"{name['name']}:{name['tag']}"
    home = path + "/home"
    os.makedirs(home + "/bin")
    for engine, text in (("ctr", OTHERS), ("apptainer", OTHERS), ("singularity", OTHERS), ("nerdctl", ENGINE), ("docker", "#!/bin/sh\nexit 1\n"), ("podman", "#!/bin/sh\nexit 1\n")):
        with open(f"{home}/bin/{engine}", "w") as f:
            f.write(text)
        os.chmod(f"{home}/bin/{engine}", 0o755)

    def load(stick, *args):
        done = subprocess.run(["sh", os.path.join(path, stick, "load.sh"), *args], env={"PATH": home + "/bin:/usr/bin:/bin", "HOME": home}, capture_output=True, text=True, cwd="/")
        return done.returncode, done.stderr

    for stick in ("stick", "parts"):
        code, err = load(stick, "ctr")
        assert code == 0 and "load: they are loaded; `ctr images ls`" in err and read(home, "imported.tar") == read(path, "stick/image.tar"), err
        for engine in ("apptainer", "singularity"):
            code, err = load(stick, engine)
            sif = f"{home}/{name.replace('/', '_').replace(':', '_')}.sif"
            assert code == 0 and f"load: {sif} is there; start it with: {engine} run --nv {sif}" in err, err
            assert read(sif) == b"sif\n" and read(home, "built.tar") == read(path, "stick/image.tar") and not os.path.exists(home + "/envbuild-image.tar")
            os.unlink(sif)
        code, err = load(stick)  # the only one that answers
        assert code == 0 and f"load: {name} is loaded; start it with: nerdctl run" in err, err
        assert load(stick, "nerdctl") == (0, "load: nerdctl has them already\n")
        os.unlink(home + "/manifest.json")
    run(stage, path, "copy", "oci:images:pytorch:" + name.split(":")[1], "oci:more:other:1")
    run(stage, path, "bundle", "recipe.yaml", "oci:more:other:1", "-o", "both", "--split", "100000")
    code, err = load("both", "apptainer")
    manifest = json.loads(read(path, "recipe.lock"))["built"]["manifest"][7:]
    assert code == 0 and err.count("is there; start it with: apptainer run") == 2, err
    assert hashlib.sha256(read(home, "other_1.sif")).hexdigest() == manifest and not os.path.exists(home + "/envbuild-images"), err
    code, err = load("stick", "lxc")
    assert code == 1 and '"lxc" is none of docker, podman, nerdctl, ctr and apptainer' in err, err


@scenario
def what_bundle_refuses(stage):
    """A folder of somebody else's, sizes that no stick takes, images without a name."""
    path = stage.fresh()
    build(stage, path)
    os.mkdir(path + "/mine")
    with open(path + "/mine/thesis.doc", "w") as f:
        f.write("x")
    for args, code, words in ((["recipe.yaml", "-o", "mine"], 3, "mine holds other things"), (["recipe.yaml", "-o", "s", "--split", "4G"], 2, "--split"), (["recipe.yaml", "-o", "s", "--split", "x"], 2, "--split"),
                              (["oci:nothing:here", "-o", "s"], 3, "nothing")):
        err = run(stage, path, "bundle", *args, code=code)[1]
        assert words in err, (args, err)
    assert os.listdir(path + "/mine") == ["thesis.doc"] and not os.path.exists(path + "/s")


@scenario
def several_images(stage):
    """Two images share their layers on a stick, and both are loaded."""
    path = stage.fresh()
    build(stage, path)
    one = read(path, "recipe.lock")
    with open(path + "/second.yaml", "w") as f:
        f.write(read(path, "recipe.yaml").decode() + "name: second\nenv: {A: b}\n")
    run(stage, path, "build", "-q", "--index", stage.index, "second.yaml")
    run(stage, path, "bundle", "recipe.yaml", "second.yaml", "-o", "both")
    told = json.loads(run(stage, path, "bundle", "--json", "recipe.yaml", "-o", "alone")[0])
    assert told["bundle"] == "alone" and told["size"] > 9_000_000, told
    both, alone = (os.path.getsize(f"{path}/{d}/image.tar") for d in ("both", "alone"))
    assert both < alone + 200000, (both, alone)
    assert {"recipe.lock", "recipe.yaml", "second.lock", "second.yaml"} < set(sums(path + "/both"))
    code, err = loading(path, path + "/both")
    assert code == 0 and err.count("is loaded") == 2, err
    assert json.loads(one)["built"]["manifest"]


@scenario
def windows_has_no_pipe(stage):
    """PowerShell breaks binary data in a pipe, so its script has none."""
    path = stage.fresh()
    build(stage, path)
    run(stage, path, "bundle", "recipe.yaml", "-o", "stick")
    for name in ("load.ps1", "load.cmd"):
        text = "\n".join(line for line in read(path, "stick", name).decode().splitlines() if not line.lstrip().startswith(("#", "@rem")))
        assert not re.search(r"[|>]", text), (name, text)
