#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare the apt solver with apt itself on tiny archives made at random: alternatives, versioned relations,
conflicts, breaks and virtual packages in every mixture, which real archives have but seldom.

usage: solve-random-vs-apt.py [TOOL] [--archives N] [--seed S]

TOOL is the built tests/tools/solve_deb. Each archive is made from its own seed, S and the numbers behind it. A
difference prints the archive, and its seed tries it again. Where apt gives up and we find an answer, nothing is wrong:
apt does not go back far. KNOWN are differences that wait to be mended. The host's apt judges, in a folder of its own.
"""
import argparse, os, random, re, shutil, subprocess, sys, tempfile

VERSIONS, OPERATORS = (1, 2, 3), (">=", "<=", "=", "<<", ">>")
KNOWN = {129: "apt takes another provider of a virtual package",
         187: "apt takes an alternative where we refuse, for the first one conflicts with a later relation"}
SHOWN = ("Package", "Version", "Priority", "Depends", "Conflicts", "Breaks", "Provides")


class Archive:
    """Packages of a few versions; their names begin with the seed, so that many archives can be one list of apt's."""

    def __init__(self, seed):
        self.seed, self.dice = seed, random.Random(seed)
        self.real = [f"p{seed}{letter}" for letter in "abcdefghij"[: self.dice.randint(5, 10)]]
        self.virtual = [f"p{seed}v1", f"p{seed}v2"]
        self.packages = [self.package(name, version) for name in self.real
                         for version in sorted(self.dice.sample(VERSIONS, self.dice.choice((1, 1, 2))))]
        self.wanted = self.dice.sample(self.real, self.dice.choice((1, 1, 2)))

    def chance(self, share):
        return self.dice.random() < share

    def relation(self, names):
        name = self.dice.choice(names)
        return f"{name} ({self.dice.choice(OPERATORS)} {self.dice.choice(VERSIONS)})" if self.chance(0.25) else name

    def package(self, name, version):
        every = self.real + self.virtual
        others = [n for n in every if n != name]
        depends = [" | ".join(self.relation(others) for _ in range(self.dice.choice((1, 1, 1, 2, 3))))
                   for _ in range(self.dice.choice((0, 1, 1, 2, 3)))]
        fields = {"Package": name, "Version": version, "Architecture": "amd64", "Maintainer": "nobody",
                  "Priority": self.dice.choice(("optional", "optional", "optional", "important", "extra"))}
        if depends:
            fields["Depends"] = ", ".join(depends)
        for field in ("Conflicts", "Breaks"):
            if self.chance(0.15):
                fields[field] = self.relation(every)
        if self.chance(0.3):
            fields["Provides"] = self.dice.choice(self.virtual)
            if self.chance(0.5):
                fields["Provides"] += f" (= {self.dice.choice(VERSIONS)})"
        fields.update(Filename=f"pool/{name}_{version}.deb", Size=1, SHA256="0" * 64, Description="nothing")
        return fields

    def text(self, fields=None):
        return "\n".join("".join(f"{key}: {value}\n" for key, value in p.items() if not fields or key in fields)
                         for p in self.packages) + "\n"


class Apt:
    """The host's apt-get in a folder of its own, where nothing is installed."""

    def __init__(self, folder, archives):
        self.folder = folder
        for d in ("archive", "etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/trusted.gpg.d", "lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(folder, d))
        self.write("status", "")
        self.write("archive/Packages", "".join(a.text() for a in archives))
        self.write("etc/apt/sources.list", f"deb [trusted=yes] copy:{folder}/archive ./\n")
        done = self.run("update")
        if done.returncode:
            raise SystemExit(f"apt-get update: {done.stderr}")

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as f:
            f.write(text)

    def run(self, *args):
        options = {"Dir": "", "Dir::State": "", "Dir::State::status": "status", "Dir::State::lists": "lists",
                   "Dir::Cache": "cache", "Dir::Etc": "etc/apt"}
        words = [w for key, at in options.items() for w in ("-o", f"{key}={os.path.join(self.folder, at)}")]
        for setting in ("APT::Architecture=amd64", "APT::Architectures=amd64", "Debug::NoLocking=1",
                        "Acquire::Languages=none", "APT::Sandbox::User=root"):
            words += ["-o", setting]
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "APT_CONFIG": "/dev/null"}
        return subprocess.run(["apt-get", *words, *args], capture_output=True, text=True, env=env)

    def install(self, names):
        """The set of (name, version), or None; and what it says."""
        done = self.run("-s", "--no-install-recommends", "install", *names)
        found = set(re.findall(r"^Inst (\S+?)(?::amd64)? (?:\[[^]]*\] )?\((\S+)", done.stdout, re.M))
        return (None if done.returncode else found), done.stderr


def ours(tool, folder, archive):
    path = os.path.join(folder, "one")
    with open(path, "w") as f:
        f.write(archive.text())
    done = subprocess.run([tool, "amd64", f"test/main={path}", "-g", "apt", *archive.wanted], capture_output=True, text=True)
    if done.returncode not in (0, 4):
        raise SystemExit(f"solve_deb ended with {done.returncode} on --archives 1 --seed {archive.seed}: {done.stderr}")
    found = {tuple(line.split()[:2]) for line in done.stdout.splitlines()}
    return (None if done.returncode else found), done.stderr


def main():
    p = argparse.ArgumentParser()
    p.add_argument("tool", nargs="?", default=os.path.join(os.environ.get("TOOLS", "build/obj-cc/tools"), "solve_deb"))
    p.add_argument("--archives", type=int, default=200)
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    for needed in ("apt-get", a.tool):
        if not shutil.which(needed):
            print(f"skipped: no {needed}")
            return 0
    archives = [Archive(a.seed + i) for i in range(a.archives)]
    counts = dict.fromkeys(("the same", "both refuse", "apt gives up", "known", "we refuse", "different"), 0)
    with tempfile.TemporaryDirectory() as folder:
        apt = Apt(folder, archives)
        for archive in archives:
            (theirs, apt_says), (mine, we_say) = apt.install(archive.wanted), ours(a.tool, folder, archive)
            if theirs is None or mine is None:
                how = "both refuse" if theirs == mine else "apt gives up" if theirs is None else "we refuse"
            else:
                how = "the same" if theirs == mine else "different"
            if archive.seed in KNOWN:
                print(f"known: --archives 1 --seed {archive.seed}: {how}: {KNOWN[archive.seed]}")
                how = "known"
            counts[how] += 1
            if how in ("we refuse", "different"):
                print(f"DIFF --archives 1 --seed {archive.seed}: {how}: {' '.join(archive.wanted)}\n{archive.text(SHOWN)}"
                      f"apt: {sorted(theirs) if theirs else apt_says}\nours: {sorted(mine) if mine else we_say}")
    wrong = counts["we refuse"] + counts["different"]
    print(f"{'DIFF' if wrong else 'ok'}: {a.archives} archives from seed {a.seed}: " + ", ".join(f"{n} {how}" for how, n in counts.items()))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
