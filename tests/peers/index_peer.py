#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A loopback package index with a few small wheels.

    index_peer.py [FOLDER]    prints "PORT PORT" and serves until its standard input ends

    /simple/NAME/    plain (JSON), html (PEP 503), announced (PEP 658), vain (announced, 404), big (its
                     directory is long, its METADATA far from the end), bare (no hash), liar (METADATA of
                     another project), norange (the server ignores ranges), v9 (an API to come)
                     sdists: still, moving, zipped, knot, broken, tabled, old, vague, greedy; tool builds most
    /other/NAME/     a second index: plain in version 9, and second
    /files/...       the wheels, by ranges
    /log             the paths asked for so far, one a line
"""
import hashlib, html, io, json, sys, tarfile, threading, zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOG, LOCK = [], threading.Lock()


def metadata(name, version, *requires):
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + "".join(
        f"Requires-Dist: {r}\n" for r in requires) + "\nA description.\n"


def wheel(name, version, *requires, says=None, filler=0):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr(f"{name}-{version}.dist-info/METADATA", metadata(says or name, version, *requires))
        for i in range(filler):
            z.writestr(f"{name}/a_rather_long_name_of_a_module_that_fills_the_directory_{i}.py", "")
    return out.getvalue()


def sdist(name, version, pkg_info, pyproject='[build-system]\nrequires = ["tool"]\n'):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as t:
        for path, text in (("setup.py", "raise SystemExit('not here')\n"), ("PKG-INFO", pkg_info), (f"{name}.egg-info/PKG-INFO", "x"),
                           ("pyproject.toml", pyproject)):
            if not text:
                continue
            member = tarfile.TarInfo(f"{name}-{version}/{path}")
            member.size = len(text)
            t.addfile(member, io.BytesIO(text.encode()))
    return out.getvalue()


def zipped(name, version, pkg_info):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr(f"{name}-{version}/setup.py", "")
        z.writestr(f"{name}-{version}/PKG-INFO", pkg_info)
        z.writestr(f"{name}-{version}/pyproject.toml", '[build-system]\nrequires = ["tool<2"]\n')
    return out.getvalue()


FILES = {f"{n}-{v}-py3-none-any.whl": wheel(n, v, *r, **k) for n, v, r, k in [
    ("plain", "1.0", [], {}), ("plain", "2.0", ["html>=1", "second"], {}), ("plain", "9.0", [], {}),
    ("html", "1.0", ["announced"], {}), ("announced", "1.0", ["vain"], {}), ("vain", "1.0", ["big"], {}),
    ("big", "1.0", [], {"filler": 900}), ("bare", "1.0", [], {}), ("liar", "1.0", [], {"says": "other"}),
    ("norange", "1.0", [], {"filler": 900}), ("second", "1.0", [], {}),
    ("moving", "1.0", [], {}), ("tool", "1.0", [], {}), ("tool", "2.0", [], {}), ("pip", "25.0", [], {}),
    ("setuptools", "80.0", [], {}), ("torch", "2.6.0", ["bare", "tool[x]"], {}), ("torch", "9.0", [], {})]}
STATIC = metadata("still", "1.0", "plain<2").replace("2.1", "2.4", 1)
FILES |= {
    "still-1.0.tar.gz": sdist("still", "1.0", STATIC, '[build-system]\nrequires = ["tool<2"]\n'),
    "moving-2.0.tar.gz": sdist("moving", "2.0", metadata("moving", "2.0", "nothing").replace("2.1", "2.2", 1).replace("\n\n", "\nDynamic: Requires-Dist\n\n", 1)),
    "zipped-1.0.zip": zipped("zipped", "1.0", STATIC.replace("still", "zipped")),
    "knot-1.0.tar.gz": sdist("knot", "1.0", "", '[build-system]\nrequires = ["knot"]\n'),
    "cuda-1.0.tar.gz": sdist("cuda", "1.0", STATIC.replace("still", "cuda"), '[build-system]\nrequires = ["torch", "setuptools"]\n'),
    "greedy-1.0.tar.gz": sdist("greedy", "1.0", "", '[build-system]\nrequires = ["tool>3"]\n'),
    "old-1.0.tar.gz": sdist("old", "1.0", "", ""),
    "vague-1.0.tar.gz": sdist("vague", "1.0", "", '[project]\ndescription = "no name"\n[build-system]\nrequires = ["vain"]\n'),
    "tabled-1.0.tar.gz": sdist("tabled", "1.0", metadata("tabled", "1.0", "nothing"), """
