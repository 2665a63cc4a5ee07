# SPDX-License-Identifier: Apache-2.0
"""`doctor`: what it tells of a machine that the test made up. As lib.py."""
import json, os, shutil, subprocess

from lib import at, end, scenario, start

VERSIONS = {"gpgv": "gpgv (GnuPG) 2.2.40", "docker": "Docker version 28.2.2, build 1", "podman": "podman version 4.3.1"}
ENGINE = '#!/bin/sh\n[ "$1" != version ] || exit %d\necho "%s"\n'


def machine(stage, *names, silent=()):
    path = stage.fresh()
    os.mkdir(path + "/bin")
    for name in names:
        with open(f"{path}/bin/{name}", "w") as f:
            f.write(ENGINE % (name in silent, VERSIONS[name]))
        os.chmod(f"{path}/bin/{name}", 0o755)
    os.symlink(shutil.which("sh"), path + "/bin/sh")
    return path, {"PATH": path + "/bin", "XDG_CONFIG_HOME": path + "/config", "HTTPS_PROXY": "http://127.0.0.1:1",
                  "https_proxy": "http://127.0.0.1:1"}


def mirrors(stage, path, **other):
    rules = {"https://pypi.org/simple/": "/simple/", "https://download.pytorch.org/whl/cpu/torch/": "/simple/torch/",
             "https://deb.debian.org/debian/dists/bookworm/": "/debian/dists/tiny/"}
    rules.update(other)
    os.makedirs(path + "/config/envbuild", exist_ok=True)
    with open(path + "/config/envbuild/config.yaml", "w") as f:
        f.write("mirrors:\n" + "".join(f"  {k}: {at(stage, v)}\n" for k, v in rules.items()))


def ask(stage, path, env, *args, code=0):
    got, out, err = end(start(stage, path, "doctor", "-q", "--json", *args, **env))
    assert got == code and not err, f"exit {got}, not {code}: {out}{err}"
    found = json.loads(out)
    assert found["failed"] == sum(c["state"] == "fail" for c in found["checks"])
    for check in found["checks"]:
        assert (check["state"] == "ok") == ("remedy" not in check), check  # each fault has its remedy
    return found["checks"]


def sentences(checks, state, code=None):
    return [c["sentence"] for c in checks if c["state"] == state and code in (None, c["code"])]


@scenario
def all_is_well(stage):
    path, env = machine(stage, *VERSIONS)
    mirrors(stage, path)
    checks = ask(stage, path, env)
    assert sentences(checks, "ok", "network") == [f"{name} or a mirror of it answers" for name in
                                                 ("PyPI", "PyTorch's index", "Debian's archive")], checks
    assert "docker 28.2.2 runs images" in sentences(checks, "ok", "tool"), checks
    assert sentences(checks, "ok", "engine") == ["docker answers; `envbuild run` takes it"], checks
    assert any("https://pypi.org/simple/" in s for s in sentences(checks, "ok", "mirrors")), checks
    assert "MB/s" in sentences(checks, "ok", "speed")[0], checks
    got, out, _ = end(start(stage, path, "doctor", "-q", "--offline", **env))
    lines = out.splitlines()
    assert got == 0 and lines[0].startswith("ok    envbuild ") and lines[-1].endswith(" 0 failed"), out


@scenario
def tools_and_engines_that_lack(stage):
    path, env = machine(stage, "docker", "podman", silent=("docker",))
    checks = ask(stage, path, env, "--offline", code=1)
    assert ["gpgv" in s for s in sentences(checks, "fail")] == [True], checks
    assert sentences(checks, "warn", "engine-silent") == ["`docker version` fails for this user"], checks
    assert sentences(checks, "ok", "engine")[0].startswith("podman "), checks
    path, env = machine(stage, "gpgv")
    checks = ask(stage, path, env, "--offline")
    assert sentences(checks, "warn", "engine")[0].startswith("neither docker nor podman"), checks


@scenario
def a_network_that_does_not_answer(stage):
    path, env = machine(stage, "gpgv")
    mirrors(stage, path, **{"https://pypi.org/simple/": "/nowhere/"})  # and the proxy is dead
    checks = ask(stage, path, env, code=1)
    assert len(sentences(checks, "fail")) == 1 and sentences(checks, "fail", "network")[0].startswith("PyPI does not answer: "), checks
    assert not sentences(ask(stage, path, env, "--offline"), "fail")


@scenario
def a_configuration_that_cannot_be_read(stage):
    path, env = machine(stage, "gpgv")
    os.makedirs(path + "/config/envbuild")
    with open(path + "/config/envbuild/config.yaml", "w") as f:
        f.write("mirors: {}\n")
    checks = ask(stage, path, env, code=1)
    assert "mirors" in sentences(checks, "fail", "configuration")[0], checks


@scenario
def credentials_are_named_and_never_shown(stage):
    path, env = machine(stage, "gpgv")
    os.mkdir(path + "/.home")
    with open(path + "/.home/.netrc", "w") as f:
        f.write("machine example.org login me password hunter2\n")
    os.chmod(path + "/.home/.netrc", 0o644)
    env["ENVBUILD_INDEX_CORP_TOKEN"] = "t0psecret"
    checks = ask(stage, path, env, "--offline")
    text = json.dumps(checks)
    assert "ENVBUILD_INDEX_CORP_TOKEN" in text and ".netrc" in text and "hunter2" not in text and "t0psecret" not in text, text
    assert sentences(checks, "warn", "credentials-open"), checks
    os.chmod(path + "/.home/.netrc", 0o600)
    assert not sentences(ask(stage, path, env, "--offline"), "warn", "credentials-open")


@scenario
def rights_that_lack(stage):
    path, env = machine(stage, "gpgv")
    checks = ask(stage, path, env, "--offline", "--store", "recipe.yaml/store", code=1)
    assert "recipe.yaml/store" in sentences(checks, "fail", "rights")[0], checks
    for umask, state in ((0o077, "warn"), (0o022, "ok"), (0o700, "fail")):
        run = lambda: os.umask(umask)
        done = subprocess.run([stage.envbuild, "doctor", "-q", "--json", "--offline"], cwd=path, env=stage.env(path, **env),
                              capture_output=True, preexec_fn=run)
        assert len(sentences(json.loads(done.stdout)["checks"], state, "umask")) == 1, (oct(umask), done)


@scenario
def what_stands_in_the_way_of_sealed_builds(stage):
    for says, words, remedy in (
            ("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", "no /proc can be mounted here", "systempaths=unconfined"),
            ("bwrap: Unknown option --json-status-fd", "too old", "0.6"),
            ("bwrap: it is broken\nmore", "bwrap fails: bwrap: it is broken;", "works for this user")):
        path, env = machine(stage, "gpgv")
        with open(path + "/bin/bwrap", "w") as f:
            f.write(f"#!/bin/sh\necho \"{says}\" >&2\nexit 1\n")
        os.chmod(path + "/bin/bwrap", 0o755)
        found = [c for c in ask(stage, path, env, "--offline") if c["code"] == "sealed"]
        assert [c["state"] for c in found] == ["warn"] and words in found[0]["sentence"] and remedy in found[0]["remedy"], found
    path, env = machine(stage, "gpgv")
    found = [c for c in ask(stage, path, env, "--offline") if c["code"] == "sealed"]
    assert found[0]["remedy"] == "apt-get install bubblewrap", found
    shutil.copy(path + "/bin/gpgv", path + "/bin/bwrap")
    assert sentences(ask(stage, path, env, "--offline"), "ok", "sealed"), path
