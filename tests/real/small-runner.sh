#!/bin/sh
# The 2.6.0 image, about 3 GiB, goes into Debian's docker-registry from a runner that has 1 GiB free: its wheels are in the store,
# and no layer needs room. Then from one whose whole disk has 1 GiB, with an empty store and a cache in the registry: nothing is
# fetched and nothing sent; and with a package more, its layer alone. Needs root, for disks of that size.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need docker-registry python3
[ "$(id -u)" = 0 ] || skip "disks of a size need root"
scratch
cd "$work"
store=${XDG_CACHE_HOME:-$HOME/.cache}/envbuild
open_registry
image=docker://$registry/torch cache=docker://$registry/layers

# NAME: a disk of 1 GiB, with a home and a temporary folder on it.
disk() {
    mkdir "$1"
    mount -t tmpfs -o size=1g tmpfs "$1" 2>/dev/null || skip "no disk of a size can be mounted here"
    mkdir "$1/home" "$1/tmp"
}

# NAME COMMAND...: as on the runner that has this disk.
on() {
    runner=$1
    shift
    HOME=$work/$runner/home TMPDIR=$work/$runner/tmp XDG_CACHE_HOME=$work/$runner/home/.cache "$@" 2>err
}

# What `build --json` told in `out`: KEY of the image.
told() {
    python3 -c 'import json, sys; print(json.load(open("out"))[sys.argv[1]])' "$1"
}

mib() {
    df --output=used -k "$1" | awk 'END {print int($1 / 1024)}'
}

cp "$top/recipes/pytorch-2.6.0-cuda12.4-cudnn9-runtime.yaml" x.yaml
"$envbuild" lock -q x.yaml 2>err || fail "lock: $(tail -3 err)"
cp x.lock chosen.lock
"$envbuild" build -q x.yaml -o dir:made >out 2>err || fail "build: $(tail -3 err)" # its inputs are in the store now
rm -rf made
cp chosen.lock x.lock

# ---- its wheels are there, and 1 GiB besides ----

disk wheels
mkdir wheels/upper wheels/work seen
mount -t overlay overlay -o "lowerdir=$store,upperdir=$work/wheels/upper,workdir=$work/wheels/work" seen 2>/dev/null || skip "no overlay can be mounted here"
rm -rf seen/layers # what was made before is not known
status=0
on wheels "$envbuild" build -q --offline --store "$work/seen" x.yaml -o "oci:$work/wheels/images" >out || status=$?
[ "$status" = 7 ] && grep -q 'make room' err || fail "3 GiB of layers on 1 GiB: exit $status: $(cat err)"
rm -rf wheels/images
on wheels "$envbuild" build --json --store "$work/seen" x.yaml -o "$image:1" --cache "$cache" >out || fail "push: $(cat out)"
digest=$(told digest)
[ "$(told sent)" -gt 2500000000 ] || fail "no more than $(told sent) bytes were sent"
ok "$(told sent) bytes of layers are made and sent, with $(mib wheels) MiB of the disk taken in the end"

# ---- nothing is there, and 1 GiB is the disk ----

disk bare
on bare "$envbuild" build --json --locked x.yaml -o "docker://$registry/other:1" --cache "$cache" >out || fail "bare: $(cat out)"
[ "$(told digest)" = "$digest" ] || fail "another image: $(told digest)"
[ "$(told sent)" -lt 100000 ] && [ "$(mib bare)" -lt 10 ] || fail "$(told sent) bytes sent, $(mib bare) MiB fetched"
ok "a runner with an empty store publishes it: $(told sent) bytes sent, $(mib bare) MiB of the disk taken"
echo 'pip: [tqdm]' >>x.yaml # locked and built elsewhere, as a developer does
"$envbuild" lock -q x.yaml 2>err || fail "lock with tqdm: $(tail -3 err)"
"$envbuild" build -q x.yaml -o dir:made >out 2>err || fail "build with tqdm: $(tail -3 err)"
rm -rf made
on bare "$envbuild" build --json --locked x.yaml -o "$image:2" --cache "$cache" >out || fail "with tqdm: $(cat out)"
[ "$(told digest)" != "$digest" ] || fail "the same image with tqdm"
[ "$(told sent)" -lt 100000000 ] && [ "$(mib bare)" -lt 100 ] || fail "$(told sent) bytes sent, $(mib bare) MiB fetched for tqdm"
ok "and with a package more: $(told sent) bytes sent, $(mib bare) MiB of the disk taken"
