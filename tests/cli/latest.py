# SPDX-License-Identifier: Apache-2.0
"""`latest` is no release; what is written instead is told, and taken. As lib.py."""
import json, os, re

from lib import run, scenario

NEWEST = r"the newest (?:that runs on this machine )?is ([0-9.]+)-cuda([0-9.]+)-cudnn[0-9]+-runtime"


@scenario
def a_recipe_is_told_what_to_write(stage):
    path = stage.fresh()
    for text in ("pytorch: latest\n", "variant: compile\npytorch: latest\n", "matrix: {variant: [runtime], pytorch: [latest]}\n"):
        with open(path + "/recipe.yaml", "w") as f:
            f.write(text)
        for verb in ("lock", "build", "explain", "check"):
            out, err = run(stage, path, verb, "recipe.yaml", code=3)
            found = re.search(rf'recipe\.yaml:[12]:[0-9]+: (?:variant=runtime,pytorch=latest: )?pytorch: "latest" is no release; {NEWEST}: write pytorch: "(.*)" and cuda: "(.*)"\n', err)
            assert found and found.group(1, 2) == found.group(3, 4) and not out, err
    assert os.listdir(path).count("recipe.lock") == 0
    known = json.loads(run(stage, path, "catalog", "--json")[0])
    assert found.group(1) in json.dumps(known), found.group(1)


@scenario
def init_names_the_tag(stage):
    path = stage.fresh()
    out, err = run(stage, path, "init", "latest", code=2)
    found = re.search(rf'^envbuild: "latest" is no tag; {NEWEST}: envbuild init (\S+)$', err)
    assert found and not out, err
    assert run(stage, path, "init", found.group(3), "-o", "x.yaml")[0] == "x.yaml\n"
    out = run(stage, path, "init", found.group(3), "-o", "y.yaml", "--json")[0]
    assert json.loads(out) == {"envbuild_output": 1, "recipe": "y.yaml"}, out
