/* SPDX-License-Identifier: Apache-2.0 */
#include "deltas.h"

#include <pthread.h>

#include "../base/pool.h"

static const char prefix[] = "/delta/";

enum state { MAKING, MADE, FAILED };

struct offer {
    struct deltas *all;
    const struct stored *old, *new;
    enum state state;
    struct fs_temp file;
    uint64_t size;
    struct httpd_parts parts; /* the file */
    struct err why;           /* FAILED */
    unsigned asked;           /* how often before it was made */
};

struct deltas {
    struct deltas_how how;
    struct pool *pool;    /* of one thread */
    pthread_mutex_t lock; /* over all below */
    struct offer offers[DELTAS_MAX];
    size_t n;
};

struct deltas *deltas_open(const struct deltas_how *how)
{
    struct deltas *d = xcalloc(1, sizeof *d);

    d->how = *how;
    d->pool = pool_open(1);
    pthread_mutex_init(&d->lock, NULL);
    return d;
}

void deltas_clear(struct deltas **d)
{
    if (!*d)
        return;
    pool_free((*d)->pool);
    for (size_t i = 0; i < (*d)->n; i++) {
        fs_temp_clear(&(*d)->offers[i].file);
        vec_clear(&(*d)->offers[i].parts);
        err_clear(&(*d)->offers[i].why);
    }
    pthread_mutex_destroy(&(*d)->lock);
    free(*d);
    *d = NULL;
}

/* ---- making ---- */

/* What fails is told to who asks, and ends nothing. */
static int make(void *ctx, struct err *e)
{
    struct offer *p = ctx;
    struct deltas *d = p->all;
    CLEANUP(fs_temp_clear) struct fs_temp file = {0};
    CLEANUP(err_clear) struct err why = {0};
    uint64_t size = 0;
    bool made = d->how.make(&file, &size, p->old, p->new, d->how.ctx, &why) == 0;

    pthread_mutex_lock(&d->lock);
    if (made) {
        MOVE(&p->file, &file);
        p->size = size;
        vec_add(&p->parts, ((struct httpd_part){.fd = p->file.fd.n, .size = size}));
    } else {
        MOVE(&p->why, &why);
    }
    p->state = made ? MADE : FAILED;
    pthread_mutex_unlock(&d->lock);
    return 0;
}

/* The offer, begun if it is new; NULL: there are too many. */
static struct offer *offer_of(struct deltas *d, const struct stored *old, const struct stored *new)
{
    struct offer *p;

    for (size_t i = 0; i < d->n; i++)
        if (d->offers[i].old == old && d->offers[i].new == new)
            return &d->offers[i];
    if (d->n == DELTAS_MAX)
        return NULL;
    p = &d->offers[d->n++];
    *p = (struct offer){.all = d, .old = old, .new = new};
    pool_add(d->pool, 0, (unsigned)d->n, make, p);
    return p;
}

/* ---- answers ---- */

bool deltas_is(struct str path)
{
    return str_starts(path, str_of(prefix));
}

static void put_text(struct httpd_answer *out, unsigned status, struct str text)
{
    CLEANUP(buf_clear) struct buf line = {0};

    buf_fmt(&line, STR_FMT "\n", STR_ARG(text));
    out->status = status;
    httpd_header(out, "Content-Type", STR("text/plain; charset=utf-8"));
    httpd_text(out, arena_str(&out->arena, buf_view(&line)));
}

/* A delta is of what lies in a layout; what is made of a lock has the lock's path. */
static bool lies_there(const struct stored *image)
{
    CLEANUP(free_clear)
    char *config = stored_files_blob_path(&image->files, &image->manifest.config.digest);

    return fs_exists(config);
}

static bool is_image(const struct stored *image, const struct digest *digest)
{
    return lies_there(image) &&
           (digest_eq(&image->digest, digest) || digest_eq(&image->root, digest) ||
            digest_eq(&image->manifest.config.digest, digest));
}

static const struct stored *find_old(const struct deltas_how *how, struct str have)
{
    struct stored *const *image;
    struct digest digest;

    if (!digest_from_text(&digest, have))
        return NULL;
    vec_each(image, &how->shelf->images)
        if (is_image(*image, &digest))
            return *image;
    vec_each(image, how->before)
        if (is_image(*image, &digest))
            return *image;
    return NULL;
}

static const struct stored *find_new(const struct shelf *shelf, struct str path)
{
    struct str name = path, tag = path;
    const struct shelf_repository *r;
    const struct shelf_tag *t;

    if (!str_cut(&tag, STR(":"), &name))
        tag = STR("latest");
    r = shelf_repository(shelf, name);
    t = r ? shelf_tag(r, tag) : NULL;
    return t ? t->image : NULL;
}

static void put_file(struct httpd_answer *out, const struct offer *p)
{
    CLEANUP(buf_clear) struct buf etag = {0};
    char old[DIGEST_HEX + 1], new[DIGEST_HEX + 1];

    digest_hex(&p->old->digest, old);
    digest_hex(&p->new->digest, new);
    buf_fmt(&etag, "\"%s-%s\"", old, new);
    out->status = 200;
    out->etag = arena_str(&out->arena, buf_view(&etag));
    httpd_header(out, "Content-Type", STR("application/octet-stream"));
    httpd_header(out, "Content-Disposition", STR("attachment; filename=\"image.delta\""));
    httpd_file(out, &p->parts, p->size);
}

/* Clients ask a few times and then give up, so they are told longer and longer times. */
static void put_later(struct httpd_answer *out, struct offer *p)
{
    enum { MOST = 3 };
    char seconds[8];

    snprintf(seconds, sizeof seconds, "%u", 1u << 2 * (p->asked < MOST ? p->asked : MOST));
    p->asked++;
    httpd_header(out, "Retry-After", arena_str(&out->arena, str_of(seconds)));
    put_text(out, 503, STR("the delta is being made; ask again in a few seconds"));
}

static void put_offer(struct httpd_answer *out, struct offer *p)
{
    switch (p->state) {
    case MAKING:
        put_later(out, p);
        return;
    case MADE:
        put_file(out, p);
        return;
    case FAILED:
        put_text(out, 500, str_of(p->why.msg));
        return;
    }
}

void deltas_answer(struct httpd_answer *out, struct deltas *d, const struct httpd_ask *ask)
{
    const struct stored *old = find_old(&d->how, httpd_query_one(ask, "have")), *new;
    struct str path = ask->path;
    struct offer *p;

    str_skip(&path, str_of(prefix));
    new = find_new(d->how.shelf, path);
    if (!new) {
        put_text(out, 404, STR("there is no such image here"));
        return;
    }
    if (!lies_there(new)) {
        put_text(out, 404,
                 STR("the image is served straight from its lock, and only of one that lies in a "
                     "layout there is a delta; fetch it whole"));
        return;
    }
    if (!old) {
        put_text(out, 404, STR("no image here has the digest of ?have=; fetch the new one whole"));
        return;
    }
    pthread_mutex_lock(&d->lock);
    p = offer_of(d, old, new);
    if (p)
        put_offer(out, p);
    else
        put_text(out, 404, STR("too many deltas were made already; fetch the image whole"));
    pthread_mutex_unlock(&d->lock);
}
