/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/path.h"
#include "../fetch/fetch.h"
#include "../model/lock_root.h"
#include "../oci/place_store.h"
#include "../seal/probe.h"
#include "sealed_parts.h"

/* A layer of the root, for who unpacks it: one that the store has, or one of the base image. */
struct blob {
    const struct cas *cas;
    const struct lock_layer *layer;
    const struct stored *image;
    struct descriptor at;
    struct input input; /* open until the root is made */
};

void sealed_root_clear(struct sealed_root *r)
{
    for (size_t i = 0; r->blobs && i < r->layers.n; i++)
        cas_input_clear(&r->blobs[i].input);
    free(r->blobs);
    vec_clear(&r->layers);
    lock_clear(&r->lock);
    free(r);
}

int sealed_begin(struct sealed *x, struct err *e)
{
    CLEANUP(seal_probe_clear) struct seal_probe probe = {0};
    CLEANUP(free_clear) char *dir = NULL;

    if (x->place)
        return 0;
    dir = path_join(x->session->store_dir, "sealed");
    if (seal_probe(&probe, x->session->events, e) < 0 || seal_probe_need(&probe, e) < 0 ||
        memo_open(&x->memo, dir, e) < 0)
        return -1;
    x->logs = path_join(x->session->store_dir, "logs");
    x->place = place_store(x->work->cas);
    return 0;
}

int sealed_fetch(void *ctx, const struct artifact *artifacts, size_t n,
                 int (*ready)(void *ctx, size_t index, struct err *e), void *ready_ctx,
                 struct err *e)
{
    struct sealed *x = ctx;
    const struct fetch_options how = {.root = str_of(x->work->root),
                                      .parallel = x->how.downloads,
                                      .offline = x->session->offline,
                                      .events = x->session->events,
                                      .ready = ready,
                                      .ctx = ready_ctx};

    return fetch_artifacts(x->work->cas, x->work->http, artifacts, n, &how, e);
}

static int open_blob(struct source **out, void *ctx, struct err *e)
{
    struct blob *b = ctx;

    if (b->image)
        return stored_blob(out, b->image, &b->at, e);
    if (cas_input(&b->input, b->cas, &b->layer->digest, b->layer->name.p, e) < 0)
        return -1;
    *out = source_input(&b->input, 0, b->input.size);
    return 0;
}

static int open_image(struct sealed *x, const struct lock_image *image, struct err *e)
{
    const struct stored_scratch how = session_ways(x->session, NULL);

    if (!image->ref.len || x->image.manifest.layers.n)
        return 0;
    if (stored_open(&x->image, image->ref, x->work->dir, &how, e) < 0)
        return err_wrap(e, "base");
    return digest_eq(&x->image.digest, &image->manifest)
               ? 0
               : err_set(e, ERR_INTEGRITY,
                         "base: " STR_FMT " is another image than the lock names; run `envbuild "
                         "lock` to accept it",
                         STR_ARG(image->ref));
}

/* Those of the image lie where it lies, and are read at most once. */
static void list_layers(struct sealed_root *r, const struct sealed *x)
{
    const struct stored *image = &x->image;
    size_t below = image->manifest.layers.n, n = below + r->lock.layers.n;

    r->blobs = xcalloc(n, sizeof *r->blobs);
    for (size_t i = 0; i < n; i++) {
        const struct lock_layer *l = i < below ? NULL : &r->lock.layers.v[i - below];
        struct seal_layer *to = vec_push(&r->layers);

        *to = (struct seal_layer){.open = open_blob, .ctx = &r->blobs[i]};
        if (l) {
            r->blobs[i] = (struct blob){.cas = x->work->cas, .layer = l};
            to->diff_id = l->diff_id;
            to->size = l->unpacked;
            to->name = l->name.p;
        } else {
            r->blobs[i] = (struct blob){.image = image, .at = image->manifest.layers.v[i]};
            to->diff_id = image->config.diff_ids.v[i];
            to->name = "of the base image";
        }
    }
}

/* Its layers, in the store: they are the image's own where that has them. */
static int make_root(struct sealed *x, struct sealed_root *r, struct err *e)
{
    struct work *w = x->work;
    const struct blob_files files = {.events = x->session->events};
    CLEANUP(free_clear) char *scratch = NULL;
    struct assembly in = {.cas = w->cas,
                          .memo = w->layers,
                          .metadata = w->metadata,
                          .place = x->place,
                          .fetcher = {sealed_fetch, x},
                          .dir = w->dir,
                          .files = &files,
                          .jobs = x->how.jobs,
                          .events = x->session->events};

    if (session_scratch(&scratch, x->session, e) < 0 || open_image(x, &r->lock.image, e) < 0)
        return -1;
    in.scratch_dir = scratch;
    in.image = r->lock.image.ref.len ? &x->image : NULL;
    if (assemble_layers(&r->lock, &in, e) < 0)
        return -1;
    list_layers(r, x);
    return 0;
}

static bool same_root(const struct lock *a, const struct lock *b)
{
    if (a->artifacts.n != b->artifacts.n || a->layers.n != b->layers.n)
        return false;
    for (size_t i = 0; i < a->artifacts.n; i++)
        if (!digest_eq(&a->artifacts.v[i].digest, &b->artifacts.v[i].digest))
            return false;
    return true;
}

int sealed_find_root(struct sealed *x, const struct artifact_source *build, const struct lock *lock,
                     const struct artifact *pip, struct sealed_root **out, struct err *e)
{
    struct sealed_root *r = xcalloc(1, sizeof *r);

    lock_root(&r->lock, lock, build, pip);
    for (size_t i = 0; i < x->roots.n; i++)
        if (same_root(&x->roots.v[i]->lock, &r->lock)) {
            sealed_root_clear(r);
            *out = x->roots.v[i];
            return 0;
        }
    vec_add(&x->roots, r);
    if (make_root(x, r, e) < 0) {
        x->roots.n--;
        sealed_root_clear(r);
        return err_wrap(e, "the system for builds");
    }
    *out = r;
    return 0;
}
