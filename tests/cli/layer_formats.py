# SPDX-License-Identifier: Apache-2.0
"""What the formats of layers promise: locks of older ones keep their plan and their bytes. As lib.py."""
import json

import world
from lib import build, later, lock, read, scenario
from overlaps import files_of, wheels


RECIPE = world.GOOD.replace("runtime", "compile") + "apt: [git]\n"

# Name, kind and artifacts of each layer, lowest first, and the diff_id that it has had since there is this format.
FORMAT_2 = [
    ("base", "system", "deb:apt deb:base-files deb:base-passwd deb:dash deb:dpkg deb:libc6", "3802d8490778cf240a9501c1266bdbf362efc7a482830c3a3ad446166458fad3"),
    ("python", "system", "deb:libpython3.11 deb:python3 deb:python3.11", "1310d20a7243ad8d29821b905af893ace6e3f0ec7bc4c8731ddc994788c88206"),
    ("cuda", "wheels", "wheel:nvidia-nccl-cu12 wheel:nvidia-cudnn-cu12 wheel:nvidia-cuda-runtime-cu12", "4c4568f3306a14ddb3d4e2e342b8297a373ea8fb98a8e48bf7db8c7f247aadbf"),
    ("triton", "wheels", "wheel:triton", "8e7e4c3998b2f424b09619fe92a14cbffe1ad4dd52705d0b4c54bd209bee8157"),
    ("torch", "wheels", "wheel:torch", "21fc6c1bee379baab5726f688f21195eeaf216ce54611f196f514ef6db9a1c2d"),
    ("wheels", "wheels", "wheel:pip wheel:filelock", "c10a504c4099e965cd3e4e3ace560a33c991e180296c273334bcad5c63d94c34"),
    ("apt", "system", "deb:git", "ef664976f05fb3711ba7f9774472a6e0a7a0e5195cd1d1fd8c48e208a3307c8f"),
    ("compile", "system", "deb:gcc", "dd81ce6c57f477c0204a2ebeb32d0eeb0115740594c950ebe6577176532ca3d2"),
    ("compile-wheels", "wheels", "wheel:setuptools", "79dce692ad05e73c218d8c48040503cf519ae150d43e9bf9618f17911df0a2d8"),
    ("files", "files", "", "be582d4a45297646a625c2f4ed1fd570e6cf9b0d4061027f7dffc521eba20cd6"),
]


def ask(stage, path, text=RECIPE):
    with open(path + "/recipe.yaml", "w") as f:
        f.write(text + f"indexes: [{stage.index}]\n")


def document(path):
    return json.loads(read(path, "recipe.lock"))


@scenario
def locks_of_format_2_keep_their_bytes(stage):
    path = stage.fresh()
    ask(stage, path)
    old = lock(stage, path)
    old.update({"format": 2, "layers": [{"name": name, "kind": kind, "artifacts": of.split()} for name, kind, of, _ in FORMAT_2]})
    with open(path + "/recipe.lock", "w") as f:
        json.dump(old, f)
    build(stage, path)
    again = document(path)
    assert again["format"] == 2
    assert [(n["name"], n["diff_id"]) for n in again["built"]["layers"]] == [(name, "sha256:" + d) for name, _, _, d in FORMAT_2]
    assert lock(stage, path) == again  # while nothing changes it stays


@scenario
def locks_of_format_3_keep_their_first_groups(stage):
    """Wheels of 4 to 8 MiB were one, too."""
    path = stage.fresh()
    wheels(path, *((name, [], {name + "/a.bin": world.noise(n << 20, n)}) for name, n in (("five", 5), ("six", 6))))
    ask(stage, path, RECIPE + "pip: [five, six]\nfind_links: [wheels]\n")
    old = lock(stage, path)
    layers = [layer for layer in old["layers"] if layer["name"] not in ("five", "six", "asked-8m")]
    layers.insert(-2, {"name": "asked-8m", "kind": "wheels", "artifacts": ["wheel:six", "wheel:five"]})
    with open(path + "/recipe.lock", "w") as f:
        json.dump({**old, "layers": layers}, f)
    build(stage, path)
    again = document(path)
    assert again["layers"] == layers
    is_now = next(n["diff_id"] for n in again["built"]["layers"] if n["name"] == "asked-8m")
    assert is_now == "sha256:a1ca0f04cd6fb569b75ab3527c66cb238fc6356070a84cb94a991045c5ffc9f8", is_now
    assert lock(stage, path) == again
    ask(stage, path, RECIPE + "pip: [five, six]\nfind_links: [wheels]\nenv: {A: b}\n")
    assert {"five", "six"} < {layer["name"] for layer in lock(stage, path)["layers"]}


def made(path):
    return {n["name"]: n["digest"] for n in document(path)["built"]["layers"]}


def changed(before, after):
    return [name for name in after if after[name] != before.get(name)]


@scenario
def an_update_changes_few_layers(stage):
    """Of debs that of their group and the state; of wheels that of their size, and no other."""
    path = stage.fresh()
    size = {"medium": 300 << 10, "large": 5 << 20, "tiny": 10, "more": 10, "big": 9 << 20}
    wheels(path, *((name, [], {name + "/a.bin": world.noise(n, n)}) for name, n in size.items()))
    pip = lambda *names: ask(stage, path, RECIPE + f"pip: [{', '.join(names)}]\nfind_links: [wheels]\n")
    pip("medium", "large", "tiny")
    lock(stage, path)
    build(stage, path)
    first = made(path)
    assert list(first) == ["cuda", "triton", "torch", "base", "python", "apt", "compile", "compile-wheels", "state",
                           "wheels-256k", "large", "asked-512k", "asked-256k", "files"], list(first)
    for name, new in (("more", ["asked-256k"]), ("big", ["big"])):
        pip("medium", "large", "tiny", name)
        lock(stage, path)
        build(stage, path)
        assert changed(first, made(path)) == new, (name, changed(first, made(path)))
    pip("medium", "large", "tiny")
    with later(stage):
        lock(stage, path, "--upgrade", "deb:libc6")
        build(stage, path)
    # The other git brings the same files, so that dpkg's status alone tells it. The recipe's files have the archive's date.
    assert changed(first, made(path)) == ["base", "state", "files"], changed(first, made(path))


@scenario
def the_files_are_those_of_format_2(stage):
    path = stage.fresh()
    ask(stage, path)
    new = lock(stage, path)
    files, _ = files_of(path, build(stage, path))
    assert new["format"] == 3 and b"Package: gcc" in files["var/lib/dpkg/status"]
    other = stage.fresh()
    ask(stage, other)
    with open(other + "/recipe.lock", "w") as f:
        json.dump({**new, "format": 2, "layers": [{"name": name, "kind": kind, "artifacts": of.split()} for name, kind, of, _ in FORMAT_2]}, f)
    old, times = files_of(other, build(stage, other))
    assert old == files and times["var/lib/dpkg/status"] == 4


@scenario
def a_lock_of_format_2_takes_the_new_plan_when_it_changes(stage):
    path = stage.fresh()
    ask(stage, path)
    old = lock(stage, path)
    with open(path + "/recipe.lock", "w") as f:
        json.dump({**old, "format": 2, "layers": [{"name": name, "kind": kind, "artifacts": of.split()} for name, kind, of, _ in FORMAT_2]}, f)
    assert lock(stage, path)["format"] == 2
    ask(stage, path, RECIPE.replace("[git]", "[git, make]"))
    assert lock(stage, path)["format"] == 3
