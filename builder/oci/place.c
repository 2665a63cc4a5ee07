/* SPDX-License-Identifier: Apache-2.0 */
#include "place.h"

#include <assert.h>

int place_has_blob(bool *has, struct place *p, const struct digest *digest, uint64_t size,
                   struct err *e)
{
    p->there = "there";
    return p->ops->has_blob(has, p, digest, size, e);
}

int place_share_blob(bool *shared, struct place *p, const struct digest *digest, uint64_t size,
                     struct err *e)
{
    *shared = false;
    return p->ops->share_blob ? p->ops->share_blob(shared, p, digest, size, e) : 0;
}

int place_put_parts(struct place *p, const struct digest *digest, uint64_t size,
                    const struct place_parts *parts, struct err *e)
{
    return p->ops->put_parts(p, digest, size, parts, e);
}

int place_ask_blobs(struct place *p, const struct descriptors *blobs, struct err *e)
{
    return p->ops->ask_blobs ? p->ops->ask_blobs(p, blobs, e) : 0;
}

static int blob_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct place_blob *b = (struct place_blob *)self;

    if (b->known && len > b->size - b->written)
        return err_set(e, ERR_INTEGRITY, "the blob is longer than %llu bytes, as it was announced",
                       (unsigned long long)b->size);
    hash_add(&b->hash, bytes, len);
    b->written += len;
    return b->place->ops->blob_write(b, bytes, len, e);
}

static int blob_finish(struct sink *self, struct err *e)
{
    struct place_blob *b = (struct place_blob *)self;
    char want[DIGEST_TEXT + 1], got[DIGEST_TEXT + 1];
    struct digest digest;

    hash_seen(&b->hash, &b->seen);
    digest = *seen_digest(&b->seen);
    digest_text(&b->digest, want);
    digest_text(&digest, got);
    if (b->known && b->written != b->size)
        return err_set(e, ERR_INTEGRITY, "blob %s has %llu bytes; it was announced with %llu", want,
                       (unsigned long long)b->written, (unsigned long long)b->size);
    if (b->known && !digest_eq(&digest, &b->digest))
        return err_set(e, ERR_INTEGRITY, "blob %s has the digest %s", want, got);
    b->digest = digest;
    b->size = b->written;
    return b->place->ops->blob_finish(b, e);
}

int place_blob_open(struct place_blob *b, struct place *p, const struct digest *digest,
                    uint64_t size, struct err *e)
{
    assert(digest || !p->known_first);
    *b = (struct place_blob){
        .sink = {blob_write, blob_finish}, .place = p, .known = digest != NULL, .name = b->name};
    if (digest) {
        b->digest = *digest;
        b->size = size;
    }
    hash_open(&b->hash);
    if (p->ops->blob_open(p, b, e) == 0)
        return 0;
    hash_clear(&b->hash);
    *b = (struct place_blob){0};
    return -1;
}

void place_blob_clear(struct place_blob *b)
{
    if (!b->place)
        return;
    b->place->ops->blob_clear(b);
    hash_clear(&b->hash);
    *b = (struct place_blob){0};
}

int place_blob_again(struct place_blob *b, struct err *e)
{
    assert(b->again);
    b->again = false;
    b->written = 0;
    hash_open(&b->hash);
    return b->place->ops->blob_again(b, e);
}

int place_blob_make(struct place_blob *b, int (*make)(void *ctx, struct sink *to, struct err *e),
                    void *ctx, struct err *e)
{
    for (;;) {
        CLEANUP(err_clear) struct err why = {0};

        if (make(ctx, &b->sink, &why) == 0 && sink_finish(&b->sink, &why) == 0)
            return 0;
        if (!b->again)
            return err_join(e, &why);
        if (place_blob_again(b, e) < 0)
            return -1;
    }
}

int place_put_layer(struct place *p, const struct descriptor *d, const char *name,
                    int (*make)(void *ctx, struct sink *to, struct err *e), void *ctx,
                    const struct events *events, struct err *e)
{
    CLEANUP(place_blob_clear) struct place_blob blob = {.name = name};
    struct event ev = {EVENT_BEGIN, p->task, name, 0, d->size};

    events_emit(events, &ev);
    if (place_blob_open(&blob, p, &d->digest, d->size, e) < 0 ||
        place_blob_make(&blob, make, ctx, e) < 0)
        return err_wrap(e, "layer %s", name);
    ev.kind = EVENT_END;
    events_emit(events, &ev);
    return 0;
}

