# Shared by the real-network tests: sourced, never run.
# SPDX-License-Identifier: Apache-2.0
set -eu
top=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
envbuild=${ENVBUILD:-$top/build/envbuild}
tools=${TOOLS:-$top/build/obj-cc/tools}
passed=0

fail() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

skip() {
    printf 'skipped: %s\n' "$*"
    exit 0
}

ok() {
    passed=$((passed + 1))
    printf 'ok: %s\n' "$*"
}

need() {
    for tool in "$@"; do
        command -v "$tool" >/dev/null || skip "$0 needs $tool, which is not installed"
    done
}

# Builds from source are sealed by bwrap, which wants user namespaces.
need_sealed() {
    need bwrap
    bwrap --unshare-all --unshare-user --uid 1000 --gid 1000 --ro-bind / / --proc /proc --dev /dev true 2>/dev/null ||
        skip "bwrap does not work here: $("$envbuild" doctor --offline | grep bwrap)"
}

# NAME MODULE@VERSION: a program in PATH, else made of the Go module proxy's sources and kept for the next time.
go_tool() {
    PATH=$PATH:${XDG_CACHE_HOME:-$HOME/.cache}/envbuild-tests/bin
    command -v "$1" >/dev/null && return 0
    if ! command -v go >/dev/null; then
        echo "skipped: neither $1 nor go, to build it, is installed"
        return 1
    fi
    GOBIN=${XDG_CACHE_HOME:-$HOME/.cache}/envbuild-tests/bin go install "$2" >&2 && return 0
    echo "skipped: go cannot build $2"
    return 1
}

# A scratch folder that goes when the test ends.
scratch() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/envbuild-test.XXXXXX")
    trap 'end' EXIT
    trap 'exit 130' INT TERM
}

end() {
    status=$?
    if [ -n "${room_pid:-}" ]; then # all that is in a room ends with it
        kill -KILL "$room_pid" 2>/dev/null || true
        wait "$room_pid" 2>/dev/null || true
    fi
    if [ -n "${dockerd_pid:-}" ]; then
        kill "$dockerd_pid" 2>/dev/null || true
        wait "$dockerd_pid" 2>/dev/null || true
    fi
    if [ -n "${registry_pid:-}" ]; then
        kill "$registry_pid" 2>/dev/null || true
        wait "$registry_pid" 2>/dev/null || true
    fi
    # What still runs may write into the folder while it is removed. Those that are no children of ours are not waited for.
    # shellcheck disable=SC2086 # a list of ids
    if [ -n "${own_pids:-}" ]; then
        kill $own_pids 2>/dev/null || true
        wait $own_pids 2>/dev/null || true
    fi
    # What a daemon left mounted would keep the folder.
    awk -v top="$work/" 'index($2, top) == 1 {print $2}' /proc/mounts | sort -r | xargs -r umount -l
    rm -rf "$work" 2>/dev/null || rm -rf "$work" || true
    [ "$status" = 0 ] && printf '%s: %s checks passed\n' "$(basename "$0")" "$passed"
    exit "$status"
}

# PID FILE TEXT: until the process has written the text into its log. Fails when it ends without.
until_said() {
    : >>"$2"
    timeout 600 tail -n +1 -f --pid="$1" "$2" 2>/dev/null | grep -q "$3"
}

# [PROGRAM]: Debian's docker-registry, or another that takes `serve FILE`. It keeps what it gets in $work/registry, and its log is
# $work/registry.log. Sets $registry, its host and port, and $registry_pid.
open_registry() {
    printf 'version: 0.1\nlog: {level: info}\nstorage: {filesystem: {rootdirectory: %s/registry}}\n' "$work" >"$work/registry.yaml"
    printf 'http: {addr: "127.0.0.1:0", secret: tests}\n' >>"$work/registry.yaml"
    OTEL_TRACES_EXPORTER=none "${1:-docker-registry}" serve "$work/registry.yaml" >"$work/registry.log" 2>&1 &
    registry_pid=$!
    until_said "$registry_pid" "$work/registry.log" 'listening on' || fail "no registry: $(cat "$work/registry.log")"
    registry=127.0.0.1:$(sed -n 's/.*listening on 127.0.0.1:\([0-9]*\).*/\1/p' "$work/registry.log" | head -1)
}

# A Debian archive and an index of tiny wheels (tests/peers/world.py) in the folder `world` here. Sets $index.
start_world() {
    mkdir world
    mkfifo hold says
    python3 "$top/tests/peers/world.py" world <hold >says 2>world.log &
    exec 7>hold # the world ends with this script
    read -r port <says || fail "no world: $(cat world.log)"
    index=http://127.0.0.1:$port/simple/
}

