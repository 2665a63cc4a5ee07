# SPDX-License-Identifier: Apache-2.0
"""The recipe's own project: built on top of all else, and built again where its files changed. As lib.py."""
import io, json, os, shutil, subprocess, tarfile

import world
from bytecode import BWRAP
from edit_loop import asked, document, layers
from lib import build, end, lock, log_since, printed, read, recipe, run, scenario, start, unpacked, wheel_of
from overlaps import wheels

TOML = '[build-system]\nrequires = []\nbuild-backend = "b"\n[project]\nname = "App"\nversion = "%s"\ndependencies = [%s]\n'
GROUPS = '[dependency-groups]\ndev = ["filelock"]\n'


def sealed(stage, path):
    """The environment of a machine that can build."""
    folder = path + "/.tools"
    if not os.path.exists(folder):
        os.makedirs(folder)
        os.symlink(os.path.join(os.path.dirname(world.__file__), "fake_bwrap.py"), folder + "/bwrap")
    return {"PATH": folder + ":" + stage.env(path)["PATH"]}


def write(path, name, text):
    os.makedirs(os.path.dirname(f"{path}/{name}"), exist_ok=True)
    with open(f"{path}/{name}", "w") as f:
        f.write(text)


def begin(stage, *lines, needs='"numpy"', git=True):
    """With git the project is the recipe's folder, else one below it: the store is there, too."""
    path = stage.fresh()
    app = path if git else path + "/app"
    write(app, "pyproject.toml", TOML % ("1.0", needs) + GROUPS)
    write(app, "src/app.py", "print(1)\n")
    write(app, "src/secret.txt", "x\n")
    write(app, ".gitignore", "secret.txt\n.*\n!.gitignore\n")
    if git:
        subprocess.run(["git", "init", "-q", path], check=True, env={"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null"})
    recipe(stage, path, f"indexes: [{stage.index}]", *(lines or ("project: ." if git else "project: app",)))
    return path


def files_of(path, name):
    """The files of a layer."""
    made = json.loads(read(path, "recipe.lock"))["built"]["layers"]
    digest = next(l["digest"] for l in made if l["name"] == name)
    with tarfile.open(fileobj=io.BytesIO(unpacked(read(path, "images/blobs/sha256", digest[7:])))) as tar:
        return {t.name: tar.extractfile(t).read() for t in tar if t.isfile()}


@scenario
def a_project_stands_on_top(stage):
    path = begin(stage, "project: {path: ., groups: [dev]}")
    build(stage, path, **sealed(stage, path))
    made = json.loads(read(path, "recipe.lock"))
    app = wheel_of(made, "app")
    assert app["group"] == "project" and app["requested"] and app["needs"] == ["numpy"] and app["source"]["url"] == "./", app
    assert wheel_of(made, "filelock")["requested"]
    assert [l["name"] for l in made["layers"]][-2:] == ["project", "files"] and made["layers"][-2]["artifacts"] == ["wheel:app"]
    files = files_of(path, "project")
    assert files["opt/venv/lib/python3.11/site-packages/app.py"] == b"print(1)\n", list(files)
    assert not any("secret" in name for name in files), list(files)
    out, _ = run(stage, path, "explain", "recipe.yaml")
    assert any("app" in line and "built from source" in line for line in out.splitlines()), out
    out, _ = run(stage, path, "why", "recipe.yaml", "numpy")
    assert "app 1.0 needs numpy" in out, out
    out, _ = run(stage, path, "tree", "recipe.yaml")
    assert out.splitlines()[0] == "app 1.0", out
    # Where nothing can be built, it says what is missing; what was built is taken.
    assert build(stage, path, "--locked") == printed(path, "oci:images")
    write(path, "src/app.py", "print(2)\n")
    err = build(stage, path, code=7, PATH=os.path.dirname(stage.envbuild) + ":" + without_bwrap(path))
    assert "build of app 1.0: cannot build from source here: bwrap" in err, err


def without_bwrap(path):
    folder = path + "/.none"
    os.makedirs(folder, exist_ok=True)
    for name in ("git", "gpgv"):
        if not os.path.exists(f"{folder}/{name}"):
            os.symlink(shutil.which(name), f"{folder}/{name}")
    return folder


