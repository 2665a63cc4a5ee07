# SPDX-License-Identifier: Apache-2.0
"""A recipe with `matrix` stands for several. As lib.py."""
import json, os

import world
from lib import at, end, images, log_since, mischief, read, run, scenario, start

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
def locks_of_no_cell_are_told_and_stay(stage):
    path = stage.fresh()
    matrix(stage, path, "{variant: [runtime, compile], slim: [false, true]}")
    out, err = run(stage, path, "lock", "recipe.yaml")
    assert "of no cell" not in err, err
    matrix(stage, path, "{variant: [runtime], slim: [false, true]}")
    with open(path + "/recipe.d/notes.txt", "w"):
        pass
    stale = ["variant=compile,slim=false.lock", "variant=compile,slim=true.lock"]
    for args in (["lock"], ["lock", "--cell", "slim=true"], ["build", "--cell", "slim=true"]):
        out, err = run(stage, path, *args, "recipe.yaml")
        assert err.count("recipe.d: 2 locks are of no cell of recipe.yaml, such as " + stale[0]) == 1, err
    assert "of no cell" not in run(stage, path, "lock", "-q", "recipe.yaml")[1]
    assert set(stale) < set(locks(path)), locks(path)
    os.unlink(f"{path}/recipe.d/{stale[1]}")
    assert "recipe.d: 1 lock is of no cell" in run(stage, path, "lock", "recipe.yaml")[1]
    with open(path + "/recipe.yaml", "w") as f:  # without any matrix too
        f.write(world.GOOD + f"indexes: [{stage.index}]\n")
    assert "recipe.d: 3 locks are of no cell" in run(stage, path, "lock", "recipe.yaml")[1]


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


def names(path, layout="images"):
    index = json.loads(read(path, layout, "index.json"))
    return {m["annotations"]["org.opencontainers.image.ref.name"]: m["digest"] for m in images(index)}


@scenario
def a_build_makes_all_cells(stage):
    path = stage.fresh()
    matrix(stage, path, "{variant: [runtime, compile], slim: [false, true], exclude: [{variant: compile, slim: true}]}",
           'tag: "{pytorch}-{variant}"')
    out, err = run(stage, path, "build", "recipe.yaml", code=3)
    assert "both make" in err and "slim=true" in err and not os.path.exists(path + "/images"), err  # one tag for two
    matrix(stage, path, "{variant: [runtime, compile]}", 'tag: "{pytorch}-{variant}"')
    mark = len(log_since(stage))
    out, err = run(stage, path, "build", "recipe.yaml")
    assert out.splitlines() == ["oci:images:pytorch:2.6.0-runtime", "oci:images:pytorch:2.6.0-compile"], out
    table = [line.split() for line in err.splitlines() if "sha256:" in line]
    assert [row[0] for row in table] == ["2.6.0-runtime", "2.6.0-compile"], err
    assert all(names(path)[f"pytorch:{row[0]}"].startswith(row[1]) for row in table), err
    asked = [line for line in log_since(stage, mark) if "/log" not in line]
    assert len(asked) == len(set(asked)), "asked twice: " + "\n".join(asked)
    both = names(path)
    # one alone is the same image, and the same as that of a recipe of its own
    run(stage, path, "build", "-q", "recipe.yaml", "--cell", "variant=compile", "-o", "oci:one")
    assert names(path, "one") == {"pytorch:2.6.0-compile": both["pytorch:2.6.0-compile"]}
    with open(path + "/own.yaml", "w") as f:
        f.write(HEAD + f'indexes: [{stage.index}]\ntag: "{{pytorch}}-{{variant}}"\nvariant: compile\n')
    run(stage, path, "build", "-q", "own.yaml", "-o", "oci:own")
    assert names(path, "own")["pytorch:2.6.0-compile"] == both["pytorch:2.6.0-compile"]
    told = json.loads(run(stage, path, "build", "--json", "recipe.yaml", "--offline", "--locked")[0])["images"]
    assert [(i["cell"], i["digest"]) for i in told] == [("variant=" + v, both["pytorch:2.6.0-" + v]) for v in ("runtime", "compile")]


@scenario
def nothing_is_published_where_one_fails(stage):
    path = stage.fresh()
    with open(path + "/recipe.yaml", "w") as f:
        f.write(HEAD.replace('cuda: "12.4"\n', "") + f'indexes: [{stage.index}]\nmatrix: {{cuda: ["12.4", "99.9"]}}\n')
    out, err = run(stage, path, "build", "recipe.yaml", code=4)
    assert "99.9" in err and not out and not os.path.exists(path + "/images/index.json"), err
    told = json.loads(run(stage, path, "build", "--json", "recipe.yaml", "--keep-going", code=4)[0])  # one object
    assert [i["cell"] for i in told["images"]] == ["cuda=12.4"] and "99.9" in told["errors"][0]["message"], told
    out, err = run(stage, path, "build", "recipe.yaml", "--keep-going", code=4)
    assert out.count("\n") == 1 and len(names(path)) == 1 and "99.9" in err, (out, err)
    # also where it fails in the midst of the work
    other = stage.fresh()
    matrix(stage, other, "{variant: [runtime, compile]}")
    run(stage, other, "lock", "-q", "recipe.yaml")
    gcc = next(a for a in json.loads(read(other, "recipe.d/variant=compile.lock"))["artifacts"] if a["name"] == "gcc")
    with mischief(stage, "wrong always " + os.path.basename(gcc["url"])):
        code, out, err = end(start(stage, other, "build", "recipe.yaml", "--store", other + "/store"))
    assert code and not out and "variant=compile: " in err and "gcc" in err, err
    assert not os.path.exists(other + "/images/index.json") or not names(other), names(other)


@scenario
def a_folder_of_recipes(stage):
    path = stage.fresh()
    os.mkdir(path + "/recipes")
    for name, variant in ("a", "runtime"), ("b", "compile"):
        with open(f"{path}/recipes/{name}.yaml", "w") as f:
            f.write(HEAD.replace("./base.yaml", "../base.yaml") + f"indexes: [{stage.index}]\nname: {name}\nvariant: {variant}\n")
    run(stage, path, "build", "-q", "--all", "recipes")
    assert sorted(n.split(":")[0] for n in names(path)) == ["a", "b"]
    assert sorted(os.listdir(path + "/recipes")) == ["a.lock", "a.yaml", "b.lock", "b.yaml"]
    os.mkdir(path + "/none")
    out, err = run(stage, path, "build", "--all", "none", code=3)
    assert "there is no recipe in none" in err, err
