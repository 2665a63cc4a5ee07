/* SPDX-License-Identifier: Apache-2.0 */
#include "compression.h"

#include "lock.h"

static const char *const names[] = {COMPRESSION_NAMES};

const char *compression_name(enum compression c)
{
    return names[c];
}

bool compression_is(enum compression *out, struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_is(name, names[i])) {
            *out = (enum compression)i;
            return true;
        }
    return false;
}

bool compression_is_zstd(enum compression c)
{
    return c == COMPRESSION_ZSTD || c == COMPRESSION_CHUNKED;
}

void compression_tag(struct buf *out, enum compression c)
{
    for (const char *p = names[c]; *p; p++)
        buf_putc(out, c_alnum(*p) ? *p : '-');
}

static void add(struct compressions *list, struct str name)
{
    list->n += list->n < ARRAY_LEN(list->v) && compression_is(&list->v[list->n], name);
}

struct compressions lock_compressions(const struct lock *lock)
{
    const struct node *n, *asked = node_get(lock->recipe, "compression");
    struct compressions list = {0};

    if (asked && asked->kind == NODE_LIST)
        node_each(n, asked)
            add(&list, n->text);
    else if (asked)
        add(&list, asked->text);
    list.n += !list.n;
    return list;
}

void compressions_print(struct buf *out, const struct compressions *list)
{
    for (size_t i = 0; i < list->n; i++)
        buf_fmt(out, "%s%s", i ? ", " : "", names[list->v[i]]);
}

enum compression lock_compression(const struct lock *lock)
{
    return lock->other_form ? lock->form : lock_compressions(lock).v[0];
}
