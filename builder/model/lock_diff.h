/* model/lock_diff.h - what differs between two locks, for people and for machines. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "lock.h"

struct lock_change {
    const struct artifact *old, *now; /* NULL: it is new, or gone */
    bool security;                    /* `now` comes from a suite of security updates */
};
struct lock_changes VEC_OF(struct lock_change);

/* Artifacts that differ in version or file, sorted by ecosystem and name; borrowed from both. */
void lock_changes(struct lock_changes *out, const struct lock *old, const struct lock *now);
/* "numpy 1.26.4 becomes 2.2.0", "git 1:2.39.5 is new (deb)", one line without its end. */
void lock_change_print(struct buf *out, const struct lock_change *c);

/* What changed in the recipe and the local files that decide or go in, in words; nothing when they
 * agree. Of `now` only what follows from the recipe alone is looked at, but no artifacts. */
void lock_recipe_changes(struct buf *words, const struct lock *old, const struct lock *now);

/* The same of the wheels of `now`, which are those of `old` that are other files now. */
void lock_wheel_changes(struct buf *words, const struct lock *old, const struct lock *now);

/* All of it in lines: PyTorch, CUDA, driver and GPUs, packages, download size, layers. Nothing when
 * both are the same. */
void lock_diff_print(struct buf *out, const struct lock *old, const struct lock *now);
/* The same as members of `root`. */
void lock_diff_put(struct doc *doc, struct node *root, const struct lock *old,
                   const struct lock *now);
