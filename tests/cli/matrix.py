# SPDX-License-Identifier: Apache-2.0
"""A recipe with `matrix` stands for several. As lib.py."""
import json, os

import world
from lib import at, end, log_since, mischief, read, run, scenario, start

HEAD = world.GOOD.replace("variant: runtime\n", "")


def matrix(stage, path, text, *lines):
    with open(os.path.join(path, "recipe.yaml"), "w") as f:
        f.write(HEAD + f"indexes: [{stage.index}]\nmatrix: {text}\n" + "".join(line + "\n" for line in lines))


def locks(path):
    return sorted(os.listdir(path + "/recipe.d"))


@scenario
def a_lock_a_cell(stage):
    path = stage.fresh()
    matrix(stage, path, "{variant: [runtime, compile], slim: [false, true], exclude: [{variant: compile, slim: true}]}", 'pip: [numpy]')
    mark = len(log_since(stage))
    out, err = run(stage, path, "lock", "--json", "recipe.yaml")
    cells = ["variant=compile,slim=false", "variant=runtime,slim=false", "variant=runtime,slim=true"]
    assert locks(path) == [c + ".lock" for c in cells] and not os.path.exists(path + "/recipe.lock")
    asked = [line for line in log_since(stage, mark) if "/log" not in line]
    assert len(asked) == len(set(asked)), "asked twice: " + "\n".join(asked)
    told = json.loads(out)["cells"]
    assert sorted(c["lock"] for c in told) == [f"recipe.d/{c}.lock" for c in cells], told
    # each is what a recipe of its own gives
    for cell in cells:
        values = dict(pair.split("=") for pair in cell.split(","))
        with open(path + "/own.yaml", "w") as f:
            f.write(HEAD + f"indexes: [{stage.index}]\n" + 'pip: [numpy]\n' + "".join(f"{k}: {v}\n" for k, v in values.items()))
        run(stage, path, "lock", "-q", "own.yaml")
        assert read(path, "own.lock") == read(path, "recipe.d", cell + ".lock"), cell
        os.unlink(path + "/own.lock")
    # one alone, by all or some of its values
    os.unlink(path + "/recipe.d/variant=compile,slim=false.lock")
    run(stage, path, "lock", "-q", "recipe.yaml", "--cell", "variant=compile")
    assert len(locks(path)) == 3
    out, err = run(stage, path, "lock", "recipe.yaml", "--cell", "slim=false")
    assert err.count("is up to date") == 2, err
    out, err = run(stage, path, "lock", "--check", "recipe.yaml")
    assert err.count("is up to date") == 3, err


@scenario
def who_wants_one_recipe_says_so(stage):
    path = stage.fresh()
    matrix(stage, path, "{variant: [runtime, compile]}")
    for args in (["explain"], ["check"], ["emit", "compose"], ["why"], ["tree"]):
        out, err = run(stage, path, *args, "recipe.yaml", *(["numpy"] if args == ["why"] else []), code=2)
        assert "stands for 2 recipes" in err and "--cell variant=runtime" in err, err
    out, err = run(stage, path, "lock", "recipe.yaml", "--cell", "variant=devl", code=3)
    assert 'no cell has "variant=devl"' in err and "variant=runtime" in err, err
    with open(path + "/plain.yaml", "w") as f:
        f.write(world.GOOD)
    out, err = run(stage, path, "lock", "plain.yaml", "--cell", "variant=devel", code=2)
    assert "plain.yaml has no `matrix`" in err, err


@scenario
def a_cell_that_cannot_be_is_told_with_all_others(stage):
    path = stage.fresh()
    matrix(stage, path, "{cuda: [12.4, 99.9], variant: [runtime, compile]}".replace("12.4", '"12.4"'))
    with open(path + "/recipe.yaml") as f:
        text = f.read().replace('cuda: "12.4"\n', "", 1)
    with open(path + "/recipe.yaml", "w") as f:
        f.write(text)
    out, err = run(stage, path, "lock", "recipe.yaml", code=4)
    assert err.count("cuda") >= 2 and err.count("99.9") >= 2, err
    assert locks(path) == ["cuda=12.4,variant=compile.lock", "cuda=12.4,variant=runtime.lock"], locks(path)
