# SPDX-License-Identifier: Apache-2.0
"""The recipe's `compression`: one tar, four forms. As lib.py."""
import hashlib, json, os, re, shutil, struct, subprocess

from registry_peer import Registry

from lib import begin, blobs, build, check_layout, end, images, lock, read, run, scenario, start, unpacked

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


ZSTD = "io.github.containers.compression.zstd"


def go(stage, path, *words, code=0):
    got, out, err = end(start(stage, path, "build", "--index", stage.index, "recipe.yaml", *words))
    assert got == code, f"exit {got}, not {code}: {err}"
    return err if code else out


def top_of(path, layout):
    index = images(json.loads(read(path, layout, "index.json")))
    assert len(index) == 1, index
    return index[0]["digest"]


@scenario
def a_place_gets_another_compression(stage):
    """What the recipe says stays the lock's; the other form is recorded beside it, and comes again from a bare store."""
    path, text = begin(stage)
    plain = build(stage, path)
    first = document(path)
    for how in ("zstd:chunked", "gzip,single", "zstd"):
        place = "oci:" + how.replace(":", "-").replace(",", "-")
        out = json.loads(go(stage, path, "--json", "-o", f"{place},compression={how}"))
        digest = top_of(path, place[4:])
        assert out["digest"] == digest != plain and "forms" not in out, out
        check_layout(os.path.join(path, place[4:]), digest)
        manifest, held = manifest_of(path, place[4:], digest)
        assert {d["mediaType"].rsplit("+")[1] for d in manifest["layers"]} == {KINDS[how]}
        assert [d["digest"] for d in manifest["layers"]] == [d["digest"] for d in out["layers"]]
        mine, _ = manifest_of(path, "images", plain)
        assert manifest["config"] == mine["config"], "another config for the same tars"
        now = document(path)
        form = [f for f in now["built"]["forms"] if f["compression"] == how]
        assert len(form) == 1 and form[0]["manifest"] == digest and len(form[0]["layers"]) == len(manifest["layers"])
        assert ("chunked" in form[0]["layers"][0]) == (how == "zstd:chunked")
        del now["built"]["forms"]
        assert now == first, "the rest of the lock changed"
    assert [f["compression"] for f in document(path)["built"]["forms"]] == ["gzip,single", "zstd", "zstd:chunked"]
    text = read(path, "recipe.lock")
    assert build(stage, path, "-o", "oci:plain") == plain
    shutil.rmtree(path + "/.cache/envbuild/layers")
    go(stage, path, "--locked", "-o", "oci:bare,compression=zstd:chunked", "-o", "oci:gz")
    assert top_of(path, "bare") == top_of(path, "zstd-chunked") and top_of(path, "gz") == plain
    assert read(path, "recipe.lock") == text
    assert "compression=zst is not known (did you mean \"zstd\"?)" in go(stage, path, "-o", "oci:x,compression=zst", code=2)
    old = document(path)
    old["built"]["forms"][1]["layers"][0]["digest"] = "sha256:" + "1" * 64
    with open(path + "/recipe.lock", "w") as f:
        json.dump(old, f)
    assert "the lock was edited" in go(stage, path, "-o", "oci:y,compression=zstd", code=6)
    for words, edit in (("is no compression", lambda f: f[0].update(compression="zst")),
                        ("stands here twice", lambda f: f[0].update(compression="zstd")),
                        ("stands here twice", lambda f: f[0].update(compression="gzip")),
                        ("is planned here", lambda f: f[0]["layers"].pop()),
                        ("is planned here", lambda f: f[0]["layers"][0].update(name="x")),
                        ("more layers", lambda f: f[0]["layers"].append(f[0]["layers"][0])),
                        ("unknown key", lambda f: f[0].update(x=1))):
        old = document(path)
        edit(old["built"]["forms"])
        with open(path + "/edited.lock", "w") as f:
            json.dump(old, f)
        assert words in run(stage, path, "explain", "edited.lock", code=3)[1], words


