/* io/huffman.h - prefix codes as deflate has them, and bits in its order (RFC 1951, 3.1 and 3.2.2).
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/buf.h"

enum { HUFFMAN_SYMBOLS_MAX = 288 };

/* A code: for each symbol its length in bits (0: not used) and its bits, first bit lowest. */
struct huffman {
    uint8_t len[HUFFMAN_SYMBOLS_MAX];
    uint16_t bits[HUFFMAN_SYMBOLS_MAX];
};

/* Lengths for `n` symbols that occur `freq` times, none above `limit`. At least two symbols get a
 * code, so that every decoder takes it for complete. Ties are broken by symbol number alone. */
void huffman_lengths(struct huffman *h, const uint32_t *freq, unsigned n, unsigned limit);
/* The canonical codes of the lengths. */
void huffman_codes(struct huffman *h, unsigned n);

/* Bits, the first written is the lowest of the first byte. The caller makes room (buf_room) for all
 * it is going to write before it begins. */
struct bits {
    struct buf *out;
    uint64_t held;
    unsigned count;
};

/* At most 32 bits at once. */
static inline void bits_put(struct bits *b, uint64_t value, unsigned count)
{
    b->held |= value << b->count;
    b->count += count;
    if (b->count >= 32) {
        unsigned char *p = (unsigned char *)b->out->p + b->out->len;

        p[0] = (unsigned char)(b->held & 255);
        p[1] = (unsigned char)(b->held >> 8 & 255);
        p[2] = (unsigned char)(b->held >> 16 & 255);
        p[3] = (unsigned char)(b->held >> 24 & 255);
        b->out->len += 4;
        b->held >>= 32;
        b->count -= 32;
    }
}

/* Write what is held: the last bits of a stream, filled up with zero bits to a whole byte. */

void bits_align(struct bits *b);
