#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sets-vs-pip.py SETS TOOL VENV STORE [--all] [--only REGEX] [--sources ENVBUILD]: each line of SETS is a set of requirements,
solved by tools/solve_pypi and by the venv's pip for the same target, and compared wheel by wheel.

A line holds shell words, as pip takes them: requirements, --pre, -r FILE, -c TEXT (a constraint itself) and
-C FILE; WHEELS/ is a folder with a few wheels of SETS' "wheels" lines. It may begin with "+" (only with --all) and with @PYTHON/GLIBC, else the target is this machine's.
One that begins with "source" may take sdists: `envbuild lock` of a recipe with `build: all` chooses, and pip without --only-binary.
Indented lines behind it: "says REGEX" is what our message holds where nothing fits; "warns REGEX" what we warn of;
"meant REASON" says that the two differ and why they should.
"""
import argparse
import concurrent.futures
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
import time

MESSAGE_MAX = 500  # characters
BASES = {"3.10": "ubuntu-22.04", "3.11": "debian-12", "3.12": "ubuntu-24.04", "3.13": "debian-13"}  # by their Python
DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data")  # which -r and -c are relative to

# pip itself, on another Python and glibc than its own.
OTHER = """
import sys
python, glibc = sys.argv.pop(1), int(sys.argv.pop(1))
from pip._vendor.packaging import _manylinux, markers
was = markers.default_environment
minor = ".".join(python.split(".")[:2])
markers.default_environment = lambda: {**was(), "python_version": minor, "python_full_version": python,
                                       "implementation_version": python}
