# SPDX-License-Identifier: Apache-2.0
"""CUDA builds that are not on PyPI, and the one without CUDA: from PyTorch's own index, of one build. As lib.py."""
import concurrent.futures, json, os, re

from lib import at, build, check_layout, end, log_since, read, scenario, start, wheel_of
import torch_index, world

OFFICIAL = "https://download.pytorch.org/whl/"
BASE = "variant: runtime\nbase: ./base.yaml\n"


def folder(stage, recipe, root="/whl/"):
    """A fresh folder whose user has a mirror of the official index."""
    path = stage.fresh({"recipe.yaml": recipe})
    os.makedirs(path + "/.home/.config/envbuild")
    with open(path + "/.home/.config/envbuild/config.yaml", "w") as f:
        f.write("mirrors:\n" + "".join(f"  {host}/whl/: \"{at(stage, root)}\"\n" for host in torch_index.HOSTS.values()))
    return path


def write(path, text, name="recipe.yaml"):
    with open(os.path.join(path, name), "w") as f:
        f.write(text)


def lock(stage, path, *args, code=0, recipe="recipe.yaml"):
    """The lock and what was said, or the error's text."""
    got, _, err = end(start(stage, path, "lock", "--index", stage.index, recipe, *args))
    assert got == code, f"exit {got}, not {code}: {err}"
    return err if code else (json.loads(read(path, recipe.replace(".yaml", ".lock"))), err)


def config_of(path, digest):
    blobs = check_layout(path + "/images", digest)
    return json.loads(blobs[json.loads(blobs[digest])["config"]["digest"]])["config"]


def asked_for(log, name):
    return [p for p in log if f"/{name}/" in p]


@scenario
def a_build_of_the_index(stage):
    """torch and torchvision from there alone, by their official addresses; NVIDIA's libraries and all else from PyPI."""
    path = folder(stage, 'pytorch: "2.6.0"\ncuda: "11.8"\ncudnn: "9"\npip: [torchvision]\n' + BASE)
    mark = len(log_since(stage))
    document, _ = lock(stage, path)
    log = log_since(stage, mark)
    torch = wheel_of(document, "torch")
    assert torch["version"] == "2.6.0+cu118" and torch["from"] == OFFICIAL + "cu118/", torch
    assert torch["url"] == OFFICIAL + "cu118/torch-2.6.0%2Bcu118-cp311-cp311-linux_x86_64.whl", torch
    assert torch["size"] > 50000, "the index tells no size"
    assert wheel_of(document, "torchvision")["version"] == "0.21.0+cu118"  # neither PyPI's nor one for another torch
    # What the index has besides is never asked for there, however new; what is its own nowhere else.
    for name in ("numpy", "filelock", "triton", "nvidia-nccl-cu11", "nvidia-cudnn-cu11"):
        assert wheel_of(document, name)["from"] == stage.index, name
        assert asked_for(log, name) == [f"/simple/{name}/"], (name, asked_for(log, name))
    for name in ("torch", "torchvision"):
        assert asked_for(log, name) == [f"/whl/cu118/{name}/"], (name, asked_for(log, name))
    facts = document["facts"]
    want = {"pytorch": "2.6.0", "cuda": "11.8", "cuda_toolkit": "11.8.0", "cudnn": "9.1.0.70", "nccl": "2.21.5",
            "driver_min": "450.80.02", "driver_full": "520.61.05"}
    assert {k: facts.get(k) for k in want} == want, facts
    assert "127.0.0.1" not in json.dumps([a for a in document["artifacts"] if a["name"] in ("torch", "torchvision")])
    digest = build(stage, path)
    config = config_of(path, digest)
    assert config["Labels"]["io.envbuild.cuda.version"] == "11.8"
    assert "NVIDIA_VISIBLE_DEVICES=all" in config["Env"] and config["Entrypoint"]
    assert build(stage, path, "--locked") == digest


