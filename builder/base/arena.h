/* base/arena.h - memory that is freed all at once; what lives in it is never freed alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "str.h"

struct arena_block;
struct arena {
    struct arena_block *head; /* all-zero is an empty arena */
};

void *arena_alloc(struct arena *a, size_t size); /* zeroed, aligned for any type */
char *arena_strdup(struct arena *a, const char *s);
struct str arena_str(struct arena *a, struct str s); /* a copy, with a NUL behind it */
char *arena_cstr(struct arena *a, struct str s);
char *arena_fmt(struct arena *a, const char *fmt, ...) PRINTF(2, 3);
void arena_clear(struct arena *a);
