/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_apply.h"

#include "../base/pool.h"
#include "../io/decompress.h"
#include "../io/spool.h"
#include "../io/zstd.h"
#include "../model/lock_artifact.h"
#include "../oci/tarball.h"
#include "delta_pack.h"
#include "delta_split.h"

static const uint64_t plain_max = (uint64_t)1 << 38;

/* ---- is it OLD? ---- */

static int not_old(const struct delta *d, const struct stored *from, struct err *e)
{
    char want[DIGEST_TEXT + 1], config[DIGEST_TEXT + 1];

    digest_text(&d->old.manifest, want);
    digest_text(&d->old.config, config);
    return err_set(e, ERR_INPUT,
                   "%s is another image than %s is made for: that is %s, which engines call %s; "
                   "name a place that has it, or fetch the new image whole",
                   from->files.path, d->path, want, config);
}

static bool same_layers(const struct delta *d, const struct stored *from, bool packed)
{
    const struct delta_old *old = &d->old;

    if (from->manifest.layers.n != old->layers.n || from->config.diff_ids.n != old->layers.n)
        return false;
    for (size_t i = 0; i < old->layers.n; i++)
        if (!digest_eq(&from->config.diff_ids.v[i], &old->diff_ids.v[i]) ||
            (packed && (!digest_eq(&from->manifest.layers.v[i].digest, &old->layers.v[i].digest) ||
                        from->manifest.layers.v[i].size != old->layers.v[i].size)))
            return false;
    return true;
}

int delta_check_old(const struct delta *d, const struct stored *from, struct err *e)
{
    struct digest config;

    hash_bytes(&config, from->config_text.p, from->config_text.len);
    return digest_eq(&config, &d->old.config) && same_layers(d, from, false) ? 0
                                                                             : not_old(d, from, e);
}

/* ---- applying ---- */

/* Plain bytes of OLD that runs want, and where they are kept. */
struct need {
    uint32_t layer;
    uint64_t at, size;
    struct content kept;
};

struct applying {
    const struct delta_applying *how;
    struct place *to;
    bool packed;                    /* blobs are made of blobs, else tars of tars */
    struct image_manifest manifest; /* NEW's */
    struct image_config config;
    struct buf manifest_text, config_text;
    struct buf own_manifest; /* what the place gets, where it is not NEW's */
    struct spool spool;
    struct VEC_OF(struct need) needs; /* by layer and place; they do not touch */
    _Atomic uint64_t read;
};

static void applying_clear(struct applying *a)
{
    image_manifest_clear(&a->manifest);
    image_config_clear(&a->config);
    buf_clear(&a->manifest_text);
    buf_clear(&a->config_text);
    buf_clear(&a->own_manifest);
    spool_clear(&a->spool);
    vec_clear(&a->needs);
}

static int lies(const struct applying *a, const char *what, struct err *e)
{
    return err_set(e, ERR_INPUT,
                   "%s: %s; it was not made by `envbuild delta`, so fetch the new image whole",
                   a->how->delta->path, what);
}

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

static void add_needs(struct applying *a, const struct delta_layer *l)
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
    return err_set(e, ERR_INTEGRITY, "%s: layer %s is damaged there: %s", a->how->from->files.path,
                   text, err_is_set(why) ? why->msg : "its diff_id is another one");
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

static int keep_needs(struct applying *a, struct err *e)
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
        return p->packed ? lies(a, "a piece has a frame and no literal bytes", e) : 0;
    for (size_t i = p->near; i < p->near + p->nears; i++)
        if (read_run(&near, a, &d->runs.v[i], e) < 0)
            return -1;
    if (fd_pread_all(d->fd.n, buf_room(&frame, p->packed), p->packed, p->at, d->path, e) < 0)
        return -1;
    if (zstd_unpack_near(buf_room(out, p->literal), p->literal, (struct str){frame.p, p->packed},
                         buf_view(&near), &why) < 0)
        return lies(a, why.msg, e);
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
    return size == p->plain ? 0 : lies(m->a, "a piece holds less than it says", e);
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

