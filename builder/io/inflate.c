/* SPDX-License-Identifier: Apache-2.0 */
#include "inflate.h"

#ifdef HAVE_ISAL
#include <isa-l.h>
#else
#include <zlib.h>
#endif

#include "inflate_engine.h"

enum { IN_SIZE = 128 * 1024 };

struct inflater {
    struct engine *engine;
    unsigned char in[IN_SIZE];
};

struct inflater *inflater_open(void)
{
    struct inflater *i = xmalloc(sizeof *i);

    i->engine = engine_open();
    return i;
}

void inflater_clear(struct inflater **i)
{
    if (!*i)
        return;
    engine_free((*i)->engine);
    free(*i);
    *i = NULL;
}

uint32_t crc32_add(uint32_t crc, const void *bytes, size_t len)
{
    if (!len)
        return crc;
#ifdef HAVE_ISAL
    return crc32_gzip_refl(crc, bytes, len);
#else
    return (uint32_t)crc32_z(crc, bytes, len);
#endif
}

/* What one stream has come to. */
struct stream {
    uint64_t size; /* plain bytes so far */
    uint32_t crc;
};

static int damaged(const char *what, const char *why, struct err *e)
{
    return err_set(e, ERR_INTEGRITY, "%s is damaged: %s", what, why);
}

/* All output that the input at hand gives. */
static int drain(struct inflater *i, struct stream *s, uint64_t size, struct sink *to,
                 const char *what, struct err *e)
{
    struct str plain;

    do {
        if (!engine_step(i->engine, SIZE_MAX, &plain))
            return damaged(what, "its compressed data is broken", e);
        s->size += plain.len;
        if (s->size > size)
            return damaged(what, "it holds more than its size says", e);
        s->crc = crc32_add(s->crc, plain.p, plain.len);
        if (sink_write(to, plain.p, plain.len, e) < 0)
            return -1;
    } while (plain.len);
    return 0;
}

int inflate_exact(struct inflater *i, struct source *in, uint64_t packed, uint64_t size,
                  uint32_t crc, struct sink *to, struct sink *copy, const char *what, struct err *e)
{
    struct stream s = {0};
    uint64_t left = packed;

    engine_reset(i->engine);
    while (left) {
        size_t want = left < IN_SIZE ? (size_t)left : IN_SIZE, got;

        if (source_read(in, i->in, want, &got, e) < 0)
            return -1;
        if (!got)
            return damaged(what, "it ends early", e);
        left -= got;
        if (copy && sink_write(copy, i->in, got, e) < 0)
            return -1;
        if (engine_done(i->engine))
            return damaged(what, "bytes stand behind its end", e);
        engine_feed(i->engine, i->in, got);
        if (drain(i, &s, size, to, what, e) < 0)
            return -1;
    }
    if (!engine_done(i->engine))
        return damaged(what, "its compressed data has no end", e);
    if (engine_unused(i->engine))
        return damaged(what, "bytes stand behind its end", e);
    if (s.size != size)
        return damaged(what, "it holds less than its size says", e);
    return s.crc == crc ? 0 : damaged(what, "its CRC-32 is wrong", e);
}

/* ---- any content ---- */

struct crc_sink {
    struct sink sink;
    struct sink *next;
    uint32_t crc;
};

static int crc_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct crc_sink *s = (struct crc_sink *)self;

    s->crc = crc32_add(s->crc, bytes, len);
    return sink_write(s->next, bytes, len, e);
}

int content_copy(struct inflater *i, const struct content *c, struct sink *to, const char *what,
                 struct err *e)
{
    struct crc_sink crc = {{crc_write, NULL}, to, 0};
    CLEANUP(source_clear) struct source *in = NULL;

    switch (c->kind) {
    case CONTENT_BYTES:
        return sink_write(to, c->bytes, c->size, e);
    case CONTENT_RANGE:
        in = source_input(c->input, c->offset, c->size);
        if (source_copy(in, c->has_crc ? &crc.sink : to, NULL, e) < 0)
            return -1;
        return c->has_crc && crc.crc != c->crc ? damaged(what, "its CRC-32 is wrong", e) : 0;
    case CONTENT_DEFLATE:
        in = source_input(c->input, c->offset, c->packed);
        return inflate_exact(i, in, c->packed, c->size, c->crc, to, NULL, what, e);
    }
    return 0;
}

struct buf_sink {
    struct sink sink;
    struct buf *out;
};

static int buf_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    buf_add(((struct buf_sink *)self)->out, bytes, len);
    return 0;
}

int content_read(struct inflater *i, const struct content *c, struct buf *out, uint64_t limit,
                 const char *what, struct err *e)
{
    struct buf_sink to = {{buf_write, NULL}, out};

    if (c->size > limit)
        return err_set(e, ERR_INPUT, "%s is larger than %llu bytes, the most allowed", what,
                       (unsigned long long)limit);
    return content_copy(i, c, &to.sink, what, e);
}

static int inflate_head(struct inflater *i, struct source *in, struct buf *out, size_t len,
                        const char *what, struct err *e)
{
    struct str plain;
    size_t got;

    engine_reset(i->engine);
    while (len && !engine_done(i->engine)) {
        if (source_read(in, i->in, IN_SIZE, &got, e) < 0)
            return -1;
        if (!got)
            return damaged(what, "it ends early", e);
        engine_feed(i->engine, i->in, got);
        do {
            if (!engine_step(i->engine, len, &plain))
                return damaged(what, "its compressed data is broken", e);
            buf_str(out, plain);
            len -= plain.len;
        } while (len && plain.len);
    }
    return 0;
}

int content_head(struct inflater *i, const struct content *c, struct buf *out, size_t len,
                 const char *what, struct err *e)
{
    struct content head = *c;
    CLEANUP(source_clear) struct source *in = NULL;

    if (c->kind == CONTENT_DEFLATE) {
        in = source_input(c->input, c->offset, c->packed);
        return inflate_head(i, in, out, len, what, e);
    }
    if (head.size > len)
        head.size = len;
    head.has_crc = false;
    return content_read(i, &head, out, len, what, e);
}
