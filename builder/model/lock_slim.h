/* model/lock_slim.h - the parts of a lock that are its rules for slim images, and what they left
 * out; for lock.c alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../doc/field.h"
#include "lock.h"

/* Nothing is put where there is no rule. */
void lock_slim_put(struct doc *d, struct node *root, const struct slim_counts *slim);
void lock_slim_get(struct lock *lock, const struct fields *root);
/* The figures, in the part that the build fills in. */
void lock_slim_put_built(struct doc *d, struct node *built, const struct slim_counts *slim);
void lock_slim_get_built(struct slim_counts *slim, const struct fields *built);