@scenario
def a_build_with_cuda_inside(stage):
    """Before 2.2 the libraries are in torch's wheel: what they are is the catalog's to say, and nothing else changes."""
    path = folder(stage, 'pytorch: "2.1.0"\ncuda: cu118\ncudnn: "8"\n' + BASE)
    document, _ = lock(stage, path)
    facts = document["facts"]
    assert not [a for a in document["artifacts"] if a["name"].startswith("nvidia-")]
    want = {"cuda": "11.8", "cuda_toolkit": "11.8.0", "cudnn": "8.7.0.84", "nccl": "2.15.5", "driver_min": "450.80.02"}
    assert {k: facts.get(k) for k in want} == want, facts
    config = config_of(path, build(stage, path))
    assert config["Labels"]["com.nvidia.cudnn.version"] == "8.7.0.84", config["Labels"]
    assert "LD_LIBRARY_PATH=/usr/local/nvidia/lib:/usr/local/nvidia/lib64" in config["Env"]


@scenario
def a_build_without_cuda(stage):
    """cuda: cpu: no nvidia package, no triton, nothing that asks for a driver, and it runs anywhere."""
    path = folder(stage, 'pytorch: "2.6.0"\ncuda: cpu\npip: [torchvision]\n' + BASE)
    document, _ = lock(stage, path)
    names = sorted(a["name"] for a in document["artifacts"] if a["type"] == "wheel")
    assert names == ["filelock", "numpy", "pip", "torch", "torchvision"], names
    assert wheel_of(document, "torch")["url"] == OFFICIAL + "cpu/torch-2.6.0%2Bcpu-cp311-cp311-linux_x86_64.whl"
    assert wheel_of(document, "torchvision")["version"] == "0.21.0+cpu"
    assert set(document["facts"]) == {"pytorch", "python"}, document["facts"]
    config = config_of(path, build(stage, path))
    assert not [e for e in config["Env"] if re.search("nvidia|cuda|LD_LIBRARY_PATH", e, re.I)], config["Env"]
    assert not [l for l in config["Labels"] if re.search("nvidia|cuda|cudnn|nccl", l)], config["Labels"]
    assert "io.envbuild.startup-check" not in config["Labels"] and not config.get("Entrypoint"), config
    assert "2.6.0-cpu-runtime" in read(path, "images", "index.json").decode()
    for what in ("recipe.yaml", "recipe.lock", "oci:images:2.6.0-cpu-runtime", "2.6.0-cpu-runtime"):
        for host in (("--driver", "418.40"), ("--driver", "590.44.01", "--gpu", "V100")):
            code, out, err = end(start(stage, path, "check", what, *host))
            assert code == 0 and f"{what}: runs\n" == out, (what, out, err)
    code, out, err = end(start(stage, path, "explain", "recipe.lock"))
    assert code == 0 and "nothing: it computes on the CPU" in out and "CUDA" not in out, (out, err)
    # The tag is a recipe of its own, and so is the example.
    code, out, err = end(start(stage, path, "init", "2.6.0-cpu-runtime", "-o", "tag.yaml"))
    assert code == 0, err
    assert 'pytorch: "2.6.0"\ncuda: "cpu"\nvariant: runtime' in read(path, "tag.yaml").decode()
    for text in read(path, "tag.yaml"), read(os.path.dirname(__file__), "../../examples/cpu.yaml"):
        write(path, text.decode() + "base: ./base.yaml\n", "other.yaml")
        document, _ = lock(stage, path, recipe="other.yaml")
        assert document["tag"] == "2.6.0-cpu-runtime" and wheel_of(document, "torch")["version"] == "2.6.0+cpu"


@scenario
def lines_that_name_the_build(stage):
    """What pip freeze says of a PyTorch install means the recipe's very build, from PyPI or from the index."""
    for cuda, label in (("12.4", "cu124"), ("11.8", "cu118")):
        recipe = f'pytorch: "2.6.0"\ncuda: "{cuda}"\npip: [%s]\n' + BASE
        path = folder(stage, recipe % "torch, torchvision")
        want, _ = lock(stage, path)
        write(path, f"--extra-index-url {OFFICIAL}{label}\ntorch==2.6.0+{label}\ntorchvision==0.21.0+{label}\n", "r.txt")
        write(path, recipe % "{requirements: r.txt}")
        mark = len(log_since(stage))
        document, said = lock(stage, path, "--upgrade", "-v")
        assert document["artifacts"] == want["artifacts"], document
        assert "r.txt:1 --extra-index-url: pip's options that change nothing" in said, said
        assert label == "cu118" or not [p for p in log_since(stage, mark) if p.startswith("/whl/")]
    write(path, "torch==2.5.1+cu124\n", "r.txt")
    err = lock(stage, path, code=4)
    assert ('r.txt:1:1: "torch==2.5.1+cu124" contradicts pytorch: "2.6.0" at recipe.yaml:1:10 and cuda: "11.8" at '
            'recipe.yaml:2:7; change one of them\n') in err, err


