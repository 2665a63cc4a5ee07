/* SPDX-License-Identifier: Apache-2.0 */
#include "rebuilt.h"

enum { CRC_HEX = 8, NAMED = 3 /* of each kind */ };

static struct str path_of(struct str line)
{
    return str_sub(line, CRC_HEX + 1, line.len);
}

static int by_path(const void *x, const void *y)
{
    return str_cmp(path_of(*(const struct str *)x), path_of(*(const struct str *)y));
}

struct strs rebuilt_list(struct arena *arena, const struct zip *wheel)
{
    struct strs out = {.v = arena_alloc(arena, (wheel->entries.n + 1) * sizeof *out.v)};
    const struct zip_entry *entry;

    if (wheel->entries.n > REBUILT_MAX)
        return out;
    vec_each(entry, &wheel->entries)
        if (!entry->directory && !str_ends(entry->name, STR(".dist-info/RECORD")))
            out.v[out.n++] = str_of(arena_fmt(arena, "%08x " STR_FMT, (unsigned)entry->content.crc,
                                              STR_ARG(entry->name)));
    vec_sort(&out, by_path);
    return out;
}

/* Files of one kind: the first are named. */
struct group {
    struct buf names;
    size_t n;
};

static void add(struct group *g, struct str path)
{
    if (g->n++ < NAMED)
        buf_fmt(&g->names, "%s" STR_FMT, g->names.len ? ", " : "", STR_ARG(path));
}

static void put(struct buf *out, const char *before, struct group *g, const char *behind)
{
    if (g->n)
        buf_fmt(out, "%s%s%s", out->len ? "; " : "", before, g->names.p);
    if (g->n > NAMED)
        buf_fmt(out, " and %zu more", g->n - NAMED);
    if (g->n)
        buf_puts(out, behind);
    buf_clear(&g->names);
}

void rebuilt_differ(struct buf *out, const struct strs *lock, const struct strs *now)
{
    struct group changed = {0}, gone = {0}, fresh = {0};
    size_t i = 0, j = 0;

    while (i < lock->n || j < now->n) {
        int order = i == lock->n  ? 1
                    : j == now->n ? -1
                                  : str_cmp(path_of(lock->v[i]), path_of(now->v[j]));

        if (order < 0)
            add(&gone, path_of(lock->v[i]));
        else if (order > 0)
            add(&fresh, path_of(now->v[j]));
        else if (!str_eq(lock->v[i], now->v[j]))
            add(&changed, path_of(now->v[j]));
        i += order <= 0;
        j += order >= 0;
    }
    put(out, "only the lock has ", &gone, "");
    put(out, "only the new one has ", &fresh, "");
    put(out, "", &changed, changed.n > 1 ? " differ" : " differs");
}
