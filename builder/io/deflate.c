/* SPDX-License-Identifier: Apache-2.0 */
#include "deflate.h"

#include "huffman.h"

/* RFC 1951's own numbers. */
enum {
    LITERALS = 286, /* literals, end of block, lengths */
    DISTANCES = 30,
    CODE_LENGTHS = 19,
    END_OF_BLOCK = 256,
    WINDOW = 32768,
    MATCH_MIN = 3,
    MATCH_MAX = 258,
    STORED_MAX = 65535,
};

/* What decides the bytes of deflate/1; none of it may change under that name. */
enum {
    BLOCK_TOKENS = 16384,
    HASH_BITS = 16,        /* of four bytes, chained */
    SHORT_BITS = 12,       /* of three bytes, the last place only */
    SHORT_DISTANCE = 4096, /* a match of three is not worth more */
    CHAIN = 24,
    CHAIN_GOOD = 8, /* with a match of GOOD already in hand */
    GOOD = 8,
    LAZY = 16,  /* longer ones are taken without a look at the next place */
    NICE = 130, /* long enough to stop searching */
};
/* The same for fixed/1. */
enum { FIXED_HASH_BITS = 10, FIXED_MATCH_MIN = 4 };

struct token {
    uint16_t len;   /* 0: a literal */
    uint16_t value; /* the literal, or the distance less one */
};

/* ---- tables of lengths and distances ---- */

static const uint16_t length_base[29] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                         15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                         67, 83, 99, 115, 131, 163, 195, 227, 258};
static const uint8_t length_extra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                         2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
static const uint16_t distance_base[30] = {
    1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
    193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
static const uint8_t distance_extra[30] = {0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                           6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};

static unsigned high_bit(unsigned n)
{
    return 31u - (unsigned)__builtin_clz(n);
}

static unsigned length_symbol(unsigned len)
{
    unsigned n = len - MATCH_MIN, high;

    if (len == MATCH_MAX)
        return 28;
    if (n < 8)
        return n;
    high = high_bit(n);
    return 4 * (high - 1) + (n >> (high - 2) & 3);
}

static unsigned distance_symbol(unsigned distance_less_one)
{
    unsigned n = distance_less_one, high;

    if (n < 4)
        return n;
    high = high_bit(n);
    return 2 * high + (n >> (high - 1) & 1);
}

/* ---- matching ---- */

static uint32_t load32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t hash32(uint32_t bytes, unsigned bits)
{
    return bytes * 2654435761u >> (32 - bits);
}

/* How many bytes are the same at `a` and `b`, at most `max`. */
static unsigned same_bytes(const uint8_t *a, const uint8_t *b, unsigned max)
{
    unsigned n = 0;

    while (n + 8 <= max) {
        uint64_t x, y;

        memcpy(&x, a + n, 8);
        memcpy(&y, b + n, 8);
        if (x != y) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            return n + (unsigned)__builtin_ctzll(x ^ y) / 8;
#else
            return n + (unsigned)__builtin_clzll(x ^ y) / 8;
#endif
        }
        n += 8;
    }
    while (n < max && a[n] == b[n])
        n++;
    return n;
}

struct match {
    unsigned len, distance;
};

struct deflater {
    const uint8_t *in;
    uint32_t size;
    int32_t head[1 << HASH_BITS]; /* last place of a hash, -1: none */
    int32_t shorts[1 << SHORT_BITS];
    int32_t prev[WINDOW]; /* the place before, of the same hash */
    struct token tokens[BLOCK_TOKENS];
    unsigned tokens_n;
    uint32_t block_start; /* first byte of the present block */
    uint32_t literal_freq[LITERALS], distance_freq[DISTANCES];
};

struct deflater *deflater_open(void)
{
    return xmalloc(sizeof(struct deflater));
}

void deflater_clear(struct deflater **d)
{
    free(*d);
    *d = NULL;
}

/* Enter the place into the tables; only places with four bytes left count. */
static void enter(struct deflater *d, uint32_t at)
{
    uint32_t bytes, h;

    if (d->size - at < 4)
        return;
    bytes = load32(d->in + at);
    h = hash32(bytes, HASH_BITS);
    d->prev[at % WINDOW] = d->head[h];
    d->head[h] = (int32_t)at;
    d->shorts[hash32(bytes << 8, SHORT_BITS)] = (int32_t)at;
}

