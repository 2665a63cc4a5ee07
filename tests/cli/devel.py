# SPDX-License-Identifier: Apache-2.0
"""The variant devel: the CUDA toolkit from NVIDIA's archives, from wheels, from the base's packages. As lib.py."""
import gzip, hashlib, io, json, os, tarfile

from lib import at, blobs, build, end, log_since, mischief, nothing_published, read, scenario, start, wheel_of
import lib
import redist_peer, world

NVIDIA = "https://developer.download.nvidia.com/compute/"
SITE = "/opt/venv/lib/python3.11/site-packages/"
CUBLAS = ("nvidia-cublas-cu12", "12.4.127", world.LINUX, [],
          {"nvidia/cublas/lib/libcublas.so.12": redist_peer.library("cublas", "12.4.127"), "nvidia/cublas/include/cublas.h": b"/* a wheel's */\n"})
RECIPE = world.GOOD.replace("runtime", "devel") + "pip: [nvidia-cublas-cu12]\n"

# ---- CUDA 13's wheels, as cuda-toolkit's extras name them ----

THIRTEEN = "nvidia/cu13/"
EXTRAS = {  # extra: project, version, files below nvidia/cu13
    "nvcc": ("nvidia-cuda-nvcc", "13.0.88", {"bin/nvcc": b"nvcc\n", "bin/ptxas": b"ptxas\n"}),
    "crt": ("nvidia-cuda-crt", "13.0.88", {"include/crt/host_config.h": b"/* */\n"}),
    "nvvm": ("nvidia-nvvm", "13.0.88", {"nvvm/bin/cicc": b"cicc\n", "nvvm/libdevice/libdevice.10.bc": b"BC\n"}),
    "nvptxcompiler": ("nvidia-nvptxcompiler", "13.0.88", {"lib/libnvptxcompiler_static.a": b"!<arch>\n"}),
    "cudart": ("nvidia-cuda-runtime", "13.0.96", {
        "lib/libcudart.so.13": b"\x7fELF cudart", "lib/libcudart_static.a": b"!<arch>\n",
        "include/cuda.h": b"#define cuInit_old cuInit\nCUresult CUDAAPI cuInit(unsigned int flags);\n"
                          b"CUresult CUDAAPI cuMemAlloc_v2(CUdeviceptr *dptr, size_t bytesize);\n"}),
    "cuxxfilt": ("nvidia-cuda-cuxxfilt", "13.0.85", {"bin/cu++filt": b"cu++filt\n"}),  # without cuobjdump and nvdisasm
    "culibos": ("nvidia-cuda-culibos", "13.0.85", {"lib/libculibos.a": b"!<arch>\n"}),
    "cccl": ("nvidia-cuda-cccl", "13.0.85", {"include/cccl/cub/cub.cuh": b"/* 13.0 */\n", "lib/cmake/cub/cub-config.cmake": b"# 13.0\n"}),
    "nvml": ("nvidia-nvml-dev", "13.0.87", {"include/nvml.h": b"nvmlReturn_t DECLDIR nvmlInit_v2(void);\nconst DECLDIR char* nvmlErrorString(nvmlReturn_t result);\n"}),
}


def thirteen(name, version, files, requires=()):
    return name, version, world.LINUX, list(requires), {THIRTEEN + p: b for p, b in files.items()}


