/* SPDX-License-Identifier: Apache-2.0 */
#include "place_store.h"

struct store {
    struct place place;
    const struct cas *cas;
};

static const struct cas *cas_of(struct place *p)
{
    return ((struct store *)p)->cas;
}

static int has_blob(bool *has, struct place *p, const struct digest *digest, uint64_t size,
                    struct err *e)
{
    *has = cas_has(cas_of(p), digest, size);
    p->there = "the store has it";
    return 0;
}

static int share_blob(bool *shared, struct place *p, const struct digest *digest, uint64_t size,
                      struct err *e)
{
    return has_blob(shared, p, digest, size, e);
}

static int blob_open(struct place *p, struct place_blob *b, struct err *e)
{
    struct cas_put *put = xcalloc(1, sizeof *put);

    b->state = put;
    return cas_put_open(put, cas_of(p), b->known ? &b->digest : NULL, UINT64_MAX / 2, e);
}

static int blob_write(struct place_blob *b, const void *bytes, size_t len, struct err *e)
{
    struct cas_put *put = b->state;

    return sink_write(&put->sink, bytes, len, e);
}

static int blob_finish(struct place_blob *b, struct err *e)
{
    struct cas_put *put = b->state;

    return sink_finish(&put->sink, e);
}

static void blob_clear(struct place_blob *b)
{
    struct cas_put *put = b->state;

    if (put)
        cas_put_clear(put);
    free(put);
    b->state = NULL;
}

static int put_image(struct place *p, struct str json, const struct descriptor *d,
                     const struct image_manifest *manifest, const struct image_name *name,
                     struct err *e)
{
    return err_set(e, ERR_INPUT, "the store has no images");
}

static int close_store(struct place *p, struct err *e)
{
    return 0;
}

static void free_store(struct place *p)
{
    free(p);
}

struct place *place_store(const struct cas *cas)
{
    static const struct place_ops ops = {
        .has_blob = has_blob,
        .share_blob = share_blob,
        .blob_open = blob_open,
        .blob_write = blob_write,
        .blob_finish = blob_finish,
        .blob_clear = blob_clear,
        .put_image = put_image,
        .close = close_store,
        .free = free_store,
    };
    struct store *s = xcalloc(1, sizeof *s);

    s->place = (struct place){.ops = &ops, .task = "write"};
    s->cas = cas;
    return &s->place;
}
