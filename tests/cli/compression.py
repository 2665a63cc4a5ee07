# SPDX-License-Identifier: Apache-2.0
"""The recipe's `compression`: one tar, four forms. As lib.py."""
import hashlib, json, os, re, shutil, struct, subprocess

from lib import begin, blobs, build, check_layout, end, lock, read, run, scenario, start, unpacked

SIDE_BY_SIDE = True

KINDS = {"gzip": "gzip", "gzip,single": "gzip", "zstd": "zstd", "zstd:chunked": "zstd"}
PREFIX = "io.github.containers.zstd-chunked."


def say(path, how):
    with open(path + "/recipe.yaml") as f:
        lines = [x for x in f.read().splitlines() if not x.startswith("compression")]
    with open(path + "/recipe.yaml", "w") as f:
        f.write("\n".join([*lines, *([f"compression: {how}"] if how else []), ""]))


def document(path):
    return json.loads(read(path, "recipe.lock"))


def manifest_of(path, layout, digest):
    held = blobs(os.path.join(path, layout))
    return json.loads(held[digest]), held


def check_chunked(layer, body):
    """As a client reads it: by the annotations, and by the footer."""
    notes = layer["annotations"]
    toc_at, toc_len, toc_plain, kind = map(int, notes[PREFIX + "manifest-position"].split(":"))
    split_at, split_len, split_plain = map(int, notes[PREFIX + "tarsplit-position"].split(":"))
    assert body[-8:] == b"GNUlInUx" and struct.unpack("<7Q", body[-64:-8]) == (
        toc_at, toc_len, toc_plain, kind, split_at, split_len, split_plain) and kind == 1
    toc = body[toc_at:toc_at + toc_len]
    assert notes[PREFIX + "manifest-checksum"] == "sha256:" + hashlib.sha256(toc).hexdigest()
    table = json.loads(unpacked(toc))
    split = body[split_at:split_at + split_len]
    assert table["tarSplitDigest"] == "sha256:" + hashlib.sha256(split).hexdigest() and len(unpacked(split)) == split_plain
    for row in table["entries"]:
        if row.get("size"):
            data = unpacked(body[row["offset"]:row["endOffset"]])
            assert len(data) == row["size"] and row["digest"] == "sha256:" + hashlib.sha256(data).hexdigest(), row
    return table["entries"]


@scenario
def four_forms_are_one_tar(stage):
    path, _ = begin(stage)
    diff_ids, seen = None, {}
    for how, kind in KINDS.items():
        say(path, how)
        lock(stage, path)
        digest = build(stage, path, "-o", "oci:" + kind + str(len(seen)))
        layout = path + "/" + kind + str(len(seen))
        check_layout(layout, digest)
        manifest, held = manifest_of(path, layout, digest)
        config = json.loads(held[manifest["config"]["digest"]])
        assert diff_ids in (None, config["rootfs"]["diff_ids"]), how
        diff_ids = config["rootfs"]["diff_ids"]
        seen[how] = digest
        built = document(path)["built"]
        assert re.fullmatch({"gzip": "deflate/1", "zstd": r"zstd/\d+\.\d+\.\d+/3"}[kind], built["encoder"]), built["encoder"]
        for layer, record in zip(manifest["layers"], built["layers"]):
            assert layer["mediaType"] == "application/vnd.oci.image.layer.v1.tar+" + kind, how
            assert ("annotations" in layer) == ("chunked" in record) == (how == "zstd:chunked"), how
            if "annotations" in layer:
                assert check_chunked(layer, held[layer["digest"]])
        out, _ = run(stage, path, "inspect", "--json", "-q", f"oci:{os.path.basename(layout)}")
        assert json.loads(out)["digest"] == digest, how
    assert len(set(seen.values())) == 4


@scenario
def no_word_is_gzip(stage):
    path, plain = begin(stage)
    say(path, "gzip")
    os.unlink(path + "/recipe.lock")
    assert lock(stage, path) == plain, "a word that changes nothing is in the lock"


