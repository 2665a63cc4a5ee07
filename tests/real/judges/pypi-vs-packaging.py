#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pypi-vs-packaging.py JUDGE [--tests FOLDER] [--seeds N]: hold build/.../tools/judge_pypi against the
`packaging` project on generated versions, specifiers, requirements, markers, names and wheel names,
good and bad. FOLDER is packaging's own test suite: every text in it is tried as each of these.
"""
import argparse
import ast
import importlib.util
import os
import random
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("pypi_tables", os.path.join(HERE, "packaging-tables.py"))
tables = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tables)

import packaging  # noqa: E402  (the tables say "skipped" where it is missing)
from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName  # noqa: E402
from packaging.requirements import InvalidRequirement, Requirement  # noqa: E402
from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: E402
from packaging.utils import canonicalize_name  # noqa: E402
from packaging.version import InvalidVersion, Version  # noqa: E402

PYTHONS = ["3.9.18", "3.10.12", "3.11.2", "3.12.3", "3.13.5", "3.14.0rc1", "3.15.0a2"]
MACHINES = ["x86_64", "aarch64"]
PAIRS = 40000  # of packaging's own texts


def environment(python, machine):
    minor = ".".join(python.split(".")[:2])
    return {**tables.ENV, "python_version": minor, "python_full_version": python,
            "implementation_version": python, "platform_machine": machine}


def version(text):
    return tables.one_version(text)


def order(a, b):
    a, b = Version(a), Version(b)
    return "<" if a < b else "=" if a == b else ">"


def specifier(text, v):
    try:
        s, v = SpecifierSet(text), Version(v)
    except (InvalidSpecifier, InvalidVersion):
        return "-"
    return ("yes" if s.contains(v, prereleases=True) else "no") + ("!" if s.prereleases else "")


def marker(text, extra, python, machine):
    try:
        m = Requirement("x; " + text).marker
    except InvalidRequirement:
        return "-"
    try:
        return "yes" if m.evaluate({**environment(python, machine), "extra": extra}) else "no"
    except (UndefinedComparison, UndefinedEnvironmentName):
        return "!"


def tree(markers):
    """packaging's marker as nested "and" and "or", whatever its parentheses."""
    if isinstance(markers, tuple):
        return " ".join(m.serialize() for m in markers)
    either, both = [], []
    for m in markers:
        if m == "or":
            either.append(both)
            both = []
        elif m != "and":
            both.append(tree(m))
    either.append(both)

    def flat(word, parts):
        parts = [q for p in parts for q in (p[1] if p[0] == word else (p,))]
        return parts[0] if len(parts) == 1 else (word, tuple(parts))
    return flat("or", [flat("and", b) for b in either])


def plain(requirement):
    """What a requirement means, whatever its spelling."""
    r = Requirement(requirement)
    extras = sorted({canonicalize_name(e) for e in r.extras})
    specs = sorted((s.operator, s.version) for s in r.specifier)
    return canonicalize_name(r.name), extras, specs, r.url, tree(r.marker._markers) if r.marker else ""


def same_requirement(text, printed):
    try:
        want = plain(text)
    except InvalidRequirement:
        return printed == "-", "-"
    try:
        return printed != "-" and plain(printed) == want, str(want)
    except InvalidRequirement:
        return False, str(want)


