/* SPDX-License-Identifier: Apache-2.0 */
#include "inflate_engine.h"

#include <assert.h>

#include "../base/mem.h"
#include "bits.h"
#include "inflate_code.h"

enum {
    LITLEN_INDEX = 11, /* bits that index a table; longer codes go on in a second one */
    DIST_INDEX = 8,
    ORDER_INDEX = 7,
    LITLEN_TABLE = 2342, /* the most entries that a complete code needs: zlib's enough.c */
    DIST_TABLE = 402,
    ORDER_TABLE = 1 << ORDER_INDEX,
    LITLENS = 286, /* symbols that a header may give codes to */
    DISTS = 30,
    END_OF_BLOCK = 256,
    HISTORY = 32 * 1024, /* how far back a match may reach */
    CHUNK = 128 * 1024,  /* what comes out at once stays in the cache */
    IN_SLACK = 32,       /* bytes that one round of the fast loop may read */
    OUT_SLACK = 320, /* and write: three literals, a match of 258, and what copying overshoots */
};

#define RARE(condition) __builtin_expect(!!(condition), 0)

enum phase { HEAD, STORED_SIZE, STORED, COUNTS, ORDER, CODES, BLOCK, DONE };

struct bits_in {
    const uint8_t *p, *end;
    uint64_t held; /* the next bit lowest */
    uint32_t n;    /* bits held */
};

struct engine {
    struct bits_in in;
    enum phase phase;
    bool last;                        /* this block is */
    uint32_t stored;                  /* bytes of a stored block to come */
    unsigned litlens, dists, orders;  /* codes that a header gives */
    unsigned at;                      /* the next of them */
    uint8_t len[LITLENS + DISTS + 1]; /* bits of their codes */
    uint8_t order_len[19];
    const uint32_t *litlen, *dist; /* the tables of this block */
    uint32_t order_table[ORDER_TABLE];
    uint32_t own_litlen[LITLEN_TABLE], own_dist[DIST_TABLE];
    uint32_t fixed_litlen[LITLEN_TABLE], fixed_dist[DIST_TABLE];
    uint8_t *out, *given; /* into `bytes`: the end of what is there, and of what was handed out */
    uint8_t bytes[HISTORY + CHUNK + OUT_SLACK];
};

