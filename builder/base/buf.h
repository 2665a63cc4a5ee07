/* base/buf.h - bytes that grow; always ended by a NUL that does not count. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdarg.h>
#include "str.h"

struct buf {
    char *p; /* NULL while empty and never written; else p[len] is NUL */
    size_t len, cap;
};

void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_str(struct buf *b, struct str s);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_number(struct buf *b, uint64_t n, size_t len); /* its `len` low bytes, low first */
void buf_fmt(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_vfmt(struct buf *b, const char *fmt, va_list args) PRINTF(2, 0);
/* Room for `len` more bytes; returns where they go. The caller adds to b->len what it wrote. */
char *buf_room(struct buf *b, size_t len);
void buf_reset(struct buf *b); /* length 0, memory kept */
void buf_clear(struct buf *b);
void buf_wipe(struct buf *b); /* the same, of a secret: its bytes are overwritten first */

struct str buf_view(const struct buf *b); /* until the next change */
char *buf_take(struct buf *b);            /* owned by the caller, never NULL; b becomes empty */
