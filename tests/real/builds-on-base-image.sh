#!/bin/bash
# The recipe's project, a package from source and bytecode on somebody's own image (Debian 13 with the python3 of apt): built in
# that image's layers, elsewhere the same, run in a container; an edit changes one layer; what is missing in the image is told. A
# layer that means harm leads nowhere. With ALL=1 also a C extension, in an image with gcc.
# BASE_IMAGE_ROOT is a tar to use for Debian.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need umoci skopeo python3
need_sealed
scratch
cd "$work"

# NAME [PACKAGE...]: an image of Debian
image() {
    local root=$work/root-$1.tar packages=python3,ca-certificates,libffi8
    if [ "$1" = plain ] && [ -n "${BASE_IMAGE_ROOT:-}" ]; then
        root=$BASE_IMAGE_ROOT
    else
        need mmdebstrap
        [ -z "${2:-}" ] || packages=$packages,$2
        mmdebstrap --quiet --variant=minbase "--include=$packages" trixie "$root" http://deb.debian.org/debian || fail "mmdebstrap"
    fi
    umoci new --image "images:$1"
    umoci raw add-layer --image "images:$1" "$root"
    umoci config --image "images:$1" --config.env PATH=/usr/local/bin:/usr/bin:/bin
}
# NAME: as `base.image` names it, seen from a folder beside it
reference() {
    printf 'oci:../images:%s@sha256:%s' "$1" "$(skopeo inspect --raw "oci:images:$1" | sha256sum | cut -d' ' -f1)"
}
layers() {
    python3 -c 'import json, sys
for l in json.load(open(sys.argv[1]))["built"]["layers"]: print(l["name"], l["digest"])' "$1"
}
umoci init --layout images
image plain

mkdir -p app/src/app
cat >app/pyproject.toml <<'TOML'
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "app"
version = "1.0"
dependencies = ["six"]
TOML
echo 'value = 1' >app/src/app/__init__.py
printf 'name: app\ntag: v1\npytorch: none\nbase: {image: "%s"}\nproject: .\npip: [docopt]\nbuild: [docopt]\nbytecode: true\n' "$(reference plain)" >app/x.yaml
(cd app && "$envbuild" build -q x.yaml -o oci:../img) >said || fail "build"
grep -q "\"root\": \[" app/x.lock && grep -A1 '"root": \[' app/x.lock | grep -q "$(reference plain | cut -d@ -f2)" || fail "the base image is not in the lock"
mkdir root
unpack_image img app:v1 root || fail "unpack"
# shellcheck disable=SC2016 # Python's
says='import app, docopt, six, sys; print(app.value, docopt.__version__, sys.version_info[:2], app.__cached__.endswith(".pyc"))'
bwrap --unshare-all --ro-bind root / --proc /proc --dev /dev --tmpfs /tmp /opt/venv/bin/python -c "$says" >said 2>&1 || fail "$(cat said)"
[ "$(cat said)" = "1 0.6.2 (3, 13) True" ] || fail "$(cat said)"
[ -e "$(find root/opt/venv -name '__init__.cpython-313.pyc' -path '*six*' -o -name 'six.cpython-313.pyc' | head -1)" ] || fail "no bytecode"
rm -rf root
ok "a project, a package from source and bytecode, made in the image and found in it: $(cat said)"
if start_docker; then
    (cd app && "$envbuild" build -q x.yaml -o docker:) >said 2>&1 || fail "$(cat said)"
    "$docker" run --rm --network none app:v1 python -c "$says" >said 2>&1 || fail "$(cat said)"
    [ "$(tail -n 1 said)" = "1 0.6.2 (3, 13) True" ] || fail "$(cat said)"
    "$docker" rmi -f app:v1 >rmi 2>&1
    ok "Docker's Python says the same"
fi

layers app/x.lock >before
echo 'value = 2' >app/src/app/__init__.py
begun=$(date +%s%N)
(cd app && "$envbuild" build -q x.yaml -o oci:../img) >said || fail "build after an edit"
took=$((($(date +%s%N) - begun) / 1000000))
[ "$(layers app/x.lock | diff before - | grep '^>' | cut -d' ' -f2)" = project ] || fail "$(layers app/x.lock | diff before -)"
ok "an edit changes the project's layer alone, in $took ms (load $(cut -d' ' -f1 /proc/loadavg) on $(nproc) cores)"

