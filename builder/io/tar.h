/* io/tar.h - tar headers as every layer has them (POSIX ustar; pax only where ustar cannot hold a
 * value). Pure functions of the entry: no clock, no names of users, no order of their own.
 *
 * The pax header's own name is a constant; there is never a pax mtime. Capabilities of a file are
 * a pax record, TAR_CAPS, as Docker, containerd and umoci read it. A directory's name ends in "/".
 * The end of an archive is two zero blocks.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "entry.h"
#include "../base/buf.h"

enum { TAR_BLOCK = 512 };

#define TAR_CAPS "SCHILY.xattr.security.capability"

/* ERR_INPUT for what no layer may hold: an unsafe or too long path, a name that starts with ".wh.",
 * a mode beyond 07777, a time that tar has no room for, a link's target that is empty, too long or
 * holds NUL. */
int tar_check(const struct entry *entry, struct err *e) MUST_CHECK;
/* Append the header block (and a pax header before it where needed); the same errors. */
int tar_header(struct buf *out, const struct entry *entry, struct err *e) MUST_CHECK;
/* Zero bytes after `size` bytes of data up to the next block. */
size_t tar_padding(uint64_t size);
/* Append the two zero blocks that end an archive. */
void tar_end(struct buf *out);
