# SPDX-License-Identifier: Apache-2.0
"""Images without PyTorch: `pytorch: none`."""
import json, os

from files import put, top
from lib import build, end, lock, scenario, start


def write(stage, path, *lines):
    text = ["pytorch: none", "name: tools", "base: ./base.yaml", *lines]
    put(path, {"recipe.yaml": "\n".join(text) + "\n", "tool": "#!/bin/sh\n"})


@scenario
def tools_and_files(stage):
    """A base, wheels and files make an image, and nothing in lock or image speaks of PyTorch; it computes on the CPU."""
    path = stage.fresh()
    write(stage, path, f"indexes: [{stage.index}]", "pip: [numpy]", "files: [{from: tool, to: /usr/local/bin/tool, mode: '0755'}]", "tag: v1")
    lock(stage, path)
    text = json.load(open(os.path.join(path, "recipe.lock")))
    names = {a["name"] for a in text["artifacts"] if a["type"] == "wheel"}
    assert {"pip", "numpy"} <= names and "torch" not in names, names
    assert set(text["facts"]) <= {"python"}, text["facts"]
    entries, config = top(path, build(stage, path))
    assert entries["usr/local/bin/tool"] == ("755", 0, 0), entries
    assert not [line for line in config["Env"] if "TORCH" in line or "CUDA" in line], config
    assert not [key for key in config["Labels"] if "torch" in key or "cuda" in key], config
    code, out, err = end(start(stage, path, "explain", "recipe.yaml"))
    assert code == 0 and out.startswith("tools:v1\n  without PyTorch\n"), (out, err)
    code, out, err = end(start(stage, path, "check", "recipe.yaml", "--driver", "470.82.01", "--gpu", "8.6"))
    assert code == 0, (out, err)


@scenario
def what_needs_it_is_told(stage):
    """A requirement that brings PyTorch is refused: what it needs of a host hangs on the build that nobody named."""
    path = stage.fresh()
    write(stage, path, f"indexes: [{stage.index}, {{url: {stage.index}, name: again, only: [torch]}}]", "pip: [torch]")
    code, out, err = end(start(stage, path, "lock", "-q", "recipe.yaml"))
    assert code == 4 and "pytorch: none is asked for, and torch " in err, (code, err)
