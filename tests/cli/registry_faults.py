# SPDX-License-Identifier: Apache-2.0
"""What a registry can do wrong, a row each: what the peer does, then the exit code, the sentence, and what it saw.

Of every row, whatever comes of it: no secret is printed or told to another host, no control character reaches the terminal,
blobs go before manifests and tags go last, a tag is put once, what fails leaves no tag and no session behind."""
import base64, concurrent.futures, email.utils, gzip, hashlib, json, os, random, re, signal, socket, subprocess, time, traceback

from lib import *
from registry import file, login, names
from registry_peer import Fault, Registry

SECRET = "s3cret-word"
MANIFEST, INDEX = "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"
CONFIG, LAYER = "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar+gzip"
NAME = "team/x"

HEAD_BLOB, POST, PATCH, PUT = ("HEAD", "/blobs/sha256"), ("POST", "/uploads/"), ("PATCH", "/uploads/"), ("PUT", "/uploads/")
HEAD_MANIFEST, PUT_MANIFEST = ("HEAD", "/manifests/sha256"), ("PUT", "/manifests/sha256")
HEAD_TAG, PUT_TAG, TOKEN = ("HEAD", "/manifests/1$"), ("PUT", "/manifests/1$"), ("GET", "^/token")
GET_BLOB, GET_MANIFEST, GET_TAG, STATUS = ("GET", "/blobs/sha256"), ("GET", "/manifests/sha256"), ("GET", "/manifests/1$"), ("GET", "/uploads/")
STEPS = {"HEAD blob": HEAD_BLOB, "POST": POST, "PATCH": PATCH, "PUT": PUT, "HEAD manifest": HEAD_MANIFEST, "PUT manifest": PUT_MANIFEST,
         "HEAD tag": HEAD_TAG, "PUT tag": PUT_TAG, "token": TOKEN}
PATCHED = "upload: patch"  # small blobs go by PUT, where nobody says so


def name_of(bytes_):
    return "sha256:" + hashlib.sha256(bytes_).hexdigest()


def described(kind, bytes_, **more):
    return {"mediaType": kind, "digest": name_of(bytes_), "size": len(bytes_), **more}


class Picture:
    """An image whose layers have these sizes."""

    def __init__(self, *sizes, **more):
        self.layers = [random.Random(n).randbytes(n) for n in sizes]
        self.config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {
            "type": "layers", "diff_ids": [name_of(b"%d" % n) for n in sizes]}}).encode()
        self.text = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": described(CONFIG, self.config),
                                "layers": [described(LAYER, b) for b in self.layers], **more}).encode()
        self.digest = name_of(self.text)
        self.blobs = {name_of(b): b for b in (*self.layers, self.config)}

    def write(self, path):
        blobs = {**self.blobs, self.digest: self.text}
        os.makedirs(path + "/blobs/sha256")
        for name, body in blobs.items():
            with open(path + "/blobs/sha256/" + name[7:], "wb") as f:
                f.write(body)
        file(path, "oci-layout", '{"imageLayoutVersion": "1.0.0"}')
        file(path, "index.json", json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            described(MANIFEST, self.text, annotations={"org.opencontainers.image.ref.name": "1"})]}))

    def load(self, r, name=NAME, tag="1"):
        repo = r.repository(name)
        r.blobs.update(self.blobs)
        repo.blobs.update(self.blobs)
        repo.manifests[self.digest] = (MANIFEST, self.text)
        repo.tags[tag] = self.digest


USUAL, ONE = Picture(150_000, 1), Picture(200_000)


class Row:
    """faults: (where, how) each; says: words of the sentence; before(r) and after(r, log) for what no fault can say; unmet: a
    fault need not be met; left: sessions stay that nobody could end; count: requests of that kind that there are."""

    def __init__(self, name, *faults, says="", code=None, conf="", before=None, after=None, picture=USUAL, unmet=False, left=False,
                 count=None, args=(), tags=None):
        self.name, self.faults, self.says, self.conf, self.before, self.after = name, faults, says, conf, before, after
        self.code = code if code is not None else 5 if says else 0
        self.picture, self.unmet, self.left, self.count, self.args, self.tags = picture, unmet, left, count, args, tags


def fault(where, times=1, after=0, **how):
    return lambda r: Fault(*where, times, after, **how)


def away(where, times=99, **how):
    """As fault(), with the address of another registry in place of OTHER."""
    return lambda r: Fault(*where, times, **{k: {n: v.replace("OTHER", r.other.host) for n, v in x.items()} if k == "headers" else x
                                             for k, x in how.items()})


def table(stage, how, rows):
    """All rows beside each other, for most of them only wait; each that fails is told."""
    def one(row):
        try:
            how(stage, row)
        except AssertionError as e:
            return f"{row.name}: {e}"
        except Exception:
            return f"{row.name}: {traceback.format_exc()}"

    assert len({r.name for r in rows}) == len(rows), "two rows have one name"
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        failed = [f for f in pool.map(one, rows) if f]
    assert not failed, f"{len(failed)} of {len(rows)} rows\n" + "\n".join(failed)


def open_row(path, r, other, row):
    r.other = other
    login(path, r, "me:" + SECRET)
    if row.conf:
        file(path, ".home/.config/envbuild/config.yaml", f"registries: {{'{r.host}': {{{row.conf}}}}}\n")
    if row.before:
        row.before(r)
    r.since()
    r.faults += [f(r) for f in row.faults]


def judge(r, other, row, got, out, err):
    """What holds of every row. Gives the sentence."""
    for secret in (SECRET, base64.b64encode(("me:" + SECRET).encode()).decode(), *r.given):
        assert secret not in out + err, f"a secret is printed: {err}"
    assert other.told <= {None}, f"a secret is told to another host: {other.told}"
    assert not re.search(r"[^\n -~\u00a0-\uffff]", out + err), f"control characters: {err!r}"
    said = [l for l in err.splitlines() if re.match(r"envbuild: |\w+:\d+:\d+: ", l)]
    assert got == row.code, f"exit {got}, not {row.code}: {err}"
    assert len(said) == (got > 0), err
    sentence = said[0] if said else ""
    assert row.says in sentence and len(sentence) < 1000, f"not {row.says!r} but {sentence!r}"
    for f in r.faults:
        assert f.met or row.unmet, f"a fault was not met: {f.method} {f.path}; {r.log}"
    if row.count:
        (method, path), n = row.count
        met = [x for x in r.log if re.fullmatch(method, x[0]) and re.search(path, x[1]) and x[2] not in (401, "cut")]
        assert len(met) == n, f"{len(met)} times {method} {path}, not {n}: {met}"
    if not row.left:
        assert not r.sessions, f"{len(r.sessions)} sessions are left open: {r.log}"
    if row.after:
        row.after(r, r.log)
    return sentence


def pushed(stage, row):
    path = stage.fresh()
    with Registry(token="me:" + SECRET) as r, Registry() as other:
        row.picture.write(path + "/lay")
        open_row(path, r, other, row)
        got, out, err = end(start(stage, path, "copy", "-j", "1", *row.args, *([] if row.args else ["oci:lay"]), f"docker://{r.host}/{NAME}:1"))
        judge_push(r, other, row, got, out, err)


