/* SPDX-License-Identifier: Apache-2.0 */
#include "deflate.h"

#include "deflate_block.h"

#include <assert.h>

static uint32_t hash(uint32_t bytes, unsigned bits)
{
    return (bytes * 0x9e3779b1u) >> (32 - bits);
}

/* How many bytes from `a` and `b` on are equal, `max` at most. */
static inline unsigned common(const uint8_t *a, const uint8_t *b, unsigned max)
{
    unsigned n = 0;

    for (; n + 8 <= max; n += 8) {
        uint64_t diff = load_le64(a + n) ^ load_le64(b + n);

        if (diff)
            return n + (unsigned)__builtin_ctzll(diff) / 8;
    }
    while (n < max && a[n] == b[n])
        n++;
    return n;
}

/* ---- fixed/1 ---- */

enum { FIXED_HASH_BITS = 10, FIXED_WAYS = 4 };

/* The longest match among the last places with this hash; then remember `pos`. */
static unsigned fixed_find(uint32_t (*table)[FIXED_WAYS], const uint8_t *in, uint32_t pos,
                           unsigned max, unsigned *distance)
{
    uint32_t *way, bytes = in[pos] | (uint32_t)in[pos + 1] << 8 | (uint32_t)in[pos + 2] << 16;
    unsigned best = DEFLATE_MATCH_MIN - 1;

    way = table[hash(bytes, FIXED_HASH_BITS)];
    for (unsigned i = 0; i < FIXED_WAYS && way[i]; i++) {
        uint32_t at = way[i] - 1; /* 0 is an empty place */
        unsigned len = pos - at > DEFLATE_WINDOW ? 0 : common(in + at, in + pos, max);

        if (len > best) {
            best = len;
            *distance = pos - at;
        }
    }
    memmove(way + 1, way, (FIXED_WAYS - 1) * sizeof *way); /* the newest comes first */
    way[0] = pos + 1;
    return best;
}

void deflate_fixed1(struct buf *out, const void *bytes, size_t len)
{
    uint32_t table[1 << FIXED_HASH_BITS][FIXED_WAYS] = {0};
    const uint8_t *in = bytes;
    struct deflate_codes codes;
    struct bits b = {.out = out};
    uint32_t pos = 0, end = (uint32_t)len;

    assert(len <= DEFLATE_INPUT_MAX);
    deflate_codes_fixed(&codes);
    bits_begin(&b, 9 * (uint64_t)len + 10); /* nothing takes more than 9 bits a byte */
    bits_put(&b, 1 | 1 << 1, 3);            /* the last block; of type 1 */
    while (pos < end) {
        unsigned max = end - pos < DEFLATE_MATCH_MAX ? end - pos : DEFLATE_MATCH_MAX;
        unsigned distance, best = 0;

        if (max >= DEFLATE_MATCH_MIN)
            best = fixed_find(table, in, pos, max, &distance);
        if (best >= DEFLATE_MATCH_MIN) {
            deflate_put_match(&b, &codes, best, distance);
            pos += best;
        } else {
            bits_add(&b, codes.literal[in[pos]], codes.literal_len[in[pos]]);
            pos++;
        }
        bits_flush(&b);
    }
    bits_put(&b, codes.literal[DEFLATE_BLOCK_END], codes.literal_len[DEFLATE_BLOCK_END]);
    bits_align(&b);
    bits_end(&b);
}

/* ---- deflate/1 ---- */

/* These decide the bytes, as do the numbers of fixed/1 above: another value is another encoder. */
enum {
    HASH_BITS = 15,
    SHORT_HASH_BITS = 13,
    DEPTH = 24,                   /* places looked at for one match */
    GOOD = 8,                     /* a match this long is searched past less eagerly */
    NICE = 100,                   /* a match this long is taken at once */
    SHORT_DISTANCE = 4096,        /* three bytes from farther away cost more than three literals */
    UNIT = 1024,                  /* tokens between two looks at whether the block should end */
    BLOCK_TOKENS = 32768,         /* a multiple of UNIT */
    LOG_BITS = 8,                 /* fraction bits of log2 */
    SPLIT_GAIN = 700 << LOG_BITS, /* what a new block's codes cost, roughly, in bits */
};

/* Positions are kept modulo 65536. A stale one is only a bad guess: every guess is checked byte for
 * byte. All tables are cleared for each input, so guesses too depend on the input alone. */
struct deflater {
    uint16_t head[1 << HASH_BITS];             /* newest position by four bytes */
    uint16_t short_head[1 << SHORT_HASH_BITS]; /* the same by three */
    uint16_t prev[DEFLATE_WINDOW];             /* the next older position with the same hash */
    uint16_t log2[1 << LOG_BITS];

    deflate_token token[BLOCK_TOKENS]; /* of the block, then of the unit */
    struct stretch {
        size_t tokens, bytes;
        struct deflate_counts counts;
        uint64_t cost; /* estimate: bits << LOG_BITS */
    } block, unit;

