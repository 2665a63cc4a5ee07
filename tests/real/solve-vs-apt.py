#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare the apt solver with each base's own apt on the live archives: same packages, same versions.

usage: solve-vs-apt.py [TOOL] [--base NAME] [--work DIR] [--random N [--seed S]] [--only TEXT]

TOOL is the built tests/tools/solve_deb. Without --base two bases are
compared and each case is asked in one of two states, with ALL=1 all bases and both. The judge is the apt of that base: mmdebstrap unpacks the
base once into DIR/NAME (kept; /var/tmp/envbuild-solve-vs-apt when not given), where apt-get only
prints. Each case is asked of both solvers, in two states: on that fresh base and on the base's package groups.
Without root or mmdebstrap the host's apt judges debian-12 alone, in a folder of its own.
--random N adds N cases of one to three package names drawn from the archive; the same seed (1 when
none is given) draws the same names. --only TEXT runs just the cases "TEXT".
"""
import lzma
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from urllib.parse import unquote

DEBIAN, DEBIAN_SECURITY = "http://deb.debian.org/debian", "http://deb.debian.org/debian-security"
UBUNTU, UBUNTU_SECURITY = "http://archive.ubuntu.com/ubuntu", "http://security.ubuntu.com/ubuntu"
STALE = 6 * 3600  # seconds after which a kept chroot is made anew: what it has installed would be older than the lists


class Base:
    def __init__(self, name, suite, beyond=()):
        """`beyond`: suites that apt takes nothing from by itself."""
        self.debian = name.startswith("debian")
        first, second = (DEBIAN, DEBIAN_SECURITY) if self.debian else (UBUNTU, UBUNTU_SECURITY)
        self.name, self.suite = name, suite
        self.keyring = "debian-archive-keyring" if self.debian else "ubuntu-keyring"
        self.archives = [(first, suite), (first, suite + "-updates"), (second, suite + "-security")]
        self.archives += [(first, b) for b in beyond]
        self.cases = BEYOND if beyond else CASES
        self.beyond = beyond
        self.components = ["main"] if self.debian else ["main", "universe"]
        self.groups = [("base", ["apt", "ca-certificates", self.keyring, "libstdc++6", "netbase", "tzdata"]),
                       ("python", ["python3", "python3-venv"]),
                       ("compile", ["gcc", "libc6-dev", "g++", "python3-dev"])]

    def sources(self, signed_by):
        return "".join(f"deb [signed-by={signed_by}] {uri} {suite} {' '.join(self.components)}\n"
                       for uri, suite in self.archives)


# What to install on every base. What one refuses, the other must refuse. "name=<" stands for the
# version that the release pocket has where another pocket has a later one, "name=>" for the latest.
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
    "git:amd64 python3:any",
    "systemd-sysv dbus libpam-systemd",  # of ubuntu-24.04, phased on 2026-11: holds back upgrades alone
    "python3-pip python3-setuptools-whl",  # Multi-Arch: foreign and python3:any
    "libssl-dev zlib1g-dev libffi-dev",
    "git=< git-man=<",
    "git=>",
    "git=1:2.*",  # a prefix
    "git:amd64=>",
    "mail-transport-agent",  # virtual
    "exim4-daemon-light postfix",  # they conflict
    "gti",  # no such package
    "git=0.1",  # no such version
    "systemd-sysv sysvinit-core",
    "libc6-dev=0*",
    "git:i386",
]


# The same for bases with suites that are NotAutomatic; "@" stands for the first of these.
BEYOND = [
    "git less vim",
    "cmake",
    "cmake/@",
    "golang-go/@",
    "golang-go/@ git/@",
    "tmux/@",
    "curl/@ libcurl4-openssl-dev",
    "curl/@",
    "systemd-container/@",
    "libreoffice-writer-nogui/@",
    "qemu-utils/@",
    "debhelper/@",
    "nothing-of-this-name/@",
    "git/nowhere",
    "ansible-core/@ ansible/@",
    "python3-jwcrypto/@",
]

BASES = [Base("debian-12", "bookworm"), Base("debian-13", "trixie"),
         Base("ubuntu-22.04", "jammy"), Base("ubuntu-24.04", "noble"),
         Base("debian-12-beyond", "bookworm", ["bookworm-backports"]),
         Base("debian-13-beyond", "trixie", ["trixie-backports"]),
         Base("ubuntu-24.04-beyond", "noble", ["noble-backports"])]


def note(text):
    print(text, flush=True)


def get(url):
    with urllib.request.urlopen(url, timeout=60) as page:
        return page.read()


def keyring_of(base, work):
    """A keyring file on this machine: from the base's own keyring package."""
    path = os.path.join(work, base.keyring + ".gpg")
    if not os.path.exists(path):
        uri, suite = base.archives[0]
        text = lzma.decompress(get(f"{uri}/dists/{suite}/main/binary-amd64/Packages.xz")).decode()
        file = re.search(rf"^Package: {base.keyring}\n(?:.+\n)*?Filename: (.*)$", text, re.M)[1]
        with tempfile.TemporaryDirectory() as d:
            with open(d + "/deb", "wb") as f:
                f.write(get(f"{uri}/{file}"))
            subprocess.run(["dpkg-deb", "-x", d + "/deb", d + "/tree"], check=True)
            name = "debian-archive-keyring.gpg" if base.debian else "ubuntu-archive-keyring.gpg"
            shutil.copy(f"{d}/tree/usr/share/keyrings/{name}", path)
    return path