/* The longest match at `at` that is longer than `than`; len 0 when there is none. */
static struct match find(const struct deflater *d, uint32_t at, unsigned than)
{
    struct match best = {0, 0};
    const uint8_t *here = d->in + at;
    unsigned max = d->size - at < MATCH_MAX ? d->size - at : MATCH_MAX;
    unsigned chain = than >= GOOD ? CHAIN_GOOD : CHAIN, longest = than < 3 ? 3 : than;
    uint32_t bytes;
    int32_t p;

    if (max < 4 || than >= max)
        return best;
    bytes = load32(here);
    p = d->shorts[hash32(bytes << 8, SHORT_BITS)];
    if (than < 3 && p >= 0 && at - (uint32_t)p <= SHORT_DISTANCE &&
        (load32(d->in + p) ^ bytes) << 8 == 0)
        best = (struct match){3, at - (uint32_t)p};
    for (p = d->head[hash32(bytes, HASH_BITS)]; p >= 0 && at - (uint32_t)p <= WINDOW && chain;
         p = d->prev[(uint32_t)p % WINDOW], chain--) {
        const uint8_t *there = d->in + p;
        unsigned len;

        if (there[longest] != here[longest] || load32(there) != bytes)
            continue;
        len = same_bytes(there, here, max);
        if (len <= longest)
            continue;
        longest = len;
        best = (struct match){len, at - (uint32_t)p};
        if (len >= NICE || len == max)
            break;
    }
    return best;
}

/* ---- blocks ---- */

static void bytes_put(struct bits *b, const uint8_t *p, size_t len)
{
    memcpy(b->out->p + b->out->len, p, len);
    b->out->len += len;
}

static void put_stored(struct bits *b, const uint8_t *p, uint32_t len, bool last)
{
    do {
        uint32_t n = len < STORED_MAX ? len : STORED_MAX;

        bits_put(b, last && n == len, 3); /* type 0 */
        bits_align(b);
        bits_put(b, n, 16);
        bits_put(b, ~n & 0xffff, 16);
        bytes_put(b, p, n);
        p += n;
        len -= n;
    } while (len);
}

static void put_match(struct bits *b, const struct huffman *literal, const struct huffman *distance,
                      unsigned len, unsigned value)
{
    unsigned l = length_symbol(len), d = distance_symbol(value);

    bits_put(b, literal->bits[257 + l], literal->len[257 + l]);
    bits_put(b, len - length_base[l], length_extra[l]);
    bits_put(b, distance->bits[d], distance->len[d]);
    bits_put(b, value + 1 - distance_base[d], distance_extra[d]);
}

static void put_tokens(struct bits *b, const struct deflater *d, const struct huffman *literal,
                       const struct huffman *distance)
{
    for (unsigned i = 0; i < d->tokens_n; i++) {
        const struct token *t = &d->tokens[i];

        if (t->len)
            put_match(b, literal, distance, t->len, t->value);
        else
            bits_put(b, literal->bits[t->value], literal->len[t->value]);
    }
    bits_put(b, literal->bits[END_OF_BLOCK], literal->len[END_OF_BLOCK]);
}

static void fixed_codes(struct huffman *literal, struct huffman *distance)
{
    for (unsigned i = 0; i < HUFFMAN_SYMBOLS_MAX; i++)
        literal->len[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    huffman_codes(literal, HUFFMAN_SYMBOLS_MAX);
    memset(distance->len, 0, sizeof distance->len);
    memset(distance->len, 5, 32);
    huffman_codes(distance, 32);
}

/* The code lengths of both codes, run-length coded (RFC 1951, 3.2.7). */
struct lengths {
    uint8_t symbol[LITERALS + DISTANCES], extra[LITERALS + DISTANCES];
    unsigned n, literals, distances; /* how many of each code are sent */
    uint32_t freq[CODE_LENGTHS];
    struct huffman code;
    unsigned codes; /* how many lengths of `code` are sent */
};

static const uint8_t code_order[CODE_LENGTHS] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                                 11, 4,  12, 3, 13, 2, 14, 1, 15};
static const uint8_t code_extra[CODE_LENGTHS] = {[16] = 2, [17] = 3, [18] = 7};

static void length_add(struct lengths *l, unsigned symbol, unsigned extra)
{
    l->symbol[l->n] = (uint8_t)symbol;
    l->extra[l->n++] = (uint8_t)extra;
    l->freq[symbol]++;
}

