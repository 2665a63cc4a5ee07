#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare the apt solver with apt itself on the live Debian archive: same packages, same versions.

usage: solve-vs-apt.py [TOOL] [--random N [--seed S]]

TOOL is the built tests/tools/solve_deb. apt runs in a folder of its own (-o Dir=...) and only
simulates. Each case is asked of both on the same installed base, first a fresh one, then that base.
--random N adds N cases of one to three package names drawn from the archive; the same seed (1 when
none is given) draws the same names.
"""
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

ARCHIVES = [
    ("bookworm/main", "https://deb.debian.org/debian", "bookworm"),
    ("bookworm-updates/main", "https://deb.debian.org/debian", "bookworm-updates"),
    ("bookworm-security/main", "https://deb.debian.org/debian-security", "bookworm-security"),
]
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
BASE = "apt ca-certificates netbase tzdata".split()
PYTHON = "python3 python3-venv".split()
COMPILE = "gcc libc6-dev g++".split()

# What to install, and, where apt and we may differ, why that is right. "refused" cases must be
# refused by both.
CASES = [
    "git less vim",
    "build-essential",
    "ffmpeg",
    "libopencv-dev",
    "openssh-server",
    "default-jre-headless",
    "php",
    "php-cli php-mysql",
    "default-mta",
    "awk",
    "libgl1 libglib2.0-0",
    "cmake ninja-build pkg-config",
    "texlive-latex-base",
    "r-base-core",
    "nginx",
    "postgresql",
    "python3-numpy python3-scipy python3-matplotlib",
    "gnuplot",
    "openmpi-bin libopenmpi-dev",
    "tmux htop curl wget unzip zip rsync sudo",
    "emacs-nox",
    "nodejs npm",
    "graphviz imagemagick",
    "xvfb",
    "libatlas-base-dev gfortran",
    "default-libmysqlclient-dev",
    "natbraille",  # one of several alternatives is given up for the only one that fits
    "php-ml-json-ld",  # equal providers: apt takes the one mentioned last
    "mail-transport-agent",  # refused: virtual
    "exim4-daemon-light postfix",  # refused: they conflict
    "gti",  # refused: no such package
    "git=0.1",  # refused: no such version
    "systemd-sysv sysvinit-core",  # refused
]


def note(text):
    print(text, flush=True)


class Apt:
    def __init__(self, root):
        self.root = root
        self.status = os.path.join(root, "status")
        for d in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(root, d))
        with open(os.path.join(root, "etc/apt/sources.list"), "w") as f:
            for _, uri, suite in ARCHIVES:
                f.write(f"deb [signed-by={KEYRING}] {uri} {suite} main\n")
        self.set_status("")
        self.run("update", check=True)

    def run(self, *args, check=False):
        o = ["-o", f"Dir={self.root}", "-o", f"Dir::State={self.root}", "-o", f"Dir::State::status={self.status}",
             "-o", f"Dir::State::lists={self.root}/lists", "-o", f"Dir::Cache={self.root}/cache",
             "-o", f"Dir::Etc={self.root}/etc/apt", "-o", "APT::Architecture=amd64", "-o", "APT::Architectures=amd64",
             "-o", "Acquire::Languages=none", "-o", "APT::Sandbox::User=root", "-o", "Debug::NoLocking=1"]
        env = dict(os.environ, LC_ALL="C", APT_CONFIG="/dev/null")
        return subprocess.run(["apt-get", *o, *args], capture_output=True, text=True, env=env, check=check)

    def set_status(self, text):
        with open(self.status, "w") as f:
            f.write(text)

    def packages(self, suite_uri, suite):
        name = suite_uri.split("://")[1].replace("/", "_") + f"_dists_{suite}_main_binary-amd64_Packages"
        lists = os.path.join(self.root, "lists")
        for f in os.listdir(lists):
            if f == name or f.startswith(name + "."):
                out = os.path.join(self.root, suite + ".Packages")
                with open(out, "wb") as to:
                    subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", os.path.join(lists, f)], stdout=to, check=True)
                return out
        raise SystemExit(f"apt has no list {name}")

    def install(self, names):
        """(set of (name, version), None) or (None, what apt says)."""
        r = self.run("-s", "--no-install-recommends", "install", *names)
        if r.returncode:
            return None, [line for line in r.stderr.splitlines() if line.startswith("E:")][-1:]
        if re.search(r"^Remv ", r.stdout, re.M):
            return None, ["apt would remove: " + " ".join(re.findall(r"^Remv (\S+)", r.stdout, re.M))]
        return set(re.findall(r"^Inst (\S+?)(?::amd64)? (?:\[[^]]*\] )?\((\S+)", r.stdout, re.M)), None


class Ours:
    def __init__(self, tool, files):
        self.head = [tool, "amd64", *[f"{label}={path}" for label, path in files], "--essential"]

    def install(self, groups, of):
        r = subprocess.run([*self.head, *[x for g, names in groups for x in ("-g", g, *names)]],
                           capture_output=True, text=True)
        if r.returncode:
            return None, r.stderr.strip()
        rows = [line.split() for line in r.stdout.splitlines()]
        return {(n, v) for n, v, g in rows if g in of}, None


def paragraphs(files):
    """(name, version) to paragraph."""
    found = {}
    for _, path in files:
        with open(path) as f:
            for text in f.read().split("\n\n"):
                n = re.search(r"^Package: (.*)$", text, re.M)
                if n:
                    found.setdefault((n[1], re.search(r"^Version: (.*)$", text, re.M)[1]), text)
    return found


def status_of(chosen, known):
    """A dpkg status file that says all of `chosen` is installed."""
    drop = re.compile(r"^(Filename|Size|MD5sum|SHA\d+|Description-md5|Tag):.*\n(?: .*\n)*", re.M)
    return "".join(drop.sub("", known[c] + "\n").replace("\n", "\nStatus: install ok installed\n", 1) + "\n"
                   for c in sorted(chosen))


def compare(title, apt, ours):
    (theirs, why_not), (mine, refusal) = apt, ours
    if theirs is None and mine is None:
        note(f"ok   {title}: both refuse\n       apt: {' '.join(why_not)}\n       we:  {refusal}")
        return True
    if theirs == mine:
        note(f"ok   {title}: {len(mine)} packages")
        return True
    note(f"DIFF {title}")
    if theirs is None or mine is None:
        note(f"       apt: {why_not or len(theirs)}\n       we:  {refusal or len(mine)}")
    else:
        note(f"       apt only: {sorted(theirs - mine)}\n       ours only: {sorted(mine - theirs)}")
    return False


def take_number(args, name, default):
    if name not in args:
        return default
    at = args.index(name)
    number = int(args[at + 1])
    del args[at:at + 2]
    return number


def main():
    args = sys.argv[1:]
    count = take_number(args, "--random", 0)
    seed = take_number(args, "--seed", 1)
    tool = args[0] if args else os.path.join(os.environ.get("TOOLS", "build/obj-cc/tools"), "solve_deb")
    for needed in ("apt-get", tool):
        if not shutil.which(needed):
            note(f"skipped: no {needed}")
            return 0
    if not os.path.exists(KEYRING):
        note(f"skipped: no {KEYRING}")
        return 0
    with tempfile.TemporaryDirectory() as root:
        apt = Apt(root)
        files = [(label, apt.packages(uri, suite)) for label, uri, suite in ARCHIVES]
        ours = Ours(tool, files)
        known = paragraphs(files)
        good = True
        groups, installed = [], set()
        for group, names in (("base", BASE), ("python", PYTHON), ("compile", COMPILE)):
            groups.append((group, names))
            theirs = apt.install((["?essential"] if group == "base" else []) + names)
            good &= compare(f"{group}: {' '.join(names)}", theirs, ours.install(groups, {group}))
            installed |= theirs[0]
            apt.set_status(status_of(installed, known))
        cases = list(CASES)
        if count:
            rng, names = random.Random(seed), sorted({n for n, _ in known})
            cases += [" ".join(rng.sample(names, rng.choice((1, 1, 2, 3)))) for _ in range(count)]
        wrong = 0
        for case in cases:
            names = case.split()
            ok = compare(case, apt.install(names), ours.install([*groups, ("apt", names)], {"apt"}))
            wrong += not ok
        note(f"{len(cases) - wrong} of {len(cases)} cases equal")
        return 0 if good and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
