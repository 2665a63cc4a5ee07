/* assemble/files.h - the top layer: the recipe's files, its user and its work folder, and what
 * update-ca-certificates(8) would make of its certificates.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../io/spool.h"
#include "../model/lock.h"
#include "system/skeleton.h"

/* Read the lock's files below `dir`, the recipe's context, without ever leaving it, into `spool`,
 * checking every digest: a file that changed since the lock was written is ERR_INPUT. Then the user
 * and the work folder. Everything carries the lock's date; paths go through the links of
 * `skeleton`, the system below. The tree comes out sorted. */
int files_build(struct tree *out, const struct lock *lock, const char *dir, struct spool *spool,
                const struct tree *skeleton, struct err *e) MUST_CHECK;
