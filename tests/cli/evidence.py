# SPDX-License-Identifier: Apache-2.0
"""One store, two recipes, one of them hostile: the store believes only what it saw."""
import hashlib, json, os, shutil

import base_image
from lib import (GOLD, at, blobs, build, check_layout, check_store, end, golden, lock, nothing_published, printed, read, recipe,
                 scenario, start, wheel_of)


def write(path, body, name="recipe.lock"):
    with open(os.path.join(path, name), "wb") as f:
        f.write(body if isinstance(body, bytes) else json.dumps(body).encode())


def beside(stage, store, edit=None):
    """A folder with the lock that all others get, as `edit` leaves it, and the runs' way to the common store."""
    golden(stage)
    path, document = stage.fresh(), json.loads(GOLD["lock"])
    if edit:
        edit(document)
    write(path, document if edit else GOLD["lock"])
    return path, {"XDG_CACHE_HOME": os.path.join(store, ".common")}


def told(stage, path, *args, code=0, **env):
    """What is warned of on stderr, and what an audit says."""
    got, out, err = end(start(stage, path, "build", "--index", stage.index, "recipe.yaml", *args, **env))
    assert got == code, f"exit {got}, not {code}: {err}"
    assert code or printed(path, out) == GOLD["digest"], out
    return "".join(line + "\n" for line in err.splitlines() if line.startswith(("warning: ", "audit: ", "envbuild: ")))


def built(document):
    return document["built"]["layers"]


def largest(document):
    return max(built(document), key=lambda l: l["size"])


def other(digest):
    return digest[:-1] + ("0" if digest[-1] != "0" else "1")