@scenario
def cuda_does_not_come_in_by_the_back_door(stage):
    path = folder(stage, 'pytorch: "2.6.0"\ncuda: cpu\npip: [nvidia-nccl-cu12]\n' + BASE)
    err = lock(stage, path, code=4)
    assert "recipe.yaml:2:7: cuda: cpu is asked for, and nvidia-nccl-cu12 2.21.5 would be in the image" in err, err
    write(path, 'pytorch: "2.6.0"\ncuda: cpu\ncudnn: "9"\n' + BASE)
    assert "cudnn: a build for the CPU has none" in lock(stage, path, code=3)
    write(path, 'pytorch: "2.6.0"\ncuda: "11.8"\npip: [nvidia-cudnn-cu12]\n' + BASE)
    err = lock(stage, path, code=4)
    assert "two copies of one library would be in the image: nvidia-cudnn-cu11 9.1.0.70 and nvidia-cudnn-cu12" in err, err
    write(path, 'pytorch: "2.6.0"\ncuda: "11.8"\npip: [xformers]\n' + BASE)
    err = lock(stage, path, code=4)  # PyPI's would be of another build: it is not asked
    assert f'"xformers" is on no index asked ({OFFICIAL}cu118/)' in err, err


@scenario
def no_other_index_gives_a_torch(stage):
    """However early in the list, however new: those names are asked of PyTorch's index alone."""
    recipe = 'pytorch: "2.6.0"\ncuda: "11.8"\npip: [torchvision]\n' + BASE
    path = folder(stage, recipe + f"indexes: [{at(stage, '/evil/')}, {stage.index}]\n")
    mark = len(log_since(stage))
    document, _ = lock(stage, path)
    assert wheel_of(document, "torch")["from"] == wheel_of(document, "torchvision")["from"] == OFFICIAL + "cu118/"
    log = log_since(stage, mark)
    assert "/evil/numpy/" in log and not [p for p in log if p.startswith(("/evil/torch", "/simple/torch"))], log
    # Unless the recipe says so: then it is theirs, and the others stay where they are.
    path = folder(stage, recipe + f"indexes: [{{url: \"{at(stage, '/evil/')}\", only: [torchvision]}}, {stage.index}]\n")
    document, _ = lock(stage, path)
    assert wheel_of(document, "torchvision")["from"] == at(stage, "/evil/")
    assert wheel_of(document, "torch")["from"] == OFFICIAL + "cu118/"
    mark = len(log_since(stage))
    own = f"indexes: [{{url: \"{at(stage, '/evil/')}\", only: [Torch, torchvision]}}, {stage.index}]\n"
    path = folder(stage, recipe + own)
    document, _ = lock(stage, path)
    assert wheel_of(document, "torch")["from"] == at(stage, "/evil/")
    assert not [p for p in log_since(stage, mark) if p.startswith("/whl/")]
    # Of another build than torch, from wherever: refused.
    path = folder(stage, recipe.replace("torchvision", "torchvision==0.21.0") +
                  f"indexes: [{{url: \"{at(stage, '/evil/')}\", only: [torch]}}, {stage.index}]\n")
    err = lock(stage, path, code=4)
    assert "torchvision 0.21.0 is built for CUDA 12.4, and torch 2.6.0+cu118 is built for CUDA 11.8" in err, err


