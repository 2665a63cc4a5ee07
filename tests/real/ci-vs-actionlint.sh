#!/bin/sh
# The workflow of examples/ci holds against actionlint, and its scripts against shellcheck where it is there. actionlint
# comes from the Go module proxy; without Go, or without the network, this is skipped.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
scratch
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
if command -v shellcheck >/dev/null; then
    shellcheck "$top"/examples/ci/*.sh || fail "shellcheck finds faults"
    ok "shellcheck finds nothing"
fi
