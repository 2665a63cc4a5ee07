#!/bin/bash
# The system that envbuild makes of debs against the one that dpkg and apt make of the same debs: every
# path, its type, mode, owner, link and content. Then apt, dpkg, ldconfig and Python work inside ours.
#
#     tests/real/system-vs-mmdebstrap.sh [--base BASE] [--small] [PACKAGE...]   (needs root, mmdebstrap, the archive)
#
# --small leaves out the groups of what compiles. BASE is debian-12 unless told: archives, keys, sources and packages are
# those of base-layers/BASE.yaml.
# What may differ stands in system-vs-mmdebstrap.allow and in system-vs-mmdebstrap.BASE.allow, with the
# reason. MIRROR=http://HOST takes the place of the archives' own host.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
base=debian-12
[ "${1:-}" != --base ] || { base=$2; shift 2; }
without='^$'
[ "${1:-}" != --small ] || { without='^ *(compile|devel):'; shift; }
file=$root/base-layers/$base.yaml
tool=${TOOLS:-$root/build/obj-cc/tools}/system_tree
work=${WORK:-$(mktemp -d /tmp/system-test.XXXXXX)}
# Also held against mmdebstrap, on debian-12 and on debian-13 (457 packages in all), on ubuntu-24.04 (444) and
# ubuntu-22.04 (440): g++ git curl wget vim-tiny less nano htop
# tmux procps sudo openssh-client openssh-server build-essential cmake ninja-build ffmpeg libgl1 libglib2.0-0
# libsm6 libxext6 libsndfile1 iproute2 iputils-ping gnupg unzip zip bzip2 xz-utils rsync jq locales fontconfig
# git-lfs libnuma1 pciutils kmod tini libgomp1 file screen

skip() { echo "skipped: $1" >&2; exit 0; }

# What the base file says, by the shape that the files in base-layers/ have.
archives() { # "deb URI SUITE COMPONENTS", one line a suite
    awk '/^[a-z]/ { inside = $1 == "archives:" }
        !inside { next }
        { gsub(/[][,]/, " ") }
        $2 == "uri:" { uri = $3 }
        $1 == "suites:" { $1 = ""; suites = $0 }
        $1 == "components:" { $1 = ""; n = split(suites, s)
            for (i = 1; i <= n; i++) print "deb", "[signed-by=" key "]", uri, s[i] $0 }' key="$1" "$file"
}
groups() { awk -v without="$without" '/^[a-z]/ { inside = $1 == "packages:"; next } inside && !/^#/ && $0 !~ without { sub(/^[^:]*:/, ""); gsub(/[][,]/, " "); print }' "$file"; }
sources() { awk '/^[a-z]/ { inside = /^sources: \|/; next } inside { sub(/^  /, ""); print }' "$file"; }
sources_path=$(awk '$1 == "sources_path:" { print $2 }' "$file")
sources_path=${sources_path:-/etc/apt/sources.list.d/debian.sources}
field() { awk -v key="$1:" '$1 == key { print $2; exit }' "$file"; }