# nvcc asks for the others of the compiler in any version, and works with its own alone.
WHEELS13 = [thirteen(*row, ["nvidia-nvvm", "nvidia-cuda-crt"] if extra == "nvcc" else []) for extra, row in EXTRAS.items()] + [
    thirteen("nvidia-cuda-crt", "13.5.37", {"include/crt/host_config.h": b"/* 13.5 */\n"}),
    thirteen("nvidia-nvvm", "13.5.37", {"nvvm/bin/cicc": b"cicc 13.5\n"}),
    thirteen("nvidia-cuda-cccl", "13.3.1", {"include/cccl/cub/cub.cuh": b"/* 13.3 */\n", "lib/cmake/cub/cub-config.cmake": b"# 13.3\n"}),
    thirteen("nvidia-cuda-cccl", "14.0.1", {"include/cccl/cub/cub.cuh": b"/* 14 */\n"}),
    ("cuda-toolkit", "13.0.2", world.ANY, [f"{p}=={v}.*; (sys_platform == 'linux') and extra == '{x}'" for x, (p, v, _) in EXTRAS.items()], {}),
    ("torch", "2.11.0", world.CP, ["cuda-toolkit[cudart]==13.0.2; platform_system == 'Linux'", "nvidia-cudnn-cu13==9.19.0.56",
                                   "nvidia-nccl-cu13==2.28.9", "nvidia-nvshmem-cu13==3.4.5", "triton==3.6.0", "filelock"],
     {"torch/__init__.py": b"v = '2.11.0'\n", "torch/lib/libtorch.so": world.noise(9 << 20, 50)}),
    ("triton", "3.6.0", world.CP, [], {"triton/__init__.py": b"\n"}),
    ("nvidia-cudnn-cu13", "9.19.0.56", world.LINUX, [], {"nvidia/cudnn/lib/libcudnn.so.9": world.noise(9 << 20, 51), "nvidia/cudnn/include/cudnn.h": b"/* */\n"}),
    ("nvidia-nccl-cu13", "2.28.9", world.LINUX, [], {"nvidia/nccl/lib/libnccl.so.2": world.noise(30000, 52), "nvidia/nccl/include/nccl.h": b"/* */\n"}),
    ("nvidia-nvshmem-cu13", "3.4.5", world.LINUX, ["nvidia-cuda-cccl<14"],
     {"nvidia/nvshmem/lib/libnvshmem_host.so.3": world.noise(30000, 53), "nvidia/nvshmem/include/host/nvshmem_api.h": b"/* */\n"}),
]

# ---- the world, with what only these scenarios ask of it ----


def cudnn(release, version, major):
    """cuDNN's archives: one for each CUDA, and a manifest of its own."""
    manifest, files, rows = {"release_label": release, "release_product": "cudnn"}, {}, {}
    for cuda in ("cuda10", f"cuda{major}"):
        top = f"cudnn-linux-x86_64-{version}_{cuda}-archive"
        body = redist_peer.archive(top, {
            "LICENSE": b"license\n", "include/cudnn.h": f"/* {cuda} */\n".encode(), "lib/libcudnn.so": ("libcudnn.so.8",),
            "lib/libcudnn.so.8": ("libcudnn.so." + release,), "lib/libcudnn.so." + release: b"\x7fELF cudnn\n"})
        files[f"/compute/cudnn/redist/cudnn/linux-x86_64/{top}.tar.xz"] = body
        rows[cuda] = redist_peer.row(f"cudnn/linux-x86_64/{top}.tar.xz", body)
    manifest["cudnn"] = {"name": "tiny cuDNN", "license": "cudnn", "version": version, "linux-x86_64": rows}
    return {f"/compute/cudnn/redist/redistrib_{release}.json": ("application/json", json.dumps(manifest).encode())}, files