@scenario
def an_edit_is_one_layer(stage):
    path = begin(stage)
    env = sealed(stage, path)
    first = build(stage, path, **env)
    before, kept = document(path), layers(path)
    write(path, "src/app.py", "print(2)\n")
    err = build(stage, path, "--locked", code=3, **env)
    assert "the project app changed" in err and document(path) == before, err
    code, out, err = end(start(stage, path, "lock", "--check", "recipe.yaml", **env))
    assert code == 9 and "the project app changed" in out, out
    mark = len(log_since(stage))
    code, out, err = end(start(stage, path, "build", "--index", stage.index, "recipe.yaml", **env))
    assert code == 0 and "the project app changed; recipe.lock takes that over" in err and "warning" not in err, err
    assert not asked(stage, mark), asked(stage, mark)
    second, now = printed(path, out), layers(path)
    assert second != first and [n for n in now if now[n] != kept[n]] == ["project"], (kept, now)
    assert [k for k in before if before[k] != document(path)[k]] == ["artifacts", "built"]
    assert files_of(path, "project")["opt/venv/lib/python3.11/site-packages/app.py"] == b"print(2)\n"
    assert build(stage, path, "--locked", **env) == second
    # As one who chooses and builds it all from the beginning.
    other = begin(stage)
    write(other, "src/app.py", "print(2)\n")
    assert build(stage, other, **sealed(stage, other)) == second
    assert read(other, "recipe.lock") == read(path, "recipe.lock")
    # `lock` takes it over as well, and builds nothing; the next build does.
    write(path, "src/app.py", "print(3)\n")
    lock(stage, path)
    half = json.loads(read(path, "recipe.lock"))
    assert "built" not in half and [l["name"] for l in half["kept"]["layers"]] == [n for n in now if n not in ("project", "files")], half["kept"]
    assert "sha256" not in wheel_of(half, "app") and build(stage, path, **env) not in (first, second)
    assert [n for n in now if layers(path)[n] != now[n]] == ["project"]
    # Another version is no choice either.
    write(path, "pyproject.toml", TOML % ("1.1", '"numpy"') + GROUPS)
    build(stage, path, **env)
    assert wheel_of(document(path), "app")["version"] == "1.1"
    # Back again is the first image.
    write(path, "src/app.py", "print(1)\n")
    write(path, "pyproject.toml", TOML % ("1.0", '"numpy"') + GROUPS)
    assert build(stage, path, **env) == first and document(path) == before


def roots(path):
    """Those that were made: has it a compiler?"""
    top = path + "/.cache/envbuild/unpacked/roots/"
    return sorted(os.path.exists(f"{top}{name}/files/usr/bin/gcc") for name in os.listdir(top) if os.path.exists(f"{top}{name}/files/usr"))


@scenario
def compilers_are_there_where_something_is_compiled(stage):
    path = begin(stage)
    env = sealed(stage, path)
    build(stage, path, **env)
    assert roots(path) == [False], roots(path)
    assert wheel_of(document(path), "app")["build"]["root"] == ["base", "python", "compile"]
    # A build that turns out to want one gets it, and what it needs without one is not asked again.
    write(path, "wants-gcc", "")
    build(stage, path, **env)
    assert roots(path) == [False, True], roots(path)
    # One that has something to compile gets it at once.
    other = begin(stage)
    write(other, "src/fast.c", "int x;\n")
    build(stage, other, **sealed(stage, other))
    assert roots(other) == [True], roots(other)


@scenario
def what_it_needs_is_a_choice(stage):
    path = begin(stage, git=False)
    env = sealed(stage, path)
    build(stage, path, **env)
    write(path, "app/pyproject.toml", TOML % ("1.0", '"filelock"'))
    err = build(stage, path, code=3, **env)
    assert "app/pyproject.toml changed" in err and "run `envbuild lock recipe.yaml` to accept the change" in err, err
    made = lock(stage, path, **env)
    assert wheel_of(made, "app")["needs"] == ["filelock"] and not any(a["name"] == "numpy" for a in made["artifacts"])
    build(stage, path, **env)
    # What only the build tells is held against the lock.
    write(path, "app/needs.txt", "numpy>=2\nfilelock>=99\nnothing; python_version < '3'\n")
    err = build(stage, path, code=3, **env)
    assert "build of app 1.0: it needs numpy>=2, which the lock does not have; filelock>=99, and the lock has filelock" in err, err
    for lines, want in ((["project: {path: app, extras: [x]}"], "project: it has no extra \"x\"; there is none"),
                        (["project: {path: app, groups: [x]}"], "project: it has no group \"x\"; there is none"),
                        (["project: app/src"], "project: \"app/src\" has neither pyproject.toml nor setup.py")):
        recipe(stage, path, f"indexes: [{stage.index}]", *lines)
        err = lock(stage, path, code=3, **env)
        assert want in err and "recipe.yaml:" in err, err
    recipe(stage, path, f"indexes: [{stage.index}]", "project: app")
    os.symlink("/etc/passwd", path + "/app/src/link")
    err = lock(stage, path, code=3, **env)
    assert "\"src/link\" is a link to \"/etc/passwd\", which leads out of the project" in err, err