@scenario
def another_compression_comes_first(stage):
    """Of a lock that was never built: alone it is not recorded; before the recipe's own it costs no second proof."""
    path = stage.fresh()
    go(stage, path, "-o", "oci:z,compression=zstd")
    assert "built" not in document(path)
    go(stage, path, "-o", "oci:z2,compression=zstd", "-o", "oci:g")
    assert top_of(path, "z2") == top_of(path, "z")
    built = document(path)["built"]
    assert built["encoder"] == "deflate/1" and built["manifest"] == top_of(path, "g")
    assert built["forms"][0]["manifest"] == top_of(path, "z")
    plain = stage.fresh()
    go(stage, plain, "-o", "oci:g")
    assert top_of(plain, "g") == top_of(path, "g")


@scenario
def files_that_change_keep_the_other_forms_layers(stage):
    path = stage.fresh()
    with open(path + "/a.txt", "w") as f:
        f.write("one")
    with open(path + "/recipe.yaml", "a") as f:
        f.write("files: [{from: a.txt, to: /a.txt}]\n")
    both = ("-o", "oci:g", "-o", "oci:z,compression=zstd")
    go(stage, path, *both)
    old = document(path)["built"]
    with open(path + "/a.txt", "w") as f:
        f.write("two")
    run(stage, path, "lock", "-q", "--index", stage.index, "recipe.yaml")
    kept = document(path)["kept"]
    assert kept["forms"][0]["layers"] == old["forms"][0]["layers"][:-1] and "manifest" not in kept["forms"][0]
    go(stage, path, *both)
    new = document(path)["built"]
    assert new["forms"][0]["layers"][:-1] == old["forms"][0]["layers"][:-1]
    assert new["forms"][0]["layers"][-1] != old["forms"][0]["layers"][-1]
    assert new["forms"][0]["manifest"] != old["forms"][0]["manifest"]


@scenario
def both_forms_are_one_index(stage):
    path, _ = begin(stage)
    alone = {}
    for how in ("gzip", "zstd:chunked"):
        say(path, how)
        lock(stage, path)
        alone[how] = build(stage, path, "-o", "oci:" + how[:4])
    say(path, "[zstd:chunked, gzip]")
    lock(stage, path)
    assert document(path)["recipe"]["normal"]["compression"] == ["gzip", "zstd:chunked"]
    assert "else as gzip" in run(stage, path, "explain", "recipe.lock")[0]
    assert json.loads(run(stage, path, "explain", "--json", "recipe.lock")[0])["compression"] == "gzip, zstd:chunked"
    with Registry() as r:
        told = json.loads(go(stage, path, "--json", "-o", f"docker://{r.host}/x:1", "-o", "oci:both", "-o", "dir:one",
                             "-o", "docker-archive:d.tar", "-o", f"docker://{r.host}/z:1,compression=zstd:chunked"))["images"]
        repo = r.repositories["x"]
        top = repo.tags["1"]
        kind, body = repo.manifests[top]
        assert kind == "application/vnd.oci.image.index.v1+json"
        entries = json.loads(body)["manifests"]
        assert [e["annotations"] if "annotations" in e else None for e in entries] == [None, {ZSTD: "true"}], entries
        assert all(e["platform"] == {"architecture": "amd64", "os": "linux"} for e in entries)
        gz, zs = [e["digest"] for e in entries]
        fixed = "-" + [t for t in repo.tags if re.fullmatch("1-[0-9a-f]{12}", t)][0][2:]
        assert r.repositories["z"].tags.keys() == {"1", "1" + fixed, f"1{fixed}.lock"} and r.repositories["z"].tags["1"] == zs
        lock_of = repo.tags.pop(f"1{fixed}.lock")
        forms = {"1": top, "1-gzip": gz, "1-zstd-chunked": zs}
        assert repo.tags == {**forms, **{t + fixed: d for t, d in forms.items()}}, repo.tags
        repo.tags[f"1{fixed}.lock"] = lock_of
        manifests = [json.loads(repo.manifests[d][1]) for d in (gz, zs)]
        assert manifests[0]["config"] == manifests[1]["config"]
        for m, kind in zip(manifests, ("gzip", "zstd")):
            assert {d["mediaType"].rsplit("+")[1] for d in m["layers"]} == {kind}
            assert all(d["digest"] in repo.blobs for d in m["layers"] + [m["config"]])
        assert [i["digest"] for i in told] == [top, top, gz, gz, zs], told
        assert [f["digest"] for f in told[0]["forms"]] == [gz, zs] and told[0]["reference"] == f"{r.host}/x@{top}"
        assert told[0]["size"] == sum(d["size"] for m in manifests for d in m["layers"])
        assert json.loads(read(path, "both/index.json"))["manifests"][0]["digest"] == top
        for place in (f"docker://{r.host}/x:1", "oci:both"):
            out, err = run(stage, path, "emit", "k8s", place, "--as", "example.org/x")
            assert f"{place} is an index; of its images the one for linux/amd64 with gzip layers is named, {gz}\n" in err, err
            assert "example.org/x@" + gz in out, out
        assert " is an index" not in run(stage, path, "emit", "k8s", f"oci:both@{zs}", "--as", "example.org/x")[1]
        for place in (f"docker://{r.host}/x:1", "oci:both"):
            assert run(stage, path, "lock", "-q", "--from", place)[0] == read(path, "recipe.lock").decode(), place
            assert top in run(stage, path, "tags", place)[0], place
        tags = [t["tag"] for t in json.loads(run(stage, path, "tags", "--json", f"docker://{r.host}/x")[0])["tags"]]
        assert tags == ["1", "1-gzip", "1-zstd-chunked"], "what never moves stands under the index: " + repr(tags)
        run(stage, path, "tags", f"docker://{r.host}/x:1-gzip{fixed}")
        held = blobs(path + "/both")
        assert {gz, zs, top} <= set(held)
        built = document(path)["built"]
        assert built["manifest"] == gz and [f["manifest"] for f in built["forms"]] == [zs]
        # Clean-up jobs leave what has a tag.
        repo.manifests = {d: m for d, m in repo.manifests.items() if d in repo.tags.values()}
        assert json.loads(run(stage, path, "inspect", "-q", "--json", f"docker://{r.host}/x:1")[0])["digest"] == gz
        r.since()
        shutil.rmtree(path + "/.cache")
        assert json.loads(go(stage, path, "--json", "-o", f"docker://{r.host}/x:1"))["digest"] == top
        assert r.received == 0 and r.sent == 0, "nothing changed, and something moved"
        assert json.loads(go(stage, path, "--json", "-o", "oci:both"))["digest"] == top


