/* model/lock_record.h - what lock.c, lock_print.c and lock_form.c share of a layer's record; nobody
 * else includes it.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../doc/field.h"
#include "../oci/chunked.h"

/* lock_print.c. No table is no member. */
void lock_put_digest(struct doc *d, struct node *map, const char *key, const struct digest *digest);
void lock_put_chunked(struct doc *d, struct node *layer, const struct chunked *c);
/* lock.c. A digest that is not there is a fault. */
void lock_need_digest(const struct fields *f, const char *key, struct digest *out);
void lock_get_chunked(struct chunked *c, const struct fields *layer);