def flip(path, at=None):
    with open(path, "r+b") as f:
        body = bytearray(f.read())
        body[len(body) // 2 if at is None else at] ^= 1
        f.seek(0)
        f.write(body)


def lie_about(document, layer):
    """An edited diff_id, and with it a config and a manifest that say the same: a lock at one with itself."""
    false = other(layer["diff_id"])
    held, manifest = GOLD["blobs"], json.loads(GOLD["blobs"][GOLD["digest"]])
    config = held[manifest["config"]["digest"]].replace(layer["diff_id"].encode(), false.encode())
    digest = "sha256:" + hashlib.sha256(config).hexdigest()
    text = held[GOLD["digest"]].replace(manifest["config"]["digest"].encode(), digest.encode())
    layer["diff_id"] = false
    document["built"]["config"] = digest
    document["built"]["manifest"] = "sha256:" + hashlib.sha256(text).hexdigest()


# ---- what a lock says ----


@scenario
def an_edited_diff_id_is_nobody_elses(stage):
    """A lock that lies builds its own lie at most, once; the store does not take it over."""
    digest, want = golden(stage)
    store = stage.fresh()

    def edited(document):
        largest(document)["diff_id"] = other(largest(document)["diff_id"])

    path, env = beside(stage, store, edited)
    err = build(stage, path, "--locked", code=6, **env)
    assert "config is sha256:" in err and "`envbuild lock diff OLD NEW`" in err, err
    nothing_published(path + "/images")
    liar, _ = beside(stage, store, lambda document: lie_about(document, largest(document)))
    assert build(stage, liar, "--locked", **env) != digest  # nobody looked, and its digest says whose image it is
    honest, _ = beside(stage, store)
    assert build(stage, honest, "--locked", **env) == digest
    assert blobs(honest + "/images") == want
    first = stage.fresh()  # it chooses anew, and is told the layers' diff_ids by the store
    assert build(stage, first, **env) == digest
    assert check_layout(first + "/images", digest) == want
    # Now they were seen.
    for folder in (path, liar):
        shutil.rmtree(folder + "/images")
        err = build(stage, folder, "--locked", code=6, **env)
        name = largest(json.loads(GOLD["lock"]))["name"]
        assert f"layer {name}: its diff_id is sha256:" in err, err
        nothing_published(folder + "/images")


@scenario
def edited_digests_and_sizes_name_nothing(stage):
    """An edited lock ends in a sentence, before anything has a name, and harms nobody who shares its store."""
    digest, want = golden(stage)
    store = stage.fresh()

    def digest_of_layer(document):
        largest(document)["digest"] = other(largest(document)["digest"])

    def size_of_layer(document):
        largest(document)["size"] += 1

    def config(document):
        document["built"]["config"] = other(document["built"]["config"])

    def manifest(document):
        document["built"]["manifest"] = other(document["built"]["manifest"])

    def swapped(document):
        a, b = built(document)[-1], built(document)[-2]
        for key in ("digest", "diff_id", "size", "unpacked"):
            a[key], b[key] = b[key], a[key]

    for edit, words in ((digest_of_layer, "digest is sha256:"), (size_of_layer, "bytes, but the lock has"),
                        (config, "config is sha256:"), (manifest, "manifest is sha256:"), (swapped, "digest is sha256:")):
        path, env = beside(stage, store, edit)
        for _ in range(2):  # into an empty store, and when it knows the layers
            err = build(stage, path, "--locked", code=6, **env)
            assert words in err, f"{edit.__name__}: {err}"
            nothing_published(path + "/images")
        # Neither may another image's layer stand in the place that it names.
        honest, _ = beside(stage, store)
        assert build(stage, honest, "--locked", "-o", f"oci:{path}/images:mine", **env) == digest
        assert words in build(stage, path, "--locked", "-o", "oci:images:theirs", code=6, **env), edit.__name__
        assert b"theirs" not in read(path, "images/index.json")
        assert blobs(path + "/images") == want


@scenario
def a_base_images_layers_are_the_images(stage):
    path = stage.fresh()
    base = base_image.image(path)
    base_image.recipe(path, f"oci:base@{base.manifest}")
    build(stage, path)
    document = json.loads(read(path, "recipe.lock"))
    for key in ("digest", "diff_id"):
        edited = json.loads(json.dumps(document))
        built(edited)[0][key] = other(built(edited)[0][key])
        write(path, edited)
        shutil.rmtree(path + "/images", ignore_errors=True)
        got, _, err = end(start(stage, path, "build", "-q", "--locked", "recipe.yaml"))
        assert got in (3, 6) and built(edited)[0]["name"] in err, f"{got} {err}"
        nothing_published(path + "/images")


# ---- what an output holds ----


@scenario
def what_lies_in_an_output_is_held_against_its_name(stage):
    """Flipped, cut, of another layer: written anew, and told. Untouched, nothing is said."""
    digest, want = golden(stage)
    path, env = beside(stage, stage.fresh())
    assert build(stage, path, "--locked", **env) == digest
    assert build(stage, path, "--locked", **env) == digest
    folder = os.path.join(path, "images/blobs/sha256")
    sizes = sorted(len(body) for body in want.values())
    assert sizes[0] < 1 << 10 and sizes[-1] > 8 << 20, "neither small nor large ones"
    for name in sorted(os.listdir(folder)):
        file, date = os.path.join(folder, name), os.stat(os.path.join(folder, name))
        for harm in (lambda: flip(file), lambda: os.truncate(file, date.st_size - 1), lambda: flip(file, 0)):
            harm()
            os.utime(file, ns=(date.st_atime_ns, date.st_mtime_ns))  # as if nothing had been
            err = told(stage, path, "--locked", **env)
            assert f"{name} does not hold the bytes that its name says" in err, err
            assert blobs(path + "/images") == want
            assert told(stage, path, "--locked", **env) == ""


@scenario
def a_name_is_no_layer(stage):
    """Files that have the layers' names, and sizes, before the first build into that place."""
    digest, want = golden(stage)
    path, env = beside(stage, stage.fresh())
    os.makedirs(path + "/images/blobs/sha256")
    for name, body in want.items():
        write(path, bytes(len(body)), "images/blobs/sha256/" + name[7:])
    err = told(stage, path, "--locked", **env)
    assert err.count("does not hold the bytes") >= len(built(json.loads(GOLD["lock"]))), err
    assert check_layout(path + "/images", digest) == want


# ---- what the store holds ----


@scenario
def what_is_damaged_in_the_store_is_had_again(stage):
    digest, want = golden(stage)
    path, env = beside(stage, stage.fresh())
    assert build(stage, path, "--locked", **env) == digest
    store = env["XDG_CACHE_HOME"] + "/envbuild"
    folder = store + "/blobs/sha256"
    artifacts = {a["sha256"][7:]: a["file"] for a in json.loads(GOLD["lock"])["artifacts"]}
    for name in os.listdir(folder):  # cut, all of them
        os.truncate(os.path.join(folder, name), os.path.getsize(os.path.join(folder, name)) // 2)
    shutil.rmtree(path + "/images")
    shutil.rmtree(store + "/layers")
    err = told(stage, path, "--locked", **env)
    assert all(f"{file} was damaged in the store; it is fetched again" in err for file in artifacts.values()), err
    assert blobs(path + "/images") == want
    check_store(os.path.dirname(env["XDG_CACHE_HOME"]))


# ---- what an index says ----


@scenario
def an_announcement_is_its_indexs_own(stage):
    """An index that announces other METADATA of a wheel that all have: its word counts for who asks it, until the wheel
    says otherwise."""
    store = stage.fresh()
    env = {"XDG_CACHE_HOME": store + "/.common"}
    theirs, ours, late = stage.fresh(), stage.fresh(), stage.fresh()
    recipe(stage, theirs, f"indexes: [{{url: \"{at(stage, '/lying/')}\", only: [filelock]}}, {stage.index}]")
    recipe(stage, ours, f"indexes: [{stage.index}]")
    recipe(stage, late, f"indexes: [{{url: \"{at(stage, '/lying/')}\", only: [filelock]}}, {stage.index}]", "env: {A: b}")
    chosen = lock(stage, theirs, **env)
    assert wheel_of(chosen, "setuptools"), "the announcement is not believed by who asked"
    honest = lock(stage, ours, **env)
    assert wheel_of(honest, "filelock")["sha256"] == wheel_of(chosen, "filelock")["sha256"]
    assert not [a for a in honest["artifacts"] if a["name"] == "setuptools"], "their word is taken for another's"
    for _ in range(2):
        err = build(stage, theirs, code=6, **env)
        assert "filelock-3.16.0-py3-none-any.whl: its METADATA is not what " + at(stage, "/lying/") in err, err
        assert 'Requires-Dist: announced was "setuptools", the wheel says nothing' in err, err
    build(stage, ours, **env)
    # Now the wheel itself was seen: it is asked, whatever is announced of it.
    assert not [a for a in lock(stage, late, **env)["artifacts"] if a["name"] == "setuptools"]
    chosen = lock(stage, theirs, "--upgrade", "filelock", **env)
    assert not [a for a in chosen["artifacts"] if a["name"] == "setuptools"]
    build(stage, theirs, **env)


# ---- believing nothing ----


@scenario
def an_audit_reads_everything_again(stage):
    digest, want = golden(stage)
    store = stage.fresh()
    path, env = beside(stage, store)
    assert build(stage, path, "--locked", **env) == digest
    n, layers = len(json.loads(GOLD["lock"])["artifacts"]), len(built(json.loads(GOLD["lock"])))
    clean = f"audit: {n} files of the store read again, {layers} layers and their diff_ids made again; "
    assert told(stage, path, "--locked", "--audit", **env) == clean + "0 in the store and 0 in the output were wrong\n"
    # One byte of the largest of both, and the memory that all is well.
    folder = env["XDG_CACHE_HOME"] + "/envbuild/blobs/sha256"
    torch = wheel_of(json.loads(GOLD["lock"]), "torch")
    flip(os.path.join(folder, torch["sha256"][7:]))
    flip(os.path.join(path, "images/blobs/sha256", largest(json.loads(GOLD["lock"]))["digest"][7:]))
    err = told(stage, path, "--locked", "--audit", **env)
    assert f"{torch['file']} was damaged in the store; it is fetched again" in err, err
    assert err.endswith(clean + "1 in the store and 1 in the output were wrong, and are replaced\n"), err
    assert blobs(path + "/images") == want
    check_store(store)
    # A lock at one with itself that lies.
    liar, other_env = beside(stage, stage.fresh(), lambda document: lie_about(document, largest(document)))
    build(stage, liar, "--locked", **other_env)
    assert "its diff_id is sha256:" in build(stage, liar, "--locked", "--audit", code=6, **other_env)


@scenario
def an_audit_reads_the_base_image(stage):
    path = stage.fresh()
    base = base_image.image(path)
    base_image.recipe(path, f"oci:base@{base.manifest}")
    digest = build(stage, path)
    got, out, err = end(start(stage, path, "build", "-q", "--audit", "recipe.yaml"))
    assert got == 0 and printed(path, out) == digest and "0 in the store and 0 in the output were wrong" in err, err
    flip(base.blob(base.layers[0]["digest"]))
    assert "the image is damaged" in build(stage, path, "--audit", code=6)
