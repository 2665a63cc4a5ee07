# SPDX-License-Identifier: Apache-2.0
"""Registries: pushing, pulling, who we are, and what goes wrong on the way. The peer is tests/peers/registry_peer.py."""
import base64, hashlib, json, os, re, shutil, signal, ssl, subprocess

import base_image, survival
from lib import *
from registry_peer import Fault, Registry

TAG = "2.6.0-cuda12.4-cudnn9-runtime"


def push(stage, path, r, name="team/x", *more, code=0, **env):
    """The printed reference, or the error's text."""
    got, out, err = end(start(stage, path, "build", "-q", "--index", stage.index, "recipe.yaml", "-o", f"docker://{r.host}/{name}",
                              *more, **env))
    assert got == code, f"exit {got}, not {code}: {err}"
    return err if code else out.strip()


def methods(log, method, text=""):
    return [p for m, p, _ in log if m == method and text in p]


def layer_bytes(r, name, digest):
    manifest = json.loads(r.repositories[name].manifests[digest][1])
    return sum(d["size"] for d in manifest["layers"] + [manifest["config"]])


def names(r, name):
    """The tags that move, by what they name; those that never do are there, too."""
    tags = r.repositories[name].tags
    fixed = re.compile("-[0-9a-f]{12}(\\.[0-9a-f]{12})?(\\.lock)?$|^manifest-[0-9a-f]{64}$|^sha256-[0-9a-f]{64}$")
    return {t: d for t, d in tags.items() if not fixed.search(t)}


def lock_bytes(r, name):
    """Bytes of the lock that travels with the one image there, of its manifest with it."""
    repo = r.repositories[name]
    body = next(repo.manifests[d][1] for t, d in repo.tags.items() if t.endswith(".lock"))
    return sum(d["size"] for d in json.loads(body)["layers"]) + 2, 2 * len(body)


def holds(r, name, digest):
    """The registry has the golden image, whole."""
    repo = r.repositories[name]
    manifest = json.loads(repo.manifests[digest][1])
    for d in manifest["layers"] + [manifest["config"]]:
        assert d["digest"] in repo.blobs and len(r.blobs[d["digest"]]) == d["size"], d
        assert "sha256:" + hashlib.sha256(r.blobs[d["digest"]]).hexdigest() == d["digest"]
    assert not r.sessions, f"{len(r.sessions)} sessions are left open"