@scenario
def every_way_gives_the_same_bytes(stage):
    for how in ("zstd", "zstd:chunked", "gzip,single"):
        path, _ = begin(stage, "compression: " + how)
        digest = build(stage, path, "-j", "1")
        text = read(path, "recipe.lock")
        assert build(stage, path, "-o", "oci:again", "--locked") == digest  # from what the store remembers
        assert build(stage, path, "-o", "oci-archive:a.tar", "--locked") == digest
        shutil.rmtree(path + "/.cache/envbuild/layers")
        assert build(stage, path, "-o", "oci:made", "-j", "7", "--locked") == digest  # made, its digests in the lock
        said = run(stage, path, "build", "-q", "recipe.yaml", "--audit")[1]
        assert "0 in the store and 0 in the output were wrong" in said, said
        os.unlink(path + "/recipe.lock")
        shutil.rmtree(path + "/.cache/envbuild/layers")
        assert build(stage, path, "-o", "oci:new", "-j", "3") == digest
        assert read(path, "recipe.lock") == text, how


@scenario
def an_edit_of_files_keeps_the_other_layers(stage):
    path = stage.fresh()
    with open(path + "/a.txt", "w") as f:
        f.write("one")
    with open(path + "/recipe.yaml", "a") as f:
        f.write("compression: zstd:chunked\nfiles: [{from: a.txt, to: /a.txt}]\n")
    first, _ = manifest_of(path, "images", build(stage, path))
    with open(path + "/a.txt", "w") as f:
        f.write("two")
    got, out, err = end(start(stage, path, "build", "-q", "recipe.yaml", "--index", stage.index))
    assert got == 0, err
    index = json.loads(read(path, "images/index.json"))["manifests"]
    second, held = manifest_of(path, "images", index[0]["digest"])
    assert first["layers"][:-1] == second["layers"][:-1] and first["layers"][-1] != second["layers"][-1]
    for layer in second["layers"]:
        check_chunked(layer, held[layer["digest"]])


@scenario
def another_version_is_told_as_such(stage):
    path, _ = begin(stage, "compression: zstd")
    digest = build(stage, path)
    old = document(path)
    ours = old["built"]["encoder"]
    old["built"]["encoder"] = "zstd/1.4.8/3"
    with open(path + "/recipe.lock", "w") as f:
        json.dump(old, f)
    shutil.rmtree(path + "/.cache/envbuild/layers")
    assert build(stage, path, "-o", "oci:same") == digest, "the bytes are the same all the same"
    last = old["built"]["layers"][-1]["digest"]
    old["built"]["layers"][-1]["digest"] = last[:-4] + ("0000" if last[-4:] != "0000" else "1111")
    with open(path + "/recipe.lock", "w") as f:
        json.dump(old, f)
    shutil.rmtree(path + "/.cache/envbuild/layers")
    err = build(stage, path, "-o", "oci:other", code=6)
    assert f"compressed by zstd/1.4.8/3, and this envbuild has {ours}, which gives other bytes" in err, err
    old["built"]["encoder"] = ours
    with open(path + "/recipe.lock", "w") as f:
        json.dump(old, f)
    err = build(stage, path, "-o", "oci:other", code=6)
    assert "the lock was edited" in err, err


@scenario
def people_are_told_who_reads_it(stage):
    path, _ = begin(stage, "compression: zstd")
    assert "Docker from 23 on" in run(stage, path, "explain", "recipe.lock")[0]
    assert json.loads(run(stage, path, "explain", "--json", "recipe.lock")[0])["compression"] == "zstd"
    for to, says in (("docker-archive:d.tar", True), ("oci-archive:o.tar", False)):
        got, out, err = end(start(stage, path, "build", "recipe.yaml", "-o", to))
        assert got == 0 and ("Docker before 23 cannot load layers of zstd" in err) == says, err
    say(path, "gzip,single")
    lock(stage, path)
    assert "Docker from" not in run(stage, path, "explain", "recipe.lock")[0]
