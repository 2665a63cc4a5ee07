#!/bin/sh
# Run the tests against real archives, indexes and clients, one after the other. A name as an argument
# runs that one alone. Each script ends with 0 when it passed or said loudly why it was skipped.
# SPDX-License-Identifier: Apache-2.0
set -u
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$here/../.." || exit 1
all='recipes.sh main-job.sh venv-vs-pip.sh clients.sh system-vs-mmdebstrap.sh bases.sh base-image.sh startup.sh inspect.sh
    emit.sh stub.sh devel.sh solve-vs-apt.py solve-vs-pip.sh apt-archive.py elf-vs-readelf.py needs-vs-ldd.py'
passed=0 failed=0 skipped=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

for name in ${*:-$all}; do
    printf '== %s\n' "$name"
    start=$(date +%s)
    case $name in
    *.py) runner=python3 ;;
    *) runner=bash ;;
    esac
    "$runner" "tests/real/$name" >"$log" 2>&1
    status=$?
    sed 's/^/   /' "$log"
    took=$(($(date +%s) - start))
    if [ "$status" != 0 ]; then
        failed=$((failed + 1))
        printf '== %s FAILED after %s s (exit %s)\n' "$name" "$took" "$status"
    elif grep -q '^skipped: .*' "$log" && ! grep -q '^ok' "$log"; then
        skipped=$((skipped + 1))
        printf '== %s SKIPPED, see above\n' "$name"
    else
        passed=$((passed + 1))
        printf '== %s passed in %s s\n' "$name" "$took"
    fi
done
printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ]
