# A room of machines: the script that calls enter_room goes on in name spaces of its own for network, mounts and processes, which
# end with it whatever happens, so that no interface, mount or daemon is left. Sourced after common.sh, never run.
# SPDX-License-Identifier: Apache-2.0

enter_room() {
    if [ -n "${ROOM:-}" ]; then
        work=$ROOM
        trap 'echo "$passed" >"$ROOM/passed"' EXIT
        trap 'exit 130' INT TERM
        mount -t tmpfs -o mode=755 tmpfs /run
        mkdir /run/netns /run/lock
        ip link set lo up
        ip link add room type bridge
        ip link set room up
        return 0
    fi
    need ip tc unshare nsenter
    [ "$(id -u)" = 0 ] && unshare --net --mount --pid --fork ip link add room type bridge 2>/dev/null ||
        skip "$0 needs root, and name spaces with bridges, which cannot be had here"
    scratch
    ROOM=$work unshare --net --mount --pid --fork --kill-child --mount-proc bash "$0" "$@" &
    room_pid=$!
    status=0
    wait "$room_pid" || status=$?
    [ ! -e "$work/passed" ] || passed=$(cat "$work/passed")
    exit "$status"
}

# NAME ADDRESS[/LENGTH]: a machine on the room's bridge.
machine() {
    ip netns add "$1"
    ip link add "to-$1" type veth peer name eth0 netns "$1"
    ip link set "to-$1" master room up
    at "$1" ip link set lo up
    at "$1" ip link set eth0 up
    at "$1" ip addr add "$2" dev eth0
}

# NAME COMMAND...: run with that machine's network.
at() {
    nsenter "--net=/run/netns/$1" "${@:2}"
}

# NAME RATE: of what goes to it.
slow_down() {
    tc qdisc add dev "to-$1" root tbf rate "$2" burst 64kb latency 200ms
}

hurry() {
    tc qdisc del dev "to-$1" root
}

# BYTES: `serve` of a course with that much of data, at all addresses; called from the room's scratch folder. Sets $server, $host and
# $name, by which the room names it, $digest, and $config, without "sha256:". Its Debian has no shell, without which Apptainer takes
# no image, so it gets busybox's where there is one.
serve_course() {
    start_world
    cp world/base.yaml world/base.gpg .
    head -c "$1" /dev/urandom >data.bin
    shell=
    if command -v busybox >/dev/null; then
        cp "$(command -v busybox)" sh
        chmod 755 sh
        shell=', {from: sh, to: /usr/bin/sh}'
    fi
    printf 'pytorch: "2.6.0"\ncuda: "12.4"\nbase: ./base.yaml\nindexes: [%s]\nname: course/torch-101\ntag: lesson-1\nfiles: [{from: data.bin, to: /data/data.bin}%s]\nlabels: {org.opencontainers.image.title: Deep learning 101}\n' \
        "$index" "$shell" >recipe.yaml
    "$envbuild" serve recipe.yaml >said 2>err &
    server=$!
    until_said "$server" said course || fail "serve: $(cat err)"
    host=$(sed 's,/.*,,; q' said)
    name=$(sed 's,[^/]*/,,; q' said)
    digest=$(built_digest recipe.lock)
    config=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["built"]["config"][7:])' recipe.lock)
    ok "serve $name at $host, $digest"
}

# FOLDER: a podman of its own, as the variable CONTAINERS_STORAGE_CONF has it.
storage_of() {
    mkdir -p "$1"
    printf '[storage]\ndriver = "vfs"\ngraphroot = "%s/podman"\nrunroot = "%s/podman-run"\n' "$work/$1" "$work/$1" >"$1/storage.conf"
    echo "$work/$1/storage.conf"
}