@scenario
def a_list_is_one_of_each(stage):
    for how in ("[gzip]", "[gzip, 'gzip,single']", "[zstd, zstd:chunked]", "[gzip, zstd, zstd:chunked]", "[]"):
        path = stage.fresh()
        say(path, how)
        _, err = run(stage, path, "lock", "--index", stage.index, "recipe.yaml", code=3)
        assert "a list is one kind of gzip and one of zstd" in err, (how, err)


@scenario
def a_matrix_has_compressions(stage):
    path = stage.fresh()
    with open(path + "/recipe.yaml", "a") as f:
        f.write('tag: "{pytorch}-{compression}"\nmatrix: {compression: [gzip, zstd]}\n')
    told = json.loads(go(stage, path, "--json"))["images"]
    assert [i["tag"] for i in told] == ["2.6.0-gzip", "2.6.0-zstd"], told
    assert sorted(os.listdir(path + "/recipe.d")) == ["compression=gzip.lock", "compression=zstd.lock"]


@scenario
def copy_compresses_nothing(stage):
    path, _ = begin(stage)
    build(stage, path)
    assert "copy keeps an image as it is" in run(stage, path, "copy", "oci:images", "oci:x,compression=zstd", code=2)[1]


@scenario
def an_engine_that_stops_after_one_member_is_told_of(stage):
    path, _ = begin(stage)
    os.makedirs(path + "/bin")
    with open(path + "/bin/docker", "w") as f:
        f.write('#!/bin/sh\ncat >/dev/null\necho "$SAYS" >&2\nexit 1\n')
    os.chmod(path + "/bin/docker", 0o755)
    env = {"PATH": path + "/bin:" + stage.env(path)["PATH"]}
    for says, place, told in (("unexpected EOF", "docker:", True), ("no space left on device", "docker:", False),
                              ("unexpected EOF", "docker:,compression=gzip,single", False)):
        got, _, err = end(start(stage, path, "build", "recipe.yaml", "-o", place, SAYS=says, **env))
        assert got == 7 and says in err and ("-o docker:,compression=gzip,single` each layer has one" in err) == told, (got, err)
