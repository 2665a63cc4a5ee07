#!/bin/bash
# Looking into an image: `envbuild inspect` against programs that only inflate the same layers, one after the other and
# two at once (the cores of the machine that figures in the README are from), in one run. Prints ratios.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../real/lib/common.sh"
need python3 igzip pigz libdeflate-gunzip bc xargs
scratch
export TIMEFORMAT=%R
cp "$top/recipes/pytorch-2.6.0-cuda12.4-cudnn9-runtime.yaml" "$work/bench.yaml"
"$envbuild" build -q "$work/bench.yaml" -o "oci:$work/images" >/dev/null || fail "build"
python3 - "$work/images" >"$work/layers" <<'X'
import json, sys
blob = lambda d: "%s/blobs/sha256/%s" % (sys.argv[1], d["digest"][7:])
index = json.load(open(sys.argv[1] + "/index.json"))
for layer in sorted(json.load(open(blob(index["manifests"][0])))["layers"], key=lambda d: -d["size"]):
    print(blob(layer))
X
cores=$(nproc)

inflate() { xargs -P "$2" -n 1 sh -c "$1"' -dc <"$0" >/dev/null' <"$work/layers"; }
seconds() { { time "$@" >/dev/null 2>>"$work/log"; } 2>&1 || fail "$*: $(tail -3 "$work/log")"; }
least() { sort -n | head -1; }

for turn in 1 2 3; do
    seconds "$envbuild" inspect -q "oci:$work/images" >>"$work/inspect"
    for program in igzip pigz libdeflate-gunzip; do
        seconds inflate "$program" "$cores" >>"$work/$program.all"
        [ "$turn" -gt 1 ] || seconds inflate "$program" 1 >>"$work/$program.one"
    done
    echo "turn $turn of 3" >&2
done
peak=$(/usr/bin/time -f %M "$envbuild" inspect -q "oci:$work/images" 2>&1 >/dev/null | tail -1)
ours=$(least <"$work/inspect")
fastest=$(cat "$work"/*.all "$work"/*.one | least)
echo "envbuild inspect: $ours s, best of three; peak $((peak / 1024)) MiB (goal 64)"
for program in igzip pigz libdeflate-gunzip; do
    echo "$program: $(least <"$work/$program.all") s with $cores at once, $(least <"$work/$program.one") s one by one"
done
echo "inspect takes $(echo "scale=2; $ours / $fastest" | bc) x the fastest (goal 1.3)"