def strings_of(folder, names):
    """Every text in these test programs, and what stands in them between blanks."""
    found = {}
    for name in names:
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            for node in ast.walk(ast.parse(f.read())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 300:
                    found[node.value] = None
    return list(found)


def own_questions(folder, rng):
    texts = strings_of(folder, ["test_version.py", "test_specifiers.py"])
    good = [t for t in texts if version(t) != "-"]
    yield from (("version", t) for t in texts)
    for _ in range(PAIRS):
        yield "order", rng.choice(good), rng.choice(good)
    sets = [t for t in texts if re.match(r"\s*[<>=!~]", t)] + [o + v for v in good for o in
                                                              ("==", "!=", "<", ">", "<=", ">=", "~=", "===")]
    for _ in range(PAIRS):
        s = rng.choice(sets)
        if rng.random() < 0.2:
            s += rng.choice([",", " , "]) + rng.choice(sets)
        yield "specifier", s, rng.choice(good)
    for t in strings_of(folder, ["test_requirements.py", "test_markers.py", "test_metadata.py"]):
        yield "requirement", t
        yield "requirement", "name; " + t
        yield "requirement", "name " + t
        for _ in range(4):
            yield "marker", t, rng.choice(["", "", "test"]), rng.choice(PYTHONS), rng.choice(MACHINES)
    yield from (("name", t) for t in strings_of(folder, ["test_utils.py"]) if re.fullmatch(r"[\w.-]+", t, re.A))
    for t in strings_of(folder, ["test_utils.py"]):
        yield "wheel?", t


def marker_text(rng, depth=0):
    variables = list(tables.ENV) + ["extra"]
    values = ["3.9", "3.10", "3.11", "3.11.2", "3.12", "3.13", "3.14", "3.11.*", "3", "linux", "win32", "darwin", "Linux",
              "Windows", "posix", "nt", "x86_64", "aarch64", "arm64 aarch64", "CPython", "PyPy", "cpython", "test",
              "3.10 3.11", "3.10,3.11", "", "3.14.0rc1", "3.13.0a1", "3.11.0+local", "2.7", "Test_Extra", "x"]
    if depth < 3 and rng.random() < 0.5:
        a, b = marker_text(rng, depth + 1), marker_text(rng, depth + 1)
        word = rng.choice(["and", "or"])
        return rng.choice(["{} {} {}", "({}) {} {}", "{} {} ({})", "({} {} {})", "( {} ) {}({})"]).format(a, word, b)
    q = rng.choice("'\"")
    a, b = rng.choice(variables), q + rng.choice(values) + q
    op = rng.choice("== != < > <= >= ~= in".split() + ["==", "!=", ">=", "<", "not in", "in"])
    gap = rng.choice(["", " ", " ", "  "]) if not op[-1].isalpha() else " "
    if rng.random() < 0.2:
        a, b = b, a
    return a + gap + op + gap + b


def requirement_text(rng):
    name = rng.choice(["a", "A", "Foo.Bar", "foo_bar", "foo--bar", "f-1", "1a", "x.y", "foo_", "-x", "é", "zope.interface"])
    s = name + rng.choice(["", "", " "])
    if rng.random() < 0.4:
        s += "[" + rng.choice([",", " , "]).join(rng.choice(["a", "B", "a-b", "x_y", "z.z", ""][:6 if rng.random() < 0.1 else 5])
                                                 for _ in range(rng.randint(0, 3))) + "]"
    s += rng.choice(["", " "])
    if rng.random() < 0.2:
        s += "@" + rng.choice(["", " "]) + rng.choice(
            ["https://x.org/a-1.0-py3-none-any.whl", "https://x.org/a.whl#sha256=00", "file:///a.whl", "git+https://x.org/a@b#egg=a",
             "a b", "./a.whl", "", "https://u:p@x.org/a;b.whl"])
        s += rng.choice([" ", " ", ""])
    elif rng.random() < 0.8:
        specs = [rng.choice("== != <= >= < > ~= ===".split()) + rng.choice(["", " "]) +
                 rng.choice(["1", "1.0", "1.0.*", "2.0rc1", "1!2.0", "1.0+cu124", "2024.1", "1.0.post1", "x", "1.0.dev0", "*", "1.0-1"])
                 for _ in range(rng.choice([0, 1, 1, 1, 2, 3]))]
        text = rng.choice([",", " , ", ", "]).join(specs) + rng.choice(["", "", "", ","])
        s += "(" + text + ")" if rng.random() < 0.2 else text
    if rng.random() < 0.5:
        s += rng.choice([";", " ; ", "; "]) + marker_text(rng)
    if rng.random() < 0.1:
        at = rng.randrange(len(s) + 1)
        s = s[:at] + rng.choice(["", "(", ")", ",", ";", "'", " ", "\t", "=", "!", "@", "[", "]", "#"]) + s[at + 1:]
    return s


def made_questions(seed):
    rng = random.Random(seed)
    good = [t for t in tables.versions(rng) if version(t) != "-"]
    for t in tables.versions(rng):
        yield "version", t
        if rng.random() < 0.3:
            at = rng.randrange(len(t) + 1)
            yield "version", t[:at] + rng.choice([".", "-", "+", "!", "a", "dev", "0", " ", "_", "*", "v"]) + t[at:]
    for _ in range(3000):
        yield "order", rng.choice(good), rng.choice(good)
    for row in tables.specifier_table(rng):
        if row[0] != "#":
            yield "specifier", *row.split("\t")[:2]
    for _ in range(2500):
        yield "marker", marker_text(rng), rng.choice(["", "test", "x", "test-extra"]), rng.choice(PYTHONS), rng.choice(MACHINES)
    for _ in range(2500):
        yield "requirement", requirement_text(rng)
    for _ in range(200):
        yield "name", "".join(rng.choice("aAbZ09-_.") for _ in range(rng.randint(1, 12)))
    for row in tables.wheel_table(rng):
        if row[0] != "#":
            f = row.split("\t")
            yield "wheel", f[0], f[1], f[2], f[3]


def escape(text):
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def ask(judge, questions):
    text = "".join("\t".join(escape(f) for f in q) + "\n" for q in questions)
    done = subprocess.run([judge], input=text.encode("utf-8", "surrogatepass"), stdout=subprocess.PIPE, check=True)
    return done.stdout.decode("utf-8", "surrogatepass").split("\n")


def rank_of(name):
    """Of a wheel name alone: whether it is one."""
    try:
        tables.utils.parse_wheel_filename(name)
        return True
    except tables.utils.InvalidWheelFilename:
        return False


def defensible(q, want, got):
    """Differences that are meant, and why."""
    # Numbers beyond 64 bits and more than 16 parts are refused: no version has them, arithmetic stays simple.
    if want != "-" and got == "-" and (re.search(r"\d{20}", q[1]) or max(t.count(".") for t in q[1:]) > 15):
        return "beyond 64 bits or 16 numbers"
    # Blanks are those of ASCII; nothing on an index has others.
    if want != "-" and got == "-" and any(c.isspace() and not c.isascii() for c in "".join(q[1:])):
        return "blanks beyond ASCII"
    # A requirement comes from a line, whose end is cut before.
    if q[0] == "requirement" and q[1] != q[1].strip() and want == "-":
        return "blank ends of a line"
    if q[0] == "wheel?" and not q[1].isascii():
        return "a wheel's name beyond ASCII"
    return None


def main():
    p = argparse.ArgumentParser()
    p.add_argument("judge")
    p.add_argument("--tests")
    p.add_argument("--seeds", type=int, default=3)
    p.add_argument("--first", type=int, default=1)
    o = p.parse_args()
    questions = [("version", "1." + 20 * "9"), ("version", ".".join(17 * "1"))]
    if o.tests:
        questions += own_questions(o.tests, random.Random(1))
    for seed in range(o.first, o.first + o.seeds):
        questions += made_questions(seed)
    questions = list(dict.fromkeys(q for q in questions if "\0" not in "".join(q) and "\r" not in "".join(q)))
    answers = ask(o.judge, [("wheel", q[1], "11", "36") if q[0] == "wheel?" else q[:4] if q[0] == "wheel" else q
                            for q in questions])
    counts, wrong, meant = {}, 0, {}
    judges = {"version": version, "order": order, "specifier": specifier, "marker": marker, "name": canonicalize_name}
    for q, got in zip(questions, answers):
        counts[q[0].rstrip("?")] = counts.get(q[0].rstrip("?"), 0) + 1
        if q[0] == "requirement":
            ok, want = same_requirement(q[1], got)
        elif q[0] == "wheel?":
            want, ok = rank_of(q[1]), (got != "-") == rank_of(q[1])
        else:
            want = q[4] if q[0] == "wheel" else judges[q[0]](*q[1:])
            ok = got == want
        if ok:
            continue
        why = defensible(q, want, got)
        if why:
            meant[why] = meant.get(why, 0) + 1
            continue
        wrong += 1
        if wrong <= 40:
            print(f"  {q}: ours {got!r}, packaging {want!r}")
    print(f"{'ok' if not wrong else 'OTHER'}: {len(questions)} answers compared with packaging {packaging.__version__} (" +
          ", ".join(f"{n} {k}" for k, n in sorted(counts.items())) + f"), {wrong} differ" +
          "".join(f", {n} meant: {why}" for why, n in meant.items()))
    return 1 if wrong else 0


sys.exit(main())
