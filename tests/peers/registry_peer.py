#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A registry on loopback, in memory: OCI distribution-spec 1.1, pull, push, tags, referrers; counts every byte.

    registry_peer.py [--token USER:PASSWORD] [--basic USER:PASSWORD] [--tls CERT KEY]
                       prints the port, serves until stdin ends

    with Registry(...) as r: r.host is "127.0.0.1:PORT"; r.log holds (method, path, status) of each request,
    r.received and r.sent the bytes of blobs' and manifests' bodies, r.blobs and r.repositories what it has, r.told each
    Authorization that was seen, r.given the tokens that it gave.

It misbehaves as r.faults say: see Fault. Token auth: GET /token of the same server, Basic; tokens name their scopes.
"""
import base64, hashlib, json, re, socket, ssl, sys, threading, urllib.parse, uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = r"([a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"


class Fault:
    """`times` requests of a method whose path has `path` in it (a regular expression) meet it:

    status=N, headers={}, body=b""   that is all the answer
    cut=N        after N bytes of the request's body the line is closed
    cut_answer=N after N bytes of the answer's body the line is closed
    location=f   what f makes of the Location that the answer would have
    drop=[...]   headers that the answer lacks; put={} those that it has instead; instead=N the status that it has
    do=f         f(handler) before all else; true: it has answered

    What is to be tried further belongs here: a fault is data, and tests list theirs."""

    def __init__(self, method, path, times=1, after=0, **how):
        self.method, self.path, self.times, self.after, self.how, self.met = method, path, times, after, how, 0

    def meets(self, method, path):
        if not (re.fullmatch(self.method, method) and re.search(self.path, path)):
            return False
        if self.after:
            self.after -= 1
            return False
        if self.met >= self.times:
            return False
        self.met += 1
        return True


class Cut(Exception):
    pass


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    # ---- bodies ----

    def take(self, into):
        """The request's body, into a bytearray. False: it ended early, or a fault cut it."""
        self.unread = False
        cut = self.fault.get("cut")
        left = self.headers.get("Content-Length")

        def more(n):
            part = self.rfile.read(n)
            into.extend(part)
            self.server.registry.received += len(part)
            return len(part) == n

        def read(n):
            while n:
                step = min(n, 65536) if cut is None else min(n, 65536, max(cut - self.taken, 0))
                if not step:
                    raise Cut
                if not more(step):
                    return False
                self.taken += step
                n -= step
            return True

        self.taken = 0
        if cut == 0:
            raise Cut
        if left is not None:
            return read(int(left))
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return True
        while True:
            line = self.rfile.readline()
            if not line:
                return False
            size = int(line.split(b";")[0], 16)
            if not read(size):
                return False
            self.rfile.readline()
            if not size:
                return True

    def answer(self, status, body=b"", **headers):
        r = self.server.registry
        how = self.fault
        status = how.get("instead", status)
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        if "location" in how and "Location" in headers:
            headers["Location"] = how["location"](headers["Location"])
        headers = {k: v for k, v in headers.items() if k not in how.get("drop", ())}
        headers.update(how.get("put", {}))
        self.note(status)
        self.send_response(status)
        if "Content-Length" not in headers:
            headers["Content-Length"] = str(len(body))
        for k, v in headers.items():
            self.send_header(k, v)
        self.end_headers()
        if self.command == "HEAD" or status in (204, 304):
            return
        if "cut_answer" in how:
            self.wfile.write(body[:how["cut_answer"]])
            raise Cut
        r.sent += len(body)
        self.wfile.write(body)
        if self.unread:  # an answer that came early: what is still on the line is not the next request
            received, self.fault = r.received, {}
            self.take(bytearray())
            r.received = received

    def note(self, status):
        with self.server.registry.lock:
            self.server.registry.log.append((self.command, self.path, status))

    def error(self, status, code, message="", **headers):
        self.answer(status, json.dumps({"errors": [{"code": code, "message": message or code.lower(), "detail": None}]}).encode(),
                    Content_Type="application/json", **headers)

    # ---- who asks ----

    def basic(self):
        kind, _, rest = self.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "basic":
            return None
        return base64.b64decode(rest).decode()

    def challenge(self, scope):
        r = self.server.registry
        if r.basic:
            kind = 'Basic realm="tests"'
        else:
            realm = r.realm or f"{r.scheme}://{r.host}/token"
            kind = f'Bearer realm="{realm}",service="tests, and more"' + (f',scope="{scope}"' if scope else "")
        self.error(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate=kind)
        return False

    def may(self, name, rights, source=None):
        r = self.server.registry
        scope = f"repository:{name}:{','.join(rights)}" if name else ""
        if r.basic:
            return self.basic() == r.basic or self.challenge(scope)
        if not r.token:
            return True
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        scopes = r.tokens.get(token) if kind == "Bearer" else None
        if scopes is None:
            return self.challenge(scope)
        wanted = [(name, x) for x in rights] + ([(source, "pull")] if source else [])
        if name and not all(w in scopes for w in wanted):
            return self.challenge(scope)
        if r.uses_left is not None:
            r.uses_left -= 1
            if r.uses_left <= 0:
                r.tokens.clear()
                r.uses_left = None
        return True

    def give_token(self, query):
        r = self.server.registry
        form = {}
        if self.command == "POST":
            body = bytearray()
            self.take(body)
            form = urllib.parse.parse_qs(body.decode())
            known = form.get("refresh_token") == [r.identity] and r.identity
            asked = " ".join(form.get("scope", [])).split()
        else:
            who = self.basic()
            known = who is not None and who == r.token
            if who is not None and not known:
                return self.error(401, "UNAUTHORIZED", "wrong user or password")
            asked = query.get("scope", [])
        r.asked_tokens.append((self.command, known, tuple(asked)))
        if self.command == "POST" and not known:
            return self.error(401, "UNAUTHORIZED", "wrong identity token")
        scopes = set()
        for scope in asked:
            m = re.fullmatch("repository:(.+):([a-z,]+)", scope)
            if m and (known or r.anonymous_pull):
                scopes |= {(m[1], x) for x in m[2].split(",") if known or x == "pull"}
        token = uuid.uuid4().hex
        r.given.append(token)
        r.tokens[token] = scopes
        self.answer(200, json.dumps({"access_token" if self.command == "POST" else "token": token, "expires_in": r.expires_in}).encode(),
                    Content_Type="application/json")

    # ---- requests ----

    def handle_one(self):
        r = self.server.registry
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        with r.lock:
            met = next((f for f in r.faults if f.meets(self.command, self.path)), None)
        self.fault = met.how if met else {}
        self.taken = 0
        self.unread = int(self.headers.get("Content-Length") or 0) > 0 or "Transfer-Encoding" in self.headers
        r.told.add(self.headers.get("Authorization"))
        if "do" in self.fault and self.fault["do"](self):
            return None
        if "status" in self.fault:
            if self.fault.get("reads", True):
                self.take(bytearray())
            return self.answer(self.fault["status"], self.fault.get("body", b""), **self.fault.get("headers", {}))
        if url.path == "/token":
            return self.give_token(query)
        if url.path in ("/v2", "/v2/"):
            return self.may("", []) and self.answer(200, b"{}")
        for pattern, do in ((f"/v2/{NAME}/manifests/(.+)", self.manifest), (f"/v2/{NAME}/blobs/uploads/(.*)", self.upload),
                            (f"/v2/{NAME}/blobs/(.+)", self.blob), (f"/v2/{NAME}/tags/(list)", self.tags),
                            (f"/v2/{NAME}/referrers/(.+)", self.referrers)):
            m = re.fullmatch(pattern, url.path)
            if m:
                source = query.get("from", [None])[0] if do == self.upload else None
                rights = ["pull"] if self.command in ("GET", "HEAD") and do != self.upload else ["pull", "push"]
                if not self.may(m[1], rights, source):
                    return None
                if r.known_repositories is not None and m[1] not in r.known_repositories:
                    return self.error(404, "NAME_UNKNOWN", "repository name not known to registry")
                return do(r.repository(m[1]), m[1], m[2], query)
        return self.error(404, "NAME_UNKNOWN")

    def serve(self):
        try:
            self.handle_one()
        except (Cut, ConnectionError):
            self.note("cut")
            self.close_connection = True
            try:
                self.connection.shutdown(2)
            except OSError:
                pass

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    def put_manifest(self, repo, name, reference, body):
        r = self.server.registry
        digest, document = "sha256:" + hashlib.sha256(body).hexdigest(), json.loads(body)
        there = repo.tags.get(reference, reference)
        tag = f'"{there}"' if there in repo.manifests else None
        if r.etags and (self.headers.get("If-Match", tag) != tag or (self.headers.get("If-None-Match") == "*" and tag)):
            return self.error(412, "PRECONDITION_FAILED", "it is another by now")
        if ":" in reference and reference != digest:
            return self.error(400, "DIGEST_INVALID")
        for d in document.get("layers", []) + ([document["config"]] if "config" in document else []):
            if d["digest"] not in repo.blobs and ".nondistributable." not in d["mediaType"]:
                return self.error(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry")
        for d in document.get("manifests", []):
            if d["digest"] not in repo.manifests:
                return self.error(400, "MANIFEST_UNKNOWN", "manifest unknown")
        if r.immutable and ":" not in reference and repo.tags.get(reference, digest) != digest:
            return self.error(409, "TAG_IMMUTABLE", "the tag exists and may not be changed")
        repo.manifests[digest] = (self.headers.get("Content-Type"), body)
        if ":" not in reference:
            repo.tags[reference] = digest
        more = {"OCI_Subject": document["subject"]["digest"]} if r.referrers and "subject" in document else {}
        return self.answer(201, Location=f"/v2/{name}/manifests/{digest}", Docker_Content_Digest=digest, **more)

    def manifest(self, repo, name, reference, query):
        r = self.server.registry
        if self.command == "PUT":
            body = bytearray()
            self.take(body)
            with r.conditions:
                return self.put_manifest(repo, name, reference, bytes(body))
        digest = repo.tags.get(reference, reference)
        if digest not in repo.manifests:
            return self.error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        if self.command == "DELETE":
            del repo.manifests[digest]
            repo.tags = {k: v for k, v in repo.tags.items() if v != digest}
            return self.answer(202)
        kind, body = repo.manifests[digest]
        return self.answer(200, body, Content_Type=kind, Docker_Content_Digest=digest, **({"ETag": f'"{digest}"'} if r.etags else {}),
                           **({"Content_Length": str(len(body))} if self.command == "HEAD" else {}))

    def blob(self, repo, name, digest, query):
        r = self.server.registry
        if digest not in repo.blobs:
            return self.error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        body = r.blobs[digest]
        size = len(body)
        m = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        more = {"Docker_Content_Digest": digest, "Content_Type": "application/octet-stream"}
        if self.command == "HEAD":
            return self.answer(200, Content_Length=str(size), **more)
        if m and r.ranges:
            a, b = int(m[1]), int(m[2] or size - 1)
            if a >= size:
                return self.answer(416, Content_Range=f"bytes */{size}")
            return self.answer(206, body[a:b + 1], Content_Range=f"bytes {a}-{b}/{size}", **more)
        return self.answer(200, body, **more)

    def upload(self, repo, name, session, query):
        r = self.server.registry
        here = lambda n: f"/v2/{name}/blobs/uploads/{n}?state=a%2Fb"
        if self.command == "POST" and not session:
            self.take(bytearray())
            if "mount" in query and r.mounts:
                digest, source = query["mount"][0], r.repositories.get(query.get("from", [""])[0])
                if source and digest in source.blobs:
                    repo.blobs.add(digest)
                    return self.answer(201, Location=f"/v2/{name}/blobs/{digest}", Docker_Content_Digest=digest)
            session = uuid.uuid4().hex
            r.sessions[session] = bytearray()
            more = {"OCI_Chunk_Min_Length": str(r.chunk_min)} if r.chunk_min else {}
            return self.answer(202, Location=here(session), Range="0-0", Docker_Upload_UUID=session, **more)
        if session not in r.sessions:
            self.take(bytearray())
            return self.error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
        data = r.sessions[session]
        if self.command == "GET":
            return self.answer(204, Location=here(session), Range=f"0-{max(len(data) - 1, 0)}", Docker_Upload_UUID=session)
        if self.command == "DELETE":
            del r.sessions[session]
            return self.answer(204)
        if self.command == "PATCH":
            m = re.fullmatch(r"(\d+)-(\d+)", self.headers.get("Content-Range", ""))
            if m and int(m[1]) != len(data):
                self.take(bytearray())
                return self.error(416, "BLOB_UPLOAD_INVALID", "out of order", Location=here(session), Range=f"0-{max(len(data) - 1, 0)}")
            if m and session in r.short:
                return self.error(416, "SIZE_INVALID", "a chunk before this one was too small")
            before = len(data)
            whole = self.take(data)
            if not whole:
                raise Cut
            if r.body_max and len(data) - before > r.body_max:
                del data[before:]
                return self.answer(413, b"<html>413 Request Entity Too Large</html>")
            if m and len(data) - before < r.chunk_min:
                r.short.add(session)
            return self.answer(202, Location=here(session), Range=f"0-{max(len(data) - 1, 0)}", Docker_Upload_UUID=session)
        if self.command == "PUT":
            body = bytearray()
            if not self.take(body):
                raise Cut
            if r.body_max and len(body) > r.body_max:
                return self.answer(413, b"<html>413 Request Entity Too Large</html>")
            data.extend(body)
            digest = query["digest"][0]
            if digest != "sha256:" + hashlib.sha256(data).hexdigest():
                return self.error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
            r.blobs[digest] = bytes(data)
            repo.blobs.add(digest)
            del r.sessions[session]
            return self.answer(201, Location=f"/v2/{name}/blobs/{digest}", Docker_Content_Digest=digest)
        return self.error(405, "UNSUPPORTED")

    def tags(self, repo, name, _, query):
        tags = sorted(t for t in repo.tags if t > query.get("last", [""])[0])
        n = int(query.get("n", [len(tags)])[0])
        more = {}
        if n < len(tags):
            more["Link"] = f'</v2/{name}/tags/list?n={n}&last={tags[n - 1]}>; rel="next"'
        return self.answer(200, json.dumps({"name": name, "tags": tags[:n]}).encode(), Content_Type="application/json", **more)

    def referrers(self, repo, name, digest, query):
        if not self.server.registry.referrers:
            return self.error(404, "UNSUPPORTED")
        found = []
        for own, (kind, body) in repo.manifests.items():
            document = json.loads(body)
            if document.get("subject", {}).get("digest") == digest:
                found.append({"mediaType": kind, "digest": own, "size": len(body),
                              "artifactType": document.get("artifactType") or document.get("config", {}).get("mediaType"),
                              **({"annotations": document["annotations"]} if "annotations" in document else {})})
        page, at = self.server.registry.page, int(query.get("at", ["0"])[0])
        more = {"Link": f'</v2/{name}/referrers/{digest}?at={at + page}>; rel="next"'} if page and at + page < len(found) else {}
        index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": found[at:at + page] if page else found}
        return self.answer(200, json.dumps(index).encode(), Content_Type=index["mediaType"], **more)


class Repository:
    def __init__(self):
        self.blobs, self.manifests, self.tags = set(), {}, {}


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def process_request(self, *args):
        with self.quiet:
            self.serving += 1
        super().process_request(*args)

    def process_request_thread(self, *args):
        try:
            super().process_request_thread(*args)
        finally:
            with self.quiet:
                self.serving -= 1
                self.quiet.notify_all()

    def handle_error(self, *_):
        pass  # a client that goes away, or speaks TLS to plain http


class Server6(Server):
    address_family = socket.AF_INET6


class Registry:
    def __init__(self, token=None, basic=None, tls=None, address="127.0.0.1", version="HTTP/1.1"):
        self.token, self.basic, self.identity = token, basic, None
        self.scheme = "https" if tls else "http"
        self.lock, self.conditions = threading.Lock(), threading.Lock()
        self.blobs, self.repositories, self.sessions, self.tokens, self.log = {}, {}, {}, {}, []
        self.asked_tokens, self.given, self.faults, self.told = [], [], [], set()
        self.received = self.sent = 0
        self.short = set()  # sessions whose last chunk may be smaller than chunk_min, and was
        # What kinds of registries differ in.
        self.realm, self.expires_in, self.uses_left, self.anonymous_pull = None, 300, None, False
        self.mounts, self.ranges, self.referrers, self.immutable = True, True, True, False
        self.etags = False  # of manifests, with If-Match and If-None-Match
        self.page = 0  # referrers in an answer; 0: all
        self.chunk_min, self.body_max, self.known_repositories = 0, 0, None
        self.server = (Server6 if ":" in address else Server)((address, 0), type("Handler", (Handler,), {"protocol_version": version}))
        self.server.registry, self.server.quiet, self.server.serving = self, threading.Condition(), 0
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.host = f"[{address}]:{self.port}" if ":" in address else f"{address}:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def repository(self, name):
        with self.lock:
            return self.repositories.setdefault(name, Repository())

    def since(self):
        """Forget what was counted; the log up to now."""
        with self.lock:
            log, self.log, self.received, self.sent = self.log, [], 0, 0
        return log

    def settle(self):
        """Until all is done that clients asked for who are gone: connections are taken in their order."""
        with socket.create_connection(("127.0.0.1", self.port)) as own:
            own.sendall(b"HEAD /v2/ HTTP/1.0\r\n\r\n")
            own.recv(1)
        with self.server.quiet:
            self.server.quiet.wait_for(lambda: not self.server.serving)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def main():
    words, how = [w for w in sys.argv[1:] if w != "."], {}  # unit tests name a folder
    while words:
        word = words.pop(0)
        how[word[2:]] = (words.pop(0), words.pop(0)) if word == "--tls" else words.pop(0)
    with Registry(**how) as r:
        print(r.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
