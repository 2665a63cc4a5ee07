/* model/lock_check.h - is a lock one that could have been written?
 *
 * A lock is a file that people share and strangers edit. Below it everything obeys, so what it says
 * is judged here, once: words from closed lists, clean absolute paths, numbers in range, every
 * artifact in one layer, layers in order, texts that have the digest beside them. Whether it is the
 * lock of a recipe is not judged here; see plan/resolve.h.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "lock.h"

enum {
    LOCK_ARTIFACTS_MAX = 10000,
    LOCK_LAYERS_MAX = 127,      /* what overlayfs and Docker take */
    LOCK_TEXT_MAX = 1024 * 1024 /* bytes of a file made for the image */
};

/* All faults are told, each with its place in the lock's document. */
int lock_check(const struct lock *lock, struct err *e) MUST_CHECK;
/* Path of the image: absolute, without "//", "." and "..", one line. */
bool lock_is_path(struct str s);
/* One line of text without control characters; not empty. */
bool lock_is_line(struct str s);
