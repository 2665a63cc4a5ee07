/* SPDX-License-Identifier: Apache-2.0 */
#include "deflate_block.h"

enum {
    TYPE_STORED,
    TYPE_FIXED,
    TYPE_DYNAMIC,
    STORED_MAX = 65535, /* bytes of one stored block */
    CODE_LENGTHS = 19,  /* symbols that code lengths are written with */
    CODE_LENGTH_BITS = 7,
    REPEAT_LAST = 16, /* 3 to 6 times */
    ZEROS_SHORT = 17, /* 3 to 10 */
    ZEROS_LONG = 18,  /* 11 to 138 */
};

void deflate_codes_fixed(struct deflate_codes *codes)
{
    memset(codes->literal_len, 8, 144);
    memset(codes->literal_len + 144, 9, 256 - 144);
    memset(codes->literal_len + 256, 7, 280 - 256);
    memset(codes->literal_len + 280, 8, 288 - 280);
    memset(codes->distance_len, 5, sizeof codes->distance_len);
    huffman_codes(codes->literal, codes->literal_len, 288);
    huffman_codes(codes->distance, codes->distance_len, 32);
}

/* How a dynamic block's codes are written: RFC 1951, 3.2.7. */
struct preamble {
    struct {
        uint8_t symbol, extra, extra_bits;
    } item[DEFLATE_LITERALS + DEFLATE_DISTANCES];
    unsigned items, literals, distances, lengths;
    uint8_t len[CODE_LENGTHS];
    uint64_t cost; /* bits */
};

static const uint8_t length_order[CODE_LENGTHS] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                   11, 4,  12, 3, 13, 2, 14, 1, 15};

static void add_item(struct preamble *p, unsigned symbol, unsigned extra, unsigned extra_bits)
{
    p->item[p->items].symbol = (uint8_t)symbol;
    p->item[p->items].extra = (uint8_t)extra;
    p->item[p->items++].extra_bits = (uint8_t)extra_bits;
}

static void add_run(struct preamble *p, unsigned len, unsigned times)
{
    unsigned n;

    if (len && times) {
        add_item(p, len, 0, 0);
        times--;
    }
    for (; times >= 3; times -= n) {
        n = times;
        if (len)
            add_item(p, REPEAT_LAST, (n = n < 6 ? n : 6) - 3, 2);
        else if (n < 11)
            add_item(p, ZEROS_SHORT, n - 3, 3);
        else
            add_item(p, ZEROS_LONG, (n = n < 138 ? n : 138) - 11, 7);
    }
    while (times--)
        add_item(p, len, 0, 0);
}

static void preamble_fill(struct preamble *p, const struct deflate_codes *codes)
{
    uint8_t all[DEFLATE_LITERALS + DEFLATE_DISTANCES];
    uint32_t count[CODE_LENGTHS] = {0};
    unsigned total;

    *p = (struct preamble){
        .literals = DEFLATE_LITERALS, .distances = DEFLATE_DISTANCES, .lengths = CODE_LENGTHS};
    while (p->literals > 257 && !codes->literal_len[p->literals - 1])
        p->literals--;
    while (p->distances > 1 && !codes->distance_len[p->distances - 1])
        p->distances--;
    memcpy(all, codes->literal_len, p->literals);
    memcpy(all + p->literals, codes->distance_len, p->distances);
    total = p->literals + p->distances;

    for (unsigned i = 0, run; i < total; i += run) {
        for (run = 1; i + run < total && all[i + run] == all[i]; run++)
            ;
        add_run(p, all[i], run);
    }
    for (unsigned i = 0; i < p->items; i++)
        count[p->item[i].symbol]++;
    huffman_lengths(p->len, count, CODE_LENGTHS, CODE_LENGTH_BITS);
    while (p->lengths > 4 && !p->len[length_order[p->lengths - 1]])
        p->lengths--;

    p->cost = 5 + 5 + 4 + 3 * p->lengths;
    for (unsigned i = 0; i < p->items; i++)
        p->cost += p->len[p->item[i].symbol] + p->item[i].extra_bits;
}

