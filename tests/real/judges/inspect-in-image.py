#!/usr/bin/env python3
"""Hold what `envbuild inspect --json` says of an image against what runs inside it says.

usage: inspect-in-image.py in-image          (run by the image's own Python; prints what is so)
       inspect-in-image.py SAID.json SO.json
"""
# SPDX-License-Identifier: Apache-2.0
import json, os, re, subprocess, sys


def out(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def in_image():
    so = {"python": sys.version.split()[0]}
    so["pip"] = sorted((p["name"], p["version"]) for p in json.loads(out(sys.executable, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check") or "[]"))
    so["dpkg"] = sorted(tuple(line.split("\t")) for line in out("dpkg-query", "-W", "-f", "${db:Status-Abbrev}\t${Package}\t${Version}\n").splitlines() if line.startswith("ii"))
    so["glibc"] = out("ldd", "--version").split("\n")[0].split()[-1:]
    with open("/etc/os-release") as f:
        so["system"] = re.search(r'PRETTY_NAME="?([^"\n]*)', f.read()).group(1)
    try:
        import torch
    except ImportError:
        torch = None
    except OSError as e: # a library is missing: that is what the proof has to say
        torch = None
        so["import torch"] = str(e)
    if torch:
        so["torch"] = torch.__version__
        so["cuda"] = torch.version.cuda
        so["cudnn"] = torch.backends.cudnn.version()
        nccl = torch.cuda.nccl.version()
        so["nccl"] = ".".join(map(str, nccl))
        so["archs"] = torch._C._cuda_getArchFlags() or ""
    print(json.dumps(so))


def judge(said, so):
    faults = []

    def same(what, ours, theirs):
        if ours != theirs:
            faults.append("%s: inspect says %r, the image %r" % (what, ours, theirs))

    normal = lambda name: re.sub(r"[-_.]+", "-", name).lower()
    same("python", said["python"][0]["version"], so["python"])
    same("system", said["system"], so["system"])
    if so["glibc"]:
        same("glibc", said["glibc"], so["glibc"][0])
    # pip lists each name once, the first that the path has.
    ours = {(normal(p["name"]), p["version"]) for p in said["packages"] if p["manager"] == "pip"}
    missing = {(normal(n), v) for n, v in so["pip"]} - ours
    same("packages of pip that inspect lacks", missing, set())
    same("pip: how many", len({n for n, _ in ours}), len({normal(n) for n, _ in so["pip"]}))
    same("packages of dpkg", sorted((p["name"], p["version"]) for p in said["packages"] if p["manager"] == "dpkg"), sorted((n, v) for _, n, v in so["dpkg"]))
    facts = said["facts"]
    if "torch" in so:
        same("torch", said["pytorch"][0]["version"], so["torch"])
        same("torch.version.cuda", said["pytorch"][0].get("cuda"), so["cuda"])
        numbers = [int(n) for n in facts["cudnn"].split(".")[:3]]
        factor = (10000, 100, 1) if numbers[0] >= 9 else (1000, 100, 1)
        same("cudnn", sum(n * f for n, f in zip(numbers, factor)), so["cudnn"])
        same("nccl", facts["nccl"], so["nccl"])
        # The build's flags say "sm_50 ... compute_90"; machine code is what is listed.
        flags = {"%d.%d" % divmod(int(f[3:]), 10) for f in so["archs"].split() if re.match(r"sm_\d+$", f)}
        same("architectures of torch", {a.split("+")[0] for a in facts["archs"].split() if not a.rstrip("+PTX")[-1].isalpha()}, flags)
    elif "import torch" in so:
        lacks = re.match(r"(\S+): cannot open shared object", so["import torch"]).group(1)
        same("what import torch lacks", lacks in {f["name"] for f in said["load_findings"] if not f["on_demand"]}, True)
    else:
        same("torch", said["pytorch"], [])
    if "import torch" not in so:
        same("load findings", [f["sentence"] for f in said["load_findings"] if not f["on_demand"] and f["code"] != "two-files-of-a-name"], [])
    owned = sum(p["size"] for p in said["packages"])
    same("sizes of packages and of the rest", owned + said["unpackaged"], said["unpacked"])
    return faults


if sys.argv[1] == "in-image":
    in_image()
else:
    faults = judge(*(json.load(open(path)) for path in sys.argv[1:3]))
    print("\n".join(faults))
    sys.exit(bool(faults))
