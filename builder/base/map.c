/* SPDX-License-Identifier: Apache-2.0 */
#include "map.h"

struct map_slot {
    struct str key; /* key.p is NULL in an empty slot */
    void *value;
};

static uint64_t hash(struct str key)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a; keys that reach us are bounded in number */

    for (size_t i = 0; i < key.len; i++)
        h = (h ^ (unsigned char)key.p[i]) * 1099511628211u;
    return h ^ h >> 32;
}

/* The slot that holds `key`, or the empty one where it would go. */
static struct map_slot *find(const struct map *m, struct str key)
{
    for (size_t i = hash(key) & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct map_slot *s = &m->slots[i];

        if (!s->key.p || str_eq(s->key, key))
            return s;
    }
}

static void grow(struct map *m)
{
    struct map old = *m;

    m->cap = old.cap ? old.cap * 2 : 16;
    m->slots = xcalloc(m->cap, sizeof *m->slots);
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i].key.p)
            *find(m, old.slots[i].key) = old.slots[i];
    free(old.slots);
}

void *map_get(const struct map *m, struct str key)
{
    return m->n ? find(m, key)->value : NULL;
}

bool map_has(const struct map *m, struct str key)
{
    return m->n && find(m, key)->key.p;
}

void *map_set(struct map *m, struct str key, void *value)
{
    struct map_slot *s;
    void *old;

    if ((m->n + 1) * 4 > m->cap * 3)
        grow(m);
    if (!key.p)
        key = STR("");
    s = find(m, key);
    if (!s->key.p) {
        s->key = key;
        m->n++;
    }
    old = s->value;
    s->value = value;
    return old;
}

void map_clear(struct map *m)
{
    free(m->slots);
    *m = (struct map){0};
}
