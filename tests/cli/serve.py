# SPDX-License-Identifier: Apache-2.0
"""serve: a read-only registry of a layout, and whoever asks it for what it does not have. As lib.py."""
import base64, base_image, concurrent.futures, http.client, random, re, shutil, signal, socket, time

from lib import *

TAG = "2.6.0-cuda12.4-cudnn9-runtime"


class Serve:
    """`envbuild serve` at a free port, of what stands in `path`."""

    def __init__(self, stage, path, *images, end="INT"):
        self.process = start(stage, path, "serve", "--listen", "127.0.0.1:0", *images)
        self.signal, self.err = getattr(signal, "SIG" + end), ""

    def __enter__(self):
        line = self.process.stdout.readline().decode().strip()
        assert line, self.process.communicate()[1].decode()
        self.host, self.name = line.split("/", 1)
        self.port = int(self.host.split(":")[1])
        return self

    def __exit__(self, kind, *_):
        self.process.send_signal(self.signal)
        code, self.out, self.err = end(self.process)
        assert kind or code == 0, (code, self.err)

    def ask(self, path, method="GET", body=None, by="127.0.0.1", **headers):
        """Status, headers and bytes; `by` is the address of who asks."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE, source_address=(by, 0))
        try:
            c.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            r = c.getresponse()
            return r.status, r.headers, r.read()
        finally:
            c.close()

    def say(self, data):
        """Bytes as they are; what comes back until the other side ends it."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as s:
            got = b""
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                while part := s.recv(65536):
                    got += part
            except OSError:  # it hung up
                pass
            return got


def blob(path, layout, data):
    """Written into a layout; its descriptor."""
    digest = hashlib.sha256(data).hexdigest()
    os.makedirs(f"{path}/{layout}/blobs/sha256", exist_ok=True)
    with open(f"{path}/{layout}/blobs/sha256/{digest}", "wb") as f:
        f.write(data)
    return {"digest": "sha256:" + digest, "size": len(data)}


