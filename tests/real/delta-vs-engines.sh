#!/bin/sh
# A class's image of PyPI's real wheels, and the next week's with one small package more: the delta costs little more than that
# package, and what it makes in a layout, in Docker's own store and in podman is the image that is loaded there directly. Engines
# that are missing are named as skipped.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need python3 gpgv
scratch
cd "$work"
recipe() {
    printf 'name: class\ntag: week-%s\npytorch: none\nbase: debian-12\npip: [numpy, pandas, matplotlib, scikit-learn, jupyterlab%s]\n' "$1" "$2" >class.yaml
}
build() {
    "$envbuild" build -q -o "oci:week-$1" class.yaml >/dev/null || fail "build week $1"
    cp class.lock "week-$1.lock"
}
recipe 1 ''
build 1
recipe 2 ', seaborn'
"$envbuild" lock -q class.yaml || fail "lock week 2"
build 2
old=$(built_digest week-1.lock) new=$(built_digest week-2.lock)
config() {
    python3 -c 'import json, sys; print(json.load(open(f"{sys.argv[1]}/blobs/sha256/{sys.argv[2][7:]}"))["config"]["digest"])' "$1" "$2"
}
id=$(config week-2 "$new")
package=$(python3 -c 'import json; print(next(a["size"] for a in json.load(open("week-2.lock"))["artifacts"] if a["name"] == "seaborn"))')
"$envbuild" delta --json "oci:week-1@$old" "oci:week-2@$new" -o week-2.delta >told || fail "delta"
cat told
size=$(stat -c %s week-2.delta)
[ "$size" -le $((package * 3 / 2 + 200000)) ] || fail "seaborn has $package bytes, the delta $size"
ok "$size bytes for a package of $package"
"$envbuild" delta -q "oci:week-1@$old" "oci:week-2@$new" -o again.delta >/dev/null && cmp week-2.delta again.delta || fail "another delta"
ok "the same images give the same delta"

"$envbuild" copy -q --all "oci:week-1@$old" oci:students:class:old >/dev/null || fail "copy"
"$envbuild" apply --json week-2.delta oci:students:class:new || fail "apply to a layout"
python3 -c 'import json, sys; sys.exit(sys.argv[1] not in [m["digest"] for m in json.load(open("students/index.json"))["manifests"]])' "$new" || fail "another image in the layout"
python3 - students <<'P' || fail "a blob that is not what its name says"
import hashlib, os, sys
folder = sys.argv[1] + "/blobs/sha256/"
for name in os.listdir(folder):
    with open(folder + name, "rb") as f:
        assert hashlib.sha256(f.read()).hexdigest() == name, name
P
ok "a layout"

# ENGINE PROGRAM: the old image, loaded; the delta; the same ID as the new one's, loaded directly.
applies() {
    "$envbuild" copy -q "oci:week-1@$old" "$1:class:latest" >/dev/null || fail "$1: load week 1"
    "$envbuild" apply week-2.delta "$1:class:latest" || fail "apply to $1"
    made=$("$2" image inspect --format '{{.Id}}' class:latest)
    [ "sha256:${made#sha256:}" = "$id" ] || fail "$1 has $made and not $id"
    "$envbuild" copy -q "oci:week-2@$new" "$1:class:direct" >/dev/null || fail "$1: load week 2"
    [ "$("$2" image inspect --format '{{.Id}}' class:direct)" = "$made" ] || fail "$1: another image than the one that is loaded directly"
    ok "$1"
}
if start_docker; then
    applies docker "$docker"
else
    echo "skipped: Docker"
fi
if command -v podman >/dev/null; then
    mkdir -p conf
    printf '[storage]\ndriver = "overlay"\ngraphroot = "%s/podman/root"\nrunroot = "%s/podman/run"\n' "$work" "$work" >conf/storage.conf
    export CONTAINERS_STORAGE_CONF="$work/conf/storage.conf"
    applies podman podman
    podman rmi -a -f >/dev/null 2>&1 || true
else
    echo "skipped: podman"
fi
