# SPDX-License-Identifier: Apache-2.0
"""Scenarios on `downloads:`: files by their addresses, locked when they are first seen, each a layer of its own."""
import contextlib, gzip, hashlib, io, json, os, shutil, tarfile, threading, time, zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from base_image import image
from lib import blobs, build, check_layout, end, lock, read, recipe, run, scenario, start, unpacked

DATE = 1700000000


class Peer(ThreadingHTTPServer):
    """Files with their marks, and what is to go wrong with the next requests."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.marks, self.log, self.faults, self.moved, self.want = {}, {}, [], [], {}, None

    def handle_error(self, *args):
        pass

    def url(self, path):
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"no\n", cut=None, **head):
        self.send_response(status)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        for name, value in head.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if status != 304:
            self.wfile.write(body[:cut])
        if cut is not None:
            self.close_connection = True

    def do_GET(self):
        peer, head = self.server, self.headers
        peer.log.append((self.path, head.get("Range"), head.get("If-Range") or head.get("If-None-Match"), head.get("Authorization")))
        fault = peer.faults.pop(0) if peer.faults else None
        if peer.want and head.get("Authorization") != peer.want:
            return self.answer(401, WWW_Authenticate="Bearer")
        if self.path in peer.moved:
            return self.answer(302, Location=peer.moved[self.path])
        if fault == "404" or self.path not in peer.files:
            return self.answer(404)
        body, mark, begin = peer.files[self.path], peer.marks.get(self.path), 0
        marks = {"ETag": mark} if mark else {}
        if mark and head.get("If-None-Match") == mark:
            return self.answer(304, **marks)
        if head.get("Range") and (fault == "ignorant" or head.get("If-Range") in (None, mark)):
            begin = int(head["Range"][6:].split("-")[0])
            marks["Content-Range"] = f"bytes {begin}-{len(body) - 1}/{len(body)}"
        self.answer(206 if begin else 200, body[begin:], 3 << 17 if fault == "cut" else None, **marks)


@contextlib.contextmanager
def serving():
    peer = Peer()
    threading.Thread(target=peer.serve_forever, daemon=True).start()
    try:
        yield peer
    finally:
        peer.shutdown()
        peer.server_close()


def tar_of(*members, mode="w:gz"):
    """Each a path and its text, a path and ("link", target), or a path alone for a folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode, format=tarfile.GNU_FORMAT) as tar:
        for path, *body in members:
            t = tarfile.TarInfo(path)
            t.mtime, t.uid, t.mode = DATE, 4711, 0o755 if path.endswith(".sh") else 0o600
            if not body:
                t.type, t.mode = tarfile.DIRTYPE, 0o700
            elif isinstance(body[0], tuple):
                t.type, t.linkname = {"link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "pipe": tarfile.FIFOTYPE}[body[0][0]], body[0][1]
            else:
                t.size = len(body[0])
            tar.addfile(t, io.BytesIO(body[0]) if body and isinstance(body[0], bytes) else None)
    return out.getvalue()


def zip_of(**members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for path, body in members.items():
            z.writestr(path, body)
    return out.getvalue()


def noise(n, seed=b"x"):
    return b"".join(hashlib.sha256(seed + str(i).encode()).digest() for i in range(n // 32))


def asks(stage, path, *downloads, more=()):
    recipe(stage, path, f"indexes: [{stage.index}]", *more, "downloads:", *("- {" + d + "}" for d in downloads))


def layer(path, digest, name):
    """The entries of the layer that the history calls so, and its place among the others' names."""
    found = blobs(path + "/images")
    manifest = json.loads(found[digest])
    config = json.loads(found[manifest["config"]["digest"]])
    names = [h.get("created_by", "").removeprefix("envbuild ") for h in config["history"] if not h.get("empty_layer")]
    assert len(names) == len(manifest["layers"]), config["history"]
    with tarfile.open(fileobj=io.BytesIO(unpacked(found[manifest["layers"][names.index(name)]["digest"]]))) as tar:
        entries = {t.name.rstrip("/"): (t.type, oct(t.mode)[2:], t.uid, t.gid, t.linkname, tar.extractfile(t).read() if t.isfile() else None) for t in tar}
    return entries, names


def of(document, name):
    return next(a for a in document["artifacts"] if a["type"] == "download" and a["name"] == name)


@scenario
def layers_of_their_own(stage):
    """A file, a tar and a zip lie where they should, with the recipe's owners and modes; the lock has what was seen; nobody
    is asked again, also for another folder, and the digest is the same."""
    path = stage.fresh()
    with serving() as peer:
        peer.files = {"/set/x.bin": noise(3000), "/set/course.tar.gz": tar_of(("course/",), ("course/a.csv", b"1,2\n"), ("course/run.sh", b"#!/bin/sh\n"),
                      ("course/now", ("link", "a.csv")), ("course/same", ("hard", "course/a.csv")), ("deep/er/b", b"b")),
                      "/set/p.zip?download=1": zip_of(**{"p/one.txt": b"one" * 50000, "p/two.txt": b"2"})}
        asks(stage, path, f'url: "{peer.url("/set/x.bin")}", to: /opt/models/x.bin, mode: "0640"', f'url: "{peer.url("/set/course.tar.gz")}", to: /data/, unpack: true',
             f'url: "{peer.url("/set/p.zip?download=1")}", to: /srv/p, unpack: true, owner: "7:8"', f'url: "{peer.url("/set/x.bin")}", name: again, to: /srv/p/',
             more=["user: {name: student, uid: 2000}", "folders: [/data]"])
        text = read(path, "recipe.yaml").decode().replace("base: ./base.yaml", 'base: {image: "oci:base@' + image(path).digest + '"}')
        with open(os.path.join(path, "recipe.yaml"), "w") as f:
            f.write(text)
        first = lock(stage, path)
        asked = len(peer.log)
        assert asked == 4, peer.log
        x = of(first, "x.bin")
        assert (x["sha256"], x["size"], x["to"], x["mode"]) == ("sha256:" + hashlib.sha256(noise(3000)).hexdigest(), 2976, "/opt/models/x.bin", "0640"), x
        assert x["version"] == x["sha256"][7:19] and of(first, "course.tar.gz")["uid"] == 2000
        digest = build(stage, path)
        check = layer(path, digest, "course.tar.gz")
        folder, file = (tarfile.DIRTYPE, "775", 2000, 0, "", None), lambda body, mode="664": (tarfile.REGTYPE, mode, 2000, 0, "", body)
        assert check[0] == {"data": folder, "data/course": folder, "data/course/a.csv": file(b"1,2\n"), "data/course/run.sh": file(b"#!/bin/sh\n", "775"),
                            "data/course/now": (tarfile.SYMTYPE, "777", 2000, 0, "a.csv", None), "data/course/same": (tarfile.LNKTYPE, "664", 2000, 0, "data/course/a.csv", check[0]["data/course/same"][5]),
                            "data/deep": folder, "data/deep/er": folder, "data/deep/er/b": file(b"b")}, check[0]
        assert check[1][-7:] == ["again", "course.tar.gz", "p.zip", "x.bin", "wheels-256k", "asked-256k", "files"], check[1]
        got = layer(path, digest, "p.zip")[0]
        assert got["srv/p"][2:4] == (7, 8) and got["srv/p/p/one.txt"][1:4] == ("644", 7, 8) and got["srv/p/p/one.txt"][5] == b"one" * 50000, got
        got = layer(path, digest, "x.bin")[0]
        assert got["opt/models/x.bin"][1:4] == ("640", 0, 0) and got["opt/models/x.bin"][5] == noise(3000), got
        assert layer(path, digest, "again")[0]["srv/p/x.bin"][5] == noise(3000)
        assert "data" not in layer(path, digest, "files")[0] or layer(path, digest, "files")[0]["data"][1:4] == ("775", 2000, 0)
        before = json.loads(read(path, "recipe.lock"))
        assert lock(stage, path) == before and len(peer.log) == asked, peer.log[asked:]
        assert build(stage, path, "--locked", "--offline", "-o", "oci:again") == digest and len(peer.log) == asked
        out, _ = run(stage, path, "explain", "recipe.yaml")
        assert "at /opt/models/x.bin" in out and "unpacked in /data/" in out and peer.url("") in out, out
        out, _ = run(stage, path, "why", "recipe.yaml", "x.bin")
        assert "the recipe's `downloads` names it, for /opt/models/x.bin" in out, out
        assert f"x.bin {x['version']}\n" in run(stage, path, "tree", "recipe.yaml")[0]
        assert "envbuild course.tar.gz" in run(stage, path, "inspect", "oci:images", "--json")[0]
        assert run(stage, path, "diff", "recipe.lock", "recipe.lock")[0] is not None
        asks(stage, path, f'url: "{peer.url("/set/x.bin")}", to: /opt/models/y.bin')
        _, err = run(stage, path, "build", "--locked", "recipe.yaml", code=3)
        assert "downloads changed" in err, err
        lock(stage, path)
        assert len(peer.log) == asked, "what the lock has is fetched again"
        out, _ = run(stage, path, "diff", "recipe.lock", "recipe.lock")


@scenario
def an_edit_of_the_system_leaves_them(stage):
    """Their layers are put together from what the store has, unless the edit changes what they hang on."""
    path = stage.fresh()
    with serving() as peer:
        peer.files = {"/a": noise(100000), "/set.tar.gz": tar_of(("course/x", b"x"))}

        def made(*more):
            asks(stage, path, f'url: "{peer.url("/a")}", to: /data/', f'url: "{peer.url("/set.tar.gz")}", to: /opt/, unpack: true', more=more)
            lock(stage, path)
            code, _, err = end(start(stage, path, "build", "-v", "recipe.yaml"))
            assert code == 0, err
            digests = {l["name"]: l["digest"] for l in json.loads(read(path, "recipe.lock"))["built"]["layers"]}
            return {n for n in ("apt", "a", "set.tar.gz") if f"assemble {n}, " in err}, (digests["a"], digests["set.tar.gz"])

        first = made()
        assert first[0] == {"a", "set.tar.gz"}, first
        assert made("apt: [git]") == ({"apt"}, first[1])
        shutil.rmtree(os.path.join(path, "images"))
        assert made("apt: [passwd]") == ({"apt"}, first[1])
        inside = made("folders: [/data]")
        assert "a" in inside[0] and inside[1][0] != first[1][0], inside


@scenario
def what_is_pruned_is_not_theirs(stage):
    """Neither when the lock has another system since it was built, nor when the last build was the only use for long."""
    path = stage.fresh()
    with serving() as peer:
        peer.files = {"/set.tar.gz": tar_of(("course/x", noise(100000)))}

        def locked(*more):
            asks(stage, path, f'url: "{peer.url("/set.tar.gz")}", to: /opt/, unpack: true', more=more)
            lock(stage, path)

        def made():
            code, _, err = end(start(stage, path, "build", "-v", "recipe.yaml"))
            assert code == 0, err
            shutil.rmtree(os.path.join(path, "images"))
            return "assemble set.tar.gz, " in err

        locked()
        assert made()
        locked("apt: [git]")
        run(stage, path, "prune")
        assert not made()
        then = time.time() - 40 * 86400
        for name in ("blobs", "layers"):
            for folder, _, files in os.walk(path + "/.cache/envbuild/" + name):
                for file in files:
                    os.utime(os.path.join(folder, file), (then, then))
        assert not made()
        run(stage, path, "prune", "--older", "30d")
        locked("apt: [passwd]")
        assert not made()


@scenario
def a_cut_is_no_beginning(stage):
    """What a cut left is continued where the server still has the same file, and from the start where it has not, or where
    it does not say; a server that says so and sends another is caught."""
    big, new = noise(2 << 20), noise(2 << 20, b"new")
    for name, mark, second, fault, ranges, now in (("same", '"a"', '"a"', None, True, big), ("other", '"a"', '"b"', None, True, new),
                                                   ("unsaid", None, None, None, False, big), ("weak", 'W/"a"', 'W/"a"', None, False, big),
                                                   ("ignorant", '"a"', '"b"', "ignorant", True, new)):
        path = stage.fresh()
        with serving() as peer:
            peer.files, peer.marks, peer.faults = {"/big": big}, {"/big": mark}, ["cut", "404", "404"]
            asks(stage, path, f'url: "{peer.url("/big")}", to: /data/')
            err = lock(stage, path, code=5)
            assert f"download big: {peer.url('/big')}: HTTP 404" in err, err
            peer.files, peer.marks, peer.faults, mark_of = {"/big": now}, {"/big": second}, [fault] if fault else [], len(peer.log)
            got = of(lock(stage, path), "big")
            assert got["sha256"][7:] == hashlib.sha256(now).hexdigest(), (name, peer.log)
            assert bool(peer.log[mark_of][1]) == ranges and (not ranges or peer.log[mark_of][1:3] == (f"bytes={3 << 17}-", mark)), (name, peer.log[mark_of:])


@scenario
def a_hash_that_is_named(stage):
    """With `sha256` a cut is continued whatever the server says, and other bytes are none; what the store has is not fetched."""
    path, body = stage.fresh(), noise(2 << 20)
    right = hashlib.sha256(body).hexdigest()
    with serving() as peer:
        peer.files, peer.faults = {"/big": body}, ["cut", "404"]
        asks(stage, path, f'url: "{peer.url("/big")}", to: /data/, sha256: "{right}"')
        lock(stage, path, code=5)
        assert of(lock(stage, path), "big")["sha256"] == "sha256:" + right and peer.log[-1][1] == f"bytes={3 << 17}-", peer.log
        path = stage.fresh()
        asks(stage, path, f'url: "{peer.url("/big")}", to: /data/, sha256: "{"1" * 64}"')
        err = lock(stage, path, code=6)
        assert f"download big: {peer.url('/big')}: " in err and right in err and "1" * 64 in err, err
        asks(stage, path, f'url: "{peer.url("/gone")}", to: /data/')
        assert f"download gone: {peer.url('/gone')}: HTTP 404" in lock(stage, path, code=5)
        asks(stage, path, f'url: "{peer.url("/big")}", to: /data/')
        assert "is not in the store, and offline it cannot be fetched" in lock(stage, path, "--offline", code=5)


@scenario
def what_changes_upstream(stage):
    """The lock stays what it is; --check tells of another file, --upgrade takes it, and one that is the same is not fetched.
    A build that lacks the old one says what would work."""
    path = stage.fresh()
    with serving() as peer:
        peer.files, peer.marks = {"/a": b"one", "/b": b"bee"}, {"/a": '"1"', "/b": '"1"'}
        asks(stage, path, f'url: "{peer.url("/a")}", to: /data/', f'url: "{peer.url("/b")}", to: /data/')
        first = lock(stage, path)
        peer.files["/a"], peer.marks["/a"], mark = b"two", '"2"', len(peer.log)
        assert lock(stage, path) == first and len(peer.log) == mark
        out, _ = run(stage, path, "lock", "--check", "recipe.yaml", code=1)
        assert f"download a {of(first, 'a')['version']} becomes {hashlib.sha256(b'two').hexdigest()[:12]}" in out, out
        assert "download b" not in out and [x[2] for x in peer.log[mark:]] == ['"1"', '"1"'], peer.log[mark:]
        shutil.rmtree(os.path.join(path, ".cache"))
        err = build(stage, path, code=6)
        assert "fetch a " in err and "`envbuild lock --upgrade RECIPE a`" in err, err
        run(stage, path, "lock", "--upgrade", "recipe.yaml", "a")
        now = json.loads(read(path, "recipe.lock"))
        assert of(now, "a")["sha256"][7:] == hashlib.sha256(b"two").hexdigest() and of(now, "b") == of(first, "b")
        check_layout(path + "/images", build(stage, path))


@scenario
def who_we_are(stage):
    """A token goes to the download's own server and nowhere else, also when that leads on; no address with a secret is
    taken, and no secret stands in any output, in the lock or in the store."""
    path = stage.fresh()
    with serving() as peer, serving() as away:
        away.files = {"/blob": b"there"}
        peer.moved, peer.want = {"/get": away.url("/blob")}, "Bearer s3cret"
        asks(stage, path, f'url: "{peer.url("/get")}", to: /data/x, name: my-set')
        peer.want, peer.files = "Bearer s3cret", {"/plain": b"plain"}
        told = []
        for env in ({}, {"ENVBUILD_DOWNLOAD_MY_SET_TOKEN": "s3cret"}):
            code, out, err = end(start(stage, path, "lock", "-v", "recipe.yaml", **env))
            assert code == (0 if env else 5), (code, err)
            told.append(out + err)
        assert of(json.loads(read(path, "recipe.lock")), "my-set")["size"] == 5 and peer.log[-1][3] == "Bearer s3cret" and away.log[-1][3] is None, (told, peer.log, away.log)
        asks(stage, path, f'url: "{peer.url("/plain")}", to: /data/y')
        err = lock(stage, path, code=5)
        assert "HTTP 401" in err and "~/.netrc" in err, err
        for where in ("?access_token=s3cret", "?X-Amz-Signature=s3cret&a=b", "?a=1&apiKey=s3cret", "?%74oken=s3cret"):
            asks(stage, path, f'url: "{peer.url("/plain")}{where}", to: /data/y')
            told.append(lock(stage, path, code=3))
            assert "the address has a credential" in told[-1] and "ENVBUILD_DOWNLOAD_<NAME>_TOKEN" in told[-1], told[-1]
        asks(stage, path, f'url: "{peer.url("/plain").replace("//", "//s3cret@")}", to: /data/y')
        told.append(lock(stage, path, code=3))
        assert "names no user" in told[-1], told[-1]
        assert "s3cret" not in "".join(told), told
        for root, _, files in os.walk(path):
            for f in files:
                assert f == "recipe.yaml" or b"s3cret" not in read(root, f), f"{root}/{f}"


@scenario
def what_an_archive_may_hold(stage):
    """Nothing of an archive leaves its folder, and what is no archive is told."""
    outside = "leads out of the archive, or may do so"
    with serving() as peer:
        for name, body, words in (("up.tar", tar_of(("../x", b"x"), mode="w"), "path"), ("link.tar.xz", tar_of(("a", ("link", "../../etc/passwd")), mode="w:xz"), outside),
                                  ("absolute.tar", tar_of(("a", ("link", "/etc/passwd")), mode="w"), outside),
                                  ("back.tar", tar_of(("d/",), ("d/e", ("link", "..")), ("f", ("link", "d/e/../../x")), mode="w"), outside),
                                  ("through.tar.bz2", tar_of(("d", ("link", "e")), ("d/x", b"x"), mode="w:bz2"), "needs a folder where /data/d is a link"),
                                  ("hard.tar", tar_of(("a", ("hard", "etc/passwd")), mode="w"), "which is not a file beside it"),
                                  ("pipe.tar", tar_of(("p", ("pipe", "")), mode="w"), "p"), ("slip.zip", zip_of(**{"../x": b"x"}), "slip.zip"),
                                  ("absolute.zip", zip_of(**{"/x": b"x"}), "absolute.zip"), ("text.tar.gz", b"no archive\n", "is not a valid tar")):
            path = stage.fresh()
            peer.files = {"/" + name: body}
            asks(stage, path, f'url: "{peer.url("/" + name)}", to: /data, unpack: true')
            lock(stage, path)
            err = build(stage, path, code=3)
            assert f"unpack {name}: " in err and words in err, (name, err)


@scenario
def what_a_recipe_may_ask(stage):
    """Each fault is told with its place."""
    path = stage.fresh()
    for ask, words in (('url: "https://x/a", to: data', '"data" is not an absolute path'), ('url: "file:///etc/passwd", to: /x', "`files` copies"),
                       ('url: "https://x/a", to: /, unpack: true', "not over the whole image"), ('url: "https://x/", to: /d/', "give the download a `name`"),
                       ('url: "https://x/a", to: /d/, sha256: abc', '"abc" is not a sha256'), ('url: "https://x/a", to: /d/, mode: "9"', "not three octal digits"),
                       ('url: "https://x/a", to: /d/, name: "a b"', "is not a name"), ('url: "https://x/a#b", to: /d/', 'end before the "#"'),
                       ('to: /d/', "url"), ('url: "https://x/a", to: /d/, unpak: true', 'did you mean "unpack"')):
        asks(stage, path, ask)
        err = lock(stage, path, code=3)
        assert err.startswith("recipe.yaml:") and words in err, (ask, err)
    asks(stage, path, 'url: "https://x/a", to: /d/', 'url: "https://y/a", to: /e/')
    assert 'two are called "a"' in lock(stage, path, code=3)
    asks(stage, path, *(f'url: "https://x/{i}a", to: /d/' for i in range(21)))
    assert "name at most 20" in lock(stage, path, code=3)


@scenario
def edited_locks(stage):
    """A lock that says otherwise of a download than its recipe is not built."""
    path = stage.fresh()
    with serving() as peer:
        peer.files = {"/a": b"one"}
        asks(stage, path, f'url: "{peer.url("/a")}", to: /data/')
        good = lock(stage, path)
        for key, value, words in (("to", "/etc/", "download a is "), ("uid", 5, "owner 0:0"), ("url", "https://x/evil", "download a is "),
                                  ("to", "/../etc/", "is not a path of the image"), ("version", "0" * 12, "is not its digest's"), ("url", "file:///a", "is not one of a server")):
            edited = json.loads(json.dumps(good))
            of(edited, "a")[key] = value
            with open(os.path.join(path, "recipe.lock"), "w") as f:
                json.dump(edited, f)
            err = build(stage, path, code=3)
            assert words in err, (key, value, err)
