#!/bin/sh
# A base of one's own on the real archive: Debian 11, which this program does not bring, is a file and a
# keyring in a folder of the user. Its scripts have no rules, so the build names them; the rest must work.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
need curl
[ -f $keys ] || skip "$0 needs $keys (Debian: debian-archive-keyring)"
scratch
mkdir "$work/bases"
cp $keys "$work/bases/archive.gpg"
cat >"$work/bases/bullseye.yaml" <<'END'
envbuild_base: 1
name: bullseye
arch: amd64
glibc: "2.31"
archives:
  - uri: https://deb.debian.org/debian
    suites: [bullseye]
    components: [main]
  - uri: https://deb.debian.org/debian-security
    suites: [bullseye-security]
    components: [main]
keyring: archive.gpg
fingerprints: # archive, 11 and 12; security, 11 and 12
  - 1F89983E0081FDE018F3CC9673A4F27B8DD47936
  - B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8
  - AC530D520F2F3269F5E98313A48449044AAD5C5D
  - 05AB90340C0C5E797F44A8C8254CF3B5AEC0A8F0
packages:
  base: [apt, ca-certificates, debian-archive-keyring, libstdc++6, netbase, tzdata]
  python: [python3]
  compile: [gcc]
python: {version: "3.9", package: python3.9}
sources: |
  Types: deb
  URIs: http://deb.debian.org/debian
  Suites: bullseye
  Components: main
  Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

  Types: deb
  URIs: http://deb.debian.org/debian-security
  Suites: bullseye-security
  Components: main
  Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
cat >"$work/recipe.yaml" <<'END'
pytorch: "2.6.0"
base: ./bases/bullseye.yaml
name: own
tag: base
END

"$envbuild" build -q "$work/recipe.yaml" -o "oci:$work/images" >"$work/ref" 2>"$work/err" ||
    fail "build: $(tail -3 "$work/err")"
grep -q 'no rule stands for the maintainer script' "$work/err" || fail "Debian 11's scripts have rules?"
grep -q '"suite": "bullseye-security"' "$work/recipe.lock" || fail "another archive was asked"
ok "a base file and a keyring of one's own: $(cat "$work/ref")"

start_docker || skip "the container checks need root and a Docker daemon that starts"
"$envbuild" build -q --locked --offline "$work/recipe.yaml" -o docker: >/dev/null 2>&1 || fail "docker:"
rm -rf "$work/images"
in_container own:base python -c '
import platform, torch
assert platform.python_version_tuple()[:2] == ("3", "9"), platform.python_version()
assert platform.libc_ver()[1] == "2.31", platform.libc_ver()
assert (torch.ones(8, 8) @ torch.ones(8, 8)).sum().item() == 8 ** 3' 2>"$work/err" ||
    fail "torch: $(tail -3 "$work/err")"
ok "its own Python and glibc; torch multiplies"
in_container own:base sh -ec 'grep -q "^11\." /etc/debian_version; test -z "$(dpkg --audit)"
    apt-get update -q; apt-get install -y -q --no-install-recommends less; less --version | head -1' >"$work/out" 2>&1 ||
    fail "apt: $(tail -5 "$work/out")"
ok "dpkg --audit; apt-get update and install from its archive"