_manylinux._get_glibc_version = lambda: (2, glibc)
from pip._internal.cli.main import main
sys.exit(main())
"""


def read_sets(path, folder):
    sets, wheels = [], []
    with open(path, encoding="utf-8") as f:
        for line in f:
            line = line.rstrip("\n")
            if not line.strip() or line.startswith("#"):
                continue
            if line.startswith("wheels "):
                wheels += line.split()[1:]
            elif line[0] == " ":
                key, _, value = line.strip().partition(" ")
                sets[-1].setdefault(key, []).append(value)
            else:
                one = {"long": line.startswith("+"), "line": line.lstrip("+ ")}
                words = shlex.split(one["line"])
                one["source"] = words[0] == "source" and bool(words.pop(0))
                one["target"] = words.pop(0)[1:].split("/") if words[0].startswith("@") else None
                one["words"] = [w.replace("WHEELS/", folder + "/") for w in words]
                sets.append(one)
    return sets, wheels


def norm(name):
    return re.sub(r"[-_.]+", "-", name).lower()


class Asker:
    def __init__(self, o, work):
        self.o, self.work = o, work
        self.python = subprocess.run([o.venv + "/bin/python", "-c", "import platform; print(platform.python_version())"],
                                     stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        self.glibc = platform.libc_ver()[1].split(".")[1]
        self.env = {**os.environ, "PIP_CONFIG_FILE": "/dev/null", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                    "PIP_CACHE_DIR": work + "/cache"}

    def chosen(self, s):
        """What a lock has that takes sdists, but for what every image has."""
        folder = tempfile.mkdtemp(dir=self.work)
        torch = [w for w in s["words"] if w.startswith("torch==")]  # which a recipe names, for `pytorch: none` takes none
        recipe = {"name": "x", "pytorch": torch[0][len("torch=="):] if torch else "none", "base": BASES[".".join(self.python.split(".")[:2])],
                  "build": "all", "pip": [w for w in s["words"] if w not in torch]}
        with open(folder + "/x.yaml", "w", encoding="utf-8") as f:
            json.dump(recipe, f)
        done = subprocess.run([self.o.sources, "lock", "x.yaml"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              env={**os.environ, "XDG_CACHE_HOME": self.o.store + "/locks"}, text=True, timeout=3000)
        s["took"], s["warned"], s["message"] = "", [], done.stderr.strip()[-MESSAGE_MAX:] if done.returncode else ""
        if done.returncode:
            return None
        with open(folder + "/x.lock", encoding="utf-8") as f:
            wheels = [a for a in json.load(f)["artifacts"] if a["type"] == "wheel" and a["name"] not in ("pip", "setuptools", "wheel")]
        return sorted(f"{a['name']}=={a['version']} {(a.get('source') or a)['url'].split('/')[-1]}" for a in wheels)

    def ours(self, s):
        if s["source"]:
            return self.chosen(s)
        python, glibc = s["target"] or (self.python, self.glibc)
        done = subprocess.run([self.o.tool, self.o.store, "-v", "-P", python, "-g", glibc, *s["words"]], cwd=DATA,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=500)
        lines = [line for line in done.stderr.split("\n") if line and not line.startswith("note: ")]
        s["took"] = "".join(line for line in lines if " rounds" in line)
        s["warned"] = [line for line in lines if line.startswith("warning: ")]
        s["message"] = "\n".join(line for line in lines if line not in s["warned"] and line != s["took"])
        if done.returncode:
            return None
        return sorted(" ".join(line.split()[:2]) for line in done.stdout.strip().split("\n"))

    def pip(self, s):
        number = id(s)
        words, report = [], f"{self.work}/report-{number}"
        rest = list(s["words"])
        while rest:
            word = rest.pop(0)
            if word in ("-c", "-C"):
                path = f"{self.work}/c-{number}-{len(rest)}" if word == "-c" else rest.pop(0)
                if word == "-c":
                    with open(path, "w", encoding="utf-8") as f:
                        f.write(rest.pop(0) + "\n")
                words += ["-c", path]
            else:
                words.append(word)
        command = [self.o.venv + "/bin/pip"]
        target = []
        if s["target"]:
            command = [self.o.venv + "/bin/python", self.work + "/other.py", *s["target"]]
            target = ["--python-version", s["target"][0]]
        done = subprocess.run([*command, "install", "--dry-run", "--ignore-installed", *([] if s["source"] else ["--only-binary", ":all:"]),
                               "--use-feature=fast-deps", "-q", "--report", report, *target, *words], cwd=DATA, env=self.env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=3000 if s["source"] else 500)
        s["said"] = done.stdout
        if done.returncode:
            return None
        with open(report, encoding="utf-8") as f:
            return sorted(f"{norm(i['metadata']['name'])}=={i['metadata']['version']} {i['download_info']['url'].split('/')[-1]}"
                          for i in json.load(f)["install"])

    def uv(self, s):
        """A third opinion, where the two differ."""
        uv = self.o.venv + "/bin/uv"
        if not os.path.exists(uv) or s["source"] or any(w.startswith("-") for w in s["words"]):
            return "no uv to ask"
        python, glibc = s["target"] or (self.python, self.glibc)
        done = subprocess.run([uv, "pip", "compile", "-q", "--no-header", "--no-annotate", "--only-binary", ":all:",
                               "--python-version", python, "--python-platform", f"x86_64-manylinux_2_{min(int(glibc), 40)}", "-"],
                              input="\n".join(s["words"]), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return "uv says:\n" + done.stdout

    def both(self, s):
        a = time.monotonic()
        s["ours"] = self.ours(s)
        b = time.monotonic()
        s["pip"] = self.pip(s)
        s["times"] = b - a, time.monotonic() - b
        if s["ours"] != s["pip"]:
            s["third"] = self.uv(s)
        return s


def plain(packages):
    return sorted(re.sub(r"^(\S+) \S*%2B", lambda m: m.group(0).replace("%2B", "+"), p).replace("%2B", "+") for p in packages)


def judge(s):
    """The faults of one set, and how it went in a line."""
    faults = []
    ours, pip = s["ours"], s["pip"]
    same = ours == pip or (ours and pip and plain(ours) == plain(pip))
    if pip is None and not re.search("ResolutionImpossible|No matching distribution|not a supported wheel|different Python|"
                                     "THESE PACKAGES DO NOT MATCH THE HASHES|conflict", s["said"]):
        faults.append("pip failed otherwise: " + s["said"][-600:])
    if not same and "meant" not in s:
        faults.append("they differ (< ours, > pip)")
        a, b = set(ours or ["nothing fits"]), set(pip or ["nothing fits"])
        faults += ["< " + p for p in sorted(a - b)] + ["> " + p for p in sorted(b - a)]
        faults += [s["message"], s["said"][-800:] if pip is None else "", s.get("third", "")]
    if same and "meant" in s:
        faults.append("they no longer differ")
    if ours is None and (len(s["message"]) > MESSAGE_MAX or s["message"].count("\n") > 4):
        faults.append(f"a wall of text, {len(s['message'])} characters")
    for want in s.get("says", []):
        if not re.search(want, s["message"]):
            faults.append("the message does not hold " + want)
    for want in s.get("warns", []):
        if not any(re.search(want, w) for w in s["warned"]):
            faults.append("no warning holds " + want + "; " + "; ".join(s["warned"]))
    how = f"{len(ours):3d} wheels" if ours is not None else "unsolvable"
    how += f", ours {s['times'][0]:5.1f} s" + (f" ({s['took']})" if s["took"] else "") + f", pip {s['times'][1]:5.1f} s"
    return faults, how


def main():
    p = argparse.ArgumentParser()
    for name in ("sets", "tool", "venv", "store"):
        p.add_argument(name)
    p.add_argument("--all", action="store_true")
    p.add_argument("--only", default="")
    p.add_argument("--sources", metavar="ENVBUILD", help="else those sets are left out")
    o = p.parse_args()
    for name in ("tool", "venv", "store") + (("sources",) if o.sources else ()):
        setattr(o, name, os.path.abspath(getattr(o, name)))
    bad, meant, start = 0, 0, time.monotonic()
    with tempfile.TemporaryDirectory() as work, concurrent.futures.ThreadPoolExecutor(2) as pool:
        with open(work + "/other.py", "w", encoding="utf-8") as f:
            f.write(OTHER)
        sets, wheels = read_sets(o.sets, work + "/wheels")
        sets = [s for s in sets if (o.all or not s["long"]) and (o.sources or not s["source"]) and re.search(o.only, s["line"])]
        subprocess.run([o.venv + "/bin/pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", work + "/wheels",
                        *wheels], check=True)
        for s in pool.map(Asker(o, work).both, sets):
            faults, how = judge(s)
            bad += bool(faults)
            meant += "meant" in s
            word = "OTHER" if faults else "meant" if "meant" in s else "same "
            print(f"{word} {how}: {s['line']}")
            if s["ours"] is None:
                print("      " + s["message"].replace("\n", "\n      "))
            for line in s["warned"] + s.get("meant", []):
                print("      " + line)
            for line in faults:
                print("   !! " + line.replace("\n", "\n      "))
            sys.stdout.flush()
    print(f"{'ok' if not bad else 'OTHER'}: {len(sets)} sets in {time.monotonic() - start:.0f} s, {bad} wrong, {meant} meant to differ")
    return 1 if bad else 0


sys.exit(main())
