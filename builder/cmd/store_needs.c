/* SPDX-License-Identifier: Apache-2.0 */
#include "store_needs.h"

#include "../assemble/layer/layer_key.h"
#include "../assemble/layer/layer_record.h"
#include "../base/fs.h"
#include "../base/path.h"
#include "../look/scan_memo.h"
#include "../model/lock.h"
#include "../store/memo.h"
#include "prove.h"

/* What the store remembers of layers. */
struct memories {
    struct memo *layers, *linkage, *scans;
};

void store_needs_clear(struct store_needs *n)
{
    roots_clear(&n->roots);
    vec_clear(&n->locks);
    vec_clear(&n->blobs);
}

static void memories_clear(struct memories *m)
{
    memo_clear(&m->layers);
    memo_clear(&m->linkage);
    memo_clear(&m->scans);
}

static int open_memory(struct memo **out, const char *store, const char *kind, struct err *e)
{
    CLEANUP(free_clear) char *dir = path_join(store, kind);

    return memo_open(out, dir, e);
}

/* Asking for it is a use, so what is found is no older than today. */
static bool recall(struct buf *out, const struct memo *layers, struct str key)
{
    CLEANUP(err_clear) struct err none = {0}; /* as good as no record */
    bool found = false;

    return memo_get(layers, key, NULL, out, &found, &none) == 0 && found;
}

/* What is remembered of a layer puts it together from blobs. */
static void add_record(struct digests *out, const struct memo *layers, struct str key)
{
    CLEANUP(layer_record_clear) struct layer_record record = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(err_clear) struct err none = {0};

    if (!recall(&text, layers, key) || layer_record_parse(&record, buf_view(&text), &none) < 0)
        return;
    vec_add(out, record.literals);
    for (size_t k = 0; k < record.segments.inputs.n; k++)
        vec_add(out, record.segments.inputs.v[k]);
}

/* A download's is the same on most other systems: also on one that the lock has since it was built.
 */
static void add_layer(struct digests *out, const struct memo *layers, const struct lock *lock,
                      size_t i)
{
    CLEANUP(buf_clear) struct buf key = {0}, last = {0}, second = {0};

    layer_key(&key, lock, i);
    add_record(out, layers, buf_view(&key));
    if (lock->layers.v[i].kind != LOCK_DOWNLOAD)
        return;
    layer_key_of_second(&last, lock, i);
    if (recall(&second, layers, buf_view(&last)))
        add_record(out, layers, buf_view(&second));
}

/* What a wheel is built from is needed as long as it is: it may be built again. */
static void add_artifact(struct digests *out, const struct artifact *a)
{
    const struct artifact_source *s = a->source;

    if (digest_is_set(&a->digest))
        vec_add(out, a->digest);
    if (!s)
        return;
    vec_add(out, s->sdist.digest);
    for (size_t i = 0; i < s->files_n; i++)
        vec_add(out, s->files[i].digest);
    for (size_t i = 0; i < s->requires_n; i++)
        add_artifact(out, &s->requires[i]);
}

/* What was found out about a layer takes long to find out again, the base image's included. */
static void keep_found(const struct memories *m, const struct digest *layer)
{
    proving_keep(m->linkage, layer);
    scan_keep(m->scans, layer);
}

static void keep_all_found(const struct memories *m, const struct lock *lock)
{
    const struct lock_form *form;

    for (size_t i = 0; i < lock->layers.n; i++)
        keep_found(m, &lock->layers.v[i].digest);
    vec_each(form, &lock->forms)
        for (size_t i = 0; i < form->layers.n; i++)
            keep_found(m, &form->layers.v[i].digest);
}

static int add_lock(struct digests *out, const struct memories *m, const char *path, struct err *e)
{
    CLEANUP(lock_clear) struct lock lock = {0};
    const struct artifact *a;

    if (lock_read(&lock, path, e) < 0)
        return err_wrap(e, "what this lock needs is not known; mend or remove it");
    vec_each(a, &lock.artifacts)
        add_artifact(out, a);
    vec_each(a, &lock.tools)
        add_artifact(out, a);
    for (size_t i = 0; i < lock.layers.n; i++)
        if (lock.layers.v[i].kind != LOCK_IMAGE)
            add_layer(out, m->layers, &lock, i);
    keep_all_found(m, &lock);
    return 0;
}

static void sort_once(struct digests *list)
{
    size_t kept = 0;

    vec_sort(list, digest_order);
    for (size_t i = 0; i < list->n; i++)
        if (!kept || !digest_eq(&list->v[i], &list->v[kept - 1]))
            list->v[kept++] = list->v[i];
    list->n = kept;
}

int store_needs_read(struct store_needs *out, const char *store, int64_t before, struct err *e)
{
    CLEANUP(store_needs_clear) struct store_needs needs = {0};
    CLEANUP(memories_clear) struct memories m = {0};
    const struct root *root;

    if (roots_list(&needs.roots, store, e) < 0 || open_memory(&m.layers, store, "layers", e) < 0 ||
        open_memory(&m.linkage, store, "linkage", e) < 0 ||
        open_memory(&m.scans, store, "scans", e) < 0)
        return -1;
    vec_each(root, &needs.roots) {
        struct need_lock *lock = vec_push(&needs.locks);

        lock->root = root;
        lock->gone = !fs_exists(root->path);
        lock->counts = !lock->gone && (!before || root->used >= before);
        if (lock->counts && add_lock(&needs.blobs, &m, root->path, e) < 0)
            return -1;
    }
    sort_once(&needs.blobs);
    MOVE(out, &needs);
    return 0;
}
