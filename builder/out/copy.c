/* SPDX-License-Identifier: Apache-2.0 */
#include "copy.h"

#include "../base/pool.h"
#include "../model/lock_artifact.h"

enum { INDEX_DEPTH = 4 };

struct job {
    struct place *to;
    const struct copying *how;
    struct descriptor d;
    char name[DIGEST_TEXT + 1];
};
struct jobs VEC_OF(struct job *);

static void jobs_clear(struct jobs *jobs)
{
    for (size_t i = 0; i < jobs->n; i++)
        free(jobs->v[i]);
    vec_clear(jobs);
}

/* ---- blobs ---- */

static int copy_bytes(void *ctx, struct sink *to, struct err *e)
{
    const struct job *job = ctx;
    CLEANUP(source_clear) struct source *blob = NULL;

    return stored_blob(&blob, job->how->from, &job->d, e) < 0 ? -1 : source_copy(blob, to, NULL, e);
}

static int copy_blob(void *ctx, struct err *e)
{
    struct job *job = ctx;

    return place_put_layer(job->to, &job->d, job->name, copy_bytes, job, job->how->events, e);
}

static bool is_asked(const struct jobs *jobs, const struct digest *digest)
{
    for (size_t i = 0; i < jobs->n; i++)
        if (digest_eq(&jobs->v[i]->d.digest, digest))
            return true;
    return false;
}

static int ask_all(struct place *to, const struct descriptors *layers, struct err *e)
{
    struct descriptors wanted = {0};
    const struct descriptor *d;
    int result;

    vec_each(d, layers)
        if (!place_refuses(to, d->media_type))
            vec_add(&wanted, *d);
    result = place_ask_blobs(to, &wanted, e);
    vec_clear(&wanted); /* what they hold is the caller's */
    return result;
}

/* What the place lacks. */
static int find_jobs(struct jobs *jobs, struct place *to, const struct copying *how,
                     const struct descriptors *layers, struct err *e)
{
    const struct descriptor *d;
    char text[DIGEST_TEXT + 1];
    bool has;

    if (ask_all(to, layers, e) < 0)
        return -1;
    vec_each(d, layers) {
        struct job *job;

        digest_text(&d->digest, text);
        if (is_asked(jobs, &d->digest))
            continue;
        if (place_refuses(to, d->media_type)) {
            events_note(how->events, "layer %s: not to be handed on", text);
            continue;
        }
        if (place_has_blob(&has, to, &d->digest, d->size, e) < 0)
            return err_wrap(e, "layer %s", text);
        if (has) {
            events_note(how->events, "layer %s: %s", text, to->there);
            continue;
        }
        job = xcalloc(1, sizeof *job);
        *job = (struct job){.to = to, .how = how, .d = *d};
        memcpy(job->name, text, sizeof text);
        vec_add(jobs, job);
        events_emit(how->events, &(struct event){EVENT_PLAN, to->task, job->name, 0, d->size});
    }
    return 0;
}

static int copy_blobs(struct place *to, const struct copying *how, const struct descriptors *layers,
                      struct err *e)
{
    CLEANUP(jobs_clear) struct jobs jobs = {0};
    CLEANUP(pool_clear) struct pool *pool = NULL;

    if (find_jobs(&jobs, to, how, layers, e) < 0)
        return -1;
    if (!jobs.n)
        return 0;
    pool = pool_open(to->known_first ? 1 : how->jobs);
    for (size_t i = 0; i < jobs.n; i++)
        pool_add(pool, jobs.v[i]->d.size, (unsigned)i, copy_blob, jobs.v[i]);
    return pool_wait(pool, e);
}

/* ---- one image ---- */

static int put_names(struct place *to, struct str json, const struct image_name *names, size_t n,
                     const struct platform *platform, struct digest *digest, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (place_put_image(to, json, &names[i], platform, digest, e) < 0)
            return -1;
    return 0;
}

/* A lock that travels with an image, and in a registry the image as well: as when it is built. */
static int put_lock(bool *is, struct place *to, const struct copying *how, struct str json,
                    struct err *e)
{
    CLEANUP(image_manifest_clear) struct image_manifest m = {0};
    CLEANUP(arena_clear) struct arena a = {0};
    CLEANUP(buf_clear) struct buf image = {0};
    struct lock_artifact says;
    struct lock_names names;
    struct digest digest;

    *is = false;
    if (!place_keeps(to) || image_is_index(json))
        return 0;
    if (image_manifest_parse(&m, json, NULL, "manifest", e) < 0)
        return -1;
    *is = lock_artifact_read(&says, &m);
    if (!*is)
        return 0;
    if (lock_artifact_names(&names, to, how->name, &says.lock, &m.subject.digest, &a, e) < 0)
        return -1;
    if (to->manifests_apart && !names.there &&
        (stored_manifest(&image, how->from, &m.subject.digest, e) < 0 ||
         place_put_image(to, buf_view(&image), &names.image, NULL, &digest, e) < 0))
        return -1;
    return place_put_image(to, json, &names.artifact, NULL, &digest, e);
}

/* One that an index names, or that refers to one. A registry gets a tag for it, for what has none
 * is swept there. */
