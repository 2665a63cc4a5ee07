#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Compare the choice of build/.../tools/solve_pypi with what pip chooses, on the real index: the sets of
# solve-vs-pip.sets, all of them with --all or ALL=1. Needs: PyPI, /usr/bin/python3 with venv; bwrap for the sets that may take sdists, whose
# backends are asked sealed by ours, and by pip as it does.
# The judges are those that ours was written after; with ALL=1 the newest, which may have changed their minds since.
set -u
cd "$(dirname "$0")/../.." || exit 1
python=${PYTHON:-/usr/bin/python3}
tool=${TOOLS:-build/obj-cc/tools}/solve_pypi
[ -x "$tool" ] || make tools || exit 1
"$python" -c 'import venv, ensurepip' 2>/dev/null || { echo "skipped: $python has no venv"; exit 0; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
unset PIP_FIND_LINKS PIP_EXTRA_INDEX_URL PIP_INDEX_URL PIP_CONSTRAINT PIP_PRE
export PIP_CONFIG_FILE=/dev/null PIP_DISABLE_PIP_VERSION_CHECK=1
"$python" -m venv "$work/venv" &&
    timeout 600 "$work/venv/bin/pip" install -q -U $([ -z "${ALL:-}" ] && echo pip==26.3 packaging==26.3 || echo pip packaging) uv \
        >"$work/log" 2>&1 ||
    { tail -n 1 "$work/log"; echo "skipped: PyPI cannot be reached"; exit 0; }
"$work/venv/bin/pip" --version
"$work/venv/bin/python" tests/real/judges/packaging-tables.py --check || failed=1
# Versions, markers and the like against `packaging`, with all texts of its own tests.
if timeout 600 "$work/venv/bin/pip" download -q --no-deps --no-binary :all: -d "$work" \
    "packaging==$("$work/venv/bin/python" -c 'import packaging; print(packaging.__version__)')" >"$work/log" 2>&1; then
    mkdir "$work/packaging" && tar -xf "$work"/packaging-*.tar.gz -C "$work/packaging" --strip-components 1
else
    echo "skipped: no source of packaging: $(tail -n 1 "$work/log")"
fi
"$work/venv/bin/python" tests/real/judges/pypi-vs-packaging.py "$(dirname "$tool")/judge_pypi" \
    $([ ! -d "$work/packaging" ] || echo --tests "$work/packaging/tests") || failed=1
envbuild=${ENVBUILD:-$PWD/build/envbuild}
if bwrap --unshare-all --unshare-user --uid 1000 --gid 1000 --ro-bind / / --proc /proc --dev /dev true 2>/dev/null; then
    set -- --sources "$envbuild" "$@"
    mkdir -p "$work/store/locks/envbuild"
    cp -rl "${XDG_CACHE_HOME:-$HOME/.cache}/envbuild/blobs" "$work/store/locks/envbuild/" 2>/dev/null || true
else
    echo "skipped: bwrap, which asks backends, does not work here: no sets with sdists"
fi
"$work/venv/bin/python" tests/real/judges/sets-vs-pip.py tests/real/data/solve-vs-pip.sets "$tool" "$work/venv" "$work/store" ${ALL:+--all} "$@" ||
    failed=1
exit "${failed:-0}"
