#!/bin/sh
# deb.sh TREE OUT: a deb of what `make install DESTDIR=TREE PREFIX=/usr` installed. It brings no library: the four releases
# that it is for have the same ones, by names that differ, and their security updates come with them.
# SPDX-License-Identifier: Apache-2.0
set -eu
tree=$1
out=$2
version=$(sed -n 's/^#define ENVBUILD_VERSION "\(.*\)"/\1/p' builder/base/version.h)
maintainer='envbuild maintainers <maintainers@envbuild.io>'
doc=$tree/usr/share/doc/envbuild
mkdir -p "$doc" "$tree/DEBIAN"

# The package of each library that the binary asks for; those whose ABI changed with 64-bit time_t have two names.
depends="libc6 (>= 2.35), ca-certificates, gpgv"
for library in $(objdump -p "$tree/usr/bin/envbuild" | sed -n 's/^ *NEEDED *//p'); do
    package=$(dpkg-query -S "*-linux-gnu/$library" | sed 's/:.*//')
    case $package in
    libc6) continue ;;
    libarchive13 | libcurl4 | libmicrohttpd12 | libssl3) package="${package}t64 | $package" ;;
    esac
    depends="$depends, $package"
done

cat >"$doc/copyright" <<END
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: envbuild

Files: *
Copyright: 2025-2026 the envbuild authors
License: Apache-2.0
 On Debian systems, the full text of the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
END
printf 'envbuild (%s) unstable; urgency=medium\n\n  * Release %s.\n\n -- %s  %s\n' "$version" "$version" "$maintainer" \
    "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" >"$doc/changelog"
mkdir -p "$tree/usr/share/lintian/overrides"
printf '# It writes the database of the images that it makes, and never opens that of the machine.\n%s\n' \
    'envbuild: uses-dpkg-database-directly *' >"$tree/usr/share/lintian/overrides/envbuild"
# Where Debian's zsh looks.
[ ! -d "$tree/usr/share/zsh/site-functions" ] ||
    mv "$tree/usr/share/zsh/site-functions" "$tree/usr/share/zsh/vendor-completions"
find "$tree/usr/share" \( -path "*/man/*" -o -name changelog \) -type f -exec gzip -9n {} +

(cd "$tree" && find usr -type f | LC_ALL=C sort | xargs -d '\n' md5sum) >"$tree/DEBIAN/md5sums"
cat >"$tree/DEBIAN/control" <<END
Package: envbuild
Version: $version
Architecture: amd64
Maintainer: $maintainer
Installed-Size: $(find "$tree/usr" -printf '%y %s\n' | awk '{s += $1 == "f" ? int(($2 + 1023) / 1024) : 1} END {print s}')
Depends: $depends
Suggests: docker.io | podman, skopeo
Section: devel
Priority: optional
Description: reproducible OCI images with PyTorch and CUDA
 A short recipe names versions of PyTorch, CUDA and cuDNN. envbuild chooses
 exact wheels and Debian packages, locks their hashes, and puts the layers of
 an image together itself: without daemon, root, Dockerfile, and without
 running any code of a package. The same lock gives the same bytes.
END
find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zxz -b "$tree" "$out/envbuild_${version}_amd64.deb" >&2