static void build_fixed(struct engine *e)
{
    uint8_t len[CODE_SYMBOLS];
    bool ok;

    for (unsigned i = 0; i < CODE_SYMBOLS; i++)
        len[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    ok = code_build(e->fixed_litlen, LITLEN_INDEX, &code_litlens, len, CODE_SYMBOLS, false);
    memset(len, 5, 32);
    ok = code_build(e->fixed_dist, DIST_INDEX, &code_dists, len, 32, false) && ok;
    assert(ok);
}

/* ---- bits ---- */

static inline uint64_t low(uint64_t bits, unsigned n)
{
    return bits & ((UINT64_C(1) << n) - 1);
}

/* Have 56 bits or more, 63 at most, or all that there are. */
static void fill(struct bits_in *b)
{
    while (b->n < 56 && b->p < b->end) {
        b->held |= (uint64_t)*b->p++ << b->n;
        b->n += 8;
    }
}

/* The same with at least 8 bytes at hand. Above `n`, `held` is then what follows, or zero. */
static inline __attribute__((always_inline)) void refill(struct bits_in *b)
{
    b->held |= load_le64(b->p) << (uint8_t)b->n;
    b->p += 7;
    b->p -= b->n >> 3 & 7;
    b->n |= 56;
}

/* Take what an entry says; the bits as they were. Only the lowest byte of `n` counts, until the end
 * of the fast loop. */
static inline __attribute__((always_inline)) uint64_t take(struct bits_in *b, uint32_t entry)
{
    uint64_t was = b->held;

    b->held >>= (uint8_t)entry;
    b->n -= entry;
    return was;
}

static bool take_bits(struct bits_in *b, unsigned n, unsigned *out)
{
    fill(b);
    if (b->n < n)
        return false;
    *out = (unsigned)low(b->held, n);
    b->held >>= n;
    b->n -= n;
    return true;
}

/* A length or distance, from bits of which the code is the first. */
static inline __attribute__((always_inline)) size_t value(uint32_t entry, uint64_t was)
{
    return (entry >> 16) + (size_t)(low(was, (uint8_t)entry) >> (uint8_t)(entry >> 8));
}

/* ---- the fast loop: while there is plenty to read and room to write ---- */

static inline __attribute__((always_inline)) void copy_match(uint8_t *to, size_t len, size_t back)
{
    const uint8_t *from = to - back;
    uint8_t *end = to + len;

    if (back >= 16) {
        memcpy(to, from, 16);
        memcpy(to + 16, from + 16, 16);
        for (to += 32, from += 32; to < end; to += 16, from += 16)
            memcpy(to, from, 16);
    } else if (back >= 8) {
        do {
            memcpy(to, from, 8);
            to += 8;
            from += 8;
        } while (to < end);
    } else if (back == 1) {
        memset(to, *from, len);
    } else {
        do {
            uint64_t word;

            memcpy(&word, from, 8);
            memcpy(to, &word, 8);
            to += back;
            from += back;
        } while (to < end);
    }
}

enum result { GO_ON, PAUSE, BROKEN };

static inline __attribute__((always_inline)) enum result fast(struct engine *e)
{
    const uint32_t *litlen = e->litlen, *dist = e->dist;
    const uint8_t *in_end = e->in.end - IN_SLACK, *out_end = e->bytes + HISTORY + CHUNK;
    struct bits_in b = e->in;
    uint8_t *out = e->out;
    enum result result = GO_ON;
    uint32_t entry;

    refill(&b);
    entry = litlen[low(b.held, LITLEN_INDEX)];
    do {
        uint64_t was = take(&b, entry);
        size_t len, back;

        if (entry & CODE_LITERAL) {
            *out++ = (uint8_t)(entry >> 16);
            entry = litlen[low(b.held, LITLEN_INDEX)];
            was = take(&b, entry);
            if (entry & CODE_LITERAL) {
                *out++ = (uint8_t)(entry >> 16);
                entry = litlen[low(b.held, LITLEN_INDEX)];
                was = take(&b, entry);
                if (entry & CODE_LITERAL) {
                    *out++ = (uint8_t)(entry >> 16);
                    refill(&b);
                    entry = litlen[low(b.held, LITLEN_INDEX)];
                    continue;
                }
            }
        }
        if (RARE(entry & CODE_SPECIAL)) {
            if (entry & CODE_LINK) {
                entry = litlen[(entry >> 16) + low(b.held, entry >> 8 & 15)];
                was = take(&b, entry);
                if (entry & CODE_LITERAL) {
                    *out++ = (uint8_t)(entry >> 16);
                    refill(&b);
                    entry = litlen[low(b.held, LITLEN_INDEX)];
                    continue;
                }
            }
            if (entry & CODE_SPECIAL) {
                result = entry & CODE_END ? PAUSE : BROKEN;
                break;
            }
        }
        len = value(entry, was);
        entry = dist[low(b.held, DIST_INDEX)];
        if (RARE((uint8_t)b.n < CODE_MAX + 13 + LITLEN_INDEX))
            refill(&b);
        if (RARE(entry & CODE_LINK)) {
            take(&b, entry & 0xff);
            entry = dist[(entry >> 16) + low(b.held, entry >> 8 & 15)];
        }
        was = take(&b, entry);
        back = RARE(entry & CODE_SPECIAL) ? SIZE_MAX : value(entry, was);
        if (RARE(back > (size_t)(out - e->bytes))) {
            result = BROKEN;
            break;
        }
        refill(&b);
        entry = litlen[low(b.held, LITLEN_INDEX)];
        copy_match(out, len, back);
        out += len;
    } while (b.p < in_end && out < out_end);
    b.n = (uint8_t)b.n;
    b.held = low(b.held, b.n);
    e->in = b;
    e->out = out;
    return result;
}

#ifdef __x86_64__
/* Shifts by a variable number of bits cost a third there. */
__attribute__((target("bmi,bmi2"))) static enum result fast_bmi2(struct engine *e)
{
    return fast(e);
}
#endif

static enum result fast_any(struct engine *e)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("bmi2"))
        return fast_bmi2(e);
#endif
    return fast(e);
}

/* ---- the careful one ---- */