[ -f "$file" ] || { echo "FAIL: no base $base" >&2; exit 1; }
[ "$(id -u)" = 0 ] || skip "not root"
command -v mmdebstrap apt-get chroot >/dev/null || skip "no mmdebstrap"
mkdir -p "$work"
chmod 0755 "$work" # apt gives its folders to its own user only where that user can reach them
[ -n "${WORK:-}" ] || trap 'rm -rf "$work"' EXIT
cp "$root/base-layers/$(field keyring)" "$work/archive.gpg"
archives "$work/archive.gpg" | sed "s,https://,http://,${MIRROR:+;s,http://[^/]*,$MIRROR,}" >"$work/sources.list"
sources | sed "${MIRROR:+s,http://[^/]*,$MIRROR,}" >"$work/distribution.sources"
read -r _ _ uri suite _ <"$work/sources.list"
curl -fsS --max-time 20 -o /dev/null "$uri/dists/$suite/InRelease" || skip "no archive at $uri"
[ -x "$tool" ] || make -s -C "$root" tools
# shellcheck disable=SC2046 # words are meant
[ $# -gt 0 ] || set -- $(groups) python3-venv locales iputils-ping
packages=$*

echo "== mmdebstrap"
# mmdebstrap leaves this release's /usr unmerged until usrmerge is installed; debootstrap, as whose trees Ubuntu's
# own images come, does not.
merge=
[ "$base" != ubuntu-22.04 ] || merge='--setup-hook=for d in bin lib lib32 lib64 libx32 sbin; do mkdir -p "$1/usr/$d" && ln -s "usr/$d" "$1/$d"; done'
[ -d "$work/ref" ] || mmdebstrap --quiet ${merge:+"$merge"} --mode=root --variant=apt --format=directory \
    --include="${packages// /,}" "$suite" "$work/ref" "$work/sources.list"

echo "== the same debs"
mkdir -p "$work"/apt/{state/lists/partial,cache/archives/partial} "$work/debs"
: >"$work/apt/status"
cat >"$work/apt.conf" <<END
Dir::State "$work/apt/state";
Dir::State::status "$work/apt/status";
Dir::Cache "$work/apt/cache";
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "-";
APT::Sandbox::User "root";
END
export APT_CONFIG=$work/apt.conf
chroot "$work/ref" dpkg-query -W -f '${Package}:${Architecture}=${Version}\n' |
    sed 's/:all=/=/' >"$work/packages"
apt-get -qq update
(cd "$work/debs" && [ "$(find . -name '*.deb' | wc -l)" = "$(wc -l <"$work/packages")" ] ||
    xargs -a "$work/packages" apt-get -qq download)
# A locale as its tools make it, for ours to be held against; ours is taken from locales-all of the same version.
locale=()
if [ -e "$work/ref/usr/sbin/update-locale" ]; then
    mkdir -p "$work/all"
    (cd "$work/all" && [ -f locales-all_*.deb ] ||
        apt-get -qq download "locales-all=$(chroot "$work/ref" dpkg-query -W -f '${Version}' locales)")
    locale=(--locale en_US.UTF-8 "$(echo "$work"/all/*.deb)")
    chroot "$work/ref" localedef --no-archive -i en_US -f UTF-8 -A /usr/share/locale/locale.alias /usr/lib/locale/en_US.utf8
    sed -i 's/^# en_US.UTF-8 UTF-8/en_US.UTF-8 UTF-8/' "$work/ref/etc/locale.gen"
    chroot "$work/ref" update-locale LANG=en_US.UTF-8
fi
unset APT_CONFIG

echo "== ours"
(cd "$work" && "$tool" "${locale[@]}" debs/*.deb >ours.list && "$tool" --uncovered debs/*.deb >uncovered &&
    "$tool" --tar "${locale[@]}" --sources distribution.sources "$sources_path" debs/*.deb >ours.tar)

failed=0
fail() { echo "FAIL: $*" >&2; failed=1; }

# Scripts that build databases out of other packages' files: reported to the user, not redone.
open='libgdk-pixbuf-2.0-0 postinst|shared-mime-info postinst'
! grep -vE "$open" "$work/uncovered" || fail "scripts without a rule, see above"
cat "$here/data/system-vs-mmdebstrap.allow" >"$work/allow"
[ ! -f "$here/data/system-vs-mmdebstrap.$base.allow" ] || cat "$here/data/system-vs-mmdebstrap.$base.allow" >>"$work/allow"
python3 "$here/judges/compare-trees.py" "$work/ours.list" "$work/ref" "$work/allow" ||
    fail "the trees differ"

echo "== inside ours"
rm -rf "$work/tree"
mkdir "$work/tree"
tar -C "$work/tree" -xpf "$work/ours.tar" --numeric-owner
cp /etc/resolv.conf "$work/tree/etc/resolv.conf"
inside() { chroot "$work/tree" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }
silent() {
    local out
    out=$(inside "$@" 2>&1) || fail "$*: exit $?"
    [ -z "$out" ] || fail "$*: $out"
}
works() { inside "$@" >"$work/log" 2>&1 || { fail "$*: exit $?"; tail -5 "$work/log" >&2; }; }

# Devices that apt's methods and shells expect; an image gets them from its runtime.
mknod -m 666 "$work/tree/dev/null" c 1 3
mknod -m 666 "$work/tree/dev/urandom" c 1 9
silent dpkg --audit
silent dpkg --verify
works apt-get check
inside ldconfig -p | sort >"$work/ldconfig.ours"
chroot "$work/ref" ldconfig -p | sort | diff - "$work/ldconfig.ours" >"$work/log" ||
    fail "ldconfig -p differs: $(head -3 "$work/log")"
cp "$work/tree/etc/ld.so.cache" "$work/ld.so.cache"
works ldconfig
cmp "$work/ld.so.cache" "$work/tree/etc/ld.so.cache" || fail "ldconfig writes another cache"
if inside test -x /usr/bin/python3; then
    works python3 -c 'import ssl, sqlite3, ctypes, zoneinfo; c = ssl.create_default_context();
c.load_verify_locations("/etc/ssl/certs/ca-certificates.crt");
assert c.cert_store_stats()["x509_ca"] > 100, c.cert_store_stats(); ctypes.CDLL("libc.so.6")'
fi
if [ ${#locale[@]} -gt 0 ]; then
    [ "$(inside LANG=en_US.UTF-8 locale -a | grep -c en_US.utf8)" = 1 ] || fail "locale -a lists no en_US.utf8"
    # Of a locale that cannot be loaded this is ANSI_X3.4-1968.
    [ "$(inside LANG=en_US.UTF-8 locale charmap)" = UTF-8 ] || fail "en_US.UTF-8 cannot be loaded"
fi
works apt-get update
works apt-get install -y --no-install-recommends less
works less --version
works apt-get purge -y less
works apt-get dist-upgrade -y
silent dpkg --audit
silent dpkg --verify
[ $failed = 0 ] && echo "ok: $base, $(wc -l <"$work/ours.list") paths, $(wc -l <"$work/packages") packages"
exit $failed