class Apt:
    """apt-get in a chroot of the base or, `root` being None, the host's in a folder of its own."""

    def __init__(self, base, work, in_chroot):
        self.base, self.work = base, work
        keys = keyring_of(base, work)
        self.root = os.path.join(work, base.name) if in_chroot else None
        self.folder = os.path.join(work, base.name + "-host")
        if in_chroot:
            self.make_chroot(keys)
        else:
            self.make_folder(keys)

    def make_chroot(self, keys):
        self.lists, self.status = os.path.join(self.root, "var/lib/apt/lists"), os.path.join(self.root, "solve/status")
        stamp = os.path.join(self.root, "solve/updated")
        if not os.path.exists(stamp) or os.path.getmtime(stamp) < time.time() - STALE:
            shutil.rmtree(self.root, ignore_errors=True)
            made = tempfile.mkdtemp(dir=self.work)
            os.chmod(made, 0o755)
            note(f"     unpacking {self.base.name}")
            subprocess.run(["mmdebstrap", "--quiet", "--variant=apt", "--mode=root", "--format=directory",
                            self.base.suite, made, "-"], input=self.base.sources(keys), text=True, check=True)
            os.makedirs(os.path.join(made, "solve"))
            shutil.copy(keys, os.path.join(made, "solve/keys.gpg"))
            with open(os.path.join(made, "etc/apt/sources.list"), "w") as f:
                f.write(self.base.sources("/solve/keys.gpg"))
            os.rename(made, self.root)
            shutil.copy("/etc/resolv.conf", os.path.join(self.root, "etc/resolv.conf"))
            self.run("update", check=True)
            open(stamp, "w").close()

    def make_folder(self, keys):
        shutil.rmtree(self.folder, ignore_errors=True)
        for d in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(self.folder, d))
        self.lists, self.status = os.path.join(self.folder, "lists"), os.path.join(self.folder, "status")
        with open(os.path.join(self.folder, "etc/apt/sources.list"), "w") as f:
            f.write(self.base.sources(keys))
        self.set_status("")
        self.run("update", check=True)

    def run(self, *args, own_status=False, check=False):
        o = ["-o", "APT::Architectures=amd64", "-o", "Acquire::Languages=none", "-o", "APT::Sandbox::User=root"]
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
        if self.root:
            head = ["chroot", self.root]
            o += [] if own_status or not os.path.exists(self.status) else ["-o", "Dir::State::status=/solve/status"]
        else:
            head, env["APT_CONFIG"] = [], "/dev/null"
            o += ["-o", f"Dir={self.folder}", "-o", f"Dir::State={self.folder}", "-o", f"Dir::State::status={self.status}",
                  "-o", f"Dir::State::lists={self.lists}", "-o", f"Dir::Cache={self.folder}/cache",
                  "-o", f"Dir::Etc={self.folder}/etc/apt", "-o", "APT::Architecture=amd64", "-o", "Debug::NoLocking=1"]
        return subprocess.run([*head, "apt-get", *o, *args], capture_output=True, text=True, env=env, check=check)

    def set_status(self, text):
        with open(self.status, "w") as f:
            f.write(text)

    def packages(self, uri, suite, component):
        name = uri.split("://")[1].replace("/", "_") + f"_dists_{suite}_{component}_binary-amd64_Packages"
        for f in os.listdir(self.lists):
            if f == name or f.startswith(name + "."):
                out = os.path.join(self.work, f"{self.base.name}.{suite}.{component}")
                with open(out, "wb") as to:
                    subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", os.path.join(self.lists, f)], stdout=to,
                                   check=True)
                return out
        raise SystemExit(f"apt has no list {name}")

    def pin(self, uri, suite):
        """apt_preferences(5): what the suite's Release says of its priority."""
        name = uri.split("://")[1].replace("/", "_") + f"_dists_{suite}_InRelease"
        with open(os.path.join(self.lists, name)) as f:
            head = f.read().split("\nSHA256:")[0]
        if not re.search(r"^NotAutomatic: yes", head, re.M):
            return 500
        return 100 if re.search(r"^ButAutomaticUpgrades: yes", head, re.M) else 1

    def install(self, names, fresh=False):
        """(set of (name, version), None) or (None, what apt says)."""
        # What it would fetch: simulating (-s) looks at the whole archive again for each package, which takes ten times as long.
        r = self.run("-qq", "--print-uris", "--no-remove", "--no-install-recommends", "install", *names, own_status=fresh)
        if r.returncode:
            return None, [line for line in r.stderr.splitlines() if line.startswith("E:")][-1:]
        return {(n, unquote(v)) for n, v in re.findall(r"^'\S+' ([^_ ]+)_([^_ ]+)_\S+\.deb ", r.stdout, re.M)}, None

    def installed(self):
        """What the fresh base has: (name, version)."""
        r = subprocess.run(["chroot", self.root, "dpkg-query", "-W", "-f", "${Package} ${Version}\n"],
                           capture_output=True, text=True, check=True)
        return {tuple(line.split()) for line in r.stdout.splitlines()}


