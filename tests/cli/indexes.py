# SPDX-License-Identifier: Apache-2.0
"""Where wheels come from: indexes and their priority, credentials, mirrors, folders, files. As lib.py."""
import hashlib, json, os, shutil, socket

from lib import at, build, lock, log_since, mischief, read, recipe, scenario, wheel_of
import world


def written_anywhere(path, *secrets):
    """Files below `path` that hold one of the texts."""
    for root, _, files in os.walk(path):
        for name in files:
            body = read(root, name)
            for secret in secrets:
                if secret.encode() in body:
                    yield os.path.join(root, name), secret


@scenario
def html_and_bare_indexes_give_the_same_image(stage):
    """HTML pages, without PEP 658, without hashes, from a server without ranges: the same wheels."""
    digests, chosen = set(), set()
    for index in ("/simple/", "/html/", "/bare/"):
        path = stage.fresh()
        recipe(stage, path, "pip: [numpy]", f"indexes: [{at(stage, index)}]")
        document = lock(stage, path)
        # A size that the page does not tell is asked of the file's server, for layers are planned by it.
        chosen.add(json.dumps([(a["file"], a["sha256"], a["size"]) for a in document["artifacts"] if a["type"] == "wheel"]))
        assert all(a["size"] for a in document["artifacts"]), index
        build(stage, path)
    assert len(chosen) == 1, chosen


@scenario
def first_index_binds_the_name(stage):
    path = stage.fresh()
    env = {"ENVBUILD_INDEX_CORP_A_USERNAME": "me", "ENVBUILD_INDEX_CORP_A_PASSWORD": "secret"}
    corp = f"{{url: \"{at(stage, '/private/')}\", name: corp-a}}"
    recipe(stage, path, "pip: [secretlib, numpy]", f"indexes: [{corp}, {at(stage, '/public/')}, {at(stage, '/simple/')}]")
    document = lock(stage, path, **env)
    # The newer secretlib on the index behind is never looked at; numpy is the first index's as well.
    assert wheel_of(document, "secretlib")["version"] == "1.0"
    assert wheel_of(document, "numpy")["version"] == "9.9"
    # `only` keeps the first index to its own names.
    corp = corp.replace("}", ", only: [Secretlib]}")
    recipe(stage, path, "pip: [secretlib, numpy]", f"indexes: [{corp}, {at(stage, '/simple/')}]")
    document = lock(stage, path, "--upgrade", **env)
    assert wheel_of(document, "secretlib")["version"] == "1.0"
    assert wheel_of(document, "numpy")["version"] == "2.2.0"


@scenario
def confusion_is_refused(stage):
    """A name that came from one index, and now an index before it has it too."""
    path = stage.fresh()
    env = {"ENVBUILD_INDEX_CORP_TOKEN": "t0ken"}
    corp, public = f"{{url: \"{at(stage, '/private/')}\", name: corp}}", at(stage, "/public/")
    simple = at(stage, "/simple/")
    recipe(stage, path, "pip: [secretlib]", f"indexes: [{simple}, {corp}]")
    assert wheel_of(lock(stage, path, **env), "secretlib")["version"] == "1.0"
    recipe(stage, path, "pip: [secretlib]", f"indexes: [{public}, {simple}, {corp}]")
    err = lock(stage, path, code=4, **env)
    assert f"secretlib is from {at(stage, '/private/')} in the lock, and now {public}" in err and "only" in err, err
    document = lock(stage, path, "--upgrade", "secretlib", **env)
    assert wheel_of(document, "secretlib")["version"] == "99"


@scenario
def credentials_by_every_way(stage):
    keyring = '#!/bin/sh\necho "$@" > "$HOME/asked"\n[ "$1" = get ] && [ "$3" = me ] && echo secret\n'
    url = at(stage, "/private/")
    ways = {
        "none": (url, {}, {}, 5),
        "wrong": (f"{{url: \"{url}\", name: c}}", {"ENVBUILD_INDEX_C_TOKEN": "other"}, {}, 5),
        "token": (f"{{url: \"{url}\", name: c}}", {"ENVBUILD_INDEX_C_TOKEN": "t0ken"}, {}, 0),
        "password": (f"{{url: \"{url.replace('//', '//me@')}\", name: c}}", {"ENVBUILD_INDEX_C_PASSWORD": "secret"}, {}, 0),
        "netrc": (url, {}, {".netrc": "machine 127.0.0.1 login me password secret\n"}, 0),
        "netrc of another host": (url, {}, {".netrc": "machine localhost login me password secret\n"}, 5),
        "keyring": (f"\"{url.replace('//', '//me@')}\"", {}, {"k": keyring, ".config/envbuild/config.yaml": "keyring: @/k\n"}, 0),
    }
    for way, (index, env, files, code) in ways.items():
        path = stage.fresh()
        home = path + "/.home"
        for name, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(home, name)), exist_ok=True)
            with open(os.path.join(home, name), "w") as f:
                f.write(text.replace("@", home))
            os.chmod(os.path.join(home, name), 0o700)
        recipe(stage, path, "pip: [secretlib]", f"indexes: [{at(stage, '/simple/')}, {index}]")
        err = lock(stage, path, code=code, **env)
        if code:
            assert "HTTP 401" in err and "secretlib" in err, (way, err)
            continue
        build(stage, path, **env)
        shutil.rmtree(home, ignore_errors=True)
        found = list(written_anywhere(path, "secret\n", "me:secret", "t0ken", "bWU6c2VjcmV0"))
        assert not found, (way, found)


