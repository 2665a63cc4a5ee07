#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Git repositories on loopback: git's own smart HTTP (git http-backend as CGI) and its daemon.

    git_peer.py FOLDER [serve]    makes FOLDER/repos, with "serve" takes what is there; prints "PORT PORT" (HTTP, daemon) and
                                  serves until its standard input ends

    demo       main and dev, tags v1.0 (an object of its own), v0.9 and nightly; submodule vendor/sub at ../sub, at a commit
               that no branch of it names; a program, a link, and text that says it wants other line ends
    twin       demo's files alone, without tags
    told       a project in "py", whose pyproject.toml says all; a PKG-INFO that says otherwise
    ext, file, dash, command
               submodules that would run a program or read this machine
    out        a link that leads out
    dotgit     files below ".git"; git itself would not make it
    /move/dev  a new commit on demo's branch dev; answers its name
    /log       the paths asked for so far, one a line
"""
import os, shutil, subprocess, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer

FOLDER = os.path.abspath(sys.argv[1])
REPOS = FOLDER + "/repos"
ENV = {"PATH": os.environ["PATH"], "HOME": FOLDER, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C",
       **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
          for what, value in (("NAME", "A"), ("EMAIL", "a@b.test"), ("DATE", "1700000000 +0000"))}}
LOG = []


def git(repo, *args, text=None, **more):
    return subprocess.run(["git", "-C", f"{REPOS}/{repo}", "-c", "core.hooksPath=/dev/null", *args], env={**ENV, **more}, check=True,
                          input=text, stdout=subprocess.PIPE, text=True).stdout.strip()


def make(repo, files, message="first"):
    """A commit with these files: path -> text, or (mode, text)."""
    os.makedirs(f"{REPOS}/{repo}", exist_ok=True)
    if not os.path.exists(f"{REPOS}/{repo}/.git"):
        git(repo, "init", "-q", "-b", "main")
        git(repo, "config", "uploadpack.allowAnySHA1InWant", "false")
    for path, text in files.items():
        mode, text = text if isinstance(text, tuple) else ("100644", text)
        if mode == "160000":
            oid = text
        else:
            oid = git(repo, "hash-object", "-w", "--stdin", text=text)
        git(repo, "update-index", "--add", "--cacheinfo", f"{mode},{oid},{path}")
    git(repo, "commit", "-q", "-m", message)
    return git(repo, "rev-parse", "HEAD")


def module(path, url, *more):
    return f'[submodule "m"]\n\tpath = {path}\n\turl = {url}\n' + "".join(f"\t{line}\n" for line in more)


def make_all():
    shutil.rmtree(REPOS, ignore_errors=True)
    old = make("sub", {"sub.h": "int sub;\n"})
    make("sub", {"sub.h": "int other;\n"}, "second")
    project = {"pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
               "backend.py": "raise SystemExit('not here')\n", "demo/__init__.py": "",
               "run.sh": ("100755", "#!/bin/sh\n"), "link": ("120000", "demo/__init__.py"),
               ".gitattributes": "*.bat text eol=crlf\n* filter=evil\n", "win.bat": "one\ntwo\n"}
    make("demo", {**project, ".gitmodules": module("vendor/sub", "../sub"), "vendor/sub": ("160000", old)})
    git("demo", "tag", "v0.9")
    git("demo", "tag", "-a", "-m", "one", "v1.0")
    git("demo", "tag", "nightly")
    make("demo", {"more.txt": "more\n"}, "second")
    git("demo", "branch", "dev")
    make("twin", project)
    make("told", {"py/pyproject.toml": '[build-system]\nrequires = ["tool<2"]\n[project]\nname = "told"\nversion = "3.0"\n'
                                       'dependencies = ["bare"]\n[project.optional-dependencies]\nmore = ["big"]\n',
                  "py/PKG-INFO": "Metadata-Version: 2.2\nName: told\nVersion: 9.0\n", "pyproject.toml": "none"})
    some = ("160000", old)
    make("ext", {".gitmodules": module("m", f"ext::touch {FOLDER}/pwned"), "m": some})
    make("file", {".gitmodules": module("m", f"file://{REPOS}/sub"), "m": some})
    make("dash", {".gitmodules": module("m", f"--upload-pack=touch {FOLDER}/pwned"), "m": some})
    make("command", {".gitmodules": module("m", "../sub", f"update = !touch {FOLDER}/pwned"), "m": some, "x": "x\n"})
    make("out", {"out": ("120000", FOLDER), "up": ("120000", "../../../.."), "x": "x\n"})
    make("dotgit", {"x": "x\n"})
    blob = git("dotgit", "hash-object", "-w", "--stdin", text="[core]\n\tfsmonitor = false\n")
    inner = git("dotgit", "mktree", text=f"100644 blob {blob}\tconfig\n")
    tree = git("dotgit", "mktree", text=f"040000 tree {inner}\t.git\n100644 blob {blob}\tx\n")
    git("dotgit", "update-ref", "refs/heads/main", git("dotgit", "commit-tree", "-m", "bad", tree))
    for hook in ("post-checkout", "post-merge", "pre-auto-gc", "reference-transaction"):
        with open(f"{REPOS}/demo/.git/hooks/{hook}", "w", encoding="utf-8") as f:
            f.write(f"#!/bin/sh\ntouch {FOLDER}/pwned\n")
        os.chmod(f"{REPOS}/demo/.git/hooks/{hook}", 0o755)


class Http(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, *_):
        pass

    def answer(self, text):
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        out = b""
        while size := int(self.rfile.readline(), 16):
            out += self.rfile.read(size)
            self.rfile.readline()
        return out

    def do_GET(self):
        if self.path == "/log":
            return self.answer("".join(path + "\n" for path in LOG))
        if self.path.startswith("/move/"):
            return self.answer(make_more(self.path[len("/move/"):]))
        LOG.append(self.path)
        path, _, query = self.path.partition("?")
        body = self.body()
        env = {**ENV, "GIT_PROJECT_ROOT": REPOS, "GIT_HTTP_EXPORT_ALL": "1", "REQUEST_METHOD": self.command, "PATH_INFO": path,
               "QUERY_STRING": query, "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
               "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
               "REMOTE_ADDR": "127.0.0.1"}
        out = subprocess.run(["git", "http-backend"], env=env, input=body, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        head, _, rest = out.partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode().split("\r\n") if line]
        status = next((value for name, value in lines if name == "Status"), "200 OK")
        self.send_response(int(status.split()[0]))
        for name, value in lines:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest)

    do_POST = do_GET


def make_more(branch):
    git("demo", "symbolic-ref", "HEAD", "refs/heads/" + branch)
    git("demo", "read-tree", "HEAD")
    return make("demo", {"moved.txt": "moved\n"}, "moved")


class Daemon(StreamRequestHandler):
    def handle(self):
        subprocess.run(["git", "daemon", "--inetd", "--export-all", f"--base-path={REPOS}"], env=ENV, stdin=self.request,
                       stdout=self.request, stderr=subprocess.DEVNULL)


def main():
    if sys.argv[2:] != ["serve"]:
        make_all()
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Http), ThreadingTCPServer(("127.0.0.1", 0), Daemon)]
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(*(server.server_address[1] for server in servers), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
