#!/bin/sh
# A recipe on somebody's own image: (a) Debian 13 with the python3 of apt, (b) the same with that Python
# deleted by a later layer and another one under /usr/local. PyTorch must run in both, the image's own
# layers must come out byte for byte, and a second build must give the same digest.
# ONLY=apt or ONLY=local runs one of both, and ALL=1 both; (a) alone unless told.
# BASE_IMAGE_ROOT is a tar to use for Debian.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need mmdebstrap umoci skopeo
[ "$(id -u)" = 0 ] || skip "chroot needs root"
[ -n "${ALL:-}" ] || ONLY=${ONLY:-apt}
chroot=$(command -v chroot) # which the images' PATH has not
scratch
root=${BASE_IMAGE_ROOT:-}
if [ -z "$root" ]; then
    root=$work/root.tar
    mmdebstrap --quiet --variant=minbase --include=python3,ca-certificates,libffi8 trixie "$root" \
        http://deb.debian.org/debian || fail "mmdebstrap"
fi

# digest_of LAYOUT TAG
digest_of() {
    skopeo inspect --raw "oci:$1:$2" | sha256sum | cut -d' ' -f1
}

# recipe NAME LAYOUT TAG: writes $work/NAME.yaml
recipe() {
    printf 'pytorch: "2.6.0"\ncuda: "12.4"\nbase: {image: "oci:%s:%s@sha256:%s"}\n' "$2" "$3" \
        "$(digest_of "$work/$2" "$3")" >"$work/$1.yaml"
}

# try NAME LAYOUT TAG PYTHON: build twice, compare, run
try() {
    tag=2.6.0-cuda12.4-cudnn9-runtime
    "$envbuild" build -q "$work/$1.yaml" -o "oci:$work/out-$1:$tag" >"$work/$1.ref" || fail "$1: build"
    before=$(skopeo inspect --raw "oci:$work/$2:$3" |
        python3 -c 'import json,sys; print(*[l["digest"] for l in json.load(sys.stdin)["layers"]])')
    after=$(skopeo inspect --raw "oci:$work/out-$1:$tag" |
        python3 -c 'import json,sys; print(*[l["digest"] for l in json.load(sys.stdin)["layers"]])')
    case $after in "$before "*) ;; *) fail "$1: the image's layers are not the first: $after" ;; esac
    for d in $before; do
        cmp "$work/$2/blobs/sha256/${d#sha256:}" "$work/out-$1/blobs/sha256/${d#sha256:}" ||
            fail "$1: a layer of the image changed"
    done
    ok "$1: its own layers are the lowest, byte for byte"
    first=$(skopeo inspect --raw "$(cat "$work/$1.ref")" | sha256sum)
    mv "$work/out-$1" "$work/first-$1"
    "$envbuild" build -q --locked --offline "$work/$1.yaml" -o "oci-archive:$work/$1.tar" >"$work/$1.ref2" ||
        fail "$1: second build"
    [ "$(skopeo inspect --raw "$(cat "$work/$1.ref2")" | sha256sum)" = "$first" ] || fail "$1: another digest"
    rm -f "$work/$1.tar"
    ok "$1: built again into an archive: the same digest"
    case $1 in # umoci reads whiteouts, and takes a minute more
    apt) unpack_image "$work/first-$1" "$tag" "$work/bundle/rootfs" || fail "$1: unpack" ;;
    *) umoci unpack --image "$work/first-$1:$tag" "$work/bundle" >/dev/null 2>&1 || fail "$1: umoci unpack" ;;
    esac
    rm -rf "$work/first-$1"
    mount -t proc proc "$work/bundle/rootfs/proc"
    env -i PATH=/opt/venv/bin:/usr/bin:/bin LANG=C.UTF-8 "$chroot" "$work/bundle/rootfs" python -c '
import sys, ssl, ctypes, torch
print(sys.version.split()[0], sys.base_prefix, torch.__version__)
a = torch.ones(64, 64) @ torch.ones(64, 64)
assert a.sum().item() == 64 ** 3
' >"$work/torch" || fail "$1: import torch"
    [ "$(cat "$work/torch")" = "$4 2.6.0+cu124" ] || fail "$1: it says $(cat "$work/torch")"
    ok "$1: python and torch are $(cat "$work/torch"), and two matrices multiply"
    env -i PATH=/opt/venv/bin:/usr/bin:/bin "$chroot" "$work/bundle/rootfs" pip check >"$work/out" ||
        fail "$1: pip check: $(cat "$work/out")"
    ok "$1: pip check"
    umount "$work/bundle/rootfs/proc"
    rm -rf "$work/bundle"
}

umoci init --layout "$work/images"
umoci new --image "$work/images:apt"
umoci raw add-layer --image "$work/images:apt" "$root"
umoci config --image "$work/images:apt" --config.env PATH=/usr/local/bin:/usr/bin:/bin
recipe apt images apt
full=$(tar xOf "$root" ./var/lib/dpkg/status | sed -n '/^Package: python3.13$/,/^$/s/^Version: \([0-9.]*\).*/\1/p')
[ "${ONLY:-apt}" != apt ] || try apt images apt "$full /usr"

[ "${ONLY:-local}" = local ] || exit 0

python=
for p in "$HOME"/.pyenv/versions/3.11.*; do
    [ -x "$p/bin/python3.11" ] && python=$p
done
if [ -z "$python" ]; then
    echo "skipped: no Python of pyenv is here to put under /usr/local"
    exit 0
fi
mkdir "$work/tree" "$work/tree/bin" "$work/tree/lib"
cp -a "$python/bin/python3.11" "$work/tree/bin/"
ln -s python3.11 "$work/tree/bin/python3"
cp -a "$python"/lib/libpython3.11.so* "$work/tree/lib/" 2>/dev/null || true
cp -a "$python/lib/python3.11" "$work/tree/lib/"
cp -a "$python/include" "$work/tree/" # patchlevel.h, as `make install` puts it
rm -rf "$work/tree/lib/python3.11/site-packages" "$work/tree/lib/python3.11/test"
mkdir "$work/tree/lib/python3.11/site-packages"
umoci tag --image "$work/images:apt" local
umoci insert --image "$work/images:local" --whiteout /usr/bin/python3
umoci insert --image "$work/images:local" --whiteout /usr/bin/python3.13
umoci insert --image "$work/images:local" "$work/tree" /usr/local
# What ldconfig would do for a library in /usr/local/lib.
mkdir -p "$work/root"
tar xf "$root" -C "$work/root"
cp -a "$work/tree/." "$work/root/usr/local/"
chroot "$work/root" /sbin/ldconfig
umoci insert --image "$work/images:local" "$work/root/etc/ld.so.cache" /etc/ld.so.cache
rm -rf "$work/root" "$work/tree"
recipe local images local
try local images local "${python##*/} /usr/local"
