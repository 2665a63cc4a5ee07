/* SPDX-License-Identifier: Apache-2.0 */
#include "prove.h"

#include "../look/linkage.h"
#include "../model/finding.h"
#include "../oci/layer_read.h"

/* ---- a layer that is being made ---- */

struct looking {
    struct layer_watch watch; /* first: what assemble holds is this */
    struct layer_scan scan;
    struct fs_temp scratch;
};

static void begin(struct layer_watch *self, const struct entry *entry, struct sink **data)
{
    layer_scan_begin(&((struct looking *)self)->scan, entry, false, data);
}

static int end(struct layer_watch *self, struct err *e)
{
    return layer_scan_end(&((struct looking *)self)->scan, e);
}

static void close_looking(void *ctx, struct layer_watch *watch)
{
    struct looking *l = (struct looking *)watch;

    layer_scan_clear(&l->scan);
    fs_temp_clear(&l->scratch);
    free(l);
}

static struct layer_watch *open_looking(void *ctx, struct err *e)
{
    const struct proving *p = ctx;
    struct looking *l = xcalloc(1, sizeof *l);

    l->watch = (struct layer_watch){begin, end};
    if (fs_temp_open(&l->scratch, p->scratch_dir, e) < 0) {
        free(l);
        return NULL;
    }
    layer_scan_open(&l->scan, l->scratch.fd.n, false);
    return &l->watch;
}

/* ---- what is remembered ---- */

static void key_of(struct buf *key, const struct digest *layer)
{
    char text[DIGEST_TEXT + 1];

    digest_text(layer, text);
    buf_fmt(key, "linkage/1 %s", text);
}

static int remember(const struct proving *p, const struct layer_scan *g, const struct seen *layer,
                    struct err *e)
{
    CLEANUP(buf_clear) struct buf key = {0}, text = {0};

    key_of(&key, seen_digest(layer));
    return linkage_print(&text, g, e) < 0
               ? -1
               : memo_put(p->memo, buf_view(&key), layer, buf_view(&text), e);
}

/* *found is false when nothing, or nothing of use, is remembered. */
static int recall(struct linkage *out, bool *found, const struct proving *p,
                  const struct digest *layer, struct err *e)
{
    CLEANUP(buf_clear) struct buf key = {0}, text = {0};
    CLEANUP(err_clear) struct err damaged = {0}; /* as good as none */

    key_of(&key, layer);
    if (memo_get(p->memo, buf_view(&key), layer, &text, found, e) < 0)
        return -1;
    *found = *found && linkage_parse(out, buf_view(&text), &damaged) == 0;
    return 0;
}

static int done(void *ctx, struct layer_watch *watch, const struct seen *layer, struct err *e)
{
    return remember(ctx, &((struct looking *)watch)->scan, layer, e);
}

static bool knows(void *ctx, const struct digest *layer)
{
    CLEANUP(linkage_clear) struct linkage l = {0};
    CLEANUP(err_clear) struct err unused = {0}; /* then it is made, and the fault met again */
    bool found = false;

    return recall(&l, &found, ctx, layer, &unused) == 0 && found;
}

void proving_init(struct proving *p, const struct memo *memo, char *scratch_dir)
{
    *p = (struct proving){.memo = memo,
                          .scratch_dir = scratch_dir,
                          .watcher = {knows, open_looking, done, close_looking, p}};
}

bool proving_knows(struct proving *p, const struct lock *lock)
{
    const struct lock_layer *l;

    vec_each(l, &lock->layers)
        if (l->kind != LOCK_IMAGE && !knows(p, &l->digest))
            return false;
    return true;
}

void proving_keep(const struct memo *memo, const struct digest *layer)
{
    CLEANUP(buf_clear) struct buf key = {0};

    key_of(&key, layer);
    memo_keep(memo, buf_view(&key));
}

/* ---- the proof ---- */

