#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Read every file that toml-test has for TOML 1.0.0: the valid ones as its answers say, the others not at all. The newest
# release of its Go module, from the Go module proxy. Needs: curl, python3.
. "$(dirname "$0")/lib/common.sh"
need curl python3
[ -x "$tools/toml_tagged" ] || make -C "$top" tools
scratch
cd "$work"
module=https://proxy.golang.org/github.com/toml-lang/toml-test/v2/@v
curl -fsSL --max-time 300 "$module/list" >versions || skip "the Go module proxy cannot be reached"
version=$(sort -V versions | tail -n 1)
curl -fsSL --max-time 300 -o module.zip "$module/$version.zip" || skip "$module/$version.zip cannot be fetched"
python3 -m zipfile -e module.zip .
folder=$work/github.com/toml-lang/toml-test/v2@$version
python3 "$top/tests/real/judges/toml-vs-toml-test.py" "$tools/toml_tagged" "$folder" || fail "toml-test $version"
ok "toml-test $version"