def served():
    """Put it there, once."""
    w = world.Handler.world
    if "/simple/nvidia-cublas-cu12/" in w.pages:
        return
    pages = {}
    w.index_of([CUBLAS], w.pages)
    w.index_of(WHEELS13 + [x for x in world.WHEELS if x[0] in ("pip", "setuptools", "filelock")], pages)
    w.pages.update({"/thirteen" + p: body for p, body in pages.items() if p.startswith("/simple/")})
    for pages, files in (redist_peer.redist(), redist_peer.redist("11.8.0"), cudnn("8.7.0", "8.7.0.84", "11")):
        w.pages.update(pages)
        w.files.update(files)
    w.files.update({"/thirteen" + p: w.files[p] for p in list(w.files) if p.startswith("/files/")})
    kind, text = w.pages[redist_peer.ROOT + "redistrib_12.4.1.json"]
    document = json.loads(text)
    for folder, change in {
            "lacking": lambda d: (d.pop("libcublas"), d.pop("cuda_nvdisasm")), "other": lambda d: d.update(release_label="12.4.0"),
            "wrong": lambda d: d["libcublas"]["linux-x86_64"].update(sha256="beef"),
            "outside": lambda d: d["libcublas"]["linux-x86_64"].update(relative_path="../../../etc/passwd")}.items():
        changed = json.loads(json.dumps(document))
        change(changed)
        w.pages[f"/{folder}{redist_peer.ROOT}redistrib_12.4.1.json"] = (kind, json.dumps(changed).encode())
    w.pages[f"/half{redist_peer.ROOT}redistrib_12.4.1.json"] = (kind, text[: len(text) // 2])
    w.pages[f"/page{redist_peer.ROOT}redistrib_12.4.1.json"] = ("text/html", b"<html>Sign in to the hotel's network</html>")


def folder(stage, recipe=RECIPE, mirror="/compute/"):
    """A fresh folder whose user has a mirror of NVIDIA's archives; nothing beyond this machine can be asked."""
    served()
    path = stage.fresh({"recipe.yaml": recipe})
    configure(stage, path, mirror)
    return path


def configure(stage, path, mirror):
    os.makedirs(path + "/.home/.config/envbuild", exist_ok=True)
    with open(path + "/.home/.config/envbuild/config.yaml", "w") as f:
        f.write(f"mirrors:\n  {NVIDIA}: [\"{at(stage, mirror)}\"]\n  https://download.pytorch.org/whl/: \"{at(stage, '/whl/')}\"\n")


def alone(stage):
    """Environment in which nobody but the loopback world answers."""
    return {"https_proxy": at(stage, "/"), "no_proxy": "127.0.0.1"}


def lock(stage, path, *args, **how):
    return lib.lock(stage, path, "--index", stage.index, *args, **alone(stage), **how)


def write(path, recipe):
    with open(path + "/recipe.yaml", "w") as f:
        f.write(recipe)


def document(path):
    return json.loads(read(path, "recipe.lock"))


def archives_of(document):
    return {a["name"]: a for a in document["artifacts"] if a["type"] == "redist"}


def layers(path, digest):
    """The image's layers by name in the lock: digest, and members of its tar by path."""
    held = blobs(path + "/images")
    manifest = json.loads(held[digest])
    out = {}
    for told, layer in zip(document(path)["layers"], manifest["layers"]):
        members = {}
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(held[layer["digest"]]))) as tar:
            for t in tar:
                members["/" + t.name.rstrip("/")] = (t, tar.extractfile(t).read() if t.isreg() else None)
        out[told["name"]] = (layer["digest"], members)
    return out, json.loads(held[manifest["config"]["digest"]])


def link(members, path):
    t = members[path][0]
    assert t.issym(), f"{path} is not a link"
    return t.linkname


def text(members, path):
    assert members[path][0].isreg(), f"{path} is not a file"
    return members[path][1]


def status(members):
    """dpkg's database: the fields of each package."""
    found = {}
    for paragraph in members["/var/lib/dpkg/status"][1].decode().split("\n\n"):
        fields = dict(l.split(": ", 1) for l in paragraph.splitlines() if l and not l.startswith(" ") and ": " in l)
        if fields:
            found[fields["Package"]] = fields
    return found


# ---- NVIDIA's archives ----

GOLD = {}


def golden(stage):
    if not GOLD:
        path = folder(stage)
        mark = len(log_since(stage))
        GOLD.update(path=path, digest=build(stage, path, **alone(stage)), blobs=blobs(path + "/images"), asked=log_since(stage, mark))
    return GOLD["path"], GOLD["digest"]


