/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_make_parts.h"

#include "delta_pack.h"

static void making_clear(struct making *m)
{
    struct delta_split *s;
    struct new_layer *n;

    vec_each(s, &m->olds)
        delta_split_clear(s);
    vec_each(n, &m->news)
        delta_split_clear(&n->split);
    hash_clear(&m->hash);
    vec_clear(&m->olds);
    vec_clear(&m->news);
    vec_clear(&m->parts);
    delta_blocks_clear(&m->blocks);
    deflater_clear(&m->deflater);
    zstd_packer_free(m->zstd);
    fs_temp_clear(&m->body);
    spool_clear(&m->spool);
    delta_clear(&m->delta);
}

int delta_body_add(struct making *m, struct str bytes, struct err *e)
{
    m->body_size += bytes.len;
    return fd_write_all(m->body.fd.n, bytes.p, bytes.len, "the scratch file", e);
}

struct body_sink {
    struct sink sink;
    struct making *m;
};

static int body_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    return delta_body_add(((struct body_sink *)self)->m, (struct str){bytes, len}, e);
}

/* ---- OLD ---- */

static bool has_layer(const struct stored *s, const struct digest *digest)
{
    const struct descriptor *d;

    vec_each(d, &s->manifest.layers)
        if (digest_eq(&d->digest, digest))
            return true;
    return false;
}

static int split_layer(struct making *m, const struct stored *s, size_t i, struct delta_split *out,
                       struct err *e)
{
    char name[DIGEST_TEXT + 1];

    digest_text(&s->manifest.layers.v[i].digest, name);
    events_note(m->how->events, "layer %s: only one of the two has it", name);
    if (events_cancelled(m->how->events))
        return err_set(e, ERR_INTERRUPTED, "interrupted");
    if (delta_split(out, s, i, DELTA_PARTS_MAX - m->parts_n, &m->spool, e) < 0)
        return -1;
    m->parts_n += out->parts.n;
    return 0;
}

static int by_digest(const void *a, const void *b)
{
    const struct old_part *x = a, *y = b;
    int order = digest_cmp(&x->digest, &y->digest);

    if (!order)
        order = x->layer < y->layer ? -1 : x->layer > y->layer;
    return order ? order : x->part->at < y->part->at ? -1 : x->part->at > y->part->at;
}

static void index_parts(struct making *m)
{
    const struct delta_split *s;
    const struct delta_part *p;

    vec_each(s, &m->olds)
        vec_each(p, &s->parts)
            vec_add(&m->parts, ((struct old_part){p->digest, (uint32_t)s->layer, p}));
    vec_sort(&m->parts, by_digest);
}

static const struct old_part *find_part(const struct making *m, const struct delta_part *part)
{
    size_t low = 0, high = m->parts.n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (digest_cmp(&m->parts.v[mid].digest, &part->digest) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < m->parts.n && digest_eq(&m->parts.v[low].digest, &part->digest) &&
                   m->parts.v[low].part->size == part->size
               ? &m->parts.v[low]
               : NULL;
}

/* Large members of OLD can only be wanted as they are, but for blobs of one stream. */
static int add_blocks(struct making *m, const struct delta_split *s, bool all, struct err *e)
{
    CLEANUP(source_clear) struct source *plain = NULL;
    const struct delta_part *p;
    uint64_t at = 0;

    if (delta_split_plain(&plain, s, e) < 0)
        return -1;
    vec_each(p, &s->parts) {
        if (events_cancelled(m->how->events))
            return err_set(e, ERR_INTERRUPTED, "interrupted");
        if (!p->plain || (!all && s->parts.n > 1 && p->plain > DELTA_CHUNK))
            continue;
        if (delta_pass(plain, p->plain_at - at, e) < 0 ||
            delta_blocks_add(m->blocks, (uint32_t)s->layer, p->plain_at, plain, p->plain, e) < 0)
            return -1;
        at = p->plain_at + p->plain;
    }
    return 0;
}

static int read_old(struct making *m, struct err *e)
{
    const struct stored *old = m->how->old;
    const struct delta_split *s;
    const struct new_layer *n;
    bool all = false;

    for (size_t i = 0; i < old->manifest.layers.n; i++)
        if (!has_layer(m->how->new, &old->manifest.layers.v[i].digest) &&
            split_layer(m, old, i, vec_push(&m->olds), e) < 0)
            return -1;
    vec_each(n, &m->news)
        all |= n->form != DELTA_MEMBERS;
    vec_each(s, &m->olds)
        if (add_blocks(m, s, all, e) < 0)
            return -1;
    index_parts(m);
    return 0;
}

/* ---- a layer of NEW ---- */

/* What is written is held against what a blob has. */
struct same_sink {
    struct sink sink;
    struct hash hash;
};

static int same_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    hash_add(&((struct same_sink *)self)->hash, bytes, len);
    return 0;
}

