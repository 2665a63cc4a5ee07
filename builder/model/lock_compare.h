/* model/lock_compare.h - what differs between two locks besides their packages and the content of
 * the recipe's files: settings of the image, facts, files made for it, the plan of its layers,
 * digests that builds recorded.
 *
 * For telling two locks apart, and for telling a lock from what its recipe and artifacts give. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "lock.h"

struct lock_difference {
    struct str what;     /* "env LD_PRELOAD", "work folder" */
    const char *fact;    /* key of the lock's `facts`; NULL: it is none */
    struct str old, now; /* in words, at most LOCK_DIFFERENCE_MAX bytes; empty: there is none */
};

enum { LOCK_DIFFERENCE_MAX = 200 };

struct lock_differences {
    struct VEC_OF(struct lock_difference) list; /* in the order of the lock */
    struct arena arena;
};

void lock_compare(struct lock_differences *out, const struct lock *old, const struct lock *now);
void lock_differences_clear(struct lock_differences *d);