# Debian's Docker with a daemon of our own. Sets DOCKER_HOST and $docker. What earlier scripts of a run loaded is there.
start_docker() {
    [ "$(id -u)" = 0 ] || return 1
    command -v dockerd >/dev/null || return 1
    docker=/usr/bin/docker
    [ -x "$docker" ] || docker=docker
    mkdir -p "$work/docker"
    # Own process id kept, so that only this daemon is ever ended.
    dockerd --iptables=false --bridge=none --data-root "${DOCKER_DATA:-$work/docker/data}" \
        --exec-root "$work/docker/exec" -p "$work/docker/pid" \
        -H "unix://$work/docker/sock" >"$work/docker/log" 2>&1 &
    dockerd_pid=$!
    export DOCKER_HOST="unix://$work/docker/sock"
    if until_said "$dockerd_pid" "$work/docker/log" 'API listen on' && "$docker" version >/dev/null 2>&1; then
        return 0
    fi
    tail -5 "$work/docker/log" >&2
    return 1
}

# Run in a container with the host's network, name resolution and certificates.
in_container() {
    "$docker" run --rm --network host \
        -v /etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt:ro \
        -e PIP_CERT=/etc/ssl/certs/ca-certificates.crt "$@"
}

# LOCK: the digest of the image that it built.
built_digest() {
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["built"]["manifest"])' "$1"
}

# LAYOUT: the digest of the image that was put there last.
last_digest() {
    python3 -c 'import json, sys; print([m["digest"] for m in json.load(open(sys.argv[1] + "/index.json"))["manifests"] if "artifactType" not in m][-1])' "$1"
}

# One of our own, that answers at $work/containerd.sock; false: it is not installed, or this is not root.
start_containerd() {
    command -v containerd >/dev/null && command -v ctr >/dev/null && [ "$(id -u)" = 0 ] || return 1
    cat >"$work/containerd.toml" <<END
version = 2
root = "$work/containerd/root"
state = "$work/containerd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$work/containerd.sock"
END
    containerd -c "$work/containerd.toml" >"$work/containerd.log" 2>&1 &
    own_pids="${own_pids:-} $!"
    until_said "$!" "$work/containerd.log" 'containerd successfully booted' || fail "no containerd: $(tail -3 "$work/containerd.log")"
}

# LAYOUT TAG FOLDER: the image's root, by its layers one on top of the other. Ours have no whiteouts.
unpack_image() {
    local inflate=gzip
    ! command -v igzip >/dev/null || inflate=igzip
    mkdir -p "$3"
    python3 - "$1" "$2" <<'X' >"$work/blobs"
import json, sys
layout, tag = sys.argv[1:]
blob = lambda d: layout + "/blobs/sha256/" + d.split(":")[1]
index = json.load(open(layout + "/index.json"))["manifests"]
m = [m for m in index if m["annotations"]["org.opencontainers.image.ref.name"] in (tag, "pytorch:" + tag)][0]
for layer in json.load(open(blob(m["digest"])))["layers"]:
    print(blob(layer["digest"]))
X
    while read -r blob; do
        "$inflate" -dc "$blob" | tar -x --numeric-owner -p -C "$3" || return 1
    done <"$work/blobs"
}

# FOLDER COMMAND...: run in that root, with /p in it and the image's usual environment; root's, in name
# spaces of its own, so that nothing of it stays mounted.
in_root() {
    local root=$1
    shift
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    cp /etc/ssl/certs/ca-certificates.crt "$root/tmp/ca.crt"
    env -i $(proxy_env) PATH=/opt/venv/bin:/usr/local/nvidia/bin:/usr/local/cuda/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        HOME=/root LANG=C.UTF-8 VIRTUAL_ENV=/opt/venv CUDA_HOME=/usr/local/cuda PIP_CERT=/tmp/ca.crt SSL_CERT_FILE=/tmp/ca.crt \
        LIBRARY_PATH=/usr/local/cuda/lib64:/usr/local/cuda/lib64/stubs MAX_JOBS=2 DEBIAN_FRONTEND=noninteractive \
        unshare --mount --pid --fork --kill-child sh -c '
            root=$0
            mount --make-rprivate / && mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" && exec chroot "$root" "$@"' \
        "$root" "$@"
}

proxy_env() {
    env | grep -iE '^(https?_proxy|no_proxy)=' || true
}
