# SPDX-License-Identifier: Apache-2.0
"""A recipe with `matrix` stands for several. As lib.py."""
import json, os

import world
from lib import at, end, images, log_since, mischief, read, run, scenario, start
from registry import names as tags
from registry_peer import Fault, Registry

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
        assert "has a matrix of 2 recipes" in err and "name its lock, recipe.d/variant=runtime.lock, " in err and "--cell" not in err, err
    for args in (["run"], ["wheel"]):
        assert "--cell variant=runtime" in run(stage, path, *args, "recipe.yaml", code=2)[1]
    for args in (["lock"], ["build"], ["run"], ["wheel"]):
        err = run(stage, path, *args, "recipe.yaml", "--cell", "variant=runtime", "--cell", "variant=compile", code=2)[1]
        assert err.startswith("envbuild: --cell: stands twice; "), err
    run(stage, path, "lock", "-q", "recipe.yaml")  # what the message says works
    for args in (["explain"], ["check", "--driver", "550.54.15", "--gpu", "T4"], ["tree"]):
        run(stage, path, *args, "recipe.d/variant=runtime.lock")
    run(stage, path, "why", "recipe.d/variant=runtime.lock", "torch")
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
def the_first_that_fails_keeps_nothing_of_the_others(stage):
    """What is told of the rest does not begin with it."""
    path = stage.fresh()
    with open(path + "/recipe.yaml", "w") as f:
        f.write(HEAD.replace('cuda: "12.4"\n', "") + f'indexes: [{stage.index}]\nmatrix: {{cuda: ["99.9", "12.4"]}}\n')
    told = json.loads(run(stage, path, "build", "--json", "recipe.yaml", "--keep-going", code=4)[0])
    assert [i["cell"] for i in told["images"]] == ["cuda=12.4"] and "99.9" in told["errors"][0]["message"], told
    image = told["images"][0]
    assert image["shared"] == 0 and image["size"] > 0 and "milliseconds" in image, image
    out, err = run(stage, path, "build", "recipe.yaml", "--keep-going", code=4)
    assert out == "oci:images:pytorch:2.6.0-cuda12.4-cudnn9-runtime\n" and "  2.6.0-cuda12.4-cudnn9-runtime  sha256:" in err, err


@scenario
def no_tag_moves_before_all_images_are_there(stage):
    """In a registry that refuses the manifest of one cell; a tag of it that may not move ends it, unless --keep-going."""
    path = stage.fresh()
    matrix(stage, path, "{variant: [runtime, compile]}", 'tag: "{variant}"')
    run(stage, path, "lock", "-q", "recipe.yaml")
    for refused in "runtime", "compile":
        other = "compile" if refused == "runtime" else "runtime"
        for tag, moved in (refused + "-[0-9a-f]{12}$", {True: [other], False: []}), (refused + "$", {True: [other], False: [other][refused == "runtime":]}):
            for keep_going in True, False:
                with Registry() as r:
                    r.faults.append(Fault("PUT", "manifests/" + tag, 9, status=400, body=b'{"errors": [{"code": "MANIFEST_INVALID", "message": "not so"}]}'))
                    got, out, err = end(start(stage, path, "build", "-q", "recipe.yaml", "-o", f"docker://{r.host}/x", *["--keep-going"] * keep_going))
                    assert got == 5 and f"variant={refused}: " in err and "not so" in err, (tag, err)
                    assert sorted(tags(r, "x")) == moved[keep_going] and out.count("\n") == keep_going, (tag, keep_going, out, r.repositories["x"].tags)
                    assert not r.sessions
    with Registry() as one, Registry() as two:  # of several places, too
        two.faults.append(Fault("PUT", "manifests/runtime-[0-9a-f]{12}$", 9, status=400))
        code, out, err = end(start(stage, path, "build", "-q", "recipe.yaml", "-o", f"docker://{one.host}/x", "-o", f"docker://{two.host}/x"))
        assert code == 5 and not out and tags(one, "x") == {} == tags(two, "x"), err


@scenario
def what_holds_one_image_takes_no_two(stage):
    path = stage.fresh()
    matrix(stage, path, "{variant: [runtime, compile]}", 'tag: "{variant}"')
    for place in "docker-archive:x.tar", "dir:x", "-":
        out, err = run(stage, path, "build", "-q", "recipe.yaml", "-o", place, code=3)
        assert not out and "that place holds one image; oci:DIR and oci-archive:FILE hold many" in err and "tag" not in err, err
    run(stage, path, "build", "-q", "recipe.yaml", "-o", "oci-archive:x.tar")
    run(stage, path, "inspect", "-q", "oci-archive:x.tar:pytorch:compile")


@scenario
def a_folder_of_recipes(stage):
    path = stage.fresh()
    os.mkdir(path + "/recipes")
    for name, variant in ("a", "runtime"), ("b", "compile"):
        with open(f"{path}/recipes/{name}.yaml", "w") as f:
            f.write(HEAD.replace("./base.yaml", "../base.yaml") + f"indexes: [{stage.index}]\nname: {name}\nvariant: {variant}\ntag: v1\n")
    out, err = run(stage, path, "build", "--all", "recipes")
    assert err.count("recipes/a.yaml\n") == 2 and "  a:v1  sha256:" in err and "  b:v1  sha256:" in err, err
    assert sorted(n.split(":")[0] for n in names(path)) == ["a", "b"]
    assert sorted(os.listdir(path + "/recipes")) == ["a.lock", "a.yaml", "b.lock", "b.yaml"]
    os.mkdir(path + "/none")
    out, err = run(stage, path, "build", "--all", "none", code=3)
    assert "there is no recipe in none" in err, err


@scenario
def what_is_wrong_in_a_folder_is_told_with_all_others(stage):
    """No YAML, no recipe, a matrix that is none, an artifact that cannot be had: the rest is built with --keep-going."""
    path = stage.fresh()
    os.mkdir(path + "/recipes")
    good = HEAD.replace("./base.yaml", "../base.yaml") + f"indexes: [{stage.index}]\n"
    texts = {"a.yaml": "pytorch: [\n", "b.yaml": "services: {web: {image: nginx}}\n", "c.yaml": good + "matrix: {varient: [runtime]}\n",
             "base.yaml": read(path, "base.yaml").decode(), "d.yaml": good + "name: d\nvariant: compile\n", "e.yml": good + "name: e\n", "notes.txt": "{"}
    for name, text in texts.items():
        with open(f"{path}/recipes/{name}", "w") as f:
            f.write(text)
    run(stage, path, "lock", "-q", "recipes/d.yaml")
    gcc = next(a for a in json.loads(read(path, "recipes/d.lock"))["artifacts"] if a["name"] == "gcc")
    with mischief(stage, "gone always " + os.path.basename(gcc["url"])):
        out, err = run(stage, path, "build", "-q", "--all", "recipes", code=3)
        assert not out and not os.path.exists(path + "/images") and "base.yaml" not in err, (out, err)
        for words in "recipes/a.yaml:2:1: ", "recipes/b.yaml:1:1: ", 'recipes/c.yaml:6:10: unknown key "varient"':
            assert words in err, (words, err)
        got = json.loads(run(stage, path, "build", "--json", "--all", "recipes", "--keep-going", code=3)[0])
    assert [i["name"] for i in got["images"]] == ["e"] and list(names(path)) == ["e:2.6.0-cuda12.4-cudnn9-runtime"], got
    assert [e for e in got["errors"] if e["message"].startswith("recipes/d.yaml: ")], got