    const uint8_t *in, *end; /* borrowed for one call */
    const uint8_t *written;  /* where the next block begins */
    struct bits out;
};

/* log2(i) << LOG_BITS, bit by bit: squaring doubles a logarithm. */
static void fill_log2(uint16_t *table)
{
    for (uint32_t i = 1; i < 1u << LOG_BITS; i++) {
        unsigned whole = deflate_log2(i), fraction = 0;
        uint64_t x = (uint64_t)i << (30 - whole); /* 1 to 2, as 2.30 */

        for (int bit = 0; bit < LOG_BITS; bit++) {
            x = x * x >> 30;
            fraction = fraction << 1 | (unsigned)(x >> 31);
            x >>= x >> 31;
        }
        table[i] = (uint16_t)(whole << LOG_BITS | fraction);
    }
}

struct deflater *deflater_open(void)
{
    struct deflater *d = xcalloc(1, sizeof *d);

    fill_log2(d->log2);
    return d;
}

void deflater_clear(struct deflater **d)
{
    free(*d);
    *d = NULL;
}

/* n * log2(n) << LOG_BITS */
static uint64_t n_log_n(const struct deflater *d, uint32_t n)
{
    unsigned shift = n >> LOG_BITS ? deflate_log2(n) - LOG_BITS + 1 : 0;

    return (uint64_t)n * (d->log2[n >> shift] + (shift << LOG_BITS));
}

/* The entropy of a stretch's symbols. Extra bits are left out: no split changes them. */
static uint64_t estimate(const struct deflater *d, const struct deflate_counts *counts)
{
    uint64_t cost = 0;
    uint32_t literals = 0, distances = 0;

    for (unsigned i = 0; i < DEFLATE_LITERALS; i++) {
        literals += counts->literal[i];
        cost -= n_log_n(d, counts->literal[i]);
    }
    for (unsigned i = 0; i < DEFLATE_DISTANCES; i++) {
        distances += counts->distance[i];
        cost -= n_log_n(d, counts->distance[i]);
    }
    return cost + n_log_n(d, literals) + n_log_n(d, distances);
}

static void add_counts(struct deflate_counts *to, const struct deflate_counts *from)
{
    for (unsigned i = 0; i < ARRAY_LEN(to->literal); i++)
        to->literal[i] += from->literal[i];
    for (unsigned i = 0; i < ARRAY_LEN(to->distance); i++)
        to->distance[i] += from->distance[i];
}

static void put_block(struct deflater *d, bool last)
{
    deflate_block_put(&d->out, &(struct deflate_block){.bytes = d->written,
                                                       .len = d->block.bytes,
                                                       .tokens = d->token,
                                                       .token_count = d->block.tokens,
                                                       .counts = &d->block.counts,
                                                       .last = last});
    d->written += d->block.bytes;
    memmove(d->token, d->token + d->block.tokens, d->unit.tokens * sizeof *d->token);
    d->block = (struct stretch){0};
}

/* Let the unit join the block; before that, end the block if the two are better apart. */
static void end_unit(struct deflater *d)
{
    struct deflate_counts both = d->block.counts;
    uint64_t together;

    d->unit.cost = estimate(d, &d->unit.counts);
    add_counts(&both, &d->unit.counts);
    together = estimate(d, &both);
    if (d->block.tokens && together > d->block.cost + d->unit.cost + SPLIT_GAIN) {
        put_block(d, false);
        both = d->unit.counts;
        together = d->unit.cost;
    }
    d->block.tokens += d->unit.tokens;
    d->block.bytes += d->unit.bytes;
    d->block.counts = both;
    d->block.cost = together;
    d->unit = (struct stretch){0};
    if (d->block.tokens == BLOCK_TOKENS)
        put_block(d, false);
}

static inline void add_token(struct deflater *d, deflate_token token, size_t bytes)
{
    d->token[d->block.tokens + d->unit.tokens++] = token;
    d->unit.bytes += bytes;
    if (d->unit.tokens == UNIT)
        end_unit(d);
}

static inline void add_literal(struct deflater *d, uint8_t byte)
{
    d->unit.counts.literal[byte]++;
    add_token(d, byte, 1);
}

struct match {
    unsigned len, distance;
};

static inline void add_match(struct deflater *d, struct match m)
{
    d->unit.counts.literal[deflate_length_symbol(m.len)]++;
    d->unit.counts.distance[deflate_distance_symbol(m.distance)]++;
    add_token(d, m.len << 16 | m.distance, m.len);
}

/* Enter position `p`, which has four bytes; gives the newest older ones that may be the same. */
static inline void insert(struct deflater *d, const uint8_t *p, uint16_t *same4, uint16_t *same3)
{
    uint32_t bytes = load_le32(p), h4 = hash(bytes, HASH_BITS),
             h3 = hash(bytes << 8, SHORT_HASH_BITS);
    uint16_t pos = (uint16_t)(p - d->in);

    *same4 = d->prev[pos % DEFLATE_WINDOW] = d->head[h4];
    *same3 = d->short_head[h3];
    d->head[h4] = d->short_head[h3] = pos;
}