/* A layer of the image that is the base. */
static int read_layer(const struct proving *p, const struct stored *image, size_t i, struct err *e)
{
    CLEANUP(fs_temp_clear) struct fs_temp scratch = {0};
    CLEANUP(layer_scan_clear) struct layer_scan g = {0};
    struct seen seen;

    if (fs_temp_open(&scratch, p->scratch_dir, e) < 0)
        return -1;
    layer_scan_open(&g, scratch.fd.n, false);
    if (layer_read(image, i, false, layer_scan_take, &g, &seen, e) < 0)
        return -1;
    return remember(p, &g, &seen, e);
}

struct merging {
    struct rootfs fs;
    struct linkage *layers;
    size_t n;
    struct proof proof;
};

static void merging_clear(struct merging *m)
{
    proof_clear(&m->proof);
    rootfs_clear(&m->fs);
    for (size_t i = 0; i < m->n; i++)
        linkage_clear(&m->layers[i]);
    free(m->layers);
}

static int merge(struct merging *m, const struct lock *lock, const struct proving *p,
                 const struct stored *image, struct err *e)
{
    const struct ldcache_libs *cache = NULL;
    const struct ldcache_lib *lib;
    bool found = false;

    m->layers = xcalloc(lock->layers.n + 1, sizeof *m->layers);
    m->n = lock->layers.n;
    for (size_t i = 0; i < lock->layers.n; i++) {
        const struct lock_layer *l = &lock->layers.v[i];

        if (recall(&m->layers[i], &found, p, &l->digest, e) < 0 ||
            (!found && l->kind == LOCK_IMAGE &&
             (read_layer(p, image, i, e) < 0 ||
              recall(&m->layers[i], &found, p, &l->digest, e) < 0)))
            return -1;
        if (!found)
            return err_set(e, ERR_SYSTEM,
                           "what the store remembered of layer " STR_FMT
                           " is gone; run the command again",
                           STR_ARG(l->name));
        if (linkage_put(&m->fs, &m->layers[i], e) < 0)
            return -1;
        if (m->layers[i].cache.n)
            cache = &m->layers[i].cache;
    }
    if (cache)
        vec_each(lib, cache)
            proof_cached(&m->proof, lib->soname, lib->path);
    proof_image(&m->proof, &m->fs, NULL, &lock->env, lock->arch);
    return proof_run(&m->proof, e);
}

static void judge(struct lock *lock, const struct proof_finding *f, struct err *e)
{
    CLEANUP(buf_clear) struct buf words = {0};

    if (!f->reached)
        buf_puts(&words, FINDING_PLUGIN);
    proof_words(&words, f);
    if (f->reached && f->kind != PROOF_TWO_FILES && f->owner.len &&
        finding_is_named(lock, f->owner) && f->kind == PROOF_CAPABILITY)
        err_set(e, ERR_INPUT, "%s", words.p); /* says what to write */
    else if (f->reached && f->kind != PROOF_TWO_FILES && f->owner.len &&
             finding_is_named(lock, f->owner))
        err_set(e, ERR_INPUT,
                "%s; name a package that brings it under `apt` or `pip`, or leave " STR_FMT " out",
                words.p, STR_ARG(f->owner));
    else
        vec_add(&lock->findings, arena_str(&lock->doc.arena, buf_view(&words)));
}

int prove(struct lock *lock, const struct proving *p, const struct stored *image, struct err *e)
{
    CLEANUP(merging_clear) struct merging m = {0};
    const struct proof_finding *f;
    struct err fault = {0};

    if (merge(&m, lock, p, image, e) < 0)
        return err_wrap(e, "load proof");
    vec_clear(&lock->findings);
    vec_each(f, &m.proof.findings)
        judge(lock, f, &fault);
    return err_is_set(&fault) ? err_join(e, &fault) : 0;
}

void prove_warn(const struct lock *lock, const char *recipe, const struct events *events)
{
    CLEANUP(names_clear) struct names lines = {0};

    findings_summary(&lines, lock, recipe);
    for (size_t i = 0; i < lines.n; i++)
        events_warn(events, "%s", lines.v[i]);
}
