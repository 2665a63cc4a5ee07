/* SPDX-License-Identifier: Apache-2.0 */
#include "err.h"

#include <errno.h>

static struct err *last(struct err *e)
{
    while (e->next)
        e = e->next;
    return e;
}

/* The fault to fill in: `e` itself, or a new one at the end of its chain. */
static struct err *slot(struct err *e)
{
    if (!err_is_set(e))
        return e;
    e = last(e);
    e->next = xcalloc(1, sizeof *e);
    return e->next;
}

PRINTF(4, 0)
static int fill(struct err *e, enum err_kind kind, const struct pos *pos, const char *fmt,
                va_list args)
{
    struct buf msg = {0};

    buf_vfmt(&msg, fmt, args);
    e = slot(e);
    e->kind = kind;
    e->msg = buf_take(&msg);
    if (pos && pos->file) {
        e->file = xstrdup(pos->file);
        e->line = pos->line;
        e->col = pos->col;
    }
    return -1;
}

int err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fill(e, kind, NULL, fmt, args);
    va_end(args);
    return -1;
}

int err_at(struct err *e, const struct pos *pos, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fill(e, ERR_INPUT, pos, fmt, args);
    va_end(args);
    return -1;
}

int err_at_kind(struct err *e, enum err_kind kind, const struct pos *pos, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fill(e, kind, pos, fmt, args);
    va_end(args);
    return -1;
}

int err_errno(struct err *e, const char *fmt, ...)
{
    int number = errno;
    struct buf msg = {0};
    va_list args;

    va_start(args, fmt);
    buf_vfmt(&msg, fmt, args);
    va_end(args);
    buf_fmt(&msg, ": %s", strerror(number));
    e = slot(e);
    e->kind = ERR_SYSTEM;
    e->msg = buf_take(&msg);
    return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
    struct buf msg = {0};
    va_list args;

    e = last(e);
    va_start(args, fmt);
    buf_vfmt(&msg, fmt, args);
    va_end(args);
    buf_fmt(&msg, ": %s", e->msg ? e->msg : "");
    free(e->msg);
    e->msg = buf_take(&msg);
    return -1;
}

int err_join(struct err *e, struct err *from)
{
    if (err_is_set(from)) {
        struct err *to = slot(e);

        MOVE(to, from);
    }
    return -1;
}

static bool comes_before(const struct err *a, const struct err *b)
{
    if (!a->file || !b->file || strcmp(a->file, b->file) != 0)
        return a->file && !b->file;
    return a->line != b->line ? a->line < b->line : a->col < b->col;
}

static void swap(struct err *a, struct err *b)
{
    struct err t = *a, *a_next = a->next, *b_next = b->next;

    *a = *b;
    *b = t;
    a->next = a_next;
    b->next = b_next;
}

void err_sort(struct err *e)
{
    for (struct err *a = e; a; a = a->next) /* a handful: bubbles are enough */
        for (struct err *b = e; b->next; b = b->next)
            if (comes_before(b->next, b))
                swap(b, b->next);
}

bool err_is_set(const struct err *e)
{
    return e->kind != ERR_NONE;
}

void err_clear(struct err *e)
{
    struct err *next = e->next;

    free(e->file);
    free(e->msg);
    *e = (struct err){0};
    while (next) {
        struct err *gone = next;

        next = gone->next;
        free(gone->file);
        free(gone->msg);
        free(gone);
    }
}

void err_format(const struct err *e, struct buf *out)
{
    if (e->file && e->line)
        buf_fmt(out, "%s:%u:%u: ", e->file, e->line, e->col);
    else if (e->file)
        buf_fmt(out, "%s: ", e->file);
    buf_puts(out, e->msg ? e->msg : "");
}
