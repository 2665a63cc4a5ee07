#!/bin/bash
# Choosing: `envbuild lock` against `uv pip compile` and `apt-get update` for the same input, cold and warm, in one
# run. Prints ratios. Needs the network and python3 (uv is installed into a scratch folder).
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../real/lib/common.sh"
need python3 apt-get bc
scratch
export TIMEFORMAT=%R
recipe=$work/bench.yaml
cp "$top/recipes/pytorch-2.6.0-cuda12.4-cudnn9-runtime.yaml" "$recipe"
python3 -m venv "$work/venv" && "$work/venv/bin/pip" -q install uv || fail "uv cannot be installed"
mkdir -p "$work/apt"
cat >"$work/apt.conf" <<END
Dir::State "$work/apt/state";
Dir::State::status "$work/apt/status";
Dir::Cache "$work/apt/cache";
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "-";
APT::Sandbox::User "root";
APT::Architecture "amd64";
Acquire::Languages "none";
END
for suite in "debian bookworm" "debian bookworm-updates" "debian-security bookworm-security"; do
    echo "deb [signed-by=$top/base-layers/debian-12.gpg] https://deb.debian.org/$suite main"
done >"$work/sources.list"
printf 'torch==2.6.0\npip\n' >"$work/requirements.in"

fresh_apt() {
    rm -rf "$work/apt"
    mkdir -p "$work/apt/state/lists/partial" "$work/apt/cache/archives/partial"
    : >"$work/apt/status"
}
apt_update() { APT_CONFIG=$work/apt.conf apt-get -qq update; }
uv_compile() {
    "$work/venv/bin/uv" -q pip compile --cache-dir "$work/uv" --generate-hashes --python-version 3.11 \
        --python-platform x86_64-manylinux_2_36 "$work/requirements.in" -o "$work/requirements.txt"
}
lock() { rm -f "$work/bench.lock" && "$envbuild" lock -q --store "$work/store" "$@" "$recipe"; }

# Seconds of one command; all three take turns, so that a busy minute meets all of them.
seconds() { { time "$@" >>"$work/log" 2>&1; } 2>&1 || fail "$*: $(tail -3 "$work/log")"; }
least() { sort -n | head -1; }

for turn in 1 2 3; do
    rm -rf "$work/uv" "$work/store"
    fresh_apt
    seconds uv_compile >>"$work/uv.cold"
    seconds apt_update >>"$work/apt.cold"
    seconds lock >>"$work/lock.cold"
    seconds uv_compile >>"$work/uv.warm"
    seconds apt_update >>"$work/apt.warm"
    seconds lock >>"$work/lock.warm"
    seconds lock --offline >>"$work/lock.offline"
    echo "turn $turn of 3" >&2
done
peak=$(rm -f "$work/bench.lock"; /usr/bin/time -f %M "$envbuild" lock -q --store "$work/store" "$recipe" 2>&1 >/dev/null | tail -1)

row() {
    rivals=$(echo "$(least <"$work/uv.$1") + $(least <"$work/apt.$1")" | bc)
    ours=$(least <"$work/lock.$1")
    printf '%-8s uv pip compile %s s + apt-get update %s s = %s s; envbuild lock %s s: %s x\n' "$1" \
        "$(least <"$work/uv.$1")" "$(least <"$work/apt.$1")" "$rivals" "$ours" "$(echo "scale=2; $ours / $rivals" | bc)"
}
row cold
row warm
printf 'offline  the same choice from the store alone: %s s (goal: 0.300); peak memory %s KiB (goal: 262144)\n' \
    "$(least <"$work/lock.offline")" "$peak"
ok "measured"
