# SPDX-License-Identifier: Apache-2.0
"""The README says what the program does: its commands run here, on a base and an index of the loopback world, and its
tables are the program's. tests/real/readme.sh runs the same on the real network. As lib.py."""
import json, os, re, shlex, subprocess

import readme_commands
from lib import at, read, run, scenario
from registry_peer import Registry

SCHEMA = os.path.join(readme_commands.TOP, "builder/model/recipe.schema.json")
ENGINE = """#!/bin/sh
case $1 in
version) ;;
load) exec cat >/dev/null ;;
run) echo 2.6.0+cu124 ;; # as the image would
*) exit 1 ;;
esac
"""


def place(stage):
    """A folder with an engine, where PyPI is the world's index."""
    path = stage.fresh()
    readme_commands.prepare(path)
    os.makedirs(path + "/bin")
    os.makedirs(path + "/config/envbuild")
    with open(path + "/bin/docker", "w") as f:
        f.write(ENGINE)
    os.chmod(path + "/bin/docker", 0o755)
    with open(path + "/config/envbuild/config.yaml", "w") as f:
        f.write("mirrors:\n" + "".join(f"  https://pypi.org{x}: {at(stage, x)}\n" for x in ("/simple/", "/files/")))
    return path, stage.env(path, PATH=f"{path}/bin:{os.path.dirname(stage.envbuild)}:/usr/bin:/bin",
                           XDG_CONFIG_HOME=path + "/config", HTTPS_PROXY="http://127.0.0.1:1")


@scenario
def the_commands_give_what_it_says(stage):
    path, env = place(stage)
    with Registry() as registry:
        ran = go_through(path, env, "docker://" + registry.host + "/")
    assert ran > 15, ran


def go_through(path, env, registry):
    """How many commands it ran."""
    ran = 0
    for kind, name, what in readme_commands.steps():
        if kind == "file":
            with open(f"{path}/{name}", "w") as f:
                f.write(what)
            continue
        words = shlex.split(name)
        if words[0] not in ("envbuild", "echo"):
            continue  # other tools: tests/real/readme.sh
        out = readme_commands.run(name.replace(readme_commands.REGISTRY, registry), path, env)
        readme_commands.hold(name, what, out)
        ran += 1
        if words[1] == "init":
            with open(f"{path}/{words[-1]}", "a") as f:
                f.write("base: ./base.yaml\n")
    return ran


@scenario
def its_mistake_is_told_as_it_says(stage):
    path, env = place(stage)
    line = re.search(r"(?m)^ml\.yaml:2:7: .*$", readme_commands.text()).group(0)
    with open(path + "/ml.yaml", "w") as f:
        f.write('pytorch: "2.6.0"\ncuda: "12.1"\n')
    done = subprocess.run(["envbuild", "lock", "ml.yaml"], cwd=path, env=env, capture_output=True, text=True)
    assert done.returncode == 4 and line in done.stderr.splitlines(), done


def rows(head):
    table = readme_commands.text().split(f"\n| {head} |", 1)[1].split("\n\n", 1)[0]
    return [re.findall(r"`([a-z_]+)`", line.split("|")[1]) for line in table.split("\n")[2:]]


@scenario
def its_tables_are_whole(stage):
    path = stage.fresh()
    known = re.findall(r"(?m)^  ([a-z]+) +[A-Z]", run(stage, path, "help")[0])
    told = [name for row in rows("command") for name in row]
    assert set(known) <= set(told), set(known) - set(told)
    with open(SCHEMA, encoding="utf-8") as f:
        keys = set(json.load(f)["properties"])
    told = [name for row in rows("key") for name in row]
    assert keys <= set(told), keys - set(told)


@scenario
def its_pages_are_there(stage):
    for target in re.findall(r"\]\(([^)]+)\)", readme_commands.text()):
        assert os.path.exists(os.path.join(readme_commands.TOP, target)), target
    verbs = read(readme_commands.TOP, "builder/setup.sh").decode()
    for verb in re.findall(r"(?m)^sh builder/setup\.sh (\w+)", readme_commands.text()):
        assert re.search(rf"(?m)^(\w+ \| )*{verb}( \| \w+)*\)$", verbs), verb
