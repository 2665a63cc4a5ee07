/* model/lock_source.h - the part of an artifact in a lock that says where its bytes are from: a
 * file of an index, or what it is built from; for lock.c and lock_print.c alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../doc/field.h"
#include "lock.h"

void lock_source_put(struct doc *d, struct node *n, const struct artifact *a);
/* Arrays go into `arena`. */
void lock_source_get(struct artifact *out, struct arena *arena, const struct fields *f);
