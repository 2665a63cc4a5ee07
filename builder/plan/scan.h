/* plan/scan.h - the recipe's local files as the lock names them: relative paths and digests.
 *
 * Neither owner, times nor modes of this machine count, but for the x bit. Folders are walked in
 * byte order. Symbolic links are kept as links; devices, sockets and pipes are refused, and so is a
 * path that leads out of the folder: a recipe is not to read its reader's other files.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../model/lock.h"

/* Fill copy->files from copy->from below `dir`, the recipe's context; strings go into `a`. */
int scan_files(struct lock_copy *copy, struct arena *a, const char *dir, struct err *e) MUST_CHECK;
