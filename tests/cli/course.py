# SPDX-License-Identifier: Apache-2.0
"""The course of examples/ml-101: every command of its README, on a base, an index and a data set of the loopback world,
with an engine that keeps what it is given."""
import hashlib, os, shutil, signal, socket, subprocess

import readme_commands
from bundle import ENGINE
from downloads import serving, zip_of
from lib import read, scenario

COURSE = os.path.join(readme_commands.TOP, "examples/ml-101")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def place(stage, peer):
    """The course's folder; what the loopback world has not is replaced."""
    path = stage.fresh()
    shutil.copytree(COURSE, path, dirs_exist_ok=True)
    peer.files = {"/penguins.whl": zip_of(**{"palmerpenguins/data/penguins.csv": b"species,island\n"})}
    lines = []
    for line in read(path, "ml-101.yaml").decode().splitlines():
        key = line.strip().removeprefix("- ").split(":")[0]
        if key == "url":
            line = line.split("- url")[0] + f'- url: "{peer.url("/penguins.whl")}"'
        if key == "sha256":
            line = line.split("sha256")[0] + "sha256: " + hashlib.sha256(peer.files["/penguins.whl"]).hexdigest()
        if key in ("user", "apt"):
            continue
        lines.append({"pip": "pip: [numpy]", "files": "files: [{from: notebooks/, to: /opt/notebooks/}]"}.get(key, line))
    with open(path + "/ml-101.yaml", "w") as f:
        f.write("\n".join([*lines, "base: ./base.yaml", f"indexes: [{stage.index}]", ""]))
    os.makedirs(path + "/bin")
    with open(path + "/bin/docker", "w") as f:
        f.write(ENGINE)
    os.chmod(path + "/bin/docker", 0o755)
    os.makedirs(path + "/.home")
    return path, stage.env(path, PATH=f"{path}/bin:{os.path.dirname(stage.envbuild)}:/usr/bin:/bin")


@scenario
def every_command_of_its_readme(stage):
    port, server, ran = free_port(), None, []
    with serving() as peer:
        path, env = place(stage, peer)
        try:
            for kind, command, lines in readme_commands.steps(read(COURSE, "README.md").decode()):
                assert kind == "run", command
                command = command.replace("0.0.0.0:5000", f"127.0.0.1:{port}").replace("teacher:5000", f"127.0.0.1:{port}")
                ran.append(command)
                if command.startswith("envbuild serve"):
                    server = subprocess.Popen(["sh", "-c", "exec " + command], cwd=path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                    assert f"127.0.0.1:{port}/ml-101:" in server.stdout.readline()
                    continue
                readme_commands.hold(command, lines, readme_commands.run(command, path, env))
                if "docker load" in command:
                    assert os.path.exists(path + "/.home/manifest.json"), "nothing was loaded"
                    os.unlink(path + "/.home/manifest.json")
                if command.endswith("load.sh"):
                    assert read(path, ".home/loaded.tar") == read(path, "stick/image.tar")
        finally:
            if server:
                server.send_signal(signal.SIGINT)
                server.communicate()
        assert len(peer.log) == 1, f"the data set is fetched more than once: {peer.log}"
    assert server.returncode == 0 or server.returncode == 130, server.returncode
    assert [c for c in ran if "rollback" in c] and len(ran) > 10