class Ours:
    def __init__(self, tool, files):
        self.head = [tool, "amd64", *[f"{label}={path}" for label, path in files], "--essential"]

    def install(self, groups, of):
        r = subprocess.run([*self.head, *[x for g, names in groups for x in ("-g", g, *names)]],
                           capture_output=True, text=True)
        if r.returncode not in (0, 4):
            raise SystemExit(f"{r.stderr.strip()}\nsolve_deb ended with {r.returncode}")
        if r.returncode:
            return None, r.stderr.strip()
        rows = [line.split() for line in r.stdout.splitlines()]
        return {(n, v) for n, v, g in rows if g in of}, None


def paragraphs(files):
    """(name, version) to paragraph, and name to its versions in the order of the files."""
    found, versions = {}, {}
    for _, path in files:
        with open(path) as f:
            for text in f.read().split("\n\n"):
                n = re.search(r"^Package: (.*)$", text, re.M)
                if n:
                    version = re.search(r"^Version: (.*)$", text, re.M)[1]
                    found.setdefault((n[1], version), text)
                    versions.setdefault(n[1], []).append(version)
    return found, versions


def status_of(chosen, known):
    """A dpkg status file that says all of `chosen` is installed."""
    drop = re.compile(r"^(Filename|Size|MD5sum|SHA\d+|Description-md5|Tag):.*\n(?: .*\n)*", re.M)
    return "".join(drop.sub("", known[c] + "\n").replace("\n", "\nStatus: install ok installed\n", 1) + "\n"
                   for c in sorted(chosen))


def later(a, b):
    return subprocess.run(["dpkg", "--compare-versions", a, "gt", b]).returncode == 0


def expand(word, versions):
    """The version that "name=<" (release pocket) or "name=>" (the latest) stands for."""
    name, mark = word[:-2].split(":")[0], word[-2:]
    if mark not in ("=<", "=>") or name not in versions:
        return word
    best = versions[name][0]
    for v in versions[name] if mark == "=>" else []:
        best = v if later(v, best) else best
    return word[:-1] + best


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