def made(stage, *layers, tag="big", layout="images", path=None, ports=(), labels={}):
    """A folder with a layout of one image: layers of any bytes, which nobody unpacks here; and their descriptors."""
    path = path or stage.fresh()
    config = {"architecture": "amd64", "os": "linux", "config": {"Labels": {"course": tag, **labels}, "ExposedPorts": {port: {} for port in ports}},
              "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(x).hexdigest() for x in layers]}}
    parts = [{"mediaType": "application/vnd.oci.image.layer.v1.tar", **blob(path, layout, x)} for x in layers]
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", **blob(path, layout, json.dumps(config).encode())}
    manifest = {"mediaType": "application/vnd.oci.image.manifest.v1+json",
                **blob(path, layout, json.dumps({"schemaVersion": 2, "config": config, "layers": parts}).encode()),
                "annotations": {"org.opencontainers.image.ref.name": tag, "io.containerd.image.name": f"docker.io/library/course:{tag}"}}
    for name, text in (("oci-layout", {"imageLayoutVersion": "1.0.0"}), ("index.json", {"schemaVersion": 2, "manifests": [manifest]})):
        with open(f"{path}/{layout}/{name}", "w") as f:
            json.dump(text, f)
    return path, manifest, parts


def built(stage):
    """A folder with a built layout, and the image's digest."""
    path = stage.fresh()
    return path, build(stage, path)


@scenario
def clients_pull_the_same_image(stage):
    """The tag, the digest, every blob; the lock that refers to it; and nothing is written."""
    path, digest = built(stage)
    before = {n: os.stat(f"{path}/images/blobs/sha256/{n}").st_mtime_ns for n in os.listdir(path + "/images/blobs/sha256")}
    with Serve(stage, path) as s:
        assert s.name == f"pytorch:{TAG}", s.name
        run(stage, path, "copy", "-q", f"docker://{s.host}/pytorch@{digest}", "oci:copied:x")
        held = check_layout(path + "/copied", digest)
        assert held == {d: b for d, b in blobs(path + "/images").items() if d in held}
        if shutil.which("skopeo"):
            subprocess.run(["skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{s.host}/{s.name}", "oci:theirs:x"], cwd=path, check=True)
            check_layout(path + "/theirs", digest)
        status, headers, body = s.ask(f"/v2/pytorch/referrers/{digest}")
        found = json.loads(body)["manifests"]
        assert status == 200 and headers["Content-Type"] == "application/vnd.oci.image.index.v1+json" and len(found) == 1, body
        assert run(stage, path, "lock", "--from", f"docker://{s.host}/{s.name}")[0].encode() == read(path, "recipe.lock")
        kind = found[0]["artifactType"]
        for asked, n in ((kind, 1), ("application/x", 0)):
            _, headers, body = s.ask(f"/v2/pytorch/referrers/{digest}?artifactType=" + asked.replace("+", "%2B"))
            assert headers["OCI-Filters-Applied"] == "artifactType" and len(json.loads(body)["manifests"]) == n, (asked, body)
    after = {n: os.stat(f"{path}/images/blobs/sha256/{n}").st_mtime_ns for n in os.listdir(path + "/images/blobs/sha256")}
    assert after == before
    assert re.search(r"envbuild: 1 machine fetched \d.*B in ", s.err), s.err


@scenario
def straight_from_store_and_lock(stage):
    """No layout, and of what wheels give no layer on the disk: by recipe and by lock, from a store that has all and from one that has nothing."""
    path, _ = begin(stage)
    code, out, err = end(start(stage, path, "serve", "--listen", "127.0.0.1:0", "recipe.lock"))
    assert (code, out) == (3, "") and "recipe.lock does not tell the digests of its layers, for it was never built; name its recipe instead, or run `envbuild build RECIPE` first" in err, err
    digest = None
    for operand, options in (("recipe.yaml", ()), ("recipe.lock", ("--offline",)), ("recipe.yaml", ("--store", path + "/other"))):
        with Serve(stage, path, *options, operand) as s:
            manifest = json.loads(s.ask("/v2/pytorch/manifests/" + TAG)[2])
            digest = digest or s.ask("/v2/pytorch/manifests/" + TAG)[1]["Docker-Content-Digest"]
            out = "copied" + str(len(os.listdir(path)))
            run(stage, path, "copy", "-q", f"docker://{s.host}/pytorch@{digest}", f"oci:{out}:x")
            check_layout(f"{path}/{out}", digest)
            assert run(stage, path, "lock", "--from", f"docker://{s.host}/{s.name}")[0].encode() == read(path, "recipe.lock")
            status, _, told = s.ask(f"/delta/pytorch:{TAG}?have={digest}")
            assert status == 404 and b"served straight from its lock" in told, (status, told)
            whole = s.ask("/image.tar")[2]
            for layer in manifest["layers"]:
                data = read(path, out, "blobs/sha256", layer["digest"][7:])
                for a, b in ((0, 0), (0, len(data) // 2), (len(data) // 3, len(data) // 2), (len(data) - 1, len(data))):
                    got = s.ask("/v2/pytorch/blobs/" + layer["digest"], Range=f"bytes={a}-{b}")[2]
                    assert got == data[a:b + 1], (layer, a, b)
                assert data in whole, layer
            assert whole[70000:90000] == s.ask("/image.tar", Range="bytes=70000-89999")[2]
        store = path + "/other" if options[:1] == ("--store",) else stage.env(path)["XDG_CACHE_HOME"] + "/envbuild"
        there = set(os.listdir(store + "/blobs/sha256"))
        written = [layer for layer in manifest["layers"] if layer["digest"][7:] in there]
        assert len(written) < len(manifest["layers"]) and not os.path.exists(path + "/images"), written
    path2, _ = begin(stage)
    assert build(stage, path2) == digest and read(path2, "recipe.lock") == read(path, "recipe.lock")


@scenario
def locks_of_every_kind(stage):
    """On a base image, whose layers go into the store; other compressions; with files of the recipe."""
    for lines in (("compression: zstd",), ("compression: [gzip, zstd]",), ("files: [{from: base.yaml, to: /x}]",), None):
        path, _ = begin(stage, *(lines or ()))
        if not lines:
            base_image.recipe(path, "oci:base@" + base_image.image(path).digest, f"indexes: [{stage.index}]")
        with Serve(stage, path, "recipe.yaml") as s:
            digest = s.ask("/v2/" + s.name.replace(":", "/manifests/"))[1]["Docker-Content-Digest"]
            run(stage, path, "copy", "-q", f"docker://{s.host}/{s.name}", "oci:copied:x")
        run(stage, path, "build", "-q", "recipe.yaml", "-o", "docker-archive:built.tar")
        run(stage, path, "copy", "-q", "docker-archive:built.tar", "oci:built:x")
        assert json.loads(read(path, "built/index.json"))["manifests"][0]["digest"] == digest == json.loads(read(path, "copied/index.json"))["manifests"][0]["digest"], lines


@scenario
def a_store_that_was_damaged_gives_nothing(stage):
    path, lock = begin(stage)
    store = path + "/own"
    with Serve(stage, path, "--store", store, "recipe.yaml"):
        pass
    wheel = max((a for a in json.loads(read(path, "recipe.lock"))["artifacts"] if a["file"].endswith(".whl")), key=lambda a: a["size"])
    file = f"{store}/blobs/sha256/{wheel['sha256'][7:]}"
    os.chmod(file, 0o644)
    with open(file, "r+b") as f:
        f.seek(wheel["size"] // 3)
        f.write(b"damaged")
    code, out, err = end(start(stage, path, "serve", "--listen", "127.0.0.1:0", "--store", store, "recipe.yaml"))
    assert (code, out) == (6, "") and "was damaged in the store and is removed from it; run again" in err, (code, err)
    with Serve(stage, path, "--store", store, "recipe.yaml"):
        pass


@scenario
def what_a_registry_answers(stage):
    data = bytes(range(256)) * 8
    path, manifest, (layer,) = made(stage, data)
    made(stage, b"a", tag="b", layout="other", path=path)
    with Serve(stage, path, "oci:images:big", "other") as s:
        status, headers, body = s.ask("/v2/")
        assert (status, headers["Docker-Distribution-Api-Version"]) == (200, "registry/2.0")
        want = read(path, "images/blobs/sha256", manifest["digest"][7:])
        for name in ("big", manifest["digest"]):
            for method in ("GET", "HEAD"):
                status, headers, body = s.ask("/v2/course/manifests/" + name, method)
                assert (status, body) == (200, want if method == "GET" else b""), (name, method, status, body)
                assert headers["Docker-Content-Digest"] == manifest["digest"] and headers["Content-Length"] == str(len(want))
                assert headers["Content-Type"] == manifest["mediaType"]
        where = "/v2/course/blobs/" + layer["digest"]
        for asked, code, told, got in ((None, 200, None, data), ("bytes=0-9", 206, "bytes 0-9/2048", data[:10]),
                                       ("bytes=2000-", 206, "bytes 2000-2047/2048", data[2000:]),
                                       ("bytes=-5", 206, "bytes 2043-2047/2048", data[-5:]),
                                       ("bytes=2048-", 416, "bytes */2048", b""), ("bytes=5-1", 200, None, data),
                                       ("bytes=0-1,4-5", 200, None, data)):
            for method in ("GET", "HEAD"):
                status, headers, body = s.ask(where, method, **({"Range": asked} if asked else {}))
                assert (status, headers["Content-Range"]) == (code, told) and body == (got if method == "GET" else b""), (asked, status, headers.items())
                assert headers["ETag"] == f'"{layer["digest"]}"' and headers["Docker-Content-Digest"] == layer["digest"]
                assert headers["Content-Length"] == str(len(got))
        tag = headers["ETag"]
        assert s.ask(where, If_None_Match=tag)[0] == 304 and s.ask(where, If_None_Match='"x"')[0] == 200
        assert s.ask(where, Range="bytes=1-", If_Range=tag)[0] == 206 and s.ask(where, Range="bytes=1-", If_Range='"x"')[0] == 200
        assert json.loads(s.ask("/v2/_catalog")[2]) == {"repositories": ["course"]}
        assert json.loads(s.ask("/v2/course/tags/list")[2]) == {"name": "course", "tags": ["b", "big"]}
        status, headers, body = s.ask("/v2/course/tags/list?n=1")
        assert json.loads(body)["tags"] == ["b"] and headers["Link"] == '</v2/course/tags/list?n=1&last=b>; rel="next"', headers.items()
        status, headers, body = s.ask("/v2/course/tags/list?n=1&last=b")
        assert json.loads(body)["tags"] == ["big"] and not headers["Link"]
        assert json.loads(s.ask("/v2/course/tags/list?n=0")[2])["tags"] == []
        nobody = "sha256:" + 64 * "0"
        assert json.loads(s.ask(f"/v2/course/referrers/{nobody}")[2])["manifests"] == []
        for path, code, name in (("/v2/course/manifests/other", 404, "MANIFEST_UNKNOWN"), ("/v2/x/manifests/big", 404, "NAME_UNKNOWN"),
                                 (f"/v2/course/manifests/{nobody}", 404, "MANIFEST_UNKNOWN"), (f"/v2/course/blobs/{nobody}", 404, "BLOB_UNKNOWN"),
                                 ("/v2/course/blobs/sha256:1", 400, "DIGEST_INVALID"), ("/v2/COURSE/tags/list", 400, "NAME_INVALID")):
            for method in ("GET", "HEAD"):
                status, headers, body = s.ask(path, method)
                assert status == code and (method == "HEAD" or json.loads(body)["errors"][0]["code"] == name), (path, status, body)


@scenario
def who_asks_for_anything_else_gets_an_error(stage):
    """Paths, methods, ranges, headers; and it still serves."""
    path, manifest, (layer,) = made(stage, b"layer")
    with open(path + "/secret", "w") as f:
        f.write("secret")
    with Serve(stage, path) as s:
        for asked in ("/../secret", "/v2/../secret", "/v2/course/blobs/../../secret", "/v2/course/blobs/%2e%2e%2f%2e%2e%2fsecret",
                      "/v2/course/manifests/..%2f..%2fsecret", "//secret", "/%00", "/index.json", "/oci-layout", "/v2/course/blobs/" + 70 * "../" + path,
                      "/v2/%63ourse/manifests/%00", "/v2/" + 3000 * "a/" + "manifests/x", "/v2/course/blobs/sha256:" + 64 * "g"):
            status, _, body = s.ask(asked)
            assert status in (400, 404) and b"secret" not in body, (asked, status, body)
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"):
            status, headers, _ = s.ask("/v2/course/blobs/uploads/", method, b"x" * 100000)
            assert status == 405 and headers["Allow"] == "GET, HEAD", (method, status)
        where = b"/v2/course/blobs/" + layer["digest"].encode()
        lines = (b"GET " + where + b" HTTP/1.1\r\nHost: x\r\nX: " + 100000 * b"y" + b"\r\n\r\n", b"GET /" + 100000 * b"x" + b" HTTP/1.1\r\n\r\n",
                 5000 * b"X: y\r\n", b"\0" * 1000, b"\r\n" * 1000, b"GET", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                 b"GET " + where + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
                 b"GET " + where + b" HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                 b"GET " + where + b" HTTP/1.1\r\n\r\n")
        with concurrent.futures.ThreadPoolExecutor(len(lines)) as pool:  # of some it waits a minute for the rest
            answers = list(pool.map(s.say, lines))
        for line, got in zip(lines, answers):
            assert not got.startswith(b"HTTP/1.1 2") and b"layer" not in got.split(b"\r\n\r\n", 1)[-1], (line[:40], line[-60:], got[:300])
        for asked in ("bytes=" + 20000 * "9" + "-", "bytes=" + 5000 * "0-0,", "bytes=-", "x", "bytes=0-0;q=1"):
            assert s.ask(where.decode(), Range=asked)[0] in (200, 206, 416), asked
        assert s.ask(where.decode())[2] == b"layer"


def noise(r, layer, image):
    """A request of the kind that strangers send: what is right in it and what is not, a seed decides."""
    pieces = ["v2", "course", "delta", "course:big", "manifests", "blobs", "big", "tags", "list", "referrers", "_catalog", layer, layer[:20], "..", ".", "", "%2e%2e", "%2f", "%00", "%zz", "\xff",
              "etc", "passwd", "image.tar", "get.sh", "table", "a" * r.randrange(3000), "%0d%0aX-Injected:%201", "sha256:" + "g" * 64, "~root", "\\..\\"]
    path = "/" + "/".join(r.choice(pieces) for _ in range(r.randrange(7))) + r.choice(["", "?n=" + str(r.randrange(-5, 10**12)), "?last=%0d%0aX-Injected:1", "?have=" + "x" * r.randrange(9999), "?image=../../x", "?have=" + image,
                                                                                       "?have=" + "&have=".join([r.choice([layer, image, "x", ""])] * r.randrange(300)),
                                                                                       "?" + "&" * 500, "?lang=%3Cscript%3E", "#x"])
    headers = [b"Host: " + r.choice([b"x", b"", b"a\r b", b"<script>", b"evil.example", b"\xff" * 99, b"h" * r.randrange(40000)])] * r.randrange(3)
    headers += [r.choice([b"Range: bytes=%d-%d" % (r.randrange(-3, 30), r.randrange(1 << 70)), b"Range: " + bytes(r.randrange(32, 256) for _ in range(50)), b"If-Range: x", b"If-None-Match: *",
                          b"Content-Length: %d" % r.randrange(-9, 1 << 66), b"Transfer-Encoding: chunked", b"Transfer-Encoding: x, chunked", b"Connection: Upgrade", b"Expect: 100-continue",
                          b"Authorization: " + r.choice([b"Basic ", b"basic", b"Bearer ", b"Basic " + b"Og" * r.randrange(9000)]) + base64.b64encode(bytes(r.randrange(256) for _ in range(r.randrange(40)))),
                          b"User-Agent: " + bytes(r.randrange(1, 256) for _ in range(40)).replace(b"\n", b""), b" folded", b"\tx", b":", b"x" * 500, b"Accept-Language: " + b"zh," * r.randrange(3000)])
                for _ in range(r.randrange(5))]
    line = b" ".join([r.choice([b"GET", b"GET", b"GET", b"HEAD", b"POST", b"PUT", b"get", b"\x00", b"OPTIONS", b"CONNECT", b"PRI"]), path.encode("latin-1"),
                      r.choice([b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/", b""])])
    if r.randrange(3) == 0:  # a path that leads somewhere
        line = b"GET " + r.choice([b"/delta/course:big?have=%s", b"/delta/course:old?have=%s", b"/image.tar?image=course:big&have=%s"]) % r.choice([image, layer, image + "x", ""]).encode() + b" HTTP/1.1"
    data = r.choice([b"\r\n", b"\r\n", b"\n"]).join([line, *headers, b"", b""]) + bytes(r.randrange(256) for _ in range(r.choice([0, 0, 5, 2000])))
    return data[:r.randrange(len(data) + 1)] if r.randrange(5) == 0 else data


def send(data, c):
    try:
        c.sendall(data)
    except OSError:  # it hung up
        pass


def received(c):
    """What has come so far."""
    got = b""
    c.setblocking(False)
    try:
        while part := c.recv(65536):
            got += part
    except OSError:
        pass
    c.close()
    return got


def two_thousand(s, layer, image, statuses, seed=17):
    """Requests, a hundred at once; nobody waits for an answer that may never come."""
    r, waiting, answers = random.Random(seed), [], 0
    for n in range(2099):
        if n < 2000:
            waiting.append((noise(r, layer, image), socket.create_connection(("127.0.0.1", s.port))))
            send(*waiting[-1])
        if len(waiting) < 100 and n < 2000:
            continue
        asked, c = waiting.pop(0)
        got = received(c)
        answers += bool(got)
        head, _, body = got.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").partition(b"\r\n\r\n")
        assert not head or re.match(rb"HTTP/1\.[01] (" + statuses + rb") ", head), (n, asked[:500], got[:200])
        assert b"X-Injected" not in head and b"root:" not in body and b"<script>alert" not in body, (n, asked[:500], got[:500])
    assert answers > 1000, answers


@scenario
def two_thousand_requests_of_strangers(stage):
    """They get errors, or what anybody may have, and it still serves."""
    path, manifest, (layer,) = made(stage, b"layer")
    _, old, _ = made(stage, b"another layer", tag="old", layout="before", path=path)
    with Serve(stage, path, "images", "before") as s:
        two_thousand(s, layer["digest"], old["digest"], rb"200|206|304|400|404|405|408|411|413|414|416|431|501|503|505")
        assert waited(lambda: s.ask("/delta/course:big?have=" + old["digest"])[2], b"envbuild delta 1")
        assert s.ask("/v2/course/blobs/" + layer["digest"])[2] == b"layer"
        if os.path.exists(f"/proc/{s.process.pid}/status") and "san" not in stage.envbuild:
            assert int(re.search(r"VmHWM:\s+(\d+)", read(f"/proc/{s.process.pid}/status").decode())[1]) < 64 * 1024


@scenario
def one_address_does_not_keep_the_others_out(stage):
    """More connections than are allowed, which say a part of a request, or nothing."""
    path, manifest, (layer,) = made(stage, b"layer")
    with Serve(stage, path) as s:
        slow = []
        for n in range(700):
            c = socket.socket()
            c.settimeout(PATIENCE)
            c.connect(("127.0.0.1", s.port))
            try:
                c.send((b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\n")[n % 3])
            except OSError:  # it was one too many
                pass
            slow.append(c)
        assert s.ask("/v2/course/blobs/" + layer["digest"], by="127.0.0.2")[2] == b"layer"
        for c in slow:
            c.close()
        assert waited(lambda: s.ask("/v2/course/blobs/" + layer["digest"], by="127.0.0.3")[2], b"layer") == b"layer"


@scenario
def a_layout_that_changes_under_way(stage):
    """One that goes away is served on; a file that is cut ends the answer early, and nobody takes it for whole."""
    data, rest = os.urandom(1 << 20) * 24, os.urandom(1 << 20) * 25
    path, manifest, (layer, other) = made(stage, data, rest)
    where = "/v2/course/blobs/" + layer["digest"]
    with Serve(stage, path) as s:
        c = http.client.HTTPConnection("127.0.0.1", s.port, timeout=PATIENCE)
        c.request("GET", where)
        answer = c.getresponse()
        assert answer.read(1 << 20) == data[:1 << 20]
        harmless = http.client.HTTPConnection("127.0.0.1", s.port, timeout=PATIENCE)
        harmless.request("GET", "/v2/course/blobs/" + other["digest"])
        unharmed = harmless.getresponse()
        assert unharmed.read(1 << 20) == rest[:1 << 20]
        cut, began = f"images/blobs/sha256/{layer['digest'][7:]}", time.monotonic()
        with open(f"{path}/{cut}", "r+b") as f:
            f.truncate(2 << 20)
        try:
            raise AssertionError(len(answer.read()))
        except (http.client.IncompleteRead, ConnectionError):
            pass
        assert time.monotonic() - began < 30, "not only when it was idle for a minute"
        c.close()
        assert s.ask(where)[0] == 404 and s.ask("/image.tar")[0] == 500 and s.ask("/v2/course/manifests/big")[0] == 200
        assert unharmed.read() == rest[1 << 20:]
        harmless.close()
        err = run(stage, path, "copy", f"docker://{s.host}/course:big", "oci:copied:x", code=5)[1]
        assert "HTTP 404" in err, err
        line = next(line.decode() for line in s.process.stderr if b" was changed" in line)
        assert cut + " was changed, so what is made of it is refused" in line, line
    assert cut not in s.err, s.err
    path, manifest, (layer,) = made(stage, data)
    with Serve(stage, path) as s:
        shutil.rmtree(path + "/images")
        assert s.ask(where)[2] == data and s.ask("/v2/course/manifests/big")[0] == 200


@scenario
def one_who_stalls_or_goes_away_harms_nobody(stage):
    data = os.urandom(1 << 20) * 24
    path, manifest, (layer,) = made(stage, data)
    ask = f"GET /v2/course/blobs/{layer['digest']} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with Serve(stage, path) as s:
        stalled = [socket.create_connection(("127.0.0.1", s.port)) for _ in range(40)]
        for n, c in enumerate(stalled):  # of the request a part, all of it, or an answer that nobody reads on
            c.sendall(ask[:n] if n % 2 else ask)
            if n % 4 == 0:
                c.recv(1)
        for c in stalled[:10]:
            c.close()
        for _ in range(3):
            assert s.ask(f"/v2/course/blobs/{layer['digest']}")[2] == data
        assert s.ask("/v2/course/manifests/big")[0] == 200
        for c in stalled:
            c.close()


@scenario
def only_what_its_name_says_leaves(stage):
    """A wrong blob is refused at the start, one that changes later when it is asked for."""
    path, manifest, (layer,) = made(stage, b"right")
    file = f"{path}/images/blobs/sha256/{layer['digest'][7:]}"
    with open(file, "w") as f:
        f.write("wrong")
    code, out, err = end(start(stage, path, "serve", "--listen", "127.0.0.1:0"))
    assert (code, out) == (6, "") and f"images/blobs/sha256/{layer['digest'][7:]} does not hold the bytes that its name says" in err, (code, err)
    os.unlink(file)
    code, out, err = end(start(stage, path, "serve", "--listen", "127.0.0.1:0"))
    assert (code, out) == (3, "") and layer["digest"][7:] + " is not there, and the image needs it" in err, (code, err)
    path, manifest, (layer,) = made(stage, b"right")
    with Serve(stage, path) as s:
        assert s.ask("/v2/course/blobs/" + layer["digest"])[2] == b"right"
        with open(f"{path}/images/blobs/sha256/{layer['digest'][7:]}", "r+") as f:
            f.write("wrong")
        status, _, body = s.ask("/v2/course/blobs/" + layer["digest"])
        assert status == 404 and b"wrong" not in body, (status, body)


@scenario
def what_cannot_be_served_is_told(stage):
    path, manifest, _ = made(stage, b"one")
    made(stage, b"two", layout="other", path=path)
    cases = ((2, ["--listen", "nowhere:x"], '--listen: "nowhere:x" is no address and port'),
             (3, ["--listen", "127.0.0.1:0", "images", "other"], "two images are called course:big, in ./images and in ./other; name one"),
             (3, ["--listen", "127.0.0.1:0", "docker://x.example/y:1"], "`envbuild copy docker://x.example/y:1 oci:images` puts it into one"),
             (3, ["--listen", "127.0.0.1:0", "oci:images:nothing"], '"oci:images:nothing" holds no such image'),
             (3, ["--listen", "127.0.0.1:0", "nowhere"], "nowhere is not there"))
    for code, args, words in cases:
        got, out, err = end(start(stage, path, "serve", *args))
        assert (got, out) == (code, "") and words in err, (args, got, err)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        got, out, err = end(start(stage, path, "serve", "--listen", f"127.0.0.1:{port}"))
        assert (got, out) == (7, "") and re.search(rf"port {port} is taken by another program; `--listen 127\.0\.0\.1:\d+` takes one that is free", err), err


@scenario
def signals_end_it_at_once(stage):
    """Also while somebody fetches."""
    data = bytes(1 << 20) * 24
    path, manifest, (layer,) = made(stage, data)
    for name in ("INT", "TERM", "HUP"):
        with Serve(stage, path, end=name) as s:
            c = socket.create_connection(("127.0.0.1", s.port))
            c.sendall(f"GET /v2/course/blobs/{layer['digest']} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert c.recv(1)
        c.close()
        assert "envbuild: 1 machine fetched " in s.err, s.err


def tar_of(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as t:
        return {m.name: t.extractfile(m).read() for m in t if m.isfile()}


@scenario
def an_archive_for_a_pipe(stage):
    """What a docker-archive is, with its length known before, in one piece or in two."""
    path, digest = built(stage)
    with Serve(stage, path) as s:
        status, headers, whole = s.ask("/image.tar")
        assert (status, headers["Content-Type"], int(headers["Content-Length"])) == (200, "application/x-tar", len(whole))
        cut = len(whole) // 2
        again = [s.ask("/image.tar", Range=f"bytes={a}-{b}", If_Range=headers["ETag"]) for a, b in ((0, cut), (cut + 1, ""))]
        assert [a[0] for a in again] == [206, 206] and again[0][2] + again[1][2] == whole
        assert s.ask("/image.tar", "HEAD")[1]["Content-Length"] == str(len(whole))
        with open(path + "/image.tar", "wb") as f:
            f.write(whole)
        run(stage, path, "copy", "-q", "docker-archive:image.tar", "oci:loaded:x")
        check_layout(path + "/loaded", digest)
        run(stage, path, "copy", "-q", "oci:images", f"docker-archive:own.tar:{s.name}")
        files = tar_of(whole)
        assert files == tar_of(read(path, "own.tar")), "the two ways to an archive differ"
        (item,) = json.loads(files["manifest.json"])
        assert item["RepoTags"] == [s.name]
        diff_ids = json.loads(files[item["Config"]])["rootfs"]["diff_ids"]
        layers = item["Layers"]
        for have, gone in ((diff_ids[:2], 2), ([layers[0].replace("blobs/sha256/", "sha256:")], 1), (diff_ids[1:], 0), (diff_ids[1::-1], 0), (diff_ids[:1] + [layers[0]], 1), (diff_ids, len(layers)),
                           (["sha256:x", "", "x" * 3000], 0)):
            status, other, body = s.ask("/image.tar?" + "&".join("have=" + h.replace(":", "%3A") for h in have))
            assert status == 200 and int(other["Content-Length"]) == len(body)
            assert set(files) - set(tar_of(body)) == set(layers[:gone]), (have, gone)
            assert (other["ETag"] == headers["ETag"]) == (gone == 0)
        for ask in ("/image.tar?image=x:1", "/image.tar?image=../x", "/image.tar/"):
            assert s.ask(ask)[0] == 404, ask
    assert "envbuild: 1 machine fetched " in s.err


@scenario
def a_layer_that_comes_again_is_not_left_out(stage):
    """A layer that stands in an image twice is needed where it stands higher."""
    path, _, _ = made(stage, b"same", b"other", b"same")
    made(stage, b"x", tag="small", layout="other", path=path)
    with Serve(stage, path, "images", "other") as s:
        status, _, body = s.ask("/image.tar")
        assert status == 404 and body == b"/image.tar?image=course:big\n/image.tar?image=course:small\n", body
        ids = ["sha256:" + hashlib.sha256(x).hexdigest() for x in (b"same", b"other")]
        files = tar_of(s.ask(f"/image.tar?image=course:big&have={ids[0]}&have={ids[1]}")[2])
        assert list(files.values()).count(b"same") == 1 and b"other" not in files.values()
        assert list(tar_of(s.ask("/image.tar?image=course:big")[2]).values()).count(b"same") == 1


@scenario
def a_page_for_the_room(stage):
    """In two languages, with what a stranger said escaped, and by an address that others can type."""
    path, manifest, (layer,) = made(stage, b"layer")
    with Serve(stage, path) as s:
        status, headers, body = s.ask("/")
        page = body.decode()
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8") and "default-src 'none'" in headers["Content-Security-Policy"]
        assert "{{" not in page and "<h1>course</h1>" in page and '<html lang="en">' in page and "<svg" in page
        assert f"podman pull --tls-verify=false {s.host}/course:big" in page
        assert f"'http://{s.host}/image.tar?image=course:big' | docker load" in page
        windows = [part.split("</pre>")[0].split(">", 1)[1] for part in page.split("(PowerShell)")[1].split("<h3>")[0].split("<pre")[1:]]
        assert len(windows) == 2 and "get.ps1 -Start" in windows[0] and "docker load -i image.tar" in windows[1]
        assert not any(sign in text for text in windows for sign in ("|", "&gt;", ">")), windows
        for asked in ({"Accept_Language": "fr, zh-CN;q=0.9, en;q=0.8"}, {}):
            other = s.ask("/" if asked else "/?lang=zh", **asked)[2].decode()
            assert '<html lang="zh">' in other and "下载进度" in other and "{{" not in other
        for host, want in (("teacher.local:5000", "teacher.local:5000"), ("192.168.7.7:5000", "192.168.7.7:5000"), ("localhost:1", s.host),
                           ("x\"><script>alert(1)</script>", s.host), ("a" * 200, s.host)):
            page = s.ask("/", Host=host)[2].decode()
            assert f'<p class="where">http://{want}/</p>' in page and "alert" not in page, host
        assert "done: 0/0" in s.ask("/table")[2].decode()
        s.ask("/v2/course/manifests/big", User_Agent="docker/27.1 <b>")
        assert s.ask("/v2/course/blobs/" + layer["digest"], User_Agent="docker/27.1 <b>")[2] == b"layer"
        table = waited(lambda: s.ask("/table?lang=en")[2].decode(), "all done")
        assert "<td>127.0.0.1</td><td>docker/27.1</td>" in table and "<b>" not in table, table
        assert "全部完成" in s.ask("/table?lang=zh")[2].decode()


def waited(ask, words):
    """What is asked for, once it has the words: the server learns of an answer's end after its reader."""
    for _ in range(PATIENCE * 100):
        if words in (got := ask()):
            return got
        time.sleep(0.01)
    raise AssertionError(got)


DOCKER = """#!/bin/sh
here=$(dirname "$0")
echo "$*" >>"$here/log"
case "$*" in
info) ;;
"info --format {{.DriverStatus}}") cat "$here/status" 2>/dev/null ;;
"info --format "*) echo /nowhere ;;
"image inspect --format {{range "*) cat "$here/layers" ;;
"image inspect --format "*) cat "$here/id" ;;
"image inspect "*) exit 1 ;;
"image ls --format "*) echo course:old ;;
"run -d --rm "*) echo 0123abcd ;;
"logs 0123abcd") echo "or http://127.0.0.1:8888/lab?token=5ec3e7 is it" >&2 ;;
"port 0123abcd 8888/tcp") echo 127.0.0.1:49153 ;;
"load -i "*) tar -tf "$3" >/dev/null && tar -xOf "$3" manifest.json | sed 's/.*"Config":"blobs.sha256.\\([0-9a-f]*\\)".*/sha256:\\1/' >"$here/id" ;;
*) exit 1 ;;
esac
"""


@scenario
def a_script_that_goes_on_after_a_cut(stage):
    """With an engine that writes down what it is told, and loads what is a tar."""
    if not shutil.which("curl"):
        raise Skip("get.sh needs curl")
    path, manifest, _ = made(stage, os.urandom(100000))
    os.mkdir(path + "/bin")
    env = {**stage.env(path), "PATH": path + "/bin:/usr/bin:/bin"}
    with Serve(stage, path) as s:
        _, headers, script = s.ask("/get.sh")
        page = s.ask("/")[2].decode()
        assert headers["Content-Type"].startswith("text/plain") and hashlib.sha256(script).hexdigest() in page and b"{{.Id}}" in script
        windows = s.ask("/get.ps1")[2]
        assert hashlib.sha256(windows).hexdigest() in page and b"|" not in windows and b">" not in windows and b"{{m" not in windows
        options = lambda text, mark: [(name.lower(), said) for name, said in re.findall(rb"(?m)^#   " + mark + rb"(\w+)( .*)", text)]
        assert [n for n, _ in options(script, b"--")] == [n for n, _ in options(windows, b"-")] == [b"start", b"have", b"from", b"cacert"]
        assert s.ask("/get.sh?image=x:1")[0] == 404
        if shutil.which("shellcheck"):
            subprocess.run(["shellcheck", "-"], input=script, check=True)

        def program(name, code):
            with open(f"{path}/bin/{name}", "w") as f:
                f.write(f"#!/bin/sh\nexit {code}\n")
            os.chmod(f"{path}/bin/{name}", 0o755)

        for name in ("docker", "podman"):
            program(name, 1)

        def get(code, words, *options):
            done = subprocess.run(["sh", "-s", "--", *options], input=script, cwd=path, env=env, capture_output=True)
            assert done.returncode == code and words in done.stderr.decode(), done
            return done

        get(1, "neither docker nor podman answers here")
        with open(path + "/bin/docker", "w") as f:
            f.write(DOCKER)
        whole = s.ask("/image.tar")[2]
        file = f"{path}/image-{manifest['digest'][7:]}-{len(whole)}.tar"
        for begun in (None, whole[:len(whole) // 2], whole):
            program("nvidia-smi", int(begun != whole))  # which fails where there is no GPU
            gpus = " --gpus all" if begun == whole else ""
            for left in ("id", "log"):
                if os.path.exists(f"{path}/bin/{left}"):
                    os.unlink(f"{path}/bin/{left}")
            if begun is not None:
                with open(file, "wb") as f:
                    f.write(begun)
            get(0, f"get: course:big is loaded; start it with: docker run --rm -it{gpus} course:big")
            assert f"load -i {os.path.basename(file)}" in read(path, "bin/log").decode() and not os.path.exists(file)
        get(0, "get: course:big is in docker already")
        os.unlink(path + "/bin/id")
        with open(file, "wb") as f:
            f.write(b"x" * (len(whole) // 2))
        get(1, "what docker loaded is not course:big with the digest that it should have; run this again")
        assert not os.path.exists(file)
        get(1, '"--stop" is no option; there are --start, --have, --from HOST and --cacert FILE', "--stop")


@scenario
def what_starts_an_image_without_cuda(stage):
    """The page asks for GPUs where the image may use them; of one that is not ours nobody knows."""
    ours = {"io.envbuild.version": "0.4.0", "io.envbuild.format": "3"}
    for labels, asks in (({}, True), (ours, False), ({**ours, "io.envbuild.cuda.version": "12.4"}, True)):
        path, _, _ = made(stage, b"layer", labels=labels)
        with Serve(stage, path) as s:
            page = s.ask("/")[2].decode()
        assert ("docker run --rm -it --gpus all course:big" in page) == asks and ("<p hidden>" in page) != asks, page


@scenario
def a_script_that_takes_layers_from_a_cache(stage):
    """The same archive, put together of a registry's layers and the server's text, also after a cut; and a registry that is not there."""
    if not shutil.which("curl"):
        raise Skip("get.sh needs curl")
    path, manifest, layers = made(stage, os.urandom(100000), os.urandom(50000))
    os.mkdir(path + "/bin")
    with open(path + "/bin/docker", "w") as f:
        f.write(DOCKER.replace('"load -i "*) ', '"load -i "*) cp "$3" "$here/loaded" && '))
    os.chmod(path + "/bin/docker", 0o755)
    env = {**stage.env(path), "PATH": path + "/bin:/usr/bin:/bin"}
    with Serve(stage, path) as s:
        script, whole = s.ask("/get.sh")[2], s.ask("/image.tar")[2]
        file = f"{path}/image-{manifest['digest'][7:]}-{len(whole)}.tar"

        def get(code, words, *options):
            done = subprocess.run(["sh", "-s", "--", *options], input=script, cwd=path, env=env, capture_output=True)
            assert done.returncode == code and words in done.stderr.decode(), done

        with Serve(stage, path) as cache:
            for begun in (0, 10, 60000, 120000, len(whole) - 10):
                if os.path.exists(path + "/bin/id"):
                    os.unlink(path + "/bin/id")
                with open(file, "wb") as f:
                    f.write(whole[:begun])
                get(0, "get: course:big is loaded", "--from", cache.host)
                assert read(path, "bin/loaded") == whole, begun
            gone = cache.host
        assert re.search(r"envbuild: 1 machine fetched (\d+)\.\d KiB", cache.err), cache.err
        os.unlink(path + "/bin/id")
        get(1, f"get: http://{gone}/ does not answer; is this machine in the same network? Run this again to go on", "--from", gone)
        get(1, "get: --from wants the address of a registry", "--from")
        get(1, "get: --have and --from do not go together", "--from", gone, "--have")


@scenario
def a_script_that_starts_what_it_loaded(stage):
    """At a port that is free, with the link as this machine reaches it; and without layers that Docker's classic store has."""
    if not shutil.which("curl"):
        raise Skip("get.sh needs curl")
    path, manifest, layers = made(stage, os.urandom(1000), os.urandom(1000), ports=("8888/tcp",))
    diff_ids = ["sha256:" + hashlib.sha256(read(path, "images/blobs/sha256", x["digest"][7:])).hexdigest() for x in layers]
    os.mkdir(path + "/bin")
    for name, text in (("docker", DOCKER), ("xdg-open", '#!/bin/sh\necho "$*" >"$(dirname "$0")/opened"\n'), ("nvidia-smi", "#!/bin/sh\n")):
        with open(f"{path}/bin/{name}", "w") as f:
            f.write(text)
        os.chmod(f"{path}/bin/{name}", 0o755)
    env = {**stage.env(path), "PATH": path + "/bin:/usr/bin:/bin", "DISPLAY": ":0"}
    with Serve(stage, path) as s:
        script = s.ask("/get.sh")[2]
        page = s.ask("/")[2].decode()
        assert "docker run --rm -it --gpus all -p 127.0.0.1:8888:8888/tcp course:big" in page
        for status, had, asked in (("", diff_ids[:1], 1), ("", [], 0), ("driver-type io.containerd.snapshotter.v1", diff_ids[:1], 0)):
            for name, text in (("status", f"[[{status}]]"), ("layers", " ".join(had))):
                with open(f"{path}/bin/{name}", "w") as f:
                    f.write(text)
            for left in ("id", "log", "opened"):
                if os.path.exists(f"{path}/bin/{left}"):
                    os.unlink(f"{path}/bin/{left}")
            done = subprocess.run(["sh", "-s", "--", "--start", "--have"], input=script, cwd=path, env=env, capture_output=True)
            told, log = done.stderr.decode(), read(path, "bin/log").decode()
            assert done.returncode == 0 and "get: it serves http://127.0.0.1:49153/lab?token=5ec3e7\nget: stop it with: docker stop 0123abcd\n" in told, told
            assert read(path, "bin/opened") == b"http://127.0.0.1:49153/lab?token=5ec3e7\n"
            assert "run -d --rm --gpus all -p 127.0.0.1::8888/tcp course:big\n" in log, log
            assert ("image inspect --format {{range" in log) == (status == "") and ("--have changes nothing" in told) == (status != "")
            size = int(s.ask("/image.tar" + "".join("?have=" + d for d in had if asked), "HEAD")[1]["Content-Length"])
            assert f"load -i image-{manifest['digest'][7:]}-{size}.tar" in log, (size, log)
