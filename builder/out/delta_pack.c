/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_pack.h"

#include "../io/gzip.h"
#include "../io/inflate.h"
#include "../io/zstd.h"

void delta_member(struct buf *out, enum delta_kind kind, struct deflater *d, struct str bytes)
{
    unsigned char tail[GZIP_TAIL];

    buf_add(out, gzip_head, GZIP_HEAD);
    if (kind == DELTA_FIXED1)
        deflate_fixed1(out, bytes.p, bytes.len);
    else
        deflate_1(d, out, bytes.p, bytes.len);
    gzip_tail(tail, crc32_add(0, bytes.p, bytes.len), bytes.len);
    buf_add(out, tail, sizeof tail);
}

struct delta_stream {
    enum delta_form form;
    struct sink *to;
    struct deflater *deflater;
    struct zstd_sink *zstd;
    struct buf packed;
    uint32_t crc;
    uint64_t size;
};

int delta_stream_open(struct delta_stream **out, enum delta_form form, struct sink *to,
                      struct err *e)
{
    CLEANUP(delta_stream_clear) struct delta_stream *s = xcalloc(1, sizeof *s);

    s->form = form;
    s->to = to;
    if (form == DELTA_SINGLE) {
        s->deflater = deflater_open();
        if (sink_write(to, gzip_head, GZIP_HEAD, e) < 0)
            return -1;
    }
    if (form == DELTA_ZSTD && zstd_sink_open(&s->zstd, to, 1, e) < 0)
        return -1;
    MOVE(out, &s);
    return 0;
}

int delta_stream_add(struct delta_stream *s, struct str piece, struct err *e)
{
    if (s->form == DELTA_PLAIN)
        return sink_write(s->to, piece.p, piece.len, e);
    if (s->form == DELTA_ZSTD)
        return sink_write(zstd_sink_of(s->zstd), piece.p, piece.len, e);
    buf_reset(&s->packed);
    deflate_1_part(s->deflater, &s->packed, piece.p, piece.len);
    s->crc = crc32_add(s->crc, piece.p, piece.len);
    s->size += piece.len;
    return sink_write(s->to, s->packed.p, s->packed.len, e);
}

int delta_stream_finish(struct delta_stream *s, struct err *e)
{
    unsigned char tail[GZIP_TAIL];

    if (s->form == DELTA_ZSTD)
        return sink_finish(zstd_sink_of(s->zstd), e);
    if (s->form != DELTA_SINGLE)
        return 0;
    gzip_tail(tail, s->crc, s->size);
    return sink_write(s->to, deflate_1_end, sizeof deflate_1_end, e) < 0
               ? -1
               : sink_write(s->to, tail, sizeof tail, e);
}

void delta_stream_clear(struct delta_stream **s)
{
    if (!*s)
        return;
    deflater_clear(&(*s)->deflater);
    zstd_sink_clear(&(*s)->zstd);
    buf_clear(&(*s)->packed);
    free(*s);
    *s = NULL;
}
