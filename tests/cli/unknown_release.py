# SPDX-License-Identifier: Apache-2.0
"""A PyTorch that the catalog does not know: what its wheels say of it, and what check makes of that."""
import json, os
import world
from lib import end, scenario, start

ANY, LINUX, CP = world.ANY, world.LINUX, world.CP
SAYS = {  # how a wheel tells its CUDA: version, requirements, other wheels, then CUDA, toolkit, cuDNN
    "pins": ("2.99.0", ["nvidia-cuda-runtime-cu12==12.9.79", "nvidia-cudnn-cu12==9.30.0.1"],
             [("nvidia-cuda-runtime-cu12", "12.9.79"), ("nvidia-cudnn-cu12", "9.30.0.1")], "12.9", None, "9.30.0.1"),
    "toolkit": ("2.99.0", ["cuda-toolkit[cudart]==13.4.1", "nvidia-cudnn-cu13==9.31.0.2"],
                [("cuda-toolkit", "13.4.1"), ("nvidia-cuda-runtime", "13.4.40"), ("nvidia-cudnn-cu13", "9.31.0.2")], "13.4", "13.4.1", "9.31.0.2"),
    "local": ("2.99.0+cu134", [], [], "13.4", None, None),
}


def wheels(path, version, requires, others):
    os.makedirs(os.path.join(path, "wheels"))
    extras = {"cuda-toolkit": ["nvidia-cuda-runtime==13.4.*; extra == 'cudart'"]}
    made = [world.wheel("torch", version, CP, requires, {"torch/__init__.py": b"\n"})]
    made += [world.wheel(n, v, LINUX, extras.get(n, []), {n.replace("-", "_") + ".txt": b"\n"}) for n, v in others]
    for name, body, _ in made:
        with open(os.path.join(path, "wheels", name), "wb") as f:
            f.write(body)


def run(stage, path, *args):
    return end(start(stage, path, *args))


@scenario
def a_release_of_tomorrow_locks_and_is_judged(stage):
    """By nvidia's pins, by cuda-toolkit's extras, by the local tag: locked with a warning, and check reads the lock."""
    for how, (version, requires, others, cuda, toolkit, cudnn) in SAYS.items():
        text = 'pytorch: "2.99.0"\nvariant: runtime\nbase: ./base.yaml\nfind_links: [wheels]\n'
        path = stage.fresh({"recipe.yaml": text + f"indexes: [{stage.index}]\n"})
        wheels(path, version, requires, others)
        code, out, err = run(stage, path, "check", "recipe.yaml", "--driver", "610.43.02", "--gpu", "8.9")
        assert code == 4 and "envbuild lock" in err, (how, code, err)
        code, out, err = run(stage, path, "lock", "recipe.yaml")
        assert code == 0, (how, err)
        assert f"PyTorch 2.99.0 for CUDA {cuda} is not in the catalog" in err, (how, err)
        facts = json.load(open(os.path.join(path, "recipe.lock")))["facts"]
        want = {"pytorch": "2.99.0", "cuda": cuda, "cuda_toolkit": toolkit, "cudnn": cudnn,
                "driver_min": "525.60.13" if cuda.startswith("12") else "580.65.06"}
        assert all(facts.get(k) == v for k, v in want.items()), (how, facts)
        code, out, err = run(stage, path, "check", "recipe.yaml", "--driver", "470.82.01", "--gpu", "8.6")
        assert code == 1 and f"CUDA {cuda} needs" in out, (how, out, err)
        code, out, err = run(stage, path, "check", "recipe.yaml", "--driver", "615.10", "--gpu", "8.9")
        assert code == 0 and "recipe.yaml: runs\n" in out, (how, out, err)
    code, out, err = run(stage, path, "build", "-q", "recipe.yaml")
    assert code == 0, err
