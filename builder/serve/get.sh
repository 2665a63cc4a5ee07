#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetch {{name}} from http://{{host}}/ and load it into Docker or Podman. Run again, it goes on where it was cut.
set -eu
name='{{name}}'
url='http://{{host}}/image.tar?image={{name}}'
size='{{tar}}' # bytes
config='{{config}}'
manifest='{{manifest}}'

say() {
    printf 'get: %s\n' "$*" >&2
}

fail() {
    say "$*"
    exit 1
}

# Free KiB of the disk that a folder is on.
free_in() {
    df -Pk "$1" | awk 'NR == 2 { print $4 }'
}

id() {
    "$engine" image inspect --format '{{.Id}}' "$name" 2>/dev/null | sed 's/^sha256://'
}

is_right() {
    found=$(id)
    [ "$found" = "$config" ] || [ "$found" = "$manifest" ]
}

command -v curl >/dev/null || fail 'curl is not installed here'
engine=
for one in docker podman; do
    if command -v "$one" >/dev/null && "$one" info >/dev/null 2>&1; then
        engine=$one
        break
    fi
done
[ -n "$engine" ] || fail 'neither docker nor podman answers here; install one, or start Docker Desktop'
if is_right; then
    say "$name is in $engine already"
    exit 0
fi
if [ "$(uname -s) $(uname -m)" = 'Darwin arm64' ]; then
    say 'this image is for amd64 and is emulated on this Mac: it is slow, and kernels of Jupyter may die'
fi

# The archive here; in the engine what is packed and unpacked, about three times as much.
file=image-$manifest.tar
have=0
[ ! -e "$file" ] || have=$(wc -c <"$file")
[ "$(free_in .)" -ge $(((size - have) / 1024)) ] || fail "$((size / 1048576)) MiB do not fit here; run this in a folder on another disk"
case $engine in
docker) root=$(docker info --format '{{.DockerRootDir}}') ;;
*) root=$(podman info --format '{{.Store.GraphRoot}}') ;;
esac
if [ -d "$root" ] && [ "$(free_in "$root")" -lt $((size * 3 / 1024)) ]; then
    fail "$engine needs $((size * 3 / 1048576)) MiB in $root, which has $(($(free_in "$root") / 1024)); \`$engine system prune\` removes what nothing uses"
fi

tries=0
while [ "$have" -lt "$size" ]; do
    curl -fsS --noproxy '*' --connect-timeout 10 -C - -o "$file" "$url" || true
    before=$have
    [ ! -e "$file" ] || have=$(wc -c <"$file")
    if [ "$have" -gt "$before" ]; then
        tries=0
    else
        tries=$((tries + 1))
        [ "$tries" -lt 5 ] || fail "http://{{host}}/ does not answer; is this machine in the same network? Run this again to go on"
        sleep "$tries"
    fi
done
if ! "$engine" load -i "$file" || ! is_right; then
    rm -f "$file"
    fail "what $engine loaded is not $name with the digest that it should have; run this again"
fi
rm -f "$file"
say "$name is loaded; start it with: $engine run --rm -it --gpus all $name"
