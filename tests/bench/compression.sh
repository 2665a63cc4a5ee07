#!/bin/bash
# The 2.6.0 image with each `compression`: time and processor time of a build from a store that has the wheels, size, and what it
# takes to read the image back (skopeo copy to a folder, zstd or gzip to nowhere). FORMS names fewer of them. Needs the network for the first run and 20 GB.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../real/lib/common.sh"
need python3 skopeo zstd
scratch
cd "$work"
store=${XDG_CACHE_HOME:-$HOME/.cache}/envbuild
TIMEFORMAT='%R %U %S'

# "WALL PROCESSOR" of a command, seconds.
measure() {
    { time "$@" >>log 2>&1; } 2>times || fail "$*: $(tail -3 log)"
    awk '{printf "%.1f %.1f", $1, $2 + $3}' times
}

unpack_all() {
    local blob
    for blob in $(python3 -c 'import json, sys; print(*(l["digest"][7:] for l in json.load(open(sys.argv[1]))["built"]["layers"]))' x.lock); do
        case $1 in
        gzip*) gzip -dc "out/blobs/sha256/$blob" >/dev/null ;;
        *) zstd -dcq "out/blobs/sha256/$blob" >/dev/null ;;
        esac
    done
}

# The wheels and debs into the store, and the choice made once.
cp "$top/recipes/pytorch-2.6.0-cuda12.4-cudnn9-runtime.yaml" x.yaml
"$envbuild" build -q x.yaml -o oci:out >/dev/null 2>log || fail "build: $(tail -3 log)"
printf '%-14s %11s %8s %8s %8s %8s %8s %8s %8s %8s\n' compression MB build cpu again cpu copy cpu decode cpu
for how in ${FORMS:-gzip gzip,single zstd zstd:chunked}; do
    rm -rf out copy x.lock "$store/layers"
    { cat "$top/recipes/pytorch-2.6.0-cuda12.4-cudnn9-runtime.yaml"; echo "compression: $how"; } >x.yaml
    "$envbuild" lock -q x.yaml >/dev/null 2>log || fail "lock: $(tail -3 log)"
    build=$(measure "$envbuild" build -q --offline x.yaml -o oci:out:1)
    size=$(python3 -c 'import json; print(sum(l["size"] for l in json.load(open("x.lock"))["built"]["layers"]) // 1000000)')
    rm -rf out
    again=$(measure "$envbuild" build -q --offline --locked x.yaml -o oci:out:1)
    copy=$(measure skopeo copy -q --insecure-policy oci:out:1 dir:copy)
    rm -rf copy
    # shellcheck disable=SC2046,SC2086 # two words each
    printf '%-14s %11s %8s %8s %8s %8s %8s %8s %8s %8s\n' "$how" "$size" $build $again $copy $(measure unpack_all "$how")
done
ok "measured"
