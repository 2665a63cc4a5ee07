#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A loopback world to build images from: a signed apt archive and a simple index, both tiny.

    world.py FOLDER    writes FOLDER/base.yaml and FOLDER/base.gpg, prints the port, serves until stdin ends

    /debian/...        the archive: suites "tiny" and "tiny-security", components "main" and "contrib", Packages.xz by hash
    /extra/...         an archive with a key of its own, FOLDER/extra.asc: suite "stable", component "main"
    /flat/...          a flat one, signed by the key in FOLDER/flat.gpg
    /unsigned/...      suite "stable" again, signed by nobody
    /simple/NAME/      the index (JSON, PEP 691), /files/... its wheels, by ranges
    /html/NAME/        the same as HTML (PEP 503), with hashes, without PEP 658 and sizes
    /bare/NAME/        the same as HTML without hashes, from a server that knows no ranges
    /private/NAME/     for "me" with "secret" or the token "t0ken" only: secretlib, and numpy in version 9.9
    /public/NAME/      what anybody may upload: secretlib in version 99
    /whl/, /evil/, /recorded/   PyTorch's own index: torch_index.py
    /lying/filelock/   announces other METADATA of the wheel that /simple/ has
    /moved/NAME/       leads to /simple/NAME/ of the same machine by another name
    /log               the paths asked for so far, one a line; "!" behind those that came with a credential

FOLDER/later, if it is there, makes the archive and the index those of a later day: LATER.
FOLDER/mischief, if it is there, holds lines "KIND N TEXT": a request for a file whose path has TEXT in it
misbehaves, N times (or "always"): cut (the line closes half way), stall (half the body, then nothing),
hold (half the body, the rest when GATE is released once), wrong (every byte inverted), 503, norange,
slow (16 KiB each 20 ms), gone (404).
"""
import base64, gzip, hashlib, io, json, lzma, os, random, re, shutil, subprocess, sys, tarfile, tempfile
import threading, time, zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import torch_index

DATE = 1700000000  # of every file of every package
GOOD = 'pytorch: "2.6.0"\ncuda: "12.4"\ncudnn: "9"\nvariant: runtime\nbase: ./base.yaml\n'  # a recipe
LOCK, LOG, USED = threading.Lock(), [], {}
ASKED = threading.Condition(LOCK)  # told of each request
GATE = threading.Semaphore(0)  # what is on hold goes on, one each

# ---- debs ----


def tar_of(files):
    out = io.BytesIO()
    dirs = {"."}
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        def add(path, kind, body=b"", mode=0o755, link=""):
            t = tarfile.TarInfo(path)
            t.type, t.size, t.mode, t.mtime, t.linkname = kind, len(body), mode, DATE, link
            t.uname = t.gname = "root"
            tar.addfile(t, io.BytesIO(body))
        add("./", tarfile.DIRTYPE)
        for path, body in sorted(files.items()):
            parts = path.split("/")
            for i in range(1, len(parts)):
                parent = "/".join(parts[:i])
                if parent not in dirs:
                    dirs.add(parent)
                    add("./" + parent + "/", tarfile.DIRTYPE)
            if isinstance(body, tuple):
                add("./" + path, tarfile.SYMTYPE, link=body[0], mode=0o777)
            else:
                add("./" + path, tarfile.REGTYPE, body, 0o755 if "bin/" in path or "inst" in path else 0o644)
    return out.getvalue()


def ar_of(members):
    out = b"!<arch>\n"
    for name, body in members:
        out += f"{name:<16}{DATE:<12}{0:<6}{0:<6}{100644:<8}{len(body):<10}`\n".encode() + body
        out += b"\n" * (len(body) % 2)
    return out


def deb(name, version, fields, files, scripts):
    control = {"Package": name, "Version": version, "Architecture": "amd64", "Maintainer": "Nobody <n@example.org>",
               "Installed-Size": "1", "Priority": "optional", "Section": "misc", **fields,
               "Description": f"tiny {name}\n of the tests"}
    text = "".join(f"{k}: {v}\n" for k, v in control.items())
    body = ar_of([("debian-binary", b"2.0\n"),
                  ("control.tar.xz", lzma.compress(tar_of({"control": text.encode(), **scripts}))),
                  ("data.tar.xz", lzma.compress(tar_of(files)))])
    path = f"pool/{name}_{version}_amd64.deb"
    listed = (f"Filename: {path}\nSize: {len(body)}\nSHA256: {hashlib.sha256(body).hexdigest()}\n"
              f"MD5sum: {hashlib.md5(body).hexdigest()}\n")
    return path, body, text.rstrip("\n").replace("\nDescription", "\n" + listed + "Description", 1) + "\n\n"


VENV = "usr/lib/python3.11/venv/scripts/"
MASTER = {"usr/share/base-passwd/passwd.master": b"root:*:0:0:root:/root:/bin/bash\n_apt:*:42:65534::/:/bin/false\n",
          "usr/share/base-passwd/group.master": b"root:*:0:\nmail:*:8:\nshadow:*:42:\nutmp:*:43:\nstaff:*:50:\n"}
PING = b"""#!/bin/sh
set -e
PROGRAM=$(dpkg-divert --truename /bin/ping)
if [ "$1" = configure ]; then
    if setcap cap_net_raw+ep $PROGRAM; then
        chmod u-s $PROGRAM
    fi