static void length_run(struct lengths *l, unsigned value, unsigned run)
{
    if (!value) {
        for (; run >= 3; run -= run < 138 ? run : 138)
            length_add(l, run < 11 ? 17 : 18, (run < 138 ? run : 138) - (run < 11 ? 3 : 11));
    } else {
        length_add(l, value, 0);
        for (run--; run >= 3; run -= run < 6 ? run : 6)
            length_add(l, 16, (run < 6 ? run : 6) - 3);
    }
    while (run-- > 0)
        length_add(l, value, 0);
}

static void lengths_make(struct lengths *l, const struct huffman *literal,
                         const struct huffman *distance)
{
    uint8_t all[LITERALS + DISTANCES];
    unsigned total;

    memset(l, 0, sizeof *l);
    for (l->literals = LITERALS; l->literals > 257 && !literal->len[l->literals - 1];)
        l->literals--;
    for (l->distances = DISTANCES; l->distances > 1 && !distance->len[l->distances - 1];)
        l->distances--;
    memcpy(all, literal->len, l->literals);
    memcpy(all + l->literals, distance->len, l->distances);
    total = l->literals + l->distances;
    for (unsigned i = 0, run; i < total; i += run) {
        for (run = 1; i + run < total && all[i + run] == all[i];)
            run++;
        length_run(l, all[i], run);
    }
    huffman_lengths(&l->code, l->freq, CODE_LENGTHS, 7);
    huffman_codes(&l->code, CODE_LENGTHS);
    for (l->codes = CODE_LENGTHS; l->codes > 4 && !l->code.len[code_order[l->codes - 1]];)
        l->codes--;
}

static void put_lengths(struct bits *b, const struct lengths *l)
{
    bits_put(b, l->literals - 257, 5);
    bits_put(b, l->distances - 1, 5);
    bits_put(b, l->codes - 4, 4);
    for (unsigned i = 0; i < l->codes; i++)
        bits_put(b, l->code.len[code_order[i]], 3);
    for (unsigned i = 0; i < l->n; i++) {
        bits_put(b, l->code.bits[l->symbol[i]], l->code.len[l->symbol[i]]);
        bits_put(b, l->extra[i], code_extra[l->symbol[i]]);
    }
}

static uint64_t lengths_cost(const struct lengths *l)
{
    uint64_t bits = 14 + 3 * (uint64_t)l->codes;

    for (unsigned i = 0; i < CODE_LENGTHS; i++)
        bits += (uint64_t)l->freq[i] * (l->code.len[i] + code_extra[i]);
    return bits;
}

static uint64_t tokens_cost(const struct deflater *d, const struct huffman *literal,
                            const struct huffman *distance)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < LITERALS; i++)
        bits += (uint64_t)d->literal_freq[i] *
                (literal->len[i] + (i > END_OF_BLOCK ? length_extra[i - 257] : 0u));
    for (unsigned i = 0; i < DISTANCES; i++)
        bits += (uint64_t)d->distance_freq[i] * (distance->len[i] + distance_extra[i]);
    return bits;
}

/* Close the block that ends before byte `end` in the smallest of the three forms. */
static void put_block(struct deflater *d, struct bits *b, uint32_t end, bool last)
{
    struct huffman literal, distance, fixed_literal, fixed_distance;
    struct lengths lengths;
    uint32_t raw = end - d->block_start;
    uint64_t stored = ((uint64_t)raw + 5 * (raw / STORED_MAX + 1)) * 8, fixed, dynamic;

    d->literal_freq[END_OF_BLOCK]++;
    huffman_lengths(&literal, d->literal_freq, LITERALS, 15);
    huffman_codes(&literal, LITERALS);
    huffman_lengths(&distance, d->distance_freq, DISTANCES, 15);
    huffman_codes(&distance, DISTANCES);
    lengths_make(&lengths, &literal, &distance);
    fixed_codes(&fixed_literal, &fixed_distance);
    fixed = tokens_cost(d, &fixed_literal, &fixed_distance);
    dynamic = lengths_cost(&lengths) + tokens_cost(d, &literal, &distance);

    buf_room(b->out, (size_t)((stored < dynamic ? stored : dynamic) / 8 + stored / 8 + 1024));
    if (stored < fixed && stored < dynamic) {
        put_stored(b, d->in + d->block_start, raw, last);
    } else {
        bits_put(b, last, 1);
        bits_put(b, fixed <= dynamic ? 1 : 2, 2);
        if (fixed > dynamic)
            put_lengths(b, &lengths);
        put_tokens(b, d, fixed <= dynamic ? &fixed_literal : &literal,
                   fixed <= dynamic ? &fixed_distance : &distance);
    }
    d->block_start = end;
    d->tokens_n = 0;
    memset(d->literal_freq, 0, sizeof d->literal_freq);
    memset(d->distance_freq, 0, sizeof d->distance_freq);
}

