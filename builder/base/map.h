/* base/map.h - text to pointer. Keys are borrowed and must outlive the map; values are never owned.
 * Iterate over the thing the values live in, not over the map: it has no order. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "str.h"

struct map {
    struct map_slot *slots;
    size_t n, cap;
};

void *map_get(const struct map *m, struct str key); /* NULL when absent */
bool map_has(const struct map *m, struct str key);
/* Set, replacing; returns the value that was there, or NULL. */
void *map_set(struct map *m, struct str key, void *value);
void map_clear(struct map *m);
