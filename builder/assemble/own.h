/* assemble/own.h - whose the folders are that files and downloads are put into. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../model/lock.h"
#include "layer/tree.h"

/* Add missing folders above `path` where they are the user's own, or `place`'s: the download that
 * is put there or, NULL, any of the lock. */
int own_parents(struct tree *t, const struct lock *lock, const struct artifact_place *place,
                struct str path, int64_t mtime, struct err *e) MUST_CHECK;
/* What the user may do with what is the user's, group 0 may too: a container under any uid is in it
 * (OpenShift, `docker run -u`). */
void own_share(const struct lock *lock, struct entry *entry);
