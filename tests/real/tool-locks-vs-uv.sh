#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Lock the same project with uv, take its uv.lock, its pylock.toml and the poetry.lock that Poetry makes as input, and hold what
# is locked against what uv would install: versions and hashes, for extras and groups too. Needs: PyPI, Debian, python3 with venv.
. "$(dirname "$0")/lib/common.sh"
python=${PYTHON:-/usr/bin/python3}
"$python" -c 'import venv, ensurepip' 2>/dev/null || skip "$python has no venv"
scratch
cd "$work"
export XDG_CACHE_HOME=$work/cache UV_CACHE_DIR=$work/uv POETRY_CACHE_DIR=$work/poetry PIP_DISABLE_PIP_VERSION_CHECK=1
"$python" -m venv venv && timeout 600 venv/bin/pip install -q uv poetry packaging >log 2>&1 || skip "PyPI cannot be reached: $(tail -n 1 log)"
cat >pyproject.toml <<'EOF'
[project]
name = "demo"
version = "0.1"
requires-python = ">=3.11,<3.13"
dependencies = ["torch==2.6.0", "einops", "requests[socks]>=2.31", "redis[hiredis]; python_version < '3.12'", "colorama; sys_platform == 'win32'"]

[project.optional-dependencies]
viz = ["matplotlib<3.10"]

[dependency-groups]
dev = ["pytest"]
docs = [{include-group = "dev"}, "markdown"]
EOF
venv/bin/uv lock -q 2>log || skip "uv cannot lock: $(tail -n 1 log)"

# FILE, the recipe's choice, uv's choice
try() {
    printf 'pytorch: "2.6.0"\ncuda: "12.4"\npip: [{lock: %s%s}]\n' "$1" "$2" >recipe.yaml
    rm -f recipe.lock
    "$envbuild" lock -q recipe.yaml 2>log || fail "$1$2: $(cat log)"
    # shellcheck disable=SC2086 # a list of options
    venv/bin/uv export -q --no-emit-project --no-default-groups $3 -o wanted.txt || fail "uv export $3"
    venv/bin/python "$top/tests/real/judges/lock-vs-uv.py" recipe.lock wanted.txt || fail "$1$2"
    ok "$1$2"
}

try uv.lock '' ''
try uv.lock ', extras: [viz], groups: [docs]' '--extra viz --group docs'
venv/bin/uv export -q --format pylock.toml --no-emit-project --all-extras --all-groups -o pylock.all.toml
try pylock.all.toml '' '--all-extras --all-groups'
# Poetry in a folder of its own, from the simple index alone: it chooses what uv chose, the newest.
mkdir poetry.d
sed -n '1,/^viz/p' pyproject.toml >poetry.d/pyproject.toml
printf '\n[tool.poetry]\npackage-mode = false\n\n[[tool.poetry.source]]\nname = "simple"\nurl = "https://pypi.org/simple/"\npriority = "primary"\n' >>poetry.d/pyproject.toml
if (cd poetry.d && timeout 600 ../venv/bin/poetry lock -q) 2>log; then
    try poetry.d/poetry.lock '' ''
    try poetry.d/poetry.lock ', extras: [viz]' '--extra viz'
else
    echo "skipped: Poetry cannot lock: $(tail -n 1 log)"
fi
