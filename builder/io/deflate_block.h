/* io/deflate_block.h - one deflate block (RFC 1951, 3.2): what it holds, what it costs, its bytes.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "bits.h"
#include "huffman.h"

enum {
    DEFLATE_MATCH_MIN = 3,
    DEFLATE_MATCH_MAX = 258,
    DEFLATE_WINDOW = 32768,
    DEFLATE_BLOCK_END = 256,
    DEFLATE_LITERALS = 286, /* symbols: 256 bytes, the end, 29 lengths */
    DEFLATE_DISTANCES = 30,
};

/* A literal byte, or a match as length << 16 | distance. */
typedef uint32_t deflate_token;

struct deflate_counts {
    uint32_t literal[HUFFMAN_SYMBOLS], distance[32];
};

struct deflate_codes {
    uint16_t literal[HUFFMAN_SYMBOLS], distance[32];
    uint8_t literal_len[HUFFMAN_SYMBOLS], distance_len[32];
};

/* The fixed codes of RFC 1951, 3.2.6. */
void deflate_codes_fixed(struct deflate_codes *codes);

/* Append one block of the smallest kind that says `tokens`, which stand for `bytes`. */
struct deflate_block {
    const uint8_t *bytes;
    size_t len;
    const uint32_t *tokens;
    size_t token_count;
    const struct deflate_counts *counts; /* of the tokens, without the block's end */
    bool last;
};
void deflate_block_put(struct bits *out, const struct deflate_block *block);

/* Symbols by arithmetic: lengths in groups of four, distances in groups of two, each group with one
 * extra bit more than the one before (RFC 1951, 3.2.5). */
static inline unsigned deflate_log2(unsigned value)
{
    return 31 - (unsigned)__builtin_clz(value);
}

static inline unsigned deflate_length_symbol(unsigned length)
{
    unsigned x = length - DEFLATE_MATCH_MIN, group;

    if (x < 8)
        return 257 + x;
    if (length == DEFLATE_MATCH_MAX)
        return 285;
    group = deflate_log2(x) - 2;
    return 257 + 4 * group + (x >> group);
}

static inline unsigned deflate_length_extra(unsigned symbol)
{
    return symbol < 265 || symbol == 285 ? 0 : (symbol - 261) / 4;
}

static inline unsigned deflate_distance_symbol(unsigned distance)
{
    unsigned x = distance - 1, group;

    if (x < 4)
        return x;
    group = deflate_log2(x) - 1;
    return 2 * group + (x >> group);
}

static inline unsigned deflate_distance_extra(unsigned symbol)
{
    return symbol < 4 ? 0 : symbol / 2 - 1;
}

/* At most 48 bits; the caller flushes. */
static inline void deflate_put_match(struct bits *out, const struct deflate_codes *codes,
                                     unsigned length, unsigned distance)
{
    unsigned symbol = deflate_length_symbol(length), extra = deflate_length_extra(symbol);

    bits_add(out, codes->literal[symbol], codes->literal_len[symbol]);
    bits_add(out, (length - DEFLATE_MATCH_MIN) & ((1u << extra) - 1), extra);
    symbol = deflate_distance_symbol(distance);
    extra = deflate_distance_extra(symbol);
    bits_add(out, codes->distance[symbol], codes->distance_len[symbol]);
    bits_add(out, (distance - 1) & ((1u << extra) - 1), extra);
}
