#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fetch apt archives through the web client: a small one on loopback, signed with a throw-away key,
that also misbehaves; then, with --live, Debian's own.

usage: apt-archive-fetches.py [TOOL] [--live]      TOOL is the built tests/tools/apt_archive
"""
import hashlib
import http.server
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

LIVE = [("https://deb.debian.org/debian", "bookworm,bookworm-updates", "main"),
        ("https://deb.debian.org/debian-security", "bookworm-security", "main")]
DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
PACKAGES = b"""Package: a
Version: 1
Architecture: amd64

Package: b
Version: 2
Architecture: all
"""


class Archive:
    """A tree under root/dists/test, rebuilt for each case."""

    def __init__(self, root):
        self.root, self.home = os.path.join(root, "www"), os.path.join(root, "gpg")
        os.makedirs(self.home, mode=0o700)
        self.gpg("--quick-gen-key", "test", "rsa2048", "sign", "never")
        self.keyring = os.path.join(root, "keyring.gpg")
        with open(self.keyring, "wb") as f:
            f.write(self.gpg("--export", "test"))
        self.fingerprint = next(line.split(":")[9] for line in self.gpg("--with-colons", "-k", "test").decode().splitlines()
                                if line.startswith("fpr"))

    def gpg(self, *args, **more):
        return subprocess.run(["gpg", "-q", "--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", "", *args],
                              env=dict(os.environ, GNUPGHOME=self.home), check=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, **more).stdout

    def put(self, path, data):
        path = os.path.join(self.root, "dists/test", path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)

    def build(self, by_hash=True, store_by_hash=True, plain=True, wrong=False, codename="test", plain_size=None):
        shutil.rmtree(self.root, ignore_errors=True)
        packed = lzma.compress(PACKAGES)
        digest = hashlib.sha256(packed).hexdigest()
        served = packed[:-1] + b"!" if wrong else packed
        if plain:
            self.put("main/binary-amd64/Packages.xz", served)
        if store_by_hash:
            self.put(f"main/binary-amd64/by-hash/SHA256/{digest}", served)
        date = time.strftime("%a, %d %b %Y %H:%M:%S UTC", time.gmtime(time.time() - 60))
        size = len(PACKAGES) if plain_size is None else plain_size
        text = (f"Suite: {codename}\nCodename: {codename}\nDate: {date}\nSHA256:\n"
                f" {hashlib.sha256(PACKAGES).hexdigest()} {size} main/binary-amd64/Packages\n"
                f" {digest} {len(packed)} main/binary-amd64/Packages.xz\n"
                + ("Acquire-By-Hash: yes\n" if by_hash else ""))
        self.put("InRelease", self.gpg("-u", "test", "--clearsign", input=text.encode()))


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def main():
    live = "--live" in sys.argv
    args = [a for a in sys.argv[1:] if a != "--live"]
    tool = os.path.abspath(args[0] if args else os.path.join(os.environ.get("TOOLS", "build/obj-cc/tools"), "apt_archive"))
    for needed in (tool, "gpg", "gpgv"):
        if not shutil.which(needed):
            print(f"skipped: no {needed}")
            return 0
    bad = 0

    def check(title, result, code, words):
        nonlocal bad
        ok = result.returncode == code and words in result.stdout + result.stderr
        bad += not ok
        print(f"{'ok  ' if ok else 'FAIL'} {title}", flush=True)
        if not ok:
            print(f"     expected {code} {words!r}\n     got {result.returncode} {result.stdout}{result.stderr}")

    with tempfile.TemporaryDirectory() as root:
        archive = Archive(root)
        archive.build()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: Handler(*a, directory=archive.root))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        uri = f"http://127.0.0.1:{server.server_port}/"

        def run(store, *first, keyring=archive.keyring, keys=archive.fingerprint, arch="amd64", now=None,
                sources=((uri, "test", "main"),)):
            now = int(time.time()) if now is None else now
            return subprocess.run([tool, *first, os.path.join(root, store), keyring, keys, arch, str(now),
                                   *[x for s in sources for x in s]], capture_output=True, text=True, timeout=300)

        check("an archive is read by hash", run("s1"), 0, "2 packages")
        check("and offline again", run("s1", "--offline"), 0, "2 packages")
        check("offline without a store", run("s2", "--offline"), 5, "")
        archive.build(plain=False)
        check("by-hash alone is enough", run("s3"), 0, "2 packages")
        archive.build(by_hash=False, store_by_hash=False)
        check("without by-hash the name is used", run("s4"), 0, "2 packages")
        archive.build(store_by_hash=False)
        check("a broken promise of by-hash falls back to the name", run("s5"), 0, "2 packages")
        archive.build(wrong=True)
        check("other bytes than InRelease says are refused", run("s6"), 6, "")
        archive.build(plain=False, store_by_hash=False)
        check("an index that is nowhere is an error", run("s7"), 5, "")
        archive.build(plain_size=10)
        check("more plain bytes than InRelease says are refused", run("s8"), 3, "10")
        archive.build(codename="other")
        check("another suite than asked for is refused", run("s9"), 6, 'asked for suite "test"')
        archive.build()
        check("another key is refused", run("s10", keys="0" * 40), 6, "not among the fingerprints")
        check("a Date in the future is refused", run("s11", now=int(time.time()) - 86400), 6, "in the future")
        check("an unknown suite is told", run("s12", sources=((uri, "gone", "main"),)), 3, 'no suite "gone"')
        check("an unknown component is told", run("s13", sources=((uri, "test", "extra"),)), 3, "no such component")
        check("an unknown architecture is told", run("s14", arch="m68k"), 3, "no such component or architecture")
        server.shutdown()
        if live:
            shown = subprocess.run(["gpg", "--show-keys", "--with-colons", DEBIAN_KEYRING], capture_output=True, text=True)
            prints, primary = [], False
            for row in (line.split(":") for line in shown.stdout.splitlines()):
                if primary and row[0] == "fpr":
                    prints.append(row[9])
                primary = row[0] == "pub" or (primary and row[0] != "fpr")
            begin = time.time()
            check("Debian's archive", run("live", keyring=DEBIAN_KEYRING, keys=",".join(prints), sources=LIVE), 0, "bookworm-security")
            print(f"     {time.time() - begin:.2f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
