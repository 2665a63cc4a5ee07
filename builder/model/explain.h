/* model/explain.h - a lock in words: what is in the image, where it comes from, how large it is,
 * and what it needs of a host. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "lock.h"

void explain_print(struct buf *out, const struct lock *lock);
/* The same as members of `root`. */
void explain_put(struct doc *doc, struct node *root, const struct lock *lock);