def file(path, name, text, mode=0o600):
    path = os.path.join(path, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


def login(path, r, user="me:secret", **more):
    entry = {"auth": base64.b64encode(user.encode()).decode(), **more}
    file(path, ".home/.docker/config.json", json.dumps({"auths": {r.host: entry}}))


@scenario
def a_build_goes_into_a_registry(stage):
    digest, _ = golden(stage)
    path = locked(stage)
    with Registry() as r:
        assert push(stage, path, r) == f"{r.host}/team/x@{digest}"
        holds(r, "team/x", digest)
        # `explain` finds in its files what the lock says of them
        out, _ = run(stage, path, "explain", "-q", f"docker://{r.host}/team/x@{digest}")
        found = json.loads(run(stage, path, "explain", "-q", "--json", f"docker://{r.host}/team/x@{digest}")[0])
        held = {(a["name"], a["version"]) for a in json.loads(read(path, "recipe.lock"))["artifacts"]}
        assert held <= {(p["name"], p["version"]) for p in found["packages"]}, (held, found["packages"])
        rows = [line.split() for line in out.split("packages ")[1].split("layers, ")[0].splitlines()[1:]]
        assert held <= {(row[0], row[1]) for row in rows}, out
        err = run(stage, path, "explain", "--findings", f"docker://{r.host}/team/x@{digest}", code=2)[1]
        assert "envbuild inspect docker://" in err, err
        assert names(r, "team/x") == {TAG: digest}
        order = [p for m, p, _ in r.log if m == "PUT"]
        assert all("/blobs/" in p for p in order[:-7]), "a manifest goes before a blob"
        lock = [t for t in r.repositories["team/x"].tags if t.endswith(".lock")][0]
        wanted = [digest, lock[:-5], r.repositories["team/x"].tags[lock], lock, TAG]
        assert [p.rsplit("/", 1)[1] for p in order if "/manifests/" in p] == wanted, order
        text, manifest = lock_bytes(r, "team/x")
        assert r.received == layer_bytes(r, "team/x", digest) + 3 * len(r.repositories["team/x"].manifests[digest][1]) + text + manifest
        with Registry() as other:
            out, _ = run(stage, path, "build", "--json", "recipe.yaml", "-o", f"docker://{other.host}/x")
            told = json.loads(out)
            assert told["reference"] == f"{other.host}/x@{digest}" and told["sent"] == layer_bytes(other, "x", digest) + lock_bytes(other, "x")[0], told


@scenario
def a_first_build_without_a_lock_goes_there_too(stage):
    digest, _ = golden(stage)
    path = stage.fresh()
    with Registry() as r:
        assert push(stage, path, r, "x:1.0") == f"{r.host}/x@{digest}"
        holds(r, "x", digest)
        assert names(r, "x") == {"1.0": digest}


@scenario
def nothing_changed_moves_nothing(stage):
    """A bare store, a lock with digests, a registry that has it all: only questions, and none to an index."""
    digest, _ = golden(stage)
    with Registry() as r:
        push(stage, locked(stage), r)
        r.since()
        path = locked(stage)
        got, out, err = end(start(stage, path, "build", "recipe.yaml", "-o", f"docker://{r.host}/team/x"))
        assert got == 0 and out.strip() == f"{r.host}/team/x@{digest}", err
        assert r.received == 0 and r.sent == 0, (r.received, r.sent)
        assert not methods(r.log, "PUT") and not methods(r.log, "POST"), r.log
        assert check_store(path) == 0, "something was brought into the store"
        assert "0 B sent" in err, err


@scenario
def offline_asks_no_registry(stage):
    """Neither for the base nor for the place, and whatever the command is."""
    golden(stage)
    with Registry() as r:
        path = stage.fresh()
        base = base_image.image(path)
        copy(stage, path, "oci:base", f"docker://{r.host}/theirs:v1")
        base_image.recipe(path, f"docker://{r.host}/theirs:v1@{base.digest}")
        build(stage, path)
        r.since()
        second = locked(stage)
        for at, words in ((path, ["build", "recipe.yaml"]), (path, ["build", "--locked", "recipe.yaml"]), (path, ["run", "recipe.yaml"]),
                          (path, ["lock", "recipe.yaml"]), (second, ["build", "recipe.yaml", "-o", f"docker://{r.host}/x"]),
                          (second, ["diff", f"docker://{r.host}/theirs:v1", f"docker://{r.host}/theirs:v1"])):
            got, _, err = end(start(stage, at, words[0], "--offline", "-q", *words[1:]))
            assert got == 5 and "with --offline no registry is asked" in err, (words, got, err)
        assert r.log == [], r.log


@scenario
def what_a_host_needs_is_remembered(stage):
    """No PATCH: told, and the next run makes layers first. A body too large: the next upload goes in chunks at once."""
    digest, _ = golden(stage)
    remembered = lambda path: [read(d, f).rsplit(b"\n", 1)[1] for d, _, names in os.walk(path + "/.cache/envbuild/registries") for f in names]
    with Registry() as r:
        path = stage.fresh()
        r.faults.append(Fault("PATCH", "uploads", 99, status=405, reads=False))
        assert "takes no PATCH (HTTP 405); run it again" in push(stage, path, r, code=5)
        assert remembered(path) == [f"registry {r.host}put".encode()], remembered(path)
        r.since()
        assert push(stage, path, r).endswith(digest)
        holds(r, "team/x", digest)
        assert not methods(r.log, "PATCH")
        file(path, ".home/.config/envbuild/config.yaml", f"registries: {{'{r.host}': {{upload: patch}}}}\n")
        r.repositories.clear()
        push(stage, path, r, code=5)
        assert methods(r.log, "PATCH"), "the configuration is not heard"
    with Registry(version="HTTP/1.0") as r:
        path = stage.fresh()
        assert "speaks HTTP/1.0" in push(stage, path, r, code=5) and not r.sessions and not methods(r.log, "PATCH")
        assert push(stage, path, r).endswith(digest)
        holds(r, "team/x", digest)
    with Registry() as r:
        path = stage.fresh()
        r.faults.append(Fault("PATCH", "uploads", 1, status=413, reads=False))
        assert push(stage, path, r).endswith(digest)
        assert r.faults[0].met == 1 and remembered(path) == [f"registry {r.host}chunks".encode()], remembered(path)


@scenario
def a_push_needs_no_room_for_layers(stage):
    """The store's disk has room for less than the image: its layers are made as they are sent. A layout there is refused before
    anything is made; a store that has nothing needs no room where the registry has it all."""
    digest, held = golden(stage)
    path = locked(stage)
    build(stage, path)
    shutil.rmtree(path + "/.cache/envbuild/layers")
    shutil.rmtree(path + "/images")
    size = sum(len(body) for body in held.values())

    def on_disk(room, *words):
        """With the store on a disk that has so many bytes left."""
        store = path + "/.cache/envbuild"
        used = 1024 * int(subprocess.run(["du", "-sk", store], check=True, capture_output=True).stdout.split()[0])
        wrap = survival.in_namespace(f"cp -a {store} {path}/saved\nmount -t tmpfs -o size={used + room} tmpfs {store}\n"
                                     f"cp -a {path}/saved/. {store}\nrm -r {path}/saved\nmkdir {store}/out")
        return end(start(stage, path, "build", "-q", "recipe.yaml", *words, wrap=wrap))

    with Registry() as r:
        assert size > 4 * 2500000, size
        got, _, err = on_disk(2500000, "-o", "oci:.cache/envbuild/out/lay")
        assert got == 7 and "that disk has" in err, (got, err)
        got, out, err = on_disk(2500000, "-o", f"docker://{r.host}/x")
        assert got == 0 and out.strip() == f"{r.host}/x@{digest}", (got, err)
        holds(r, "x", digest)
        shutil.rmtree(path + "/.cache/envbuild")
        os.mkdir(path + "/.cache/envbuild")
        got, out, err = on_disk(200000, "-o", f"docker://{r.host}/x")
        assert got == 0 and out.strip() == f"{r.host}/x@{digest}", (got, err)


@scenario
def what_is_there_is_asked_for_at_once(stage):
    """The first question learns who we are; then four are open at the same time, or nobody answers. None is asked twice."""
    golden(stage)
    with Registry(token="me:secret") as r:
        path = locked(stage)
        login(path, r)
        push(stage, path, r)
        run(stage, path, "copy", "-q", f"docker://{r.host}/team/x:{TAG}", "oci:lay:1")
        for again in (lambda: push(stage, path, r), lambda: copy(stage, path, "oci:lay", f"docker://{r.host}/team/x:2")):
            r.since()
            barrier = threading.Barrier(4)
            r.faults = [Fault("HEAD", "blobs/", 4, after=2, do=lambda h: barrier.wait(PATIENCE) and False)]
            again()
            heads = [p for m, p, status in r.log if m == "HEAD" and "blobs/" in p and status == 200]
            assert len(heads) == len(set(heads)) and r.faults[0].met == 4, heads
            assert not methods(r.log, "POST")


@scenario
def one_lost_layer_is_all_that_is_sent(stage):
    digest, held = golden(stage)
    with Registry() as r:
        push(stage, locked(stage), r)
        repo = r.repositories["team/x"]
        manifest = json.loads(repo.manifests[digest][1])
        lost = min(manifest["layers"], key=lambda d: d["size"])
        repo.blobs.discard(lost["digest"])
        r.since()
        push(stage, locked(stage), r)
        holds(r, "team/x", digest)
        assert r.received == lost["size"], (r.received, lost)


@scenario
def layers_are_mounted_from_another_repository(stage):
    digest, _ = golden(stage)
    with Registry(token="me:secret") as r:
        first, second = locked(stage), locked(stage)
        login(first, r)
        login(second, r)
        push(stage, first, r, "team/old")
        r.since()
        push(stage, second, r, "team/new", "--mount-from", "team/old")
        holds(r, "team/new", digest)
        blobs = json.loads(r.repositories["team/new"].manifests[digest][1])
        text, manifest = lock_bytes(r, "team/new")
        assert r.received == 3 * len(r.repositories["team/new"].manifests[digest][1]) + manifest, r.received
        assert len(methods(r.log, "POST", "mount=")) == len({d["digest"] for d in blobs["layers"]}) + 3
        assert any(len(s) == 2 for _, _, s in r.asked_tokens), "no token for two repositories was asked for"


@scenario
def a_mount_that_is_not_done_is_an_upload(stage):
    digest, _ = golden(stage)
    for kind in ("refused", "lied", "error"):
        with Registry() as r:
            push(stage, locked(stage), r, "a/old")
            if kind == "refused":
                r.mounts = False
            elif kind == "lied":
                r.faults.append(Fault("POST", "mount=", 99, status=201, headers={"Location": "/x"}))
            else:
                r.faults.append(Fault("POST", "mount=", 99, status=403))
            push(stage, locked(stage), r, "a/new", "--mount-from", "a/old")
            holds(r, "a/new", digest)


@scenario
def who_we_are(stage):
    """Tokens, Basic and identity tokens, from every place that they may stand in."""
    digest, _ = golden(stage)
    secret = base64.b64encode(b"me:secret").decode()
    for kind in ("docker", "podman", "namespace", "old key", "helper", "store", "env", "identity", "identity refused", "basic"):
        with Registry(**({"basic": "me:secret"} if kind == "basic" else {"token": "me:secret"})) as r:
            path = locked(stage)
            env = {}
            plain = {r.host: {"auth": secret}}
            if kind in ("docker", "basic"):
                file(path, ".home/.docker/config.json", json.dumps({"auths": plain}))
            elif kind == "podman":
                file(path, ".run/containers/auth.json", json.dumps({"auths": plain}))
                env["XDG_RUNTIME_DIR"] = path + "/.run"
            elif kind == "namespace":
                wrong = base64.b64encode(b"other:wrong").decode()
                file(path, ".home/.config/containers/auth.json", json.dumps({"auths": {
                    r.host: {"auth": wrong}, r.host + "/team": {"auth": secret}, r.host + "/tea": {"auth": wrong}}}))
            elif kind == "old key":
                file(path, ".home/.docker/config.json", json.dumps({"auths": {f"https://{r.host}/v1/": {"auth": secret}}}))
            elif kind in ("helper", "store"):
                answer = json.dumps({"ServerURL": r.host, "Username": "me", "Secret": "secret"})
                file(path, "bin/docker-credential-tests",
                     f'#!/bin/sh\nread -r host\n[ "$1 $host" = "get {r.host}" ] || {{ echo "asked for $host"; exit 2; }}\n'
                     f"echo '{answer}'\n", 0o755)
                env["PATH"] = path + "/bin:" + stage.env(path)["PATH"]
                how = {"credHelpers": {r.host: "tests", "ghcr.io": "missing"}} if kind == "helper" else {"credsStore": "tests"}
                file(path, ".home/.docker/config.json", json.dumps(how))
            elif kind == "env":
                env["REGISTRY_AUTH_FILE"] = file(path, "auth.json", json.dumps({"auths": plain}))
            else:
                r.identity = "id3ntity"
                if kind == "identity refused":
                    r.faults.append(Fault("POST", "/token", 9, status=404))
                file(path, ".home/.docker/config.json", json.dumps({"auths": {r.host: {
                    "auth": base64.b64encode((b"me:secret" if kind == "identity refused" else b"<token>:")).decode(),
                    "identitytoken": "id3ntity"}}}))
                if kind == "identity refused":
                    r.token = "me:id3ntity"
            assert push(stage, path, r, **env).endswith(digest), kind
            holds(r, "team/x", digest)


@scenario
def who_podman_knows_without_a_session(stage):
    """As root in a container: there is no XDG_RUNTIME_DIR."""
    golden(stage)
    with Registry(token="me:secret") as r:
        path = locked(stage)
        entry = {r.host: {"auth": base64.b64encode(b"me:secret").decode()}}
        wrap = survival.in_namespace(f"mount -t tmpfs tmpfs /run; mkdir -p /run/containers/{os.getuid()}\n"
                                     f"echo '{json.dumps({'auths': entry})}' >/run/containers/{os.getuid()}/auth.json")
        got, _, err = end(start(stage, path, "build", "-q", "recipe.yaml", "-o", f"docker://{r.host}/x", wrap=wrap))
        assert got == 0, err


@scenario
def nobody_and_the_wrong_one_are_told_what_to_type(stage):
    for user, words in ((None, "nobody is logged in there"), ("me:wrong", "refuses the user that is logged in")):
        for how in ({"token": "me:secret"}, {"basic": "me:secret"}):
            with Registry(**how) as r:
                path = locked(stage)
                if user:
                    login(path, r, user)
                err = push(stage, path, r, code=5)
                assert words in err and f"`docker login {r.host}` or `podman login {r.host}`" in err, err
                assert "wrong" not in err.replace("wrong user or password", ""), err
                assert len(r.log) < 20, "it does not stop asking"


@scenario
def a_broken_helper_is_an_error(stage):
    """Never a try with another's credentials; and what it says is told, but for the secret."""
    said = json.dumps({"ServerURL": "x", "Username": "me", "Secret": "secret"})
    for script, words in (("echo it is locked; exit 1", "it is locked"), (f"echo '{said}'; exit 1", "failed (exit 1)"), ("exit 3", "failed (exit 3)"),
                          ("kill -9 $$", "was ended by signal 9"), ("echo secret", "prints no JSON"), ("", "prints no JSON"),
                          (f"printf '\\357\\273\\277'; echo '{said}'", "prints no JSON"), ("yes secret", "printed more than"),
                          ("printf '\\033]0;x\\007no\\n'; exit 2", "x\\x07no")):
        with Registry(token="me:secret") as r:
            path = locked(stage)
            file(path, "bin/docker-credential-tests", f"#!/bin/sh\n{script}\n", 0o755)
            file(path, ".home/.docker/config.json", json.dumps({
                "credHelpers": {r.host: "tests"}, "auths": {r.host: {"auth": base64.b64encode(b"me:secret").decode()}}}))
            err = push(stage, path, r, code=7, PATH=path + "/bin:" + stage.env(path)["PATH"])
            assert "docker-credential-tests" in err and words in err and "secret" not in err, (script, err)
            assert len(r.log) < 4, r.log


@scenario
def a_helper_that_hangs_is_told_and_can_be_interrupted(stage):
    with Registry(token="me:secret") as r:
        path = locked(stage)
        file(path, "bin/docker-credential-tests", "#!/bin/sh\nexec sleep 1000\n", 0o755)
        file(path, ".home/.docker/config.json", json.dumps({"credsStore": "tests"}))
        p = start(stage, path, "build", "recipe.yaml", "-o", f"docker://{r.host}/x", PATH=path + "/bin:" + stage.env(path)["PATH"])
        while b"waiting for docker-credential-tests" not in (line := p.stderr.readline()):
            assert line, "it ends without a word"
        p.send_signal(signal.SIGINT)
        assert end(p)[0] == 130


@scenario
def secrets_stay_where_they_belong(stage):
    """A realm by plain http on another host is told nothing; another origin's upload neither."""
    digest, _ = golden(stage)
    with Registry(token="me:secret") as r, Registry() as other:
        told = []

        def ask(handler):
            told.append(handler.headers.get("Authorization"))
            handler.take(bytearray())
            handler.answer(401)
            return True

        other.faults.append(Fault(".*", "", 99, do=ask))
        r.realm = f"http://localhost:{other.port}/token"
        path = locked(stage)
        login(path, r)
        push(stage, path, r, code=5)
        assert told and set(told) == {None}, told
    with Registry(token="me:secret") as r, Registry() as other:
        path = locked(stage)
        login(path, r)
        told = []

        def take(handler):
            told.append(handler.headers.get("Authorization"))
            handler.path = handler.path.split("?state", 1)[0] + "?" + handler.path.split("?", 1)[1]
            return False

        other.sessions, other.blobs, other.repositories = r.sessions, r.blobs, r.repositories
        other.faults.append(Fault("PUT|PATCH|GET", "uploads", 999, do=take))
        r.faults.append(Fault("POST", "uploads", 99, location=lambda at: f"http://{other.host}{at}"))
        push(stage, path, r)
        holds(r, "team/x", digest)
        assert told and set(told) == {None}, told


@scenario
def a_blob_that_lies_elsewhere_is_asked_for_without_who_we_are(stage):
    digest, _ = golden(stage)
    with Registry(token="me:secret") as r, Registry() as other:
        path = locked(stage)
        login(path, r)
        push(stage, path, r, "x:1")
        other.blobs, other.repositories = r.blobs, r.repositories
        told = []
        other.faults.append(Fault(".*", "", 99, do=lambda h: told.append(h.headers.get("Authorization"))))
        r.faults.append(Fault("GET", "blobs/", 99, do=lambda h: h.answer(307, Location=f"http://{other.host}{h.path}") or True))
        out, _ = run(stage, path, "inspect", "-q", "--json", f"docker://{r.host}/x:1")
        assert json.loads(out)["digest"] == digest and len(told) > 5 and set(told) == {None}, told


@scenario
def a_token_that_runs_out_is_had_anew(stage):
    digest, _ = golden(stage)
    with Registry(token="me:secret") as r:
        path = locked(stage)
        login(path, r)
        r.expires_in = 0
        push(stage, path, r)
        assert not [x for x in r.log if x[2] == 401][1:], "a token that is over is sent"
    with Registry(token="me:secret") as r:
        path = locked(stage)
        login(path, r)
        r.uses_left = 12
        push(stage, path, r)
        holds(r, "team/x", digest)
        assert len(r.asked_tokens) > 2, r.asked_tokens


@scenario
def what_breaks_goes_on(stage):
    """Cut at several places, told to come again, sessions that get lost: the same image, and no session left."""
    digest, _ = golden(stage)
    cases = {
        "cut": [Fault("PATCH", "uploads", 1, cut=n) for n in (0, 1, 100)],
        "cut put": [Fault("PUT", "uploads", 1, cut=0), Fault("PUT", "uploads", 1, cut=1)],
        "503": [Fault("PATCH|PUT", "uploads", 2, status=503)],
        "429": [Fault("POST", "uploads", 1, status=429, headers={"Retry_After": "1"}),
                Fault("PATCH|PUT", "uploads", 1, status=429, headers={"Retry_After": "1"})],
        "lost": [Fault("PATCH", "uploads", 1, cut=100), Fault("GET", "uploads", 1, status=404)],
        "misfit": [Fault("PATCH", "uploads", 1, cut=100), Fault("GET", "uploads", 1, status=204, headers={"Range": "0-99999999"})],
        "416": [Fault("PATCH", "uploads", 1, status=416)],
        "short": [Fault("PATCH", "uploads", 1, put={"Range": "0-7"})],
        "answer lost": [Fault("PUT", "uploads", 1, put={"X-Nothing": "1"}, cut_answer=0)],
        "head": [Fault("HEAD", "blobs", 2, status=502)],
        "manifest": [Fault("PUT", "manifests", 2, status=500)],
        "closing": [Fault("PUT", "uploads", 1, status=500)],
    }
    for name, faults in cases.items():
        with Registry() as r:
            r.faults += faults
            path = locked(stage)
            if "put" not in name:
                file(path, ".home/.config/envbuild/config.yaml", f"registries: {{'{r.host}': {{upload: patch}}}}\n")
            push(stage, path, r)
            holds(r, "team/x", digest)
            assert all(f.met for f in faults), f"{name}: not all faults were met"


@scenario
def ways_to_send(stage):
    digest, _ = golden(stage)
    for how, method, absent in (("upload: put", "PUT", "PATCH"), ("upload: patch", "PATCH", None), ("chunk: 30000", "PATCH", None),
                                ("upload: chunks", "PATCH", None)):
        with Registry() as r:
            path = stage.fresh() if "put" in how else locked(stage)
            file(path, ".home/.config/envbuild/config.yaml", f"registries: {{'{r.host}': {{{how}}}}}\n")
            sizes = []
            r.faults.append(Fault("PATCH", "uploads", 9999, do=lambda h: sizes.append(int(h.headers.get("Content-Length", 0)))))
            push(stage, path, r)
            holds(r, "team/x", digest)
            assert methods(r.log, method, "uploads") and not (absent and methods(r.log, absent)), how
            if "30000" in how:
                assert len(sizes) > 20 and max(sizes) <= 30000, sizes
    with Registry() as r:  # a proxy that takes no large bodies, and a registry that takes no small ones
        r.body_max = 100000
        path = locked(stage)
        file(path, ".home/.config/envbuild/config.yaml", f"registries: {{'{r.host}': {{chunk: 100000}}}}\n")
        push(stage, path, r)
        holds(r, "team/x", digest)
    with Registry() as r:
        r.chunk_min = 100000
        path = locked(stage)
        file(path, ".home/.config/envbuild/config.yaml", f"registries: {{'{r.host}': {{chunk: 30000}}}}\n")
        push(stage, path, r)
        holds(r, "team/x", digest)


@scenario
def the_registry_is_quoted(stage):
    body = json.dumps({"errors": [{"code": "DENIED", "message": "you may not", "detail": "by the rules"}]}).encode()
    cases = [
        (Fault("POST", "uploads", 9, status=403, body=body), 'the registry says "you may not: by the rules" (HTTP 403); who is logged in'),
        (Fault("POST", "uploads", 9, status=404), "create it there first"),
        (Fault("PUT", "manifests", 9, status=400, body=body), "manifest sha256:"),
        (Fault("PATCH|PUT", "uploads", 99, status=413), "takes no body that large"),
        (Fault("PUT", "manifests", 9, put={"Docker-Content-Digest": "sha256:" + "0" * 64}), "has stored it as sha256:000"),
        (Fault("POST", "uploads", 9, location=lambda at: "ftp://x/"), "not an address"),
    ]
    for fault, words in cases:
        with Registry() as r:
            r.faults.append(fault)
            err = push(stage, locked(stage), r, code=6 if "stored" in words else 5)
            assert words in err and f"{r.host}/team/x" in err, err
            assert not r.sessions or "address" in words, "a session is left open"
    with Registry() as r:
        r.known_repositories = set()
        assert "create it there first" in push(stage, locked(stage), r, code=5)


@scenario
def a_tag_that_may_not_move(stage):
    digest, _ = golden(stage)
    with Registry() as r:
        r.immutable = True
        push(stage, locked(stage), r)
        r.since()
        push(stage, locked(stage), r)
        assert not methods(r.log, "PUT"), "a tag that is right is put again"
        path = stage.fresh()
        recipe(stage, path, "env: {A: b}")
        err = push(stage, path, r, code=5)
        assert "may not be changed" in err and f"manifest {TAG}" in err, err
        assert names(r, "team/x") == {TAG: digest}


def stalled(r):
    """The first upload waits: for the first of the two; the second tells that it has come."""
    hold, seen = threading.Event(), threading.Event()

    def stall(handler):
        seen.set()
        hold.wait(PATIENCE)
        return False

    r.faults.append(Fault("PATCH|PUT", "uploads", 1, do=stall))
    return hold, seen


@scenario
def an_interruption_ends_its_sessions(stage):
    with Registry() as r:
        path = locked(stage)
        hold, seen = stalled(r)
        p = start(stage, path, "build", "-q", "--index", stage.index, "recipe.yaml", "-o", f"docker://{r.host}/x")
        assert seen.wait(PATIENCE)
        p.send_signal(signal.SIGINT)
        code, _, err = end(p)
        hold.set()
        assert code == 130, (code, err)
        assert methods(r.log, "DELETE", "uploads"), r.log
        assert not r.repositories["x"].tags


@scenario
def an_interruption_ends_its_sessions_with_a_new_token(stage):
    """That of a long upload may be over by then."""
    with Registry(token="me:secret") as r:
        path = locked(stage)
        login(path, r)
        hold, seen = stalled(r)
        p = start(stage, path, "build", "-q", "-j", "1", "--index", stage.index, "recipe.yaml", "-o", f"docker://{r.host}/x")
        assert seen.wait(PATIENCE)
        r.tokens.clear()
        asked = len(r.asked_tokens)
        p.send_signal(signal.SIGINT)
        assert end(p)[0] == 130
        hold.set()
        r.settle()
        assert len(r.asked_tokens) == asked + 1 and not r.sessions, (r.sessions, r.log)


@scenario
def a_proxy_is_told_nothing_of_this_machine(stage):
    digest, _ = golden(stage)
    with Registry(token="me:secret") as r, Registry() as proxy:
        path = locked(stage)
        login(path, r)
        proxies = {name: f"http://{proxy.host}" for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY")}
        build(stage, path)
        got, out, err = end(start(stage, path, "copy", "-q", "oci:images", f"docker://{r.host}/x", **proxies))
        assert got == 0 and out.strip().endswith(digest), err
        assert not proxy.log and proxy.told == set(), proxy.log


@scenario
def images_of_a_registry_are_read(stage):
    digest, _ = golden(stage)
    with Registry(token="me:secret") as r:
        path = locked(stage)
        login(path, r)
        reference = push(stage, path, r, "team/x:1.0")
        r.since()
        for operand in (f"docker://{r.host}/team/x:1.0", f"docker://{reference}"):
            out, _ = run(stage, path, "check", "-q", "--json", "--driver", "570", "--gpu", "A100", operand)
            assert json.loads(out)
        assert r.sent < 60000 and not methods(r.log, "GET", "blobs") [4:], "our own image is judged by more than its config"
        out, _ = run(stage, path, "emit", "k8s", "-q", f"docker://{r.host}/team/x:1.0")
        assert f"{r.host}/team/x" in out and digest in out, out
        r.faults.append(Fault("GET", "blobs/", 3, after=2, cut_answer=300))
        out, _ = run(stage, path, "inspect", "-q", "--json", f"docker://{r.host}/team/x:1.0")
        assert json.loads(out)["digest"] == digest
        same = run(stage, path, "inspect", "-q", "--json", f"oci:images@{digest}") if os.path.exists(path + "/images") else None
        assert same is None or json.loads(same[0])["packages"] == json.loads(out)["packages"]
        _, err = run(stage, path, "inspect", "-q", f"docker://{r.host}/team/x:2.0", code=3)
        assert "has no image 2.0" in err, err
        wrong = f"docker://{r.host}/team/x@sha256:" + "1" * 64
        assert "has no image sha256:111" in run(stage, path, "inspect", "-q", wrong, code=3)[1]


@scenario
def a_damaged_blob_of_a_registry_is_told(stage):
    digest, _ = golden(stage)
    with Registry() as r:
        path = locked(stage)
        push(stage, path, r, "x:1")
        manifest = json.loads(r.repositories["x"].manifests[digest][1])
        name = manifest["layers"][0]["digest"]
        body = bytearray(r.blobs[name])
        body[len(body) // 2] ^= 1
        r.blobs[name] = bytes(body)
        err = run(stage, path, "inspect", "-q", f"docker://{r.host}/x:1", code=6)[1]
        assert "digest is not" in err, err
        r.blobs[manifest["config"]["digest"]] = b"{}" + b" " * (manifest["config"]["size"] - 2)
        assert "another digest" in run(stage, path, "inspect", "-q", f"docker://{r.host}/x:1", code=6)[1]


def copy(stage, path, *args, code=0):
    got, out, err = end(start(stage, path, "copy", "-q", *args))
    assert got == code, f"exit {got}, not {code}: {err}"
    return err if code else out.strip()


@scenario
def copies_keep_their_digest(stage):
    """Round through every kind of place, and back into the registry that it came from."""
    digest, held = golden(stage)
    with Registry(token="me:secret") as r, Registry() as other:
        path = locked(stage)
        login(path, r)
        push(stage, path, r, "team/x:1.0")
        assert copy(stage, path, f"docker://{r.host}/team/x:1.0", "oci:lay") == f"oci:lay:{r.host}/team/x:1.0"
        assert copy(stage, path, "oci:lay", "oci-archive:a.tar:x:1") == "oci-archive:a.tar:x:1"
        assert copy(stage, path, "a.tar", "dir:flat") == "dir:flat"
        assert copy(stage, path, "dir:flat", "docker-archive:d.tar:x:2") == "docker-archive:d.tar"
        assert copy(stage, path, "docker-archive:d.tar", f"docker://{other.host}/copied") == f"{other.host}/copied@{digest}"
        holds(other, "copied", digest)
        assert names(other, "copied") == {"2": digest}
        assert {f"sha256:{n}" for n in os.listdir(path + "/flat") if len(n) == 64} == set(held) - {digest}
        assert "sha256:" + hashlib.sha256(read(path, "flat", "manifest.json")).hexdigest() == digest
        r.since()
        assert copy(stage, path, f"docker://{r.host}/team/x:1.0", f"docker://{r.host}/team/y:3", "--tag", "4", "--tag", "5").endswith(digest)
        assert names(r, "team/y") == {"3": digest, "4": digest, "5": digest}
        assert len(methods(r.log, "POST", "mount=")) > 3 and not methods(r.log, "PATCH"), r.log
        layers = len({d["digest"] for d in json.loads(r.repositories["team/x"].manifests[digest][1])["layers"]})
        words = lambda: re.findall("  (layer|tag) .*: ([a-z]+)$", run(stage, path, "copy", "-v", f"docker://{r.host}/team/x:1.0", f"docker://{r.host}/z:1")[1], re.M)
        assert words() == layers * [("layer", "mounted")]
        assert words() == layers * [("layer", "there")] + [("tag", "there")]
        assert copy(stage, path, f"docker://{other.host}/copied:2", f"docker://{other.host}/copied:2").endswith(digest)
        assert "not a tag" in copy(stage, path, "oci:lay", "oci:second", "--tag", "-x", code=2)
        assert not r.sessions and not other.sessions


@scenario
def a_folder_of_other_things_is_left_alone(stage):
    path = locked(stage)
    build(stage, path)
    file(path, "mine/notes.txt", "x")
    assert "holds other things" in copy(stage, path, "oci:images", "dir:mine", code=3)
    assert os.listdir(path + "/mine") == ["notes.txt"]


@scenario
def an_index_is_copied_whole(stage):
    digest, _ = golden(stage)
    with Registry() as r, Registry() as to:
        path = locked(stage)
        push(stage, path, r, "x:1")
        repo = r.repositories["x"]
        kind, body = repo.manifests[digest]
        other = json.loads(body)
        other["annotations"] = {"for": "arm64"}
        other = json.dumps(other).encode()
        second = "sha256:" + hashlib.sha256(other).hexdigest()
        repo.manifests[second] = (kind, other)
        index = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
            {"mediaType": kind, "digest": d, "size": len(b), "platform": {"os": "linux", "architecture": a}}
            for d, b, a in ((digest, body, "amd64"), (second, other, "arm64"))]}).encode()
        top = "sha256:" + hashlib.sha256(index).hexdigest()
        repo.manifests[top] = ("application/vnd.oci.image.index.v1+json", index)
        repo.tags["all"] = top
        assert copy(stage, path, f"docker://{r.host}/x:all", f"docker://{to.host}/one:1") == f"{to.host}/one@{digest}"
        for place in (f"docker://{to.host}/y:all", "oci:lay:all", "dir:flat"):
            assert copy(stage, path, f"docker://{r.host}/x:all", place, "--all")
        assert names(to, "y") == {"all": top} and set(to.repositories["y"].manifests) > {top, digest, second}
        assert copy(stage, path, "oci:lay:all", f"docker://{to.host}/z:all", "--all") == f"{to.host}/z@{top}"
        assert copy(stage, path, "dir:flat", f"docker://{to.host}/w:all", "--all") == f"{to.host}/w@{top}"
        assert "one platform" in copy(stage, path, "oci:lay:all", "docker-archive:x.tar:x:1", "--all", code=3)


