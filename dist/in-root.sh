#!/bin/sh
# Run by dist.sh in the root: build /src, leave wheel and deb in /made.
# SPDX-License-Identifier: Apache-2.0
set -eu
umask 022
cd /src
tree=/tmp/tree
make -s -j"$(nproc)" CFLAGS=-O2
make -s install DESTDIR=$tree PREFIX=/usr
strip $tree/usr/bin/envbuild

# The wheel's binary finds its libraries beside it, wherever that is, and before those of LD_LIBRARY_PATH.
rm build/envbuild
# shellcheck disable=SC2016 # $ORIGIN is the loader's
make -s CFLAGS=-O2 LDFLAGS='-Wl,--disable-new-dtags,-rpath,\$$ORIGIN/../lib/envbuild'
strip build/envbuild
python3 dist/wheel.py build/envbuild $tree/usr/share /made
sh dist/deb.sh $tree /made
