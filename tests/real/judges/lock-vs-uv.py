#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lock-vs-uv.py LOCK REQUIREMENTS: are the wheels of envbuild's LOCK those that `uv export` wrote into REQUIREMENTS, with their
versions and hashes, for the lock's Python on Linux and x86_64? Only pip, which every image has, may be there besides."""
import json, re, sys

from packaging.markers import Marker

lock = json.load(open(sys.argv[1]))
python = lock["base"]["python_full"]
env = {"python_full_version": python, "python_version": ".".join(python.split(".")[:2]), "implementation_version": python,
       "implementation_name": "cpython", "platform_python_implementation": "CPython", "os_name": "posix", "sys_platform": "linux",
       "platform_system": "Linux", "platform_machine": "x86_64", "platform_release": "", "platform_version": "", "extra": ""}
want = {}
for line in open(sys.argv[2]).read().replace("\\\n", " ").splitlines():
    text = line.split(" --hash=")[0].strip()
    if not text or text.startswith("#"):
        continue
    requirement, _, marker = text.partition(" ; ")
    if not marker or Marker(marker).evaluate(env):
        name, version = requirement.strip().split("==")
        want[name] = version, set(re.findall(r"sha256:[0-9a-f]{64}", line))
got = {a["name"]: (a["version"], a["sha256"]) for a in lock["artifacts"] if a["type"] == "wheel"}
faults = [f"{name}: only in one of them" for name in sorted(set(want) ^ (set(got) - {"pip"} | set(want) & {"pip"}))]
faults += [f"{name}: {got[name]}, and uv has {version}" for name, (version, hashes) in want.items()
           if name in got and (got[name][0] != version or got[name][1] not in hashes)]
print("\n".join(faults) or f"{len(want)} wheels as uv has them")
sys.exit(bool(faults))
