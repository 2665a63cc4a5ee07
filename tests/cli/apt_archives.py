# SPDX-License-Identifier: Apache-2.0
"""Apt archives that a recipe adds to the base's, each with its own key. As lib.py."""
import gzip, hashlib, io, json, os, shutil, tarfile

from lib import at, blobs, build, end, images, lock, read, recipe, scenario, start

EXTRA = "  - {{uri: {0}, suites: [stable], components: [main], keyring: {1}}}"
FLAT = "  - {{uri: {0}, suites: [./], keyring: keys/flat.gpg}}"


def folder(stage):
    path = stage.fresh()
    os.makedirs(os.path.join(path, "keys"))
    for name in ("extra.asc", "flat.gpg"):
        shutil.copy(os.path.join(stage.world, name), os.path.join(path, "keys", name))
    return path


def debs(document):
    return {a["name"]: a["version"] for a in document["artifacts"] if a["type"] == "deb"}


def extra(stage, keyring="keys/extra.asc", uri="/extra"):
    return EXTRA.format(at(stage, uri), keyring)


@scenario
def two_archives_with_two_keys(stage):
    """The highest version wins; the lock names archives and signers; the image knows both archives."""
    path = folder(stage)
    recipe(stage, path, "apt: [git, tool]", "apt_archives:", extra(stage), FLAT.format(at(stage, "/flat")))
    document = lock(stage, path, "--index", stage.index)
    got = debs(document)
    assert (got["git"], got["less"], got["tool"]) == ("1:2.50.0", "590-2", "1.0"), got
    named = {(a["uri"].rsplit("/", 1)[1], a["suite"]): a["signers"] for a in document["archives"]}
    assert set(named) == {("debian", "tiny"), ("debian", "tiny-security"), ("extra", "stable"), ("flat", "./")}, named
    assert len({tuple(s) for s in named.values()}) == 3 and all(named.values()), named
    build(stage, path)
    tree = tree_of(path)
    assert tree["etc/apt/keyrings/extra.asc"] == read(path, "keys/extra.asc")
    assert tree["etc/apt/keyrings/flat.gpg"] == read(path, "keys/flat.gpg")
    sources = tree["etc/apt/sources.list.d/recipe.sources"].decode()
    assert sources == (f"Types: deb\nURIs: {at(stage, '/extra')}\nSuites: stable\nComponents: main\n"
                       f"Signed-By: /etc/apt/keyrings/extra.asc\n\n"
                       f"Types: deb\nURIs: {at(stage, '/flat')}\nSuites: ./\nSigned-By: /etc/apt/keyrings/flat.gpg\n"), sources


def tree_of(path):
    """Files of the image's last layers, by path."""
    found = {}
    for body in blobs(os.path.join(path, "images")).values():
        if body[:2] != b"\x1f\x8b":
            continue
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(body))) as tar:
            for m in tar:
                if m.isfile() and m.name.startswith("etc/apt/"):
                    found[m.name] = tar.extractfile(m).read()
    return found


@scenario
def an_archive_does_not_change_the_layers_below(stage):
    """Only the last layer knows of it, so that images go on sharing the others."""
    layers = []
    for lines in ([], ["apt_archives:", FLAT.format(at(stage, "/flat"))]):
        path = folder(stage)
        recipe(stage, path, *lines)
        lock(stage, path, "--index", stage.index)
        build(stage, path)
        index = json.loads(read(path, "images", "index.json"))
        manifest = json.loads(blobs(os.path.join(path, "images"))[images(index)[0]["digest"]])
        layers.append([x["digest"] for x in manifest["layers"]])
    assert layers[0][:-1] == layers[1][:-1] and layers[0][-1] != layers[1][-1], layers


@scenario
def a_version_pins_the_archive(stage):
    path = folder(stage)
    recipe(stage, path, 'apt: ["git=1:2.10.0"]', "apt_archives:", extra(stage), FLAT.format(at(stage, "/flat")))
    assert debs(lock(stage, path, "--index", stage.index))["git"] == "1:2.10.0"
    path = folder(stage)
    recipe(stage, path, 'apt: ["git=1:2.11*"]', "apt_archives:", extra(stage), FLAT.format(at(stage, "/flat")))
    err = lock(stage, path, "--index", stage.index, code=4)
    assert "there is 1:2.50.0, 1:2.39.2, 1:2.10.0" in err, err


@scenario
def archives_that_cannot_be_believed(stage):
    """A wrong key, no signature, a key that may not sign, a keyring that is missing, empty or cut."""
    path = folder(stage)
    with open(os.path.join(path, "keys", "cut.asc"), "wb") as f:
        f.write(read(path, "keys/extra.asc")[:120])
    with open(os.path.join(path, "keys", "text.gpg"), "w") as f:
        f.write("not a key\n")
    for line, code, words in (
        (extra(stage, "keys/flat.gpg"), 6, "which is not in the archive's keyring"),
        (extra(stage, uri="/unsigned"), 6, "gpgv says NODATA"),
        (extra(stage)[:-1] + f", fingerprints: [{'0' * 40}]}}", 6, "not among the fingerprints that may sign"),
        (extra(stage, "keys/none.gpg"), 3, "recipe.yaml:7:"),
        (extra(stage, "keys/text.gpg"), 3, "holds no OpenPGP key"),
        (extra(stage, "keys/cut.asc"), 3, "is damaged"),
        (extra(stage, uri="/nowhere"), 3, "has no suite"),
    ):
        recipe(stage, path, "apt_archives:", line)
        err = lock(stage, path, "--index", stage.index, code=code)
        assert words in err, (line, err)
        assert not os.path.exists(os.path.join(path, "recipe.lock"))
    recipe(stage, path, "apt_archives:", extra(stage)[:-1] + f", fingerprints: [{read(stage.world, 'extra.fingerprint').decode().lower()}]}}")
    lock(stage, path, "--index", stage.index)


@scenario
def a_keyring_that_changed_is_told(stage):
    path = folder(stage)
    recipe(stage, path, "apt_archives:", extra(stage))
    lock(stage, path, "--index", stage.index)
    with open(os.path.join(path, "keys", "extra.asc"), "a") as f:
        f.write("\n")
    err = build(stage, path, code=3)
    assert "keys/extra.asc changed" in err, err
    got, _, err = end(start(stage, path, "lock", "--index", stage.index, "recipe.yaml"))
    assert got == 0 and "keys/extra.asc changed" in err and err.count("extra.asc changed") == 1, err


@scenario
def a_keyring_that_is_missing_is_told(stage):
    """The lock pins it by its hash, as it does all files that a recipe names; the recipe's folder has it."""
    path = folder(stage)
    recipe(stage, path, "apt_archives:", extra(stage))
    document = lock(stage, path, "--index", stage.index)
    body = read(path, "keys/extra.asc")
    pinned = {i["path"]: i["sha256"] for i in document["recipe"]["inputs"]}
    assert pinned["keys/extra.asc"] == "sha256:" + hashlib.sha256(body).hexdigest(), pinned
    digest = build(stage, path)
    os.unlink(os.path.join(path, "keys", "extra.asc"))
    for args in ([], ["--locked"], ["--locked", "--offline"]):
        err = build(stage, path, *args, code=3)
        assert err.startswith("recipe.yaml:") and "apt_archives: keyring: " in err and "keys/extra.asc" in err, err
    with open(os.path.join(path, "keys", "extra.asc"), "wb") as f:
        f.write(body)
    assert build(stage, path, "--locked", "--offline") == digest