@scenario
def locks_archives_by_their_own_address(stage):
    path, _ = golden(stage)
    d = document(path)
    manifest = json.loads(world.Handler.world.pages[redist_peer.ROOT + "redistrib_12.4.1.json"][1])
    archives = archives_of(d)
    assert set(archives) == set(redist_peer.COMPONENTS) - {"cuda_opencl"}, sorted(archives)
    for name, a in archives.items():
        row = manifest[name]["linux-x86_64"]
        assert a["url"] == NVIDIA + "cuda/redist/" + row["relative_path"], a
        assert (a["sha256"], a["size"], a["version"]) == ("sha256:" + row["sha256"], int(row["size"]), manifest[name]["version"]), a
        assert a["from"] == NVIDIA + "cuda/redist/redistrib_12.4.1.json", a
    assert "127.0.0.1" not in json.dumps(archives), "a mirror is in the lock"
    assert redist_peer.ROOT + "redistrib_12.4.1.json" in GOLD["asked"] and not [p for p in GOLD["asked"] if "nvidia.com" in p], GOLD["asked"]
    assert d["toolkit"] == {"from": "nvidia", "version": "12.4.1", "root": "/usr/local/cuda-12.4", "stand_ins": []}, d["toolkit"]
    assert d["built"]["toolkit_saved"] == len(redist_peer.library("cublas", "12.4.127")), d["built"]


@scenario
def lays_the_toolkit_out(stage):
    path, digest = golden(stage)
    named, config = layers(path, digest)
    assert list(named).index("toolkit") == list(named).index("torch") + 1, list(named)
    t = named["toolkit"][1]
    root = "/usr/local/cuda-12.4"
    assert link(t, "/usr/local/cuda") == "cuda-12.4"
    for name in ("bin/nvcc", "bin/ptxas", "bin/cuobjdump", "nvvm/bin/cicc", "gds/tools/gdscheck"):
        assert t[f"{root}/{name}"][0].isreg() and t[f"{root}/{name}"][0].mode == 0o755, name
    for name in ("include/cuda.h", "lib64/libcudart_static.a", "lib64/stubs/libcuda.so", "lib64/cmake/cub/cub-config.cmake",
                 "nvvm/libdevice/libdevice.10.bc", "share/doc/cuda_nvcc/LICENSE", "lib64/pkgconfig/cudart-12.4.pc"):
        assert t[f"{root}/{name}"][0].isreg() and t[f"{root}/{name}"][0].mode == 0o644, name
    assert link(t, root + "/lib64/libcudart.so") == "libcudart.so.12" and link(t, root + "/lib") == "lib64"
    assert link(t, root + "/targets/x86_64-linux/include") == "../../include"
    # The wheel's bytes are there once; what the toolkit has is not hidden by a wheel's.
    assert link(t, root + "/lib64/libcublas.so.12.4.127") == SITE + "nvidia/cublas/lib/libcublas.so.12"
    assert text(t, root + "/include/cublas.h") == b"/* tiny */\n"
    assert link(t, root + "/lib64/libcudnn.so") == "libcudnn.so.9"
    assert link(t, root + "/lib64/libcudnn.so.9") == SITE + "nvidia/cudnn/lib/libcudnn.so.9"
    assert text(t, "/etc/ld.so.conf.d/000_cuda.conf") == b"/usr/local/cuda/lib64\n"
    assert not [p for p in t if "/samples" in p or "/man" in p or p.endswith("index.html")], "what is not a toolkit"
    assert "/usr/bin/make" in named["compile"][1] and "/usr/bin/gcc" in named["compile"][1]
    env = dict(e.split("=", 1) for e in config["config"]["Env"])
    assert env["CUDA_HOME"] == "/usr/local/cuda" and env["CUDA_VERSION"] == "12.4.1", env
    assert env["LIBRARY_PATH"] == "/usr/local/cuda/lib64:/usr/local/cuda/lib64/stubs" and "/usr/local/cuda/bin" in env["PATH"].split(":")


@scenario
def stands_on_runtimes_layers(stage):
    """Also where the recipe asks for packages, one of them what the variant has as well."""
    built = {}
    for variant in ("runtime", "compile", "devel"):
        path = folder(stage, RECIPE.replace("devel", variant) + "apt: [git, make]\nworkdir: /workspace\n")
        digest = build(stage, path, **alone(stage))
        built[variant] = {name: d for name, (d, _) in layers(path, digest)[0].items()}
    for variant in ("compile", "devel"):
        other = {name for name, d in built["runtime"].items() if built[variant][name] != d}
        assert other == {"state"} and len(built["runtime"]) > 7, (variant, other)