def judge_push(r, other, row, got, out, err):
    judge(r, other, row, got, out, err)
    repo = r.repository(NAME)
    puts = [p for m, p, status in r.log if m == "PUT" and status in (200, 201)]
    blobs = [i for i, p in enumerate(puts) if "/uploads/" in p]
    manifests = [i for i, p in enumerate(puts) if "/manifests/sha256" in p]
    tags = [i for i, p in enumerate(puts) if p.endswith("/manifests/1")]
    assert max(blobs, default=-1) < min(manifests + tags, default=99), puts
    lost = any("cut_answer" in f.how for f in r.faults)
    assert len(tags) <= 1 + lost and tags == [*range(len(puts) - len(tags), len(puts))], f"the tag is not put once, and last: {puts}"
    if got:
        assert repo.tags == (row.tags or {}), f"what failed has a tag: {repo.tags}"
        return
    assert out.strip() == f"{r.host}/{NAME}@{row.picture.digest}", out
    assert repo.tags == {"1": row.picture.digest}, repo.tags
    assert repo.manifests[row.picture.digest][1] == row.picture.text
    for name, body in row.picture.blobs.items():
        assert name in repo.blobs and r.blobs[name] == body, f"{name} is not there"


def expire(handler):
    handler.server.registry.tokens.clear()
    return False


def refuse(handler):
    handler.challenge("")
    return True


# ---- who we are ----


def realm_at(where):
    return lambda r: setattr(r, "realm", where.replace("OTHER", r.other.host).replace("HERE", r.host))


def few(n):
    def after(r, log):
        assert len(log) <= n, f"{len(log)} requests: it does not stop asking"
    return after


def body_of(**members):
    return json.dumps(members).encode()


@scenario
def tokens_that_go_wrong(stage):
    token = lambda **how: fault(TOKEN, 99, status=200, **how)
    rows = [
        Row("401 for ever", fault((".*", "/v2/"), 999, do=refuse), says="refuses the user that is logged in there", after=few(12)),
        Row("401 for ever, of a PATCH", fault(PATCH, 999, do=refuse), says="refuses the user", conf=PATCHED, after=few(24)),
        Row("401 for ever, of a closing PUT", fault(PUT, 999, do=refuse), says="refuses the user", conf=PATCHED, after=few(24)),
        Row("401 for ever, of a manifest", fault(PUT_MANIFEST, 999, do=refuse), says="refuses the user", after=few(40)),
        Row("401 without a challenge", fault((".*", "/v2/"), 999, status=401), says="wants to know who asks"),
        Row("401 with a challenge that is none", fault((".*", "/v2/"), 999, status=401, headers={"WWW_Authenticate": 'Bearer realm="'}),
            says="wants to know who asks"),
        Row("401 with an unknown scheme", fault((".*", "/v2/"), 999, status=401, headers={"WWW_Authenticate": "Negotiate"}),
            says="wants to know who asks"),
        Row("401 with a realm of a file", before=realm_at("file:///etc/passwd"), says="is not an address"),
        Row("401 with a user in its realm", before=realm_at("http://a:b@HERE/token"), says="is not an address"),
        Row("401 without a realm", fault((".*", "/v2/"), 999, status=401, headers={"WWW_Authenticate": 'Bearer service="x"'}),
            says="is not an address"),
        Row("a realm on another port of this host, by http", before=realm_at("http://localhost:1/token"), says="localhost:1/token"),
        Row("a realm on another host, by http", before=lambda r: (realm_at(f"http://localhost:{r.other.port}/token")(r),
                                                                   r.other.faults.append(Fault("GET", "^/token", 9, status=401))),
            says="which is not told who is logged in"),
        Row("less than was asked for", fault(TOKEN, 99, do=lambda h: narrow(h)), says="refuses the user that is logged in there", after=few(40)),
        Row("a token that is not JSON", token(body=b"<html>"), says="the answer is not JSON"),
        Row("an answer without a token", token(body=b"{}"), says="the answer holds no token"),
        Row("a token of two lines", token(body=body_of(token="a\r\nX-Evil: b")), says="the answer holds no token"),
        Row("a token that is a number", token(body=body_of(token={"a": 1})), says="the answer holds no token"),
        Row("an endless token", token(body=body_of(token="a" * 100_000)), says="the answer holds no token"),
        Row("an endless answer", token(body=b" " * 2_000_000), says="larger than is allowed"),
        Row("a realm that is not there", token(instead=404), says="HTTP 404"),
        Row("a realm that refuses", token(instead=403), says="refuses the user that is logged in there"),
        Row("a realm that redirects without end", fault(TOKEN, 99, status=307, headers={"Location": "/token"}), says="more than 10 redirects"),
        Row("a realm that redirects elsewhere", away(TOKEN, 99, status=307, headers={"Location": "http://OTHER/token"}), says="", code=5),
    ]
    for life in (-1, "soon", 1e99, None, 0, 2 ** 70):
        rows.append(Row(f"expires_in {life}", before=lambda r, life=life: setattr(r, "expires_in", life)))
    for step, where in STEPS.items():
        if step != "token":
            rows.append(Row(f"a token that is over at {step}", fault(where, do=expire), conf=PATCHED))
    rows.append(Row("a token that is over in the middle of each", *(fault(w, do=expire) for w in (POST, PATCH, PUT, PUT_MANIFEST, PUT_TAG)),
                    conf=PATCHED))
    rows.append(Row("a token that is over while a cut upload goes on", fault(PATCH, cut=70_000), fault(STATUS, do=expire), conf=PATCHED))
    table(stage, pushed, rows)


def narrow(handler):
    """A token for pull alone."""
    r = handler.server.registry
    r.tokens["narrow"] = {(NAME, "pull")}
    handler.answer(200, body_of(token="narrow", scope=f"repository:{NAME}:pull"))
    return True


# ---- what may pass ----


@scenario
def what_passes_is_tried_again(stage):
    """Each of them once, at each step: the image comes whole, and its tag is put once."""
    rows = [Row(f"{status} at {step}", fault(where, status=status, body=b"<html>busy</html>"), conf=PATCHED if step == "PATCH" else "")
            for status in (429, 500, 502, 503, 504) for step, where in STEPS.items()]
    rows += [Row(f"an answer that is cut at {step}", fault(where, put={"Content-Length": "2000"}, cut_answer=0), conf=PATCHED if step == "PATCH" else "",
                 left=step == "POST") for step, where in STEPS.items() if where[0] != "HEAD"]
    rows += [Row(f"no answer at {step}", fault(where, do=hang_up), conf=PATCHED if step == "PATCH" else "") for step, where in STEPS.items()]
    at = lambda seconds: email.utils.formatdate(time.time() + seconds, usegmt=True)
    for name, wish in (("1 s", "1"), ("0", "0"), ("a date", at(2)), ("a date that is over", at(-9999)), ("a negative number", "-5"), ("words", "soon"),
                       ("a fraction", "0.5"), ("nothing", "")):
        rows.append(Row(f"429 with {name}", *(fault(w, status=429, headers={"Retry_After": wish}) for w in (POST, PUT))))
    table(stage, pushed, rows)


def hang_up(handler):
    handler.note("hung up")
    handler.close_connection = True
    try:
        handler.connection.shutdown(2)
    except OSError:
        pass
    return True


@scenario
def what_does_not_pass_is_told(stage):
    """To the end, with a pause before each try; what can be no better the next time is asked for once."""
    rows = [Row(f"503 for ever at {step}", fault(where, 99, status=503), says="HTTP 503", conf=PATCHED if step == "PATCH" else "",
                count=(where, 5)) for step, where in STEPS.items()]
    for step, where in STEPS.items():
        for status in (400, 409, 451, 501):
            rows.append(Row(f"{status} at {step}", fault(where, 99, status=status), says="HTTP %d" % status, conf=PATCHED if step == "PATCH" else "",
                            count=(where, 1)))
    table(stage, pushed, rows)


