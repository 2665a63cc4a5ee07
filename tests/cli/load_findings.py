# SPDX-License-Identifier: Apache-2.0
"""The load proof in builds: what a package lacks fails the build when the recipe names it, and is told when not."""
import json, os, struct
import world
from lib import end, printed, scenario, start

GOOD = world.GOOD + "find_links: [wheels]\nstartup_check: off\n"


def elf(needed=(), soname="", needs=()):
    """A shared library that says no more than the loader asks. `needs`: (library, version)."""
    strings, dynamic = b"\0", b""

    def text(s):
        nonlocal strings
        strings += s.encode() + b"\0"
        return len(strings) - len(s) - 1

    for name in needed:
        dynamic += struct.pack("<QQ", 1, text(name))
    if soname:
        dynamic += struct.pack("<QQ", 14, text(soname))
    verneed = b"".join(struct.pack("<HHIII", 1, 1, text(lib), 16, 32 if i + 1 < len(needs) else 0) +
                       struct.pack("<IHHII", 0, 0, 2, text(version), 0) for i, (lib, version) in enumerate(needs))
    at = 64 + 2 * 56
    strings_at = at + len(verneed)
    if needs:
        dynamic += struct.pack("<QQQQ", 0x6FFFFFFE, at, 0x6FFFFFFF, len(needs))
    dynamic += struct.pack("<QQQQQQ", 5, strings_at, 10, len(strings), 0, 0)
    dynamic_at = strings_at + len(strings)
    end_at = dynamic_at + len(dynamic)
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 4, 0, 0, 0, end_at, end_at, 4096)
    dyn = struct.pack("<IIQQQQQQ", 2, 4, dynamic_at, dynamic_at, dynamic_at, len(dynamic), len(dynamic), 8)
    return head + load + dyn + verneed + strings + dynamic


def stage_with(stage, recipe, *wheels):
    path = stage.fresh({"recipe.yaml": GOOD + recipe})
    os.makedirs(os.path.join(path, "wheels"))
    for name, requires, files in wheels:
        file, body, _ = world.wheel(name, "1.0", world.CP, requires, files)
        with open(os.path.join(path, "wheels", file), "wb") as f:
            f.write(body)
    return path


def build(stage, path, *more):
    return end(start(stage, path, "build", "recipe.yaml", "--index", stage.index, *more))


def findings(path):
    return json.load(open(os.path.join(path, "recipe.lock")))["built"].get("findings", [])


SITE = "/opt/venv/lib/python3.11/site-packages/"
LACKS = SITE + "broken/_ext.cpython-311-x86_64-linux-gnu.so (broken) needs libnothere.so.7, which is not in the image"
BROKEN = ("broken", [], {"broken/__init__.py": b"\n", "broken/_ext.cpython-311-x86_64-linux-gnu.so": elf(["libnothere.so.7", "libcuda.so.1"])})


@scenario
def what_the_recipe_names_must_load(stage):
    path = stage_with(stage, "pip: [broken]\n", BROKEN)
    for _ in range(2):  # the second time the layers are known
        code, out, err = build(stage, path)
        assert code == 3 and out == "", (code, out, err)
        assert LACKS + "; name a package that brings it under `apt` or `pip`, or leave broken out" in err, err
        assert "built" not in json.load(open(os.path.join(path, "recipe.lock")))
    assert not os.path.exists(path + "/images/index.json") or "2.6.0" not in open(path + "/images/index.json").read()


@scenario
def what_came_along_is_told(stage):
    """A dependency that lacks a library: a warning, in the lock too, and not told again by builds from it."""
    path = stage_with(stage, "pip: [wants-it]\n", BROKEN, ("wants-it", ["broken"], {"wants_it.py": b"\n"}))
    code, first, err = build(stage, path, "-j", "8")
    assert code == 0 and "warning: " + LACKS in err, err
    assert findings(path) == [LACKS], findings(path)
    code, second, err = build(stage, path, "--locked", "-o", "oci:other")
    assert code == 0 and "warning" not in err, err
    assert printed(path, first) == printed(path, second)
    for what in ("recipe.yaml", "recipe.lock"):
        code, out, err = end(start(stage, path, "explain", "--findings", what))
        assert code == 0 and out == "would not load\n  " + LACKS + "\n" and err == "", (out, err)
    code, out, err = end(start(stage, path, "explain", "--findings", "--json", "recipe.yaml"))
    assert json.loads(out)["findings"] == [{"rank": "import", "package": "broken", "file": LACKS.split(" ")[0], "sentence": LACKS}], out


@scenario
def quiet_says_it_only_to_machines(stage):
    path = stage_with(stage, "pip: [wants-it]\n", BROKEN, ("wants-it", ["broken"], {"wants_it.py": b"\n"}))
    code, out, err = build(stage, path, "-q", "--json")
    assert code == 0 and err == "" and json.loads(out)["warnings"] == [LACKS], (out, err)
    code, out, err = build(stage, path, "-q", "--json")
    said = json.loads(out)
    assert code == 0 and err == "" and "warnings" not in said and said["findings"][0]["sentence"] == LACKS, (out, err)