@scenario
def one_build_goes_to_many_places(stage):
    digest, _ = golden(stage)
    with Registry() as r, Registry() as other:
        path = locked(stage)
        got, out, err = end(start(stage, path, "build", "-q", "--index", stage.index, "recipe.yaml", "-o", f"docker://{r.host}/x",
                                  "-o", f"docker://{other.host}/y:2", "-o", "oci:lay", "-o", "dir:flat"))
        assert got == 0, err
        assert out.split() == [f"{r.host}/x@{digest}", f"{other.host}/y@{digest}", f"oci:lay:pytorch:{TAG}", "dir:flat"], out
        holds(r, "x", digest), holds(other, "y", digest), check_layout(path + "/lay", digest)


@scenario
def an_image_of_a_registry_is_a_base(stage):
    """Locked by its digest; its layers are mounted where they can be, and streamed through where not."""
    with Registry(token="me:secret") as r, Registry() as other:
        path = stage.fresh()
        login(path, r)
        base = base_image.image(path)
        copy(stage, path, "oci:base", f"docker://{r.host}/theirs:v1")
        base_image.recipe(path, f"docker://{r.host}/theirs:v1")
        err = build(stage, path, code=3)
        assert f"docker://{r.host}/theirs:v1@{base.digest}" in err, err
        base_image.recipe(path, f"docker://{r.host}/theirs:v1@{base.digest}")
        digest = build(stage, path)
        manifest, config, _ = base_image.documents(path, digest)
        assert manifest["layers"][:2] == base.layers
        labels = config["config"]["Labels"]
        assert labels["org.opencontainers.image.base.name"] == f"{r.host}/theirs:v1", labels
        assert labels["org.opencontainers.image.base.digest"] == base.digest
        r.since()
        assert push(stage, path, r, "ours") == f"{r.host}/ours@{digest}"
        assert len(methods(r.log, "POST", "mount=")) == 2, "the base's layers alone can be mounted"
        for d in base.layers:
            assert d["digest"] in r.repositories["ours"].blobs and not methods(r.log, "GET", d["digest"])
        r.faults.append(Fault("GET", base.layers[0]["digest"], 1, cut_answer=100))
        assert push(stage, path, other, "ours") == f"{other.host}/ours@{digest}"
        holds(other, "ours", digest)
        r.since(), other.since()
        push(stage, path, other, "ours")
        assert other.received == 0 and not methods(r.log, "GET", base.layers[0]["digest"]), r.log


