/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

#include <stdarg.h>
#include <stdalign.h>

/* Bytes. Blocks grow, for many arenas hold a few names each. */
enum { FIRST_BLOCK = 1024, BLOCK = 32 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    alignas(max_align_t) char bytes[];
};

void *arena_alloc(struct arena *a, size_t size)
{
    const size_t align = alignof(max_align_t);
    struct arena_block *b = a->head;
    void *p;

    if (size > SIZE_MAX / 2)
        abort(); /* callers bound their sizes; see mem.h */
    size = (size + align - 1) / align * align;
    if (!b || b->size - b->used < size) {
        bool big = size > BLOCK / 4;
        size_t room = !b ? FIRST_BLOCK : b->size < BLOCK / 2 ? 2 * b->size : BLOCK;

        if (big || room < size)
            room = size;
        b = xmalloc(sizeof *b + room);
        b->used = 0;
        b->size = room;
        if (a->head && big) { /* a big one: keep filling the current block */
            b->next = a->head->next;
            a->head->next = b;
        } else {
            b->next = a->head;
            a->head = b;
        }
    }
    p = b->bytes + b->used;
    b->used += size;
    return memset(p, 0, size);
}

char *arena_cstr(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.len + 1);

    if (s.len)
        memcpy(p, s.p, s.len);
    return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_cstr(a, str_of(s));
}

struct str arena_str(struct arena *a, struct str s)
{
    return (struct str){arena_cstr(a, s), s.len};
}

char *arena_fmt(struct arena *a, const char *fmt, ...)
{
    va_list args, again;
    char *p;
    int n;

    va_start(args, fmt);
    va_copy(again, args);
    n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0)
        abort(); /* only a broken format string does this */
    p = arena_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, args);
    va_end(args);
    return p;
}

void arena_clear(struct arena *a)
{
    struct arena_block *b = a->head;

    while (b) {
        struct arena_block *gone = b;

        b = b->next;
        free(gone);
    }
    a->head = NULL;
}