fi
"""
ESSENTIAL = {"Essential": "yes", "Priority": "required"}
DEBS = [  # name, version, fields, files, maintainer scripts
    ("base-files", "12.4", ESSENTIAL, {"etc/debian_version": b"12.4\n", "usr/share/base-files/profile": b"# profile\n",
                                       "tmp/.keep": b""}, {}),
    ("base-passwd", "3.6.1", ESSENTIAL, MASTER, {}),
    ("libc6", "2.36-9", {"Multi-Arch": "same"}, {"lib/x86_64-linux-gnu/libc.so.6": b"\x7fELF tiny libc",
                                                 "lib64/ld-linux-x86-64.so.2": ("/lib/x86_64-linux-gnu/libc.so.6",)}, {}),
    ("dash", "0.5.12-2", {**ESSENTIAL, "Depends": "libc6 (>= 2.36)", "Provides": "posix-shell"},
     {"bin/dash": b"#!tiny\n", "bin/sh": ("dash",)}, {}),
    ("dpkg", "1.21.22", {**ESSENTIAL, "Depends": "libc6"}, {"usr/bin/dpkg": b"dpkg\n", "etc/dpkg/dpkg.cfg": b"no-debsig\n"},
     {"conffiles": b"/etc/dpkg/dpkg.cfg\n"}),
    ("apt", "2.6.1", {"Depends": "libc6, posix-shell"}, {"usr/bin/apt": b"apt\n"}, {}),
    ("libpython3.11", "3.11.2-6", {"Depends": "libc6"}, {"usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0": b"lib"}, {}),
    ("python3.11", "3.11.2-6", {"Depends": "libpython3.11 (= 3.11.2-6)"},
     {"usr/bin/python3.11": b"python\n", VENV + "common/Activate.ps1": b"ps __VENV_DIR__\n",
      VENV + "common/activate": b"VIRTUAL_ENV='__VENV_DIR__'\n", VENV + "posix/activate.csh": b"csh __VENV_DIR__\n",
      VENV + "posix/activate.fish": b"fish __VENV_DIR__\n"}, {}),
    ("python3", "3.11.2-1", {"Depends": "python3.11"}, {"usr/bin/python3": ("python3.11",)}, {}),
    ("gcc", "12.2.0", {"Depends": "libc6"}, {"usr/bin/gcc": b"gcc\n"}, {}),
    ("gcc-11", "11.4.0", {"Depends": "libc6"}, {"usr/bin/gcc-11": b"gcc 11\n"}, {}),
    ("make", "4.3-4.1", {"Depends": "libc6"}, {"usr/bin/make": b"make\n"}, {}),
    ("git", "1:2.39.2", {"Depends": "libc6"}, {"usr/bin/git": b"git\n"}, {}),
    ("passwd", "1:4.13", {"Depends": "libc6"}, {"usr/bin/passwd": b"passwd\n"}, {}),
    ("tini", "0.19.0-1", {"Depends": "libc6"}, {"usr/bin/tini": b"tini\n"}, {}),
    ("openssh-server", "1:9.2p1-2", {"Depends": "libc6"}, {"usr/sbin/sshd": b"sshd\n", "usr/share/openssh/sshd_config": b"UsePAM yes\n"}, {}),
    ("oddity", "1.0", {}, {"usr/share/oddity": b"odd\n"}, {"postinst": b"#!/bin/sh\nfrobnicate /etc\n"}),
    ("locales", "2.36-9", {}, {"usr/share/i18n/SUPPORTED": b"de_DE.UTF-8 UTF-8\nen_US.UTF-8 UTF-8\n"}, {}),
    ("locales-all", "2.36-9", {}, {
        "usr/lib/locale/de_DE.utf8/LC_TIME": b"Montag\n", "usr/lib/locale/de_DE.utf8/LC_CTYPE": b"types\n",
        "usr/lib/locale/en_US.utf8/LC_TIME": b"Monday\n", "usr/lib/locale/en_US.utf8/LC_CTYPE": ("../de_DE.utf8/LC_CTYPE",)}, {}),
    ("libcap2-bin", "2.66", {}, {"usr/sbin/setcap": b"setcap\n"}, {}),
    ("iputils-ping", "20221126-1", {"Depends": "libcap2-bin"}, {"bin/ping": b"ping\n"}, {"postinst": PING}),
    ("broken", "1.0", {"Depends": "nowhere-to-be-found"}, {"usr/share/broken": b"x"}, {}),
]

# The component "contrib": a toolkit of the distribution's own, as Debian's depends on the driver's packages. A wheel of
# the index has the library of libcudart12, and one another version of libnccl2's.
TOOLKIT = "12.4.131~12.4.1-2"
LIB = "usr/lib/x86_64-linux-gnu/"
OF_TOOLKIT = {"Source": "nvidia-cuda-toolkit"}
CONTRIB = [
    ("nvidia-cuda-toolkit", TOOLKIT, {"Depends": f"nvidia-cuda-dev (= {TOOLKIT}), libc6"},
     {"usr/bin/nvcc": b"#!/bin/sh\necho tiny nvcc\n", "usr/bin/ptxas": b"ptxas\n",
      "usr/lib/nvidia-cuda-toolkit/bin/cicc": b"cicc\n", "usr/lib/nvidia-cuda-toolkit/libdevice/libdevice.10.bc": b"BC\n"}, {}),
    ("nvidia-cuda-dev", TOOLKIT, {**OF_TOOLKIT, "Depends": "libcuda1 (>= 550), libcudart12 (= 12.4.127~12.4.1-2), libcublas12, libnccl2"},
     {"usr/include/cuda.h": b"/* tiny */\n", "usr/include/crt/host_config.h": b"/* tiny */\n",
      LIB + "libcudart.so": ("libcudart.so.12",), LIB + "libcudart_static.a": b"!<arch>\n", LIB + "stubs/libcuda.so": b"stub\n"}, {}),
    ("libcudart12", "12.4.127~12.4.1-2", {**OF_TOOLKIT, "Depends": "libc6"},
     {LIB + "libcudart.so.12": ("libcudart.so.12.4.127",), LIB + "libcudart.so.12.4.127": b"\x7fELF cudart of the distribution"}, {}),
    ("libcublas12", "12.4.127~12.4.1-2", {**OF_TOOLKIT, "Depends": "libc6"}, {LIB + "libcublas.so.12": b"\x7fELF cublas of the distribution"}, {}),
    ("libnccl2", "2.20.5~12.4.1-1", {"Source": "nccl", "Depends": "libc6"}, {LIB + "libnccl.so.2": b"\x7fELF nccl of the distribution"}, {}),
    ("libcuda1", "550.163.01-2", {"Source": "nvidia-graphics-drivers"}, {LIB + "libcuda.so.1": b"\x7fELF the driver's"}, {}),
]

# Another distribution: merged from the start, with a Python that works the newer way.
OTHER_DEBS = [d for d in DEBS if d[0] not in ("base-files", "python3.11", "libc6", "git")] + [
    ("base-files", "13.8", ESSENTIAL, {"etc/debian_version": b"13.8\n", "bin": ("usr/bin",), "lib": ("usr/lib",),
                                       "lib64": ("usr/lib64",), "sbin": ("usr/sbin",)}, {}),
    ("libc6", "2.41-12", {"Multi-Arch": "same"}, {"usr/lib/x86_64-linux-gnu/libc.so.6": b"\x7fELF newer libc"}, {}),
    ("python3.11", "3.11.9-1", {"Depends": "libpython3.11"},
     {"usr/bin/python3.11": b"newer python\n", VENV + "common/Activate.ps1": b"ps __VENV_DIR__\n",
      VENV + "common/activate": b"VIRTUAL_ENV=__VENV_DIR__ (__VENV_PROMPT__)\n", VENV + "posix/activate.csh": b"csh\n",
      VENV + "common/activate.fish": b"fish __VENV_DIR__\n",
      "usr/lib/python3.11/venv/__init__.py": b"def create_git_ignore_file(self, context):\n    pass\n"}, {}),
]
EXTRA_DEBS = [  # git is newer than the base's, less is nowhere else
    ("git", "1:2.50.0", {"Depends": "libc6, less"}, {"usr/bin/git": b"git, newer\n"}, {}),
    ("less", "590-2", {"Depends": "libc6"}, {"usr/bin/less": b"less\n"}, {}),
]
FLAT_DEBS = [("git", "1:2.10.0", {"Depends": "libc6"}, {"usr/bin/git": b"git, older\n"}, {}),
             ("tool", "1.0", {"Depends": "less | libc6 (>= 2)"}, {"usr/bin/tool": b"tool\n"}, {})]

LATER_DEBS = {  # of the later day: the release pocket has another git, security another libc6
    "tiny": [d for d in DEBS if d[0] != "git"] + [("git", "1:2.40.0", {"Depends": "libc6"}, {"usr/bin/git": b"git\n"}, {})],
    "tiny-security": [("libc6", "2.36-9+deb12u1", {"Multi-Arch": "same"}, {
        "lib/x86_64-linux-gnu/libc.so.6": b"\x7fELF tiny libc, mended", "lib64/ld-linux-x86-64.so.2": ("/lib/x86_64-linux-gnu/libc.so.6",)}, {})],
}

# ---- wheels ----


def noise(n, seed):
    return random.Random(seed).randbytes(n)


def wheel(name, version, tag, requires, files):
    under = name.replace("-", "_")
    info = f"{under}-{version}.dist-info/"
    meta = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + "".join(f"Requires-Dist: {r}\n" for r in requires)
    meta += "".join(f"Provides-Extra: {x}\n" for r in requires for x in re.findall("extra == '(.*?)'", r))
    all_files = {**files, info + "METADATA": meta.encode(),
                 info + "WHEEL": f"Wheel-Version: 1.0\nGenerator: tiny\nRoot-Is-Purelib: {str(tag.endswith('any')).lower()}\nTag: {tag}\n".encode()}
    record = "".join("%s,sha256=%s,%d\n" % (p, base64.urlsafe_b64encode(hashlib.sha256(b).digest()).rstrip(b"=").decode(), len(b))
                     for p, b in all_files.items()) + info + "RECORD,,\n"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:
        for path, body in {**all_files, info + "RECORD": record.encode()}.items():
            at = zipfile.ZipInfo(path, (2023, 11, 14, 0, 0, 0))
            at.external_attr, at.compress_type = 0o100644 << 16, zipfile.ZIP_DEFLATED
            z.writestr(at, body)
    return f"{under}-{version}-{tag}.whl", out.getvalue(), meta.encode()


def sdist(name, version):
    out, text = io.BytesIO(), b"raise SystemExit('nobody runs this')\n"
    with tarfile.open(fileobj=out, mode="w") as tar:
        member = tarfile.TarInfo(f"{name}-{version}/setup.py")
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))
    return gzip.compress(out.getvalue(), mtime=0)


LINUX, ANY, CP = "py3-none-manylinux2014_x86_64", "py3-none-any", "cp311-cp311-manylinux1_x86_64"
CUDA = ["nvidia-cuda-runtime-cu12==12.4.127; platform_system == 'Linux'", "nvidia-cudnn-cu12==9.1.0.70",
        "nvidia-nccl-cu12==2.21.5"]
WHEELS = [  # name, version, tag, requirements, files
    ("torch", "2.6.0", CP, CUDA + ["triton==3.2.0", "filelock"], {"torch/__init__.py": b"v = '2.6.0'\n", "torch/lib/libtorch.so": noise(9 << 20, 1)}),
    ("torch", "2.5.1", CP, CUDA + ["triton==3.1.0", "filelock"], {"torch/__init__.py": b"v = '2.5.1'\n", "torch/lib/libtorch.so": noise(1 << 20, 2)}),
    ("triton", "3.2.0", CP, [], {"triton/__init__.py": b"\n"}), ("triton", "3.1.0", CP, [], {"triton/__init__.py": b"\n"}),
    ("nvidia-cuda-runtime-cu12", "12.4.127", LINUX, [], {"nvidia/cuda_runtime/lib/libcudart.so.12": noise(300000, 3)}),
    ("nvidia-cudnn-cu12", "9.1.0.70", LINUX, [], {"nvidia/cudnn/lib/libcudnn.so.9": bytes(12 << 20) + noise(200000, 4)}),
    ("nvidia-nccl-cu12", "2.21.5", LINUX, [], {"nvidia/nccl/lib/libnccl.so.2": noise(100000, 5)}),
    ("nvidia-cuda-runtime-cu11", "11.8.89", LINUX, [], {"nvidia/cuda_runtime/lib/libcudart.so.11.0": noise(30000, 6)}),
    ("nvidia-cudnn-cu11", "9.1.0.70", LINUX, [], {"nvidia/cudnn/lib/libcudnn.so.9": noise(30000, 7)}),
    ("nvidia-nccl-cu11", "2.21.5", LINUX, [], {"nvidia/nccl/lib/libnccl.so.2": noise(30000, 8)}),
    ("torchvision", "0.21.0", CP, ["torch==2.6.0", "numpy"], {"torchvision/__init__.py": b"\n"}),
    ("filelock", "3.16.0", ANY, [], {"filelock/__init__.py": b"\n"}), ("pip", "24.3.1", ANY, [], {"pip/__init__.py": b"\n"}),
    ("setuptools", "75.0.0", ANY, [], {"setuptools/__init__.py": b"\n"}),
    ("numpy", "1.26.4", CP, [], {"numpy/__init__.py": b"one = 1\n"}), ("numpy", "2.2.0", CP, [], {"numpy/__init__.py": b"two = 2\n"}),
    ("jupyterlab", "4.4.0", ANY, [], {"jupyterlab/__init__.py": b"\n"}), ("jupyterlab", "3.6.0", ANY, [], {"jupyterlab/__init__.py": b"\n"}),
    ("yanked", "1.0", ANY, [], {"yanked.py": b"\n"}), ("yanked", "1.1", ANY, [], {"yanked.py": b"bad\n"}),
]


LATER_WHEELS = [("filelock", "3.17.0", ANY, [], {"filelock/__init__.py": b"\n"}),
                ("numpy", "2.3.0", CP, [], {"numpy/__init__.py": b"two.three = 2\n"})]
PRIVATE = [("secretlib", "1.0", ANY, [], {"secretlib.py": b"ours\n"}), ("secretlib", "99", ANY, [], {"secretlib.py": b"theirs\n"}),
           ("numpy", "9.9", CP, [], {"numpy/__init__.py": b"nine = 9\n"})]
# Wheels and sources with the dates that an index tells.
SOURCE = "py3-none-source"
DATED = [(("turned", "1.0", ANY, [], {"turned.py": b""}), "2020-01-02"), (("turned", "2.0", SOURCE, [], {}), "2025-03-04"),
         (("early", "1.1.dev3", ANY, [], {"early.py": b""}), "2024-05-06"), (("early", "1.0", SOURCE, [], {}), "2024-01-02"),
         (("deep", "1.0", ANY, [], {"deep.py": b""}), "2024-01-02"), (("deep", "2.0", ANY, ["middle"], {"deep.py": b""}), "2025-01-02"),
         (("middle", "3.0", ANY, ["turned>=2"], {"middle.py": b""}), "2025-01-02"),
         (("fast", "1.0", ANY, [], {"fast.py": b""}), "2020-01-02"), (("fast", "2.0", ANY, ["torch==9.0"], {"fast.py": b""}), "2025-01-02"),
         (("slow", "1.0", ANY, [], {"slow.py": b""}), "2024-01-02"), (("slow", "2.0", ANY, ["torch==9.0"], {"slow.py": b""}), "2025-01-02"),
         (("trial", "1.0", ANY, [], {"trial.py": b""}), "2024-01-02"), (("trial", "2.0rc1", ANY, [], {"trial.py": b""}), "2025-01-02")]
WHO = {"Basic " + base64.b64encode(b"me:secret").decode(), "Bearer t0ken"}


class World:
    """All bytes that are served, by path, and those that stand in the folder beside them; the same for every port."""

    def __init__(self):
        self.files, self.pages, self.later = {}, {}, {}
        self.beside = {}  # by name: bytes, or a text in which @PORT@ is the server's
        self.sizes = {}  # of files that nobody may fetch
        self.make_archive()
        self.make_other()
        self.make_extra()
        self.make_index()
        self.make_private()
        self.make_lying()
        torch_index.put(self, wheel)

    def put(self, folder, port):
        self.folder = folder
        for name, body in self.beside.items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(body if isinstance(body, bytes) else body.replace("@PORT@", str(port)).encode())

    def make_lying(self):
        file, body, meta = wheel(*next(w for w in WHEELS if w[0] == "filelock"))
        meta += b"Requires-Dist: setuptools\n"
        self.files["/lying/files/" + file] = body
        self.files["/lying/files/" + file + ".metadata"] = meta
        page = {"meta": {"api-version": "1.1"}, "name": "filelock", "files": [
            {"filename": file, "url": "../files/" + file, "size": len(body), "hashes": {"sha256": hashlib.sha256(body).hexdigest()},
             "core-metadata": {"sha256": hashlib.sha256(meta).hexdigest()}}]}
        self.pages["/lying/filelock/"] = ("application/vnd.pypi.simple.v1+json", json.dumps(page).encode())

    def make_archive(self):
        day, later = "Tue, 14 Nov 2023 22:13:20 UTC", "Tue, 21 Nov 2023 22:13:20 UTC"
        suites = [("tiny", DEBS, day, self.pages), ("tiny-security", [], day, self.pages),
                  ("tiny", LATER_DEBS["tiny"], later, self.later),
                  ("tiny-security", LATER_DEBS["tiny-security"], later, self.later)]
        signed, keyring, fingerprint = sign([self.make_suite(name, debs, date) for name, debs, date, _ in suites])
        for (name, _, _, pages), text in zip(suites, signed):
            pages[f"/debian/dists/{name}/InRelease"] = ("text/plain", text)
        self.beside["base.gpg"] = keyring
        self.beside["base.yaml"] = f"""envbuild_base: 1
