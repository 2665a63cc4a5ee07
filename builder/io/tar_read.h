/* io/tar_read.h - tars in, whoever wrote them: ustar, pax and GNU's (POSIX.1-2017, pax, "ustar
 * Interchange Format"; GNU tar manual, "Basic Tar Format" and "Storing Sparse Files").
 *
 * What size a pax header gives is where the next header stands. Refused, ERR_INPUT: a wrong
 * checksum, numbers that are negative or overflow, links with data, types that nobody defined, a
 * global pax header that says more than a comment, paths with a ".." part (but in layers) or one
 * over 255 bytes or over 4096 in all, more than 5 million entries.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "entry.h"
#include "source.h"

enum tar_kind {
    TAR_PACKAGE, /* what goes into an image: files, folders and links, each under a clean path */
    TAR_DEB,     /* the same, and not in pax form: deb(5) */
    TAR_LAYER,   /* of somebody's image: also devices, files with holes, and capabilities. Paths and
                  * the targets of hard links are cleaned: "/a", "././a", "a//", "b/../a" and "../a"
                  * are "a" */
    TAR_ARCHIVE, /* images: what is looked for stands there in one piece, so no holes */
};

/* One entry. Its texts are borrowed until the next one. */
struct tar_entry {
    struct entry entry;      /* content.size only; the root has an empty path */
    struct str uname, gname; /* may be empty */
    bool special;            /* a device, a socket or a pipe; its type is ENTRY_FILE */
    uint64_t offset;         /* of its data in the tar */
};

struct tar_reader; /* opaque */

/* Takes `in`. */
struct tar_reader *tar_open(struct source *in, enum tar_kind kind);
void tar_clear(struct tar_reader **t);
/* *out is NULL at the end. What was not read of the entry before is passed over. */
int tar_next(struct tar_reader *t, const struct tar_entry **out, struct err *e) MUST_CHECK;
/* The bytes of the file at hand, holes as zeros; goes by "TAR: PATH". Zeros of holes count:
 * beyond SOURCE_FREE, at most SOURCE_RATIO for each byte of the tar. */
struct source *tar_data(struct tar_reader *t);

/* All entries, in order; a failing `each` ends it. */
typedef int (*tar_each)(void *ctx, const struct tar_entry *entry, struct source *data,
                        struct err *e);
int tar_walk(struct tar_reader *t, tar_each each, void *ctx, struct err *e) MUST_CHECK;
