# SPDX-License-Identifier: Apache-2.0
"""https://download.pytorch.org/whl/ on loopback: its pages (PEP 503), and what the real index lists (torch-wheels.txt).

    /whl/LABEL/NAME/             small wheels, for images; beside torch what else such an index lists
    /recorded/whl/LABEL/NAME/    the recorded rows: no wheels, but their METADATA (PEP 658) and sizes
    /recorded/simple/triton/     triton as PyPI has it
"""
import hashlib, html, os, random, zlib

HERE = os.path.dirname(os.path.abspath(__file__))
HOSTS = {"d": "https://download.pytorch.org", "r": "https://download-r2.pytorch.org"}
LINUX, ANY = "cp311-cp311-linux_x86_64", "py3-none-any"
PINS = ["nvidia-cuda-runtime-cu11==11.8.89; platform_system == 'Linux' and platform_machine == 'x86_64'",
        "nvidia-cudnn-cu11==9.1.0.70", "nvidia-nccl-cu11==2.21.5"]


def lib(name, seed):
    return {f"{name}/__init__.py": b"\n", f"{name}/lib{name}.so": random.Random(seed).randbytes(50000)}


SMALL = {  # name, version, tag, requirements, files
    "cu118": [
        ("torch", "2.6.0+cu118", LINUX, PINS + ["triton==3.2.0", "filelock"], lib("torch", 30)),
        ("torch", "2.1.0+cu118", LINUX, ["filelock"], lib("torch", 31)),  # CUDA is in the wheel
        ("torchvision", "0.21.0+cu118", LINUX, ["torch==2.6.0", "numpy"], lib("torchvision", 32)),
        ("torchvision", "0.22.0+cu118", LINUX, ["torch==2.7.0", "numpy"], lib("torchvision", 33)),
        ("numpy", "99.0", LINUX, [], lib("numpy", 34)), ("filelock", "99.0", ANY, [], {"filelock.py": b"\n"}),
        ("triton", "3.2.0", LINUX, [], lib("triton", 35)), ("nvidia-nccl-cu11", "2.21.5", "py3-none-manylinux2014_x86_64", [], lib("nccl", 36)),
    ],
    "cpu": [
        ("torch", "2.6.0+cpu", LINUX, ["filelock"], lib("torch", 37)),
        ("torchvision", "0.21.0+cpu", LINUX, ["torch==2.6.0", "numpy"], lib("torchvision", 38)),
        ("triton", "3.2.0", LINUX, [], lib("triton", 39)),
    ],
}
EVIL = [("torch", "9.9.9+cu118", LINUX, [], lib("torch", 40)), ("torch", "2.6.0+cu118", LINUX, [], lib("torch", 41)),
        ("torchvision", "0.21.0+cu118", LINUX, [], lib("torchvision", 42))]


def quoted(file):
    return file.replace("+", "%2B")


def page(name, links):
    """As s3_management/manage.py of pytorch/test-infra writes it: link, sha256 and the metadata's, of each file."""
    out = f"<!DOCTYPE html>\n<html>\n  <body>\n    <h1>Links for {name}</h1>\n"
    for file, href, digest, metadata in links:
        told = f' data-dist-info-metadata="sha256={metadata}" data-core-metadata="sha256={metadata}"' if metadata else ""
        out += f'    <a href="{html.escape(href)}#sha256={digest}"{told}>{file}</a><br/>\n'
    return ("text/html", (out + "  </body>\n</html>\n<!--TIMESTAMP 1700000000-->").encode())


def put_small(to, where, wheels, make):
    lists = {}
    for w in wheels:
        file, body, meta = make(*w)
        to.files[f"{where}{quoted(file)}"] = body
        to.files[f"{where}{quoted(file)}.metadata"] = meta
        lists.setdefault(w[0], []).append((file, where + quoted(file), hashlib.sha256(body).hexdigest(),
                                           hashlib.sha256(meta).hexdigest()))
    for name, links in lists.items():
        to.pages[f"{where}{name}/"] = page(name, links)


# ---- the recorded list ----


def rows():
    """(label, file, sha256, where) of each wheel, and {torch: (torchvision, torchaudio, triton)}."""
    wheels, releases = [], {}
    with open(os.path.join(HERE, "torch-wheels.txt")) as f:
        for words in (line.split() for line in f if not line.startswith("#")):
            if words[0] == "release":
                releases[words[1]] = tuple(words[2:])
            else:
                wheels.append(tuple(words))
    return wheels, releases


def address(label, file, where):
    folder = "" if file.startswith("triton-") else label + "/"
    return f"{HOSTS.get(where, HOSTS['d'])}/whl/{folder}{quoted(file)}"


def size_of(file):
    return zlib.crc32(file.encode()) % 10**9 + 1


def metadata_of(file, label, releases, tritons):
    """What a wheel of the list asks for, as far as versions go."""
    name, version, python = file.split("-")[:3]
    public = version.split("+")[0]
    needs = []
    if name in ("torchvision", "torchaudio"):
        needs = [f"torch=={t}" for t, others in releases.items() if others[name == "torchaudio"] == public]
    elif name == "torch" and label != "cpu" and public in releases and (releases[public][2], python) in tritons:
        needs = [f"triton=={releases[public][2]}; platform_system == 'Linux'"]
    return (f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + "".join(f"Requires-Dist: {n}\n" for n in needs)).encode()


def put_recorded(to):
    wheels, releases = rows()
    tritons = {(f.split("-")[1], f.split("-")[-3]) for label, f, _, _ in wheels if label == "pypi"}
    lists = {}
    for label, file, digest, where in wheels:
        name = file.split("-")[0]
        if label == "pypi":
            at, href, root = f"/recorded/files/{file}", f"/recorded/files/{file}", "/recorded/simple/"
        else:
            href = address(label, file, where)
            at, root = "/recorded" + href[href.index("/whl/"):], f"/recorded/whl/{label}/"
            href = href if where == "r" else href[len(HOSTS["d"]):]
        meta = metadata_of(file, label, releases, tritons)
        to.files[at + ".metadata"] = meta
        to.sizes[at] = size_of(file)
        lists.setdefault(f"{root}{name}/", []).append((file, href, digest, hashlib.sha256(meta).hexdigest()))
    for path, links in lists.items():
        to.pages[path] = page(path.split("/")[-2], links)


def put(to, make):
    """Into the pages, files and sizes of a world; `make` makes a wheel."""
    for label, wheels in SMALL.items():
        put_small(to, f"/whl/{label}/", wheels, make)
    put_small(to, "/evil/", EVIL, make)
    to.pages["/whl/cu118/xformers/"] = page("xformers", [])
    put_recorded(to)
