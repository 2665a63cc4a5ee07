#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""wheel.py BINARY SHARE OUT: a wheel of the binary, the libraries that it loads here, but glibc's, and what SHARE has.

All is in the `data` scheme, whose files land below the environment's prefix: bin/envbuild, lib/envbuild/*.so.*,
share/man. So the binary is what people start, with no Python around it, and the way from it to its libraries is the same
in a venv, in ~/.local, in /usr/local and where pipx and uv put tools.
"""
import base64, hashlib, os, re, subprocess, sys, time, zipfile

binary, share, out = sys.argv[1:]
version = re.search(r'ENVBUILD_VERSION "(.*)"', open("builder/base/version.h").read()).group(1)
made = max(int(os.environ["SOURCE_DATE_EPOCH"]), 315532800)  # a zip knows no time before 1980
tag = "py3-none-manylinux_2_35_x86_64"
info = f"envbuild-{version}.dist-info/"
data = f"envbuild-{version}.data/data/"
files = {}


def said(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, universal_newlines=True).stdout


def read(path):
    with open(path, "rb") as f:
        return f.read()


files[data + "bin/envbuild"] = read(binary)
for soname, path in re.findall(r"(\S+) => (\S+)", said("ldd", binary)):
    path = os.path.realpath(path)
    package = said("dpkg-query", "-S", "*-linux-gnu/" + os.path.basename(path)).split(":")[0]
    if package != "libc6":
        files[data + "lib/envbuild/" + soname] = read(path)
        files[info + f"licenses/{package}.txt"] = read(f"/usr/share/doc/{package}/copyright")
for folder, _, names in os.walk(share):
    for name in names:
        path = os.path.join(folder, name)
        files[data + "share/" + os.path.relpath(path, share)] = read(path)
files[info + "licenses/LICENSE"] = read("LICENSE")
files[info + "WHEEL"] = f"Wheel-Version: 1.0\nGenerator: envbuild {version}\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
files[info + "METADATA"] = f"""Metadata-Version: 2.1
Name: envbuild
Version: {version}
Summary: Reproducible GPU environments: a recipe of PyTorch, CUDA and cuDNN versions becomes an OCI image
License: Apache-2.0
Description-Content-Type: text/markdown

""".encode() + read("README.md")
record = ""
for name in sorted(files):
    digest = base64.urlsafe_b64encode(hashlib.sha256(files[name]).digest()).decode().rstrip("=")
    record += f"{name},sha256={digest},{len(files[name])}\n"
files[info + "RECORD"] = (record + info + "RECORD,,\n").encode()

with zipfile.ZipFile(os.path.join(out, f"envbuild-{version}-{tag}.whl"), "w", zipfile.ZIP_DEFLATED) as wheel:
    for name in sorted(files, key=lambda name: (name.startswith(info), name)):  # the metadata last, as PEP 427 advises
        entry = zipfile.ZipInfo(name, time.gmtime(made)[:6])
        entry.external_attr = (0o100755 if name == data + "bin/envbuild" else 0o100644) << 16
        entry.create_system = 3
        wheel.writestr(entry, files[name], zipfile.ZIP_DEFLATED, 9)
