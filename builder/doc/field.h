/* doc/field.h - typed access to the members of a map that words the error.
 *
 * All faults are appended to *e and reading goes on, so one run tells them all; ask
 * err_is_set() at the end. A missing member leaves *out alone and returns false.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "node.h"

struct fields {
    const struct node *map; /* NULL-safe: every read then finds nothing */
    const char *what;       /* "recipe", "base layer", ...: for "unknown key" messages */
    struct err *e;
};

/* Complains when `n` is no map. */
struct fields fields_of(const struct node *n, const char *what, struct err *e);
/* Complain about every member whose key is not in `known` (ended by NULL), naming the nearest. */
void fields_only(const struct fields *f, const char *const *known);
/* The same; of some keys it is known what they should be. `hints` end with an all-zero row. */
struct field_hint {
    const char *key, *instead; /* "name the packages under `pip`" */
};
void fields_only_or(const struct fields *f, const char *const *known,
                    const struct field_hint *hints);
/* The same nearest-name words for other lists: " (did you mean \"x\"?)" or nothing. */
void fields_suggest(struct buf *out, struct str word, const char *const *known);

bool field_str(const struct fields *f, const char *key,
               struct str *out); /* any scalar, as written */
bool field_u64(const struct fields *f, const char *key, uint64_t *out, uint64_t max);
bool field_bool(const struct fields *f, const char *key, bool *out);
const struct node *field_map(const struct fields *f, const char *key);
const struct node *field_list(const struct fields *f, const char *key);
/* As above, and a missing member is a fault. */
bool field_need_str(const struct fields *f, const char *key, struct str *out);
bool field_need_u64(const struct fields *f, const char *key, uint64_t *out, uint64_t max);
const struct node *field_need_map(const struct fields *f, const char *key);
const struct node *field_need_list(const struct fields *f, const char *key);
/* "sha256:<hex>" member; a fault when malformed. */
struct digest;
bool field_digest(const struct fields *f, const char *key, struct digest *out);