static void preamble_put(struct bits *out, const struct preamble *p)
{
    uint16_t code[CODE_LENGTHS];

    huffman_codes(code, p->len, CODE_LENGTHS);
    bits_put(out, p->literals - 257, 5);
    bits_put(out, p->distances - 1, 5);
    bits_put(out, p->lengths - 4, 4);
    for (unsigned i = 0; i < p->lengths; i++)
        bits_put(out, p->len[length_order[i]], 3);
    for (unsigned i = 0; i < p->items; i++) {
        bits_add(out, code[p->item[i].symbol], p->len[p->item[i].symbol]);
        bits_put(out, p->item[i].extra, p->item[i].extra_bits);
    }
}

/* Bits that the tokens and the end take, without what comes before them. */
static uint64_t tokens_cost(const struct deflate_codes *codes, const struct deflate_counts *counts)
{
    uint64_t cost = codes->literal_len[DEFLATE_BLOCK_END];

    for (unsigned i = 0; i < DEFLATE_LITERALS; i++)
        cost += (uint64_t)counts->literal[i] *
                (codes->literal_len[i] + (i < 257 ? 0 : deflate_length_extra(i)));
    for (unsigned i = 0; i < DEFLATE_DISTANCES; i++)
        cost +=
            (uint64_t)counts->distance[i] * (codes->distance_len[i] + deflate_distance_extra(i));
    return cost;
}

static void put_tokens(struct bits *out, const struct deflate_codes *codes,
                       const struct deflate_block *block)
{
    struct bits b = *out; /* a local copy stays in registers */

    for (size_t i = 0; i < block->token_count; i++) {
        uint32_t token = block->tokens[i];

        if (token >> 16)
            deflate_put_match(&b, codes, token >> 16, token & 0xffff);
        else
            bits_add(&b, codes->literal[token], codes->literal_len[token]);
        bits_flush(&b);
    }
    bits_put(&b, codes->literal[DEFLATE_BLOCK_END], codes->literal_len[DEFLATE_BLOCK_END]);
    *out = b;
}

/* Bits at most: the padding before a stored block's length depends on where it begins. */
static uint64_t stored_cost(size_t len)
{
    return 8 * (uint64_t)len + 42 * (len / STORED_MAX + 1);
}

static void put_stored(struct bits *out, const uint8_t *bytes, size_t len, bool last)
{
    do {
        size_t n = len < STORED_MAX ? len : STORED_MAX;

        bits_put(out, last && n == len, 1);
        bits_put(out, TYPE_STORED, 2);
        bits_align(out);
        bits_put(out, n | (~n & 0xffff) << 16, 32);
        memcpy(out->p, bytes, n);
        out->p += n;
        bytes += n;
        len -= n;
    } while (len);
}

void deflate_block_put(struct bits *out, const struct deflate_block *block)
{
    struct deflate_counts counts = *block->counts;
    struct deflate_codes dynamic, fixed;
    struct preamble preamble;
    uint64_t stored_bits = stored_cost(block->len), fixed_bits, dynamic_bits;

    counts.literal[DEFLATE_BLOCK_END] = 1;
    huffman_lengths(dynamic.literal_len, counts.literal, DEFLATE_LITERALS, HUFFMAN_BITS);
    huffman_lengths(dynamic.distance_len, counts.distance, DEFLATE_DISTANCES, HUFFMAN_BITS);
    counts.literal[DEFLATE_BLOCK_END] = 0; /* tokens_cost() adds it */
    preamble_fill(&preamble, &dynamic);
    deflate_codes_fixed(&fixed);
    dynamic_bits = 3 + preamble.cost + tokens_cost(&dynamic, &counts);
    fixed_bits = 3 + tokens_cost(&fixed, &counts);

    if (stored_bits <= fixed_bits && stored_bits <= dynamic_bits) {
        bits_begin(out, stored_bits);
        put_stored(out, block->bytes, block->len, block->last);
    } else {
        bool use_fixed = fixed_bits <= dynamic_bits;

        bits_begin(out, use_fixed ? fixed_bits : dynamic_bits);
        bits_put(out, block->last, 1);
        bits_put(out, use_fixed ? TYPE_FIXED : TYPE_DYNAMIC, 2);
        if (!use_fixed) {
            huffman_codes(dynamic.literal, dynamic.literal_len, DEFLATE_LITERALS);
            huffman_codes(dynamic.distance, dynamic.distance_len, DEFLATE_DISTANCES);
            preamble_put(out, &preamble);
        }
        put_tokens(out, use_fixed ? &fixed : &dynamic, block);
    }
    bits_end(out);
}
