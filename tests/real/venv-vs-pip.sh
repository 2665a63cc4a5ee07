#!/bin/bash
# /opt/venv of an image against `python3.11 -m venv` and pip with the same wheels: every path, its type,
# mode, owner, link and content. Needs root, and Python 3.11 as Debian 12 has it. NVIDIA's large wheels, which hold little
# but libraries, only with ALL=1.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
python=/usr/bin/python3.11
[ "$(id -u)" = 0 ] || skip "$0 needs root, to make /opt/venv"
[ -x $python ] && $python -c 'import venv, ensurepip' 2>/dev/null || skip "$0 needs Debian 12's python3-venv"
[ ! -e /opt/venv ] || skip "$0 makes /opt/venv, and there is one"
scratch
unset PIP_FIND_LINKS PIP_INDEX_URL PIP_EXTRA_INDEX_URL
export PIP_CONFIG_FILE=/dev/null PIP_DISABLE_PIP_VERSION_CHECK=1

# A recipe with scripts, data files and headers in its wheels, and two that share most of their paths: pip installs the
# one with contrib later, so that its cv2 stays.
cat >"$work/recipe.yaml" <<'END'
pytorch: "2.6.0"
pip: [numpy, jupyter-core, pybind11, opencv-python-headless, opencv-contrib-python-headless]
END
"$envbuild" build -q "$work/recipe.yaml" -o "oci:$work/images" >/dev/null || fail "build"
store=${XDG_CACHE_HOME:-$HOME/.cache}/envbuild

# The wheels under their names, for pip; then pip itself as the newest does it.
mkdir "$work/wheels"
python3 - "$work/recipe.lock" "$store" "$work/wheels" >"$work/pins" 2>"$work/large" <<'END'
import json, os, sys
lock, store, out = sys.argv[1:]
for a in json.load(open(lock))["artifacts"]:
    if a["type"] == "wheel" and a["name"].startswith("nvidia-") and a["size"] > 50 << 20 and not os.environ.get("ALL"):
        print(a["file"].split("-")[0], file=sys.stderr)
    elif a["type"] == "wheel":
        os.symlink(f"{store}/blobs/sha256/{a['sha256'][7:]}", f"{out}/{a['file']}")
        print(f"{a['name']}=={a['version']}", "requested" if a.get("requested") else "")
END
trap 'rm -rf /opt/venv; end' EXIT
umask 022
$python -m venv --without-pip /opt/venv
pip_wheel=$(echo "$work"/wheels/pip-*.whl)
install() {
    PYTHONDONTWRITEBYTECODE=1 /opt/venv/bin/python "$pip_wheel/pip" install -q --no-deps --no-compile \
        --no-index --find-links "$work/wheels" "$@" 2>"$work/err" || fail "pip: $(tail -3 "$work/err")"
}
# pip marks as requested what it is told; so first all, by a requirement of the others' names.
awk '{print $1}' "$work/pins" >"$work/all"
# shellcheck disable=SC2046
install $(cat "$work/all")
while read -r pin requested; do
    name=${pin%%==*}
    [ -n "$requested" ] || rm -f /opt/venv/lib/python3.11/site-packages/"${name//-/_}"-*.dist-info/REQUESTED
done <"$work/pins"
find /opt/venv -name __pycache__ -prune -exec rm -rf {} +

tag=$(sed -n 's/^  "tag": "\(.*\)",$/\1/p' "$work/recipe.lock")
unpack_image "$work/images" "$tag" "$work/ours" || fail "unpack"
(
    cd "$work/ours/opt/venv/lib/python3.11/site-packages" || exit 1
    while read -r large; do # nvidia/__init__.py is of several
        cut -d, -f1 "$large"-*.dist-info/RECORD | grep -v '^nvidia/__init__.py$' | xargs -d '\n' rm -f
        rm -rf "$large"-*.dist-info
    done <"$work/large"
    find . -depth -type d -empty -delete
) || fail "large wheels"
python3 "$(dirname "$0")/judges/compare-venv.py" /opt/venv "$work/ours/opt/venv" || fail "they differ"
ok "/opt/venv is what venv and pip make of the same wheels"
thinned() { # the answer of a cv2 that is imported from there
    env -i PYTHONPATH="$1/lib/python3.11/site-packages" $python -c \
        'import cv2; print(cv2.__version__, hasattr(cv2, "ximgproc") and hasattr(cv2.ximgproc, "thinning"))'
}
theirs=$(thinned /opt/venv) ours=$(thinned "$work/ours/opt/venv")
[ "$theirs" = "$ours" ] || fail "cv2 of pip: $theirs, of the image: $ours"
ok "cv2 of both: $ours"
