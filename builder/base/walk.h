/* base/walk.h - all that is below a folder, following no link.
 *
 * Folders are opened one in the other, so that nobody who puts a link in the way leads out of the
 * first. What goes away meanwhile is passed over.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <sys/stat.h>

#include "err.h"

struct walk_item {
    struct str path;       /* relative to the first folder; empty: that folder itself */
    int dir;               /* the folder that it stands in, open */
    const char *name;      /* there; "." for the first folder */
    const struct stat *st; /* a link's own */
};

/* In the order of names, a folder before what is in it. `each` may remove what it is shown; it ends
 * the walk with -1. The first folder may be a link to one; it must be there. */
int walk(const char *dir, int (*each)(void *ctx, const struct walk_item *item, struct err *e),
         void *ctx, struct err *e) MUST_CHECK;

/* Remove all that is below a folder, and the folder. A foreign program may have filled it: links
 * are not followed, folders may lie as deep as they like, and what only lacks the right to be
 * entered is given it. A missing one is fine. */
int walk_remove(const char *dir, struct err *e) MUST_CHECK;

/* What files take. */
struct walk_use {
    uint64_t files; /* and links; no folders */
    uint64_t bytes; /* of regular files, as they are long */
    uint64_t real;  /* bytes on the disk, folders' too: the sum is what `du -s` says */
};
void walk_count(struct walk_use *use, const struct stat *st);
