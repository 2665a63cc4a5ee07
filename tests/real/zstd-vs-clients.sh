#!/bin/bash
# A small image with each `compression`, read by the programs that people pull images with: skopeo, umoci, podman, containerd, and
# Docker, which is said to refuse zstd before 23. With zstd:chunked podman pulls only the files that it lacks: the bytes are counted
# at a proxy in front of Debian's docker-registry, also where that answers one range at a time, or none.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need skopeo docker-registry zstd curl
[ "$(id -u)" = 0 ] || skip "$0 needs root"
scratch
cd "$work"
start_world

# Forty files of 1 MiB that nothing compresses, and a program.
mkdir data
for i in $(seq 40); do head -c 1048576 /dev/urandom >"data/$i"; done
cp "${BUSYBOX:-/usr/bin/busybox}" busybox
cp world/base.yaml world/base.gpg .

# NAME COMPRESSION
recipe() {
    cat >"$1.yaml" <<END
name: $1
pytorch: "2.6.0"
cuda: "12.4"
cudnn: "9"
base: ./base.yaml
indexes: [$index]
startup_check: "off"
compression: $2
files: [{from: busybox, to: /bin/busybox, mode: "0755"}, {from: data, to: /data}]
END
    "$envbuild" build -q --store store "$1.yaml" -o "oci:layout:$1" >/dev/null 2>err || fail "$1: $(cat err)"
}

recipe plain gzip
recipe single gzip,single
recipe zstd zstd
recipe chunked zstd:chunked
head -c 1048576 /dev/urandom >data/7
recipe next zstd:chunked
ok "built in all forms"

open_registry
mkfifo proxy_hold proxy_says
python3 "$top/tests/peers/counting_proxy.py" "${registry#*:}" <proxy_hold >proxy_says 2>proxy.log &
exec 8>proxy_hold
read -r port <proxy_says || fail "no proxy: $(cat proxy.log)"

# skopeo remembers what is the same unpacked, and would else push one form for another.
for name in plain single zstd chunked next; do
    skopeo copy -q --preserve-digests --insecure-policy --dest-tls-verify=false "oci:layout:$name" "docker://$registry/$name:1" 2>err ||
        fail "skopeo push $name: $(cat err)"
    skopeo inspect --tls-verify=false --raw "docker://$registry/$name:1" >raw 2>err || fail "skopeo inspect $name: $(cat err)"
    [ "sha256:$(sha256sum <raw | cut -d' ' -f1)" = "$(built_digest "$name.lock")" ] || fail "skopeo changed $name"
    rm -rf copy
    skopeo copy -q --insecure-policy --src-tls-verify=false "docker://$registry/$name:1" dir:copy 2>err ||
        fail "skopeo pull $name: $(cat err)"
done
ok "skopeo pushes and pulls all, each manifest as it is"

if command -v umoci >/dev/null; then
    for name in plain single zstd chunked; do
        rm -rf unpacked
        if umoci unpack --image "layout:$name" unpacked >err 2>&1; then
            cmp unpacked/rootfs/data/1 data/1 || fail "umoci unpacked something else of $name"
            ok "umoci unpacks $name"
        else
            case $name in
            zstd | chunked) echo "note: this umoci does not read zstd: $(tail -1 err)" ;;
            *) fail "umoci $name: $(cat err)" ;;
            esac
        fi
    done
else
    echo "skipped: umoci is not installed"
fi

# ---- podman ----

bytes() {
    curl -s "127.0.0.1:$port/bytes"
}

# With PARTIAL "true" or "false", an empty storage.
podman_begin() {
    podman system reset -f >/dev/null 2>&1 || true
    cat >storage.conf <<END
[storage]
driver = "overlay"
graphroot = "$work/podman/root"
runroot = "$work/podman/run"
[storage.options]
pull_options = {enable_partial_images = "$1", use_hard_links = "false", ostree_repos = ""}
END
}

podman_run() {
    podman --runtime runc run --rm --network=none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 \
        --entrypoint /bin/busybox "$@"
}

# MODE NAME: the image through the proxy; its files are right. Sets $got to the bytes.
pull() {
    curl -s "127.0.0.1:$port/mode/$1"
    bytes >/dev/null
    podman --log-level debug pull -q --tls-verify=false "127.0.0.1:$port/$2:1" >out 2>err || return 1
    got=$(bytes)
    podman_run "127.0.0.1:$port/$2:1" sha256sum /data/7 /data/8 >sums 2>run.err || fail "podman run: $(cat run.err)"
    sed 's|/data|data|' sums >local.sums
    if [ "$2" = next ]; then sha256sum -c --quiet local.sums; else sha256sum -c --quiet local.sums 2>/dev/null | grep -q 'data/7' || true; fi
}

