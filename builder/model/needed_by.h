/* model/needed_by.h - who needs a package of a lock, and the tree of what each one needs.
 *
 * Wheels say what they need in locks of schema 4 and later. Of debs and archives a lock says only
 * for which group they were chosen.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "lock.h"

/* Does the lock say what its wheels need? */
bool needed_by_known(const struct lock *lock);
/* The artifact that a user calls `name`: a wheel by its normalised name, else a deb, else an
 * archive, else a download. NULL when there is none. */
const struct artifact *needed_by_find(const struct lock *lock, struct str name);
/* A line for each package of the recipe's that leads to `a`, by the shortest way:
 * "torch 2.6.0 needs sympy 1.13.1 needs mpmath 1.3.0". */
void needed_by_print(struct buf *out, const struct lock *lock, const struct artifact *a);
/* The same as members "package", "chains" of `root`. */
void needed_by_put(struct doc *d, struct node *root, const struct lock *lock,
                   const struct artifact *a);
/* What the recipe names, and below each what it needs; each package's own part once. */
void needed_by_tree(struct buf *out, const struct lock *lock);
/* The same as a list "packages" of `root`, each with what it needs. */
void needed_by_tree_put(struct doc *d, struct node *root, const struct lock *lock);
