#!/bin/bash
# What goes wrong in life, on real inputs: killed at ten moments, two at once, no network, no room, a
# damaged store. Afterwards the result is the same and nothing half-written is left.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
scratch
recipe=$work/pytorch.yaml
cp "$top/recipes/pytorch-2.6.0-cuda12.4-cudnn9-runtime.yaml" "$recipe"
store=${XDG_CACHE_HOME:-$HOME/.cache}/envbuild
"$envbuild" lock -q "$recipe" || fail "lock"
cp "$work/pytorch.lock" "$work/chosen.lock"
"$envbuild" build -q "$recipe" -o "oci:$work/images" >/dev/null || fail "build"
want=$(built_digest "$work/pytorch.lock")
cp "$work/pytorch.lock" "$work/built.lock"
rm -rf "$work/images"

# Every blob under its own name hashes to it; nothing else lies about.
sound() {
    [ -n "$(ls -A "$1/blobs/sha256")" ] || return 0
    (cd "$1/blobs/sha256" && for f in *; do
        [ ${#f} = 64 ] || { echo "$1: $f" >&2; exit 1; }
        echo "$f  $f"
    done | sha256sum -c --quiet) || fail "$1 is not sound"
}

# A store of our own that begins with what was downloaded, but with no layer made.
fresh() {
    rm -rf "$work/store" "$work/images"
    mkdir -p "$work/store/blobs"
    cp -al "$store/blobs/sha256" "$work/store/blobs/"
    cp "$work/chosen.lock" "$work/pytorch.lock"
}

fresh
mkfifo "$work/says"

# Begin a build, sets pid, and return when it has said so many lines.
begin() {
    "$envbuild" build --offline --store "$work/store" "$recipe" -o "oci:$work/images" >/dev/null 2>"$work/says" &
    pid=$!
    exec 8<"$work/says"
    for _ in $(seq "$1"); do
        read -r _ <&8 || break
    done
}

for lines in 1 2 3 4 5 6 8 10 12 14; do
    begin $lines
    kill -KILL $pid 2>/dev/null || true
    wait $pid 2>/dev/null || true
    [ ! -d "$work/images/blobs/sha256" ] || sound "$work/images"
done
"$envbuild" build -q --offline --store "$work/store" "$recipe" -o "oci:$work/images" >/dev/null || fail "after ten kills"
[ "$(last_digest "$work/images")" = "$want" ] || fail "after ten kills it is $(last_digest "$work/images")"
sound "$work/images"
sound "$work/store"
cmp -s "$work/pytorch.lock" "$work/built.lock" || fail "after ten kills the lock is another"
ok "killed at ten moments, run again: the same digest, store and image sound"

fresh
"$envbuild" build -q --offline --store "$work/store" "$recipe" -o "oci:$work/images" >"$work/a" 2>"$work/a.err" &
a=$!
"$envbuild" build -q --offline --store "$work/store" "$recipe" -o "oci:$work/images" >"$work/b" 2>"$work/b.err" || fail "second of two: $(cat "$work/b.err")"
wait $a || fail "first of two: $(cat "$work/a.err")"
[ "$(last_digest "$work/images")" = "$want" ] && [ "$(built_digest "$work/pytorch.lock")" = "$want" ] || fail "two at once give another image"
cmp -s "$work/a" "$work/b" || fail "two at once print different lines"
sound "$work/images"
ok "two builds at once in one store and one layout: both right"

rm -rf "$work/images" "$work/store/layers"
begin 3
kill -INT $pid
status=0
wait $pid || status=$?
cat <&8 >"$work/err"
[ $status = 130 ] || fail "Ctrl-C: exit $status"
grep -q interrupted "$work/err" || fail "Ctrl-C says $(cat "$work/err")"
sound "$work/images"
ok "Ctrl-C ends it with exit 130, and leaves nothing half-written"

mkdir "$work/offline"
cp "$top/recipes/pytorch-2.6.0-cuda12.4-cudnn9-runtime.yaml" "$work/offline/x.yaml"
status=0
HTTPS_PROXY=http://127.0.0.1:9 timeout 600 "$envbuild" lock -q --store "$work/empty" "$work/offline/x.yaml" 2>"$work/err" || status=$?
[ $status = 5 ] || fail "no network: exit $status: $(cat "$work/err")"
[ ! -e "$work/offline/x.lock" ] || fail "no network: a lock was written"
ok "no network: $(head -1 "$work/err")"

if [ "$(id -u)" = 0 ] && mkdir "$work/small" && mount -t tmpfs -o size=200m tmpfs "$work/small" 2>/dev/null; then
    status=0
    "$envbuild" build -q --offline --store "$work/store" "$recipe" -o "oci:$work/small/images" 2>"$work/err" >"$work/out" || status=$?
    [ $status = 7 ] || fail "full disk: exit $status"
    grep -q "free; make room" "$work/err" || fail "full disk: $(cat "$work/err")"
    [ ! -s "$work/out" ] || fail "full disk: a reference was printed"
    sound "$work/small/images"
    grep -q '"manifests":\[\]' "$work/small/images/index.json" || fail "full disk: a tag was published"
    ok "full disk: $(head -1 "$work/err")"
    umount "$work/small"
else
    echo "skipped: a full disk needs root and tmpfs"
fi

# One bit of a wheel in the store is wrong.
fresh
wheel=$(python3 -c 'import json,sys; print([a["sha256"][7:] for a in json.load(open(sys.argv[1]))["artifacts"] if a["name"] == "nvidia-cublas-cu12"][0])' "$work/pytorch.lock")
cp "$work/store/blobs/sha256/$wheel" "$work/wheel" # our own copy, not the link
printf '\377' | dd of="$work/wheel" bs=1 seek=100000000 conv=notrunc 2>/dev/null
mv "$work/wheel" "$work/store/blobs/sha256/$wheel"
status=0
"$envbuild" build -q --offline --store "$work/store" "$recipe" -o "oci:$work/images" 2>"$work/err" >/dev/null || status=$?
[ $status = 6 ] || fail "damaged wheel: exit $status: $(cat "$work/err")"
ok "a damaged wheel: $(head -1 "$work/err")"
