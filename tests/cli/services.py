# SPDX-License-Identifier: Apache-2.0
"""Scenarios on the recipe's `services`: what of them is in lock and image. tests/real/services.sh runs them."""
import hashlib, json, os

from container import put, top
from lib import all_blobs, begin, build, lock, read, recipe, run, scenario, unpacked
from lock_edited import put as put_lock

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ me@laptop\n"
BOTH = ("user: {name: student, uid: 2000}", "apt: [passwd]",
        "services: {jupyter: {port: 9999, notebooks: /opt/nb}, ssh: {authorized_keys: [keys.pub]}}")
LAUNCHER, SETTINGS, PROFILE = "usr/local/bin/envbuild-services", "usr/local/share/envbuild/services.json", "etc/profile.d/envbuild-services.sh"


def say(stage, path, *lines):
    recipe(stage, path, f"indexes: [{stage.index}]", *lines)


def fresh(stage, *lines):
    path = stage.fresh()
    put(path, {"keys.pub": KEY, "nb/a.ipynb": "{}"})
    say(stage, path, *lines)
    return path


def versions(document):
    return {a["name"]: a["version"] for a in document["artifacts"]}


@scenario
def both_in_lock_and_image(stage):
    """They are the command, under tini; ports, probe and files are there, and no host key; those who run images are told of the probe."""
    path = fresh(stage, *BOTH, "files: [{from: nb/, to: /opt/nb/}]", "ports: [9999, 53/udp]")
    digest = build(stage, path)
    document = json.loads(read(path, "recipe.lock"))
    entries, config = top(path, digest)
    assert config["Cmd"] == ["/usr/bin/tini", "-s", "--", "/" + LAUNCHER] and config["Entrypoint"] == ["/usr/local/bin/envbuild-startup-check"], config
    assert set(config["ExposedPorts"]) == {"9999/tcp", "2222/tcp", "53/udp"} and config["User"] == "2000:2000", config
    assert config["Healthcheck"]["Test"] == ["CMD", "/" + LAUNCHER, "probe"], config
    assert entries[LAUNCHER] == ("755", 0, 0, read(os.path.dirname(__file__), "../../builder/plan/services.py")), entries[LAUNCHER]
    assert json.loads(entries[SETTINGS][3]) == {"user": "student", "jupyter": {"port": 9999, "notebooks": "/opt/nb"},
                                                "ssh": {"port": 2222, "keys": [KEY.strip()]}}, entries[SETTINGS]
    assert entries[SETTINGS][:3] == entries[PROFILE][:3] == ("644", 0, 0) and b"PATH=$ENVBUILD_PATH" in entries[PROFILE][3]
    got = versions(document)
    assert (got["tini"], got["openssh-server"], got["jupyterlab"]) == ("0.19.0-1", "1:9.2p1-2", "4.4.0"), got
    found = all_blobs(path + "/images")
    for layer in json.loads(found[digest])["layers"]:
        assert b"etc/ssh/ssh_host" not in unpacked(found[layer["digest"]]), "a host key"
    assert build(stage, path, "--locked", "--offline", "-o", "oci:again") == digest
    assert run(stage, path, "why", "recipe.yaml", "tini")[0].endswith("\n  the recipe's `services` need it\n")
    compose, k8s = (run(stage, path, "emit", "-q", kind, "recipe.lock", "--as", "example.org/x")[0] for kind in ("compose", "k8s"))
    assert '127.0.0.1:9999:9999"' in compose and f'test: ["CMD", "/{LAUNCHER}", "probe"]' in compose and "command:" not in compose, compose
    assert k8s.count(f'exec: {{command: ["/{LAUNCHER}", "probe"]}}') == 3 and "containerPort: 2222" in k8s and "args:" not in k8s, k8s
    assert "kind: Deployment\n" in k8s and "restartPolicy: Always\n" in k8s and k8s.count('app.kubernetes.io/name: "') == 3, k8s