@scenario
def is_the_same_bytes_everywhere(stage):
    path, digest = golden(stage)
    for name, args, how in [("umask", (), {"wrap": ["sh", "-c", "umask 077; exec \"$@\"", "-"]}),
                            ("zone and locale", ("-j1",), {"TZ": "Asia/Kathmandu", "LC_ALL": "C.UTF-8"}), ("-j4", ("-j4", "--downloads", "1"), {})]:
        other = folder(stage)
        assert build(stage, other, *args, **alone(stage), **how) == digest, name
        assert blobs(other + "/images") == GOLD["blobs"], name
        assert read(other, "recipe.lock") == read(path, "recipe.lock"), name
    # By the lock alone, into an empty store; and again, with all of it remembered.
    other = folder(stage)
    with open(other + "/recipe.lock", "wb") as f:
        f.write(read(path, "recipe.lock"))
    for _ in range(2):
        assert build(stage, other, "--locked", **alone(stage)) == digest
    assert blobs(other + "/images") == GOLD["blobs"] and read(other, "recipe.lock") == read(path, "recipe.lock")


@scenario
def locks_are_told_by_every_command(stage):
    path, _ = golden(stage)
    other = folder(stage)
    with open(other + "/recipe.lock", "wb") as f:
        f.write(read(path, "recipe.lock"))
    code, out, err = end(start(stage, other, "lock", "--check", "--index", stage.index, "recipe.yaml", **alone(stage)))
    assert code == 0, (out, err)
    code, out, err = end(start(stage, other, "explain", "--json", "recipe.lock"))
    told = json.loads(out)
    assert code == 0 and told["variant"] == "devel" and "toolkit" in [l["name"] for l in told["layers"]], (out, err)
    saved = len(redist_peer.library("cublas", "12.4.127"))
    assert told["toolkit"] == {"from": "nvidia", "version": "12.4.1", "root": "/usr/local/cuda-12.4", "stand_ins": [], "saved": saved}, told
    code, out, err = end(start(stage, other, "explain", "recipe.yaml", **alone(stage)))
    assert code == 0 and NVIDIA + "cuda/redist/redistrib_12.4.1.json" in out, (out, err)
    assert "  CUDA 12.4.1 in /usr/local/cuda-12.4, from NVIDIA's archives\n  1.0 MiB of its libraries are links to those of the wheels\n" in out, out
    write(other, RECIPE + "toolkit: [nvcc, cudart]\n")
    code, out, err = end(start(stage, other, "lock", "--check", "--index", stage.index, "recipe.yaml", **alone(stage)))
    assert code == 9 and "redist libcublas 12.4.127 is gone" in out, (code, out, err)
    assert "toolkit" in build(stage, other, "--locked", code=3, **alone(stage))
    trimmed = lock(stage, other)
    assert set(archives_of(trimmed)) == {"cuda_nvcc", "cuda_cudart"}, sorted(archives_of(trimmed))
    os.rename(other + "/recipe.lock", other + "/new.lock")
    with open(other + "/old.lock", "wb") as f:
        f.write(read(path, "recipe.lock"))
    for args in (("lock", "diff", "old.lock", "new.lock"), ("lock", "diff", "--json", "old.lock", "new.lock")):
        code, out, err = end(start(stage, other, *args))
        assert code in (0, 1) and "libcublas" in out and "Sanitizer" not in err, (args, code, out, err)


@scenario
def can_be_trimmed(stage):
    path = folder(stage, RECIPE + "toolkit: [nvcc, cudart, nvcc]\n")
    digest = build(stage, path, **alone(stage))
    named, _ = layers(path, digest)
    t = named["toolkit"][1]
    assert set(archives_of(document(path))) == {"cuda_nvcc", "cuda_cudart"}
    assert "/usr/local/cuda-12.4/bin/nvcc" in t and "/usr/local/cuda-12.4/bin/cuobjdump" not in t
    # What a wheel has is there all the same, by a link that costs nothing.
    assert link(t, "/usr/local/cuda-12.4/lib64/libcublas.so.12") == SITE + "nvidia/cublas/lib/libcublas.so.12"
    assert document(path)["built"].get("toolkit_saved", 0) == 0


