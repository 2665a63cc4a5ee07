/* model/lock_toolkit.h - the part of a lock that is its CUDA toolkit; for lock.c alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../doc/field.h"
#include "lock.h"

/* Nothing is put where there is no toolkit. */
void lock_toolkit_put(struct doc *d, struct node *root, const struct lock_toolkit *t);
void lock_toolkit_get(struct lock_toolkit *out, const struct fields *root);
void lock_toolkit_clear(struct lock_toolkit *t);
