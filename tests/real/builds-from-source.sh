#!/bin/bash
# `build` of a recipe, on the real index: packages that have no wheel are chosen, built sealed and imported, as is a C extension from
# its sdist's address; another place, where only the lock is, builds the same image; one that has the wheels builds none.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need umoci python3
need_sealed
scratch
cd "$work"
export XDG_CACHE_HOME=$work/one

printf 'name: sources\npytorch: none\npip: [docopt, hydra-core]\n' >x.yaml
"$envbuild" lock -q x.yaml 2>said && fail "sources are passed over in silence"
# shellcheck disable=SC2016 # words of the message
grep -q 'write `build: \[docopt\]` to build it' said || fail "the refusal says $(cat said)"
ok "what is source only is refused, with the line to write"

cat >x.yaml <<'YAML'
name: sources
pytorch: none
build:
  docopt:
  antlr4-python3-runtime: {constraints: ["setuptools<81"]}
  simplejson: {expect: [_speedups]}
pip:
  - docopt
  - hydra-core
  - simplejson @ https://files.pythonhosted.org/packages/3d/29/085111f19717f865eceaf0d4397bf3e76b08d60428b076b64e2a1903706d/simplejson-3.19.3.tar.gz
YAML
"$envbuild" lock x.yaml 2>said || fail "lock: $(cat said)"
grep -q 'built from source: antlr4-python3-runtime 4.9.3, docopt 0.6.2, simplejson 3.19.3' said || fail "lock says $(cat said)"
[ "$("$envbuild" explain x.yaml | grep -c 'built from source')" = 3 ] || fail "explain"
first=$("$envbuild" build -q x.yaml -o oci:one/img) || fail "build"
"$envbuild" lock --check -q x.yaml || fail "a build makes the lock another"
grep -A2 '"name": "setuptools"' x.lock | grep -q '"version": "80' || fail "the constraint of a build does not hold"
ok "three packages are chosen with what they need, and built"

umoci unpack --rootless --image one/img:sources:python3.11-runtime b >umoci.log 2>&1 || fail "$(cat umoci.log)"
in_image() {
    bwrap --unshare-all --bind b/rootfs / --proc /proc --dev /dev "$@"
}
in_image /opt/venv/bin/python -c '
import antlr4, docopt, hydra
import simplejson, simplejson._speedups
assert simplejson.loads(simplejson.dumps([1])) == [1]' || fail "import"
in_image /opt/venv/bin/python -m pip check >/dev/null || fail "pip check"
in_image /bin/sh -c '! command -v gcc' || fail "the compilers are in the image"
rm -rf b
ok "all of them work in the image, which has no compiler"

mkdir two
cp x.yaml x.lock two/
second=$(cd two && umask 077 && TZ=Asia/Tokyo LC_ALL=C XDG_CACHE_HOME=$work/two/cache "$envbuild" build -q --locked -j 1 x.yaml -o oci:img) ||
    fail "not every wheel is built the same in another place"
cmp -s one/img/index.json two/img/index.json || fail "$first and $second differ"
rm -rf two
ok "another place builds the same wheels and the same image"

"$envbuild" wheel -q x.yaml >wheels.txt || fail "wheel"
mkdir three path
cp -r x.yaml x.lock wheels three/
ln -s "$(command -v gpgv)" path/
(cd three && PATH=$work/path XDG_CACHE_HOME=$work/three/cache "$envbuild" build -q --locked x.yaml -o oci:img) || fail "with wheels/"
cmp -s one/img/index.json three/img/index.json || fail "the image of wheels/ differs"
ok "with the wheels beside the recipe nothing is built, and the image is the same"