@scenario
def refuses_wrong_manifests(stage):
    manifest = "cuda/redist/redistrib_12.4.1.json"
    for mirror, code, words in [
            ("/lacking/compute/", 4, ["CUDA 12.4.1 has no redistributable libcublas for linux-x86_64; it has: cuda_cccl", "has no redistributable cuda_nvdisasm"]),
            ("/other/compute/", 3, [manifest + ": the manifest is of \"12.4.0\", not of \"12.4.1\""]),
            ("/wrong/compute/", 3, ["libcublas: sha256"]), ("/outside/compute/", 3, ["libcublas: relative_path: a plain path below the manifest's folder"]),
            ("/half/compute/", 3, [manifest]), ("/page/compute/", 3, [manifest])]:
        path = folder(stage, mirror=mirror)
        err = lock(stage, path, code=code)
        for w in words:
            assert w in err, (mirror, err)
        assert not os.path.exists(path + "/recipe.lock"), mirror
    path = folder(stage)
    with mischief(stage, "cut 1 redistrib_12.4.1"):
        assert lock(stage, path)["toolkit"]["from"] == "nvidia"


@scenario
def refuses_damaged_archives(stage):
    path, _ = golden(stage)
    other = folder(stage)
    d = json.loads(read(path, "recipe.lock").replace(b'"url": "' + NVIDIA.encode(), b'"url": "' + at(stage, "/compute/").encode()))
    del d["built"]  # as if this machine were NVIDIA's: there is no other place to ask
    with open(other + "/recipe.lock", "w") as f:
        json.dump(d, f)
    with mischief(stage, "wrong always libcufft-linux"):
        err = build(stage, other, code=6, **alone(stage))
        assert "libcufft" in err, err
        nothing_published(other + "/images")
    build(stage, other, **alone(stage))
    # One that is whole by its digest and no such archive: told by its name, and nothing is half there.
    body = redist_peer.archive("somewhere-else", {"lib/libcufft.so.1": b"x"})
    next(a for a in d["artifacts"] if a["name"] == "libcufft").update(
        url=at(stage, "/compute/strange.tar.xz"), size=len(body), sha256="sha256:" + hashlib.sha256(body).hexdigest())
    world.Handler.world.files["/compute/strange.tar.xz"] = body
    other = folder(stage)
    with open(other + "/recipe.lock", "w") as f:
        json.dump(d, f)
    err = build(stage, other, code=3, **alone(stage))
    assert "somewhere-else" in err and "libcufft" in err, err
    nothing_published(other + "/images")


# ---- wheels: CUDA 13 ----

R13 = 'pytorch: "2.11.0"\ncuda: "13.0"\nvariant: devel\ntoolkit: [nvcc, cudart, cccl, nvml, binutils]\nbase: ./base.yaml\n'


