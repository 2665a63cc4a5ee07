# SPDX-License-Identifier: Apache-2.0
"""What -o means: layouts, their tags, archives, standard output. As lib.py."""
import hashlib, json, os, shutil, subprocess, tarfile

import world
from lib import PATIENCE, build, check_layout, end, golden, images, printed, read, run, scenario, start


@scenario
def archives_hold_the_same(stage):
    digest, want = golden(stage)
    path = stage.fresh()
    assert build(stage, path, "-o", "oci-archive:o.tar") == digest
    assert build(stage, path, "-o", "docker-archive:d.tar") == digest
    piped = start(stage, path, "build", "-q", "recipe.yaml", "-o", "-")
    code, out, err = *(lambda o: (piped.returncode, *o))(piped.communicate(timeout=PATIENCE)),
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
    tags = {m["annotations"]["org.opencontainers.image.ref.name"]: m["digest"] for m in images(json.loads(read(path, "all/index.json")))}
    assert tags == {"one": first, "two": second}, tags
    check_layout(path + "/all", second)


def index_of(path):
    return {m["annotations"]["org.opencontainers.image.ref.name"]: m for m in images(json.loads(read(path, "images/index.json")))}


def write(path, name, *lines):
    with open(os.path.join(path, name), "w") as f:
        f.write(world.GOOD + "".join(line + "\n" for line in lines))


@scenario
def recipes_share_a_layout(stage):
    """Each name has its own tag; a tag of another recipe is only taken with --replace."""
    path = stage.fresh()
    tag = "2.6.0-cuda12.4-cudnn9-runtime"
    build_one = lambda name, *args, code=0: run(stage, path, "build", "-q", "--index", stage.index, name, *args, code=code)
    for name in ("alpha", "beta"):
        write(path, name + ".yaml", "name: " + name, "env: {WHO: %s}" % name)
        assert build_one(name + ".yaml")[0] == f"oci:images:{name}:{tag}\n"
    both = index_of(path)
    assert set(both) == {"alpha:" + tag, "beta:" + tag} and len({m["digest"] for m in both.values()}) == 2, both

    build_one("alpha.yaml", "-o", "oci:images:prod")
    before = read(path, "images/index.json")
    err = build_one("beta.yaml", "-o", "oci:images:prod", code=3)[1]
    assert 'layout images: "prod" is the image of another recipe, alpha.yaml, with the name alpha' in err and "--replace" in err, err
    write(path, "other.yaml", "name: alpha", "env: {WHO: other}")
    err = build_one("other.yaml", code=3)[1]
    assert f'"alpha:{tag}" is the image of another recipe, alpha.yaml, with the name alpha' in err, err
    assert read(path, "images/index.json") == before
    assert build_one("other.yaml", "--replace")[0] == f"oci:images:alpha:{tag}\n"
    assert index_of(path)["alpha:" + tag]["annotations"]["io.envbuild.recipe"] == "other.yaml"

    # one's own tag moves with every edit, the lock deleted or not
    os.unlink(path + "/beta.lock")
    write(path, "beta.yaml", "name: beta", "env: {WHO: again}")
    build_one("beta.yaml")
    assert index_of(path)["beta:" + tag]["digest"] != both["beta:" + tag]["digest"]


