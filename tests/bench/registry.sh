#!/bin/bash
# The 2.6.0 image into Debian's docker-registry on loopback: built and pushed at once, against the two steps one after the other,
# a build to a layout and `crane push` of it: with a core that the registry has alone, and without; then once more with nothing
# changed, from a store that has nothing. Wheels and debs are in the store. ROUNDS (3) pairs, the best of each. REGISTRY names
# another registry program that takes `serve FILE`: Debian's, made by Go 1.19, hashes without the processor's instructions for it,
# which is two thirds of its time. Needs the network for the first run and 12 GB.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../real/lib/common.sh"
program=${REGISTRY:-docker-registry}
need python3 "$program" bc taskset
go_tool crane github.com/google/go-containerregistry/cmd/crane@v0.20.3 || exit 0
scratch
cd "$work"
export TIMEFORMAT=%R
store=${XDG_CACHE_HOME:-$HOME/.cache}/envbuild
open_registry "$program"

cp "$top/recipes/pytorch-2.6.0-cuda12.4-cudnn9-runtime.yaml" x.yaml
"$envbuild" lock -q x.yaml >/dev/null 2>log || fail "lock: $(tail -3 log)"
cp x.lock chosen.lock
"$envbuild" build -q x.yaml -o oci:layout >/dev/null 2>log || fail "build: $(tail -3 log)"

once() {
    { time "$@" >out 2>log; } 2>&1 || fail "$*: $(tail -3 log)"
}

# NAME SECONDS: keep the smallest.
best() {
    local -n kept=$1
    if [ -z "${kept:-}" ] || [ "$(echo "$2 < $kept" | bc)" = 1 ]; then kept=$2; fi
}

# Nothing known but the inputs, and an empty registry.
forget() {
    rm -rf layout "$store/layers" registry/docker
    cp chosen.lock x.lock
}

# The cold pair and its two halves: the ratio of the best of ROUNDS. What runs the clients is before them: nothing, or taskset.
cold() {
    build_s='' push_s='' both_s=''
    local round
    for round in $(seq "${ROUNDS:-3}"); do
        forget
        best both_s "$(once "$@" "$envbuild" build -q x.yaml -o "docker://$registry/x:1")"
        digest=$(sed 's/.*@//' out)
        forget
        best build_s "$(once "$@" "$envbuild" build -q x.yaml -o oci:layout:1)"
        rm -rf alone # crane takes no layout that has the lock, too
        "$envbuild" copy -q oci:layout:1 oci:alone:1 >/dev/null 2>err || fail "copy: $(cat err)"
        best push_s "$(once "$@" crane push alone "$registry/crane:1")"
        [ "$(crane digest "$registry/crane:1")" = "$digest" ] || fail "crane pushed another image"
        echo "round $round: build and push $both_s, build $build_s, crane push $push_s" >&2
    done
    longer=$(echo "if ($build_s > $push_s) $build_s else $push_s" | bc)
    printf '%-58s %8s s\n' "build to a layout" "$build_s" "crane push of that layout" "$push_s" "build and push at once, cold" "$both_s"
    printf 'build and push at once is %s x the longer of the two (goal: at most 1.15)\n\n' "$(echo "scale=2; $both_s / $longer" | bc)"
}

printf '\n%s, %s cores, %s; %s\n' "$(uname -m)" "$(nproc)" "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)" "$("$program" --version)"
last=$(($(nproc) - 1))
if [ "$last" -gt 0 ]; then
    echo "The registry has a core of its own, as if it were another machine:"
    taskset -apc "$last" "$registry_pid" >/dev/null
    cold taskset -c "0-$((last - 1))"
    taskset -apc "0-$last" "$registry_pid" >/dev/null
fi
echo "The registry shares the cores:"
cold

forget
"$envbuild" build -q x.yaml -o "docker://$registry/x:1" >/dev/null 2>log || fail "build: $(tail -3 log)"
same_s='' bare_s=''
for round in $(seq "${ROUNDS:-3}"); do
    best same_s "$(once "$envbuild" build -q x.yaml -o "docker://$registry/x:1")"
    rm -rf bare
    best bare_s "$(once "$envbuild" build -q --store bare x.yaml -o "docker://$registry/x:1")"
done
printf '%-58s %8s s\n' "nothing changed" "$same_s" "... from a store that has nothing" "$bare_s"
forget
peak=$(/usr/bin/time -f %M "$envbuild" build -q x.yaml -o "docker://$registry/x:1" 2>&1 >/dev/null | tail -1)
printf 'peak memory: %s KiB (goal: 65536)\n' "$peak"
ok "measured"
