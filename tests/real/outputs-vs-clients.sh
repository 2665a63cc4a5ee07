#!/bin/sh
# A small image in every form that builder/oci and builder/out write, read by the programs that people
# read images with: skopeo, umoci, podman, docker; and what these write of it, read by `envbuild inspect`. Those that
# are missing are named as skipped.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
scratch
mini=$tools/mini_image
busybox=${BUSYBOX:-/usr/bin/busybox}
[ -x "$mini" ] || fail "no mini_image; `make tools` builds it"
[ -x "$busybox" ] || skip "$0 needs a static busybox (Debian: busybox-static)"
cd "$work"
hello='hello from a small image'

# IMAGE [DIGEST]: we read it, as an image of that digest.
reads() {
    "$envbuild" inspect -q --json --store "$work/store" "$1" >seen 2>err || fail "inspect $1: $(cat err)"
    grep -q "\"digest\": *\"${2:-}" seen || [ -z "${2:-}" ] || fail "inspect $1 sees another digest than $2"
    [ -z "$(ls store/scratch)" ] || fail "inspect $1 leaves a scratch file"
    ok "we read $1"
}

"$mini" oci:layout "$busybox" 2>/dev/null || fail "oci:"
"$mini" oci:layout:second "$busybox" 2>/dev/null || fail "oci: with a tag"
"$mini" oci-archive:oci.tar "$busybox" 2>/dev/null || fail "oci-archive:"
"$mini" docker-archive:docker.tar "$busybox" 2>/dev/null || fail "docker-archive:"
"$mini" - "$busybox" 2>/dev/null >stream.tar || fail "-"
cmp -s docker.tar stream.tar || fail "a stream differs from a file"
ok "written in all forms; a stream is the file's bytes"

if command -v skopeo >/dev/null; then
    for from in oci:layout:mini:1.0 oci:layout:second oci-archive:oci.tar docker-archive:docker.tar; do
        skopeo inspect "$from" >inspect 2>&1 || fail "skopeo inspect $from: $(cat inspect)"
        grep -q '"io.envbuild.test": "yes"' inspect || fail "skopeo sees no label in $from"
        rm -rf copy
        skopeo copy -q --insecure-policy "$from" dir:copy 2>err || fail "skopeo copy $from: $(cat err)"
        ok "skopeo reads $from"
    done
    for to in oci:named:team/mini:3 oci-archive:named.tar:mini:3 oci-archive:named.tar:third docker-archive:named.docker:other/mini:3; do
        "$mini" "$to" "$busybox" 2>line || fail "$to: $(cat line)"
        skopeo copy -q --insecure-policy "$(cat line)" dir:copy 2>err || fail "skopeo copy $(cat line): $(cat err)"
        reads "$(cat line)"
    done
    "$mini" oci-archive:named.tar:third "$busybox" 2>/dev/null && skopeo inspect oci-archive:named.tar:third >/dev/null ||
        fail "oci-archive:FILE:TAG is not what it is to skopeo"
    skopeo copy -q --insecure-policy oci:layout:second dir:copy 2>err || fail "skopeo copy: $(cat err)"
    ok "skopeo takes the line that is printed"
    reads dir:copy "$(skopeo manifest-digest copy/manifest.json)"
    reads copy
    skopeo copy -q --insecure-policy oci:layout:mini:1.0 oci:layout:third 2>err || fail "skopeo into ours"
    "$mini" oci:layout:second "$busybox" 2>err || fail "after skopeo wrote: $(cat err)"
    skopeo inspect oci:layout:third >/dev/null 2>err || fail "its tag is lost: $(cat err)"
    ok "skopeo and we write into one layout"
else
    echo "skipped: skopeo is not installed"
fi

if command -v umoci >/dev/null && [ "$(id -u)" = 0 ]; then
    umoci unpack --image layout:second unpacked >err 2>&1 || fail "umoci: $(cat err)"
    [ "$(cat unpacked/rootfs/etc/hello)" = "$hello" ] || fail "umoci unpacked something else"
    umoci list --layout layout | grep -qx second || fail "umoci lists no tag"
    ok "umoci unpacks"
else
    echo "skipped: umoci is not installed, or this is not root"
fi

# crun wants cgroup v2 alone, so runc; limits below those of this shell, which root in a plain
# machine may not raise.
podman_run() {
    podman --runtime runc run --rm --network=none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "$@"
}