static int put_text(void *ctx, struct sink *to, struct err *e)
{
    const struct str *bytes = ctx;

    return sink_write(to, bytes->p, bytes->len, e);
}

int place_put_bytes(struct place *p, struct str bytes, struct digest *digest, struct err *e)
{
    CLEANUP(place_blob_clear) struct place_blob blob = {0};
    bool has;

    hash_bytes(digest, bytes.p, bytes.len);
    if (place_has_blob(&has, p, digest, bytes.len, e) < 0)
        return -1;
    if (has)
        return 0;
    if (place_blob_open(&blob, p, digest, bytes.len, e) < 0)
        return -1;
    return place_blob_make(&blob, put_text, &bytes, e);
}

/* The manifest itself; d->digest is set. */
static int put_document(struct place *p, struct str json, struct descriptor *d, struct err *e)
{
    if (!p->manifests_apart)
        return place_put_bytes(p, json, &d->digest, e);
    hash_bytes(&d->digest, json.p, json.len);
    return 0;
}

bool place_refuses(const struct place *p, struct str media_type)
{
    return p->no_foreign && media_type_is_foreign(media_type);
}

static int need_blob(struct place *p, const struct descriptor *d, const char *what, struct err *e)
{
    bool manifest = p->ops->has_manifest &&
                    (media_type_is_manifest(d->media_type) || media_type_is_index(d->media_type));
    char text[DIGEST_TEXT + 1];
    bool has;

    if (manifest ? p->ops->has_manifest(&has, p, &d->digest, e) < 0
                 : place_has_blob(&has, p, &d->digest, d->size, e) < 0)
        return -1;
    if (has)
        return 0;
    digest_text(&d->digest, text);
    return err_set(e, ERR_INPUT, "%s %s of %llu bytes is not there", what, text,
                   (unsigned long long)d->size);
}

static int need_blobs(struct place *p, const struct descriptors *list, const char *what,
                      struct err *e)
{
    const struct descriptor *d;

    vec_each(d, list)
        if (!place_refuses(p, d->media_type) && need_blob(p, d, what, e) < 0)
            return -1;
    return 0;
}

static int put_manifest(struct place *p, struct str json, struct descriptor *d,
                        const struct image_name *name, struct err *e)
{
    CLEANUP(image_manifest_clear) struct image_manifest manifest = {0};

    if (image_manifest_parse(&manifest, json, NULL, "manifest", e) < 0)
        return -1;
    if (manifest.layers.n > IMAGE_LAYERS_MAX)
        return err_set(e, ERR_INPUT, "%zu layers; more than %d cannot be mounted",
                       manifest.layers.n, IMAGE_LAYERS_MAX);
    if (need_blob(p, &manifest.config, "config", e) < 0 ||
        need_blobs(p, &manifest.layers, "layer", e) < 0 || put_document(p, json, d, e) < 0)
        return -1;
    d->media_type = manifest.media_type;
    return p->ops->put_image(p, json, d, &manifest, name, e);
}

static int put_index(struct place *p, struct str json, struct descriptor *d,
                     const struct image_name *name, struct err *e)
{
    CLEANUP(image_index_clear) struct image_index index = {0};

    if (image_index_parse(&index, json, NULL, "index", e) < 0 ||
        need_blobs(p, &index.manifests, "manifest", e) < 0 || put_document(p, json, d, e) < 0)
        return -1;
    d->media_type = index.media_type;
    return p->ops->put_image(p, json, d, NULL, name, e);
}

int place_put_image(struct place *p, struct str json, const struct image_name *name,
                    const struct platform *platform, struct digest *out, struct err *e)
{
    struct descriptor d = {.size = json.len};

    if (platform)
        d.platform = *platform;
    if (image_is_index(json) ? put_index(p, json, &d, name, e) < 0
                             : put_manifest(p, json, &d, name, e) < 0)
        return name->tag.len ? err_wrap(e, "image " STR_FMT ":" STR_FMT, STR_ARG(name->repository),
                                        STR_ARG(name->tag))
                             : -1;
    *out = d.digest;
    return 0;
}

bool place_keeps(const struct place *p)
{
    return p->ops->tagged != NULL;
}

int place_tagged(struct tagged *out, struct place *p, const struct image_name *name, struct err *e)
{
    *out = (struct tagged){0};
    return p->ops->tagged(out, p, name, e);
}

int place_close(struct place *p, struct err *e)
{
    return p->ops->close(p, e);
}

void place_free(struct place *p)
{
    if (p)
        p->ops->free(p);
}

void place_clear(struct place **p)
{
    place_free(*p);
    *p = NULL;
}