mkdir there
cp -r app images there
(cd there/app && umask 077 && TZ=Asia/Tokyo LC_ALL=C XDG_CACHE_HOME=$work/cache "$envbuild" build -q --locked -j 1 x.yaml -o oci:img) >said || fail "elsewhere"
(cd app && "$envbuild" build -q --locked x.yaml -o oci:img) >said || fail "once more"
cmp app/img/index.json there/app/img/index.json || fail "another place builds another image"
chmod -R u+w there cache 2>/dev/null
rm -rf there cache app/img
ok "another folder and store, zone, umask and one core give the same image"

# ---- what the image lacks ----

mkdir -p c
cat >c/setup.py <<'PY'
from setuptools import Extension, setup
setup(name="cext", version="1.0", ext_modules=[Extension("cext", ["cext.c"])])
PY
cat >c/cext.c <<'C'
#include <Python.h>
static struct PyModuleDef def = {PyModuleDef_HEAD_INIT, .m_name = "cext"};
PyMODINIT_FUNC PyInit_cext(void) { return PyModule_Create(&def); }
C
printf 'name: c\ntag: v1\npytorch: none\nbase: {image: "%s"}\nproject: .\n' "$(reference plain)" >c/x.yaml
(cd c && "$envbuild" build -q x.yaml -o oci:img) >said 2>&1 && fail "a C extension without a compiler"
grep -q 'gcc is not in the root; put it into the image that is the base' said || fail "$(cat said)"
ok "a compiler that the image lacks is named"

umoci tag --image images:plain shellless
for name in sh dash bash; do umoci insert --image images:shellless --whiteout "/usr/bin/$name"; done
sed "s|image: \".*\"|image: \"$(reference shellless)\"|" app/x.yaml >app/y.yaml
(cd app && "$envbuild" build -q y.yaml -o oci:img) >said 2>&1 && fail "no shell"
grep -q 'the system to build in has no /bin/sh that runs, which a sealed build begins with; take a base that has one' said || fail "$(cat said)"
ok "so is a shell"

# ---- a layer that means harm ----

python3 - <<'PY'
import io, tarfile
with tarfile.open("harm.tar", "w") as tar:
    def put(name, kind=tarfile.REGTYPE, link="", mode=0o644, data=b"x"):
        t = tarfile.TarInfo(name)
        t.type, t.linkname, t.mode = kind, link, mode
        t.size = len(data) if kind == tarfile.REGTYPE else 0
        t.devmajor, t.devminor = 1, 3
        tar.addfile(t, io.BytesIO(data))
    put("../../../../../../../tmp/envbuild-harm")
    put("out", tarfile.SYMTYPE, "/tmp")
    put("out/envbuild-harm")
    put("up", tarfile.SYMTYPE, "../../../../../../../../tmp")
    put("up/envbuild-harm")
    put("usr/bin/setuid", mode=0o6755)
    put("usr/bin/null", tarfile.CHRTYPE, mode=0o666)
    put("usr/bin/pipe", tarfile.FIFOTYPE)
    put("usr/bin/lower", tarfile.LNKTYPE, "usr/bin/env")  # which only a lower layer has
    put("usr/share/.wh.doc", data=b"")
PY
umoci tag --image images:plain harm
umoci raw add-layer --image images:harm harm.tar
rm -f /tmp/envbuild-harm
sed "s|image: \".*\"|image: \"$(reference harm)\"|; /bytecode/d" app/x.yaml >app/z.yaml
(cd app && XDG_CACHE_HOME=$work/cache "$envbuild" build -q z.yaml -o oci:img) >said 2>&1 || fail "$(cat said)"
[ ! -e /tmp/envbuild-harm ] || fail "it leads out"
root=$(dirname "$(find cache/envbuild/unpacked/roots -path '*/files/usr/bin/setuid')")
[ "$(stat -c %a "$root/setuid")" = 755 ] && [ ! -e "$root/null" ] && [ ! -e "$root/pipe" ] || fail "$(ls -l "$root" | grep -E 'setuid|null|pipe')"
cmp -s "$root/lower" "$root/env" && [ ! -e "$root/../share/doc" ] || fail "a link to a lower layer, or a whiteout, is lost"
ok "no way out, no device, no set-user-id; links to lower layers and whiteouts are as they should be"

[ -n "${ALL:-}" ] || exit 0
image gcc gcc,libc6-dev,python3-dev
sed -i "s|image: \".*\"|image: \"$(reference gcc)\"|" c/x.yaml
(cd c && "$envbuild" lock -q x.yaml && "$envbuild" build -q x.yaml -o oci:../img) >said 2>&1 || fail "$(cat said)"
mkdir root
unpack_image img c:v1 root || fail "unpack"
bwrap --unshare-all --ro-bind root / --proc /proc --dev /dev --tmpfs /tmp /opt/venv/bin/python -c 'import cext' || fail "import"
ok "a C extension is compiled by the image's gcc"
