#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stands for bwrap and all that a sealed build runs in it, where the world's Python is no Python: a wheel is the source's files below "src", with name,
version and requirements of pyproject.toml, and the lines of needs.txt as further ones; one with a file wants-gcc fails where the root has no
gcc. As bwrap of seal/sandbox.c."""
import os, re, sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import world


def project(src):
    with open(src + "/pyproject.toml") as f:
        text = f.read()
    value = lambda key: re.search(rf'^{key} = "(.*)"$', text, re.M).group(1)
    needs = re.search(r"^dependencies = \[(.*)\]$", text, re.M)
    needs = re.findall(r'"(.*?)"', needs.group(1)) if needs else []
    if os.path.exists(src + "/needs.txt"):
        needs += open(src + "/needs.txt").read().split("\n")[:-1]
    return value("name"), value("version"), needs


def files_below(top):
    found = {}
    for folder, _, names in sorted(os.walk(top)):
        for name in sorted(names):
            with open(f"{folder}/{name}", "rb") as f:
                found[os.path.relpath(f"{folder}/{name}", top)] = f.read()
    return found


def work(folder, step, root):
    os.makedirs(folder + "/result", exist_ok=True)
    src = folder + "/src/project"
    if step == "environment":
        os.makedirs(folder + "/env", exist_ok=True)
    elif step == "requires":
        open(folder + "/result/requires", "w").close()
    elif step == "wheel" and os.path.exists(src + "/wants-gcc") and not os.path.exists(root + "/usr/bin/gcc"):
        os.write(1, b"error: command 'gcc' failed: No such file or directory\n")
        return 1
    elif step == "wheel":
        name, version, needs = project(src)
        file, data = world.wheel(name, version, world.ANY, needs, files_below(src + "/src"))[:2]
        with open(f"{folder}/result/{file}", "wb") as f:
            f.write(data)
    else:
        sys.exit(step)
    return 0


def main():
    argv = sys.argv[1:]
    command = argv[argv.index("--") + 1:]
    if command == ["true"]:
        return
    with os.fdopen(3, "w") as status:
        print('{"child-pid": %d}' % os.getpid(), file=status, flush=True)
        os.read(4, 1)
        code = work(argv[argv.index("/seal/build") - 1], command[command.index("/seal/in/driver.py") + 1], argv[argv.index("--ro-bind") + 1])
        print('{"exit-code": %d}' % code, file=status, flush=True)


main()