static int stream_all(struct delta_stream *to, struct source *plain, struct err *e)
{
    CLEANUP(buf_clear) struct buf chunk = {0};
    size_t got;

    for (;;) {
        if (source_read_full(plain, buf_room(&chunk, DELTA_CHUNK), DELTA_CHUNK, &got, e) < 0)
            return -1;
        if (!got)
            return delta_stream_finish(to, e);
        if (delta_stream_add(to, (struct str){chunk.p, got}, e) < 0)
            return -1;
    }
}

/* Does that form make the blob of the tar? */
static int makes_it(bool *out, const struct delta_split *s, enum delta_form form, struct err *e)
{
    CLEANUP(delta_stream_clear) struct delta_stream *stream = NULL;
    CLEANUP(source_clear) struct source *plain = NULL;
    struct same_sink same = {.sink = {.write = same_write}};
    struct digest digest = {0};
    int result;

    hash_open(&same.hash);
    result = delta_stream_open(&stream, form, &same.sink, e) < 0 ||
                     delta_split_plain(&plain, s, e) < 0 || stream_all(stream, plain, e) < 0
                 ? -1
                 : 0;
    if (result == 0)
        hash_finish(&same.hash, &digest);
    hash_clear(&same.hash);
    *out = digest_eq(&digest, &s->image->manifest.layers.v[s->layer].digest);
    return result;
}

static int find_form(enum delta_form *out, const struct delta_split *s, struct err *e)
{
    bool yes = false;

    *out = DELTA_MEMBERS;
    if (s->packing == PACKED_NOT)
        *out = DELTA_PLAIN;
    else if (s->parts.n == 1 && s->packing == PACKED_GZIP) {
        if (makes_it(&yes, s, DELTA_SINGLE, e) < 0)
            return -1;
        *out = yes ? DELTA_SINGLE : DELTA_MEMBERS;
    } else if (s->parts.n == 1 && s->packing == PACKED_ZSTD) {
        if (makes_it(&yes, s, DELTA_ZSTD, e) < 0)
            return -1;
        *out = yes ? DELTA_ZSTD : DELTA_MEMBERS;
    }
    return 0;
}

/* Told by its plain bytes. */
static int add_plain(struct making *m, struct delta_layer *l, struct delta_cursor *cursor,
                     enum delta_kind kind, struct str bytes, uint64_t at, struct err *e)
{
    CLEANUP(buf_clear) struct buf frame = {0};
    struct delta_piece *p = vec_push(&l->pieces);

    p->kind = kind;
    return delta_runs_find(p, &m->delta.runs, &frame, m->blocks, cursor, bytes, at, m->zstd, e) < 0
               ? -1
               : delta_body_add(m, buf_view(&frame), e);
}

static int add_stream(struct making *m, const struct delta_split *s, struct delta_layer *l,
                      struct err *e)
{
    CLEANUP(source_clear) struct source *plain = NULL;
    CLEANUP(buf_clear) struct buf chunk = {0};
    struct delta_cursor cursor = delta_cursor_at(m->blocks, (uint32_t)s->layer);
    uint64_t at = 0;
    size_t got;

    if (delta_split_plain(&plain, s, e) < 0)
        return -1;
    for (;;) {
        if (events_cancelled(m->how->events))
            return err_set(e, ERR_INTERRUPTED, "interrupted");
        if (source_read_full(plain, buf_room(&chunk, DELTA_CHUNK), DELTA_CHUNK, &got, e) < 0)
            return -1;
        if (!got)
            return 0;
        if (add_plain(m, l, &cursor, DELTA_BYTES, (struct str){chunk.p, got}, at, e) < 0)
            return -1;
        at += got;
    }
}