@scenario
def a_lock_does_not_say_what_is_a_project(stage):
    path = begin(stage)
    env = sealed(stage, path)
    made = lock(stage, path, **env)
    wheel_of(made, "app")["source"]["url"] = "./other/"
    with open(path + "/recipe.lock", "w") as f:
        json.dump(made, f, indent=2)
    err = build(stage, path, code=3, **env)
    assert "recipe.lock builds app from source, and `project` of the recipe does not name it" in err, err
    wheel_of(made, "app")["source"]["url"] = "https://h.test/x"
    with open(path + "/recipe.lock", "w") as f:
        json.dump(made, f, indent=2)
    err = build(stage, path, code=3, **env)
    assert "is of group \"project\"" in err, err


@scenario
def versioneer_is_told_a_version(stage):
    """As `git archive` tells it, in the one file that asks."""
    path = stage.fresh()
    file = 'git_refnames = "$Format:%d$"\ngit_full = "$Format:%H$"\ngit_date = "$Format:%ci$"\n'
    for name, text in (("app/_version.py", file), ("other.py", '"$Format:%d$"\n'), ("setup.cfg", '[versioneer]\ntag_prefix = "app-"\n')):
        write(path, name, text)
    driver = os.path.join(os.path.dirname(__file__), "../../builder/seal/driver.py")
    subprocess.run(["python3", "-c", f"import sys; sys.path.insert(0, {os.path.dirname(driver)!r}); import driver; driver.tell_versioneer('.')"], cwd=path,
                   check=True, env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "SOURCE_DATE_EPOCH": "86400",
                                    "VERSIONEER_PRETEND_VERSION": "1.2.1.dev3+g0123456"})
    assert read(path, "app/_version.py").decode() == (
        'git_refnames = " (tag: app-1.2.1.dev3+g0123456)"\ngit_full = "0123456"\ngit_date = "1970-01-02 00:00:00 +0000"\n')
    assert read(path, "other.py").decode() == '"$Format:%d$"\n'


@scenario
def bytecode_of_what_the_project_hides_is_refused(stage):
    path = begin(stage, "project: app", "bytecode: true", "pip: [one]", "find_links: [wheels]", needs="", git=False)
    wheels(path, ("one", [], {"app.py": b"import one\n", "one.py": b"\n"}))
    env = sealed(stage, path)
    tools = path + "/.compiles"
    os.makedirs(tools)
    write(tools, "compile", BWRAP)
    write(tools, "bwrap", f'#!/bin/sh\ncase " $* " in *" /seal/in/bytecode.py "*) exec {tools}/compile "$@" ;; esac\nexec {path}/.tools/bwrap "$@"\n')
    for name in ("compile", "bwrap"):
        os.chmod(f"{tools}/{name}", 0o755)
    env["PATH"] = tools + ":" + env["PATH"]
    err = build(stage, path, code=3, **env)
    assert "site-packages/app.py is a file of the project and of one-1.0-py3-none-any.whl, whose bytecode Python would run" in err, err
    write(path + "/app", "src/app.py", "import one\n")  # the same
    lock(stage, path, **env)
    build(stage, path, **env)
    # An edit makes no other layer; wheels that are here tell what it hides, and none is fetched for that.
    write(path + "/app", "src/app.py", "import two\n")
    mark = len(log_since(stage))
    err = build(stage, path, code=3, **env)
    assert "site-packages/app.py is a file of the project and of one-1.0-py3-none-any.whl, whose bytecode Python would run" in err, err
    assert not asked(stage, mark), asked(stage, mark)
    write(path + "/app", "src/app.py", "import one\n")
    write(path + "/app", "src/more.py", "\n")
    build(stage, path, **env)
