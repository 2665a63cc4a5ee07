#!/bin/sh
# The main job on real inputs: a recipe becomes an image that runs PyTorch in Docker, and in which pip,
# apt and dpkg work as anywhere else.
#
#     tests/real/runs-pytorch.sh [--base BASE]     (debian-12 unless told)
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need curl
scratch
recipe=$work/pytorch.yaml
base=debian-12
[ "${1:-}" != --base ] || base=$2
cp "$top/recipes/pytorch-2.6.0-cuda12.4-cudnn9-runtime.yaml" "$recipe"
echo "base: $base" >>"$recipe"

"$envbuild" build "$recipe" -o "oci:$work/images" >"$work/ref" || fail "build"
grep -q "^oci:$work/images:pytorch:2.6.0-cuda12.4-cudnn9-runtime\$" "$work/ref" || fail "stdout is $(cat "$work/ref")"
[ "$(wc -l <"$work/ref")" = 1 ] || fail "stdout has more than the reference"
ok "recipe on $base becomes $(cat "$work/ref")"

lock=$work/pytorch.lock
cp "$lock" "$work/lock.before"
"$envbuild" build --locked --offline "$recipe" -o "oci:$work/images" >"$work/ref2" || fail "rebuild"
cmp -s "$work/ref" "$work/ref2" || fail "a rebuild names another image"
cmp -s "$lock" "$work/lock.before" || fail "a locked build changed the lock"
ok "rebuilt from the lock, offline: the same image"

"$envbuild" lock "$recipe" 2>"$work/err" >/dev/null || fail "lock again: $(cat "$work/err")"
cmp -s "$lock" "$work/lock.before" || fail "a second lock changed the lock"
ok "a second lock changes nothing"

umask 077
mkdir "$work/elsewhere"
(cd "$work/elsewhere" && cp "$recipe" "$lock" . &&
    TZ=Pacific/Kiritimati LC_ALL=C.UTF-8 "$envbuild" build --locked --offline -j 1 pytorch.yaml \
        -o oci:other >"$work/ref3") || fail "build elsewhere"
cmp -s "$work/images/index.json" "$work/elsewhere/other/index.json" ||
    fail "another folder, umask, time zone, locale and -j give another digest"
diff -r "$work/images/blobs" "$work/elsewhere/other/blobs" >/dev/null || fail "blobs differ"
rm -rf "$work/elsewhere"
umask 022
ok "another folder, umask, time zone, locale and -j: the same bytes"

if command -v skopeo >/dev/null; then
    skopeo inspect "$(cat "$work/ref")" >"$work/inspect" || fail "skopeo"
    grep -q '"io.envbuild.cuda.version": "12.4"' "$work/inspect" || fail "labels"
    ok "skopeo reads it"
else
    echo "skipped: skopeo is not installed"
fi

start_docker || skip "the container checks need root and a Docker daemon that starts"
"$envbuild" build --locked --offline "$recipe" -o docker: >/dev/null || fail "docker:"
rm -rf "$work/images"
image=pytorch:2.6.0-cuda12.4-cudnn9-runtime
status=0
PATH=$(dirname "$docker"):$PATH "$envbuild" run --locked --offline -q "$recipe" -- python -c '
import os, torch
assert os.path.exists("pytorch.yaml"), os.listdir(".")
assert os.statvfs("/dev/shm").f_blocks * os.statvfs("/dev/shm").f_frsize >= 8 << 30
raise SystemExit(43)' >"$work/log" 2>&1 || status=$?
[ "$status" = 43 ] || fail "envbuild run exits $status: $(cat "$work/log")"
ok "envbuild run: the folder is there, /dev/shm is large, the exit code is passed on"
in_container "$image" python -c '
import torch
print(torch.__version__, torch.version.cuda, torch.backends.cudnn.version())
a = torch.ones(64, 64) @ torch.ones(64, 64)
assert a.sum().item() == 64 ** 3
' >"$work/torch" || fail "import torch"
[ "$(cat "$work/torch")" = "2.6.0+cu124 12.4 90100" ] || fail "torch says $(cat "$work/torch")"
ok "docker run: torch $(cat "$work/torch"), and two matrices multiply"
in_container "$image" pip check >"$work/out" || fail "pip check: $(cat "$work/out")"
in_container "$image" pip install -q tabulate || fail "pip install"
ok "pip check, pip install"
# shellcheck disable=SC2016 # for the shell inside
in_container "$image" sh -ec '"$(readlink -f /opt/venv/bin/python)" -m venv --without-pip /tmp/venv
    cd /tmp/venv; sed -i s,/tmp/venv,/opt/venv, pyvenv.cfg bin/activate*
    for f in pyvenv.cfg .gitignore bin/[aA]ctivate*; do
        [ -e "$f" ] || [ -e "/opt/venv/$f" ] || continue
        cmp "$f" "/opt/venv/$f"
    done' >"$work/out" 2>&1 || fail "the venv differs: $(cat "$work/out")"
ok "the venv has what python -m venv puts into one"
in_container "$image" sh -ec 'test -z "$(dpkg --audit)"; dpkg --verify' >"$work/out" 2>&1 ||
    fail "dpkg: $(cat "$work/out")"
grep -v ' /etc/ssl/certs/ca-certificates.crt\| /etc/resolv.conf\| /etc/hosts' "$work/out" >"$work/out2" || true
[ ! -s "$work/out2" ] || fail "dpkg --verify says $(cat "$work/out2")"
ok "dpkg --audit and --verify have nothing to say"
in_container "$image" sh -ec 'apt-get update -q; apt-get install -y -q --no-install-recommends less
    less --version | head -1; apt-get purge -y -q less' >"$work/out" 2>&1 ||
    fail "apt-get: $(tail -5 "$work/out")"
ok "apt-get update, install, purge"
mkdir "$work/context"
printf 'FROM %s\nRUN python -c "import torch" && touch /made\n' "$image" >"$work/context/Dockerfile"
DOCKER_BUILDKIT=0 "$docker" build -q --network host "$work/context" >/dev/null || fail "FROM ours"
ok "FROM this image works in a Dockerfile"
