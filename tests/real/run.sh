#!/bin/sh
# Run the tests against real archives, indexes and clients: two lanes side by side, for many of them keep one core busy. Those
# that start Docker or take the machine's own places run one after the other in the first lane, with one folder for Docker's
# data, so that an image is loaded once. The others are in a queue, the longest first, from which a lane that is free takes the
# next. Names as arguments are run one after the other.
# Each script ends with 0 when it passed or said loudly why it was skipped; its name says what it proves. In judges/
# are programs that compute the right answer with another tool, in lib/ what scripts share, in data/ lists and files.
# SPDX-License-Identifier: Apache-2.0
set -u
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$here/../.." || exit 1
alone='runs-pytorch.sh services.sh serve.sh readme.sh registry-vs-clients.sh zstd-vs-clients.sh users.sh startup-check-in-docker.sh outputs-vs-clients.sh venv-vs-pip.sh
    bundle-vs-engines.sh emit-vs-schemas.sh serve-guarded.sh class.sh rooms.sh updates-vs-engines.sh delta-vs-engines.sh'
any='sealed-builds.sh builds-from-source.sh layers-vs-decoders.sh solve-vs-apt.py system-vs-mmdebstrap.sh solve-vs-pip.sh
    elf-vs-readelf.py solve-random-vs-apt.py stubs-link.sh recipes-lock.sh tool-locks-vs-uv.sh toml-vs-toml-test.sh needs-vs-ldd.py apt-archive-fetches.py ci-vs-actionlint.sh powershell-parses.sh'
folder=$(mktemp -d) || exit 1
lanes=
trap 'rm -rf "$folder"' EXIT
export DOCKER_DATA="$folder/docker"
trap 'kill $lanes 2>/dev/null; exit 130' INT TERM

# The next name of the queue, on standard output.
next() {
    flock "$folder/queue" sh -c 'head -n 1 "$1" && sed -i 1d "$1"' - "$folder/names"
}

from_queue() {
    while queued=$(next) && [ -n "$queued" ]; do
        lane "$1" "$queued"
    done
}

# What a script said is told when it ends, as a whole.
lane() {
    number=$1
    shift
    for name; do
        log=$folder/$number
        start=$(date +%s)
        case $name in
        *.py) runner=python3 ;;
        *) runner=bash ;;
        esac
        "$runner" "tests/real/$name" >"$log" 2>&1
        status=$?
        took=$(($(date +%s) - start))
        if [ "$status" != 0 ]; then
            result=failed
            says="FAILED after $took s (exit $status)"
        elif grep -q '^skipped: .*' "$log" && ! grep -q '^ok' "$log"; then
            result=skipped
            says='SKIPPED, see above'
        else
            result=passed
            says="passed in $took s"
        fi
        echo "$result" >>"$folder/results"
        flock "$folder" sh -c 'printf "== %s\n" "$1"; sed "s/^/   /" "$2"; printf "== %s %s\n" "$1" "$3"' - "$name" "$log" "$says"
    done
}

if [ $# -gt 0 ]; then
    lane 1 "$@"
else
    # shellcheck disable=SC2086 # lists of names
    printf '%s\n' $any >"$folder/names"
    # shellcheck disable=SC2086
    {
        lane 1 $alone
        from_queue 1
    } &
    lanes=$!
    from_queue 2 &
    lanes="$lanes $!"
    wait
fi
count() {
    grep -c "^$1" "$folder/results"
}
printf '%s passed, %s failed, %s skipped\n' "$(count passed)" "$(count failed)" "$(count skipped)"
[ "$(count failed)" = 0 ]
