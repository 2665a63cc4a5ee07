#!/bin/bash
# What `make dist` makes: made twice, in other folders and by another user, it has the same bytes; auditwheel and lintian
# are content; and it is installed and runs on bare roots of the four releases that it is for, which envbuild makes.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need umoci unshare setpriv
[ "$(id -u)" = 0 ] || skip "$0 needs root to enter the roots"
scratch
export SOURCE_DATE_EPOCH=1764547200
roots='debian-12 debian-13 ubuntu-22.04 ubuntu-24.04'

copy() {
    mkdir -p "$1"
    tar -C "$top" --exclude-vcs --exclude=./build --exclude=./images -c . | tar -C "$1" --no-same-owner -x
}
copy "$work/one"
# Archives drop what they replaced: then with what they have now.
if ! "$envbuild" build -q --locked "$work/one/dist/build-root.yaml" -o "oci:$work/try" >/dev/null 2>"$work/err"; then
    grep -q 'HTTP 404' "$work/err" || fail "the locked root: $(tail -3 "$work/err")"
    printf 'skipped: %s\n' "the lock of the root asks for what is no longer there: \`envbuild lock --upgrade dist/build-root.yaml\`"
    "$envbuild" lock -q --upgrade "$work/one/dist/build-root.yaml" || fail "lock of the root"
fi
rm -rf "$work/try"
copy "$work/else/two"
cp "$work/one/dist/build-root.lock" "$work/else/two/dist/"

