#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write, or with --check compare, the tables in tests/unit/data/pypi/ that say what the `packaging`
project makes of versions, specifiers, requirements, markers and wheel tags. The unit tests hold
our own reading against them. Needs `packaging` (pip install packaging); the choice of cases is fixed.
"""
import itertools
import os
import random
import sys

try:
    import packaging
    from packaging import _manylinux, tags, utils
    from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion, Version
except ImportError:
    print("skipped: the Python package `packaging` is not installed")
    sys.exit(0)

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "..", "unit", "data", "pypi")


def versions(rng):
    """Texts that are mostly versions."""
    fixed = """1.0.dev1 1.0a1.dev1 1.0a1 1.0rc1 1.0 1.0.0 1.0+abc 1.0+cu124 1.0+cu124.1 1.0+cu9 1.0+1
    1.0.post1.dev1 1.0.post1 1!0.1 v1.0 V2 1.0-1 1.0a 1.0a. 1.0a-1 1.0a--1 1.0.post 1.0post-dev1
    1.0.dev 1.0dev- 1.0-rev-3 1.0r4 1.0c1 1.0pre1 1.0preview.2 1.0ALPHA1 1.0_beta_2 1.0-1-1 1.0.
    .1 1..0 1.0+ 1.0+a..b 1.0+A.B-c_D 1.0+001.01 1.0+ubuntu.1 1.0+0 a 1.0b 1.0x 1!1!1 ! 1! 1.0.post1.post2
    1.0.dev1.post1 1.0a1b1 2.6.0 2.10.0 2.6.0+cu124 20240101123456 0 0.0 00.01 1.0.0.0.1 1.0-a-1-post-2-dev-3
    1.0.a.1 1.0__a1 1.0.rc 1.0-r 1.0.r.1 1.0rc1.post2.dev3 1.0rc1+x 1.0.dev0 0.dev0 0a0 1.0.*""".split()
    texts = list(fixed) + ["1.0 ", " 1.0", "1 .0", "", "1.0 a1", "1.0+x y"]
    for _ in range(400):
        s = rng.choice(["", "", "", "", "1!", "v", "0!", "2!"])
        s += ".".join(str(rng.choice([0, 0, 1, 1, 2, 10, 2024]))
                      for _ in range(rng.choice([1, 2, 2, 3, 3, 4])))
        if rng.random() < 0.4:
            s += rng.choice(["", ".", "-", "_"]) + rng.choice("a b rc c alpha beta pre preview RC".split())
            s += rng.choice(["", ".", "-", "_"]) + rng.choice(["", "0", "1", "2", "10"])
        if rng.random() < 0.3:
            s += rng.choice(["-1", "-2", ".post1", "post", ".post.2", "_rev3", "r1", ".post0"])
        if rng.random() < 0.3:
            s += rng.choice(["", ".", "-", "_"]) + "dev" + rng.choice(["", "0", "1", "-2", "12"])
        if rng.random() < 0.25:
            s += "+" + rng.choice(["cu118", "cu9", "cu124", "1", "2", "10", "abc", "ABC", "1.2", "1.b", "b.1",
                                   "local", "0", "cpu", "a_b", "01"])
        texts.append(s)
    return list(dict.fromkeys(texts))


def one_version(text):
    try:
        v = Version(text)
    except InvalidVersion:
        return "-"
    return f"{v} {'pre' if v.is_prerelease else 'final'}"


def version_table(rng):
    texts = versions(rng)
    yield "# text TAB normal form and kind, or - where it is none"
    for t in texts:
        yield f"{t}\t{one_version(t)}"


def order_table(rng):
    good = [t for t in versions(rng) if one_version(t) != "-"]
    yield "# a TAB < = or > TAB b"
    for _ in range(1500):
        a, b = rng.choice(good), rng.choice(good)
        va, vb = Version(a), Version(b)
        yield f"{a}\t{'<' if va < vb else '=' if va == vb else '>'}\t{b}"


def specifier_table(rng):
    good = [t.strip() for t in versions(rng) if one_version(t) != "-"]
    near = "1.0 1.0.dev1 1.0a1 1.0rc1 1.0+abc 1.0.post1 1.0.post1.dev1 1.0.post1+x 1.0rc1.post1 1.0rc1.dev2 1.0.1 1.1 0.9 1.0.0 " \
           "1.0.dev1+x 1.1.dev0 1.1a1 2.0 1!1.0 1.0.0.1 0 0.dev0 1.10 1.1.0 2".split()
    ops = "== != <= >= < > ~= ===".split()
    yield "# set TAB version TAB yes, no, or - where the set is malformed; a trailing ! wants pre-releases"
    rows = [(s, v) for s in ["", ",", ">=1", ">=1,", ",>=1", ">=1,,<2", ">= 1 , < 2", "==1.*", "== 1.0.*", "!=1.*",
                             "==1.0.0.*", "==1.0a1.*", ">=1.*", "~=1", "~=1.0", "~=1.0.0", "~=1.0a1", "~=1.0+x", ">=1.0+x",
                             "==1.0+abc", "!=1.0+abc", "===1.0", "===1.0.0", "=== foo", "===", "==", "1.0", "=1.0",
                             "==1.0.* ", "==v1.0", "==1!1.0", "==1!1.*", "~=1!1.0", ">=1 .0", "=>1", "==*", "==1.0.post1.*",
                             "~=1.0.post1", "!=1.0.*", "==1.*.0", "<1.0", "<1.0.post1", "<1.0a1.post1", "<0", ">1.0", ">1.0a1",
                             ">1.0.post1", ">1.0.dev1", "<=1.0", "<=1.0a1", "==1.0.dev1", "!=1.0.dev1", ">=1.0rc1,!=1.0", "===1.0rc1"]
            for v in near]
    for _ in range(2400):
        n = rng.choice([1, 1, 1, 2, 3])
        parts = []
        for _ in range(n):
            v = rng.choice(near if rng.random() < 0.5 else good)
            op = rng.choice(ops)
            parts.append(op + rng.choice(["", "", " "]) + v + (".*" if rng.random() < 0.1 else ""))
        rows.append((",".join(parts), rng.choice(near if rng.random() < 0.6 else good)))
    for spec, v in dict.fromkeys(rows):
        try:
            s = SpecifierSet(spec)
        except InvalidSpecifier:
            yield f"{spec}\t{v}\t-"
            continue
        # A Version, not its text: "===" compares with the normal form, as pip does.
        yield f"{spec}\t{v}\t{'yes' if s.contains(Version(v), prereleases=True) else 'no'}{'!' if s.prereleases else ''}"


ENV = {
    "implementation_name": "cpython", "implementation_version": "3.11.2", "os_name": "posix",
    "platform_machine": "x86_64", "platform_release": "", "platform_system": "Linux", "platform_version": "",
    "python_full_version": "3.11.2", "platform_python_implementation": "CPython", "python_version": "3.11",
    "sys_platform": "linux",
}


def marker_table(rng):
    names = list(ENV) + ["extra", "os.name", "sys.platform", "platform.machine", "platform.version",
                         "platform.python_implementation", "python_implementation"]
    values = ["3.11", "3.11.2", "3.8", "3.12", "3", "3.11.*", "linux", "linux2", "win32", "Linux", "Windows", "posix", "x86_64",
              "aarch64", "x86_64 arm64", "CPython", "cpython", "", "5.10", "test", "Test_Extra", "a-b", "3.8, 3.11", "4"]
    ops = "== != <= >= < > ~= === in".split() + ["not in"]
    rows = []
    for name in names:
        for value in values:
            for op in ops:
                if rng.random() < 0.3:
                    q = rng.choice("'\"")
                    lit = q + value + q
                    rows.append(f"{name} {op} {lit}" if rng.random() < 0.8 else f"{lit} {op} {name}")
    atoms = [r for r in rows if "~=" not in r and "===" not in r]
    for _ in range(400):
        picked = [rng.choice(atoms) for _ in range(rng.choice([2, 3, 3, 4]))]
        text = picked[0]
        for p in picked[1:]:
            text = rng.choice(["{} and {}", "{} or {}", "({}) and {}", "{} or ({})", "( {} )and({})"]).format(text, p)
        rows.append(text)
    rows += ["", "()", "python_version", "python_version >", "python_version > 3", "> '3'", "'a' == 'b'",
             "python_version > '3' and", "and", "python_version > '3' python_version > '2'", "(python_version > '3'",
             "python_version > '3')", "foo == 'x'", "python_version == \"3", "os_name==os_name", "'posix'==os_name",
             "python_version>'3'and os_name=='posix'", "python_version not  in '3'", "python_version notin '3'",
             "extras == 'x'", "'x' in extras", "python_versions > '3'", "extra == 'A.B'", "extra=='a-b'or extra=='Test_Extra'",
             "'Test-Extra' == extra", "python_version > '3' or os_name == 'x' and sys_platform == 'y'"]
    yield "# marker TAB extra TAB yes, no, - where it is malformed, ! where it cannot be evaluated"
    for text in dict.fromkeys(rows):
        extra = rng.choice(["", "", "a-b", "test-extra", "test"])
        try:
            r = Requirement("x; " + text)
        except InvalidRequirement:
            yield f"{text}\t{extra}\t-"
            continue
        try:
            got = "yes" if r.marker.evaluate({**ENV, "extra": extra}) else "no"
        except (UndefinedComparison, UndefinedEnvironmentName):
            got = "!"
        yield f"{text}\t{extra}\t{got}"


def requirement_table(rng):
    rows = """foo|Foo.Bar_baz|foo>=1|foo >= 1 , < 2|foo (>=1,<2)|foo(>=1)|foo()|foo[]|foo[a]|foo[B,a.c]|foo [ a , b ] >=1|foo[a,]|foo[,a]
