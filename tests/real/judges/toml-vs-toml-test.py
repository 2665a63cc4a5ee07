#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""toml-vs-toml-test.py TOOL FOLDER: run TOOL on every file that toml-test (https://github.com/toml-lang/toml-test) lists for
TOML 1.0.0 in FOLDER, and compare what it prints with the right answer beside each valid one; the others it must refuse."""
import json, math, re, subprocess, sys


def seconds(text):
    """A time with its fraction cut to the milliseconds that every reader keeps."""
    return re.sub(r"\.(\d+)", lambda m: "." + (m.group(1) + "000")[:3].rstrip("0"), text).replace(".Z", "Z").rstrip(".")


def value(leaf):
    kind, text = leaf["type"], leaf["value"]
    if kind == "integer":
        return kind, int(text)
    if kind == "float":
        number = float(text)
        return kind, "nan" if math.isnan(number) else number
    if kind.startswith(("date", "time")):
        text = seconds(re.sub(r"[tT ](?=\d\d:)", "T", text).replace("z", "Z"))
        return kind, re.sub(r"[+-]00:00$", "Z", text)
    return kind, text


def is_leaf(x):
    return isinstance(x, dict) and set(x) == {"type", "value"} and isinstance(x["type"], str)


def same(a, b):
    if is_leaf(a) or is_leaf(b):
        return is_leaf(a) and is_leaf(b) and value(a) == value(b)
    if isinstance(a, dict):
        return isinstance(b, dict) and set(a) == set(b) and all(same(a[k], b[k]) for k in a)
    return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))


tool, folder = sys.argv[1:]
counts, faults = {"valid": 0, "invalid": 0}, 0
for name in open(f"{folder}/tests/files-toml-1.0.0").read().split():
    if not name.endswith(".toml"):
        continue
    part = name.split("/")[0]
    counts[part] += 1
    text = open(f"{folder}/tests/{name}", "rb").read()
    got = subprocess.run([tool], input=text, capture_output=True)
    error = got.stderr.decode()
    if part == "invalid":
        right = got.returncode == 1 and re.fullmatch(r"input:\d+:\d+: [^\n]+\n", error)
    else:
        right = got.returncode == 0 and same(json.loads(got.stdout), json.load(open(f"{folder}/tests/{name[:-5]}.json")))
    if not right:
        faults += 1
        print(f"{name}: exit {got.returncode}, {error.strip() or got.stdout.decode()[:300]}")
print(f"{counts['valid']} valid and {counts['invalid']} invalid files of TOML 1.0.0, {faults} wrong")
sys.exit(faults > 0 or min(counts.values()) < 100)
