#!/bin/bash
# `project: .` of a recipe: a pure Python project in a git work tree, one that has setup.py alone, two whose versions setuptools-scm and versioneer tell. An edited
# file changes one layer, within a time that is printed; requirements that changed are chosen anew; what git ignores is not taken; another place
# builds the same image from the lock; the packages import.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need umoci python3 git
need_sealed
scratch
cd "$work"
mkdir log
log=$work/log # what a project's folder holds belongs to it
export XDG_CACHE_HOME=$work/cache GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b.test GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b.test

# "NAME DIGEST" of each layer that was built
layers() {
    python3 -c 'import json, sys
for l in json.load(open(sys.argv[1]))["built"]["layers"]: print(l["name"], l["digest"])' "$1"
}
# In the image of $1, which stands under the name $2, Python says $4... to $3.
says() {
    umoci unpack --rootless --image "$1" "$log/$2" >"$log/umoci" 2>&1 || fail "$(cat "$log/umoci")"
    bwrap --unshare-all --ro-bind "$log/$2/rootfs" / --proc /proc --dev /dev --tmpfs /tmp --chdir / /opt/venv/bin/python -c "$3" >"$log/said" 2>&1 || fail "$(cat "$log/said")"
    [ "$(cat "$log/said")" = "$4" ] || fail "$(cat "$log/said"), not $4"
    rm -rf "$log/$2"
}

mkdir -p one/src/one
cd one
cat >pyproject.toml <<'TOML'
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "One"
dynamic = ["version"]
dependencies = ["six>=1.16"]
[project.optional-dependencies]
web = ["itsdangerous"]
[dependency-groups]
base = ["iniconfig"]
dev = [{include-group = "base"}, "toolz"]
[tool.hatch.version]
path = "src/one/__init__.py"
[tool.hatch.build]
ignore-vcs = true
[tool.hatch.build.targets.wheel]
packages = ["src/one"]
TOML
printf '__version__ = "1.0"\nvalue = 1\n' >src/one/__init__.py
echo secret >src/one/secret.txt
printf 'secret.txt\n' >.gitignore
git init -q -b main . && git add -A && git commit -qm first
cat >x.yaml <<'YAML'
name: one
pytorch: none
project: {path: ., extras: [web], groups: [dev]}
YAML
"$envbuild" build -q x.yaml -o oci:img >"$log/first" || fail "build"
says img:one:python3.11-runtime b 'import one, six, itsdangerous, iniconfig, toolz, os; print(one.value, sorted(os.listdir(os.path.dirname(one.__file__))))' \
    "1 ['__init__.py']"
grep -q '"version": "1.0"' x.lock || fail "no version"
[ "$(layers x.lock | tail -2 | cut -d' ' -f1 | tr '\n' ' ')" = "project files " ] || fail "$(layers x.lock)"
ok "a project of hatchling with an extra and a group, without what git ignores"

layers x.lock >"$log/before"
took=
for i in 2 3 4; do
    printf '__version__ = "1.%s"\nvalue = %s\n' $i $i >src/one/__init__.py
    "$envbuild" build -q --locked x.yaml -o oci:img >"$log/said" 2>&1 && fail "--locked takes an edit"
    grep -q "the project one changed" "$log/said" || fail "$(cat "$log/said")"
    begun=$(date +%s%N)
    "$envbuild" build -q x.yaml -o oci:img >"$log/last" || fail "build after an edit"
    took="$took $((($(date +%s%N) - begun) / 1000000)) ms"
done
[ "$(layers x.lock | diff "$log/before" - | grep -c '^>')" = 1 ] || fail "$(layers x.lock | diff "$log/before" -)"
layers x.lock | diff "$log/before" - | grep -q '^> project ' || fail "$(layers x.lock | diff "$log/before" -)"
grep -q '"version": "1.4"' x.lock || fail "the version stays behind"
says img:one:python3.11-runtime b 'import one; print(one.value)' 4
ok "an edit changes the project's layer alone; with a build and all:$took (load $(cut -d' ' -f1 /proc/loadavg) on $(nproc) cores)"

mkdir "$work/two"
git ls-files -zco --exclude-standard | grep -zv '^img/' | xargs -0 cp --parents -t "$work/two"
chmod -R go-rwx "$work/two"
(cd "$work/two" && git init -q && umask 077 && TZ=Asia/Tokyo XDG_CACHE_HOME=$work/two.cache "$envbuild" build -q --locked -j 1 x.yaml -o oci:img) >"$log/second" ||
    fail "another place"