@scenario
def of_wheels_links_to_them(stage):
    index = at(stage, "/thirteen/simple/")
    built = {}
    for variant in ("runtime", "devel"):
        path = folder(stage, (R13 if variant == "devel" else R13.replace("toolkit: [nvcc, cudart, cccl, nvml, binutils]\n", "").replace("devel", "runtime"))
                      + f"indexes: [{index}]\n")
        built[variant] = path, build(stage, path, **alone(stage))
    path, digest = built["devel"]
    d = document(path)
    # cuda-toolkit pins cccl 13.0; nvshmem has brought 13.3, which the runtime image has: it stays, and serves.
    assert wheel_of(d, "nvidia-cuda-cccl")["version"] == "13.3.1"
    assert wheel_of(document(built["runtime"][0]), "nvidia-cuda-cccl")["version"] == "13.3.1"
    for name in ("nvidia-cuda-nvcc", "nvidia-cuda-crt", "nvidia-nvvm"):
        assert wheel_of(d, name)["version"] == "13.0.88", name
    assert d["toolkit"]["from"] == "pypi", d["toolkit"]
    assert not archives_of(d)
    low, _ = layers(*built["runtime"])
    named, _ = layers(path, digest)
    other = {name for name in low if named[name][0] != low[name][0]}
    assert other <= {"state", "files"} and len(low) > 5, other
    t, root, at13 = named["toolkit"][1], "/usr/local/cuda-13.0", SITE + THIRTEEN
    for name, to in {"bin/nvcc": "bin/nvcc", "include/cuda.h": "include/cuda.h", "include/crt": "include/crt", "include/cccl": "include/cccl",
                     "nvvm": "nvvm", "lib64/libcudart.so.13": "lib/libcudart.so.13", "lib64/cmake/cub": "lib/cmake/cub"}.items():
        assert link(t, f"{root}/{name}") == at13 + to, name
    assert link(t, root + "/lib64/libcudart.so") == "libcudart.so.13" and link(t, "/usr/local/cuda") == "cuda-13.0"
    assert link(t, root + "/include/cudnn.h") == SITE + "nvidia/cudnn/include/cudnn.h"
    assert not [p for p in t if p.startswith(root) and ("nvshmem" in p or p.endswith("/host"))], "nvshmem's folders are no toolkit's"
    for name, function in (("libcuda.so", b"cuMemAlloc_v2\0"), ("libnvidia-ml.so", b"nvmlErrorString\0")):
        stub = text(t, f"{root}/lib64/stubs/{name}")
        assert stub.startswith(b"\x7fELF") and function in stub and name.encode() + b".1\0" in stub, name
    other = folder(stage, R13 + f"indexes: [{index}]\n")
    with open(other + "/recipe.lock", "wb") as f:
        f.write(read(path, "recipe.lock"))
    assert build(stage, other, "--locked", "-j1", **alone(stage)) == digest


# ---- the distribution's own ----

APT = world.GOOD.replace("runtime", "devel") + "toolkit: {from: apt}\n"


@scenario
def of_packages_leaves_the_driver_out(stage):
    path = folder(stage, APT)
    digest = build(stage, path, **alone(stage))
    d = document(path)
    debs = {a["name"]: a for a in d["artifacts"] if a["type"] == "deb"}
    assert "libcuda1" not in debs and "libcudart12" not in debs, sorted(debs)
    assert debs["libnccl2"]["version"] == "2.20.5~12.4.1-1" and debs["nvidia-cuda-toolkit"]["group"] == "toolkit", debs["libnccl2"]
    ours = {s["name"]: s for s in d["toolkit"]["stand_ins"]}
    assert ours["envbuild-driver-of-host"]["provides"] == ["libcuda1 (= 550.54.15)", "libcuda.so.1 (= 550.54.15)"], ours
    wheels = ours["envbuild-cuda-of-wheels"]
    assert wheels["provides"] == ["libcudart12 (= 12.4.127~12.4.1-2)"], ours
    assert wheels["links"] == [{"path": "/usr/lib/x86_64-linux-gnu/libcudart.so.12", "target": SITE + "nvidia/cuda_runtime/lib/libcudart.so.12"}]
    assert d["built"]["toolkit_saved"] == 300000
    named, _ = layers(path, digest)
    t = named["toolkit"][1]
    known = status(named["state"][1])
    assert known["envbuild-driver-of-host"]["Provides"] == "libcuda1 (= 550.54.15), libcuda.so.1 (= 550.54.15)" and "libcuda1" not in known
    assert known["envbuild-driver-of-host"]["Status"] == "install ok installed" and known["envbuild-driver-of-host"]["Architecture"] == "all"
    assert known["envbuild-cuda-of-wheels"]["Replaces"] == "libcudart12", known["envbuild-cuda-of-wheels"]
    assert b"/usr/lib/x86_64-linux-gnu/libcudart.so.12\n" in t["/var/lib/dpkg/info/envbuild-cuda-of-wheels.list"][1]
    for name in ours:  # which dpkg --audit asks of every package
        assert text(t, f"/var/lib/dpkg/info/{name}.md5sums") == b"", name
    assert not [p for p in t if p.endswith("/libcuda.so.1")], "the driver's library"
    root = "/usr/local/cuda-12.4"
    assert link(t, "/usr/lib/x86_64-linux-gnu/libcudart.so.12") == SITE + "nvidia/cuda_runtime/lib/libcudart.so.12"
    assert link(t, root + "/include/cuda.h") == "/usr/include/cuda.h" and link(t, root + "/include/crt") == "/usr/include/crt"
    assert link(t, root + "/bin/ptxas") == "/usr/bin/ptxas" and link(t, root + "/nvvm") == "/usr/lib/nvidia-cuda-toolkit"
    assert link(t, root + "/lib64/libcudart.so") == "/usr/lib/x86_64-linux-gnu/libcudart.so"
    assert b"exec /usr/bin/nvcc -isystem /usr/local/cuda-12.4/include" in text(t, root + "/bin/nvcc")
    assert b"Components: contrib" in text(t, "/etc/apt/sources.list.d/envbuild-toolkit.sources")
    # The lock as it is: the same image elsewhere, and nothing chosen anew.
    other = folder(stage, APT)
    with open(other + "/recipe.lock", "wb") as f:
        f.write(read(path, "recipe.lock"))
    assert build(stage, other, "--locked", "-j1", TZ="Asia/Kathmandu", **alone(stage)) == digest
    again = lock(stage, other)
    assert again["toolkit"] == d["toolkit"] and again["artifacts"] == d["artifacts"]
    code, out, err = end(start(stage, other, "explain", "recipe.lock"))
    assert "  envbuild-driver-of-host stands in for libcuda1, libcuda.so.1: NVIDIA driver, which the host brings\n" in out, (out, err)
    # One package moved: the toolkit's stay what they are.
    moved = lock(stage, other, "--upgrade", "make")
    assert moved["toolkit"] == d["toolkit"] and moved["artifacts"] == d["artifacts"]