static void add_copy(struct delta_layer *l, const struct old_part *old)
{
    struct delta_piece *last = l->pieces.n ? &l->pieces.v[l->pieces.n - 1] : NULL;
    const struct delta_part *p = old->part;

    if (last && last->kind == DELTA_COPY && last->layer == old->layer &&
        last->at + last->packed == p->at && last->plain_at + last->plain == p->plain_at) {
        last->packed += p->size;
        last->plain += p->plain;
        return;
    }
    vec_add(&l->pieces, ((struct delta_piece){.kind = DELTA_COPY,
                                              .layer = old->layer,
                                              .at = p->at,
                                              .packed = p->size,
                                              .plain_at = p->plain_at,
                                              .plain = p->plain}));
}

/* Frames that hold nothing are told apart: no reader has to take them. */
static int add_raw(struct making *m, const struct delta_split *s, struct delta_layer *l,
                   const struct delta_part *part, struct err *e)
{
    struct delta_piece *last = l->pieces.n ? &l->pieces.v[l->pieces.n - 1] : NULL;
    CLEANUP(source_clear) struct source *from = NULL;
    struct body_sink to = {{.write = body_write}, m};

    if (last && last->kind == DELTA_RAW && last->plain && part->plain) {
        last->packed += part->size;
        last->plain += part->plain;
    } else {
        vec_add(&l->pieces, ((struct delta_piece){
                                .kind = DELTA_RAW, .packed = part->size, .plain = part->plain}));
    }
    return delta_split_packed(&from, s, part->at, e) < 0
               ? -1
               : delta_take(from, part->size, &to.sink, e);
}

/* Does our deflate make this member of its plain bytes? */
static bool is_ours(enum delta_kind *out, struct making *m, const struct delta_part *part,
                    struct str plain)
{
    static const enum delta_kind kinds[] = {DELTA_DEFLATE1, DELTA_FIXED1};
    CLEANUP(buf_clear) struct buf member = {0};
    struct digest digest;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        buf_reset(&member);
        delta_member(&member, kinds[i], m->deflater, plain);
        hash_bytes(&digest, member.p, member.len);
        *out = kinds[i];
        if (member.len == part->size && digest_eq(&digest, &part->digest))
            return true;
    }
    return false;
}

static int add_part(struct making *m, const struct delta_split *s, struct delta_layer *l,
                    struct source *plain, uint64_t *at, struct delta_cursor *cursor,
                    const struct delta_part *part, struct err *e)
{
    const struct old_part *old = find_part(m, part);
    CLEANUP(buf_clear) struct buf bytes = {0};
    enum delta_kind kind;
    size_t got;

    if (old) {
        add_copy(l, old);
        return 0;
    }
    if (s->packing != PACKED_GZIP || part->plain > DELTA_CHUNK || !part->plain)
        return add_raw(m, s, l, part, e);
    if (delta_pass(plain, part->plain_at - *at, e) < 0 ||
        source_read_full(plain, buf_room(&bytes, part->plain), part->plain, &got, e) < 0)
        return -1;
    *at = part->plain_at + part->plain;
    return is_ours(&kind, m, part, (struct str){bytes.p, got})
               ? add_plain(m, l, cursor, kind, (struct str){bytes.p, got}, part->plain_at, e)
               : add_raw(m, s, l, part, e);
}

static int add_members(struct making *m, const struct delta_split *s, struct delta_layer *l,
                       struct err *e)
{
    CLEANUP(source_clear) struct source *plain = NULL;
    struct delta_cursor cursor = delta_cursor_at(m->blocks, (uint32_t)s->layer);
    const struct delta_part *part;
    uint64_t at = 0;

    if (delta_split_plain(&plain, s, e) < 0)
        return -1;
    vec_each(part, &s->parts) {
        if (events_cancelled(m->how->events))
            return err_set(e, ERR_INTERRUPTED, "interrupted");
        if (add_part(m, s, l, plain, &at, &cursor, part, e) < 0)
            return -1;
        if (m->pieces_n + l->pieces.n > DELTA_PIECES_MAX)
            return delta_too_different(e);
    }
    return 0;
}

