/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_apply_parts.h"

#include "../io/crypto.h"
#include "../io/decompress.h"
#include "../io/zstd.h"
#include "delta_pack.h"
#include "delta_part.h"

static const uint64_t plain_max = (uint64_t)1 << 38;

/* ---- OLD's bytes ---- */

/* Of a layer's blob, or of its tar, read forward as far as that goes. */
struct reader {
    const struct applying *a;
    bool open;
    uint32_t layer;
    uint64_t at;
    struct source *source;
};

static void reader_clear(struct reader *r)
{
    source_clear(&r->source);
}

static int open_old(struct source **out, const struct applying *a, uint32_t layer, bool packed,
                    struct err *e)
{
    struct source *blob;

    if (stored_blob(&blob, a->how->from, &a->how->from->manifest.layers.v[layer], e) < 0)
        return -1;
    *out = packed ? blob : decompress(blob);
    (*out)->limit = plain_max;
    return 0;
}

static int reader_copy(struct reader *r, uint32_t layer, uint64_t at, uint64_t size,
                       struct sink *to, struct err *e)
{
    if (!r->open || r->layer != layer || r->at > at) {
        source_clear(&r->source);
        r->open = false;
        if (open_old(&r->source, r->a, layer, r->a->packed, e) < 0)
            return -1;
        r->open = true;
        r->layer = layer;
        r->at = 0;
    }
    if (delta_pass(r->source, at - r->at, e) < 0 || delta_take(r->source, size, to, e) < 0)
        return -1;
    r->at = at + size;
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const struct need *x = a, *y = b;

    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* Literal bytes are needed of nobody. */
static void add_need(struct applying *a, const struct delta_run *r)
{
    if (r->layer)
        vec_add(&a->needs, ((struct need){.layer = r->layer - 1, .at = r->at, .size = r->size}));
}

void delta_needs_add(struct applying *a, const struct delta_layer *l)
{
    const struct delta_piece *p;

    vec_each(p, &l->pieces) {
        for (size_t i = 0; i < p->runs; i++)
            add_need(a, &a->how->delta->runs.v[p->run + i]);
        for (size_t i = 0; i < p->nears; i++)
            add_need(a, &a->how->delta->runs.v[p->near + i]);
    }
}

static void merge_needs(struct applying *a)
{
    size_t kept = 0;

    vec_sort(&a->needs, by_place);
    for (size_t i = 0; i < a->needs.n; i++) {
        struct need *last = kept ? &a->needs.v[kept - 1] : NULL, *n = &a->needs.v[i];

        if (last && last->layer == n->layer && n->at <= last->at + last->size) {
            if (n->at + n->size > last->at + last->size)
                last->size = n->at + n->size - last->at;
        } else {
            a->needs.v[kept++] = *n;
        }
    }
    a->needs.n = kept;
}

static int damaged(const struct applying *a, uint32_t layer, struct err *why, struct err *e)
{
    char text[DIGEST_TEXT + 1];

    if (why->kind == ERR_INTERRUPTED || why->kind == ERR_SYSTEM || why->kind == ERR_NET)
        return err_join(e, why);
    digest_text(&a->how->from->manifest.layers.v[layer].digest, text);
    return err_set(
        e, ERR_INTEGRITY, "the old image in %s is damaged; fetch it again (layer %s: %s)",
        a->how->from->files.path, text, err_is_set(why) ? why->msg : "its diff_id is another one");
}

/* Needs of one layer, in one pass over it; the rest of it is read for its hash alone. */
static int keep_layer(struct applying *a, struct need *first, struct need *end, struct err *e)
{
    CLEANUP(source_clear) struct source *plain = NULL;
    CLEANUP(hash_source_clear) struct hash_source hashing = {0};
    CLEANUP(err_clear) struct err why = {0};
    uint32_t layer = first->layer;
    struct digest digest;
    uint64_t at = 0;
    int result = 0;

    if (open_old(&plain, a, layer, false, e) < 0)
        return -1;
    hash_source_open(&hashing, plain);
    hashing.source.name = plain->name;
    for (struct need *n = first; n < end && result == 0; n++) {
        result = delta_take(&hashing.source, n->at - at, NULL, &why) < 0 ||
                         spool_put(&n->kept, &a->spool, &hashing.source, n->size, &why) < 0
                     ? -1
                     : 0;
        at = n->at + n->size;
    }
    if (result == 0)
        result = source_drain(&hashing.source, &why);
    a->read += a->how->from->manifest.layers.v[layer].size;
    if (result < 0)
        return damaged(a, layer, &why, e);
    hash_finish(&hashing.hash, &digest);
    return digest_eq(&digest, &a->how->delta->old.diff_ids.v[layer]) ? 0
                                                                     : damaged(a, layer, &why, e);
}

int delta_needs_keep(struct applying *a, struct err *e)
{
    size_t i = 0;

    merge_needs(a);
    while (i < a->needs.n) {
        size_t end = i + 1;

        while (end < a->needs.n && a->needs.v[end].layer == a->needs.v[i].layer)
            end++;
        if (keep_layer(a, a->needs.v + i, a->needs.v + end, e) < 0)
            return -1;
        i = end;
    }
    return 0;
}

/* Append a run's bytes, which were kept. */
static int read_run(struct buf *out, const struct applying *a, const struct delta_run *run,
                    struct err *e)
{
    struct need key = {.layer = run->layer - 1, .at = run->at};
    size_t low = 0, high = a->needs.n;
    const struct need *n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (by_place(&a->needs.v[mid], &key) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    n = &a->needs.v[low - 1]; /* each run is part of a need */
    if (fd_pread_all(n->kept.input->fd.n, buf_room(out, run->size), run->size,
                     n->kept.offset + (run->at - n->at), "the scratch file", e) < 0)
        return -1;
    out->len += run->size;
    return 0;
}

/* ---- a layer ---- */

struct making {
    struct applying *a;
    const struct delta_layer *layer;
    struct reader reader;
    struct deflater *deflater;
    struct delta_stream *stream; /* of a blob of one stream */
    struct buf plain, packed;
    struct sink *to;
};

static void making_clear(struct making *m)
{
    reader_clear(&m->reader);
    deflater_clear(&m->deflater);
    delta_stream_clear(&m->stream);
    buf_clear(&m->plain);
    buf_clear(&m->packed);
}

static int read_literals(struct buf *out, const struct applying *a, const struct delta_piece *p,
                         struct err *e)
{
    const struct delta *d = a->how->delta;
    CLEANUP(buf_clear) struct buf frame = {0}, near = {0};
    CLEANUP(err_clear) struct err why = {0};