@scenario
def what_the_recipe_names_is_taken(stage):
    """jupyterlab and packages that the recipe names are its own; one service brings nothing of the other; an entrypoint stays before them."""
    path = fresh(stage, "services: {jupyter: }", 'pip: ["jupyterlab<4"]', "entrypoint: [/bin/own]", "healthcheck: off", "startup_check: off")
    document = lock(stage, path)
    got = versions(document)
    assert got["jupyterlab"] == "3.6.0" and "openssh-server" not in got, got
    assert document["image"]["entrypoint"] == ["/bin/own"] and document["image"]["cmd"][0] == "/usr/bin/tini" and "healthcheck" not in document["image"]
    assert "/" + PROFILE not in [f["to"] for f in document["files"]], document["files"]


@scenario
def changes(stage):
    """A port asks no archive and no index again; a service more or less does; keys are held against their file."""
    path = fresh(stage, *BOTH)
    first = lock(stage, path)
    say(stage, path, *BOTH[:2], BOTH[2].replace("9999", "9998"))
    assert "services changed" in build(stage, path, "--locked", code=3)
    second = lock(stage, path, "--offline")
    assert second["artifacts"] == first["artifacts"] and second["image"]["ports"][0] == "9998/tcp", second["image"]
    put(path, {"keys.pub": KEY + "# more\n" + KEY.replace("me@", "you@")})
    assert "keys.pub changed" in build(stage, path, "--locked", code=3)
    third = lock(stage, path, "--offline")
    assert third["artifacts"] == first["artifacts"] and "you@laptop" in json.dumps(third["files"])
    say(stage, path, *BOTH[:2], "services: {ssh: {}}")
    got = versions(lock(stage, path))
    assert "jupyterlab" not in got and "openssh-server" in got, got
    say(stage, path, *BOTH[:2])
    got = versions(lock(stage, path))
    assert not {"tini", "openssh-server", "jupyterlab"} & set(got), got


@scenario
def the_launcher_is_the_locks(stage):
    """A lock of an envbuild that had another launcher keeps it, also where a file of the recipe's changes."""
    path = fresh(stage, *BOTH, "files: [{from: nb/, to: /opt/nb/}]")
    document = lock(stage, path)
    item = next(f for f in document["files"] if f["to"] == "/" + LAUNCHER)
    item["text"] += "# as it was\n"
    item["content"][0] |= {"size": len(item["text"]), "sha256": "sha256:" + hashlib.sha256(item["text"].encode()).hexdigest()}
    put_lock(path, document)
    assert "as it was" in build(stage, path, code=3)  # of this very version it was edited
    document["envbuild"] = "0.3.9"
    put_lock(path, document)
    for text in ("{}", "[]"):
        put(path, {"nb/a.ipynb": text})
        out, _ = run(stage, path, "build", "--index", stage.index, "recipe.yaml")
        name = json.loads(read(path, "recipe.lock"))["built"]["manifest"]
        entries = top(path, name)[0]
        assert entries[LAUNCHER][3].endswith(b"# as it was\n") and entries["opt/nb/a.ipynb"][3] == text.encode(), out


@scenario
def refused(stage):
    """What would be open, secret or nobody's is refused with its place, before anything is asked."""
    path = fresh(stage)
    put(path, {"mine": "-----BEGIN OPENSSH PRIVATE KEY-----\n", "none.pub": "hello\n"})
    ssh = "user: {name: a}", "services: {ssh: {authorized_keys: [%s]}}"
    for lines, words in ((["services: {jupyter: {token: ''}}"], "with an empty token anybody who reaches the port runs programs there"),
                         (["services: {jupyter: {password: ''}}"], "with an empty password anybody"),
                         (["services: {jupyter: {password: abc}}"], "a password in the recipe is known to everybody who has the image"),
                         (["services: {jupyter: {password_hash: abc}}"], "is not what Jupyter makes of a password"),
                         (["services: {jupyter: {}}", "cmd: [x]"], "cmd: the image's command starts its services"),
                         (["services: {ssh: {}}"], "root is never let in, and the image has no other user"),
                         ([ssh[0], ssh[1] % "gone.pub"], "services: ssh: "), ([ssh[0], ssh[1] % "mine"], '"mine" is a private key'),
                         ([ssh[0], ssh[1] % "none.pub"], '"none.pub" has a line that is no public key: "hello"')):
        say(stage, path, *lines)
        err = run(stage, path, "lock", "-q", "--index", stage.index, "recipe.yaml", code=3)[1]
        assert err.startswith("recipe.yaml:") and words in err, (lines, err)
