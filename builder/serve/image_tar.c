/* SPDX-License-Identifier: Apache-2.0 */
#include "image_tar.h"

#include "../io/tar.h"
#include "../oci/tarball.h"

/* What the writer of archives gives, as text. */
struct recording {
    struct sink sink;
    struct buf text;
};

static int record(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct recording *r = (struct recording *)self;

    buf_add(&r->text, bytes, len);
    return 0;
}

static void recording_clear(struct recording *r)
{
    buf_clear(&r->text);
}

/* What was written since then is the archive's next piece. */
static void put_text(struct httpd_answer *out, struct recording *r)
{
    if (r->text.len)
        httpd_text(out, arena_str(&out->arena, buf_view(&r->text)));
    buf_reset(&r->text);
}

static bool is_called(const struct digest *digest, struct str text)
{
    struct digest named;

    return digest_from_text(&named, text) && digest_eq(&named, digest);
}

/* How many of the lowest layers are the first that it has, in this order. */
static size_t count_had(const struct stored *image, const struct strs *have)
{
    const struct descriptors *layers = &image->manifest.layers;
    size_t n = 0;

    while (n < layers->n && n < have->n &&
           (is_called(&layers->v[n].digest, have->v[n]) ||
            is_called(&image->config.diff_ids.v[n], have->v[n])))
        n++;
    return n;
}

static int put_layer(struct httpd_answer *out, struct recording *r, const struct shelf *shelf,
                     const struct digest *digest, int64_t mtime, struct err *e)
{
    static const char zeros[TAR_BLOCK];
    const struct shelf_blob *b = shelf_blob(shelf, digest);

    if (!b)
        return err_set(e, ERR_INPUT, "a layer of the image may not be handed on, and is not here");
    if (!shelf_blob_is_whole(shelf, b))
        return err_set(e, ERR_INTEGRITY, "a layer's file was changed while it was served");
    if (tarball_blob_head(&r->text, digest, b->size, mtime, e) < 0)
        return -1;
    put_text(out, r);
    shelf_blob_give(out, b);
    buf_add(&r->text, zeros, tar_padding(b->size));
    return 0;
}

/* A layer may stand in an image twice. */
static int put_layers(struct httpd_answer *out, struct recording *r, struct place *place,
                      const struct shelf *shelf, const struct descriptors *layers, size_t from,
                      int64_t mtime, struct err *e)
{
    bool has;

    for (size_t i = from; i < layers->n; i++) {
        const struct descriptor *d = &layers->v[i];

        if (place_has_blob(&has, place, &d->digest, d->size, e) < 0)
            return -1;
        if (!has && put_layer(out, r, shelf, &d->digest, mtime, e) < 0)
            return -1;
        tarball_leave_out(place, &d->digest);
    }
    for (size_t i = 0; i < from; i++)
        tarball_leave_out(place, &layers->v[i].digest);
    return 0;
}

static int put_archive(struct httpd_answer *out, struct recording *r, const struct shelf *shelf,
                       const struct stored *image, const struct image_name *name, size_t from,
                       struct err *e)
{
    int64_t mtime = image->config.dated && image->config.created > 0 ? image->config.created : 0;
    CLEANUP(place_clear) struct place *place = NULL;
    struct digest digest;

    if (tarball_stream(&place, &r->sink, NULL, TARBALL_DOCKER, mtime, e) < 0 ||
        put_layers(out, r, place, shelf, &image->manifest.layers, from, mtime, e) < 0 ||
        place_put_bytes(place, image->config_text, &digest, e) < 0 ||
        place_put_image(place, image->manifest_text, name, &image->config.platform, &digest, e) <
            0 ||
        place_close(place, e) < 0)
        return -1;
    put_text(out, r);
    return 0;
}

int image_tar_answer(struct httpd_answer *out, uint64_t *size, const struct shelf *shelf,
                     struct str name, const struct shelf_tag *tag, const struct strs *have,
                     struct err *e)
{
    CLEANUP(recording_clear) struct recording r = {.sink = {.write = record}};
    CLEANUP(buf_clear) struct buf etag = {0}, file = {0};
    const struct image_name called = {.repository = name, .tag = tag->tag};
    size_t from = count_had(tag->image, have);
    char hex[DIGEST_HEX + 1];

    if (put_archive(out, &r, shelf, tag->image, &called, from, e) < 0) {
        out->pieces.n = 0;
        return -1;
    }
    *size = httpd_size(out);
    digest_hex(&tag->image->digest, hex);
    buf_fmt(&etag, "\"%s-" STR_FMT "-%zu\"", hex, STR_ARG(tag->tag), from);
    buf_fmt(&file, "attachment; filename=\"" STR_FMT ".tar\"", STR_ARG(tag->tag));
    out->status = 200;
    out->etag = arena_str(&out->arena, buf_view(&etag));
    httpd_header(out, "Content-Type", STR("application/x-tar"));
    httpd_header(out, "Content-Disposition", buf_view(&file));
    return 0;
}

int image_tar_size(uint64_t *size, const struct shelf *shelf, struct str name,
                   const struct shelf_tag *tag, struct err *e)
{
    CLEANUP(httpd_answer_clear) struct httpd_answer unused = {0};

    return image_tar_answer(&unused, size, shelf, name, tag, &(struct strs){0}, e);
}

/* The blob whose bytes these are. */
static const struct shelf_blob *blob_of(const struct shelf *shelf, const struct httpd_parts *parts)
{
    const struct shelf_blob *b;

    vec_each(b, &shelf->blobs)
        if (&b->parts == parts)
            return b;
    return NULL;
}

int image_tar_pieces(struct buf *out, const struct shelf *shelf, struct str name,
                     const struct shelf_tag *tag, struct err *e)
{
    CLEANUP(httpd_answer_clear) struct httpd_answer whole = {0};
    const struct httpd_piece *p;
    char hex[DIGEST_HEX + 1];
    uint64_t size;

    if (image_tar_answer(&whole, &size, shelf, name, tag, &(struct strs){0}, e) < 0)
        return -1;
    vec_each(p, &whole.pieces) {
        const struct shelf_blob *b = p->parts ? blob_of(shelf, p->parts) : NULL;

        buf_fmt(out, "%s%llu", p == whole.pieces.v ? "" : " ", (unsigned long long)p->size);
        if (b) {
            digest_hex(&b->digest, hex);
            buf_fmt(out, "@%s", hex);
        }
    }
    return 0;
}