    if (!p->literal)
        return p->packed ? delta_lies(a, "a piece has a frame and no literal bytes", e) : 0;
    for (size_t i = p->near; i < p->near + p->nears; i++)
        if (read_run(&near, a, &d->runs.v[i], e) < 0)
            return -1;
    if (fd_pread_all(d->fd.n, buf_room(&frame, p->packed), p->packed, p->at, d->path, e) < 0)
        return -1;
    if (zstd_unpack_near(buf_room(out, p->literal), p->literal, (struct str){frame.p, p->packed},
                         buf_view(&near), &why) < 0)
        return delta_lies(a, why.msg, e);
    out->len += p->literal;
    return 0;
}

static int read_plain(struct making *m, const struct delta_piece *p, struct err *e)
{
    CLEANUP(buf_clear) struct buf literals = {0};
    size_t at = 0;

    buf_reset(&m->plain);
    if (read_literals(&literals, m->a, p, e) < 0)
        return -1;
    for (size_t i = p->run; i < p->run + p->runs; i++) {
        const struct delta_run *run = &m->a->how->delta->runs.v[i];

        if (run->layer) {
            if (read_run(&m->plain, m->a, run, e) < 0)
                return -1;
            continue;
        }
        buf_add(&m->plain, literals.p + at, run->size);
        at += run->size;
    }
    return 0;
}

static int put_raw(struct making *m, const struct delta_piece *p, struct err *e)
{
    const struct delta *d = m->a->how->delta;
    CLEANUP(source_clear) struct source *from = source_file(d->fd.n, p->at, p->packed, d->path);
    uint64_t size;

    from->events = m->a->how->events;
    if (m->a->packed)
        return source_copy(from, m->to, NULL, e);
    if (!p->plain)
        return 0;
    from = decompress(from);
    from->limit = p->plain;
    if (source_copy(from, m->to, &size, e) < 0)
        return -1;
    return size == p->plain ? 0 : delta_lies(m->a, "a piece holds less than it says", e);
}

static int put_chunk(struct making *m, const struct delta_piece *p, struct err *e)
{
    if (read_plain(m, p, e) < 0)
        return -1;
    if (m->stream)
        return delta_stream_add(m->stream, buf_view(&m->plain), e);
    if (!m->a->packed)
        return sink_write(m->to, m->plain.p, m->plain.len, e);
    buf_reset(&m->packed);
    delta_member(&m->packed, p->kind, m->deflater, buf_view(&m->plain));
    return sink_write(m->to, m->packed.p, m->packed.len, e);
}

static int put_piece(struct making *m, const struct delta_piece *p, struct err *e)
{
    if (events_cancelled(m->a->how->events))
        return err_set(e, ERR_INTERRUPTED, "interrupted");
    switch (p->kind) {
    case DELTA_COPY:
        m->a->read += p->packed;
        return m->a->packed ? reader_copy(&m->reader, p->layer, p->at, p->packed, m->to, e)
                            : reader_copy(&m->reader, p->layer, p->plain_at, p->plain, m->to, e);
    case DELTA_RAW:
        return put_raw(m, p, e);
    case DELTA_DEFLATE1:
    case DELTA_FIXED1:
    case DELTA_BYTES:
        return put_chunk(m, p, e);
    }
    return 0;
}

int delta_layer_make(struct applying *a, const struct delta_layer *l, struct sink *to,
                     struct err *e)
{
    CLEANUP(making_clear) struct making m = {.a = a, .layer = l, .reader = {.a = a}, .to = to};
    const struct delta_piece *p;

    m.deflater = deflater_open();
    if (l->form != DELTA_MEMBERS && a->packed && delta_stream_open(&m.stream, l->form, to, e) < 0)
        return -1;
    vec_each(p, &l->pieces)
        if (put_piece(&m, p, e) < 0)
            return -1;
    return m.stream ? delta_stream_finish(m.stream, e) : 0;
}