static int make_layer(struct applying *a, const struct delta_layer *l, struct sink *to,
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

/* ---- layers into the place ---- */

struct job {
    struct applying *a;
    struct descriptor d;             /* as the place has it */
    const struct delta_layer *layer; /* NULL: OLD's */
    const struct descriptor *old;
    char name[DIGEST_TEXT + 1];
};
struct jobs VEC_OF(struct job *);

static void jobs_clear(struct jobs *jobs)
{
    for (size_t i = 0; i < jobs->n; i++)
        free(jobs->v[i]);
    vec_clear(jobs);
}

static int write_layer(void *ctx, struct sink *to, struct err *e)
{
    const struct job *job = ctx;
    CLEANUP(source_clear) struct source *blob = NULL;

    if (job->layer)
        return make_layer(job->a, job->layer, to, e);
    job->a->read += job->old->size;
    return stored_blob(&blob, job->a->how->from, job->old, e) < 0 ? -1
                                                                  : source_copy(blob, to, NULL, e);
}

/* What is wrong with a blob that OLD's bytes are in is wrong there: the file was held against its
 * own hash. */
static int put_layer(void *ctx, struct err *e)
{
    struct job *job = ctx;
    const struct delta_applying *how = job->a->how;
    CLEANUP(err_clear) struct err why = {0};

    if (place_put_layer(job->a->to, &job->d, job->name, write_layer, job, how->events, &why) == 0)
        return 0;
    if (why.kind == ERR_INTEGRITY)
        return err_set(e, ERR_INTEGRITY,
                       "the new image does not come out right: the one in %s is damaged, or %s was "
                       "not made by `envbuild delta`; fetch the new one whole (%s)",
                       how->from->files.path, how->delta->path, why.msg);
    return err_join(e, &why);
}

/* Which layer of OLD has that digest, or diff_id; NULL: none. */
static const struct descriptor *old_layer(const struct applying *a, const struct digest *digest)
{
    const struct delta_old *old = &a->how->delta->old;

    for (size_t i = 0; i < old->layers.n; i++)
        if (digest_eq(digest, a->packed ? &old->layers.v[i].digest : &old->diff_ids.v[i]))
            return &a->how->from->manifest.layers.v[i];
    return NULL;
}

static const struct delta_layer *made_layer(const struct applying *a, const struct digest *digest)
{
    const struct delta_layer *l;

    vec_each(l, &a->how->delta->layers)
        if (digest_eq(digest, a->packed ? &l->digest : &l->diff_id))
            return l;
    return NULL;
}

/* NEW's `i`th layer, as the place gets it. */
static int find_layer(struct job *job, struct applying *a, size_t i, struct err *e)
{
    const struct digest *diff_id = &a->config.diff_ids.v[i],
                        *key = a->packed ? &a->manifest.layers.v[i].digest : diff_id;

    *job = (struct job){.a = a, .old = old_layer(a, key)};
    if (!job->old)
        job->layer = made_layer(a, key);
    if (!job->old && !job->layer)
        return lies(a, "it has a layer neither of the old nor of the new image", e);
    if (a->packed) {
        job->d = a->manifest.layers.v[i];
        job->d.annotations = (struct pairs){0};
    } else if (job->old) {
        job->d = *job->old;
        job->d.annotations = (struct pairs){0};
    } else {
        job->d = (struct descriptor){
            .media_type = STR(MEDIA_LAYER), .digest = *diff_id, .size = job->layer->plain};
    }
    if (a->packed && job->layer &&
        (job->layer->size != job->d.size || !digest_eq(&job->layer->diff_id, diff_id)))
        return lies(a, "a layer of it is not as the manifest has it", e);
    digest_text(&job->d.digest, job->name);
    return 0;
}

/* The lowest layers, as far as the engine has them. */
static void leave_out(const struct applying *a, const struct descriptors *layers)
{
    const struct digests *known = a->how->known;

    for (size_t i = 0; known && i < known->n && i < layers->n; i++) {
        if (!digest_eq(&known->v[i], &a->config.diff_ids.v[i]))
            return;
        tarball_leave_out(a->to, &layers->v[i].digest);
    }
}

static bool is_asked(const struct jobs *jobs, const struct digest *digest)
{
    for (size_t i = 0; i < jobs->n; i++)
        if (digest_eq(&jobs->v[i]->d.digest, digest))
            return true;
    return false;
}

/* What the place lacks. */
static int find_jobs(struct jobs *jobs, struct applying *a, const struct descriptors *layers,
                     struct delta_applied *out, struct err *e)
{
    bool has;

    if (place_ask_blobs(a->to, layers, e) < 0)
        return -1;
    for (size_t i = 0; i < layers->n; i++) {
        struct job *job;

        if (is_asked(jobs, &layers->v[i].digest))
            continue;
        if (place_has_blob(&has, a->to, &layers->v[i].digest, layers->v[i].size, e) < 0)
            return -1;
        if (has)
            continue;
        job = xcalloc(1, sizeof *job);
        vec_add(jobs, job);
        if (find_layer(job, a, i, e) < 0)
            return -1;
        if (job->layer) {
            add_needs(a, job->layer);
            out->made++;
        }
        events_emit(a->how->events,
                    &(struct event){EVENT_PLAN, a->to->task, job->name, 0, job->d.size});
    }
    return 0;
}

/* All layers, as the place gets them; what they hold is NEW's. */
static int list_layers(struct descriptors *layers, struct applying *a, struct err *e)
{
    struct job job;

    for (size_t i = 0; i < a->config.diff_ids.n; i++) {
        if (find_layer(&job, a, i, e) < 0)
            return -1;
        vec_add(layers, job.d);
    }
    return 0;
}

static int put_layers(struct applying *a, const struct descriptors *layers,
                      struct delta_applied *out, struct err *e)
{
    CLEANUP(jobs_clear) struct jobs jobs = {0};
    CLEANUP(pool_clear) struct pool *pool = NULL;

    out->layers = layers->n;
    leave_out(a, layers);
    if (find_jobs(&jobs, a, layers, out, e) < 0 || keep_needs(a, e) < 0)
        return -1;
    if (!jobs.n)
        return 0;
    pool = pool_open(a->to->known_first ? 1 : a->how->jobs);
    for (size_t i = 0; i < jobs.n; i++)
        pool_add(pool, jobs.v[i]->d.size, (unsigned)i, put_layer, jobs.v[i]);
    return pool_wait(pool, e);
}

/* ---- documents ---- */

/* What a document is near; *there is false where OLD's place has it no longer. */
static int find_near(struct buf *out, bool *there, const struct applying *a,
                     const struct delta_document *doc)
{
    const struct stored *from = a->how->from;
    CLEANUP(source_clear) struct source *blob = NULL;
    CLEANUP(err_clear) struct err ignored = {0}; /* then it is not there */
    struct digest digest;

    *there = true;
    if (!digest_is_set(&doc->near))
        return 0;
    if (digest_eq(&doc->near, &from->digest)) {
        buf_str(out, from->manifest_text);
        return 0;
    }
    if (digest_eq(&doc->near, &a->how->delta->old.config)) {
        buf_str(out, from->config_text);
        return 0;
    }
    *there =
        !from->no_digests &&
        stored_blob(&blob, from, &(struct descriptor){.digest = doc->near, .size = doc->near_size},
                    &ignored) == 0 &&
        source_read_all(blob, out, DELTA_HEAD_MAX, &ignored) == 0;
    hash_bytes(&digest, out->p, out->len);
    *there = *there && digest_eq(&digest, &doc->near);
    return 0;
}

static int read_document(struct buf *out, bool *there, const struct applying *a,
                         const struct digest *digest, struct err *e)
{
    const struct delta *d = a->how->delta;
    const struct delta_document *doc = delta_document(d, digest);
    CLEANUP(buf_clear) struct buf near = {0}, frame = {0};
    CLEANUP(err_clear) struct err why = {0};
    struct digest got;

    if (!doc)
        return lies(a, "it lacks a document that it names", e);
    if (find_near(&near, there, a, doc) < 0)
        return -1;
    if (!*there)
        return 0;
    if (fd_pread_all(d->fd.n, buf_room(&frame, doc->packed), doc->packed, doc->at, d->path, e) < 0)
        return -1;
    if (zstd_unpack_near(buf_room(out, doc->size), doc->size, (struct str){frame.p, doc->packed},
                         buf_view(&near), &why) < 0)
        return lies(a, why.msg, e);
    out->len += doc->size;
    hash_bytes(&got, out->p, out->len);
    return digest_eq(&got, digest) ? 0 : lies(a, "a document has another digest than it says", e);
}

static int need_document(struct buf *out, const struct applying *a, const struct digest *digest,
                         struct err *e)
{
    bool there;

    if (read_document(out, &there, a, digest, e) < 0)
        return -1;
    return there ? 0 : not_old(a->how->delta, a->how->from, e);
}

/* An engine's tars have no manifest that would name NEW's config. */
static int find_config(struct digest *out, struct applying *a, struct err *e)
{
    const struct delta *d = a->how->delta;

    if (a->packed) {
        if (need_document(&a->manifest_text, a, &d->manifest, e) < 0 ||
            image_manifest_parse(&a->manifest, buf_view(&a->manifest_text), NULL, "manifest", e) <
                0)
            return -1;
        *out = a->manifest.config.digest;
        return 0;
    }
    if (d->documents.n < 2)
        return lies(a, "it lacks a document that it names", e);
    *out = d->documents.v[1].digest; /* behind the manifest */
    return 0;
}

static int read_new(struct applying *a, struct err *e)
{
    struct digest config;

    if (find_config(&config, a, e) < 0 || need_document(&a->config_text, a, &config, e) < 0 ||
        image_config_parse(&a->config, buf_view(&a->config_text), "config", e) < 0)
        return -1;
    return !a->packed || a->config.diff_ids.n == a->manifest.layers.n
               ? 0
               : lies(a, "its image has more or fewer layers than diff_ids", e);
}

/* The manifest that the place gets. */
static struct str place_manifest(struct applying *a, const struct descriptors *layers)
{
    struct image_manifest m = {.layers = *layers};

    if (a->packed)
        return buf_view(&a->manifest_text);
    m.config = (struct descriptor){.media_type = STR(MEDIA_CONFIG), .size = a->config_text.len};
    hash_bytes(&m.config.digest, a->config_text.p, a->config_text.len);
    image_manifest_write(&m, &a->own_manifest);
    return buf_view(&a->own_manifest);
}

/* ---- locks ---- */

static int put_lock_bytes(struct applying *a, const struct image_manifest *m, struct str json,
                          struct str text, struct err *e)
{
    CLEANUP(arena_clear) struct arena arena = {0};
    struct lock_artifact says;
    struct lock_names names;
    struct digest digest;

    if (!lock_artifact_read(&says, m) || !digest_eq(&m->subject.digest, &a->how->delta->manifest))
        return 0;
    if (lock_artifact_names(&names, a->to, a->how->name, &says.lock, &m->subject.digest, &arena,
                            e) < 0 ||
        place_put_bytes(a->to, text, &digest, e) < 0 ||
        place_put_bytes(a->to, STR("{}"), &digest, e) < 0)
        return -1;
    if (a->to->manifests_apart && !names.there &&
        place_put_image(a->to, buf_view(&a->manifest_text), &names.image, &a->config.platform,
                        &digest, e) < 0)
        return -1;
    return place_put_image(a->to, json, &names.artifact, NULL, &digest, e);
}

static int put_lock(struct applying *a, const struct digest *lock, struct err *e)
{
    CLEANUP(image_manifest_clear) struct image_manifest m = {0};
    CLEANUP(buf_clear) struct buf json = {0}, text = {0};
    bool there;

    if (read_document(&json, &there, a, lock, e) < 0 || !there)
        return there ? -1 : 0;
    if (image_manifest_parse(&m, buf_view(&json), NULL, "manifest", e) < 0)
        return -1;
    if (!m.layers.n)
        return lies(a, "a lock of it is none", e);
    if (read_document(&text, &there, a, &m.layers.v[0].digest, e) < 0)
        return -1;
    if (there)
        return put_lock_bytes(a, &m, buf_view(&json), buf_view(&text), e);
    events_note(a->how->events, "the lock does not travel with the image: the old one is not in %s",
                a->how->from->files.path);
    return 0;
}

/* A registry that takes no lock takes the image all the same: as when it is built. */
static int put_locks(struct applying *a, struct err *e)
{
    const struct digest *lock;

    if (!a->packed || !place_keeps(a->to))
        return 0;
    vec_each(lock, &a->how->delta->locks) {
        CLEANUP(err_clear) struct err why = {0};

        if (put_lock(a, lock, &why) == 0)
            continue;
        if (why.kind != ERR_NET)
            return err_join(e, &why);
        events_warn(a->how->events, "the lock does not travel with the image: %s", why.msg);
    }
    return 0;
}

/* ---- all ---- */

static int check_ways(const struct applying *a, struct err *e)
{
    const struct delta *d = a->how->delta;
    CLEANUP(buf_clear) struct buf encoder = {0};
    char want[DIGEST_TEXT + 1];

    digest_text(&d->old.manifest, want);
    if (!a->packed && !a->how->engine)
        return err_set(e, ERR_INPUT,
                       "%s has the layers unpacked, and of those only an engine's image can be "
                       "made: name docker: or podman: as the place, or take the old image from a "
                       "layout, an archive or a registry that has %s",
                       a->how->from->files.path, want);
    zstd_encoder(&encoder);
    if (a->packed && d->encoder.len && !str_eq(d->encoder, buf_view(&encoder)))
        return err_set(e, ERR_SYSTEM,
                       "%s needs %s, and this machine has %s, which makes other bytes; fetch the "
                       "image whole, or make the delta of images with compression gzip or "
                       "zstd:chunked",
                       d->path, d->encoder.p, encoder.p);
    return 0;
}

static int apply(struct applying *a, const struct descriptors *layers, struct delta_applied *out,
                 struct err *e)
{
    struct digest digest;

    return put_layers(a, layers, out, e) < 0 ||
                   place_put_bytes(a->to, buf_view(&a->config_text), &digest, e) < 0 ||
                   place_put_image(a->to, place_manifest(a, layers), a->how->name,
                                   &a->config.platform, &out->digest, e) < 0
               ? -1
               : put_locks(a, e);
}

int delta_apply(struct delta_applied *out, struct place *to, const struct delta_applying *how,
                struct err *e)
{
    CLEANUP(applying_clear) struct applying a = {.how = how, .to = to};
    struct descriptors layers = {0};
    int result;

    *out = (struct delta_applied){0};
    spool_open(&a.spool, how->scratch);
    if (delta_check_old(how->delta, how->from, e) < 0)
        return -1;
    a.packed = same_layers(how->delta, how->from, true);
    if (check_ways(&a, e) < 0 || fs_mkdirs(how->scratch, e) < 0 || read_new(&a, e) < 0)
        return -1;
    result = list_layers(&layers, &a, e) < 0 ? -1 : apply(&a, &layers, out, e);
    vec_clear(&layers);
    out->read = a.read;
    return result;
}