ENVBUILD=$envbuild sh "$work/one/dist/dist.sh" >"$work/log" 2>&1 || fail "make dist: $(tail -5 "$work/log")"
dist=$work/one/build/dist
wheel=$(basename "$dist"/*.whl)
deb=$(basename "$dist"/*.deb)
ok "made: $(du -h "$dist/$wheel" "$dist/$deb" "$dist/envbuild-image.tar" | awk '{print $1}' | xargs) of wheel, deb and image"
chmod 755 "$work"
rootless="setpriv --reuid nobody --regid $(id -g nobody) --clear-groups"
if ! $rootless unshare --map-root-user --mount true 2>/dev/null; then
    rootless=
    printf 'skipped: %s\n' "no user name spaces: the second time is as root too"
fi
# What was downloaded is downloaded once; the root and all in it are made again.
store=${XDG_CACHE_HOME:-$HOME/.cache}/envbuild
mkdir -p "$work/else/cache/envbuild"
grep -oh '"sha256": "sha256:[0-9a-f]*' "$work"/one/dist/*.lock | sed 's/.*://' >"$work/artifacts"
(cd "$store" && find blobs -type f | grep -F -f "$work/artifacts" | tar -cT -) | tar -C "$work/else/cache/envbuild" -x
chown -R nobody "$work/else"
# shellcheck disable=SC2086 # a command or nothing
$rootless env HOME="$work/else" XDG_CACHE_HOME="$work/else/cache" ENVBUILD="$envbuild" sh "$work/else/two/dist/dist.sh" >"$work/log" 2>&1 ||
    fail "make dist again: $(tail -5 "$work/log")"
for file in "$wheel" "$deb" envbuild-image.tar; do
    cmp "$dist/$file" "$work/else/two/build/dist/$file" || fail "$file has other bytes the second time"
done
ok "the same bytes in another folder, later, by another user"
rm -rf "$work/else"

if python3 -m venv "$work/judge" && "$work/judge/bin/pip" install -q auditwheel 2>"$work/err"; then
    "$work/judge/bin/auditwheel" show "$dist/$wheel" | tr '\n' ' ' | grep -q 'following platform tag: "manylinux_2_35_x86_64"' ||
        fail "auditwheel: $("$work/judge/bin/auditwheel" show "$dist/$wheel")"
    ok "auditwheel: manylinux_2_35_x86_64"
else
    printf 'skipped: %s\n' "auditwheel cannot be had: $(tail -1 "$work/err")"
fi
if command -v lintian >/dev/null; then
    lintian --fail-on error,warning,info "$dist/$deb" >"$work/out" 2>&1 || fail "lintian: $(cat "$work/out")"
    ok "lintian is content"
else
    printf 'skipped: %s\n' "lintian is not installed (Debian: lintian)"
fi

# ROOT COMMAND: in it, with what was made in /made, and the network.
in_bare() {
    cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/" # this network's own authorities
    in_root "$1" env -u VIRTUAL_ENV -u SSL_CERT_FILE PATH=/root/.local/bin:/usr/sbin:/usr/bin:/sbin:/bin sh -ec "$2" >"$1.out" 2>&1 ||
        fail "$(basename "$1"): $2: $(tail -8 "$1.out")"
}
tiny='printf "pytorch: none\nname: tiny\n" >/tmp/tiny.yaml; cd /tmp; rm -f tiny.lock'
# BASE: install and run in a bare root of it.
try_on() {
    local base=$1 root=$work/$1 bare=$work/bare-$1
    mkdir "$bare"
    printf 'pytorch: none\nname: bare\nbase: %s\napt: [pipx]\npip: [uv]\n' "$base" >"$bare/bare.yaml"
    "$envbuild" build -q "$bare/bare.yaml" -o "oci:$bare/images:bare:$base" >/dev/null 2>"$bare/err" || fail "a bare $base: $(tail -3 "$bare/err")"
    umoci raw unpack --image "$bare/images:bare:$base" "$root" 2>"$bare/err" || fail "unpack $base: $(tail -3 "$bare/err")"
    rm -rf "$bare"
    mkdir "$root/made"
    cp "$dist/$wheel" "$dist/$deb" "$root/made"

    in_bare "$root" "/opt/venv/bin/pip install -q --no-index /made/*.whl; /opt/venv/bin/envbuild -V; LD_LIBRARY_PATH=/nowhere /opt/venv/bin/envbuild --help"
    in_bare "$root" 'pipx install /made/*.whl; envbuild -V; pipx uninstall envbuild; test ! -e /root/.local/bin/envbuild'
    in_bare "$root" '/opt/venv/bin/uv tool install --offline /made/*.whl; envbuild -V; envbuild --help'
    in_bare "$root" "mv /etc/ssl/certs/ca-certificates.crt /tmp; $tiny; ! /opt/venv/bin/envbuild lock tiny.yaml 2>said; cat said
        grep -q 'install the package \"\(ca-certificates\|gpgv\)\"' said"
    # shellcheck disable=SC2016 # the root's own
    in_bare "$root" 'apt-get update -q; apt-get install -y -q --no-install-recommends /made/*.deb; /usr/bin/envbuild -V; test -z "$(dpkg --audit)"'
    in_bare "$root" "$tiny; /usr/bin/envbuild lock -q tiny.yaml; mv tiny.lock deb.lock; /opt/venv/bin/envbuild lock -q tiny.yaml; cmp tiny.lock deb.lock
        envbuild explain 2.6.0-cuda12.4-cudnn9-runtime | grep -q 'PyTorch 2.6.0'"
    rm -rf "$root"
    echo "ok: $base: wheel by pip, pipx and uv, deb by apt; each locks"
}
# Two at a time: each waits for archives and indexes half of its time.
for base in $roots; do
    lane=$((${lane:-0} + 1))
    try_on "$base" &
    own_pids="${own_pids:-} $!"
    if [ $((lane % 2)) = 0 ]; then
        for pid in $own_pids; do wait "$pid" || fail "a bare root, see above"; done
        own_pids=
    fi
done
passed=$((passed + lane))

mkdir "$work/image"
tar -C "$work/image" -xf "$dist/envbuild-image.tar"
tag=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"])' "$work/image/index.json")
umoci raw unpack --image "$work/image:$tag" "$work/own" 2>"$work/err" || fail "unpack the image: $(tail -3 "$work/err")"
in_bare "$work/own" "$tiny; /opt/venv/bin/envbuild -V; /opt/venv/bin/envbuild lock -q tiny.yaml; /opt/venv/bin/envbuild -q tiny.yaml"
ok "envbuild's own image, $tag, locks and builds an image"
