# SPDX-License-Identifier: Apache-2.0
"""The examples of examples/ci: their scripts, and what the files that call them run, as their systems do, against a registry
and a git repository on this machine."""
import http.server, re, shutil, subprocess, urllib.parse

from lib import *
from registry import names
from registry_peer import Registry

CI = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/ci")


def checkout(stage, *lines):
    """A repository with a recipe and its lock, built once so that it has digests; and a clone of it, on a runner of its own."""
    if not shutil.which("git"):
        raise Skip("git is not installed")
    path = stage.fresh()
    recipe(stage, path, f"indexes: [{stage.index}]", *lines)
    build(stage, path)
    shutil.rmtree(path + "/images")
    os.mkdir(path + "/ci")
    for name in ("build.sh", "upgrade.sh"):
        shutil.copy(os.path.join(CI, name), path + "/ci")
    with open(path + "/.gitignore", "w") as f:
        f.write(".cache\n.home\n")
    git(stage, path, "init", "-q", "-b", "main")
    git(stage, path, "add", "-A")
    git(stage, path, "-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "-q", "-m", "first")
    return path


def git(stage, path, *words):
    return subprocess.run(["git", *words], cwd=path, env=stage.env(path), check=True, capture_output=True, text=True).stdout


def clone(stage, origin):
    path = stage.fresh()
    git(stage, path, "clone", "-q", origin, "work")
    return path + "/work"


def script(stage, work, name, code=0, **env):
    """On a machine whose store and temporary folder are below the checkout's own folder."""
    top = os.path.dirname(work)
    done = subprocess.run(["sh", os.path.join(CI, name)], cwd=work, capture_output=True, text=True, timeout=PATIENCE,
                          env=stage.env(top, RECIPE="recipe.yaml", TMPDIR=top, **env), stdin=subprocess.DEVNULL)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


def nothing_moved(r, work):
    """Neither an artifact nor a layer, into the runner or out of it."""
    layers = {x["digest"] for x in json.loads(read(work, "recipe.lock"))["built"]["layers"]}
    assert check_store(os.path.dirname(work)) == 0, "a bare runner with a cache fetches artifacts"
    moved = [x for x in r.log if (x[0] == "GET" or x[0] == "PUT") and any(d[7:] in x[1] for d in layers)]
    assert not moved, moved


@scenario
def a_change_is_built_and_main_is_published(stage):
    origin = checkout(stage)
    with Registry() as r:
        env = {"IMAGE": f"{r.host}/team/torch", "CACHE": f"{r.host}/team/layers"}
        work = clone(stage, origin)
        script(stage, work, "build.sh", **env)
        assert set(r.repositories) == {"team/layers"}, r.repositories
        work = clone(stage, origin)
        r.since()
        out, _ = script(stage, work, "build.sh", PUBLISH="1", **env)
        nothing_moved(r, work)
        digest = json.loads(read(work, "recipe.lock"))["built"]["manifest"]
        assert list(names(r, "team/torch").values()) == [digest] and digest in out, out
        assert not git(stage, work, "status", "--porcelain")
        recipe(stage, work, "env: {NEW: b}")
        assert "recipe.lock is out of date" in script(stage, work, "build.sh", code=3, **env)[1]
        assert list(names(r, "team/torch").values()) == [digest]


@scenario
def what_is_newer_is_proposed(stage):
    """With what changed as the text; and taken, it is published without moving a layer."""
    origin = checkout(stage)
    with Registry() as r:
        env = {"IMAGE": f"{r.host}/torch", "CACHE": f"{r.host}/layers"}
        work = clone(stage, origin)
        text = os.path.join(os.path.dirname(work), "changes.txt")
        env.update(BRANCH="envbuild/upgrade", TEXT=text)
        out, _ = script(stage, work, "upgrade.sh", **env)
        assert "nothing is newer" in out and read(text) == b"" and not git(stage, work, "status", "--porcelain"), out
        with later(stage):
            script(stage, work, "upgrade.sh", **env)
        said = read(text).decode()
        assert said.startswith("recipe.lock\n\n    ") and " becomes " in said, said
        assert said.strip() in git(stage, origin, "log", "-1", "--format=%B", "envbuild/upgrade").replace("\n\n\n", "\n\n"), said
        assert git(stage, origin, "diff", "--name-only", "main", "envbuild/upgrade").split() == ["recipe.lock"]
        git(stage, origin, "merge", "-q", "--ff-only", "envbuild/upgrade")
        work = clone(stage, origin)
        r.since()
        script(stage, work, "build.sh", PUBLISH="1", **env)
        nothing_moved(r, work)


# ---- the files of each system ----


def documents(name):
    try:
        import yaml
    except ImportError:
        raise Skip("PyYAML is not installed")
    with open(os.path.join(CI, name)) as f:
        return list(yaml.safe_load_all(f))


def shell(stage, work, words, text, **env):
    """One script of a file, as its system starts it, on a runner that has this checkout."""
    top = os.path.dirname(work)
    done = subprocess.run([*words, text], cwd=work, capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL,
                          env={**stage.env(top, RECIPE="recipe.yaml", TMPDIR=top, CELL=""), **env})
    assert done.returncode == 0, text + done.stdout + done.stderr
    return done.stdout


def lock_digest(work):
    return json.loads(read(work, "recipe.lock"))["built"]["manifest"]


@scenario
def the_steps_of_github_do_it(stage):
    """The repository of one with a name in capitals; a pull request that is there already gets the new text."""
    jobs = documents("github-actions.yml")[0]["jobs"]
    origin = checkout(stage)
    with Registry() as r:
        def go(job, work, path="/usr/bin:/bin", **env):
            top = os.path.dirname(work)
            open(top + "/env", "w").close()
            for step in jobs[job]["steps"]:
                text = step.get("run", "git clone").replace("ghcr.io", r.host)
                assert "${{" not in text, "what others wrote becomes part of a script: " + text
                if "git clone" not in text:
                    more = dict(line.split("=", 1) for line in read(top, "env").decode().splitlines())
                    shell(stage, work, ["bash", "-ec"], text, GITHUB_REPOSITORY="Acme/Torch", GITHUB_ENV=top + "/env",
                          PATH=f"{os.path.dirname(stage.envbuild)}:{path}", **env, **more)
        work = clone(stage, origin)
        go("build", work, PUBLISH="")
        assert set(r.repositories) == {"acme/torch/layers"}, r.repositories
        go("build", work, PUBLISH="1")
        assert list(names(r, "acme/torch/torch").values()) == [lock_digest(work)]
        work = clone(stage, origin)
        top = os.path.dirname(work)
        env = {"BRANCH": "envbuild/upgrade-0", "TEXT": work + "/changes.txt"}
        os.mkdir(top + "/bin")
        with open(top + "/bin/gh", "w") as f:
            f.write(f'#!/bin/sh\necho "$2 $(cat "$TEXT" | wc -l)" >>{top}/asked\n[ "$2" != create ] || mkdir {top}/request\n')
        os.chmod(top + "/bin/gh", 0o755)
        go("upgrade", work, top + "/bin:/usr/bin:/bin", **env)
        assert not os.path.exists(top + "/asked"), "nothing is newer, and is proposed"
        with later(stage):
            for asked in (["create"], ["create", "create", "edit"]):
                go("upgrade", work, top + "/bin:/usr/bin:/bin", **env)
                assert [line.split()[0] for line in read(top, "asked").decode().splitlines()] == asked
                git(stage, work, "checkout", "-q", "main")
        assert git(stage, origin, "diff", "--name-only", "main", env["BRANCH"]).split() == ["recipe.lock"]


class Requests(http.server.BaseHTTPRequestHandler):
    """Merge requests of GitLab's API: at most one is open. What was asked is in the server's `asked`."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()))
        asked = self.server.asked
        asked.append((self.command, self.path, form, self.headers.get("PRIVATE-TOKEN")))
        open_ones = [{"id": 155, "iid": 7, "project_id": 3, "milestone": {"id": 1, "iid": 9}}] if any(m == "POST" for m, *_ in asked[:-1]) else []
        status, body = (409, "another is open") if self.command == "POST" and open_ones else (200, open_ones)
        body = json.dumps(body, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_GET


@scenario
def the_scripts_of_gitlab_do_it(stage):
    """Also in a registry that asks who one is; a merge request that is there already gets the new text."""
    if not shutil.which("curl"):
        raise Skip("curl is not installed")
    file = documents("gitlab-ci.yml")[0]
    origin = checkout(stage)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host, port = "127.0.0.1", str(server.server_address[1])
    with Registry(token="me:secret") as r:
        work = clone(stage, origin)
        env = {"IMAGE": f"{r.host}/torch", "CACHE": f"{r.host}/layers", "CI_REGISTRY": r.host, "CI_REGISTRY_USER": "me", "CI_REGISTRY_PASSWORD": "secret",
               "CI_SERVER_PROTOCOL": "http", "CI_SERVER_HOST": host, "CI_SERVER_PORT": port, "CI_PROJECT_PATH": "team/torch", "CI_PROJECT_ID": "3",
               "CI_API_V4_URL": f"http://{host}:{port}/api/v4", "CI_DEFAULT_BRANCH": "main", "CI_NODE_INDEX": "1", "UPGRADE_TOKEN": "t0ken",
               "TEXT": work + "/changes.txt", "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{origin}.insteadOf",
               "GIT_CONFIG_VALUE_0": f"http://upgrade:t0ken@{host}:{port}/team/torch.git"}
        go = lambda job, **more: shell(stage, work, ["bash", "-eo", "pipefail", "-c"],
                                       "\n".join(file["default"]["before_script"] + file[job]["script"]), **{**env, **more})
        go("build")
        assert set(r.repositories) == {"layers"}, r.repositories
        go("publish", **file["publish"]["variables"])
        assert list(names(r, "torch").values()) == [lock_digest(work)]
        go("upgrade")
        assert not server.asked, "nothing is newer, and is proposed"
        with later(stage):
            for methods in (["GET", "POST"], ["GET", "POST", "GET", "PUT"]):
                go("upgrade")
                assert [m for m, *_ in server.asked] == methods, server.asked
                _, path, form, token = server.asked[-1]
                assert token == "t0ken" and " becomes " in form["description"], server.asked
                git(stage, work, "checkout", "-q", "main")
        assert path == "/api/v4/projects/3/merge_requests/7"
        assert server.asked[1][2]["source_branch"] == "envbuild/upgrade-1" and server.asked[1][2]["target_branch"] == "main"
        assert git(stage, origin, "diff", "--name-only", "main", "envbuild/upgrade-1").split() == ["recipe.lock"]
    server.shutdown()
    server.server_close()


@scenario
def the_jobs_of_kubernetes_do_it(stage):
    job, cron = documents("kubernetes.yml")
    origin = checkout(stage)
    with Registry() as r:
        def go(pod, **more):
            """In a volume that is empty."""
            container = pod["spec"]["containers"][0]
            top = stage.fresh()
            os.mkdir(top + "/start")
            env = {e["name"]: e["value"] for e in container["env"] if "value" in e}
            assert env["HOME"] == env["TMPDIR"] == "/scratch"
            env.update(HOME=top, TMPDIR=top, RECIPE="recipe.yaml", IMAGE=f"{r.host}/torch", CACHE=f"{r.host}/layers", GIT_URL=origin, **more)
            shell(stage, top + "/start", container["command"], container["args"][0].replace("/ci/", CI + "/"), **env)
            return top + "/work"
        work = go(job["spec"]["template"])
        assert list(names(r, "torch").values()) == [lock_digest(work)]
        text = stage.fresh() + "/changes.txt"
        with later(stage):
            go(cron["spec"]["jobTemplate"]["spec"]["template"], TEXT=text)
        assert " becomes " in read(text).decode()
        assert git(stage, origin, "diff", "--name-only", "main", "envbuild/upgrade").split() == ["recipe.lock"]


@scenario
def no_action_of_others_can_change(stage):
    """Each is named by its commit."""
    for job in documents("github-actions.yml")[0]["jobs"].values():
        for step in job["steps"]:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step.get("uses", "a/b@" + 40 * "0")), step
