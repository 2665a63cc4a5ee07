#!/bin/bash
# Every base but the default one: its system against mmdebstrap's, and the main job on top of it; the main job on
# ubuntu-24.04 alone unless ALL=1.
# SPDX-License-Identifier: Apache-2.0
set -u
here=$(cd "$(dirname "$0")" && pwd)
failed=0
for file in "$here"/../../base-layers/*.yaml; do
    base=$(basename "$file" .yaml)
    [ "$base" != debian-12 ] || continue
    echo "-- $base"
    bash "$here/system-vs-mmdebstrap.sh" --base "$base" || failed=1
    case ${ALL:-}$base in
    1* | ubuntu-24.04) bash "$here/main-job.sh" --base "$base" || failed=1 ;;
    esac
done
exit $failed
