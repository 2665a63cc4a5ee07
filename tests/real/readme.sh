#!/bin/sh
# Every command of the README's blocks prints what it says there, on the real network and with Docker; the registry that it
# copies to is nobody's, so a folder takes that place.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib/common.sh"
need python3
scratch
start_docker || echo "skipped: what needs a Docker daemon"
mkdir "$work/reader"
ln -s "$envbuild" "$work/envbuild"
PATH=$work:$(dirname "${docker:-/usr/bin/docker}"):$PATH python3 "$top/tests/cli/readme_commands.py" "$work/reader" ||
    fail "README"