@scenario
def an_absurd_pause_is_cut_short(stage):
    for wish in ("99999999999", "4294967295", "86400", "Fri, 31 Dec 9999 23:59:59 GMT"):
        path = stage.fresh()
        with Registry() as r:
            ONE.write(path + "/lay")
            r.faults.append(Fault(*POST, 99, status=429, headers={"Retry_After": wish}))
            p = start(stage, path, "copy", "-v", "-j", "1", "oci:lay", f"docker://{r.host}/{NAME}:1")
            words = b""
            while not (m := re.search(rb"trying again in (\d+) ms", words)):
                line = p.stderr.readline()
                assert line, words
                words += line
            p.send_signal(signal.SIGINT)
            assert end(p)[0] == 130 and int(m[1]) <= 75_000, (wish, words)


# ---- uploads ----


def cuts(way, conf):
    size = len(ONE.layers[0])
    where = PATCH if way == "PATCH" else PUT
    for i in range(11):
        yield Row(f"a {way} that is cut after {i} tenths", fault(where, cut=min(size * i // 10, size - 1)), picture=ONE, conf=conf)


def keeps(n):
    """What was sent twice is less than n bytes."""
    def after(r, log):
        assert r.received < len(ONE.layers[0]) + len(ONE.config) + 2 * len(ONE.text) + n, r.received
    return after


def ranged(text):
    return fault(STATUS, status=204, headers={"Range": text} if text is not None else {})


def at_least(smallest):
    def after(r, log):
        assert not r.short, "a chunk is smaller than the registry wants"
    return after


@scenario
def uploads_that_go_wrong(stage):
    cut = fault(PATCH, cut=100_000)
    big = Picture(5_000_000)
    seen = []
    rows = [*cuts("PATCH", PATCHED), *cuts("PUT", ""),
            Row("three cuts in a row", *(fault(PATCH, cut=60_000) for _ in range(3)), picture=ONE, conf=PATCHED, after=keeps(1)),
            Row("a status that fits is gone on with", cut, picture=ONE, conf=PATCHED, after=keeps(1), count=(POST, 2))]
    for name, text in (("more than was sent", "0-150000"), ("absurdly much", "0-18446744073709551615"), ("nothing", "0-0"), ("garbage", "all of it"),
                       ("another beginning", "5-1000"), ("no range", None), ("less, but not that either", "0-777")):
        rows.append(Row(f"a status with {name}", cut, ranged(text), picture=ONE, conf=PATCHED))
    for status in (400, 403, 404, 405, 500):
        rows.append(Row(f"a status that is {status}", cut, fault(STATUS, 9 if status == 500 else 1, status=status), picture=ONE, conf=PATCHED))
    rows += [
        Row("416 to a PATCH", fault(PATCH, status=416), conf=PATCHED),
        Row("416 to a closing PUT", fault(PUT, status=416), conf=PATCHED),
        Row("416 for ever", fault(PATCH, 99, status=416), conf=PATCHED, says="HTTP 416", count=(PATCH, 5)),
        Row("a session that is gone at PATCH", fault(PATCH, do=lambda h: h.server.registry.sessions.clear()), conf=PATCHED),
        Row("a session that is gone at the closing PUT", fault(PUT, do=lambda h: h.server.registry.sessions.clear()), conf=PATCHED),
        Row("a session that is gone at a PUT", fault(PUT, do=lambda h: h.server.registry.sessions.clear())),
        Row("sessions that are always gone", fault(PATCH, 99, do=lambda h: h.server.registry.sessions.clear()), conf=PATCHED,
            says="blob upload unknown", count=(PATCH, 5)),
        Row("a PATCH that took less than was sent", fault(PATCH, put={"Range": "0-7"}), conf=PATCHED),
        Row("a PATCH that took more than was sent", fault(PATCH, put={"Range": "0-7777777"}), conf=PATCHED),
        Row("a PATCH without a Range", fault(PATCH, 99, drop=["Range"]), conf=PATCHED),
        Row("a PATCH with another Range each time", fault(PATCH, 99, put={"Range": "0-7"}), conf=PATCHED, says="other bytes than were sent"),
        Row("a PATCH that is answered with 201", fault(PATCH, 99, instead=201), conf=PATCHED),
        Row("a PATCH that is answered with 204", fault(PATCH, 99, instead=204), conf=PATCHED),
        Row("a PATCH that is redirected", away(PATCH, 99, status=307, headers={"Location": "http://OTHER/v2/x"}), conf=PATCHED, says="HTTP 307"),
        Row("a PATCH that is answered early", fault(PATCH, status=202, reads=False, headers={"Location": "/v2/team/x/blobs/uploads/x"}), conf=PATCHED,
            left=True),
        Row("a PUT that is answered with 204", fault(PUT, 99, instead=204)),
        Row("a PUT that did not do it", fault(PUT, 99, status=201), says="blob unknown", left=True),
        Row("a PUT that is answered with 202, and done", fault(PUT, 99, instead=202)),
        Row("a PUT that is answered with 202, and not done", fault(PUT, 99, status=202), says="the registry says HTTP 202, and has not got it",
            count=(PUT, 5)),
        Row("a PUT that is answered with 202 at first", fault(PUT, 1, status=202)),
        Row("a closing PUT that is answered with 202, and done", fault(PUT, 99, instead=202), conf=PATCHED),
        Row("a closing PUT that is answered with 202, and not done", fault(PUT, 99, status=202), says="HTTP 202", conf=PATCHED, count=(PUT, 5)),
        Row("a PUT whose answer is lost", fault(PUT, 1, put={"X-Nothing": "1"}, cut_answer=0)),
        Row("a PUT that was done, and says 500", fault(PUT, 1, instead=500)),
        Row("a closing PUT that was done, and says 504", fault(PUT, 1, instead=504), conf=PATCHED),
        Row("a wrong digest in the answer to a PUT", fault(PUT, 99, put={"Docker-Content-Digest": "sha256:" + "0" * 64})),
        Row("a digest that is refused", fault(PUT, 99, status=400, body=body_of(errors=[{"code": "DIGEST_INVALID", "message": "it differs"}])),
            says='"it differs" (HTTP 400)'),
        Row("no PATCH (405), and nobody said so", fault(PATCH, 99, status=405, reads=False), picture=big, count=(PATCH, 1)),
        Row("no PATCH (501), and nobody said so", fault(PATCH, 99, status=501, reads=False), picture=big, count=(PATCH, 1)),
        Row("no PATCH (UNSUPPORTED), and nobody said so", fault(PATCH, 99, status=400, body=body_of(errors=[{"code": "UNSUPPORTED"}])), picture=big,
            count=(PATCH, 1)),
        Row("no PATCH, and it was asked for", fault(PATCH, 99, status=405), conf=PATCHED, says="HTTP 405"),
        Row("no PATCH, as is known", conf="upload: put", count=(PATCH, 0), picture=big),
        Row("a blob of nothing", picture=Picture(0, 5)),
        Row("a blob of nothing, by PATCH", picture=Picture(0, 5), conf=PATCHED),
        Row("a manifest of nearly 4 MiB", picture=Picture(9, annotations={"x": "y" * 4_190_000})),
        Row("PATCH alone", conf=PATCHED, picture=big, count=(PATCH, 2)),
        Row("chunks of a size", conf="upload: chunks, chunk: 30000", picture=ONE, count=(PATCH, 7)),
        Row("a smallest chunk", before=lambda r: setattr(r, "chunk_min", 40_000), conf="upload: chunks, chunk: 1000", picture=ONE, after=at_least(40_000)),
        Row("a smallest chunk, and nobody chose chunks", before=lambda r: setattr(r, "chunk_min", 40_000), picture=big, after=at_least(40_000)),
        Row("an absurd smallest chunk", fault(POST, 99, put={"OCI-Chunk-Min-Length": "18446744073709551615"}), conf="upload: chunks, chunk: 1000"),
        Row("a smallest chunk of words", fault(POST, 99, put={"OCI-Chunk-Min-Length": "many"}), conf="upload: chunks, chunk: 100000"),
        Row("a chunk that is cut", fault(PATCH, after=2, cut=10_000), conf="upload: chunks, chunk: 30000", picture=ONE, after=keeps(1)),
        Row("a chunk that is out of order", fault(PATCH, after=2, do=lambda h: [s.extend(b"x") for s in h.server.registry.sessions.values()] and None),
            conf="upload: chunks, chunk: 30000", picture=ONE),
        Row("no large body, and smaller chunks are set", before=lambda r: setattr(r, "body_max", 60_000), conf="chunk: 50000"),
        Row("no large body", before=lambda r: setattr(r, "body_max", 60_000), says="set a smaller `chunk`"),
        Row("413 to a small body", fault(PUT, 99, status=413), conf="upload: put", says="HTTP 413"),
        Row("413 to a manifest", fault(PUT_MANIFEST, 99, status=413, body=b"<html>"), says="takes no body that large", count=(PUT_MANIFEST, 1)),
        Row("200 to a POST", fault(POST, 99, instead=200), says="HTTP 200", left=True),
        Row("a blob that is told to be there, and is not", fault(HEAD_BLOB, 99, do=claim), says="blob unknown to registry"),
        Row("a blob that has another size", fault(HEAD_BLOB, 99, status=200, headers={"Content_Length": "7"})),
        Row("a blob that would travel compressed", fault(HEAD_BLOB, 99, put={"Content-Encoding": "gzip", "Content-Length": "20"}),
            before=lambda r: (r.blobs.update(USUAL.blobs), r.repository(NAME).blobs.update(USUAL.blobs)), count=(PUT, 0)),
        Row("a blob that lies elsewhere", away(HEAD_BLOB, 99, status=307, headers={"Location": "http://OTHER/x"}), says="blob unknown to registry"),
        Row("no DELETE of sessions", fault(("DELETE", ""), 99, status=405), fault(PATCH, status=416), conf=PATCHED, left=True),
    ]
    table(stage, pushed, rows)


def echo(handler):
    """Who we are, shown around."""
    if handler.headers.get("Authorization"):
        handler.take(bytearray())
        handler.error(400, "X", f"{handler.headers.get('Authorization')} is wrong")
        return True
    return False


def claim(handler):
    handler.answer(200, Content_Length=str(len(USUAL.blobs[handler.path.rsplit("/", 1)[1]])))
    return True


def moved(where, change, times=99):
    return fault(where, times, location=change)


@scenario
def where_an_upload_goes_on(stage):
    absolute = lambda r: (lambda at: f"http://{r.host}{at}")
    both = (POST, PATCH)
    rows = [
        Row("absolute", *(lambda r, w=w: Fault(*w, 99, location=absolute(r)) for w in both), conf=PATCHED),
        Row("relative to the host", *(moved(w, lambda at: at) for w in both), conf=PATCHED),
        Row("relative to the scheme", *(lambda r, w=w: Fault(*w, 99, location=lambda at: f"//{r.host}{at}") for w in both), conf=PATCHED),
        Row("relative to the path", moved(POST, lambda at: at.rsplit("/", 1)[1]), moved(PATCH, lambda at: at.rsplit("/", 1)[1]), conf=PATCHED),
        Row("without a query", *(moved(w, lambda at: at.split("?")[0]) for w in both), conf=PATCHED),
        Row("with an empty query", *(moved(w, lambda at: at.split("?")[0] + "?") for w in both), conf=PATCHED),
        Row("with a query that has much in it", *(moved(w, lambda at: at + "&_state=" + "A%3D%2B" * 500) for w in both), conf=PATCHED),
        Row("with a fragment", *(moved(w, lambda at: at + "#here") for w in both), conf=PATCHED),
        Row("a PATCH without a Location", fault(PATCH, 99, drop=["Location"]), conf=PATCHED),
        Row("a POST without a Location", fault(POST, 99, drop=["Location"]), says="Location", left=True),
        Row("an empty Location", moved(POST, lambda at: ""), says="Location", left=True),
        Row("a file", moved(POST, lambda at: "file:///etc/passwd"), says="Location", left=True),
        Row("ftp", moved(POST, lambda at: "ftp://x/"), says="Location", left=True),
        Row("a user in it", lambda r: Fault(*POST, 99, location=lambda at: f"http://me:{SECRET}@{r.host}{at}")),
        Row("control characters", moved(POST, lambda at: at + "\x1b[31m"), says="Location", left=True),
        Row("longer than anything", moved(POST, lambda at: at + "&x=" + "y" * 70_000), says="head of the answer", code=5, left=True),
        Row("another host", lambda r: share(r) or Fault(*POST, 99, location=lambda at: f"http://{r.other.host}{at}"), conf=PATCHED),
        Row("another host for a PUT", lambda r: share(r) or Fault(*POST, 99, location=lambda at: f"http://{r.other.host}{at}")),
        Row("another host that wants to know who asks", lambda r: r.other.faults.append(Fault(".*", "uploads", 99, do=refuse)) or Fault(
            *POST, 99, location=lambda at: f"http://{r.other.host}{at}"), code=5, says=NAME, left=True),
        Row("another host that wants to know who asks in the middle", lambda r: share(r) or r.other.faults.append(
            Fault("PATCH", "uploads", 1, do=ask_at(r.other))) or Fault(*POST, 99, location=lambda at: f"http://{r.other.host}{at}"), conf=PATCHED,
            says="it is not told who is logged in, for it is another server", left=True),
        Row("another host that is not there", moved(POST, lambda at: "http://127.0.0.1:1" + at), conf="upload: put", code=5, says="127.0.0.1:1", left=True),
    ]
    table(stage, pushed, rows)


def ask_at(other):
    """Who asks? By a token that is to be had there."""
    other.faults.append(Fault("GET", "^/token", 99, status=200, body=body_of(token="x")))

    def do(handler):
        handler.take(bytearray())
        handler.answer(401, WWW_Authenticate=f'Bearer realm="http://{other.host}/token",service="x"')
        return True
    return do


def share(r):
    """Another host that takes this one's uploads."""
    r.other.sessions, r.other.blobs, r.other.repositories = r.sessions, r.blobs, r.repositories


# ---- what it says ----


@scenario
def what_it_says_becomes_the_sentence(stage):
    said = lambda status=400, **e: fault(POST, 99, status=status, body=body_of(errors=[e]))
    rows = [
        Row("words", said(code="X", message="it is full"), says='the registry says "it is full" (HTTP 400)'),
        Row("a code alone", said(code="X_Y"), says='the registry says "X_Y" (HTTP 400)'),
        Row("words and more", said(code="X", message="no", detail="the disk"), says='"no: the disk"'),
        Row("a detail that is a map", said(code="X", message="no", detail={"a": [1]}), says='"no" (HTTP 400)'),
        Row("terminal escapes", said(code="X", message="\x1b]0;pwned\x07\x1b[2Jred"), says="HTTP 400"),
        Row("escapes of eight bits", said(code="X", message="\u009b31mred\u202e"), says="HTTP 400"),
        Row("several lines", said(code="X", message="one\nenvbuild: done\r\n"), says="HTTP 400"),
        Row("much", said(code="X", message="very " * 5000), says='"very very'),
        Row("too much", fault(POST, 99, status=400, body=b"[" * 1_000_000), says="HTTP 400"),
        Row("HTML", fault(POST, 99, status=400, body=b"<html>\x1b[2J</html>"), says="HTTP 400"),
        Row("nothing", fault(POST, 99, status=400), says="HTTP 400"),
        Row("bytes", fault(POST, 99, status=400, body=bytes(range(256)) * 9), says="HTTP 400"),
        Row("bytes that are no UTF-8", fault(POST, 99, status=400, body=b'{"errors":[{"code":"X","message":"\xff\xfe"}]}'), says="HTTP 400"),
        Row("an error that is cut", lambda r: Fault(*POST, 99, status=400, body=body_of(errors=[{"code": "X"}]), cut_answer=5), says="", code=5),
        Row("a zero", said(code="X", message="a\x00b"), says="HTTP 400"),
        *(Row(f"JSON that is {text}", fault(POST, 99, status=400, body=text.encode()), says="HTTP 400") for text in (
            "[]", "{}", '{"errors":{}}', '{"errors":[]}', '{"errors":[1]}', '{"errors":[{"code":1,"message":[]}]}', '"x"', "null",
            '{"errors":[{"message":""}]}', "[" * 5000)),
        Row("the secret itself, as it was sent", fault(POST, 99, do=echo), says="HTTP 400"),
        *(Row(f"the secret itself, {kind}", said(code="X", message=f"{text} is wrong"), says="HTTP 400") for kind, text in (
            ("plain", SECRET), ("encoded", base64.b64encode(("me:" + SECRET).encode()).decode()))),
        Row("no such repository", before=lambda r: setattr(r, "known_repositories", set()), says="create it there first", count=(POST, 1), code=5),
        Row("no such repository, told by POST", said(404, code="NAME_UNKNOWN", message="unknown"), says="create it there first", count=(POST, 1)),
        Row("no such repository, and no words", fault(POST, 99, status=404), says="create it there first", count=(POST, 1)),
        Row("denied", said(403, code="DENIED", message="by policy"), says='"by policy" (HTTP 403); who is logged in there has no right', count=(POST, 1)),
        Row("denied, and no words", fault(POST, 99, status=403), says="HTTP 403; who is logged in there has no right"),
        Row("denied to look", fault(HEAD_BLOB, 99, status=403), says="HTTP 403; who is logged in there has no right"),
        Row("too many", fault(POST, 99, status=429, body=body_of(errors=[{"code": "TOOMANYREQUESTS", "message": "slow down"}])),
            says='"slow down" (HTTP 429); it wants fewer requests', count=(POST, 5)),
        Row("a manifest that is refused after all blobs", fault(PUT_MANIFEST, 99, status=400, body=body_of(errors=[{
            "code": "MANIFEST_INVALID", "message": "not today"}])), says='"not today" (HTTP 400)', count=(PUT_MANIFEST, 1)),
        Row("a manifest that is stored as another", fault(PUT_MANIFEST, 99, put={"Docker-Content-Digest": "sha256:" + "0" * 64}), code=6,
            says="has stored it as sha256:000"),
        Row("a manifest's answer with garbage for a digest", fault(PUT_MANIFEST, 99, put={"Docker-Content-Digest": "md5:1"})),
        Row("a manifest's answer without a digest", fault(PUT_MANIFEST, 99, drop=["Docker-Content-Digest"])),
        Row("a manifest that is answered with 200", fault(PUT_MANIFEST, 99, instead=200)),
        Row("a manifest whose answer is lost", fault(PUT_MANIFEST, 1, put={"X-Nothing": "1"}, cut_answer=0)),
        Row("a line of a head that has no end", fault(POST, 99, put={"X": "x" * 120_000}), says="head of the answer is larger than 64 KiB", left=True),
        Row("a head that has no end", fault(POST, 99, put={f"X-{i}": "x" * 900 for i in range(90)}), says="head of the answer", left=True),
    ]
    table(stage, pushed, rows)


# ---- tags ----


def tagged(digest=None):
    """The tag stands there, and may not be moved."""
    def before(r):
        if digest:
            r.repository(NAME).tags["1"] = digest
        r.immutable = True
    return before


def taken_meanwhile(digest, status):
    """Between our question and our PUT somebody puts it."""
    def do(handler):
        handler.take(bytearray())
        handler.server.registry.repository(NAME).tags["1"] = digest
        handler.error(status, "TAG_IMMUTABLE", "it may not be changed")
        return True
    return fault(PUT_TAG, 1, do=do)


@scenario
def tags_that_may_not_move(stage):
    old = "sha256:" + "a" * 64
    there = lambda r: (USUAL.load(r), setattr(r, "immutable", True))
    rows = [Row("the same is there", before=there, count=(("PUT", ""), 0))]
    for status in (400, 403, 409, 412):
        rows += [
            Row(f"another is there, {status}", fault(PUT_TAG, 9, status=status, body=body_of(errors=[{"code": "X", "message": "it is immutable"}])),
                before=lambda r: Picture(77).load(r), tags={"1": Picture(77).digest}, says=f'manifest 1: the registry says "it is immutable" (HTTP {status})',
                count=(PUT_TAG, 1)),
            Row(f"another takes it meanwhile, {status}", taken_meanwhile(old, status), tags={"1": old}, says="it may not be changed", count=(PUT_TAG, 1)),
            Row(f"the same is put meanwhile, {status}", taken_meanwhile(USUAL.digest, status), count=(PUT_TAG, 1)),
        ]
    rows += [
        Row("it was put, and the answer said 500", fault(PUT_TAG, 1, instead=500), before=tagged()),
        Row("it was put, and the answer is lost", fault(PUT_TAG, 1, put={"X-Nothing": "1"}, cut_answer=0), before=tagged()),
        Row("the same, and HEAD names no digest", fault(HEAD_TAG, 9, drop=["Docker-Content-Digest"]), before=there, count=(PUT_TAG, 0)),
        Row("the same, and HEAD names garbage", fault(HEAD_TAG, 9, put={"Docker-Content-Digest": "x"}), before=there, count=(PUT_TAG, 0)),
        Row("the same, and there is no HEAD", fault(HEAD_TAG, 9, status=405), before=there, count=(PUT_TAG, 0)),
        Row("one that may be moved", before=lambda r: Picture(77).load(r), count=(PUT_TAG, 1)),
    ]
    table(stage, pushed, rows)


# ---- mounts ----


def mounted(stage, row):
    path = stage.fresh()
    with Registry(token="me:" + SECRET) as r, Registry() as other:
        row.picture.load(r, "team/old")
        open_row(path, r, other, row)
        got, out, err = end(start(stage, path, "copy", "-j", "1", f"docker://{r.host}/team/old:1", f"docker://{r.host}/{NAME}:1"))
        judge_push(r, other, row, got, out, err)


@scenario
def mounts_that_go_wrong(stage):
    mount = ("POST", "mount=")
    nothing = lambda r, log: None if not [p for m, p, s in log if m == "PATCH" or "/uploads/" in p and m == "PUT"][1:] else (_ for _ in ()).throw(
        AssertionError(f"layers are sent: {log}"))
    rows = [Row("done", after=nothing), Row("none known", before=lambda r: setattr(r, "mounts", False))]
    rows += [Row(f"refused with {status}", fault(mount, 99, status=status)) for status in (400, 401, 403, 404, 405, 416, 500, 503)]
    rows += [
        Row("refused for two scopes", fault(TOKEN, 99, do=lambda h: h.path.count("scope=") > 1 and h.answer(403) is None)),
        Row("a realm that has no answer for two scopes", fault(TOKEN, 99, do=lambda h: h.path.count("scope=") > 1 and h.answer(400) is None)),
        Row("told, and not done", fault(mount, 99, status=201)),
        Row("told, and nobody may look", fault(mount, 1, status=201), fault(HEAD_BLOB, after=2, status=403)),
        Row("begun instead, and nowhere", fault(mount, 99, status=202)),
        Row("begun instead, at no address", fault(mount, 99, status=202, headers={"Location": "ftp://x/"})),
        Row("begun instead, elsewhere", away(mount, 99, status=202, headers={"Location": "http://OTHER/x"})),
        Row("hung up", fault(mount, 99, do=hang_up)),
        Row("of a blob that is not there", fault(mount, 99, do=lambda h: h.server.registry.repository("team/old").blobs.clear() or restore(h))),
    ]
    table(stage, mounted, rows)


def restore(handler):
    """A mount of what is not there is an upload; it is there again for who reads it."""
    repo, r = handler.server.registry.repository("team/old"), handler.server.registry
    kept, r.mounts = set(USUAL.blobs), False
    repo.blobs.update(kept)
    return False


# ---- pulling ----


def pulled(stage, row):
    path = stage.fresh()
    with Registry(token="me:" + SECRET) as r, Registry() as other:
        row.picture.load(r)
        open_row(path, r, other, row)
        got, out, err = end(start(stage, path, "copy", "-j", "1", *row.args, f"docker://{r.host}/{NAME}:1", "oci:out:1"))
        judge(r, other, row, got, out, err)
        if got:
            nothing_published(path + "/out")
            return
        held = blobs(path + "/out")
        index = json.loads(read(path, "out", "index.json"))
        assert [m["digest"] for m in index["manifests"]] in ([r.repository(NAME).tags["1"]], [row.picture.digest]), index
        assert all(name in held for name in row.picture.blobs), held.keys()


def served(text, kind=MANIFEST):
    """The tag stands for other bytes."""
    def before(r):
        repo = r.repository(NAME)
        body = text if isinstance(text, bytes) else json.dumps(text).encode()
        repo.manifests[name_of(body)] = (kind, body)
        repo.tags["1"] = name_of(body)
    return before


def manifest_with(**more):
    document = json.loads(USUAL.text)
    document.update(more)
    return {k: v for k, v in document.items() if v is not None}


def changed(change):
    """A layer's bytes, as the peer gives them."""
    def before(r):
        for layer in USUAL.layers:
            r.blobs[name_of(layer)] = change(layer)
    return before


@scenario
def pulls_that_go_wrong(stage):
    first = USUAL.layers[0]
    elsewhere = lambda r: share(r) or Fault(*GET_BLOB, 99, do=lambda h: h.answer(307, Location=f"http://{r.other.host}{h.path}") is None)
    rows = [Row(f"{status} at {step}", fault(where, status=status)) for status in (408, 429, 500, 502, 503, 504)
            for step, where in (("tag", GET_TAG), ("blob", GET_BLOB))]
    rows += [Row(f"{status} at {step}", fault(where, 99, status=status), says="HTTP %d" % status, code=5, count=(where, 1))
             for status in (403, 410, 501) for step, where in (("tag", GET_TAG), ("blob", GET_BLOB))]
    rows += [Row(f"a blob that is cut after {i} tenths", fault(GET_BLOB, after=1, cut_answer=len(first) * i // 10)) for i in range(10)]
    rows += [
        Row("a blob that is cut, and no ranges", fault(GET_BLOB, after=1, cut_answer=70_000), before=lambda r: setattr(r, "ranges", False)),
        Row("a blob that is cut, then 416", fault(GET_BLOB, after=1, cut_answer=70_000), fault(GET_BLOB, after=1, status=416), says="HTTP 416", code=5),
        Row("a blob that is cut, then another range", fault(GET_BLOB, after=1, cut_answer=70_000), fault(GET_BLOB, after=1, put={
            "Content-Range": "bytes 5-149999/150000"}), says="another range than was asked for"),
        Row("a blob that is cut, then a range of nothing", fault(GET_BLOB, after=1, cut_answer=70_000), fault(GET_BLOB, after=1, drop=["Content-Range"]),
            says="another range than was asked for"),
        Row("a blob that is cut, and the token is over", fault(GET_BLOB, after=1, cut_answer=70_000), fault(GET_BLOB, after=1, do=expire)),
        Row("a blob that is cut for ever", fault(GET_BLOB, 99, after=1, cut_answer=0), says=NAME, code=5, count=(GET_BLOB, 6)),
        Row("a blob without who we are", fault(GET_BLOB, 99, do=refuse), says="refuses the user", code=5),
        Row("a blob that is not there", before=lambda r: r.repository(NAME).blobs.discard(name_of(first)), says="blob unknown to registry", code=5),
        Row("wrong bytes", before=changed(lambda b: bytes(x ^ 1 for x in b)), says="digest", code=6),
        Row("one wrong bit", before=changed(lambda b: b[:-1] + bytes([b[-1] ^ 1])), says="digest", code=6),
        Row("too short", before=changed(lambda b: b[:-1]), says="shorter than the manifest says"),
        Row("nothing", before=changed(lambda b: b""), says="shorter than the manifest says"),
        Row("too long", before=changed(lambda b: b + b"more")),
        Row("a blob's length that is too large", fault(GET_BLOB, 99, after=1, put={"Content-Length": "150007"}, do=lambda h: setattr(h, "close_connection", True))),
        Row("a blob with another digest in its head", fault(GET_BLOB, 99, put={"Docker-Content-Digest": "sha256:" + "0" * 64})),
        Row("blobs that lie elsewhere", elsewhere),
        *(Row(f"blobs that lie elsewhere, where {times} times somebody wants to know who asks", elsewhere, before=lambda r, times=times:
              r.other.faults.append(Fault("GET", "/blobs/", times, do=ask_at(r.other))), says="it is not told who is logged in, for it is another server")
          for times in (1, 99)),
        Row("blobs that are redirected in a circle", fault(GET_BLOB, 99, do=lambda h: h.answer(307, Location=h.path) is None), says="more than 10 redirects"),
        Row("blobs that are redirected to a file", fault(GET_BLOB, 99, status=307, headers={"Location": "file:///etc/passwd"}), says=NAME),
        Row("blobs that are redirected to nowhere", fault(GET_BLOB, 99, status=307), says="redirects to nowhere"),
        Row("blobs that are redirected to what is not there", away(GET_BLOB, 99, status=307, headers={"Location": "http://OTHER/gone?sig=1"}), says="HTTP 404"),
        Row("a tag that is not there", before=lambda r: r.repository(NAME).tags.clear(), says="has no image 1", code=3),
        Row("a repository that is not there", before=lambda r: setattr(r, "known_repositories", set()), says="has no image 1", code=3),
        Row("a config that is another", before=lambda r: r.blobs.update({name_of(USUAL.config): b"{}" + USUAL.config[2:]}), says="another digest", code=6),
        Row("a manifest by digest with other bytes", before=lambda r: (served({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            described(MANIFEST, USUAL.text, platform={"os": "linux", "architecture": "amd64"})]}, INDEX)(r), r.repository(NAME).manifests.update(
                {USUAL.digest: (MANIFEST, USUAL.text + b"\n")})), says="what came has the digest sha256:", code=6),
        Row("a manifest with another digest in its head", fault(GET_TAG, 99, put={"Docker-Content-Digest": "sha256:" + "0" * 64})),
        Row("a manifest of another media type", fault(GET_TAG, 99, put={"Content-Type": "text/html"})),
        Row("a manifest that comes compressed", fault(GET_TAG, 99, do=lambda h: h.answer(200, gzip.compress(USUAL.text), Content_Encoding="gzip") is None),
            says="it comes compressed, which was not asked for"),
        Row("a manifest that is only said to be compressed", fault(GET_TAG, 99, put={"Content-Encoding": "gzip"})),
        Row("bytes as they are are asked for", fault((".*", "/v2/"), 999, do=lambda h: h.headers["Accept-Encoding"] != "identity" and h.answer(500) is None)),
        Row("a huge manifest", before=served(USUAL.text + b" " * (4 << 20)), says="larger than is allowed", code=5),
        Row("a manifest of 4 MiB", before=served(USUAL.text + b" " * ((4 << 20) - len(USUAL.text)))),
        Row("a manifest that is a web page", before=served(b"<html>\x1b[2J"), says="what came is a web page"),
        Row("a manifest that is no JSON", before=served(b"\x1b[2J"), says=NAME, code=3),
        Row("a manifest that is a list", before=served([]), says=NAME, code=3),
        Row("schema 1", before=served({"schemaVersion": 1, "name": "x", "fsLayers": [], "history": []},
                                      "application/vnd.docker.distribution.manifest.v1+prettyjws"), says="schemaVersion", code=3),
        Row("an index of nothing", before=served({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}, INDEX), says="no image for linux/amd64", code=3),
        Row("an index within itself, five deep", before=lambda r: nest(r, 5), says="indexes within indexes", code=3),
        Row("an index within an index", before=lambda r: nest(r, 2)),
        Row("an index that names what is not there", before=served({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            described(MANIFEST, b"gone", platform={"os": "linux", "architecture": "amd64"})]}, INDEX), says="lacks the manifest sha256:", code=3),
        Row("a layer of negative size", before=served(manifest_with(layers=[{**described(LAYER, first), "size": -1}, described(LAYER, b"x")])), says="size", code=3),
        Row("a layer of absurd size", before=served(manifest_with(layers=[{**described(LAYER, first), "size": 2 ** 80}, described(LAYER, b"x")])), says="size", code=3),
        Row("a digest of another kind", before=served(manifest_with(layers=[{**described(LAYER, first), "digest": "sha512:" + "0" * 128}])), says="digest", code=3),
        Row("a digest that leads out", before=served(manifest_with(layers=[{**described(LAYER, first), "digest": "sha256:../../../x"}])), says="digest", code=3),
        Row("no config", before=served(manifest_with(config=None)), says="config", code=3),
        Row("fields of others", before=served(manifest_with(extra={"a": [1]}, annotations={"x": "y"}))),
        Row("what is in the descriptor too", before=served(manifest_with(config=described(CONFIG, USUAL.config, data=base64.b64encode(USUAL.config).decode())))),
    ]
    table(stage, pulled, rows)


def nest(r, depth):
    """The tag stands for an index of an index ... of the image."""
    entry = described(MANIFEST, USUAL.text, platform={"os": "linux", "architecture": "amd64"})
    for _ in range(depth):
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).encode()
        r.repository(NAME).manifests[name_of(body)] = (INDEX, body)
        r.repository(NAME).tags["1"] = name_of(body)
        entry = described(INDEX, body, platform={"os": "linux", "architecture": "amd64"})


# ---- kinds of images, as the distribution-spec's conformance suite has them ----


def document(kind=MANIFEST, **more):
    return json.dumps({"schemaVersion": 2, "mediaType": kind, **more}).encode()


EMPTY = described("application/vnd.oci.empty.v1+json", b"{}")
AMD64 = {"os": "linux", "architecture": "amd64"}


def copied_all(stage, row):
    """--all of the tag "all" into another registry: byte for byte, children first, and what refers to it."""
    path = stage.fresh()
    with Registry(token="me:" + SECRET) as r, Registry(token="me:" + SECRET) as to, Registry() as other:
        USUAL.load(r)
        for blob in (b"{}", b"note"):
            r.blobs[name_of(blob)] = blob
            r.repository(NAME).blobs.add(name_of(blob))
        open_row(path, r, other, row)
        both = {host: {"auth": base64.b64encode(("me:" + SECRET).encode()).decode()} for host in (r.host, to.host)}
        file(path, ".home/.docker/config.json", json.dumps({"auths": both}))
        mine = r.repository(NAME)
        got, out, err = end(start(stage, path, "copy", "-j", "1", "--all", f"docker://{r.host}/{NAME}:all", f"docker://{to.host}/y:1"))
        judge(r, other, row, got, out, err)
        repo = to.repository("y")
        if got:
            assert not names(to, "y"), repo.tags
            return
        assert names(to, "y") == {"1": mine.tags["all"]} and set(repo.tags.values()) == set(repo.manifests), repo.tags
        assert repo.manifests == mine.manifests, (repo.manifests.keys(), mine.manifests.keys())
        for name in repo.blobs:
            assert to.blobs[name] == r.blobs[name]
        put = [p.rsplit("/", 1)[1] for m, p, status in to.log if m == "PUT" and "/manifests/" in p]
        assert put[-1] == "1" and put.count("1") == 1, put


def holding(*bodies):
    """Manifests of r beside the image; the last one is "all"."""
    def before(r):
        repo = r.repository(NAME)
        for body in bodies:
            repo.manifests[name_of(body)] = (json.loads(body)["mediaType"], body)
        repo.tags = {"all": name_of(bodies[-1])}
    return before


@scenario
def kinds_of_images(stage):
    image = described(MANIFEST, USUAL.text, platform=AMD64)
    bare = document(config=EMPTY, layers=[], artifactType="application/x-note")
    full = document(config=EMPTY, layers=[described("text/plain", b"note")], artifactType="application/x-note", annotations={"a": "b"})
    of = lambda body, n=0, kind=MANIFEST: document(config=EMPTY, layers=[described("text/plain", b"note")], artifactType="application/x-note",
                                                   subject=described(kind, body), annotations={"n": str(n)})
    index = lambda *entries, **more: document(INDEX, manifests=[*entries], **more)
    top = index(image)
    inner = index(described(MANIFEST, bare))
    foreign = document(config=described(CONFIG, USUAL.config), layers=[described(LAYER, USUAL.layers[0]), {
        **described(LAYER.replace("layer.v1", "layer.nondistributable.v1"), b"theirs"), "urls": ["http://127.0.0.1:1/x"]}])
    sparse = index(image, described(MANIFEST, b"gone"))
    notes = [of(USUAL.text, n) for n in range(7)]
    page = lambda n: lambda then: lambda r: (then(r), setattr(r, "page", n))
    without = lambda then: lambda r: (then(r), setattr(r, "referrers", False))
    rows = [
        Row("an image alone", before=holding(USUAL.text)),
        Row("an index", before=holding(top)),
        Row("an index within an index", before=holding(bare, inner, index(image, described(INDEX, inner)))),
        Row("an artifact without layers in an index", before=holding(bare, index(image, described(MANIFEST, bare, artifactType="application/x-note")))),
        Row("an artifact with a layer in an index", before=holding(full, index(image, described(MANIFEST, full)))),
        Row("an index that is an artifact", before=holding(index(image, artifactType="application/x-set", annotations={"x": "y"}))),
        Row("an index with fields of others", before=holding(index(image, extra={"a": 1}))),
        Row("an index that names what is not there", before=holding(sparse), says="lacks the manifest", code=3),
        Row("what is in the descriptor too", before=holding(index({**image, "data": base64.b64encode(USUAL.text).decode()}))),
        Row("layers that may not be handed on", before=lambda r: (r.repository(NAME).manifests.clear(), holding(foreign)(r))),
        Row("an artifact alone", before=holding(bare), code=3, says=""),
        Row("one that refers to it", before=holding(of(USUAL.text), top)),
        Row("seven that refer to it", before=holding(*notes, top)),
        Row("seven that refer to it, three in a page", before=page(3)(holding(*notes, top))),
        Row("seven that refer to it, one in a page", before=page(1)(holding(*notes, top))),
        Row("one that refers to one that refers to it", before=holding(notes[0], of(notes[0]), top)),
        Row("one that refers to the index", before=holding(of(top, 0, INDEX), top)),
        Row("one that refers to what is not there", before=holding(of(b"gone"), index(image, described(MANIFEST, of(b"gone"))))),
        Row("no list of referrers", before=without(holding(top))),
        Row("a list of referrers that fails", fault(("GET", "/referrers/"), 99, status=500), before=holding(top), says="HTTP 500"),
        Row("a list of referrers that is not allowed", fault(("GET", "/referrers/"), 99, status=403), before=holding(top), says="HTTP 403"),
        Row("a list of referrers that is no index", fault(("GET", "/referrers/"), 99, status=200, body=b"[]"), before=holding(top), says=NAME, code=3),
        Row("a page for people in place of a list of referrers", fault(("GET", "/referrers/"), 99, status=200, body=b"<html>",
                                                                       headers={"Content_Type": "text/html; charset=utf-8"}), before=holding(top)),
        Row("pages without end", fault(("GET", "/referrers/"), 999, status=200, body=index(), headers={"Link": '<?at=0>; rel="next"'}),
            before=holding(top), says="does not end after 100 pages"),
        Row("a page that is gone", fault(("GET", "/referrers/.*at="), 99, status=404), before=page(3)(holding(*notes, top)), says="HTTP 404"),
        Row("a page on another host", away(("GET", "/referrers/"), 1, status=200, body=index(), headers={"Link": '<http://OTHER/x>; rel="next"'}),
            before=holding(top), says="HTTP 404"),
        Row("a page at no address", fault(("GET", "/referrers/"), 1, status=200, body=index(), headers={"Link": '<ftp://x>; rel="next"'}),
            before=holding(top), says="the next page"),
        Row("a link to what came before", fault(("GET", "/referrers/"), 1, status=200, body=index(), headers={"Link": '</x>; rel="prev"'}),
            before=holding(top)),
    ]
    table(stage, copied_all, rows)


# ---- layers that are made while they are sent ----


def built(stage, row):
    """Where the lock has no digests: the layers are made on the line."""
    digest, _ = golden(stage)
    path = stage.fresh()
    with Registry(token="me:" + SECRET) as r, Registry() as other:
        open_row(path, r, other, row)
        got, out, err = end(start(stage, path, "build", "-q", "--index", stage.index, "recipe.yaml", "-o", f"docker://{r.host}/{NAME}:1"))
        judge(r, other, row, got, out, err)
        repo = r.repository(NAME)
        if got:
            assert not names(r, NAME), repo.tags
            return
        assert names(r, NAME) == {"1": digest} and out.strip() == f"{r.host}/{NAME}@{digest}"
        for d in (m := json.loads(repo.manifests[digest][1]))["layers"] + [m["config"]]:
            assert d["digest"] in repo.blobs and name_of(r.blobs[d["digest"]]) == d["digest"]


def cut_one(n):
    """The first body that has n bytes is cut behind them."""
    def do(handler):
        log = handler.server.registry.log
        if not [x for x in log if x[2] == "cut"]:
            handler.fault = {"cut": n}
        return False
    return fault(("PATCH|PUT", "/uploads/"), 999, do=do)


@scenario
def layers_that_are_made_again(stage):
    _, held = golden(stage)
    largest = max(len(b) for b in held.values())
    hit = lambda r, log: [x for x in log if x[2] == "cut"] or (_ for _ in ()).throw(AssertionError("nothing was cut"))
    rows = [Row(f"cut after {i} tenths", cut_one(largest * i // 10), after=hit) for i in range(10)]
    rows += [
        Row("a token that is over in the middle", fault(PATCH, do=expire)),
        Row("a session that is gone", fault(PATCH, do=lambda h: h.server.registry.sessions.clear())),
        Row("a session that is gone at the end", fault(PUT, do=lambda h: h.server.registry.sessions.clear())),
        Row("no PATCH", fault(PATCH, 99, status=405, reads=False), says="takes no PATCH (HTTP 405); run it again"),
        Row("no PATCH, as is known", conf="upload: put", count=(PATCH, 0)),
        Row("no large body", before=lambda r: setattr(r, "body_max", 100_000), conf="chunk: 100000"),
        Row("a manifest that is refused", fault(PUT_MANIFEST, 9, status=400), says="HTTP 400"),
        Row("denied", fault(POST, 99, status=403), says="HTTP 403"),
    ]
    table(stage, built, rows)


# ---- hosts that are known, by a proxy ----


class Tunnel:
    """A proxy that leads to `port` of this machine, whatever host is asked for; asked: those, in their order."""

    def __init__(self, port):
        self.port, self.asked, self.server = port, [], socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            there = self.server.accept()[0]
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += there.recv(1)
            self.asked.append(head.split()[1].decode())
            here = socket.create_connection(("127.0.0.1", self.port))
            there.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            for a, b in ((there, here), (here, there)):
                threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    @staticmethod
    def pump(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass


@scenario
def hosts_that_are_known(stage):
    """By their names, a certificate of their own in certs.d, and a proxy that leads to our peer."""
    hosts = {"ghcr.io": None, "europe-docker.pkg.dev": 0, "team.jfrog.io": 3, "registry.test": 1}
    picture = Picture(5_000_000, 1)
    for host, patches in hosts.items():
        path = stage.fresh()
        folder = os.path.dirname(file(path, f".home/.config/containers/certs.d/{host}/none", ""))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key", "-out", folder + "/ca.crt", "-subj", "/CN=x",
                        "-days", "30", "-addext", f"subjectAltName=DNS:{host}"], cwd=path, check=True, capture_output=True)
        with Registry(token="me:" + SECRET, tls=(folder + "/ca.crt", path + "/key")) as r:
            proxy, r.host = Tunnel(r.port), host
            picture.write(path + "/lay")
            login(path, r, "me:" + SECRET)
            if patches is None:
                r.faults.append(Fault(*POST, 9, status=403, body=body_of(errors=[{"code": "DENIED", "message": "no"}])))
            got, out, err = end(start(stage, path, "copy", "oci:lay", f"docker://{host}/{NAME}:1", HTTPS_PROXY=f"http://127.0.0.1:{proxy.server.getsockname()[1]}"))
            assert proxy.asked and set(proxy.asked) == {host + ":443"}, proxy.asked
            if patches is None:
                assert got == 5 and 'look at the package\'s settings on GitHub, "Manage Actions access"' in err, err
                continue
            assert got == 0 and out.strip() == f"{host}/{NAME}@{picture.digest}", err
            assert len([x for x in r.log if x[0] == "PATCH"]) == patches, r.log


# ---- killed ----


@scenario
def killed_at_ten_moments_and_again(stage):
    """The second run gives the same digest, and leaves no session open; those of the dead one nobody can know."""
    digest, _ = golden(stage)
    with Registry() as r:
        path = locked(stage)
        file(path, ".home/.config/envbuild/config.yaml", f"registries: {{'{r.host}': {{{PATCHED}}}}}\n")
        start_push = lambda path, r: start(stage, path, "build", "-q", "--index", stage.index, "recipe.yaml", "-o", f"docker://{r.host}/{NAME}:1")
        assert end(start_push(path, r))[0] == 0
        requests = len(r.log)

    def one(moment):
        path = locked(stage)
        with Registry() as r:
            file(path, ".home/.config/envbuild/config.yaml", f"registries: {{'{r.host}': {{{PATCHED}}}}}\n")
            started = threading.Event()

            def kill(handler):
                started.wait(PATIENCE)
                p.kill()
                p.wait()
                return hang_up(handler)

            r.faults.append(Fault(".*", "", 1, after=requests * moment // 10, do=kill))
            p = start_push(path, r)
            started.set()
            assert end(p)[0] == -9
            r.settle()
            r.repository(NAME)
            left, tags = set(r.sessions), names(r, NAME)
            assert tags in ({}, {"1": digest})
            got, out, err = end(start_push(path, r))
            assert got == 0 and out.strip() == f"{r.host}/{NAME}@{digest}", err
            assert set(r.sessions) <= left, "the second run leaves sessions open"
            assert names(r, NAME) == {"1": digest} and len(r.repository(NAME).tags) == 3, r.repository(NAME).tags
            check_store(path)

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        list(pool.map(one, range(10)))