if command -v podman >/dev/null && command -v runc >/dev/null && [ "$(id -u)" = 0 ]; then
    cat >storage.conf <<END
[storage]
driver = "vfs"
graphroot = "$work/podman/root"
runroot = "$work/podman/run"
END
    cat >containers.conf <<END
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
END
    export CONTAINERS_STORAGE_CONF="$work/storage.conf" CONTAINERS_CONF="$work/containers.conf"
    for file in docker.tar oci.tar; do
        podman load -q -i "$file" >out 2>err || fail "podman load $file: $(cat err)"
        grep -q 'docker.io/library/mini:1.0' out || fail "podman calls $file $(cat out)"
        [ "$(podman_run mini:1.0 2>err)" = "$hello" ] || fail "podman run: $(cat err)"
        podman rmi -f mini:1.0 >/dev/null 2>&1 || fail "podman rmi"
        ok "podman loads and runs $file"
    done
    "$mini" podman:loaded/mini:2.0 "$busybox" 2>err || fail "podman: $(cat err)"
    [ "$(podman_run loaded/mini:2.0 2>err)" = "$hello" ] || fail "podman run: $(cat err)"
    for to in podman:line/mini:3 oci:layout oci-archive:line.tar:mini:4 docker-archive:line.docker; do
        "$mini" "$to" "$busybox" 2>line || fail "$to"
        [ "$(podman_run "$(cat line)" 2>err)" = "$hello" ] || fail "podman run $(cat line): $(cat err)"
        ok "podman run takes $(cat line)"
    done
    ok "podman: loads"
    reads podman:loaded/mini:2.0
    podman save -q loaded/mini:2.0 2>err | xz -0 >podman.tar.xz || fail "podman save: $(cat err)"
    reads podman.tar.xz
    podman rmi -af >/dev/null 2>&1 || fail "podman rmi"
else
    echo "skipped: podman or runc is not installed, or this is not root"
fi

if start_docker; then
    "$docker" load -q -i docker.tar >out 2>&1 || fail "docker load: $(cat out)"
    grep -q 'mini:1.0' out || fail "docker calls it $(cat out)"
    [ "$("$docker" run --rm mini:1.0 2>err)" = "$hello" ] || fail "docker run: $(cat err)"
    [ "$("$docker" run --rm mini:1.0 sh -c 'echo $GREETING in $PWD')" = "hello in /tmp" ] ||
        fail "environment or working folder is lost"
    ok "docker loads and runs docker-archive:"
    ln -s "$docker" docker
    PATH=$work:$PATH "$mini" docker:loaded/mini:2.0 "$busybox" 2>err || fail "docker: $(cat err)"
    [ "$("$docker" run --rm loaded/mini:2.0)" = "$hello" ] || fail "docker run of what was loaded"
    PATH=$work:$PATH "$mini" docker: "$busybox" 2>line || fail "docker: $(cat line)"
    [ "$("$docker" run --rm "$(cat line)")" = "$hello" ] || fail "docker run $(cat line)"
    PATH=$work:$PATH "$envbuild" emit compose --store "$work/store" --gpus 0 "$(cat line)" >compose.yaml 2>err ||
        fail "emit compose $(cat line): $(cat err)"
    sed 's/^    image:/    network_mode: none\n&/' compose.yaml >offline.yaml # this daemon has no bridge
    if command -v docker-compose >/dev/null; then
        docker-compose -p mini -f offline.yaml up --no-color --abort-on-container-exit >out 2>&1 || fail "compose: $(cat out)"
        grep -q "$hello" out || fail "compose says $(cat out)"
        ok "docker-compose starts what emit says of a loaded image"
    fi
    ok "docker: loads"
    PATH=$work:$PATH reads docker:loaded/mini:2.0
    "$docker" save loaded/mini:2.0 | gzip >docker.tar.gz
    reads docker-archive:docker.tar.gz
    container=$("$docker" create loaded/mini:2.0)
    "$docker" export "$container" >exported.tar
    reads exported.tar
    "$docker" rm "$container" >/dev/null
    status=0
    DOCKER_HOST="unix://$work/nobody" PATH=$work:$PATH "$mini" docker: "$busybox" 2>err || status=$?
    [ "$status" = 7 ] || fail "docker: without a daemon exits $status"
    grep -q 'Cannot connect to the Docker daemon' err || fail "docker's own words are lost: $(cat err)"
    ok "docker: without a daemon says what docker says"
else
    echo "skipped: no Docker daemon can be started here"
fi
