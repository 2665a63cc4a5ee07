#!/bin/bash
# Devel images, really built and worked in: nvcc compiles and links for the image's architectures, a
# CUDA extension of torch builds and imports, CMake finds the toolkit, torch.compile works, and the
# loader's cache is what ldconfig writes. PyTorch 2.15.0 with the toolkit of PyPI's wheels; with ALL=1
# also 2.6.0 with Debian 13's own toolkit, whose dpkg and apt must stay whole (15 GB of disk each).
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need python3 unshare chroot
[ "$(id -u)" = 0 ] || skip "entering an image's root needs root"
scratch
here=$top/tests/real/data/devel

# NAME ARCHITECTURES: $work/NAME.yaml becomes an image, its root, and a place to work in.
make_image() {
    "$envbuild" build -q "$work/$1.yaml" -o "oci:$work/images" >"$work/out" || fail "$1: build"
    ! grep -q 'no rule stands for' "$work/out" || fail "$1: $(cat "$work/out")"
    tag=$(sed 's/^.*://' "$work/out")
    root=$work/root-$1
    unpack_image "$work/images" "$tag" "$root" || fail "$1: unpack"
    mkdir "$root/tmp/p"
    cp "$here"/* "$root/tmp/p"
    ok "$tag is built: $(du -sm "$root" | cut -f1) MiB unpacked"
}

# What must work in any of them. The architectures are the image's own, as its label says.
work_in() {
    gencode=$(for cc in $2; do n=${cc/./}; printf -- '-gencode arch=compute_%s,code=sm_%s ' "$n" "$n"; done)
    in_root "$root" sh -ec "cd /tmp/p && nvcc $gencode program.cu -lcublas -lcudnn -lnccl -lnvidia-ml -lcuda -o linked" \
        >"$work/log" 2>&1 || fail "$1: nvcc: $(tail -5 "$work/log")"
    [ "$(in_root "$root" sh -c "cuobjdump -lelf /tmp/p/linked" | grep -oE 'sm_[0-9]+' | sort -u | wc -l)" = "$(echo "$2" | wc -w)" ] ||
        fail "$1: the program has not the code of all architectures $2"
    readelf -d "$root/tmp/p/linked" | grep -q 'NEEDED.*libcuda.so.1' || fail "$1: the driver's stub was not linked to"
    ! in_root "$root" ldd /tmp/p/linked | grep 'not found' | grep -v -e libcuda.so.1 -e libnvidia-ml.so.1 ||
        fail "$1: what nvcc linked does not load"
    ok "$1: nvcc compiles for $2 and links"

    in_root "$root" sh -ec 'ldconfig -p >/tmp/ours; cp /etc/ld.so.cache /tmp/cache; ldconfig; ldconfig -p | cmp - /tmp/ours' ||
        fail "$1: ldconfig would write another cache"
    ok "$1: ld.so.cache is ldconfig's"

    in_root "$root" sh -ec "cd /tmp/p && python extension.py 9.0 ${ALL:+all} && python -c '
import torch, plus_ext
assert plus_ext.plus_one(torch.zeros(2)).tolist() == [1, 1]'" >"$work/log" 2>&1 || fail "$1: extension: $(tail -5 "$work/log")"
    in_root "$root" sh -c 'cuobjdump -lelf /tmp/p/plus_ext*.so' | grep -q sm_90 || fail "$1: the extension has no device code"
    ok "$1: torch.utils.cpp_extension builds what imports"

    in_root "$root" sh -ec 'cd /tmp/p && python compiled.py && pip check' >"$work/log" 2>&1 || fail "$1: $(tail -5 "$work/log")"
    ok "$1: torch.compile works, pip check is content"

    in_root "$root" sh -ec 'pip install -q --target /tmp/cmake cmake==4.1.2 && cd /tmp/p &&
        /tmp/cmake/cmake/data/bin/cmake -S . -B b -G Ninja && /tmp/cmake/cmake/data/bin/cmake --build b' >"$work/log" 2>&1 ||
        fail "$1: CMake: $(grep -m3 -i -A3 error "$work/log" || tail -5 "$work/log")"
    ok "$1: CMake: $(grep -oE 'toolkit [0-9.]+' "$work/log"), enable_language(CUDA), cuDNN and NCCL found"
}

printf 'pytorch: "2.15.0"\ncuda: "13.2"\nvariant: devel\npip: [numpy]\n' >"$work/wheels.yaml"
make_image wheels
work_in wheels "7.5 8.0 8.6 9.0 10.0 12.0"

# The runtime image of the same PyTorch is a prefix of it, byte for byte.
sed 's/devel/runtime/' "$work/wheels.yaml" >"$work/runtime.yaml"
"$envbuild" build -q "$work/runtime.yaml" -o "oci:$work/images" >/dev/null || fail "runtime: build"
python3 - "$work/runtime.lock" "$work/wheels.lock" <<'X' || fail "runtime and devel do not share their layers"
import json, sys
runtime, devel = ([(l["name"], l["digest"]) for l in json.load(open(p))["built"]["layers"]] for p in sys.argv[1:])
assert runtime[-1][0] == "files" and devel[:len(runtime) - 1] == runtime[:-1], (runtime, devel)
print("ok: the %d layers of the runtime image are the first of the devel image, and %d stand on them" % (len(runtime) - 1, len(devel) - len(runtime) + 1))
X
passed=$((passed + 1))
rm -rf "$root" "$work/images"

[ -n "${ALL:-}" ] || { echo "skipped: the toolkit of Debian 13 is of the longer run (ALL=1)"; exit 0; }
printf 'pytorch: "2.6.0"\ncuda: "12.4"\nvariant: devel\nbase: debian-13\ntoolkit: {from: apt}\npip: ["numpy<2.3"]\n' >"$work/apt.yaml"
make_image apt
work_in apt "5.0 6.0 7.0 7.5 8.0 8.6 9.0"
[ ! -e "$root/usr/lib/x86_64-linux-gnu/libcuda.so.1" ] || fail "apt: the driver's library is in the image"
[ -z "$(in_root "$root" dpkg --audit)" ] || fail "apt: dpkg --audit: $(in_root "$root" dpkg --audit)"
[ -z "$(in_root "$root" dpkg --verify)" ] || fail "apt: dpkg --verify: $(in_root "$root" dpkg --verify)"
in_root "$root" sh -ec 'apt-get -q update && apt-get check && apt-get -s dist-upgrade' >"$work/log" 2>&1 || fail "apt: $(tail -3 "$work/log")"
! grep -E '^(Inst|Remv) .*(libcuda1|envbuild)' "$work/log" || fail "apt: an upgrade would touch what stands in"
ok "apt: dpkg and apt hold the image for whole, without the driver"
in_root "$root" sh -ec 'apt-get install -y -q --no-install-recommends libcublas12 && [ ! -L /usr/lib/x86_64-linux-gnu/libcublas.so.12.4.5.8 ] &&
    cd /tmp/p && nvcc program.cu -lcublas -lcudnn -lnccl -lnvidia-ml -lcuda -o again && apt-get purge -y -q nvidia-cuda-toolkit && apt-get check' \
    >"$work/log" 2>&1 || fail "apt: the real library over the stand-in: $(tail -3 "$work/log")"
[ -z "$(in_root "$root" dpkg --audit)" ] || fail "apt: dpkg --audit afterwards"
ok "apt: the real package can be installed over the stand-in, the toolkit purged"
