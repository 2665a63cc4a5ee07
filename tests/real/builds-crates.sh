#!/bin/bash
# A Rust extension from its sdist, on the real index: the crates of its Cargo.lock are locked, fetched and found without a network;
# elsewhere the same wheel comes out.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need python3
need_sealed
scratch
cd "$work"
export XDG_CACHE_HOME=$work/one

cat >x.yaml <<'YAML'
name: crates
pytorch: none
base: debian-13
apt: [cargo]
build: {rpds-py: {expect: [rpds]}}
pip:
  - rpds-py @ https://files.pythonhosted.org/packages/01/80/cce854d0921ff2f0a9fa831ba3ad3c65cee3a46711addf39a2af52df2cfd/rpds_py-0.22.3.tar.gz
YAML
"$envbuild" lock -q x.yaml || fail "lock"
crates=$(grep -c '"url": "https://static.crates.io/crates/' x.lock)
[ "$crates" -gt 20 ] || fail "the lock has $crates crates"
cp x.lock chosen.lock
ok "the lock has the $crates crates of Cargo.lock"

"$envbuild" wheel -q x.yaml -o made >made.txt || fail "build"
python3 - "$(cat made.txt)" <<'PYTHON' || fail "the wheel"
import json, sys, zipfile, zlib
lock = next(a for a in json.load(open("x.lock"))["artifacts"] if a["name"] == "rpds-py")
wheel = zipfile.ZipFile(sys.argv[1])
listed = {line[9:]: line[:8] for line in lock["build"]["made"]}
assert listed == {i.filename: "%08x" % i.CRC for i in wheel.infolist() if not i.filename.endswith("/RECORD")}, listed
PYTHON
ok "they are what it is built of, without a network"

mkdir -p two/cache/envbuild
cp x.yaml two/
cp chosen.lock two/x.lock
cp -rl one/envbuild/blobs two/cache/envbuild/
rm -f "two/cache/envbuild/blobs/sha256/$(sha256sum "$(cat made.txt)" | cut -d' ' -f1)"
(cd two && umask 077 && TZ=Asia/Tokyo XDG_CACHE_HOME=$work/two/cache taskset -c 0 "$envbuild" wheel -q -j 1 x.yaml -o made >made.txt) || fail "build elsewhere"
if cmp -s "$(cat made.txt)" "two/$(cat two/made.txt)"; then
    ok "elsewhere the same wheel comes out"
    exit 0
fi
# The lock of the one, built by the other, tells where they differ.
cp x.lock two/x.lock
(cd two && rm -rf cache/envbuild/sealed && rm -f "cache/envbuild/blobs/sha256/$(sha256sum "$(cat made.txt)" | cut -d' ' -f1)" &&
    XDG_CACHE_HOME=$work/two/cache "$envbuild" wheel -q x.yaml -o made 2>said) && fail "another wheel is taken"
fail "elsewhere it is another wheel: $(cat two/said)"