@scenario
def of_packages_follows_the_wheels(stage):
    """A library is the wheel's only as long as there is that wheel, also where all packages would be kept."""
    path = folder(stage, APT + "pip: [nvidia-cublas-cu12]\n")
    held = lambda d: (any(a["name"] == "libcublas12" for a in d["artifacts"]), "libcublas12" in json.dumps(d["toolkit"]["stand_ins"]))
    with_wheel = lock(stage, path)
    assert held(with_wheel) == (False, True), with_wheel["toolkit"]
    write(path, APT)
    without = lock(stage, path)
    assert held(without) == (True, False) and not any(a["name"] == "nvidia-cublas-cu12" for a in without["artifacts"]), without["toolkit"]
    write(path, APT + "pip: [nvidia-cublas-cu12]\n")
    again = lock(stage, path)
    assert held(again) == (False, True) and again == with_wheel
    build(stage, path, **alone(stage))
    assert document(path)["built"]["toolkit_saved"] == 300000 + len(redist_peer.library("cublas", "12.4.127"))


# ---- CUDA in torch's own wheel ----


@scenario
def of_a_torch_that_has_cuda_inside(stage):
    path = folder(stage, 'pytorch: "2.1.0"\ncuda: "11.8"\nvariant: devel\nbase: ./base.yaml\ntoolkit: [nvcc, cudart]\n')
    digest = build(stage, path, **alone(stage))
    d = document(path)
    archives = archives_of(d)
    assert set(archives) == {"cuda_nvcc", "cuda_cudart", "cudnn"}, sorted(archives)
    assert archives["cudnn"]["version"] == "8.7.0.84" and archives["cudnn"]["file"].endswith("_cuda11-archive.tar.xz")
    assert archives["cudnn"]["url"].startswith(NVIDIA + "cudnn/redist/cudnn/linux-x86_64/")
    # Its nvcc takes gcc up to 11, and the base's is 12.
    assert d["toolkit"]["gcc"] == "11" and "gcc-11" in [a["name"] for a in d["artifacts"]] and "gcc" not in [a["name"] for a in d["artifacts"]]
    named, _ = layers(path, digest)
    t = named["toolkit"][1]
    assert text(t, "/usr/local/cuda-11.8/include/cudnn.h") == b"/* cuda11 */\n"
    assert link(t, "/usr/local/cuda-11.8/lib64/libcudnn.so") == "libcudnn.so.8"
    assert link(t, "/usr/local/bin/gcc") == "/usr/bin/gcc-11" and link(t, "/usr/local/bin/c++") == "/usr/bin/g++-11"
