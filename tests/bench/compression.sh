#!/bin/bash
# The 2.6.0 image with each `compression`: time and processor time of a build from a store that has the wheels, size, and what it
# takes to read the image back: skopeo copy to a folder, zstd or gzip to nowhere, and a pull by podman into an empty storage from
# Debian's docker-registry on loopback. FORMS names fewer of them. Needs the network for the first run and 20 GB.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../real/lib/common.sh"
need python3 skopeo zstd docker-registry podman runc
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

open_registry
printf '[storage]\ndriver = "overlay"\ngraphroot = "%s/podman/root"\nrunroot = "%s/podman/run"\n' "$work" "$work" >storage.conf
printf '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n' >containers.conf
export CONTAINERS_STORAGE_CONF="$work/storage.conf" CONTAINERS_CONF="$work/containers.conf"

# The wheels and debs into the store, and the choice made once.
cp "$top/recipes/pytorch-2.6.0-cuda12.4-cudnn9-runtime.yaml" x.yaml
"$envbuild" build -q x.yaml -o oci:out >/dev/null 2>log || fail "build: $(tail -3 log)"
printf '%-14s %11s %8s %8s %8s %8s %8s %8s %8s %8s %8s %8s\n' compression MB build cpu again cpu copy cpu \
    decode cpu pull cpu
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
    decode=$(measure unpack_all "$how")
    "$envbuild" copy -q oci:out:1 "docker://$registry/x:1" >/dev/null 2>log || fail "push: $(tail -3 log)"
    podman system reset -f >/dev/null 2>&1 || true
    pull=$(measure podman pull -q --tls-verify=false "$registry/x:1")
    # shellcheck disable=SC2086 # two words each
    printf '%-14s %11s %8s %8s %8s %8s %8s %8s %8s %8s %8s %8s\n' "$how" "$size" $build $again $copy $decode $pull
done
podman system reset -f >/dev/null 2>&1 || true
ok "measured"
