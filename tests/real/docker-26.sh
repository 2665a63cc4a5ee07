#!/bin/bash
# Docker as people have it now: Debian 13's 26.1, in a root that envbuild builds, with its own store and with containerd's. Both
# load, run and hand on our images, gzip and zstd; in containerd's store the manifest keeps its digest through a load. Updates come
# to either store by get.sh, and as a delta.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need umoci docker docker-registry curl unshare pivot_root
[ "$(id -u)" = 0 ] || skip "$0 needs root"
scratch
cd "$work"
printf 'name: docker\ntag: "26"\npytorch: none\nbase: debian-13\napt: [docker.io, containerd, runc, iptables, mount, ca-certificates]\n' >docker.yaml
"$envbuild" build -q docker.yaml -o oci:docker:26 >/dev/null || fail "no root for Docker"
umoci unpack --image docker:26 unpacked >/dev/null 2>log || fail "umoci: $(tail -3 log)"
root=$work/unpacked/rootfs
printf 'name: small\npytorch: none\npip: [numpy]\n' >one.yaml
printf 'name: small\npytorch: none\npip: [numpy, seaborn]\n' >two.yaml
tag=small:python3.11-runtime
for name in one two; do
    "$envbuild" build -q "$name.yaml" -o "oci:$name" >/dev/null || fail "build $name"
done
"$envbuild" delta -q oci:one oci:two -o one.delta >/dev/null || fail "delta"
open_registry
for form in gzip zstd zstd:chunked; do
    "$envbuild" build -q one.yaml -o "docker://$registry/${form/:/-}:1,compression=$form" >/dev/null || fail "push $form"
done
ok "images of two recipes, one of them pushed in three forms"

# NAME JSON: a daemon with this configuration, whose root is the unpacked one, in mounts of its own. Sets $daemon.
daemon() {
    mkdir -p "$1/data" "$1/sock"
    cat >"$1/begin.sh" <<END
set -e
mount --make-rprivate /
mount --bind $root $root
for own in proc sys dev; do mount --rbind /\$own $root/\$own; done
mount -t tmpfs tmpfs $root/run
mount -t tmpfs tmpfs $root/tmp
mkdir -p $root/var/lib/docker $root/run/sock
mount --bind $work/$1/data $root/var/lib/docker
mount --bind $work/$1/sock $root/run/sock
printf '%s' '$2' >$root/tmp/daemon.json
cd $root
pivot_root . mnt
umount -l /mnt
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin dockerd --config-file /tmp/daemon.json --iptables=false --ip6tables=false \
    --bridge=none -H unix:///run/sock/docker -p /run/sock/pid
END
    unshare -m sh "$1/begin.sh" >"$1/log" 2>&1 &
    daemon=$!
    own_pids="${own_pids:-} $daemon"
    export DOCKER_HOST="unix://$work/$1/sock/docker"
    until_said "$daemon" "$1/log" 'API listen on' || fail "dockerd: $(tail -5 "$1/log")"
}

runs() {
    docker run --rm --network none "$@" >out 2>err || fail "docker run $*: $(tail -3 err)"
}

# LAYOUT OPTION...: what the script of `serve` loads. Sets $mib to what `serve` counted.
get() {
    local layout=$1
    shift
    "$envbuild" serve "oci:$layout" --listen 127.0.0.1:0 >said 2>served &
    local server=$!
    own_pids="$own_pids $server"
    until_said "$server" said small || fail "serve: $(cat served)"
    curl -fsS "http://$(sed 's,/.*,,; q' said)/get.sh" >get.sh
    sh get.sh "$@" >out 2>err || fail "get.sh: $(cat err)"
    kill -INT "$server"
    wait "$server" || true
    mib=$(sed -n 's/.* fetched \([0-9]*\).* MiB in .*/\1/p' served)
}

for store in own containerd; do
    case $store in
    own) daemon own '{}' ;;
    *) daemon containerd '{"features": {"containerd-snapshotter": true}}' ;;
    esac
    case $store$(docker info --format '{{.DriverStatus}}' 2>err) in
    own*io.containerd.snapshotter*) fail "this is containerd's store" ;;
    containerd*io.containerd.snapshotter* | own*) ;;
    *) fail "this is not containerd's store" ;;
    esac
    "$envbuild" build -q one.yaml -o docker: >/dev/null || fail "$store: -o docker:"
    runs "$tag" python -c 'import numpy'
    docker tag "$tag" "$registry/again:$store"
    docker push -q "$registry/again:$store" >/dev/null 2>err || fail "$store: push of what was loaded: $(cat err)"
    docker image rm -f "$tag" "$registry/again:$store" >/dev/null
    docker pull -q "$registry/again:$store" >/dev/null 2>err || fail "$store: pull of what was pushed: $(cat err)"
    runs "$registry/again:$store" python -c 'import numpy'
    if [ "$store" = containerd ]; then
        "$envbuild" copy -q "docker://$registry/again:$store" oci:back >/dev/null || fail "copy back"
        [ "$(last_digest back)" = "$(built_digest one.lock)" ] || fail "load and push changed the manifest"
    fi
    ok "$store: loaded, run, pushed, pulled, run"
    docker image rm -f "$registry/again:$store" >/dev/null
    for form in gzip zstd zstd-chunked; do
        docker pull -q "$registry/$form:1" >/dev/null 2>err || fail "$store: pull $form: $(cat err)"
        runs "$registry/$form:1" python -c 'import numpy'
        docker image rm -f "$registry/$form:1" >/dev/null
    done
    ok "$store: gzip, zstd and zstd:chunked are pulled and run"
    get one
    whole=$mib
    get two --have
    runs "$tag" python -c 'import seaborn'
    ok "$store: get.sh loads $whole MiB, and $mib MiB with --have for what three layers have more"
    docker image rm -f "$tag" >/dev/null
    get one
    "$envbuild" apply one.delta docker: >/dev/null 2>err || fail "$store: apply: $(cat err)"
    runs "$tag" python -c 'import seaborn'
    config=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["built"]["config"])' two.lock)
    case $(docker image inspect --format '{{.Id}}' "$tag") in
    "$config" | "$(built_digest two.lock)") ok "$store: the delta, $(wc -c <one.delta) bytes, makes the same image: $(tail -1 err)" ;;
    *) fail "$store: the delta made another image" ;;
    esac
    kill "$daemon"
    wait "$daemon" || true
done
