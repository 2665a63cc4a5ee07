#!/bin/bash
# flash-attn, whose build takes hours, on the real index: `lock` reads what it needs, which takes a root with torch in it; its build starts nvcc
# and makes objects; Ctrl-C ends all that runs, and nothing half made stays. It takes 6 GB of downloads and 25 GB of the disk.
# PyTorch's CUDA is 13, whose toolkit is wheels of PyPI.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need python3 readelf
need_sealed
scratch
cd "$work"
mkdir -p one/envbuild
# Torch and the toolkit may be in the user's store.
cp -rl "${XDG_CACHE_HOME:-$HOME/.cache}/envbuild/blobs" one/envbuild/ 2>/dev/null || true
export XDG_CACHE_HOME=$work/one
store=$work/one/envbuild

cat >x.yaml <<'YAML'
name: flash
pytorch: "2.11.0"
variant: devel
build: {flash-attn: {isolation: false, requires: [ninja, packaging, psutil], env: {FLASH_ATTN_CUDA_ARCHS: "80"}, archs: ["8.0"]}}
pip: [flash-attn]
YAML
"$envbuild" lock x.yaml 2>said || fail "lock: $(tail -30 said)"
python3 - <<'PYTHON' || fail "the lock says $(grep -A40 '"flash-attn"' x.lock)"
import json
artifacts = {a["name"]: a for a in json.load(open("x.lock"))["artifacts"]}
flash = artifacts["flash-attn"]
assert {n.split("[")[0] for n in flash["needs"]} >= {"torch", "einops"} and "einops" in artifacts, flash["needs"]
build = flash["build"]
assert "toolkit" in build["root"] and build["archs"] == ["8.0"] and "sha256" not in flash
assert {"torch", "triton"} <= {r["name"] for r in build["requires"] if r.get("group") == "root"}
PYTHON
grep -q '^ask the build of flash-attn .* what it needs, in the image.s system with torch' said || fail "nobody says that a root is made to read metadata: $(grep -v % said)"
ok "locked: $(grep -o 'built from source: .*' said)"

# The processes below $1, a line each.
below() {
    local child
    for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
        echo "$child"
        below "$child"
    done
}
cp x.lock chosen.lock
"$envbuild" wheel -q x.yaml >made 2>said &
pid=$!
own_pids=$pid
nvcc='' object=''
while [ -z "$nvcc" ] || [ -z "$object" ]; do
    kill -0 "$pid" 2>/dev/null || fail "the build ends before there is an object: $(tail -30 said)"
    for child in $(below "$pid"); do
        [[ $(tr '\0' ' ' <"/proc/$child/cmdline") != /usr/local/cuda/bin/nvcc\ * ]] || nvcc=yes
    done 2>/dev/null
    object=$(find "$store/unpacked/builds" -path '*/src/*' -name '*.o' 2>/dev/null | head -1) || true
    # One that is still being written has no header.
    cp "$object" first.o 2>/dev/null && readelf -h first.o 2>/dev/null | grep -q 'REL (Relocatable file)' || object=''
    sleep 1
done
ok "nvcc runs, and $(wc -c <first.o) bytes of ${object##*/} are there, with $(readelf -sW first.o | grep -c ' FUNC ') functions"

children=$(below "$pid")
[ "$(echo "$children" | wc -w)" -gt 2 ] || fail "the build is of the processes $children"
kill -INT "$pid"
wait "$pid" && fail "a build that was ended succeeds"
own_pids=
for child in $children; do
    ! grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$child/status" || fail "Ctrl-C leaves $(cat "/proc/$child/status")"
done
ok "Ctrl-C ends all $(echo "$children" | wc -w) processes: $(tail -1 said)"
cmp -s x.lock chosen.lock || fail "the lock is another"
[ ! -s made ] && [ ! -e wheels ] || fail "there is a wheel"
[ -z "$(find "$store/unpacked/builds" -mindepth 3)" ] || fail "there is $(find "$store/unpacked/builds" -mindepth 3 | head -3)"
[ -z "$(find "$store/partial" "$store/scratch" -mindepth 1)" ] || fail "there is $(find "$store/partial" "$store/scratch" -mindepth 1 | head -3)"
ok "nothing half made is left, and the lock is as it was"