static int add_layer(struct making *m, const struct new_layer *n, struct err *e)
{
    const struct delta_split *s = &n->split;
    const struct descriptor *d = &s->image->manifest.layers.v[s->layer];
    struct delta_layer *l = vec_push(&m->delta.layers);
    CLEANUP(buf_clear) struct buf encoder = {0};

    l->digest = d->digest;
    l->size = d->size;
    l->diff_id = s->image->config.diff_ids.v[s->layer];
    l->plain = s->plain;
    l->form = n->form;
    if (l->form == DELTA_ZSTD) {
        zstd_encoder(&encoder);
        m->delta.encoder = arena_str(&m->delta.arena, buf_view(&encoder));
    }
    if ((l->form == DELTA_MEMBERS ? add_members(m, s, l, e) : add_stream(m, s, l, e)) < 0)
        return -1;
    m->pieces_n += l->pieces.n;
    return 0;
}

/* ---- the file ---- */

static int put_all(struct making *m, int fd, const char *name, uint64_t *size, struct err *e)
{
    CLEANUP(source_clear) struct source *body = NULL;
    CLEANUP(buf_clear) struct buf chunk = {0};
    struct digest sum;
    size_t got;

    if (delta_begin_write(&m->delta, &chunk, e) < 0)
        return -1;
    body = source_file(m->body.fd.n, 0, m->body_size, "the scratch file");
    hash_open(&m->hash);
    *size = m->body_size + chunk.len + sizeof sum.bytes;
    for (got = chunk.len; got;) {
        hash_add(&m->hash, chunk.p, got);
        if (fd_write_all(fd, chunk.p, got, name, e) < 0)
            return -1;
        buf_reset(&chunk);
        if (source_read(body, buf_room(&chunk, DELTA_CHUNK), DELTA_CHUNK, &got, e) < 0)
            return -1;
    }
    hash_finish(&m->hash, &sum);
    return fd_write_all(fd, sum.bytes, sizeof sum.bytes, name, e);
}

static void take_names(struct delta *d, const struct delta_making *how)
{
    const struct stored *old = how->old;
    const struct descriptor *layer;
    const struct digest *diff_id;

    d->old.manifest = old->digest;
    d->old.config = old->manifest.config.digest;
    vec_each(layer, &old->manifest.layers)
        vec_add(&d->old.layers,
                ((struct descriptor){.digest = layer->digest, .size = layer->size}));
    vec_each(diff_id, &old->config.diff_ids)
        vec_add(&d->old.diff_ids, *diff_id);
    d->manifest = how->new->digest;
    d->name = arena_str(&d->arena, how->new->name);
}

static int split_new(struct making *m, struct delta_made *made, struct err *e)
{
    const struct stored *new = m->how->new;
    struct new_layer *n;

    made->layers = new->manifest.layers.n;
    for (size_t i = 0; i < new->manifest.layers.n; i++) {
        const struct descriptor *d = &new->manifest.layers.v[i];
        bool twice = false;

        for (size_t j = 0; j < i; j++)
            twice |= digest_eq(&new->manifest.layers.v[j].digest, &d->digest);
        if (twice || has_layer(m->how->old, &d->digest))
            continue;
        made->changed += d->size;
        made->layers_changed++;
        n = vec_push(&m->news);
        if (split_layer(m, new, i, &n->split, e) < 0 || find_form(&n->form, &n->split, e) < 0)
            return -1;
    }
    return 0;
}

static int check_told(const struct stored *s, struct err *e)
{
    if (!s->no_digests)
        return 0;
    return err_set(e, ERR_INPUT,
                   "%s does not tell the digests of its layers, as an engine that keeps them "
                   "unpacked; name the image where it was pulled or loaded from",
                   s->files.path);
}

int delta_make(struct delta_made *out, int fd, const char *name, const struct delta_making *how,
               struct err *e)
{
    CLEANUP(making_clear) struct making m = {.how = how};
    const struct new_layer *n;

    *out = (struct delta_made){0};
    spool_open(&m.spool, how->scratch);
    if (check_told(how->old, e) < 0 || check_told(how->new, e) < 0)
        return -1;
    m.blocks = delta_blocks_open(how->scratch);
    m.deflater = deflater_open();
    m.zstd = zstd_packer_open();
    take_names(&m.delta, how);
    if (fs_mkdirs(how->scratch, e) < 0 || fs_temp_open(&m.body, how->scratch, e) < 0 ||
        delta_documents_add(&m, e) < 0 || split_new(&m, out, e) < 0 || read_old(&m, e) < 0)
        return -1;
    vec_each(n, &m.news)
        if (add_layer(&m, n, e) < 0)
            return -1;
    return put_all(&m, fd, name, &out->size, e);
}
