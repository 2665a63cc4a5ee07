#!/bin/bash
# envbuild against the floor and its rivals: the same inputs, in one run, on this machine. Prints ratios.
# Needs the network for the first run, root for Docker, and about 40 GB of disk; takes about ten minutes.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../real/lib/common.sh"
need python3 mmdebstrap docker-registry
scratch
export TIMEFORMAT=%R
recipe=$work/bench.yaml
cp "$top/recipes/pytorch-2.6.0-cuda12.4-cudnn9-runtime.yaml" "$recipe"
store=${XDG_CACHE_HOME:-$HOME/.cache}/envbuild

# Seconds of a command, the best of three; what it prints goes to a log.
seconds() {
    local best=
    for _ in 1 2 3; do
        [ -z "${before:-}" ] || eval "$before"
        local t
        t=$({ time "$@" >>"$work/log" 2>&1; } 2>&1) || fail "$*: $(tail -3 "$work/log")"
        if [ -z "$best" ] || [ "$(echo "$t < $best" | bc)" = 1 ]; then best=$t; fi
    done
    echo "$best"
}

once() {
    { time "$@" >>"$work/log" 2>&1; } 2>&1 || fail "$*: $(tail -3 "$work/log")"
}

ratio() {
    printf '%-62s %8s s  %6s x\n' "$1" "$2" "$(echo "scale=2; $2 / $3" | bc)"
}

peak() { # VmHWM in KiB, of one run
    /usr/bin/time -f %M "$@" 2>&1 >/dev/null | tail -1
}

echo "inputs: locking and fetching" >&2
rm -f "$work/bench.lock"
lock_s=$(once "$envbuild" lock -q "$recipe")
cp "$work/bench.lock" "$work/chosen.lock"
"$envbuild" build -q "$recipe" -o "oci:$work/warm:1" >/dev/null || fail build
mkdir "$work/files" "$work/scratch"
python3 - "$work/bench.lock" "$store" "$work/files" <<'END'
import json, os, sys
lock, store, out = sys.argv[1:]
for a in json.load(open(lock))["artifacts"]:
    os.symlink(f"{store}/blobs/sha256/{a['sha256'][7:]}", f"{out}/{a['file']}")
END
cat "$work"/files/* >/dev/null # all in the page cache, for everybody

echo "the floor, envbuild cold, envbuild warm" >&2
floor=$(seconds "$tools/floor" "$(nproc)" "$work/scratch" "$work"/files/*)
before='rm -rf "$work/cold" "$store/layers"; cp "$work/chosen.lock" "$work/bench.lock"'
cold=$(seconds "$envbuild" build -q --offline "$recipe" -o "oci:$work/cold")
before='rm -rf "$work/cold" "$store/layers"'
pinned=$(seconds "$envbuild" build -q --locked --offline "$recipe" -o "oci:$work/cold")
before='rm -rf "$work/cold"'
joined=$(seconds "$envbuild" build -q --locked --offline "$recipe" -o "oci:$work/cold")
before=
same=$(seconds "$envbuild" build -q --locked --offline "$recipe" -o "oci:$work/cold")
rm -rf "$work/cold" "$store/layers"
build_peak=$(peak "$envbuild" build -q --locked --offline "$recipe" -o "oci:$work/cold")
rm -f "$work/bench.lock"
lock_peak=$(peak "$envbuild" lock -q "$recipe")

echo "envbuild to a registry" >&2
open_registry
before='rm -rf "$work/registry" "$store/layers"; cp "$work/chosen.lock" "$work/bench.lock"'
sent=$(seconds "$envbuild" build -q "$recipe" -o "docker://$registry/own:1")
rm -rf "$work/registry"

echo "docker build from the same wheels and base tree, and its push" >&2
docker_s= push_s=
if start_docker; then
    mkdir "$work/context"
    cp -L "$work"/files/*.whl "$work/context/"
    umoci unpack --image "$work/warm:1" "$work/tree" >>"$work/log" 2>&1
    rm -rf "$work/tree/rootfs/opt/venv"
    tar -C "$work/tree/rootfs" -c . | "$docker" import - base:1 >>"$work/log"
    rm -rf "$work/tree"
    cat >"$work/context/Dockerfile" <<'END'
FROM base:1
COPY *.whl /wheels/
RUN python3.11 -m venv --without-pip /opt/venv && \
    /opt/venv/bin/python "$(echo /wheels/pip-*.whl)/pip" install -q --no-compile --no-index --find-links /wheels torch pip && \
    rm -rf /wheels
END
    docker_s=$(DOCKER_BUILDKIT=0 once "$docker" build --network host -t "$registry/bench:1" "$work/context")
    push_s=$(once "$docker" push "$registry/bench:1")
else
    echo "skipped: docker build and push need root and a Docker daemon that starts"
fi

printf '\n%s, %s cores, %s\n' "$(uname -m)" "$(nproc)" "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)"
printf '%-62s %10s  %8s\n' "2.6.0 runtime image, inputs in the store" "" "to cold"
ratio "floor: the same bytes read, hashed, inflated, written" "$floor" "$cold"
ratio "envbuild, cold assembly (nothing known but the inputs)" "$cold" "$cold"
ratio "envbuild, digests in the lock" "$pinned" "$cold"
ratio "envbuild, layers remembered, new output folder" "$joined" "$cold"
ratio "envbuild, nothing changed" "$same" "$cold"
ratio "envbuild, cold, into a loopback registry" "$sent" "$cold"
[ -z "$docker_s" ] || ratio "docker build, same wheels and base tree" "$docker_s" "$cold"
[ -z "$push_s" ] || ratio "docker build and push to a loopback registry" "$(echo "$docker_s + $push_s" | bc)" "$cold"
[ -z "$push_s" ] || printf 'docker build and push take %s x as long as envbuild into a registry (goal: at least 12)\n' \
    "$(echo "scale=2; ($docker_s + $push_s) / $sent" | bc)"
printf '%-62s %8s s\n' "lock, from the network" "$lock_s"
printf 'cold assembly is %s x the floor (goal: at most 1.5)\n' "$(echo "scale=2; $cold / $floor" | bc)"
printf 'peak memory: build --locked %s KiB (goal: 65536), lock %s KiB (goal: 262144)\n' "$build_peak" "$lock_peak"
ok "measured"