@scenario
def from_one_build_to_another(stage):
    """A recipe moves from PyPI's build to one of the index, to none, and back: no index is taken for an intruder."""
    path = folder(stage, 'pytorch: "2.6.0"\ncuda: "12.4"\npip: [torchvision]\n' + BASE)
    first, _ = lock(stage, path)
    assert wheel_of(first, "torch")["version"] == "2.6.0"
    for cuda, version in (("11.8", "2.6.0+cu118"), ("cpu", "2.6.0+cpu"), ("11.8", "2.6.0+cu118"), ("12.4", "2.6.0")):
        write(path, f'pytorch: "2.6.0"\ncuda: "{cuda}"\npip: [torchvision]\n' + BASE)
        document, said = lock(stage, path)
        assert wheel_of(document, "torch")["version"] == version, said
        assert wheel_of(document, "torchvision")["version"] == version.replace("2.6.0", "0.21.0")
        assert wheel_of(document, "numpy") == wheel_of(first, "numpy")
    assert document == first
    # A folder is the user's own word and comes first, for these as for all.
    write(path, 'pytorch: "2.6.0"\ncuda: "11.8"\nfind_links: [wheels]\n' + BASE)
    os.makedirs(path + "/wheels")
    os.unlink(path + "/recipe.lock")
    file, body, _ = world.wheel(*torch_index.SMALL["cu118"][0])
    with open(f"{path}/wheels/{file}", "wb") as f:
        f.write(body)
    document, _ = lock(stage, path)
    assert wheel_of(document, "torch")["url"] == f"./wheels/{file}"


@scenario
def what_the_index_was_seen_to_have(stage):
    """For every build and Python whose hash is known: address and sha256 of torch, torchvision and torchaudio are those."""
    wheels, releases = torch_index.rows()
    known = {(label, file): (digest, torch_index.address(label, file, where)) for label, file, digest, where in wheels}
    code, out, err = end(start(stage, stage.fresh(), "catalog", "--json"))
    assert code == 0, err
    elsewhere = {(b["pytorch"], "cu" + b["cuda"].replace(".", "")): b for b in json.loads(out)["builds"] if not b["pypi"]}
    pythons = {b["pytorch"]: b["python"] for b in json.loads(out)["builds"]}

    def row(label, name, version, python):
        """The file of one build for x86-64, if its hash is known."""
        tag = f"{name}-{version}+{label}-cp{python.replace('.', '')}-cp{python.replace('.', '')}-"
        return next((f for l, f in known if l == label and f.startswith(tag) and f.endswith("x86_64.whl")), None)

    def held(at_once):
        python, todo = at_once
        path = folder(stage, "", "/recorded/whl/")
        write(path, read(path, "base.yaml").decode().replace('version: "3.11"', f'version: "{python}"'), "base.yaml")
        for torch, label in todo:
            files = {n: row(label, n, v, python) for n, v in zip(("torch", "torchvision", "torchaudio"), (torch,) + releases[torch])}
            files = {n: f for n, f in files.items() if f}
            cuda = "cpu" if label == "cpu" else elsewhere[torch, label]["cuda"]
            write(path, f'pytorch: "{torch}"\ncuda: "{cuda}"\npip: [{", ".join(n for n in files if n != "torch")}]\n{BASE}'
                  f"indexes: [{{url: \"{at(stage, '/recorded/simple/')}\", only: [triton]}}, {stage.index}]\n")
            document, _ = lock(stage, path, "--upgrade")
            for name, file in files.items():
                got = wheel_of(document, name)
                digest, url = known[label, file]
                assert (got["file"], got["url"], got["sha256"]) == (file, url, "sha256:" + digest), (torch, label, python, got)
                assert got["size"] == torch_index.size_of(file)
            assert {a["sha256"][7:] for a in document["artifacts"] if a["name"] == "triton"} <= tritons
        return [(torch, label, python) for torch, label in todo]

    tritons = {digest for label, _, digest, _ in wheels if label == "pypi"}
    todo = [(python, [(torch, label) for torch in releases for label in ("cu118", "cu121", "cu126", "cu128", "cu129", "cu130", "cu132", "cpu")
                      if python in pythons[torch] and row(label, "torch", torch, python) and (label == "cpu" or (torch, label) in elsewhere)])
            for python in ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        done = [combination for part in pool.map(held, todo) for combination in part]
    assert len(done) >= 100, len(done)