/* The meaning of the code that begins `skip` bits ahead; *skip moves behind it and its extra bits.
 * `was`: the bits of its code and what follows. */
static uint32_t look_up(const uint32_t *table, unsigned index, const struct bits_in *b,
                        unsigned *skip, uint64_t *was)
{
    uint64_t held = b->held >> *skip;
    uint32_t entry = table[low(held, index)];

    if (entry & CODE_LINK) {
        held >>= index;
        *skip += index;
        entry = table[(entry >> 16) + low(held, entry >> 8 & 15)];
    }
    *skip += (uint8_t)entry;
    *was = held;
    return entry;
}

static void drop(struct bits_in *b, unsigned n)
{
    b->held >>= n;
    b->n -= n;
}

static void end_block(struct engine *e)
{
    e->phase = e->last ? DONE : HEAD;
}

static enum result one_symbol(struct engine *e)
{
    struct bits_in *b = &e->in;
    unsigned skip = 0;
    uint64_t was;
    uint32_t entry;
    size_t len, back;

    fill(b);
    entry = look_up(e->litlen, LITLEN_INDEX, b, &skip, &was);
    if (skip > b->n)
        return PAUSE;
    if (entry & CODE_LITERAL) {
        *e->out++ = (uint8_t)(entry >> 16);
        drop(b, skip);
        return GO_ON;
    }
    if (entry & CODE_SPECIAL) {
        drop(b, skip);
        end_block(e);
        return entry & CODE_END ? GO_ON : BROKEN;
    }
    len = value(entry, was);
    entry = look_up(e->dist, DIST_INDEX, b, &skip, &was);
    if (skip > b->n)
        return PAUSE;
    back = entry & CODE_SPECIAL ? SIZE_MAX : value(entry, was);
    if (back > (size_t)(e->out - e->bytes))
        return BROKEN;
    drop(b, skip);
    for (; len; len--, e->out++)
        *e->out = *(e->out - back);
    return GO_ON;
}

static bool has_room(const struct engine *e)
{
    return e->out < e->bytes + HISTORY + CHUNK;
}

static enum result read_block(struct engine *e)
{
    enum result result = GO_ON;

    if (!has_room(e))
        return PAUSE;
    if (e->in.end - e->in.p <= IN_SLACK)
        return one_symbol(e);
    result = fast_any(e);
    if (result == PAUSE) {
        end_block(e);
        result = GO_ON;
    }
    return result;
}

/* ---- headers ---- */

static enum result read_head(struct engine *e)
{
    static const enum phase next[] = {STORED_SIZE, BLOCK, COUNTS};
    unsigned head;

    if (!take_bits(&e->in, 3, &head))
        return PAUSE;
    e->last = head & 1;
    if (head >> 1 == 3)
        return BROKEN;
    e->phase = next[head >> 1];
    e->litlen = e->fixed_litlen;
    e->dist = e->fixed_dist;
    if (e->phase == STORED_SIZE)
        drop(&e->in, e->in.n & 7);
    return GO_ON;
}

static enum result read_stored_size(struct engine *e)
{
    unsigned size;

    if (!take_bits(&e->in, 32, &size))
        return PAUSE;
    if ((size & 0xffff) != (~size >> 16))
        return BROKEN;
    e->stored = size & 0xffff;
    e->phase = STORED;
    return GO_ON;
}

static enum result read_stored(struct engine *e)
{
    size_t n = (size_t)(e->bytes + HISTORY + CHUNK - e->out);
    unsigned byte;

    if (!e->stored) {
        end_block(e);
        return GO_ON;
    }
    if (!has_room(e))
        return PAUSE;
    if (e->in.n) {
        byte = (uint8_t)e->in.held;
        drop(&e->in, 8);
        *e->out++ = (uint8_t)byte;
        e->stored--;
        return GO_ON;
    }
    n = n < e->stored ? n : e->stored;
    n = n < (size_t)(e->in.end - e->in.p) ? n : (size_t)(e->in.end - e->in.p);
    if (!n)
        return PAUSE;
    memcpy(e->out, e->in.p, n);
    e->in.p += n;
    e->out += n;
    e->stored -= (uint32_t)n;
    return GO_ON;
}

static enum result read_counts(struct engine *e)
{
    unsigned counts;

