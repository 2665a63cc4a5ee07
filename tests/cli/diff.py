# SPDX-License-Identifier: Apache-2.0
"""envbuild diff: two recipes, locks or images. As lib.py."""
import json, os

import world
from lib import end, run, scenario, start


@scenario
def diff_of_recipes_locks_and_images(stage):
    path = stage.fresh({"other.yaml": world.GOOD + "pip: [numpy]\nfiles: [{from: note, to: /note}]\n", "note": "x"})
    for name in ("recipe", "other"):
        code, out, err = end(start(stage, path, "build", "-q", "--index", stage.index, f"{name}.yaml", "-o", f"oci:{name}"))
        assert code == 0, err
    for old, now in (("recipe.yaml", "other.yaml"), ("recipe.lock", "other.lock"), ("recipe.yaml", "other.lock")):
        out, _ = run(stage, path, "diff", old, now)
        assert "wheel numpy 2.2.0 is new" in out and "layers: 7 of 9 stay the same" in out, out
    out, err = run(stage, path, "diff", "oci:recipe", "oci:other")
    lines = out.splitlines()
    assert "pip numpy 2.2.0 is new" in lines and "/note is new" in lines and "layers: 7 of 9 stay the same" in lines, out
    assert lines[-1].startswith("pull: "), out
    told = json.loads(run(stage, path, "diff", "--json", "oci:other", "oci:recipe")[0])
    assert {"path": "note", "change": "gone"} in told["files"] and told["packages"] == [{"type": "pip", "name": "numpy", "old": "2.2.0"}]
    assert 0 < told["pull"] < 1 << 20, told["pull"]
    assert run(stage, path, "diff", "oci:recipe", "oci:recipe")[0] == "layers: 9 of 9 stay the same\npull: 0.0 MiB\n"
    err = run(stage, path, "diff", "oci:recipe", "other.yaml", code=2)[1]
    assert "oci:recipe is an image, and other.yaml is not" in err, err
