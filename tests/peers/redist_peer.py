# SPDX-License-Identifier: Apache-2.0
"""A small CUDA toolkit as NVIDIA's redistributable archives: the same folders, names, links and
manifest as the real ones, with a few bytes in each file. The same bytes on every machine.

    pages, files = redist("12.4.1")

`pages` are documents by path (content type, bytes), `files` archives by path, as world.py serves them; all stand
below /compute/cuda/redist/. A client reaches them by a mirror of https://developer.download.nvidia.com/compute/.
"""
import hashlib, io, json, lzma, tarfile

DATE = 1710000000  # of every file
ROOT = "/compute/cuda/redist/"
BIG = 1 << 20  # a library of this size may be replaced by a link to a wheel's
LICENSE = b"End User License Agreement of a toolkit that does nothing\n"
PROFILE = (b"\nTOP              = $(_HERE_)/..\n\nCICC_PATH        = $(TOP)/nvvm/bin\n"
           b"NVVMIR_LIBRARY_DIR = $(TOP)/nvvm/libdevice\n\nLD_LIBRARY_PATH += $(TOP)/lib:\n"
           b"PATH            += $(CICC_PATH):$(_HERE_):\n\nINCLUDES        +=  \"-I$(TOP)/$(_TARGET_DIR_)/include\" $(_SPACE_)\n\n"
           b"LIBRARIES        =+ $(_SPACE_) \"-L$(TOP)/$(_TARGET_DIR_)/lib$(_TARGET_SIZE_)/stubs\" "
           b"\"-L$(TOP)/$(_TARGET_DIR_)/lib$(_TARGET_SIZE_)\"\n\nCUDAFE_FLAGS    +=\nPTXAS_FLAGS     +=\n")