    if (!take_bits(&e->in, 14, &counts))
        return PAUSE;
    e->litlens = (counts & 31) + 257;
    e->dists = (counts >> 5 & 31) + 1;
    e->orders = (counts >> 10) + 4;
    e->at = 0;
    memset(e->order_len, 0, sizeof e->order_len);
    e->phase = ORDER;
    return e->litlens > LITLENS || e->dists > DISTS ? BROKEN : GO_ON;
}

static enum result read_order(struct engine *e)
{
    static const uint8_t order[] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                    11, 4,  12, 3, 13, 2, 14, 1, 15};

    for (; e->at < e->orders; e->at++) {
        unsigned len;

        if (!take_bits(&e->in, 3, &len))
            return PAUSE;
        e->order_len[order[e->at]] = (uint8_t)len;
    }
    e->at = 0;
    e->phase = CODES;
    return code_build(e->order_table, ORDER_INDEX, &code_orders, e->order_len, 19, false) ? GO_ON
                                                                                          : BROKEN;
}

/* The lengths of the codes; those for literals run on into those for distances. */
static enum result read_codes(struct engine *e)
{
    const unsigned all = e->litlens + e->dists;

    while (e->at < all) {
        unsigned skip = 0;
        uint64_t was;
        uint32_t entry;
        size_t times = 1;
        uint8_t len = 0;

        fill(&e->in);
        entry = look_up(e->order_table, ORDER_INDEX, &e->in, &skip, &was);
        if (skip > e->in.n)
            return PAUSE;
        drop(&e->in, skip);
        if (entry & CODE_LITERAL) {
            len = (uint8_t)(entry >> 16);
        } else {
            if (entry & CODE_SPECIAL && !e->at)
                return BROKEN;
            times = value(entry & ~CODE_SPECIAL, was);
            if (entry & CODE_SPECIAL)
                len = e->len[e->at - 1];
        }
        if (times > all - e->at)
            return BROKEN;
        memset(e->len + e->at, len, times);
        e->at += (unsigned)times;
    }
    if (!e->len[END_OF_BLOCK] ||
        !code_build(e->own_litlen, LITLEN_INDEX, &code_litlens, e->len, e->litlens, true) ||
        !code_build(e->own_dist, DIST_INDEX, &code_dists, e->len + e->litlens, e->dists, true))
        return BROKEN;
    e->litlen = e->own_litlen;
    e->dist = e->own_dist;
    e->phase = BLOCK;
    return GO_ON;
}

/* ---- putting it together ---- */

static enum result go_on(struct engine *e)
{
    switch (e->phase) {
    case HEAD:
        return read_head(e);
    case STORED_SIZE:
        return read_stored_size(e);
    case STORED:
        return read_stored(e);
    case COUNTS:
        return read_counts(e);
    case ORDER:
        return read_order(e);
    case CODES:
        return read_codes(e);
    case BLOCK:
        return read_block(e);
    case DONE:
        return PAUSE;
    }
    return BROKEN;
}

struct engine *engine_open(void)
{
    struct engine *e = xmalloc(sizeof *e);

    build_fixed(e);
    engine_reset(e);
    return e;
}

void engine_free(struct engine *e)
{
    free(e);
}

void engine_reset(struct engine *e)
{
    e->in = (struct bits_in){0};
    e->phase = HEAD;
    e->out = e->given = e->bytes;
}

void engine_feed(struct engine *e, const void *bytes, size_t len)
{
    e->in.p = bytes;
    e->in.end = e->in.p + len;
}

bool engine_step(struct engine *e, size_t most, struct str *out)
{
    enum result result = GO_ON;
    size_t n;

    if (e->given == e->out) {
        if (!has_room(e)) {
            memmove(e->bytes, e->out - HISTORY, HISTORY);
            e->out = e->given = e->bytes + HISTORY;
        }
        while (result == GO_ON)
            result = go_on(e);
    }
    n = (size_t)(e->out - e->given);
    n = n < most ? n : most;
    *out = (struct str){(const char *)e->given, n};
    e->given += n;
    return result != BROKEN;
}

bool engine_done(const struct engine *e)
{
    return e->phase == DONE && e->given == e->out;
}

size_t engine_unused(const struct engine *e)
{
    return (size_t)(e->in.end - e->in.p) + e->in.n / 8;
}