foo[a b]|foo[a|foo @ https://x.org/f.whl|foo@https://x.org/f.whl|foo @ https://x.org/f.whl ; os_name=='posix'|foo @ https://x.org/f.whl; os_name=='posix'
foo @|foo[a]@ https://x.org/f.whl#sha256=ab|foo ; os_name=='posix'|foo;os_name=='posix'|foo;|foo >=1; os_name=='posix'|foo >=1,|foo >=1,,<2|foo ,>=1
foo >=1 <2|foo >=1.*|foo ==1.*|foo ~=1|foo ===abc;os_name=='x'|foo (===abc)|foo ===a,b|foo =1|foo 1.0|-foo|foo-|foo_|.foo|foo.|f|1foo|foo bar
foo (>=1|foo >=1)|foo (>=1) ; os_name == 'nt'|foo (>=1) junk|foo==1.0+local|foo>=1.0+local|foo[a]==1;extra=='x'|foo>1,!=1.5,<2.0.dev0|foo (>1 , )
foo (,)|foo ,|foo[a][b]|foo @ x y|foo==1.0 ; python_version<'3' or (os_name=='a' and os_name=='b')|foo  [a] (==1)|foo=='1'|foo\t>=1|foo>=1 # x
foo[a-b,A_B,a.b]|föö|foo==1;python_version >= '3' ;|foo!=1.0.*|foo==1.0.*,!=1.0.3|A|a-|foo[a_]|foo[_a]|foo[a-]
foo===1, <2|foo===1,<2|foo (=== 1,)|foo>=1 , ===1.0 , <2""".replace("\n", "|").split("|")
    yield "# requirement TAB name TAB extras TAB specifiers, sorted TAB url, or - where it is malformed"
    for text in rows:
        try:
            r = Requirement(text)
        except InvalidRequirement:
            yield f"{text.replace(chr(9), ' ')}\t-"
            continue
        extras = ",".join(sorted({utils.canonicalize_name(e) for e in r.extras}))
        spec = ",".join(sorted(str(s) for s in SpecifierSet(str(r.specifier))))
        yield "\t".join([text.replace("\t", " "), utils.canonicalize_name(r.name), extras, spec, r.url or ""])


def wheel_table(rng):
    yield "# wheel file TAB python minor TAB glibc minor TAB rank, none where it does not fit, - where it is not a wheel name"
    targets = [(9, 17), (11, 36), (12, 39), (13, 11), (14, 41), (10, 4)]
    pythons = "cp39 cp310 cp311 cp312 cp313 cp32 cp31 cp3 py2.py3 py3 py39 py311 py313 py30 py2 pp310 cp311.cp312 CP311 py3.py311".split()
    abis = "cp39 cp311 cp312 cp313 cp313t abi3 none none none CP311 abi3.none".split()
    platforms = """any any manylinux1_x86_64 manylinux2010_x86_64 manylinux2014_x86_64 manylinux_2_17_x86_64 manylinux_2_28_x86_64
    manylinux_2_5_x86_64 manylinux_2_4_x86_64 manylinux_2_36_x86_64 manylinux_2_39_x86_64 manylinux_2_40_x86_64 linux_x86_64 manylinux_2_17_aarch64 win_amd64
    musllinux_1_1_x86_64 manylinux_2_17_x86_64.manylinux2014_x86_64 manylinux_2_12_x86_64.manylinux2010_x86_64 manylinux_2_5_x86_64.manylinux1_x86_64
    manylinux_2_27_x86_64.manylinux_2_28_x86_64 macosx_11_0_arm64 linux_armv7l manylinux_3_1_x86_64 manylinux_2_017_x86_64""".split()
    ranks = {}
    for minor, glibc in targets:
        _manylinux._get_glibc_version = lambda g=glibc: (2, g)
        _manylinux._is_compatible = lambda arch, version, g=glibc: tuple(version) <= (2, g)
        plats = list(_manylinux.platform_tags(["x86_64"])) + ["linux_x86_64"]
        order = list(tags.cpython_tags((3, minor), [f"cp3{minor}"], plats))
        order += list(tags.compatible_tags((3, minor), f"cp3{minor}", plats))
        ranks[minor, glibc] = {t: i for i, t in reversed(list(enumerate(order)))}
    names = ["-".join(["x-1.0", a, b, c]) + ".whl" for a, b, c in itertools.product(pythons, abis, platforms)]
    rng.shuffle(names)
    names = names[:700] + ["x-1.0-1-py3-none-any.whl", "x-1.0-py3-none.whl", "x-1.0-b1-py3-none-any.whl", "x__y-1.0-py3-none-any.whl",
                           "x-1.0-py3-none-any.zip", "x-bad-py3-none-any.whl", "x-1.0-1-2-py3-none-any.whl", "x.y-1.0-py3-none-any.whl",
                           "-1.0-py3-none-any.whl", "x-1.0-py3..py2-none-any.whl", "x-1.0+cu124-py3-none-any.whl", "x-1.0-py3-none-any.WHL",
                           "x-1.0--py3-none-any.whl", "x y-1.0-py3-none-any.whl", "x-1.0-12abc-py3-none-any.whl", ".whl", "x.whl", "x-1.0-2.7.6-none-any.whl"]
    for i, name in enumerate(names):
        minor, glibc = targets[i % len(targets)]
        try:
            got = utils.parse_wheel_filename(name)[3]
        except utils.InvalidWheelFilename:
            yield f"{name}\t{minor}\t{glibc}\t-"
            continue
        fits = [ranks[minor, glibc][t] for t in got if t in ranks[minor, glibc]]
        yield f"{name}\t{minor}\t{glibc}\t{min(fits) if fits else 'none'}"


def main():
    check = sys.argv[1:] == ["--check"]
    os.makedirs(OUT, exist_ok=True)
    bad = 0
    for make in (version_table, order_table, specifier_table, marker_table, requirement_table, wheel_table):
        text = "\n".join(make(random.Random(440))) + "\n"
        path = os.path.join(OUT, make.__name__.replace("_table", "") + ".txt")
        if not check:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            continue
        with open(path, encoding="utf-8") as f:
            was = f.read()
        differ = [(a, b) for a, b in itertools.zip_longest(was.split("\n"), text.split("\n")) if a != b]
        for a, b in differ[:20]:
            print(f"{path}: has {a!r}, packaging {packaging.__version__} says {b!r}")
        bad += len(differ)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