[project]
name = "Tabled"
dynamic = ["version"]
dependencies = ["bare", "nothing; python_version < '3'"]
optional-dependencies = {More = ["big; python_version > '3'"]}
[build-system]
requires = ["tool<2"]
"""),
    "tabled-2.0.tar.gz": sdist("tabled", "2.0", "", """
[project]
name = "tabled"
version = "2.0"
dynamic = ["dependencies"]
[build-system]
requires = ["tool"]
"""),
    "broken-2.0.tar.gz": b"no tar",
    "broken-1.0.tar.gz": sdist("broken", "1.0", STATIC.replace("still", "broken")),
}
for name in ("announced", "vain"):
    FILES[f"{name}-1.0-py3-none-any.whl.metadata"] = metadata(
        name, "1.0", "vain" if name == "announced" else "big").encode()
SIMPLE = {n: [f for f in FILES if f.startswith(n + "-") and f.endswith((".whl", ".gz", ".zip")) and "-9.0-" not in f]
          for n in "plain html announced vain big bare liar norange still moving zipped knot broken tabled old vague greedy setuptools tool pip torch cuda".split()}
OTHER = {"plain": ["plain-9.0-py3-none-any.whl"], "second": ["second-1.0-py3-none-any.whl"]}


def entry(file):
    digest = hashlib.sha256(FILES[file]).hexdigest()
    e = {"filename": file, "url": "../../files/" + file, "hashes": {"sha256": digest}, "size": len(FILES[file]),
         "requires-python": ">=3.8", "yanked": False}
    if file.startswith(("announced", "vain")):
        e["core-metadata"] = {"sha256": hashlib.sha256(FILES[file + ".metadata"]).hexdigest()}
    if file.startswith("bare"):
        e["hashes"] = {}
    return e


def page(files, as_html):
    entries = [entry(f) for f in files]
    if not as_html:
        return json.dumps({"meta": {"api-version": "1.1"}, "files": entries}).encode()
    return ("<!DOCTYPE html><title>x</title>" + "".join(
        f'<a href="{e["url"]}#sha256={e["hashes"]["sha256"]}" data-requires-python="{html.escape(e["requires-python"])}">'
        f'{e["filename"]}</a><br>' for e in entries)).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body, kind, **head):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for k, v in head.items():
            self.send_header(k.replace("_", "-"), v)
        self.end_headers()
        self.wfile.write(body)

    def file(self, name):
        body, range_ = FILES[name], self.headers.get("Range")
        if not range_ or name.startswith("norange"):
            return self.answer(200, body, "application/octet-stream")
        first, last = range_.removeprefix("bytes=").split("-")
        at = int(first) if first else max(0, len(body) - int(last))
        end = int(last) + 1 if first and last else len(body)
        part = body[at:end]
        self.answer(206, part, "application/octet-stream",
                    Content_Range=f"bytes {at}-{at + len(part) - 1}/{len(body)}")

    def do_GET(self):
        parts = self.path.strip("/").split("/")
        with LOCK:
            log = "\n".join(LOG)
            LOG.append(self.path)
        if self.path == "/log":
            return self.answer(200, log.encode(), "text/plain")
        pages = {"simple": SIMPLE, "other": OTHER}.get(parts[0])
        if pages is not None and parts[1] in pages:
            as_html = parts[1] == "html"
            kind = "text/html" if as_html else "application/vnd.pypi.simple.v1+json"
            return self.answer(200, page(pages[parts[1]], as_html), kind)
        if parts[:2] == ["simple", "v9"]:
            return self.answer(200, b"{}", "application/vnd.pypi.simple.v9+json")
        if parts[0] == "files" and parts[1] in FILES and not self.path.endswith("vain-1.0-py3-none-any.whl.metadata"):
            return self.file(parts[1])
        self.answer(404, b"", "text/plain")


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args):
        pass  # a client that hangs up is nothing to tell of


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], server.server_address[1], flush=True)
sys.stdin.read()