/* ---- deflate/1 ---- */

static void add_literal(struct deflater *d, uint32_t at)
{
    d->tokens[d->tokens_n++] = (struct token){0, d->in[at]};
    d->literal_freq[d->in[at]]++;
}

static void add_match(struct deflater *d, struct match m)
{
    d->tokens[d->tokens_n++] = (struct token){(uint16_t)m.len, (uint16_t)(m.distance - 1)};
    d->literal_freq[257 + length_symbol(m.len)]++;
    d->distance_freq[distance_symbol(m.distance - 1)]++;
}

static void start(struct deflater *d, const void *bytes, size_t len)
{
    d->in = bytes;
    d->size = (uint32_t)len;
    d->tokens_n = 0;
    d->block_start = 0;
    memset(d->head, 0xff, sizeof d->head);
    memset(d->shorts, 0xff, sizeof d->shorts);
    memset(d->literal_freq, 0, sizeof d->literal_freq);
    memset(d->distance_freq, 0, sizeof d->distance_freq);
}

/* One token at `at`: a match, unless the next place has a longer one. Returns the bytes it covers;
 * *next is what was found there, to be used at once. */
static uint32_t step(struct deflater *d, uint32_t at, struct match *next)
{
    struct match m = *next;

    *next = (struct match){0, 0};
    enter(d, at);
    if (m.len >= MATCH_MIN && m.len < LAZY)
        *next = find(d, at + 1, m.len);
    if (m.len < MATCH_MIN || next->len > m.len) {
        add_literal(d, at);
        if (m.len < MATCH_MIN && at + 1 < d->size)
            *next = find(d, at + 1, 0);
        return 1;
    }
    add_match(d, m);
    for (uint32_t i = 1; i < m.len; i++)
        enter(d, at + i);
    if (at + m.len < d->size)
        *next = find(d, at + m.len, 0);
    return m.len;
}

void deflate_1(struct deflater *d, struct buf *out, const void *bytes, size_t len)
{
    struct bits b = {.out = out};
    struct match next = {0, 0};
    uint32_t at = 0;

    if (len > DEFLATE_INPUT_MAX)
        abort(); /* callers cut what they compress into groups */
    start(d, bytes, len);
    while (at < d->size) {
        at += step(d, at, &next);
        if (d->tokens_n == BLOCK_TOKENS && at < d->size)
            put_block(d, &b, at, false);
    }
    put_block(d, &b, at, true);
    buf_room(out, 8);
    bits_align(&b);
    buf_room(out, 0);
}

/* ---- fixed/1 ---- */

void deflate_fixed1(struct buf *out, const void *bytes, size_t len)
{
    int32_t head[1 << FIXED_HASH_BITS];
    struct huffman literal, distance;
    struct bits b = {.out = out};
    const uint8_t *in = bytes;
    uint32_t size = (uint32_t)len, at = 0;

    memset(head, 0xff, sizeof head);
    fixed_codes(&literal, &distance);
    buf_room(out, len + len / 8 + 16); /* nine bits a byte at worst */
    bits_put(&b, 1 | 1 << 1, 3);
    while (at < size) {
        unsigned max = size - at < MATCH_MAX ? size - at : MATCH_MAX, n = 0;
        int32_t p = -1;

        if (max >= FIXED_MATCH_MIN) {
            int32_t *slot = &head[hash32(load32(in + at), FIXED_HASH_BITS)];

            p = *slot;
            *slot = (int32_t)at;
        }
        if (p >= 0 && at - (uint32_t)p <= WINDOW)
            n = same_bytes(in + p, in + at, max);
        if (n < FIXED_MATCH_MIN) {
            bits_put(&b, literal.bits[in[at]], literal.len[in[at]]);
            at++;
            continue;
        }
        put_match(&b, &literal, &distance, n, at - (uint32_t)p - 1);
        at += n;
    }
    bits_put(&b, literal.bits[END_OF_BLOCK], literal.len[END_OF_BLOCK]);
    bits_align(&b);
    buf_room(out, 0);
}
