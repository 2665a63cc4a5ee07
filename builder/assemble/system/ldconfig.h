/* assemble/system/ldconfig.h - the /etc/ld.so.cache that ldconfig would make of a tree, byte for
 * byte: which libraries are in it. Its form is pkg/elf/ldcache.h's matter.
 *
 * Directories come from /etc/ld.so.conf and its includes, then the multiarch and default ones, then
 * the glibc-hwcaps folders of all these: libraries for some processors only. Only x86-64 libraries
 * are listed.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../layer/tree.h"

/* `generator` is the text ldconfig would sign with, e.g. "ldconfig (Debian GLIBC 2.36-9+deb12u13)
 * stable release version 2.36". `os_versions`: note what the libraries' ABI notes
 * ask of Linux, as ldconfig did before glibc 2.36. `outside` has the absolute paths of files that
 * are in the image and not in the tree: a link to one is a library with that file's name for its
 * soname, as a wheel, which holds no links, has it. *newest, may be NULL, gets the newest mtime
 * among the libraries and configuration that were read. */
int ldconfig(struct buf *out, const struct tree *t, struct str generator, bool os_versions,
             const struct map *outside, int64_t *newest, struct err *e) MUST_CHECK;
