/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_apply_parts.h"

#include "../base/pool.h"
#include "../io/zstd.h"
#include "../oci/tarball.h"

/* ---- what a delta may not be ---- */

int delta_lies(const struct applying *a, const char *what, struct err *e)
{
    return err_set(e, ERR_INPUT,
                   "%s: %s; it was not made by `envbuild delta`, so fetch the new image whole",
                   a->how->delta->path, what);
}

int delta_not_old(const struct delta *d, const struct stored *from, struct err *e)
{
    char want[DIGEST_TEXT + 1], config[DIGEST_TEXT + 1];

    digest_text(&d->old.manifest, want);
    digest_text(&d->old.config, config);
    return err_set(e, ERR_INPUT,
                   "%s is another image than %s is made for: that is %s, which engines call %s; "
                   "name a place that has it, or fetch the new image whole",
                   from->files.path, d->path, want, config);
}

/* ---- is it OLD? ---- */

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
    return digest_eq(&config, &d->old.config) && same_layers(d, from, false)
               ? 0
               : delta_not_old(d, from, e);
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
        return delta_layer_make(job->a, job->layer, to, e);
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
        return delta_lies(a, "it has a layer neither of the old nor of the new image", e);
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
        return delta_lies(a, "a layer of it is not as the manifest has it", e);
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
            delta_needs_add(a, job->layer);
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
    if (find_jobs(&jobs, a, layers, out, e) < 0 || delta_needs_keep(a, e) < 0)
        return -1;
    if (!jobs.n)
        return 0;
    pool = pool_open(a->to->known_first ? 1 : a->how->jobs);
    for (size_t i = 0; i < jobs.n; i++)
        pool_add(pool, jobs.v[i]->d.size, (unsigned)i, put_layer, jobs.v[i]);
    return pool_wait(pool, e);
}

/* ---- all ---- */

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
               : delta_put_locks(a, e);
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
    if (check_ways(&a, e) < 0 || fs_mkdirs(how->scratch, e) < 0 || delta_read_new(&a, e) < 0)
        return -1;
    result = list_layers(&layers, &a, e) < 0 ? -1 : apply(&a, &layers, out, e);
    vec_clear(&layers);
    out->read = a.read;
    return result;
}
