/* table.h - tables of cases kept as text: one case a line, fields between tabs, "#" begins a
 * comment. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/err.h"
#include "base/fs.h"

enum { TABLE_FIELDS_MAX = 8 };

struct table {
    struct buf text;
    struct str rest;
    struct str field[TABLE_FIELDS_MAX];
    size_t n;      /* fields of this line */
    unsigned line; /* from 1 */
};

static inline void table_open(struct table *t, const char *path)
{
    struct err e = {0};

    *t = (struct table){0};
    if (fs_read(&t->text, path, 16 << 20, &e) < 0) {
        fprintf(stderr, "%s (tests run in the top directory)\n", e.msg);
        abort();
    }
    t->rest = buf_view(&t->text);
}

static inline bool table_next(struct table *t)
{
    struct str line;

    do {
        if (!str_line(&t->rest, &line))
            return false;
        t->line++;
    } while (!line.len || line.p[0] == '#');
    for (t->n = 0; t->n < TABLE_FIELDS_MAX && str_item(&line, '\t', &t->field[t->n]);)
        t->n++;
    return true;
}

static inline void table_clear(struct table *t)
{
    buf_clear(&t->text);
}