if command -v podman >/dev/null && command -v runc >/dev/null; then
    cat >containers.conf <<'END'
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
END
    export CONTAINERS_STORAGE_CONF="$work/storage.conf" CONTAINERS_CONF="$work/containers.conf"
    for name in plain single zstd chunked; do
        podman_begin false
        pull all "$name" || fail "podman pull $name: $(grep -v level=debug err)"
        ok "podman pulls and runs $name, whole: $got bytes"
    done
    # Podman before 4.4 knows the annotations by another name; all else is as now.
    if ! grep -qa io.github.containers.zstd-chunked "$(command -v podman)"; then
        for name in chunked next; do
            rm -rf copy
            skopeo copy -q --insecure-policy "oci:layout:$name" dir:copy 2>err || fail "skopeo: $(cat err)"
            sed -i 's/io\.github\.containers\.zstd/io.containers.zstd/g' copy/manifest.json
            skopeo copy -q --preserve-digests --insecure-policy --dest-tls-verify=false dir:copy "docker://$registry/$name:1" 2>err ||
                fail "skopeo: $(cat err)"
        done
        echo "note: the annotations have the older name for this podman"
    fi
    podman_begin true
    if pull all chunked && grep -q 'Retrieved partial blob' err; then
        first=$got
        pull all next || fail "podman pull next: $(grep -v level=debug err)"
        [ "$got" -lt 4000000 ] || fail "podman pulled $got bytes for one file of 1 MiB"
        ok "podman pulls the files that it lacks: $first bytes at first, $got when one of 40 files changed"
        for mode in one none; do
            podman_begin true
            if pull "$mode" chunked && pull "$mode" next; then
                ok "podman pulls zstd:chunked where a registry answers ranges by \"$mode\": $got bytes the second time"
            else
                echo "note: this podman fails where a registry answers ranges by \"$mode\": $(grep -v level=debug err | tail -1)"
                podman_begin false
                pull "$mode" chunked || fail "podman, whole, ranges \"$mode\": $(grep -v level=debug err)"
                ok "without partial pulls it pulls the same image there"
            fi
        done
        podman_begin true
        pull one zstd || fail "podman pull zstd, ranges \"one\": $(grep -v level=debug err)"
        ok "zstd needs no ranges"
    else
        cp err "${KEEP:-/dev/null}"
        echo "skipped: this podman or its storage does no partial pulls: $(grep -i 'partial\|chunked' err | tail -2)"
    fi
    podman system reset -f >/dev/null 2>&1 || true
else
    echo "skipped: podman or runc is not installed"
fi

# ---- containerd ----

if start_containerd; then
    for name in plain single zstd chunked; do
        "$envbuild" build -q --store store "$name.yaml" -o "oci-archive:$name.tar" >/dev/null 2>err || fail "$(cat err)"
        ctr -a "$work/containerd.sock" image import --base-name "local/$name" "$name.tar" >out 2>&1 || fail "ctr import: $(cat out)"
        ref=$(ctr -a "$work/containerd.sock" image ls -q | grep "$name" | head -1)
        mkdir -p "mnt.$name"
        ctr -a "$work/containerd.sock" image mount "$ref" "$work/mnt.$name" >out 2>&1 || fail "ctr mount $name: $(cat out)"
        cmp "mnt.$name/data/9" data/9 || fail "containerd unpacked something else"
        ctr -a "$work/containerd.sock" image unmount "$work/mnt.$name" >/dev/null 2>&1 || umount "mnt.$name"
        ok "containerd imports and unpacks $name"
        rm "$name.tar"
    done
else
    echo "skipped: containerd is not installed"
fi

# ---- Docker ----

if start_docker; then
    major=$("$docker" version -f '{{.Server.Version}}' | cut -d. -f1)
    for name in plain single zstd chunked; do
        "$envbuild" build --store store "$name.yaml" -o "docker-archive:$name.tar" >/dev/null 2>err || fail "$(cat err)"
        loads=yes
        "$docker" load -q -i "$name.tar" >out 2>&1 || loads=no
        case $name in
        zstd | chunked)
            grep -q 'Docker before 23 cannot load layers of zstd' err || fail "$name: nobody is told"
            if [ "$major" -lt 23 ]; then want=no; else want=yes; fi ;;
        *) want=yes ;;
        esac
        [ "$loads" = "$want" ] || fail "docker $major loads $name: $loads: $(cat out)"
        ok "docker $major loads $name: $loads"
        # What has a layer of that diff_id reads no other form of it.
        "$docker" images -q | xargs -r "$docker" rmi -f >/dev/null
        rm "$name.tar"
    done
else
    echo "skipped: no Docker daemon can be started here"
fi
