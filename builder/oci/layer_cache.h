/* oci/layer_cache.h - a repository of a registry through which machines share layers.
 *
 * Each layer is there as a plain OCI image of that one layer, with the tag "layer-" and the 64 hex
 * digits of its digest: some registries take no other kind for caches, and what has no tag is
 * swept. A cache is a help and no need: one that cannot be asked or written is told once and left
 * alone.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "registry_place.h"

struct layer_cache {
    struct registry *registry;     /* borrowed */
    struct registry_mounts mounts; /* repositories of that registry that may have what is left */
    bool unread;                   /* it could not be asked; main thread */
    _Atomic bool unwritten;        /* nothing more is left there */
};
struct layer_caches VEC_OF(struct layer_cache);

void layer_caches_clear(struct layer_caches *list);
/* Who has a layer? */
struct layer_question {
    struct digest digest;
    uint64_t size;
    struct layer_cache *found; /* the first that has it; NULL at first */
    struct registry *asked;    /* while one is asked */
    bool has;
};
/* Each cache is asked for all that those before it do not have, at once. */
int layer_caches_find(struct layer_caches *list, struct layer_question *questions, size_t n,
                      const struct events *events, struct err *e) MUST_CHECK;
/* Nothing more is left there; `why` is told once. Only an interruption is an error. */
int layer_cache_give_up(struct layer_cache *c, struct err *why, const struct events *events,
                        struct err *e) MUST_CHECK;
/* The image of a layer whose blob is there, and its tag. `place` is that of the cache. */
int layer_cache_tag(struct place *place, const struct descriptor *layer,
                    const struct digest *diff_id, const struct platform *platform,
                    struct err *e) MUST_CHECK;