@scenario
def tls_with_its_own_authority(stage):
    """certs.d as Docker and podman have it: without it the server is not trusted, and the message says where to put it."""
    digest, _ = golden(stage)
    path = locked(stage)
    openssl = lambda *words: subprocess.run(["openssl", *words], cwd=path, check=True, capture_output=True)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=tests", "-days", "30")
    for name, san in (("server", "subjectAltName=IP:127.0.0.1"), ("client", "extendedKeyUsage=clientAuth")):
        file(path, name + ".ext", san + "\n")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-out", name + ".csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out", name + ".pem",
                "-days", "30", "-extfile", name + ".ext")
    at = lambda name: os.path.join(path, name)
    with Registry(token="me:secret", tls=(at("server.pem"), at("server.key"))) as r:
        login(path, r)
        err = push(stage, path, r, code=5)
        assert "certificate is not trusted" in err and f"certs.d/{r.host}" in err, err
        file(path, ".home/.config/envbuild/config.yaml", f"registries: {{'{r.host}': {{insecure: true}}}}\n")
        assert push(stage, path, r).endswith(digest)
        # any certificate will do for this host, and for no other that wants to know who asks
        r.realm = f"https://localhost:{r.port}/token"
        r.since(), r.asked_tokens.clear()
        err = push(stage, path, r, code=5)
        assert f"https://localhost:{r.port}/token" in err and "certificate is not trusted" in err and not r.asked_tokens, err
        r.realm = None
        os.unlink(at(".home/.config/envbuild/config.yaml"))
        folder = f".home/.config/containers/certs.d/{r.host}/"
        openssl("x509", "-in", "ca.crt", "-outform", "der", "-out", file(path, folder + "ca.crt", ""))
        got, _, err = end(start(stage, path, "inspect", f"docker://{r.host}/team/x:{TAG}"))
        assert got == 5 and "ca.crt holds no certificate in PEM form" in err and "is not trusted" in err, err
        file(path, folder + "ca.crt", read(path, "ca.crt").decode())
        assert push(stage, path, r).endswith(digest)
        context = r.server.socket.context
        context.load_verify_locations(at("ca.crt"))
        context.verify_mode = ssl.CERT_REQUIRED
        push(stage, path, r, code=5)  # it wants to see a certificate
        file(path, folder + "client.cert", read(path, "client.pem").decode())
        assert "client.key is not there" in push(stage, path, r, code=3)
        file(path, folder + "client.key", read(path, "client.key").decode())
        assert push(stage, path, r).endswith(digest)
        holds(r, "team/x", digest)