name: tiny
arch: amd64
glibc: "2.36"
archives:
  - uri: http://127.0.0.1:@PORT@/debian
    suites: [tiny, tiny-security]
    components: [main]
keyring: base.gpg
fingerprints: [{fingerprint}]
packages:
  base: [apt]
  python: [python3]
  compile: [gcc]
  devel: [make]
gcc: ["12", "11"]
toolkit:
  cuda: "12.4.1"
  components: [contrib]
  packages: [nvidia-cuda-toolkit]
  driver: [libcuda1, libcuda.so.1]
  libraries:
    libcudart12: {{wheel: nvidia-cuda-runtime-cu12, file: nvidia/cuda_runtime/lib/libcudart.so.12}}
    libcublas12: {{wheel: nvidia-cublas-cu12, file: nvidia/cublas/lib/libcublas.so.12}}
    libnccl2: {{wheel: nvidia-nccl-cu12, file: nvidia/nccl/lib/libnccl.so.2}}
  sources: |
    Types: deb
    URIs: http://deb.example.org/debian
    Suites: tiny
    Components: contrib
python:
  version: "3.11"
  package: python3.11
sources: |
  Types: deb
  URIs: http://deb.example.org/debian
  Suites: tiny
  Components: main
"""

    def make_other(self):
        """other/other.yaml, as somebody writes it who has an archive, a suite and a key of his own."""
        signed, keyring, fingerprint = sign([self.make_suite("other-stable", OTHER_DEBS, "Tue, 14 Nov 2023 22:13:20 UTC")])
        self.pages["/debian/dists/other-stable/InRelease"] = ("text/plain", signed[0])
        self.beside["other/archive.gpg"] = keyring
        self.beside["other/other.yaml"] = f"""envbuild_base: 1
