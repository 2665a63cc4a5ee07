/* SPDX-License-Identifier: Apache-2.0 */
#include "layer_read.h"

#include "../io/crypto.h"
#include "../io/decompress.h"

static const uint64_t plain_max = (uint64_t)1 << 38; /* bytes of one layer, unpacked */

/* ---- a source that hashes what passes ---- */

struct hashing {
    struct source source;
    struct hash hash;
    bool on;
};

static int hashing_read(struct source *self, void *to, size_t len, size_t *got, struct err *e)
{
    struct hashing *h = (struct hashing *)self;

    if (source_read(self->below, to, len, got, e) < 0)
        return -1;
    if (h->on)
        hash_add(&h->hash, to, *got);
    return 0;
}

static void hashing_free(struct source *self)
{
    hash_clear(&((struct hashing *)self)->hash);
}

static struct hashing *hashing(struct source *below, bool on)
{
    struct hashing *h = xcalloc(1, sizeof *h);

    source_init(&h->source, hashing_read, hashing_free, below);
    h->on = on;
    hash_open(&h->hash);
    return h;
}

static int check(struct hashing *h, const struct digest *want, const char *what, struct seen *seen,
                 struct err *e)
{
    char text[DIGEST_TEXT + 1];

    *seen = (struct seen){0};
    if (!h->on)
        return 0;
    hash_seen(&h->hash, seen);
    if (digest_eq(seen_digest(seen), want))
        return 0;
    digest_text(want, text);
    return err_set(e, ERR_INTEGRITY, "its %s is not %s: the image is damaged", what, text);
}

/* ---- a layer ---- */

struct reading {
    char name[DIGEST_TEXT + 16];
    struct hashing *packed, *plain; /* of the chain that `tar` owns */
    struct tar_reader *tar;
};

static int begin(struct reading *r, const struct stored *image, size_t i, bool diff_id,
                 struct err *e)
{
    const struct descriptor *d = &image->manifest.layers.v[i];
    struct source *blob, *plain;
    char digest[DIGEST_TEXT + 1];

    digest_text(&d->digest, digest);
    snprintf(r->name, sizeof r->name, "layer %s", digest);
    if (stored_blob(&blob, image, d, e) < 0)
        return -1;
    blob->name = r->name;
    r->packed = hashing(blob, !image->no_digests);
    plain = decompress(&r->packed->source);
    plain->limit = plain_max;
    r->plain = hashing(plain, diff_id || image->no_digests);
    r->tar = tar_open(&r->plain->source, TAR_LAYER);
    return 0;
}

/* What is left is read, and all of it judged. */
static int judge(const struct reading *r, const struct stored *image, size_t i, struct err *fault,
                 struct seen *blob, struct err *e)
{
    struct seen plain;

    if (!err_is_set(fault))
        (void)!source_drain(&r->plain->source, fault);
    if (fault->kind == ERR_INTERRUPTED || fault->kind == ERR_SYSTEM)
        return err_join(e, fault);
    if (source_drain(&r->packed->source, e) < 0 ||
        check(r->packed, &image->manifest.layers.v[i].digest, "digest", blob, e) < 0 ||
        (!err_is_set(fault) &&
         check(r->plain, &image->config.diff_ids.v[i], "diff_id", &plain, e) < 0))
        return err_wrap(e, "%s: %s", image->files.path, r->name);
    return err_is_set(fault) ? err_join(e, fault) : 0;
}

int layer_read(const struct stored *image, size_t i, bool diff_id, tar_each each, void *ctx,
               struct seen *seen, struct err *e)
{
    CLEANUP(err_clear) struct err fault = {0};
    struct reading r = {0};
    struct seen blob = {0};
    int result;

    if (begin(&r, image, i, diff_id, e) < 0)
        return -1;
    /* What goes wrong here, if anything, is told there. */
    (void)!tar_walk(r.tar, each, ctx, &fault);
    result = judge(&r, image, i, &fault, &blob, e);
    if (seen)
        *seen = blob;
    tar_clear(&r.tar);
    return result;
}

int layer_read_bytes(struct source *packed, const struct digest *diff_id, tar_each each, void *ctx,
                     struct err *e)
{
    CLEANUP(tar_clear) struct tar_reader *tar = NULL;
    CLEANUP(err_clear) struct err fault = {0}, unread = {0};
    struct source *plain = decompress(packed);
    struct hashing *hashed;
    struct seen seen;

    plain->limit = plain_max;
    hashed = hashing(plain, true);
    tar = tar_open(&hashed->source, TAR_LAYER);
    (void)!tar_walk(tar, each, ctx, &fault);
    if (fault.kind == ERR_INTERRUPTED || fault.kind == ERR_SYSTEM)
        return err_join(e, &fault);
    if (source_drain(&hashed->source, &unread) < 0)
        return err_join(e, err_is_set(&fault) ? &fault : &unread);
    if (check(hashed, diff_id, "diff_id", &seen, e) < 0)
        return -1;
    return err_is_set(&fault) ? err_join(e, &fault) : 0;
}
