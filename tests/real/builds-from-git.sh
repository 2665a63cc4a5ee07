#!/bin/bash
# `name @ git+...` of a recipe, by git's own servers: setuptools-scm and versioneer tell the version of the commit, a submodule is there,
# a branch stays until it is upgraded, another place builds the same image from the lock, and none of it needs the network again.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need umoci python3 git
need_sealed
scratch
cd "$work"
export XDG_CACHE_HOME=$work/one GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b.test GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b.test
g() {
    git -c protocol.file.allow=always -C "repos/$1" "${@:2}"
}

# scm has a file that only git tells it to take, and a submodule; ver lies in a folder.
mkdir -p repos/sub repos/scm repos/ver/python
for r in sub scm ver; do
    g $r init -q -b main
done
echo 'int sub;' >repos/sub/sub.h
g sub add -A && g sub commit -qm first
mkdir repos/scm/scm
cat >repos/scm/pyproject.toml <<'TOML'
[build-system]
requires = ["setuptools>=64,<80", "setuptools-scm>=8,<9"]
build-backend = "setuptools.build_meta"
[project]
name = "scm"
dynamic = ["version"]
[tool.setuptools]
packages = ["scm"]
[tool.setuptools_scm]
TOML
echo 'data = open(__file__.replace("__init__.py", "data.txt")).read()' >repos/scm/scm/__init__.py
echo told >repos/scm/scm/data.txt
printf 'import os\nfrom setuptools import setup\nassert os.path.exists("vendor/sub.h"), os.listdir(".")\nsetup()\n' >repos/scm/setup.py
g scm submodule --quiet add ../sub vendor 2>/dev/null
g scm add -A && g scm commit -qm first && g scm tag -a -m x v1.2.0
echo >repos/scm/more && g scm add -A && g scm commit -qm second
cat >repos/ver/python/pyproject.toml <<'TOML'
[build-system]
requires = ["setuptools<80", "versioneer[toml]==0.29"]
build-backend = "setuptools.build_meta"
[project]
name = "ver"
dynamic = ["version"]
[tool.versioneer]
VCS = "git"
style = "pep440"
versionfile_source = "ver/_version.py"
versionfile_build = "ver/_version.py"
tag_prefix = "v"
TOML
printf 'import versioneer\nfrom setuptools import setup\nsetup(version=versioneer.get_version(), packages=["ver"])\n' >repos/ver/python/setup.py
mkdir repos/ver/python/ver
touch repos/ver/python/ver/__init__.py
g ver add -A && g ver commit -qm first && g ver tag v2.0

mkfifo hold ports
python3 "$top/tests/peers/git_peer.py" . serve <hold >ports 9>&- &
exec 9>hold
read -r http daemon <ports

cat >x.yaml <<YAML
name: sources
pytorch: none
build: all
pip:
  - scm @ git+http://127.0.0.1:$http/scm@main
  - ver @ git+git://127.0.0.1:$daemon/ver#subdirectory=python
YAML
"$envbuild" lock x.yaml 2>said || fail "lock: $(cat said)"
commit=$(g scm rev-parse HEAD)
grep -q "\"commit\": \"$commit\"" x.lock || fail "the lock has no commit"
grep -q "\"version\": \"1.2.1.dev1+g${commit:0:7}" x.lock || fail "setuptools-scm says $(grep -A1 '"scm"' x.lock)"
"$envbuild" build -q x.yaml -o oci:one/img >first || fail "build"
grep -A1 '"name": "ver"' x.lock | grep -q '"version": "2.0"' || fail "versioneer says $(grep -A1 '"ver"' x.lock)"
ok "two tools ask git for the version, over HTTP and of the daemon, one beside its submodule"

umoci unpack --rootless --image one/img:sources:python3.11-runtime b >umoci.log 2>&1 || fail "$(cat umoci.log)"
bwrap --unshare-all --bind b/rootfs / --proc /proc --dev /dev /opt/venv/bin/python -c '
import scm, ver
assert scm.data == "told\n"' || fail "import"
rm -rf b
ok "what only git names is in the wheel"

echo >repos/scm/later && g scm add -A && g scm commit -qm third
"$envbuild" lock -q x.yaml || fail "lock again"
grep -q "$commit" x.lock || fail "a branch moved by itself"
mkdir two
cp x.yaml x.lock two/
(cd two && umask 077 && TZ=Asia/Tokyo XDG_CACHE_HOME=$work/two/cache "$envbuild" build -q --locked -j 1 x.yaml -o oci:img) >second || fail "another place"
cmp -s one/img/index.json two/img/index.json || fail "$(cat first second) differ"
ok "another place fetches the same commits and builds the same image"

"$envbuild" lock -q --upgrade x.yaml scm 2>said || fail "$(cat said)"
grep -q "$(g scm rev-parse HEAD)" x.lock || fail "--upgrade does not move the branch"
"$envbuild" build -q x.yaml -o oci:one/new >/dev/null || fail "build of the moved branch"
ok "--upgrade moves the branch"

exec 9>&-
wait
"$envbuild" lock -q --offline x.yaml || fail "lock --offline"
"$envbuild" build -q --offline --locked x.yaml -o oci:one/again >/dev/null || fail "build --offline"
cmp -s one/new/index.json one/again/index.json || fail "offline it is another image"
ok "without the servers nothing is missing"
