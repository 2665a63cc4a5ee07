#!/bin/sh
# The workflow of examples/ci holds against actionlint, GitLab's pipeline against GitLab's schema, the Jobs against Kubernetes',
# and the scripts against shellcheck, where each is there. actionlint comes from the Go module proxy, the schemas from PyPI.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
scratch
cd "$work"

# FILE COMMAND...: it takes the file, and refuses it with a word that is wrong.
holds() {
    sed "s/$2/no_such_$2/" "$top/examples/ci/$1" >"$work/$1"
    what=$1 word=$2
    shift 2
    "$@" "$top/examples/ci/$what" >log 2>&1 || fail "$what: $(cat log)"
    if "$@" "$work/$what" >log 2>&1; then fail "$what with no_such_$word is not refused"; fi
    ok "$what holds against its schema"
}

if python3 -m venv venv 2>log && venv/bin/pip install -q --disable-pip-version-check check-jsonschema kubernetes-validate >log 2>&1; then
    holds gitlab-ci.yml interruptible venv/bin/check-jsonschema --builtin-schema vendor.gitlab-ci
    holds github-actions.yml concurrency venv/bin/check-jsonschema --builtin-schema vendor.github-workflows
    cat >k8s.py <<'P'
import sys, kubernetes_validate as k
for d in k.utils.yaml.safe_load_all(open(sys.argv[1])):
    for version in k.utils.all_versions()[-1], "1.25":
        k.validate(d, version, strict=True)
P
    holds kubernetes.yml ttlSecondsAfterFinished venv/bin/python k8s.py
else
    echo "skipped: the schemas cannot be had: $(tail -1 log)"
fi
if command -v shellcheck >/dev/null; then
    shellcheck "$top"/examples/ci/*.sh || fail "shellcheck finds faults"
    ok "shellcheck finds nothing"
fi

mkdir -p "$work/repo/.github/workflows"
cp "$top/examples/ci/github-actions.yml" "$work/repo/.github/workflows/images.yml"
actionlint=$(command -v actionlint || true)
if [ -z "$actionlint" ]; then
    need go
    GOPATH="$work/go" GOCACHE="$work/go-cache" GOFLAGS=-modcacherw go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.7 \
        >"$work/log" 2>&1 || skip "actionlint cannot be had: $(tail -1 "$work/log")"
    actionlint=$work/go/bin/actionlint
fi
cd "$work/repo"
git init -q .
"$actionlint" -color .github/workflows/images.yml || fail "actionlint finds faults"
ok "actionlint finds nothing"
sed 's/runs-on: ubuntu-24.04/runs-on: nowhere/' .github/workflows/images.yml >.github/workflows/wrong.yml
if "$actionlint" .github/workflows/wrong.yml >"$work/log" 2>&1; then fail "actionlint does not look"; fi
