# SPDX-License-Identifier: Apache-2.0
"""What -o means: layouts, their tags, archives, standard output. As lib.py."""
import json, os, tarfile

from lib import PATIENCE, build, check_layout, golden, read, scenario, start

SIDE_BY_SIDE = True


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
    tags = {m["annotations"]["org.opencontainers.image.ref.name"]: m["digest"] for m in json.loads(read(path, "all/index.json"))["manifests"]}
    assert tags == {"one": first, "two": second}, tags
    check_layout(path + "/all", second)
