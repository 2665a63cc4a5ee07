#!/bin/bash
# Every base but the default one: its system against mmdebstrap's, without a compiler; with ALL=1 with everything that the base
# file names, and the main job on top of each.
# SPDX-License-Identifier: Apache-2.0
set -u
here=$(cd "$(dirname "$0")" && pwd)
failed=0
for file in "$here"/../../base-layers/*.yaml; do
    base=$(basename "$file" .yaml)
    [ "$base" != debian-12 ] || continue
    echo "-- $base"
    # shellcheck disable=SC2046 # an option or nothing
    bash "$here/system-vs-mmdebstrap.sh" --base "$base" $([ -n "${ALL:-}" ] || echo --small) || failed=1
    [ -z "${ALL:-}" ] || bash "$here/runs-pytorch.sh" --base "$base" || failed=1
done
exit $failed
