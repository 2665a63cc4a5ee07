/* SPDX-License-Identifier: Apache-2.0 */
#include "layer_form_parts.h"

#include "../../io/deflate.h"
#include "../../io/gzip.h"
#include "../../io/inflate.h"
#include "../../io/packers.h"
#include "../../io/zstd.h"

/* ---- gzip of one member ---- */

struct single {
    struct layer_form form;
    struct sink *to;
    struct packers *packers;
    uint32_t crc;
    uint64_t size;
};

void *layer_deflater_open(void)
{
    return deflater_open();
}

static int deflate_pack(void *tool, struct buf *out, struct str piece, struct err *e)
{
    deflate_1_part(tool, out, piece.p, piece.len);
    return 0;
}

void layer_deflater_free(void *tool)
{
    struct deflater *d = tool;

    deflater_clear(&d);
}

static const struct packing deflating = {layer_deflater_open, deflate_pack, layer_deflater_free};

static int single_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct single *s = (struct single *)self;

    s->crc = crc32_add(s->crc, bytes, len);
    s->size += len;
    return form_add(s->packers, bytes, len, FORM_PART, e);
}

static int single_finish(struct sink *self, struct err *e)
{
    struct single *s = (struct single *)self;
    unsigned char tail[GZIP_TAIL];

    gzip_tail(tail, s->crc, s->size);
    return packers_cut(s->packers, e) < 0 || packers_finish(s->packers, e) < 0 ||
                   sink_write(s->to, deflate_1_end, sizeof deflate_1_end, e) < 0
               ? -1
               : sink_write(s->to, tail, sizeof tail, e);
}

static void single_free(struct layer_form *self)
{
    packers_clear(&((struct single *)self)->packers);
}

static int single_open(struct layer_form **out, struct sink *to, unsigned threads, struct err *e)
{
    struct single *s = xcalloc(1, sizeof *s);

    s->form = (struct layer_form){.sink = {single_write, single_finish}, .free = single_free};
    s->to = to;
    s->packers = packers_open(&deflating, threads, to);
    *out = &s->form;
    return sink_write(to, gzip_head, GZIP_HEAD, e);
}

/* ---- zstd of one frame ---- */

struct whole {
    struct layer_form form;
    struct zstd_sink *zstd;
};

static int whole_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    return sink_write(zstd_sink_of(((struct whole *)self)->zstd), bytes, len, e);
}

static int whole_finish(struct sink *self, struct err *e)
{
    return sink_finish(zstd_sink_of(((struct whole *)self)->zstd), e);
}

static void whole_free(struct layer_form *self)
{
    zstd_sink_clear(&((struct whole *)self)->zstd);
}

static int whole_open(struct layer_form **out, struct sink *to, unsigned threads, struct err *e)
{
    struct whole *w = xcalloc(1, sizeof *w);

    w->form = (struct layer_form){.sink = {whole_write, whole_finish}, .free = whole_free};
    *out = &w->form;
    return zstd_sink_open(&w->zstd, to, threads, e);
}

/* ---- for all ---- */

int form_add(struct packers *p, const void *bytes, size_t len, size_t max, struct err *e)
{
    const char *from = bytes;

    while (len) {
        size_t n = max - packers_gathered(p) < len ? max - packers_gathered(p) : len;

        packers_add(p, from, n);
        from += n;
        len -= n;
        if (packers_gathered(p) == max && packers_cut(p, e) < 0)
            return -1;
    }
    return 0;
}

unsigned layer_form_threads(unsigned threads)
{
    return threads < 1 ? 1 : threads > FORM_THREADS_MAX ? FORM_THREADS_MAX : threads;
}

int layer_form_open(struct layer_form **out, enum compression how, struct sink *to,
                    unsigned threads, struct err *e)
{
    unsigned n = layer_form_threads(threads);

    switch (how) {
    case COMPRESSION_GZIP:
        *out = NULL;
        return 0;
    case COMPRESSION_SINGLE:
        return single_open(out, to, n, e);
    case COMPRESSION_ZSTD:
        return whole_open(out, to, n, e);
    case COMPRESSION_CHUNKED:
        return form_chunked_open(out, to, n, e);
    }
    abort();
}

int layer_form_mark(struct layer_form *f, const struct entry *entry, struct err *e)
{
    return f && f->mark ? f->mark(f, entry, e) : 0;
}

void layer_form_clear(struct layer_form **f)
{
    if (!*f)
        return;
    (*f)->free(*f);
    free(*f);
    *f = NULL;
}

void layer_encoder(struct buf *out, enum compression how)
{
    if (compression_is_zstd(how))
        zstd_encoder(out);
    else
        buf_puts(out, DEFLATE_ENCODER);
}