@scenario
def layouts_of_older_versions_and_of_others(stage):
    """They named an image by its tag alone, and noted no recipe. What no recipe made is not replaced."""
    path = stage.fresh()
    tag = "2.6.0-cuda12.4-cudnn9-runtime"
    digest = build(stage, path)
    index = json.loads(read(path, "images/index.json"))
    index["manifests"] = images(index)
    del index["manifests"][0]["annotations"]["io.envbuild.recipe"]
    index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] = tag
    with open(path + "/images/index.json", "w") as f:
        json.dump(index, f)
    assert build(stage, path, "-o", "oci:images:" + tag) == digest
    assert build(stage, path) == digest
    assert {t: m["digest"] for t, m in index_of(path).items()} == {tag: digest, "pytorch:" + tag: digest}
    run(stage, path, "emit", "k8s", "oci:images")
    run(stage, path, "emit", "k8s", "oci:images:" + tag)

    config = json.loads(read(path, "images/blobs/sha256/" + digest[7:]))
    del config["annotations"]
    text = json.dumps(config).encode()
    foreign = hashlib.sha256(text).hexdigest()
    with open(path + "/images/blobs/sha256/" + foreign, "wb") as f:
        f.write(text)
    index["manifests"] = [dict(index["manifests"][0], digest="sha256:" + foreign, size=len(text))]
    with open(path + "/images/index.json", "w") as f:
        json.dump(index, f)
    assert "is an image that no recipe made" in build(stage, path, "-o", "oci:images:" + tag, code=3)
    assert build(stage, path, "-o", "oci:images:" + tag, "--replace") == digest


@scenario
def the_printed_line_works_as_it_is(stage):
    """For every form: `inspect` and `emit` take it, and skopeo where there is one."""
    path = stage.fresh()
    skopeo = shutil.which("skopeo")
    for form in ("oci:images", "oci:images:v1", "oci:images:team/torch:v2", "oci-archive:o.tar", "oci-archive:o2.tar:v1", "docker-archive:d.tar"):
        line = run(stage, path, "build", "-q", "--index", stage.index, "recipe.yaml", "-o", form)[0].strip()
        digest = json.loads(read(path, "recipe.lock"))["built"]["manifest"]
        assert printed(path, line) == digest, line
        assert json.loads(run(stage, path, "inspect", "-q", "--json", line)[0])["digest"] == digest, line
        assert digest in run(stage, path, "emit", "k8s", line)[0], line
        assert digest in run(stage, path, "explain", line)[0], line
        if skopeo:
            done = subprocess.run([skopeo, "inspect", "--raw", line], cwd=path, capture_output=True)
            assert done.returncode == 0, (line, done.stderr)
            if form[:3] == "oci":
                assert "sha256:" + hashlib.sha256(done.stdout).hexdigest() == digest, line


ENGINE = """#!/bin/sh
echo "$0 $*" >>"$HERE/asked"
case "$1 $2" in
"load ") cat >"$HERE/loaded.tar" ;;
"image inspect") [ -f "$HERE/loaded.tar" ] && [ "$3" = "$(cat "$HERE/name")" ] ;;
"save "*) cat "$HERE/loaded.tar" ;;
esac
"""


@scenario
def what_is_loaded_is_run_by_its_name(stage):
    """`emit compose` of it names it as the engine does: no registry gave it a digest."""
    path = stage.fresh()
    tag = "2.6.0-cuda12.4-cudnn9-runtime"
    os.mkdir(path + "/bin")
    for engine in ("docker", "podman"):
        with open(path + "/bin/" + engine, "w") as f:
            f.write(ENGINE)
        os.chmod(path + "/bin/" + engine, 0o755)
        env = dict(HERE=path, PATH=f"{path}/bin:" + stage.env(path)["PATH"])
        code, out, err = end(start(stage, path, "build", "-q", "--index", stage.index, "recipe.yaml", "-o", engine + ":", **env))
        assert (code, out) == (0, f"pytorch:{tag}\n"), (out, err)
        with open(path + "/name", "w") as f:
            f.write(out.strip())
        code, text, err = end(start(stage, path, "emit", "compose", out.strip(), **env))
        assert code == 0 and f'image: "pytorch:{tag}"' in text, (text, err)
        assert end(start(stage, path, "emit", "compose", engine + ":" + out.strip(), **env))[1] == text
        code, text, err = end(start(stage, path, "emit", "compose", out.strip(), "--as", "registry.example.org/x", **env))
        assert code == 0 and 'image: "registry.example.org/x@sha256:' in text, (text, err)
        code, text, err = end(start(stage, path, "emit", "k8s", "pytorch:other", **env))
        assert code == 2 and "is not a stored image" in err, err
        os.unlink(path + "/loaded.tar")
        os.unlink(path + "/bin/" + engine)