static int put_child(struct place *to, const struct copying *how, struct str json, struct err *e)
{
    CLEANUP(buf_clear) struct buf tag = {0};
    struct image_name name = {0};
    char hex[DIGEST_HEX + 1];
    struct digest digest;
    bool is_lock;

    if (put_lock(&is_lock, to, how, json, e) < 0)
        return -1;
    if (is_lock)
        return 0;
    if (!to->manifests_apart)
        return place_put_bytes(to, json, &digest, e);
    if (place_keeps(to)) {
        hash_bytes(&digest, json.p, json.len);
        digest_hex(&digest, hex);
        buf_fmt(&tag, "manifest-%s", hex);
        name = (struct image_name){.repository = how->name->repository, .tag = buf_view(&tag)};
    }
    return place_put_image(to, json, &name, NULL, &digest, e);
}

/* The manifest that an archive lacks. */
static void write_manifest(struct buf *out, const struct stored *from)
{
    struct image_manifest m = {.layers = from->manifest.layers};

    m.config.media_type = STR(MEDIA_CONFIG);
    m.config.size = from->config_text.len;
    hash_bytes(&m.config.digest, from->config_text.p, from->config_text.len);
    image_manifest_write(&m, out);
}

static int copy_one(struct place *to, const struct copying *how, const struct image_name *names,
                    size_t n, struct digest *digest, struct err *e)
{
    const struct stored *from = how->from;
    CLEANUP(buf_clear) struct buf made = {0};
    struct str json = from->manifest_text;
    struct digest config;

    if (!from->config_text.len)
        return err_set(e, ERR_INPUT,
                       "%s holds the files of a container and no image; `docker import %s NAME` "
                       "makes an image of them",
                       from->files.path, from->files.path);
    if (!json.len) {
        write_manifest(&made, from);
        json = buf_view(&made);
    }
    if (copy_blobs(to, how, &from->manifest.layers, e) < 0 ||
        place_put_bytes(to, from->config_text, &config, e) < 0)
        return -1;
    return put_names(to, json, names, n, &from->config.platform, digest, e);
}

/* ---- all that an index names ---- */

static int copy_tree(struct place *to, const struct copying *how, const struct digest *digest,
                     unsigned depth, struct err *e);

/* What refers to it: signatures, SBOMs, locks; and what refers to those. A registry that takes no
 * lock takes the image all the same: as when it is built. */
static int copy_referrers(struct place *to, const struct copying *how, const struct digest *digest,
                          unsigned depth, struct err *e)
{
    CLEANUP(image_index_clear) struct image_index index = {0};
    CLEANUP(buf_clear) struct buf json = {0};
    const struct descriptor *d;

    if (!place_keeps(to) || depth > INDEX_DEPTH)
        return 0;
    if (stored_referrers(&json, how->from, digest, e) < 0 ||
        (json.len && image_index_parse(&index, buf_view(&json), NULL, "referrers", e) < 0))
        return -1;
    vec_each(d, &index.manifests) {
        CLEANUP(err_clear) struct err why = {0};
        bool is_lock = str_is(d->artifact_type, MEDIA_LOCK);

        if ((!to->manifests_apart && !is_lock) ||
            copy_tree(to, how, &d->digest, depth + 1, &why) == 0)
            continue;
        if (!is_lock || why.kind != ERR_NET)
            return err_join(e, &why);
        events_warn(how->events, "the image is there, but not its lock: %s", why.msg);
    }
    return 0;
}

static int copy_children(struct place *to, const struct copying *how, struct str json,
                         unsigned depth, struct err *e)
{
    CLEANUP(image_index_clear) struct image_index index = {0};
    const struct descriptor *d;

    if (image_index_parse(&index, json, NULL, "index", e) < 0)
        return -1;
    vec_each(d, &index.manifests)
        if (copy_tree(to, how, &d->digest, depth + 1, e) < 0)
            return -1;
    return 0;
}

static int copy_parts(struct place *to, const struct copying *how, struct str json, struct err *e)
{
    CLEANUP(image_manifest_clear) struct image_manifest m = {0};

    if (image_manifest_parse(&m, json, NULL, "manifest", e) < 0)
        return -1;
    vec_add(&m.layers, m.config); /* its annotations stay the config's */
    m.layers.v[m.layers.n - 1].annotations = (struct pairs){0};
    return copy_blobs(to, how, &m.layers, e);
}

static int copy_tree(struct place *to, const struct copying *how, const struct digest *digest,
                     unsigned depth, struct err *e)
{
    CLEANUP(buf_clear) struct buf json = {0};

    if (depth > INDEX_DEPTH)
        return err_set(e, ERR_INPUT, "%s: indexes within indexes, more than %d deep",
                       how->from->files.path, INDEX_DEPTH);
    if (stored_manifest(&json, how->from, digest, e) < 0)
        return -1;
    if (image_is_index(buf_view(&json)) ? copy_children(to, how, buf_view(&json), depth, e) < 0
                                        : copy_parts(to, how, buf_view(&json), e) < 0)
        return -1;
    if (depth && put_child(to, how, buf_view(&json), e) < 0)
        return -1;
    return copy_referrers(to, how, digest, depth, e);
}

int copy_image(struct place *to, const struct copying *asked, const struct image_name *names,
               size_t names_n, struct digest *digest, struct err *e)
{
    CLEANUP(buf_clear) struct buf json = {0};
    struct copying own = *asked, *how = &own;
    const struct digest *root = &how->from->root;

    own.name = names;
    if (!how->all || !digest_is_set(root))
        return copy_one(to, how, names, names_n, digest, e);
    if (copy_tree(to, how, root, 0, e) < 0 || stored_manifest(&json, how->from, root, e) < 0)
        return -1;
    return put_names(to, buf_view(&json), names, names_n,
                     digest_eq(root, &how->from->digest) ? &how->from->config.platform : NULL,
                     digest, e);
}