/* Enter `p` and look for a match longer than `best`; length 0 when there is none. */
static struct match find(struct deflater *d, const uint8_t *p, unsigned best, unsigned depth)
{
    unsigned max = d->end - p < DEFLATE_MATCH_MAX ? (unsigned)(d->end - p) : DEFLATE_MATCH_MAX;
    unsigned reach = p - d->in < DEFLATE_WINDOW ? (unsigned)(p - d->in) : DEFLATE_WINDOW;
    unsigned nice = max < NICE ? max : NICE, distance, last = 0;
    struct match m = {0};
    uint16_t same4, same3, pos = (uint16_t)(p - d->in);
    uint32_t bytes;

    if (max < 4)
        return m;
    insert(d, p, &same4, &same3);
    if (best >= max)
        return m;
    bytes = load_le32(p);
    if (best < DEFLATE_MATCH_MIN) {
        distance = (uint16_t)(pos - same3);
        if (distance && distance <= reach && distance <= SHORT_DISTANCE &&
            !((load_le32(p - distance) ^ bytes) << 8))
            m = (struct match){DEFLATE_MATCH_MIN, distance};
        best = DEFLATE_MATCH_MIN;
    }
    /* Distances grow along a chain; one that does not is stale and ends it. */
    for (distance = (uint16_t)(pos - same4); distance > last && distance <= reach && depth--;
         last = distance,
        distance = (uint16_t)(pos - d->prev[(uint16_t)(pos - distance) % DEFLATE_WINDOW])) {
        const uint8_t *at = p - distance;
        unsigned len;

        if (load_le32(at + best - 3) != load_le32(p + best - 3) || load_le32(at) != bytes)
            continue;
        len = 4 + common(at + 4, p + 4, max - 4);
        if (len > best) {
            best = len;
            m = (struct match){len, distance};
            if (len >= nice)
                break;
        }
    }
    return m;
}

/* Is it better to say a literal first and then `next`? One byte more or less weighs as much as four
 * bits of distance. */
static bool worth_waiting(struct match now, struct match next)
{
    return next.len &&
           4 * next.len + deflate_log2(now.distance) > 4 * now.len + deflate_log2(next.distance);
}

/* Enter the positions that a match covers, but for the first two, which find() has seen. */
static void skip(struct deflater *d, const uint8_t *p, const uint8_t *to)
{
    uint16_t same4, same3;

    if (to > d->end - 4)
        to = d->end - 3;
    for (; p < to; p++)
        insert(d, p, &same4, &same3);
}

static const uint8_t *step(struct deflater *d, const uint8_t *p)
{
    struct match m = find(d, p, 0, DEPTH), next;

    if (!m.len) {
        add_literal(d, *p);
        return p + 1;
    }
    while (m.len < NICE) {
        next = find(d, p + 1, m.len, m.len < GOOD ? DEPTH : DEPTH / 4);
        if (!worth_waiting(m, next))
            break;
        add_literal(d, *p++);
        m = next;
    }
    add_match(d, m);
    skip(d, m.len < NICE ? p + 2 : p + 1, p + m.len);
    return p + m.len;
}

/* All blocks; `d->out` is at a bit, and not ended. */
static void put_all(struct deflater *d, struct buf *out, const void *bytes, size_t len, bool last)
{
    const uint8_t *p = len ? bytes : (const void *)""; /* no arithmetic with NULL */

    assert(len <= DEFLATE_INPUT_MAX);
    memset(d->head, 0, sizeof d->head);
    memset(d->short_head, 0, sizeof d->short_head);
    memset(d->prev, 0, sizeof d->prev);
    d->block = d->unit = (struct stretch){0};
    d->in = d->written = p;
    d->end = p + len;
    d->out = (struct bits){.out = out};

    while (p < d->end)
        p = step(d, p);
    if (d->unit.tokens)
        end_unit(d);
    if (d->block.tokens || last)
        put_block(d, last);
    d->in = d->end = d->written = NULL;
}

void deflate_1(struct deflater *d, struct buf *out, const void *bytes, size_t len)
{
    put_all(d, out, bytes, len, true);
    bits_begin(&d->out, 8);
    bits_align(&d->out);
    bits_end(&d->out);
}

void deflate_1_part(struct deflater *d, struct buf *out, const void *bytes, size_t len)
{
    put_all(d, out, bytes, len, false);
    bits_begin(&d->out, 3 + 7 + 32);
    bits_put(&d->out, 0, 3); /* not the last, stored */
    bits_align(&d->out);
    bits_put(&d->out, 0xffff0000, 32); /* of length 0 */
    bits_end(&d->out);
}

/* The last block, of fixed codes and empty. */
const unsigned char deflate_1_end[2] = {3, 0};