name: other
arch: amd64
glibc: "2.41"
archives: [{{uri: "http://127.0.0.1:@PORT@/debian", suites: [other-stable], components: [main]}}]
keyring: archive.gpg
fingerprints: [{fingerprint}]
packages: {{base: [apt], python: [python3], compile: [gcc]}}
python: {{version: "3.11", package: python3.11}}
sources: |
  Types: deb
  URIs: http://other.example.org
  Suites: other-stable
  Components: main
"""

    def make_extra(self):
        day = "Tue, 14 Nov 2023 22:13:20 UTC"
        release = self.make_suite("stable", EXTRA_DEBS, day, "/extra")
        (signed,), keyring, fingerprint = sign([release])
        self.beside["extra.fingerprint"] = fingerprint.encode()
        self.pages["/extra/dists/stable/InRelease"] = ("text/plain", signed)
        self.pages["/unsigned/dists/stable/InRelease"] = ("text/plain", release)
        armour = base64.encodebytes(keyring).decode()
        self.beside["extra.asc"] = (f"-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: extra\n\n{armour}"
                                "-----END PGP PUBLIC KEY BLOCK-----\n".encode())
        (signed,), keyring, _ = sign([self.make_suite("", FLAT_DEBS, day, "/flat")])
        self.pages["/flat/InRelease"] = ("text/plain", signed)
        self.beside["flat.gpg"] = keyring

    def make_packages(self, debs, root, flat=False):
        """The text of Packages and its xz."""
        packages = ""
        for d in debs:
            path, body, paragraph = deb(*d)
            self.files[f"{root}/" + path] = body
            packages += paragraph.replace("Filename: ", "Filename: ./") if flat else paragraph
        return packages.encode(), lzma.compress(packages.encode())

    def make_suite(self, name, debs, date, root="/debian"):
        if not name:  # a flat archive: no suite, no folders, no hashes in names
            _, packed = self.make_packages(debs, root, True)
            self.files[f"{root}/Packages.xz"] = packed
            return f"Origin: Flat\nDate: {date}\nSHA256:\n {hashlib.sha256(packed).hexdigest()} {len(packed)} Packages.xz\n".encode()
        release = f"Origin: Tiny\nSuite: {name}\nCodename: {name}\nDate: {date}\n" \
                  "Acquire-By-Hash: yes\nArchitectures: amd64\nComponents: main contrib\nSHA256:\n"
        for component, held in (("main", debs), ("contrib", CONTRIB if name == "tiny" else [])):
            plain, packed = self.make_packages(held, root)
            at = component + "/binary-amd64/"
            for path, body in ((at + "Packages", plain), (at + "Packages.xz", packed)):
                release += f" {hashlib.sha256(body).hexdigest()} {len(body)} {path}\n"
            self.files[f"{root}/dists/{name}/" + at + "by-hash/SHA256/" + hashlib.sha256(packed).hexdigest()] = packed
        return release.encode()

    def make_index(self):
        self.index_of(WHEELS, self.pages)
        self.index_of(WHEELS + LATER_WHEELS, self.later)

    def index_of(self, wheels, pages):
        lists = {}
        for w in wheels:
            file, body, meta = wheel(*w)
            self.files["/files/" + file] = body
            e = {"filename": file, "url": "../../files/" + file, "size": len(body), "requires-python": ">=3.8",
                 "hashes": {"sha256": hashlib.sha256(body).hexdigest()},
                 "yanked": "it was bad" if file.startswith("yanked-1.1") else False}
            if w[0] != "numpy":  # its metadata is read by ranges
                self.files["/files/" + file + ".metadata"] = meta
                e["core-metadata"] = {"sha256": hashlib.sha256(meta).hexdigest()}
            lists.setdefault(w[0], []).append(e)
        lists["sourceful"] = [{"filename": "sourceful-1.0.tar.gz", "url": "../../files/sourceful-1.0.tar.gz", "size": 10,
                               "hashes": {"sha256": "0" * 64}, "yanked": False}]
        for w, date in DATED:
            file, body, meta = wheel(*w)
            if w[2] is SOURCE:
                file, body = f"{w[0]}-{w[1]}.tar.gz", sdist(w[0], w[1])
            self.files["/files/" + file] = body
            lists.setdefault(w[0], []).append({
                "filename": file, "url": "../../files/" + file, "size": len(body), "yanked": False,
                "upload-time": date + "T10:00:00.000000Z", "hashes": {"sha256": hashlib.sha256(body).hexdigest()}})
        for name, files in lists.items():
            pages[f"/html/{name}/"] = ("text/html", html_page(files, True))
            pages[f"/bare/{name}/"] = ("text/html; charset=utf-8", html_page(files, False))
            page = {"meta": {"api-version": "1.1"}, "name": name, "files": files}
            pages[f"/simple/{name}/"] = ("application/vnd.pypi.simple.v1+json", json.dumps(page).encode())


    def make_private(self):
        for w in PRIVATE:
            file, body, _ = wheel(*w)
            where = "private" if w[0] == "numpy" or w[1] == "1.0" else "public"
            self.files[f"/{where}/files/" + file] = body
            self.pages[f"/{where}/{w[0]}/"] = ("text/html", html_page(
                [{"filename": file, "url": "../files/" + file, "hashes": {"sha256": hashlib.sha256(body).hexdigest()}}], True))


def html_page(files, hashes):
    links = "".join(f'<a href="{f["url"]}{"#sha256=" + f["hashes"]["sha256"] if hashes else ""}" data-requires-python="&gt;=3.8"'
                    f'{" data-yanked" if f.get("yanked") else ""}>{f["filename"]}</a><br>\n' for f in files)
    return f"<!DOCTYPE html><html><head><title>Links</title></head><body>{links}</body></html>".encode().replace(
        b"../../files/", b"../../files/" if hashes else b"../../rangeless/")


def sign(texts):
    home = tempfile.mkdtemp(prefix="world-gpg-")
    gpg = ["gpg", "--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
    try:
        subprocess.run(gpg + ["--quick-gen-key", "tiny@example.org", "ed25519", "sign", "0"], check=True, stderr=subprocess.DEVNULL)
        signed = [subprocess.run(gpg + ["--clearsign"], input=t, capture_output=True, check=True).stdout for t in texts]
        keys = subprocess.run(gpg + ["--export"], capture_output=True, check=True).stdout
        listing = subprocess.run(gpg + ["--with-colons", "--list-keys"], capture_output=True, check=True, text=True).stdout
        return signed, keys, next(l.split(":")[9] for l in listing.splitlines() if l.startswith("fpr:"))
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], check=False)
        shutil.rmtree(home, ignore_errors=True)


# ---- serving ----


def mischief(folder, path):
    """What this request is to suffer."""
    try:
        lines = open(os.path.join(folder, "mischief")).read().splitlines()
    except OSError:
        return None
    with LOCK:
        for line in lines:
            kind, times, text = line.split(" ", 2)
            key = (line, path)
            if text in path and (times == "always" or USED.get(key, 0) < int(times)):
                USED[key] = USED.get(key, 0) + 1
                return kind
    return None


class Handler(BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True
    world = None

    def log_message(self, *args):
        pass

    def answer(self, status, kind, body, how=None, **head):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for k, v in head.items():
            self.send_header(k.replace("_", "-"), v)
        self.end_headers()
        if how in ("cut", "stall"):
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            if how == "stall":
                self.connection.recv(1)  # until the other side hangs up
            self.close_connection = True
        elif how == "hold":
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            GATE.acquire()
            self.wfile.write(body[len(body) // 2 :])
        elif how == "slow":
            for i in range(0, len(body), 16384):
                self.wfile.write(body[i : i + 16384])
                time.sleep(0.02)
        else:
            self.wfile.write(bytes(b ^ 255 for b in body) if how == "wrong" else body)

    def do_GET(self):
        with LOCK:
            log = "\n".join(LOG)
            LOG.append(self.path + ("!" if self.headers.get("Authorization") else ""))
            ASKED.notify_all()
        if self.path == "/log":
            return self.answer(200, "text/plain", log.encode())
        how = mischief(self.world.folder, self.path)
        if how in ("503", "gone"):
            return self.answer(503 if how == "503" else 404, "text/plain", b"no\n")
        if self.path.startswith("/private/") and self.headers.get("Authorization") not in WHO:
            return self.answer(401, "text/plain", b"no\n", WWW_Authenticate='Basic realm="private"')
        if self.path.startswith("/moved/"):
            to = "http://localhost:%d/simple/%s" % (self.server.server_address[1], self.path[len("/moved/"):])
            return self.answer(302, "text/plain", b"there\n", Location=to)
        if self.path.startswith("/rangeless/"):
            body = self.world.files.get("/files/" + self.path[len("/rangeless/"):])
            return self.answer(200 if body else 404, "application/octet-stream", body or b"no\n", how)
        if self.path in self.world.later and os.path.exists(os.path.join(self.world.folder, "later")):
            return self.answer(200, *self.world.later[self.path], how)
        if self.path in self.world.pages:
            return self.answer(200, *self.world.pages[self.path], how)
        if self.path in self.world.sizes:
            n = self.world.sizes[self.path]
            return self.answer(206, "application/octet-stream", b"\0", Content_Range=f"bytes {n - 1}-{n - 1}/{n}")
        if self.path not in self.world.files:
            return self.answer(404, "text/plain", b"no\n")
        body, asked = self.world.files[self.path], self.headers.get("Range", "")
        if not asked.startswith("bytes=") or how == "norange":
            return self.answer(200, "application/octet-stream", body, how)
        first, last = asked[6:].split("-")
        at = int(first) if first else max(0, len(body) - int(last))
        end = min(int(last) + 1, len(body)) if first and last else len(body)
        self.answer(206, "application/octet-stream", body[at:end], how, Content_Range=f"bytes {at}-{end - 1}/{len(body)}")


class Server(ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 64

    def handle_error(self, *args):
        pass  # a client that hangs up is nothing to tell of


def wait_until_asked(text, since, patience):
    """Until somebody has asked for a path with this text in it, after so many other requests."""
    with LOCK:
        return ASKED.wait_for(lambda: any(text in path for path in LOG[since:]), patience)


def serve(folder, made=None):
    """A server in this process, of the world that is made if there is one; what stands beside it is in `folder`."""
    server = Server(("127.0.0.1", 0), Handler)
    Handler.world = made or World()
    Handler.world.put(folder, server.server_address[1])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


if __name__ == "__main__":
    print(serve(sys.argv[1]).server_address[1], flush=True)
    sys.stdin.read()
