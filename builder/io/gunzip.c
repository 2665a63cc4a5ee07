/* SPDX-License-Identifier: Apache-2.0 */
#include "gunzip.h"

#include "inflate.h"
#include "inflate_engine.h"

enum {
    IN_SIZE = 256 * 1024,
    KEEP = 8, /* bytes that the decoder may have taken ahead and give back after the next feed */
    FLAG_CRC = 2,
    FLAG_EXTRA = 4,
    FLAG_NAME = 8,
    FLAG_COMMENT = 16,
    FLAGS_RESERVED = 0xe0,
    METHOD_DEFLATE = 8,
};

struct gunzip {
    struct source source; /* first: a source is a gunzip */
    struct engine *engine;
    size_t at, have; /* of `in`: the next byte, and the end */
    bool hungry;     /* the decoder has used up what it was fed */
    bool ended;      /* nothing more comes */
    bool inside;     /* a member has begun */
    bool any;        /* one has been */
    uint32_t crc;
    uint32_t size;            /* plain bytes of the member, modulo 2^32 */
    uint64_t plain;           /* bytes of all members so far */
    struct gunzip_ends *ends; /* borrowed; NULL: nobody asks */
    size_t ends_max;
    unsigned char in[KEEP + IN_SIZE];
};

static int damaged(const struct gunzip *g, const char *why, struct err *e)
{
    return err_set(e, ERR_INTEGRITY, "%s is damaged: %s", g->source.name, why);
}

/* Have at least a byte at hand, unless nothing more comes. */
static int fill(struct gunzip *g, struct err *e)
{
    size_t got;

    if (g->at < g->have || g->ended)
        return 0;
    memmove(g->in, g->in + g->have - KEEP, KEEP);
    if (source_read(g->source.below, g->in + KEEP, IN_SIZE, &got, e) < 0)
        return -1;
    g->at = KEEP;
    g->have = KEEP + got;
    g->ended = !got;
    return 0;
}

/* One byte; *c is -1 at the end. */
static int byte(struct gunzip *g, int *c, struct err *e)
{
    if (fill(g, e) < 0)
        return -1;
    *c = g->at < g->have ? g->in[g->at++] : -1;
    return 0;
}

/* `n` bytes as a number, low byte first. */
static int number(struct gunzip *g, unsigned n, uint32_t *out, struct err *e)
{
    *out = 0;
    for (unsigned i = 0; i < n; i++) {
        int c;

        if (byte(g, &c, e) < 0)
            return -1;
        if (c < 0)
            return damaged(g, "it ends early", e);
        *out |= (uint32_t)c << 8 * i;
    }
    return 0;
}

static int skip_text(struct gunzip *g, struct err *e)
{
    uint32_t c = 1;

    while (c)
        if (number(g, 1, &c, e) < 0)
            return -1;
    return 0;
}

static int read_header(struct gunzip *g, struct err *e)
{
    uint32_t magic, method, flags, n, ignored;

    if (number(g, 2, &magic, e) < 0)
        return -1;
    if (magic != 0x8b1f)
        return damaged(g, "what follows is not a gzip member", e);
    if (number(g, 1, &method, e) < 0 || number(g, 1, &flags, e) < 0 ||
        number(g, 4, &ignored, e) < 0 || number(g, 2, &ignored, e) < 0)
        return -1;
    if (method != METHOD_DEFLATE || flags & FLAGS_RESERVED)
        return damaged(g, "its gzip header is of an unknown kind", e);
    if (flags & FLAG_EXTRA) {
        if (number(g, 2, &n, e) < 0)
            return -1;
        while (n--)
            if (number(g, 1, &ignored, e) < 0)
                return -1;
    }
    if ((flags & FLAG_NAME && skip_text(g, e) < 0) ||
        (flags & FLAG_COMMENT && skip_text(g, e) < 0) ||
        (flags & FLAG_CRC && number(g, 2, &ignored, e) < 0))
        return -1;
    return 0;
}

/* Go to the next member; *more is false at the end of the file. */
static int next_member(struct gunzip *g, bool *more, struct err *e)
{
    do {
        if (fill(g, e) < 0)
            return -1;
        while (g->any && g->at < g->have && !g->in[g->at])
            g->at++;
    } while (g->at == g->have && !g->ended);
    *more = g->at < g->have;
    if (!*more)
        return g->any ? 0 : damaged(g, "it is empty", e);
    if (read_header(g, e) < 0)
        return -1;
    engine_reset(g->engine);
    g->hungry = true;
    g->inside = g->any = true;
    g->crc = 0;
    g->size = 0;
    return 0;
}

static void note_end(struct gunzip *g)
{
    uint64_t packed = g->source.below->produced - (g->have - g->at);

    if (g->ends && g->ends->n <= g->ends_max)
        vec_add(g->ends, ((struct gunzip_end){packed, g->plain}));
}

static int end_member(struct gunzip *g, struct err *e)
{
    uint32_t crc, size;

    g->at = g->have - engine_unused(g->engine);
    g->inside = false;
    if (number(g, 4, &crc, e) < 0 || number(g, 4, &size, e) < 0)
        return -1;
    if (crc != g->crc)
        return damaged(g, "its CRC-32 is wrong", e);
    if (size != g->size)
        return damaged(g, "it holds more or less than its size says", e);
    note_end(g);
    return 0;
}

/* Hand the decoder what is at hand, or what comes next. */
static int feed(struct gunzip *g, struct err *e)
{
    if (fill(g, e) < 0)
        return -1;
    if (g->ended)
        return damaged(g, "it ends early", e);
    engine_feed(g->engine, g->in + g->at, g->have - g->at);
    g->at = g->have;
    g->hungry = false;
    return 0;
}

static int gunzip_read(struct source *self, void *to, size_t len, size_t *got, struct err *e)
{
    struct gunzip *g = (struct gunzip *)self;
    struct str plain;
    bool more;

    *got = 0;
    while (!*got) {
        if (!g->inside) {
            if (next_member(g, &more, e) < 0)
                return -1;
            if (!more)
                return 0;
        }
        if (g->hungry && feed(g, e) < 0)
            return -1;
        if (!engine_step(g->engine, len, &plain))
            return damaged(g, "its compressed data is broken", e);
        *got = plain.len;
        if (*got)
            memcpy(to, plain.p, *got);
        g->hungry = !*got;
        g->crc = crc32_add(g->crc, to, *got);
        g->size += (uint32_t)*got;
        g->plain += *got;
        if (engine_done(g->engine) && end_member(g, e) < 0)
            return -1;
    }
    return 0;
}

static void gunzip_free(struct source *self)
{
    engine_free(((struct gunzip *)self)->engine);
}

struct source *gunzip_watched(struct source *packed, struct gunzip_ends *ends, size_t max)
{
    struct gunzip *g = xcalloc(1, sizeof *g);

    source_init(&g->source, gunzip_read, gunzip_free, packed);
    g->source.unpacks = true;
    g->at = g->have = KEEP;
    g->engine = engine_open();
    g->ends = ends;
    g->ends_max = max;
    return &g->source;
}

struct source *gunzip(struct source *packed)
{
    return gunzip_watched(packed, NULL, 0);
}
