/* SPDX-License-Identifier: Apache-2.0 */
#include "buf.h"

char *buf_room(struct buf *b, size_t len)
{
    size_t need;

    if (__builtin_add_overflow(b->len, len, &need) || __builtin_add_overflow(need, 1u, &need))
        abort(); /* callers bound their sizes; see mem.h */
    if (need > b->cap) {
        size_t cap = b->cap < 64 ? 64 : b->cap + b->cap / 2;

        b->cap = cap < need ? need : cap;
        b->p = xrealloc(b->p, b->cap);
    }
    b->p[need - 1] = '\0';
    return b->p + b->len;
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
    char *to = buf_room(b, len);

    if (len)
        memcpy(to, bytes, len);
    b->len += len;
    b->p[b->len] = '\0';
}

void buf_str(struct buf *b, struct str s)
{
    buf_add(b, s.p, s.len);
}

void buf_puts(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_vfmt(struct buf *b, const char *fmt, va_list args)
{
    va_list again;
    int n;

    va_copy(again, args);
    n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0)
        abort(); /* only a broken format string does this */
    vsnprintf(buf_room(b, (size_t)n), (size_t)n + 1, fmt, args);
    b->len += (size_t)n;
}

void buf_number(struct buf *b, uint64_t n, size_t len)
{
    for (size_t i = 0; i < len; i++)
        buf_putc(b, (char)(unsigned char)(n >> (8 * i)));
}

void buf_fmt(struct buf *b, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    buf_vfmt(b, fmt, args);
    va_end(args);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    if (b->p)
        b->p[0] = '\0';
}

void buf_clear(struct buf *b)
{
    free(b->p);
    *b = (struct buf){0};
}

void buf_wipe(struct buf *b)
{
    if (b->p)
        explicit_bzero(b->p, b->cap);
    buf_clear(b);
}

struct str buf_view(const struct buf *b)
{
    return (struct str){b->p, b->len};
}

char *buf_take(struct buf *b)
{
    char *p = b->p ? b->p : xstrdup("");

    *b = (struct buf){0};
    return p;
}
