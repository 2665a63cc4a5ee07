#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Compare the choice of build/.../tools/solve_pypi with what pip chooses, on the real index, with the
# Python and glibc of this machine. Needs: PyPI, /usr/bin/python3 with venv. Wheels only, as ours.
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
    timeout 120 "$work/venv/bin/pip" install -q -U pip packaging >"$work/log" 2>&1 ||
    { tail -n 1 "$work/log"; echo "skipped: PyPI cannot be reached"; exit 0; }
"$work/venv/bin/pip" --version
"$work/venv/bin/python" tests/real/pypi-tables.py --check || failed=1
# Versions, markers and the like against `packaging`, with all texts of its own tests.
if timeout 120 "$work/venv/bin/pip" download -q --no-deps --no-binary :all: -d "$work" \
    "packaging==$("$work/venv/bin/python" -c 'import packaging; print(packaging.__version__)')" >"$work/log" 2>&1; then
    mkdir "$work/packaging" && tar -xf "$work"/packaging-*.tar.gz -C "$work/packaging" --strip-components 1
else
    echo "skipped: no source of packaging: $(tail -n 1 "$work/log")"
fi
"$work/venv/bin/python" tests/real/pypi-judge.py "$(dirname "$tool")/judge_pypi" \
    $([ ! -d "$work/packaging" ] || echo --tests "$work/packaging/tests") || failed=1
full=$("$python" -c 'import platform; print(platform.python_version())')
glibc=$("$python" -c 'import platform; print(platform.libc_ver()[1].split(".")[1])')

# "name==version" lines, or "unsolvable"
ask_pip() {
    if timeout 500 "$work/venv/bin/pip" install --dry-run --ignore-installed --only-binary :all: \
        --use-feature=fast-deps -q --report "$work/report" "$@" >"$work/pip.err" 2>&1; then
        "$python" - "$work/report" <<'PY'
import json, re, sys
for i in sorted((re.sub(r"[-_.]+", "-", i["metadata"]["name"]).lower(), i["metadata"]["version"])
                for i in json.load(open(sys.argv[1]))["install"]):
    print("==".join(i))
PY
    elif grep -q -e 'ResolutionImpossible' -e 'No matching distribution' "$work/pip.err"; then
        echo unsolvable
    else
        tail -n 3 "$work/pip.err"
    fi
}

ask_ours() {
    timeout 500 "$tool" "$work/store" -P "$full" -g "$glibc" "$@" 2>"$work/ours.err"
    case $? in
    0) ;;
    4) echo unsolvable ;;
    *) tail -n 3 "$work/ours.err" ;;
    esac
}

failed=${failed:-0}
while read -r line; do
    [ -n "$line" ] || continue
    eval "set -- $line"
    start=$(date +%s.%N)
    ask_ours "$@" >"$work/ours"
    middle=$(date +%s.%N)
    ask_pip "$@" >"$work/pip"
    end=$(date +%s.%N)
    if cmp -s "$work/ours" "$work/pip"; then
        printf 'same  %3d packages, ours %5.1f s, pip %5.1f s: %s\n' "$(wc -l <"$work/ours")" \
            "$(echo "$middle - $start" | bc)" "$(echo "$end - $middle" | bc)" "$line"
        [ "$(cat "$work/ours")" != unsolvable ] || sed 's/^/      /' "$work/ours.err"
    else
        failed=1
        echo "OTHER: $line  (< ours, > pip)"
        diff "$work/ours" "$work/pip"
        grep -v '^note' "$work/ours.err"
    fi
done <<'EOF_SETS'
torch==2.6.0
torch==2.5.1 torchvision
torch==2.15.0
'torch==2.6.0' torchvision torchaudio 'numpy<2.3'
jupyterlab
transformers
scikit-learn pandas matplotlib
'fastapi[all]'
spacy
black
'black>=23.1a1'
'apache-airflow==2.8.1'
'pandas[excel]'
'tensorflow'
'transformers[torch]' datasets accelerate
's3fs' 'botocore<1.30'
'torch==2.6.0' 'torchvision==0.20.1'
'dask[complete]' 'urllib3<2'
boto3 'urllib3<1.26'
nonexistent-envbuild-xyz
EOF_SETS
exit "$failed"
