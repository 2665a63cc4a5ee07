/* plan/scan.h - the recipe's local files as the lock names them: relative paths and digests.
 *
 * Neither owner, times nor modes of this machine count, but for the x bit. Folders are walked in
 * byte order. Symbolic links are kept as links; devices, sockets and pipes are refused, and so is a
 * path that leads out of the folder: a recipe is not to read its reader's other files.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../model/lock.h"
#include "ignore.h"

/* What is left out. All-zero: nothing is. */
struct scan_rules {
    struct ignore ignore;  /* of the whole context */
    struct ignore exclude; /* of one item, below its `from` */
    struct names built_in; /* filled in: what nobody said that it is to be left out, but we do */
};
void scan_rules_clear(struct scan_rules *rules);

/* Fill copy->files from copy->from below `dir`, the recipe's context; strings go into `a`. A file
 * of a private key (PEM) is left out like those of the built-in list; `from` itself is taken when
 * only that list has it, and ERR_INPUT when .dockerignore has. */
int scan_files(struct lock_copy *copy, struct arena *a, const char *dir, struct scan_rules *rules,
               struct err *e) MUST_CHECK;