def compare_cases(title, cases, ask_apt, ask_us):
    good = 0
    for case in cases:
        good += compare(f"{title}: {' '.join(case)}", ask_apt(case), ask_us(case))
    note(f"{title}: {good} of {len(cases)} cases equal")
    return good == len(cases)


def judge(base, tool, args, in_chroot):
    apt = Apt(base, args["--work"], in_chroot)
    files = [(f"{suite}/{c}@{apt.pin(uri, suite)}", apt.packages(uri, suite, c)) for uri, suite in base.archives for c in base.components]
    ours = Ours(tool, files)
    known, versions = paragraphs(files)
    cases = [[expand(word, versions) for word in case.split()] for case in base.cases]
    cases = [[word.replace("/@", "/" + "".join(base.beyond[:1])) for word in case] for case in cases]
    rng, names = random.Random(args["--seed"]), sorted({n for n, _ in known})
    cases += [rng.sample(names, rng.choice((1, 1, 2, 3))) for _ in range(args["--random"])]
    if args["--only"]:
        cases = [args["--only"].split()]
    # In CI each case in one state, and in the other one on the next base.
    which = BASES.index(base) % 2 if in_chroot and not (args["--only"] or os.environ.get("ALL")) else None
    on_fresh, on_groups = (cases, cases) if which is None else (cases[which::2], cases[1 - which :: 2])
    good = True
    if in_chroot:
        fresh = [("base", ["apt"])]
        good &= compare(f"{base.name} itself", (apt.installed(), None), ours.install(fresh, {"base"}))
        good &= compare_cases(f"{base.name}, fresh", on_fresh, lambda c: apt.install(c, fresh=True),
                              lambda c: ours.install([*fresh, ("apt", c)], {"apt"}))
    groups, installed = [], set()
    apt.set_status("")
    for group, wanted in base.groups:
        groups.append((group, wanted))
        theirs = apt.install((["?essential"] if group == "base" else []) + wanted)
        good &= compare(f"{base.name}, group {group}: {' '.join(wanted)}", theirs, ours.install(groups, {group}))
        installed |= theirs[0] or set()
        apt.set_status(status_of(installed, known))
    good &= compare_cases(f"{base.name}, groups", on_groups, apt.install,
                          lambda c: ours.install([*groups, ("apt", c)], {"apt"}))
    return good


def take(args, name, default):
    if name not in args:
        return default
    at = args.index(name)
    value = args[at + 1]
    del args[at:at + 2]
    return type(default)(value)


QUICK = ["debian-12", "ubuntu-24.04"]  # the others take ten minutes more


def main():
    words = sys.argv[1:]
    args = {name: take(words, name, default) for name, default in
            (("--random", 0), ("--seed", 1), ("--base", ""), ("--only", ""),
             ("--work", "/var/tmp/envbuild-solve-vs-apt"))}
    tool = words[0] if words else os.path.join(os.environ.get("TOOLS", "build/obj-cc/tools"), "solve_deb")
    for needed in ("apt-get", "dpkg-deb", tool):
        if not shutil.which(needed):
            note(f"skipped: no {needed}")
            return 0
    in_chroot = os.geteuid() == 0 and bool(shutil.which("mmdebstrap"))
    wanted = [args["--base"]] if args["--base"] else [b.name for b in BASES] if os.environ.get("ALL") else QUICK
    bases = [b for b in BASES if b.name in wanted]
    if not bases:
        raise SystemExit(f"no base {args['--base']}; there are " + ", ".join(b.name for b in BASES))
    if not in_chroot:
        note("skipped: every base but debian-12, whose judge is the host's apt: no root or no mmdebstrap")
        bases = [b for b in bases if b.name == "debian-12"]
    os.makedirs(args["--work"], mode=0o755, exist_ok=True)
    wrong = [b.name for b in bases if not judge(b, tool, args, in_chroot)]
    note("as apt: " + ", ".join(b.name for b in bases) if not wrong else "different: " + ", ".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
