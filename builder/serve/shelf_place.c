/* SPDX-License-Identifier: Apache-2.0 */
#include "shelf_parts.h"

#include <fcntl.h>

#include "../io/source.h"

struct shelf_place {
    struct place place;
    struct shelf *shelf;
    const struct cas *cas;
    const char *from;
    const struct blob_files *files;
};

/* A blob that is written: what may be a document is kept in memory. */
struct written {
    struct buf text;
    struct cas_put put; /* open where it is larger */
};

static struct shelf_place *own(struct place *p)
{
    return (struct shelf_place *)p;
}

/* ---- blobs ---- */

/* Of what the store has, whole layers are put here when an image names them. */
static int has_blob(bool *has, struct place *p, const struct digest *digest, uint64_t size,
                    struct err *e)
{
    const struct shelf_place *s = own(p);

    *has = shelf_blob(s->shelf, digest) || shelf_doc(s->shelf, digest);
    p->there = "it is served already";
    if (*has || !size || !cas_has(s->cas, digest, size))
        return 0;
    *has = true;
    p->there = "the store has it";
    return 0;
}

static int blob_open(struct place *p, struct place_blob *b, struct err *e)
{
    CLEANUP(free_clear) struct written *w = xcalloc(1, sizeof *w);

    if (b->size > IMAGE_DOC_MAX && cas_put_open(&w->put, own(p)->cas, &b->digest, b->size, e) < 0)
        return -1;
    b->state = w;
    w = NULL;
    return 0;
}

static int blob_write(struct place_blob *b, const void *bytes, size_t len, struct err *e)
{
    struct written *w = b->state;

    if (b->size > IMAGE_DOC_MAX)
        return sink_write(&w->put.sink, bytes, len, e);
    buf_add(&w->text, bytes, len);
    return 0;
}

static int blob_finish(struct place_blob *b, struct err *e)
{
    struct shelf *shelf = own(b->place)->shelf;
    struct written *w = b->state;
    struct shelf_blob *blob;

    if (b->size > IMAGE_DOC_MAX)
        return sink_finish(&w->put.sink, e);
    if (shelf_blob(shelf, &b->digest))
        return 0;
    blob = vec_push(&shelf->blobs);
    blob->digest = b->digest;
    blob->size = b->size;
    blob->text = arena_str(&shelf->arena, buf_view(&w->text));
    return 0;
}

static void blob_clear(struct place_blob *b)
{
    struct written *w = b->state;

    if (!w)
        return;
    buf_clear(&w->text);
    cas_put_clear(&w->put);
    free(w);
    b->state = NULL;
}

/* ---- parts ---- */

static int check_parts(const struct digest *digest, const struct place_parts *parts, struct err *e)
{
    CLEANUP(hash_sink_clear) struct hash_sink hash = {0};
    const struct place_part *part;
    struct digest found;
    char text[DIGEST_TEXT + 1];

    hash_sink_open(&hash, NULL);
    vec_each(part, parts) {
        CLEANUP(source_clear)
        struct source *bytes = source_input(part->file, part->offset, part->size);

        if (source_copy(bytes, &hash.sink, NULL, e) < 0)
            return -1;
    }
    hash_finish(&hash.hash, &found);
    digest_text(&found, text);
    return digest_eq(&found, digest)
               ? 0
               : err_set(e, ERR_INTEGRITY, "what the store has of it has the digest %s", text);
}

/* A file of the store is kept open once, however many layers it is in. */
static int keep(size_t *at, struct shelf *shelf, const struct input *file, struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};

    for (*at = 0; *at < shelf->files.n; ++*at)
        if (digest_eq(&shelf->files.v[*at].digest, &file->digest))
            return 0;
    fd.n = fcntl(file->fd.n, F_DUPFD_CLOEXEC, 0);
    fd.open = fd.n >= 0;
    return !fd.open || shelf_keep_file(at, shelf, &fd, file->name, &file->digest) < 0
               ? err_errno(e, "cannot keep %s open", file->name)
               : 0;
}

static int put_parts(struct place *p, const struct digest *digest, uint64_t size,
                     const struct place_parts *parts, struct err *e)
{
    struct shelf *shelf = own(p)->shelf;
    const struct place_part *part;
    struct shelf_blob *blob;
    size_t at, *seen;
    bool listed;

    if (shelf_blob(shelf, digest))
        return 0;
    blob = vec_push(&shelf->blobs);
    blob->digest = *digest;
    vec_each(part, parts) {
        if (keep(&at, shelf, part->file, e) < 0)
            return -1;
        vec_add(&blob->parts, ((struct httpd_part){shelf->files.v[at].fd.n, blob->size,
                                                   part->offset, part->size}));
        blob->size += part->size;
        listed = false;
        vec_each(seen, &blob->files)
            listed |= *seen == at;
        if (!listed)
            vec_add(&blob->files, at);
    }
    return check_parts(digest, parts, e);
}