@scenario
def credentials_stay_at_home(stage):
    """Neither a redirect nor a link to another host takes the credential along."""
    path = stage.fresh()
    mark = len(log_since(stage))
    recipe(stage, path, f"indexes: [{{url: \"{at(stage, '/moved/')}\", name: c}}]")
    lock(stage, path, ENVBUILD_INDEX_C_USERNAME="me", ENVBUILD_INDEX_C_PASSWORD="secret")
    asked = log_since(stage, mark)
    assert any(p.startswith("/moved/") and p.endswith("!") for p in asked), asked
    assert any(p.startswith("/simple/torch/") for p in asked)
    assert not [p for p in asked if p.startswith("/simple/") and p.endswith("!")], asked


@scenario
def mirrors_are_asked_first(stage):
    """Mirrors in order; one that is not there, gives wrong bytes or lacks a file is passed over."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        closed = s.getsockname()[1]  # nobody listens there
        base = stage.fresh()
        recipe(stage, base, f"indexes: [{at(stage, '/html/')}]")
        want = lock(stage, base)
        path = stage.fresh()
        os.makedirs(path + "/.home/.config/envbuild")
        with open(path + "/.home/.config/envbuild/config.yaml", "w") as f:
            f.write(f"mirrors:\n  http://gone.invalid/html/: [\"http://127.0.0.1:{closed}/x\", \"{at(stage, '/html')}\"]\n"
                    f"  http://gone.invalid/files/: [\"{at(stage, '/private/files/')}\", \"{at(stage, '/rangeless/')}\", \"{at(stage, '/files/')}\"]\n")
        recipe(stage, path, "indexes: [http://gone.invalid/html/]")
        got = lock(stage, path)
        same = lambda d: [(a["file"], a["sha256"]) for a in d["artifacts"]]
        assert same(got) == same(want)
        assert "127.0.0.1" not in json.dumps([a for a in got["artifacts"] if a["type"] == "wheel"]), "a mirror is in the lock"
        with mischief(stage, "wrong always /rangeless/"):
            build(stage, path)


@scenario
def folders_and_single_wheels(stage):
    """find_links comes first; a wheel by its path; both by hash in the lock, by relative paths only."""
    path = stage.fresh()
    os.makedirs(path + "/wheels")
    os.makedirs(path + "/lib")
    for where, w in (("wheels", ("filelock", "9.0", world.ANY, [], {"filelock/__init__.py": b"ours\n"})),
                     ("lib", ("my_own", "2.0+x", world.ANY, ["numpy<2; extra == 'np'"], {"my_own.py": b"mine\n"}))):
        file, body, _ = world.wheel(*w)
        with open(f"{path}/{where}/{file}", "wb") as f:
            f.write(body)
    recipe(stage, path, "pip: [\"lib/my_own-2.0+x-py3-none-any.whl[np]\"]", "find_links: [wheels]", f"indexes: [{stage.index}]")
    document = lock(stage, path)
    own, file = wheel_of(document, "my-own"), wheel_of(document, "filelock")
    assert own["url"] == "./lib/my_own-2.0+x-py3-none-any.whl" and own["sha256"] == "sha256:" + hashlib.sha256(body).hexdigest()
    assert file["version"] == "9.0" and file["url"] == "./wheels/filelock-9.0-py3-none-any.whl" and file["from"] == "wheels"
    assert wheel_of(document, "numpy")["version"] == "1.26.4"
    assert path not in json.dumps(document)
    digest = build(stage, path)
    moved = path + "-moved"  # the folder as a whole may go elsewhere, and the store may be another
    shutil.copytree(path, moved, ignore=shutil.ignore_patterns(".cache", "images"))
    assert build(stage, moved, "--locked") == digest
    with open(moved + "/lib/my_own-2.0+x-py3-none-any.whl", "ab") as f:
        f.write(b"x")
    shutil.rmtree(moved + "/.cache")
    shutil.rmtree(moved + "/images")
    err = build(stage, moved, "--locked", code=3)
    assert "lib/my_own-2.0+x-py3-none-any.whl changed: it is sha256:" in err, err
    os.unlink(moved + "/lib/my_own-2.0+x-py3-none-any.whl")
    assert "my_own-2.0+x" in build(stage, moved, "--locked", code=3)


@scenario
def requirement_and_constraint_files(stage):
    path = stage.fresh()
    digest = hashlib.sha256(world.wheel(*next(w for w in world.WHEELS if w[:2] == ("numpy", "1.26.4")))[1]).hexdigest()
    put = lambda name, text: open(os.path.join(path, name), "w").write(text)
    put("requirements.txt", "# what we teach\n-r more.txt\nfilelock >= 3 ; python_version >= '3.8'\nnosuch ; sys_platform == 'win32'\n")
    put("more.txt", "numpy \\\n  # as last year\n")
    put("constraints.txt", "numpy<2\nunused==1\n")
    recipe(stage, path, "pip: [{requirements: requirements.txt}]", "constraints: [constraints.txt]", f"indexes: [{stage.index}]")
    document = lock(stage, path)
    assert wheel_of(document, "numpy")["version"] == "1.26.4" and wheel_of(document, "numpy")["requested"]
    assert [i["path"] for i in document["recipe"]["inputs"]] == ["./base.yaml", "constraints.txt", "more.txt", "requirements.txt"]
    put("constraints.txt", "numpy<3\n")
    err = build(stage, path, code=3)
    assert "constraints.txt changed" in err, err
    document = lock(stage, path)
    assert wheel_of(document, "numpy")["version"] == "1.26.4"  # the lock's version still fits
    assert wheel_of(lock(stage, path, "--upgrade"), "numpy")["version"] == "2.2.0"
    # Hashes: only a file that has one of them will do, whatever the version asked for admits.
    put("requirements.txt", f"numpy --hash=sha256:{digest}\n")
    assert wheel_of(lock(stage, path), "numpy")["version"] == "1.26.4"
    put("requirements.txt", f"numpy --hash=sha256:{'0' * 64}\n")
    err = lock(stage, path, code=6)
    assert "numpy: no file that the index has matches a --hash of requirements.txt" in err, err
    put("requirements.txt", "numpy\n--extra-index-url https://x.example.org\n")
    err = lock(stage, path, code=3)
    assert err.startswith("requirements.txt:2:1: ") and "`indexes`" in err, err


@scenario
def lines_that_pip_takes(stage):
    """In UTF-16 as PowerShell's ">" writes, a wheel's address alone, options that change nothing."""
    path = stage.fresh()
    w = next(w for w in world.WHEELS if w[:2] == ("numpy", "1.26.4"))
    file, body, _ = world.wheel(*w)
    text = f"-i {stage.index}\r\n--no-cache-dir\r\n--trusted-host x.test\r\n{at(stage, '/files/')}{file}\r\n"
    recipe(stage, path, "pip: [{requirements: requirements.txt}]", f"indexes: [{stage.index}]")
    got = []
    for code in ("utf-8-sig", "utf-16", "utf-16-be"):
        mark = b"\xfe\xff" if code == "utf-16-be" else b""
        with open(path + "/requirements.txt", "wb") as f:
            f.write(mark + text.encode(code))
        document = lock(stage, path)
        numpy = wheel_of(document, "numpy")
        assert numpy["file"] == file and numpy["sha256"] == "sha256:" + hashlib.sha256(body).hexdigest() and numpy["requested"]
        got.append(document["artifacts"])
    assert got[0] == got[1] == got[2]
    build(stage, path, "--locked")
    recipe(stage, path, f"pip: [\"{at(stage, '/files/')}{file}\"]", f"indexes: [{stage.index}]")
    assert lock(stage, path)["artifacts"] == got[0]
    with open(path + "/requirements.txt", "wb") as f:
        f.write("x\n".encode("utf-16") + b"\0")
    recipe(stage, path, "pip: [{requirements: requirements.txt}]", f"indexes: [{stage.index}]")
    err = lock(stage, path, code=3)
    assert err.startswith("requirements.txt:2:1: ") and "UTF-16" in err, err
