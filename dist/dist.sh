#!/bin/sh
# Make in build/dist what people install: the wheel, the deb, and envbuild's own image. The same commit gives the same
# bytes. All compiling is done in a root that envbuild itself makes from dist/build-root.lock.
# SPDX-License-Identifier: Apache-2.0
set -eu
umask 022
top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
envbuild=${ENVBUILD:-$top/build/envbuild}
out=$top/build/dist
root=$out/root
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$top" log -1 --format=%ct)}
# Its own user may make such a root as well as root itself.
if [ "$(id -u)" = 0 ]; then
    rootless='' mapped=''
else
    rootless=--rootless mapped=--map-root-user
fi

rm -rf "$out"
mkdir -p "$out/image"
"$envbuild" build -q --locked "$top/dist/build-root.yaml" -o "oci:$out/build-root"
# shellcheck disable=SC2086 # an option or nothing
umoci raw unpack $rootless --image "$out/build-root:envbuild-build-root:ubuntu-22.04" "$root"
mkdir "$root/src" "$root/made"
tar -C "$top" --exclude-vcs --exclude=./build --exclude=./images -c . | tar -C "$root/src" --no-same-owner -x
# shellcheck disable=SC2016,SC2086 # $0 is the inner shell's
env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" \
    unshare $mapped --mount sh -ec '
        mount --rbind /dev "$0/dev"
        exec chroot "$0" sh /src/dist/in-root.sh' "$root"
cp "$root"/made/* "$out"
rm -rf "$root" "$out/build-root"

cp "$top"/dist/image.* "$out"/*.whl "$out/image"
"$envbuild" lock -q --upgrade "$out/image/image.yaml" envbuild
"$envbuild" build -q "$out/image/image.yaml" -o "oci-archive:$out/envbuild-image.tar"
ls -l "$out" >&2