/* ---- images ---- */

static struct pairs copy_pairs(const struct pairs *from, struct arena *a)
{
    struct pairs copy = {0};
    const struct pair *pair;

    vec_each(pair, from)
        pairs_add(&copy, arena_str(a, pair->key), arena_str(a, pair->value));
    return copy;
}

/* What refers to an image. */
static void add_referrer(struct shelf *shelf, const struct descriptor *d,
                         const struct image_manifest *m)
{
    struct descriptor entry = {.media_type = arena_str(&shelf->arena, d->media_type),
                               .digest = d->digest,
                               .size = d->size,
                               .artifact_type = arena_str(&shelf->arena, m->artifact_type),
                               .annotations = copy_pairs(&m->annotations, &shelf->arena)};
    struct shelf_referrers *r, *found = NULL;

    vec_each(r, &shelf->referrers)
        if (digest_eq(&r->subject, &m->subject.digest))
            found = r;
    if (!found) {
        found = vec_push(&shelf->referrers);
        found->subject = m->subject.digest;
    }
    vec_add(&found->index.manifests, entry);
}

/* Its text, where an image that is served already has it as a file. */
static int read_small(struct str *out, struct shelf *shelf, const struct descriptor *d,
                      struct err *e)
{
    const struct shelf_blob *b = shelf_blob(shelf, &d->digest);
    CLEANUP(free_clear) char *text = NULL;

    *out = b->text;
    if (!b->parts.n)
        return 0;
    if (b->size > IMAGE_DOC_MAX)
        return err_set(e, ERR_INPUT, "a config of more than %d bytes", IMAGE_DOC_MAX);
    text = xmalloc((size_t)b->size + 1);
    if (fd_pread_all(b->parts.v[0].fd, text, (size_t)b->size, 0, "config", e) < 0)
        return -1;
    *out = arena_str(&shelf->arena, (struct str){text, (size_t)b->size});
    return 0;
}

static int add_image(struct shelf_place *s, struct str json, const struct descriptor *d,
                     const struct image_name *name, struct err *e)
{
    struct stored *image = xcalloc(1, sizeof *image);
    CLEANUP(buf_clear) struct buf called = {0};

    vec_add(&s->shelf->images, image);
    image->files.path = xstrdup(s->from);
    image->digest = image->root = d->digest;
    image->manifest_text = arena_str(&s->shelf->arena, json);
    if (image_manifest_parse(&image->manifest, json, NULL, "manifest", e) < 0)
        return -1;
    if (read_small(&image->config_text, s->shelf, &image->manifest.config, e) < 0 ||
        image_config_parse(&image->config, image->config_text, "config", e) < 0)
        return -1;
    buf_fmt(&called, STR_FMT ":" STR_FMT, STR_ARG(name->repository), STR_ARG(name->tag));
    return shelf_put_name(s->shelf, image, buf_view(&called), STR(""), &d->digest, e);
}

static int put_image(struct place *p, struct str json, const struct descriptor *d,
                     const struct image_manifest *manifest, const struct image_name *name,
                     struct err *e)
{
    struct shelf_place *s = own(p);
    const struct descriptor *layer;

    vec_each(layer, &manifest->layers) {
        CLEANUP(free_clear) char *path = cas_path(s->cas, &layer->digest);

        if (!shelf_blob(s->shelf, &layer->digest) &&
            shelf_put_file(s->shelf, path, &layer->digest, layer->size, s->files, e) < 0)
            return -1;
    }
    if (!manifest->has_subject && add_image(s, json, d, name, e) < 0)
        return -1;
    if (shelf_doc(s->shelf, &d->digest))
        return 0;
    shelf_add_doc(s->shelf, &d->digest, d->media_type, json);
    if (manifest->has_subject)
        add_referrer(s->shelf, d, manifest);
    return 0;
}

/* Nothing had a name here before. */
static int tagged(struct tagged *out, struct place *p, const struct image_name *name, struct err *e)
{
    return 0;
}

static int close_shelf(struct place *p, struct err *e)
{
    return 0;
}

static void free_shelf(struct place *p)
{
    free(p);
}

struct place *shelf_place(struct shelf *shelf, const struct cas *cas, const char *from,
                          const struct blob_files *files)
{
    static const struct place_ops ops = {
        .has_blob = has_blob,
        .blob_open = blob_open,
        .blob_write = blob_write,
        .blob_finish = blob_finish,
        .blob_clear = blob_clear,
        .put_parts = put_parts,
        .put_image = put_image,
        .close = close_shelf,
        .free = free_shelf,
        .tagged = tagged,
    };
    struct shelf_place *s = xcalloc(1, sizeof *s);

    *s = (struct shelf_place){
        {.ops = &ops, .known_first = true, .task = "check"}, shelf, cas, from, files};
    return &s->place;
}
