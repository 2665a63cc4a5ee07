/* io/bits.h - little-endian words out of bytes, and bytes out of bits as deflate packs them (RFC
 * 1951, 3.1.1: from the least significant bit on). The same on every host. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/buf.h"

static inline uint32_t load_le32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap32(v) : v;
}

static inline uint64_t load_le64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(v) : v;
}

static inline void store_le64(uint8_t *p, uint64_t v)
{
    v = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(v) : v;
    memcpy(p, &v, sizeof v);
}

/* All-zero but for `out` is the start of a stream. */
struct bits {
    struct buf *out; /* borrowed */
    uint8_t *p;      /* next byte; valid from bits_begin() to bits_end() */
    uint64_t held;   /* bits not yet stored, the first in the lowest place */
    unsigned n;      /* how many; at most 7 after bits_flush() */
};

/* Room for `count` more bits, until bits_end(). */
static inline void bits_begin(struct bits *b, uint64_t count)
{
    b->p = (uint8_t *)buf_room(b->out, (size_t)(count / 8 + 16)); /* stores are 8 bytes wide */
}

static inline void bits_flush(struct bits *b)
{
    store_le64(b->p, b->held);
    b->p += b->n / 8;
    b->held >>= b->n & ~7u;
    b->n &= 7;
}

/* At most 56 bits between two flushes; `value` has no bit set above `count`. */
static inline void bits_add(struct bits *b, uint64_t value, unsigned count)
{
    b->held |= value << b->n;
    b->n += count;
}

static inline void bits_put(struct bits *b, uint64_t value, unsigned count)
{
    bits_add(b, value, count);
    bits_flush(b);
}

/* Fill the last byte with zeros. */
static inline void bits_align(struct bits *b)
{
    bits_put(b, 0, (8 - b->n) & 7);
}

/* Whole bytes are now in `out`; up to 7 bits stay held for the next bits_begin(). */
static inline void bits_end(struct bits *b)
{
    b->out->len = (size_t)(b->p - (uint8_t *)b->out->p);
    b->out->p[b->out->len] = '\0';
}
