/* SPDX-License-Identifier: Apache-2.0 */
#include "../model/compression.h"
#include "assemble_parts.h"

/* A layer on its way into a cache. */
struct leaving {
    struct making *m;
    struct layer_cache *cache;
    struct place *place;
    bool has; /* the cache has its bytes */
    bool failed;
};
struct leavings VEC_OF(struct leaving);

static struct descriptor describe(const struct lock *lock, const struct lock_layer *l)
{
    bool zstd = compression_is_zstd(lock_compression(lock));

    return (struct descriptor){.media_type = zstd ? STR(MEDIA_LAYER_ZSTD) : STR(MEDIA_LAYER_GZIP),
                               .digest = l->digest,
                               .size = l->size};
}

static int leave_blob(void *ctx, struct err *e)
{
    struct leaving *l = ctx;
    const struct lock_layer *layer = l->m->layer;
    CLEANUP(place_blob_clear) struct place_blob blob = {0};
    CLEANUP(err_clear) struct err why = {0};

    l->failed = l->cache->unwritten;
    if (l->failed || (place_blob_open(&blob, l->place, &layer->digest, layer->size, &why) == 0 &&
                      place_blob_make(&blob, making_bytes, l->m, &why) == 0))
        return 0;
    l->failed = true;
    return layer_cache_give_up(l->cache, &why, l->m->all->in->events, e);
}

/* What was made here and the cache lacks. */
static int find_leavings(struct leavings *out, struct assembler *a, struct layer_cache *c,
                         struct place *place, struct err *e)
{
    for (size_t i = 0; i < a->lock->layers.n; i++) {
        struct making *m = &a->makings[i];
        CLEANUP(err_clear) struct err why = {0};
        bool has;

        if ((m->how != HOW_MAKE && m->how != HOW_JOIN) || !m->has_record)
            continue;
        if (place_has_blob(&has, place, &m->layer->digest, m->layer->size, &why) < 0)
            return layer_cache_give_up(c, &why, a->in->events, e);
        vec_add(out, ((struct leaving){.m = m, .cache = c, .place = place, .has = has}));
        if (has)
            events_note(a->in->events, "layer %s: %s in the cache", m->layer->name.p, place->there);
    }
    return 0;
}

static int leave_all(struct assembler *a, struct layer_cache *c, struct place *place,
                     struct leavings *list, struct err *e)
{
    const struct platform platform = {.os = a->lock->os, .architecture = a->lock->arch};
    struct leaving *l;

    if (find_leavings(list, a, c, place, e) < 0)
        return -1;
    vec_each(l, list)
        if (!l->has)
            pool_add(a->pool, l->m->layer->size, (unsigned)l->m->index, leave_blob, l);
    if (pool_wait(a->pool, e) < 0)
        return -1;
    vec_each(l, list) {
        CLEANUP(err_clear) struct err why = {0};
        const struct descriptor d = describe(a->lock, l->m->layer);

        if (l->failed || c->unwritten)
            continue;
        if (layer_cache_tag(place, &d, &l->m->layer->diff_id, &platform, &why) < 0 &&
            layer_cache_give_up(c, &why, a->in->events, e) < 0)
            return -1;
    }
    return 0;
}

int cache_leave(struct assembler *a, struct err *e)
{
    for (size_t i = 0; a->in->caches && i < a->in->caches->n; i++) {
        struct layer_cache *c = &a->in->caches->v[i];
        CLEANUP(place_clear) struct place *place = NULL;
        struct leavings list = {0};
        int result;

        if (c->unread || c->unwritten)
            continue;
        registry_place_open(&place, c->registry, &c->mounts, a->in->events);
        result = leave_all(a, c, place, &list, e);
        vec_clear(&list);
        if (result < 0)
            return -1;
    }
    return 0;
}