def library(name, version, seed=b""):
    """Bytes that stand for a big shared library; a wheel that has the same one calls this too."""
    head = b"\x7fELF tiny " + name.encode() + b" " + version.encode() + b"\n" + seed
    block = hashlib.sha256(head).digest()
    return head + block * (BIG // len(block) + 1)


def links(name, version):
    """lib/libX.so -> libX.so.12 -> libX.so.12.4.127"""
    major = version.split(".")[0]
    return {f"lib/{name}.so": (f"{name}.so.{major}",), f"lib/{name}.so.{major}": (f"{name}.so.{version}",)}


def script(name):
    return f"#!/bin/sh\necho tiny {name} \"$@\"\n".encode()


def pc(name, release):
    minor = ".".join(release.split(".")[:2])
    return (f"cudaroot=/usr/local/cuda-{minor}\nlibdir=${{cudaroot}}/targets/x86_64-linux/lib\n"
            f"includedir=${{cudaroot}}/targets/x86_64-linux/include\n\nName: {name}\nDescription: tiny\n"
            f"Version: {minor}\nLibs: -L${{libdir}} -l{name}\nCflags: -I${{includedir}}\n").encode()


TOOLS = {"cuda_cuobjdump": "cuobjdump", "cuda_nvdisasm": "nvdisasm", "cuda_nvprune": "nvprune", "cuda_cuxxfilt": "cu++filt"}
LIBRARIES = {"cuda_nvrtc": "nvrtc", "libcublas": "cublas", "libcufft": "cufft", "libcufile": "cufile", "libcurand": "curand",
             "libcusolver": "cusolver", "libcusparse": "cusparse", "libnpp": "nppc", "libnvjpeg": "nvjpeg",
             "libnvjitlink": "nvJitLink", "libnvfatbin": "nvfatbin", "cuda_nvtx": "nvToolsExt", "cuda_opencl": "OpenCL"}


def contents(component, version, release):
    """What the archive of a component holds, below its folder. A tuple is a link."""
    major = release.split(".")[0]
    if component == "cuda_nvcc":
        return {"bin/nvcc": script("nvcc"), "bin/nvcc.profile": PROFILE, "bin/ptxas": script("ptxas"),
                "bin/crt/link.stub": b"// link\n", "include/crt/host_config.h": b"/* tiny */\n",
                "lib/libnvptxcompiler_static.a": b"!<arch>\n", "nvvm/bin/cicc": script("cicc"),
                "nvvm/include/nvvm.h": b"/* tiny */\n", "nvvm/lib64/libnvvm.so": ("libnvvm.so.4",),
                "nvvm/lib64/libnvvm.so.4": ("libnvvm.so.4.0.0",), "nvvm/lib64/libnvvm.so.4.0.0": library("nvvm", version),
                "nvvm/libdevice/libdevice.10.bc": b"BC tiny\n"}
    if component == "cuda_cudart":
        return {"include/cuda.h": b"#define CUDA_VERSION %d\n" % (int(major) * 1000 + int(release.split(".")[1]) * 10),
                "include/cuda_runtime.h": b"#include <cuda.h>\n", **links("libcudart", version),
                f"lib/libcudart.so.{version}": b"\x7fELF tiny cudart\n", "lib/libcudart_static.a": b"!<arch>\n",
                "lib/libcudadevrt.a": b"!<arch>\n", "lib/stubs/libcuda.so": b"\x7fELF tiny stub\n",
                f"pkg-config/cudart-{'.'.join(release.split('.')[:2])}.pc": pc("cudart", release)}
    if component == "cuda_cccl":
        return {"include/nv/target": b"/* tiny */\n", "include/cub/cub.cuh": b"/* tiny */\n",
                "lib/cmake/cub/cub-config.cmake": b"# tiny\n"}
    if component == "cuda_cupti":
        return {"include/cupti.h": b"/* tiny */\n", **links("libcupti", version), f"lib/libcupti.so.{version}": library("cupti", version),
                "samples/activity/activity.cu": b"// a sample\n", "docs/index.html": b"<p>documentation\n"}
    if component == "cuda_nvml_dev":
        return {"include/nvml.h": b"/* tiny */\n", "lib/stubs/libnvidia-ml.so": b"\x7fELF tiny stub\n",
                "nvml/example/example.c": b"// a sample\n"}
    if component == "cuda_profiler_api":
        return {"include/cuda_profiler_api.h": b"/* tiny */\n"}
    if component in TOOLS:
        return {"bin/" + TOOLS[component]: script(TOOLS[component])}
    name = LIBRARIES[component]
    out = {f"include/{name}.h": b"/* tiny */\n", **links("lib" + name, version),
           f"lib/lib{name}.so.{version}": library(name, version), f"lib/stubs/lib{name}.so": b"\x7fELF tiny stub\n"}
    if component == "libcufile":
        out |= {"etc/cufile.json": b"{}\n", "man/man3/cufile.3": b".TH\n", "tools/gdscheck": script("gdscheck"),
                "samples/Makefile": b"all:\n"}
    return out


COMPONENTS = ["cuda_nvcc", "cuda_cudart", "cuda_cccl", "cuda_cupti", "cuda_nvml_dev", "cuda_profiler_api", *TOOLS, *LIBRARIES]


def archive(top, files):
    """A tar.xz as `tar -cJf` of GNU makes it: one folder at the top, folders before what is in them."""
    out, folders = io.BytesIO(), set()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        def add(path, kind, body=b"", mode=0o755, link=""):
            t = tarfile.TarInfo(path)
            t.type, t.size, t.mode, t.mtime, t.linkname = kind, len(body), mode, DATE, link
            t.uid = t.gid = 1001
            t.uname = t.gname = "builder"
            tar.addfile(t, io.BytesIO(body))
        for path, body in sorted(files.items()):
            path = f"{top}/{path}"
            for i in range(1, path.count("/") + 1):
                parent = "/".join(path.split("/")[:i])
                if parent not in folders:
                    folders.add(parent)
                    add(parent, tarfile.DIRTYPE, mode=0o775)
            if isinstance(body, tuple):
                add(path, tarfile.SYMTYPE, mode=0o777, link=body[0])
            else:
                add(path, tarfile.REGTYPE, body, 0o775 if body.startswith(b"#!") else 0o664)
    return lzma.compress(out.getvalue(), preset=6)


def row(path, body):
    return {"relative_path": path, "sha256": hashlib.sha256(body).hexdigest(), "md5": hashlib.md5(body).hexdigest(),
            "size": str(len(body))}


def redist(release="12.4.1", without=(), extra=None, says=None):
    """The manifest and the archives of a release. `without`: components that it lacks; `extra`: more files
    {component: {path: bytes}}; `says`: another release_label."""
    version = release.rsplit(".", 1)[0] + ".127"
    manifest = {"release_date": "2024-04-03", "release_label": says or release, "release_product": "cuda"}
    files = {}
    for component in sorted(set(COMPONENTS) - set(without)):
        top = f"{component}-linux-x86_64-{version}-archive"
        path = f"{component}/linux-x86_64/{top}.tar.xz"
        held = {"LICENSE": LICENSE, **contents(component, version, release), **(extra or {}).get(component, {})}
        body = files[ROOT + path] = archive(top, held)
        manifest[component] = {"name": f"tiny {component}", "license": "CUDA Toolkit", "license_path": f"{component}/LICENSE.txt",
                               "version": version, "linux-x86_64": row(path, body),
                               "linux-sbsa": row(path.replace("x86_64", "sbsa"), b"not made")}
    manifest["cuda_compat"] = {"name": "CUDA compat L4T", "license": "CUDA Toolkit", "license_path": "cuda_compat/LICENSE.txt",
                               "version": "12.4.35753180", "linux-aarch64": row("cuda_compat/x.tar.xz", b"not made")}
    text = json.dumps(manifest, indent=4).encode()
    return {f"{ROOT}redistrib_{release}.json": ("application/json", text)}, files
