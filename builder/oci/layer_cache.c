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

int layer_caches_find(struct layer_cache **found, struct layer_caches *list,
                      const struct digest *digest, uint64_t size, const struct events *events,
                      struct err *e)
{
    struct layer_cache *c;

    *found = NULL;
    vec_each(c, list) {
        CLEANUP(err_clear) struct err why = {0};
        bool has = false;

        if (c->unread)
            continue;
        if (registry_has_blob(&has, c->registry, digest, size, &why) < 0) {
            if (why.kind == ERR_INTERRUPTED)
                return err_join(e, &why);
            c->unread = true;
            events_warn(events, "the cache is not read: %s", why.msg);
        }
        if (has) {
            *found = c;
            return 0;
        }
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
