#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Made the files beside this one: throw-away keys, and a Release file signed with them in all the
# ways that matter. Run it in its folder to make them anew (the key fingerprints in
# tests/unit/test_release.c change then).
set -eu
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
trap 'rm -rf "$GNUPGHOME"' EXIT
g() { gpg -q --batch --no-tty --yes --pinentry-mode loopback --passphrase '' "$@" 2>/dev/null; }
at() { t=$1; shift; g --faked-system-time "$t" "$@"; }

at 20240101T000000 --quick-gen-key good rsa2048 sign never
at 20240101T000000 --quick-gen-key other rsa2048 sign never
at 20240101T000000 --quick-gen-key expired rsa2048 sign 2d
at 20240101T000000 --quick-gen-key revoked rsa2048 sign never
for k in good other expired revoked; do gpg --with-colons -k "$k" | grep -m1 ^fpr | cut -d: -f10 >"$k.fpr"; done

at 20240102T000000 -u good --clearsign -o good.in Release
at 20240102T000000 -u other --clearsign -o other.in Release
at 20240102T000000 -u expired --clearsign -o expired.in Release
at 20240102T000000 -u revoked --clearsign -o revoked.in Release
at 20240102T000000 -u good -u other --clearsign -o both.in Release
at 20240102T000000 -u good --digest-algo SHA1 --clearsign -o sha1.in Release
sed 's/^Suite: .*/Suite: evil/' good.in >bad.in
sed 's/^Suite: .*/Suite: evil/' both.in >bad-both.in
{ printf 'Suite: evil\n\n'; cat good.in; } >before.in
{ cat good.in; printf '\nSuite: evil\n'; } >after.in
cat good.in other.in >two-blocks.in
sed '/^-----BEGIN PGP SIGNATURE/,$d' good.in >cut.in

revoke=$GNUPGHOME/openpgp-revocs.d/$(cat revoked.fpr).rev
sed 's/^:-----/-----/' "$revoke" | g --import
for k in good other expired revoked; do g --export "$k" >"$k.gpg"; done