@scenario
def plain_http_is_for_loopback_alone(stage):
    digest, _ = golden(stage)
    places = [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "localhost"), ("127.0.0.1", "LocalHost")]
    for address, name in places + [("::1", "[::1]")] * os.path.exists("/proc/net/if_inet6"):
        with Registry(token="me:secret", address=address) as r:
            path = locked(stage)
            host = r.host
            r.host = f"{name}:{r.port}"
            login(path, r)
            assert push(stage, path, r, "team/x:1") == f"{r.host}/team/x@{digest}"
            assert [t for m, t, _ in r.log if m == "GET" and t.startswith("/token")], (host, r.log)
            holds(r, "team/x", digest)


@scenario
def plain_http_is_never_guessed(stage):
    path = locked(stage)
    with Registry() as r:
        name = f"registry.invalid:{r.port}"
        got, _, err = end(start(stage, path, "build", "-q", "--index", stage.index, "recipe.yaml", "-o", f"docker://{name}/x",
                                HTTP_PROXY=f"http://{r.host}", http_proxy=f"http://{r.host}"))
        assert got == 5 and not [x for x in r.log if x[0] != "CONNECT"], (err, r.log)


@scenario
def what_refers_to_an_image_is_copied_with_it(stage):
    """Also where neither registry has a list of referrers, and where another writes the tag in its place meanwhile."""
    digest, _ = golden(stage)
    for has, gets in ((True, True), (True, False), (False, True), (False, False)):
        with Registry() as r, Registry() as to:
            r.referrers, to.referrers = has, gets
            path = locked(stage)
            push(stage, path, r, "x:1")
            kind, body = r.repositories["x"].manifests[digest]
            r.blobs["sha256:" + hashlib.sha256(b"{}").hexdigest()] = b"{}"
            empty = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": "sha256:" + hashlib.sha256(b"{}").hexdigest(), "size": 2}
            r.repositories["x"].blobs.add(empty["digest"])
            note = json.dumps({"schemaVersion": 2, "mediaType": kind, "artifactType": "application/x-note", "config": empty,
                               "layers": [empty], "subject": {"mediaType": kind, "digest": digest, "size": len(body)},
                               "annotations": {"says": "hello"}}).encode()
            name = "sha256:" + hashlib.sha256(note).hexdigest()
            r.repositories["x"].manifests[name] = (kind, note)
            entry = {"mediaType": kind, "digest": name, "size": len(note), "artifactType": "application/x-note",
                     "annotations": {"says": "hello"}}
            tag = digest.replace(":", "-")
            listed = lambda entries: json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
                                                 "manifests": entries}).encode()
            put = lambda where, text: (where.manifests.__setitem__("sha256:" + hashlib.sha256(text).hexdigest(),
                                                                   ("application/vnd.oci.image.index.v1+json", text)),
                                       where.tags.__setitem__(tag, "sha256:" + hashlib.sha256(text).hexdigest()))
            if not has:
                put(r.repositories["x"], listed([entry]))
            second = note.replace(b"hello", b"again")
            other = dict(entry, digest="sha256:" + hashlib.sha256(second).hexdigest())
            to.repository("y").manifests[other["digest"]] = (kind, second)
            met = []
            if not gets:
                # Our first writing is lost: another's comes after it.
                to.faults.append(Fault("PUT", tag, 1, do=lambda h: met.append(h.take(bytearray())) or
                                       put(to.repository("y"), listed([other])) and (h.answer(201) or True)))
            assert copy(stage, path, f"docker://{r.host}/x:1", f"docker://{to.host}/y:1", "--all") == f"{to.host}/y@{digest}"
            repo = to.repositories["y"]
            assert repo.manifests[name][1] == note
            if not gets:
                index = json.loads(repo.manifests[repo.tags[tag]][1])
                assert met and other in index["manifests"] and entry in index["manifests"], index
                assert len([m for m in index["manifests"] if "envbuild.lock" in m["artifactType"]]) == has, index
            else:
                assert tag not in repo.tags