cmp "$work/two/img/index.json" <(cd "$work/two" && "$envbuild" build -q --locked x.yaml -o oci:img2 >/dev/null && cat img2/index.json) || fail "not the same twice"
python3 - img "$work/two/img" <<'PY' || fail "another place builds another image"
import json, sys
here, there = ({m["digest"] for m in json.load(open(p + "/index.json"))["manifests"] if "annotations" in m} for p in sys.argv[1:])
assert here & there, (here, there)
PY
rm -rf "$work/two" "$work/two.cache"
ok "another place builds the same image from the lock"

sed -i 's/six>=1.16/six<1.16/' pyproject.toml
"$envbuild" build -q x.yaml >"$log/said" 2>&1 && fail "other requirements need no lock"
grep -q "pyproject.toml changed" "$log/said" || fail "$(cat "$log/said")"
"$envbuild" lock -q x.yaml && "$envbuild" build -q x.yaml -o oci:img >"$log/last" || fail "lock"
says img:one:python3.11-runtime b 'import six; print(six.__version__ < "1.16")' True
ok "other requirements are chosen anew"
cd ..

mkdir -p old/build && cd old
cat >setup.py <<'PY'
from setuptools import setup
setup(name="old.er", version="0.3", py_modules=["older"], install_requires=["six"], extras_require={"more": ["toolz"]})
PY
echo 'import six' >older.py
echo 'left' >build/left
printf 'name: old\npytorch: none\nproject: {path: ., extras: [more]}\nbuild: {old-er: {constraints: ["setuptools<81"]}}\n' >x.yaml
"$envbuild" build -q x.yaml -o oci:img >"$log/last" || fail "setup.py alone"
says img:old:python3.11-runtime b 'import older, toolz; from importlib.metadata import version; print(version("old.er"))' 0.3
sed -i 's/"six"/"six", "iniconfig"/' setup.py
"$envbuild" build -q x.yaml >"$log/said" 2>&1 && fail "another setup.py needs no lock"
grep -q "setup.py changed" "$log/said" || fail "$(cat "$log/said")"
sed -i 's/\[more\]/[less]/' x.yaml
"$envbuild" lock -q x.yaml >"$log/said" 2>&1 && fail "an extra that is not there"
grep -q 'it has no extra "less"; there is more' "$log/said" || fail "$(cat "$log/said")"
ok "a project with setup.py alone, outside of git"
cd ..

mkdir -p scm/scm && cd scm
cat >pyproject.toml <<'TOML'
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
touch scm/__init__.py
printf 'name: scm\npytorch: none\nproject: .\n' >x.yaml
git init -q -b main . && git add -A && git commit -qm first && git tag -a -m x v1.2.0
echo >more && git add -A && git commit -qm second
"$envbuild" build -q x.yaml -o oci:img >"$log/last" || fail "setuptools-scm"
says img:scm:python3.11-runtime b 'from importlib.metadata import version; print(version("scm"))' "1.2.1.dev1+g$(git rev-parse HEAD | cut -c1-7)"
git add x.lock && git commit -qm lock
"$envbuild" build -q --locked x.yaml -o oci:img >"$log/again" && cmp -s "$log/last" "$log/again" || fail "a commit of the lock alone changes the version"
git tag v1.3.0
"$envbuild" lock -q --upgrade x.yaml scm && "$envbuild" build -q x.yaml -o oci:img >"$log/last" || fail "--upgrade"
says img:scm:python3.11-runtime b 'from importlib.metadata import version; print(version("scm"))' 1.3.0
ok "setuptools-scm gets the version that git describes"
cd ..

mkdir -p ver/ver && cd ver
cat >pyproject.toml <<'TOML'
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
tag_prefix = "ver-"
TOML
printf 'import versioneer\nfrom setuptools import setup\nsetup(version=versioneer.get_version(), cmdclass=versioneer.get_cmdclass(), packages=["ver"])\n' >setup.py
printf 'from . import _version\n__version__ = _version.get_versions()["version"]\n' >ver/__init__.py
# As `versioneer install` leaves it; it runs where there is git, so by its wheel here.
python3 -m venv "$log/venv" && "$log/venv/bin/pip" install -q 'versioneer[toml]==0.29' && git init -q -b main . && "$log/venv/bin/versioneer" install --vendor >"$log/said" || fail "$(cat "$log/said")"
printf 'name: ver\npytorch: none\nproject: .\n' >x.yaml
git add -A && git commit -qm first && git tag ver-2.0
echo >more && git add -A && git commit -qm second && git tag ver-2.1 && echo >less && git add -A && git commit -qm third
"$envbuild" build -q x.yaml -o oci:img >"$log/last" || fail "versioneer"
says img:ver:python3.11-runtime b 'import ver; from importlib.metadata import version; print(version("ver"), ver.__version__)' \
    "2.2.dev1+g$(git rev-parse HEAD | cut -c1-7) 2.2.dev1+g$(git rev-parse HEAD | cut -c1-7)"
ok "versioneer gets it, too"
