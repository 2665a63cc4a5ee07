/* model/lock_form.h - the same image, compressed otherwise than the recipe's first word says: in an
 * index of both, or where the command line asks for it. The tars, so the diff_ids, and the config
 * are the same.
 *
 * The lock's own digests of layers, its encoder and its manifest are of one form, the one at hand;
 * the others lie in lock->forms. In the file they are `forms` of what the build recorded, and the
 * form at hand is the recipe's first.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../doc/field.h"
#include "lock.h"

/* Take this form up, and lay down the one at hand. Of one that was never built, digests of layers
 * are not known then; what does not hang on the compression stays. */
void lock_take_form(struct lock *lock, enum compression how);
/* Back to the recipe's first. */
void lock_take_own_form(struct lock *lock);
/* How many forms the lock has the manifests of. */
size_t lock_forms_built(const struct lock *lock);
/* Is that the manifest of one of its forms? Of a lock that was never built nobody knows: true. */
bool lock_is_of(const struct lock *lock, const struct digest *manifest);
/* The recipe's files changed: forget what hangs on them, of those that are not at hand. */
void lock_forms_forget(struct lock *lock);
void lock_forms_clear(struct lock *lock);

/* The member `forms` of `map`, to and from; locks of a schema before 4 have none. */
void lock_forms_put(struct doc *d, struct node *map, const struct lock *lock);
void lock_forms_get(struct lock *lock, const struct fields *recorded);
