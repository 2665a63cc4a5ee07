#!/bin/bash
# Builds with CUDA, on the real index: an extension of torch gets the image's torch and its toolkit, both as layers of the build's
# root, and holds code for the GPUs that the recipe names; one that does not is refused; another place builds the same bytes.
# Takes 6 GB of downloads and 30 GB of the disk. PyTorch's CUDA is 13, whose toolkit is wheels of PyPI.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need python3
need_sealed
scratch
cd "$work"
mkdir -p one/envbuild
# Torch and the toolkit may be in the user's store.
cp -rl "${XDG_CACHE_HOME:-$HOME/.cache}/envbuild/blobs" one/envbuild/ 2>/dev/null || true
export XDG_CACHE_HOME=$work/one

mkdir -p tiny_cuda-1.0/tiny_cuda wheels
cat >tiny_cuda-1.0/setup.py <<'PYTHON'
from setuptools import setup
from torch.utils.cpp_extension import BuildExtension, CUDAExtension

setup(name="tiny-cuda", version="1.0", packages=["tiny_cuda"], install_requires=["torch"],
      ext_modules=[CUDAExtension("tiny_cuda._C", ["twice.cu"])], cmdclass={"build_ext": BuildExtension})
PYTHON
cat >tiny_cuda-1.0/twice.cu <<'CUDA'
#include <ATen/ATen.h>
#include <torch/library.h>

__global__ void twice_kernel(const float *in, float *out, long n)
{
    long i = blockIdx.x * (long)blockDim.x + threadIdx.x;

    if (i < n)
        out[i] = 2 * in[i];
}

at::Tensor twice(const at::Tensor &in)
{
    at::Tensor out = at::empty_like(in);

    twice_kernel<<<(in.numel() + 255) / 256, 256>>>(in.data_ptr<float>(), out.data_ptr<float>(), in.numel());
    return out;
}

TORCH_LIBRARY(tiny_cuda, m)
{
    m.def("twice", &twice);
}
CUDA
echo >tiny_cuda-1.0/tiny_cuda/__init__.py
printf '[build-system]\nrequires = ["setuptools", "wheel", "torch", "ninja"]\nbuild-backend = "setuptools.build_meta"\n' >tiny_cuda-1.0/pyproject.toml
tar -czf wheels/tiny_cuda-1.0.tar.gz tiny_cuda-1.0
cat >x.yaml <<'YAML'
name: cuda-builds
pytorch: "2.11.0"
variant: devel
find_links: [wheels]
build: {tiny-cuda: {archs: ["8.0"], expect: [_C]}}
pip: [tiny-cuda]
YAML
"$envbuild" lock -q x.yaml || fail "lock"
python3 - <<'PYTHON' || fail "the lock says $(grep -A30 '"tiny-cuda"' x.lock)"
import json
artifacts = {a["name"]: a for a in json.load(open("x.lock"))["artifacts"]}
build = artifacts["tiny-cuda"]["build"]
root = {r["name"]: r for r in build["requires"] if r.get("group") == "root"}
assert build["root"] == ["base", "python", "compile", "toolkit"] and build["archs"] == ["8.0"]
assert root["torch"]["sha256"] == artifacts["torch"]["sha256"] and "ninja" not in root
assert all(artifacts[name]["sha256"] == root[name]["sha256"] for name in root if name.startswith("nvidia-"))
PYTHON
ok "an extension of torch is chosen with the image's torch, which its root has"

"$envbuild" wheel -q x.yaml >said || fail "wheel"
made=$(cat said)
[[ $made = ./wheels/torch2.11.0cxx11abiTRUE/tiny_cuda-1.0-*.whl ]] || fail "the wheel is $made"
ok "it is built with nvcc, and holds code for the GPU that was named"

mkdir two
cp -r x.yaml x.lock two/
cp -r wheels/*.gz two/ && mkdir two/wheels && mv two/*.gz two/wheels/
mkdir -p two/cache/envbuild
# The root of builds is the lock's layers, which other tests make anew elsewhere: here all but what was built is at hand.
(cd one/envbuild && cp -al blobs layers metadata unpacked ../../two/cache/envbuild/)
rm -f "two/cache/envbuild/blobs/sha256/$(sha256sum "$made" | cut -d' ' -f1)"
(cd two && umask 077 && TZ=Asia/Tokyo XDG_CACHE_HOME=$work/two/cache "$envbuild" wheel -q --locked -j 1 x.yaml -o made >said) || fail "another place builds another wheel"
cmp -s "$made" "two/$(cat two/said)" || fail "another place builds another wheel"
rm -rf two
ok "another place builds the same bytes"

# Somebody's own setting wins over ours; the promise does not hold, and that is told.
sed -i 's/expect: \[_C\]/env: {TORCH_CUDA_ARCH_LIST: "9.0"}/' x.yaml
"$envbuild" lock -q x.yaml || fail "lock with env"
"$envbuild" wheel -q x.yaml 2>said && fail "a wheel without the code that was promised is taken"
grep -q 'has no code for GPUs of 8.0, only for 9.0' said || fail "the refusal says $(cat said)"
ok "a wheel without the code that was promised is refused"
