#!/bin/bash
# causal-conv1d from its sdist, on the real index, as CUDA code for one GPU: by the image's torch and toolkit (PyTorch's CUDA is 13, whose
# toolkit is wheels of PyPI), without the wheel that its setup.py looks for elsewhere. The code is there as our reader of device code
# tells, and on a CPU the module loads and refuses tensors that are on no GPU. Takes 6 GB of downloads and 25 GB of the disk.
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

# Its setup.py has nvcc compile for nine GPUs, whatever TORCH_CUDA_ARCH_LIST says. Torch takes another command in nvcc's place.
cat >x.yaml <<'YAML'
name: causal
pytorch: "2.11.0"
variant: devel
build:
  causal-conv1d:
    requires: [torch, ninja, packaging]
    archs: ["8.0"]
    expect: [causal_conv1d_cuda]
    env:
      PYTORCH_NVCC: >-
        python3 -c 'import os, re, sys; nvcc = os.environ["CUDA_HOME"] + "/bin/nvcc";
        os.execv(nvcc, [nvcc] + re.sub("-gencode arch=compute_(?!80)[0-9]+,code=sm_[0-9]+", "", " ".join(sys.argv[1:])).split())'
pip: [causal-conv1d==1.7.0]
YAML
"$envbuild" lock x.yaml 2>said || fail "lock: $(tail -30 said)"
ok "locked: $(grep -o 'built from source: .*' said)"

begun=$(date +%s)
"$envbuild" wheel -q x.yaml >made 2>said || fail "build: $(tail -30 said)"
made=$(cat made)
[[ $made = ./wheels/torch2.11.0cxx11abiTRUE/causal_conv1d-1.7.0-*.whl ]] || fail "the wheel is $made"
ok "it is built in $(($(date +%s) - begun)) s (load $(cut -d' ' -f1 /proc/loadavg) on $(nproc) cores)"

mkdir site
python3 -m zipfile -e "$made" site
"$tools/look_elf" code site/causal_conv1d_cuda*.so >code || fail "look_elf"
grep -q '^linked cubin sm_80 ' code || fail "it has the code $(cat code)"
! awk '$3 != "sm_80"' code | grep . || fail "it has more code than for the GPU that was named"
ok "it has code for the GPU that was named, and for no other: $(tr '\n' ';' <code)"

# The root that it was built in has the image's torch.
for root in one/envbuild/unpacked/roots/*/files; do
    [ ! -d "$root/opt/venv/lib/python3.11/site-packages/torch" ] || break
done
bwrap --unshare-all --ro-bind "$root" / --proc /proc --dev /dev --tmpfs /tmp --ro-bind site /tmp/site \
    --setenv PYTHONPATH /tmp/site --setenv HOME /tmp /opt/venv/bin/python -W ignore -c "
import causal_conv1d, causal_conv1d_cuda, torch
from causal_conv1d.causal_conv1d_interface import causal_conv1d_ref
x, weight = torch.ones(1, 8, 16), torch.ones(8, 4)
assert causal_conv1d_ref(x, weight)[0, 0].tolist() == [1, 2, 3] + [4] * 13
try:
    causal_conv1d.causal_conv1d_fn(x, weight)
except RuntimeError as e:
    print(str(e).splitlines()[0])
" >said 2>&1 || fail "import: $(tail -20 said)"
grep -q 'x.is_cuda()' said || fail "on a CPU it says $(tail -3 said)"
ok "it is imported, and its compiled part says what it misses: $(tail -1 said)"