@scenario
def versions_count_as_well(stage):
    path = stage_with(stage, "pip: [newer]\n", ("newer", ["lib"], {"newer/mod.so": elf(["libown.so.1"], needs=[("libown.so.1", "OWN_2")])}),
                      ("lib", [], {"torch/lib/libown.so.1": elf(soname="libown.so.1")}))
    code, _, err = build(stage, path)
    assert code == 0, err  # a library without versions has them all


@scenario
def libraries_of_torch_are_there_for_its_friends(stage):
    """`import torch` comes first, and loads what lies in torch/lib and nvidia/*/lib."""
    path = stage_with(stage, "pip: [friend, own]\n", ("friend", [], {"friend/_C.so": elf(["libown.so.1", "libnv.so.2"])}),
                      ("own", [], {"torch/lib/libown.so.1": elf(soname="libown.so.1"), "nvidia/x/lib/libnv.so.2": elf(soname="libnv.so.2")}))
    code, _, err = build(stage, path)
    assert code == 0 and "warning" not in err and findings(path) == [], err


@scenario
def plugins_are_told_in_one_line(stage):
    path = stage_with(stage, "pip: [plugs]\n", ("plugs", [], {f"plugs/libplug{i}.so": elf([f"libmissing{i}.so"]) for i in range(7)}))
    code, _, err = build(stage, path)
    assert code == 0 and err.count("warning") == 1 and "warning: plugs: libplug0.so needs libmissing0.so" in err and "; 6 more of its plug-ins lack something" in err, err
    assert len(findings(path)) == 7 and all(f.startswith("only where a plug-in is asked for: ") for f in findings(path))


@scenario
def inspect_finds_what_the_build_found(stage):
    path = stage_with(stage, "pip: [wants-it]\n", BROKEN, ("wants-it", ["broken"], {"wants_it.py": b"\n"}))
    code, out, err = build(stage, path)
    assert code == 0, err
    for place in (out.strip(), "oci:images", "images", out.strip() + "@" + printed(path, out)):
        code, text, err = end(start(stage, path, "inspect", "--json", place))
        assert code == 0, (place, err)
        said = json.loads(text)
        assert [f["sentence"] for f in said["load_findings"]] == [LACKS], said["load_findings"]
        assert said["digest"] == printed(path, out)
    code, text, err = end(start(stage, path, "inspect", "images"))
    assert code == 0 and "  " + LACKS in text and "made by" in text, text
    code, text, err = end(start(stage, path, "check", "images", "--driver", "470.82.01", "--gpu", "8.6"))
    assert code == 1 and "CUDA 12.4 needs 525.60.13" in text, (text, err)
    for place, says in (("oci:nowhere", "is not there"), ("oci:images:none", "holds no such image"), ("recipe.yaml", "is not an image")):
        code, text, err = end(start(stage, path, "inspect", place))
        assert code == 3 and says in err and text == "", (place, err)
    blob = max((os.path.join(path, "images/blobs/sha256", n) for n in os.listdir(path + "/images/blobs/sha256")), key=os.path.getsize)
    with open(blob, "r+b") as f:
        f.seek(os.path.getsize(blob) // 2)
        f.write(b"damaged")
    code, text, err = end(start(stage, path, "inspect", "images"))
    assert code == 6 and "the image is damaged" in err and text == "", (code, err)


VIDEO = ("movies", [], {"movies/__init__.py": b"\n",
                        "movies/_ext.cpython-311-x86_64-linux-gnu.so": elf(["libnvcuvid.so.1", "libnvidia-ml.so.1", "libcuda.so.1"])})
NOT_BROUGHT = (SITE + "movies/_ext.cpython-311-x86_64-linux-gnu.so (movies) needs libnvcuvid.so.1 of the driver, which "
               "NVIDIA_DRIVER_CAPABILITIES=%s does not bring; write `env: {NVIDIA_DRIVER_CAPABILITIES: \"%s,video\"}`")


@scenario
def the_driver_brings_what_the_image_asks_for(stage):
    """NVIDIA's container tools bring a library of the driver with its capability alone."""
    path = stage_with(stage, "pip: [movies]\n", VIDEO)
    code, out, err = build(stage, path)
    assert code == 3 and NOT_BROUGHT % (("compute,utility",) * 2) in err, (code, out, err)
    assert "libcuda" not in err and "libnvidia-ml" not in err, err
    for given in ("compute,video,utility", "all"):
        path = stage_with(stage, 'pip: [movies]\nenv: {NVIDIA_DRIVER_CAPABILITIES: "%s"}\n' % given, VIDEO)
        code, out, err = build(stage, path)
        assert code == 0 and findings(path) == [], (code, out, err)
    path = stage_with(stage, "pip: [wants-movies]\nenv: {NVIDIA_DRIVER_CAPABILITIES: compute}\n", VIDEO,
                      ("wants-movies", ["movies"], {"wants_movies.py": b"\n"}))
    code, out, err = build(stage, path)
    assert code == 0 and NOT_BROUGHT % ("compute", "compute") in findings(path), (code, err, findings(path))
    assert any("libnvidia-ml.so.1" in f and '"compute,utility"' in f for f in findings(path)), findings(path)
