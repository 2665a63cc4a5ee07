/* SPDX-License-Identifier: Apache-2.0 */
#include "layer_cache.h"

#include <stdatomic.h>

void layer_caches_clear(struct layer_caches *list)
{
    struct layer_cache *c;

    vec_each(c, list)
        vec_clear(&c->mounts);
    vec_clear(list);
}

static int ask_one(void *question, struct err *e)
{
    struct layer_question *q = *(struct layer_question **)question;

    return registry_has_blob(&q->has, q->asked, &q->digest, q->size, e);
}

static int ask_one_cache(struct layer_cache *c, struct layer_question *questions, size_t n,
                         struct err *e)
{
    CLEANUP(free_clear) struct layer_question **open = xcalloc(n, sizeof(struct layer_question *));
    size_t left = 0;

    for (size_t i = 0; i < n; i++)
        if (!questions[i].found) {
            questions[i].asked = c->registry;
            open[left++] = &questions[i];
        }
    if (registry_ask_many(open, left, sizeof(struct layer_question *), ask_one, e) < 0)
        return -1;
    for (size_t i = 0; i < left; i++)
        if (open[i]->has)
            open[i]->found = c;
    return 0;
}

int layer_caches_find(struct layer_caches *list, struct layer_question *questions, size_t n,
                      const struct events *events, struct err *e)
{
    struct layer_cache *c;

    vec_each(c, list) {
        CLEANUP(err_clear) struct err why = {0};

        if (c->unread || ask_one_cache(c, questions, n, &why) == 0)
            continue;
        if (why.kind == ERR_INTERRUPTED)
            return err_join(e, &why);
        c->unread = true;
        events_warn(events, "the cache is not read: %s", why.msg);
        for (size_t i = 0; i < n; i++)
            questions[i].has = false;
    }
    return 0;
}

int layer_cache_give_up(struct layer_cache *c, struct err *why, const struct events *events,
                        struct err *e)
{
    if (why->kind == ERR_INTERRUPTED)
        return err_join(e, why);
    if (!atomic_exchange(&c->unwritten, true))
        events_warn(events, "layers that were made are not left in the cache: %s", why->msg);
    return 0;
}

int layer_cache_tag(struct place *place, const struct descriptor *layer,
                    const struct digest *diff_id, const struct platform *platform, struct err *e)
{
    CLEANUP(image_manifest_clear) struct image_manifest m = {0};
    CLEANUP(image_config_clear) struct image_config config = {.platform = *platform};
    CLEANUP(buf_clear) struct buf config_text = {0}, json = {0}, tag = {0};
    struct image_name name = {0};
    char hex[DIGEST_HEX + 1];
    struct digest digest;

    vec_add(&config.diff_ids, *diff_id);
    image_config_write(&config, &config_text);
    if (place_put_bytes(place, buf_view(&config_text), &digest, e) < 0)
        return -1;
    m.config = (struct descriptor){
        .media_type = STR(MEDIA_CONFIG), .digest = digest, .size = config_text.len};
    vec_add(&m.layers, *layer);
    image_manifest_write(&m, &json);
    digest_hex(&layer->digest, hex);
    buf_fmt(&tag, "layer-%s", hex);
    name.tag = buf_view(&tag);
    return place_put_image(place, buf_view(&json), &name, platform, &digest, e);
}
