/* SPDX-License-Identifier: Apache-2.0 */
#include "shelf_parts.h"

#include <fcntl.h>

#include "../base/fs.h"
#include "../base/path.h"
#include "../oci/ref.h"
#include "../oci/stored_text.h"

enum { DEPTH = 4 }; /* of indexes and of what refers to what */

/* What one shelf_add() works with. */
struct filling {
    struct shelf *shelf;
    const struct blob_files *files;
    const struct stored *image;
};

/* ---- finding ---- */

const struct shelf_repository *shelf_repository(const struct shelf *shelf, struct str name)
{
    const struct shelf_repository *r;

    vec_each(r, &shelf->repositories)
        if (str_eq(r->name, name))
            return r;
    return NULL;
}

const struct shelf_tag *shelf_tag(const struct shelf_repository *r, struct str tag)
{
    const struct shelf_tag *t;

    vec_each(t, &r->tags)
        if (str_eq(t->tag, tag))
            return t;
    return NULL;
}

const struct shelf_doc *shelf_doc(const struct shelf *shelf, const struct digest *digest)
{
    const struct shelf_doc *d;

    vec_each(d, &shelf->docs)
        if (digest_eq(&d->digest, digest))
            return d;
    return NULL;
}

const struct shelf_blob *shelf_blob(const struct shelf *shelf, const struct digest *digest)
{
    const struct shelf_blob *b;

    vec_each(b, &shelf->blobs)
        if (digest_eq(&b->digest, digest))
            return b;
    return NULL;
}

const struct image_index *shelf_referrers(const struct shelf *shelf, const struct digest *subject)
{
    const struct shelf_referrers *r;

    vec_each(r, &shelf->referrers)
        if (digest_eq(&r->subject, subject))
            return &r->index;
    return NULL;
}

bool shelf_file_is_whole(const struct shelf_file *f)
{
    struct stat st;

    return fstat(f->fd.n, &st) == 0 && (uint64_t)st.st_size == f->size &&
           st.st_mtim.tv_sec == f->changed.tv_sec && st.st_mtim.tv_nsec == f->changed.tv_nsec;
}

bool shelf_blob_is_whole(const struct shelf *shelf, const struct shelf_blob *b)
{
    for (size_t i = 0; i < b->files.n; i++)
        if (!shelf_file_is_whole(&shelf->files.v[b->files.v[i]]))
            return false;
    return true;
}

void shelf_blob_give(struct httpd_answer *out, const struct shelf_blob *b)
{
    if (b->parts.n)
        httpd_file(out, &b->parts, b->size);
    else
        httpd_text(out, b->text);
}

uint64_t shelf_image_size(const struct stored *image)
{
    uint64_t size = image->manifest.config.size;
    const struct descriptor *d;

    vec_each(d, &image->manifest.layers)
        size += d->size;
    return size;
}

/* ---- blobs ---- */

int shelf_keep_file(size_t *at, struct shelf *shelf, struct fd *fd, const char *name,
                    const struct digest *digest)
{
    struct stat st;
    struct shelf_file *f;

    if (fstat(fd->n, &st) < 0)
        return -1;
    *at = shelf->files.n;
    f = vec_push(&shelf->files);
    *f = (struct shelf_file){.name = arena_str(&shelf->arena, str_of(name)),
                             .digest = *digest,
                             .size = (uint64_t)st.st_size,
                             .changed = st.st_mtim};
    MOVE(&f->fd, fd);
    return 0;
}

/* The file is opened before it is looked at, so what was seen is what goes out. */
int shelf_put_file(struct shelf *shelf, const char *path, const struct digest *digest,
                   uint64_t size, const struct blob_files *files, struct err *e)
{
    CLEANUP(fd_clear) struct fd fd = {0};
    struct shelf_blob *blob;
    enum blob_file state;
    struct stat st, named;
    size_t at;

    if (fd_open(&fd, path, O_RDONLY | O_NONBLOCK, 0, e) < 0)
        return -1;
    if (fstat(fd.n, &st) < 0 || shelf_keep_file(&at, shelf, &fd, path, &(struct digest){0}) < 0)
        return err_errno(e, "cannot read %s", path);
    if (blob_file_check(&state, files, path, digest, size, e) < 0)
        return -1;
    if (state != BLOB_RIGHT || stat(path, &named) < 0 || named.st_ino != st.st_ino ||
        named.st_dev != st.st_dev)
        return err_set(e, ERR_INTEGRITY, "%s does not hold the bytes that its name says", path);
    if (!shelf_file_is_whole(&shelf->files.v[at]))
        return err_set(e, ERR_INPUT, "%s is being written to", path);
    blob = vec_push(&shelf->blobs);
    blob->digest = *digest;
    blob->size = size;
    vec_add(&blob->files, at);
    vec_add(&blob->parts, ((struct httpd_part){shelf->files.v[at].fd.n, 0, 0, size}));
    return 0;
}

static int put_blob(struct filling *f, const struct descriptor *d, struct err *e)
{
    CLEANUP(free_clear) char *path = stored_files_blob_path(&f->image->files, &d->digest);

    if (shelf_blob(f->shelf, &d->digest))
        return 0;
    if (!fs_exists(path))
        return media_type_is_foreign(d->media_type)
                   ? 0
                   : err_set(e, ERR_INPUT, "%s is not there, and the image needs it", path);
    return shelf_put_file(f->shelf, path, &d->digest, d->size, f->files, e);
}

/* ---- documents ---- */

void shelf_add_doc(struct shelf *shelf, const struct digest *digest, struct str media_type,
                   struct str text)
{
    vec_add(&shelf->docs, ((struct shelf_doc){*digest, arena_str(&shelf->arena, media_type),
                                              arena_str(&shelf->arena, text)}));
}

static int put_tree(struct filling *f, const struct digest *digest, unsigned depth, struct err *e);

static int put_parts(struct filling *f, struct str json, struct str *type, struct err *e)
{
    CLEANUP(image_manifest_clear) struct image_manifest m = {0};
    const struct descriptor *d;

    if (image_manifest_parse(&m, json, NULL, "manifest", e) < 0 || put_blob(f, &m.config, e) < 0)
        return -1;
    vec_each(d, &m.layers)
        if (put_blob(f, d, e) < 0)
            return -1;
    *type = arena_str(&f->shelf->arena, m.media_type.len ? m.media_type : STR(MEDIA_MANIFEST));
    return 0;
}

/* An index may name more than lies here. */
static int put_children(struct filling *f, struct str json, struct str *type, unsigned depth,
                        struct err *e)
{
    CLEANUP(image_index_clear) struct image_index index = {0};
    const struct descriptor *d;

    if (image_index_parse(&index, json, NULL, "index", e) < 0)
        return -1;
    vec_each(d, &index.manifests) {
        CLEANUP(free_clear) char *path = stored_files_blob_path(&f->image->files, &d->digest);

        if (fs_exists(path) && put_tree(f, &d->digest, depth + 1, e) < 0)
            return -1;
    }
    *type = arena_str(&f->shelf->arena, index.media_type.len ? index.media_type : STR(MEDIA_INDEX));
    return 0;
}

static int put_referrers(struct filling *f, const struct digest *digest, unsigned depth,
                         struct err *e)
{
    struct shelf_referrers r = {.subject = *digest};
    CLEANUP(buf_clear) struct buf json = {0};
    const struct descriptor *d;

    if (stored_referrers(&json, f->image, digest, e) < 0)
        return -1;
    if (!json.len)
        return 0;
    if (image_index_parse(&r.index, buf_view(&json), NULL, "referrers", e) < 0)
        return -1;
    vec_add(&f->shelf->referrers, r);
    vec_each(d, &r.index.manifests)
        if (put_tree(f, &d->digest, depth + 1, e) < 0)
            return -1;
    return 0;
}

static int put_tree(struct filling *f, const struct digest *digest, unsigned depth, struct err *e)
{
    struct str type;
    CLEANUP(buf_clear) struct buf json = {0};

    if (shelf_doc(f->shelf, digest))
        return 0;
    if (depth > DEPTH)
        return err_set(e, ERR_INPUT, "%s: documents within documents, more than %d deep",
                       f->image->files.path, DEPTH);
    if (stored_manifest(&json, f->image, digest, e) < 0)
        return -1;
    if (image_is_index(buf_view(&json)) ? put_children(f, buf_view(&json), &type, depth, e) < 0
                                        : put_parts(f, buf_view(&json), &type, e) < 0)
        return -1;
    shelf_add_doc(f->shelf, digest, type, buf_view(&json));
    return put_referrers(f, digest, depth, e);
}

/* ---- names ---- */

static int compare_repositories(const void *a, const void *b)
{
    const struct shelf_repository *x = a, *y = b;

    return str_cmp(x->name, y->name);
}

static int compare_tags(const void *a, const void *b)
{
    const struct shelf_tag *x = a, *y = b;

    return str_cmp(x->tag, y->tag);
}

static int put_tag(struct shelf *shelf, const struct stored *image, struct str name, struct str tag,
                   const struct digest *digest, struct err *e)
{
    struct shelf_repository *r, *found = NULL;
    const struct shelf_tag *there;

    vec_each(r, &shelf->repositories)
        if (str_eq(r->name, name))
            found = r;
    there = found ? shelf_tag(found, tag) : NULL;
    if (there && digest_eq(&there->digest, digest))
        return 0;
    if (there)
        return err_set(e, ERR_INPUT,
                       "two images are called " STR_FMT ":" STR_FMT ", in %s and in %s; name one",
                       STR_ARG(name), STR_ARG(tag), there->image->files.path, image->files.path);
    if (!found) {
        found = vec_push(&shelf->repositories);
        found->name = arena_str(&shelf->arena, name);
    }
    vec_add(&found->tags, ((struct shelf_tag){arena_str(&shelf->arena, tag), *digest, image}));
    vec_sort(&found->tags, compare_tags);
    vec_sort(&shelf->repositories, compare_repositories);
    return 0;
}

/* The full name that an index gives it, else its tag; the registry is ours, so a host is left out.
 */
int shelf_put_name(struct shelf *shelf, const struct stored *image, struct str name, struct str tag,
                   const struct digest *digest, struct err *e)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* then it has no name */
    CLEANUP(ref_clear) struct ref ref = {0};
    struct str path;

    if (!name.len && tag.len && !ref_tag_ok(tag))
        name = tag; /* "name:tag" */
    if (!name.len || ref_parse(&ref, name, &ignored) < 0)
        return put_tag(shelf, image, STR("image"), ref_tag_ok(tag) ? tag : STR("latest"), digest,
                       e);
    path = str_of(ref.path);
    str_skip(&path, STR("library/"));
    return put_tag(shelf, image, path, ref.tag ? str_of(ref.tag) : STR("latest"), digest, e);
}

static struct str annotation(const struct descriptor *d, const char *key)
{
    const struct str *value = pairs_get(&d->annotations, key);

    return value ? *value : (struct str){0};
}

/* All names that the index has for it. */
static int put_names(struct filling *f, const struct image_index *index, struct err *e)
{
    const struct digest *root = &f->image->root;
    const struct descriptor *d;
    bool named = false;

    vec_each(d, &index->manifests) {
        if (!digest_eq(&d->digest, root))
            continue;
        named = true;
        if (shelf_put_name(f->shelf, f->image, annotation(d, ANNOTATION_CONTAINERD_NAME),
                           annotation(d, ANNOTATION_REF_NAME), root, e) < 0)
            return -1;
    }
    return named ? 0 : shelf_put_name(f->shelf, f->image, f->image->name, STR(""), root, e);
}

/* ---- images ---- */

static int read_index(struct image_index *out, struct buf *text, const char *dir, struct err *e)
{
    CLEANUP(free_clear) char *path = path_join(dir, "index.json");

    if (!fs_exists(path)) /* skopeo's "dir:" */
        return 0;
    return fs_read(text, path, IMAGE_DOC_MAX, e) < 0
               ? -1
               : image_index_parse(out, buf_view(text), MEDIA_INDEX, path, e);
}

static int put_image(struct shelf *shelf, struct str text, const struct stored_scratch *scratch,
                     const struct blob_files *files, struct err *e)
{
    struct stored *image = xcalloc(1, sizeof *image);
    struct filling f = {shelf, files, image};
    CLEANUP(image_index_clear) struct image_index index = {0};
    CLEANUP(buf_clear) struct buf json = {0};

    vec_add(&shelf->images, image);
    if (stored_open_any(image, text, ".", scratch, e) < 0)
        return -1;
    if (image->files.archive || image->files.registry)
        return err_set(e, ERR_INPUT,
                       "%s is no layout, and only what lies in one is served; `envbuild copy %s "
                       "oci:images` puts it into one",
                       image->files.path, image->files.path);
    if (read_index(&index, &json, image->files.path, e) < 0 ||
        put_tree(&f, &image->root, 0, e) < 0 || put_names(&f, &index, e) < 0)
        return err_wrap(e, "%s", image->files.path);
    return 0;
}

/* Then all its names were put. */
static bool is_named_before(const struct image_index *index, const struct descriptor *d)
{
    for (const struct descriptor *b = index->manifests.v; b < d; b++)
        if (digest_eq(&b->digest, &d->digest))
            return true;
    return false;
}

static int put_layout(struct shelf *shelf, const char *dir, const struct stored_scratch *scratch,
                      const struct blob_files *files, struct err *e)
{
    CLEANUP(image_index_clear) struct image_index index = {0};
    CLEANUP(buf_clear) struct buf json = {0}, text = {0};
    const struct descriptor *d;
    char digest[DIGEST_TEXT + 1];
    size_t before = shelf->images.n;

    if (read_index(&index, &json, dir, e) < 0)
        return -1;
    vec_each(d, &index.manifests) {
        if (d->artifact_type.len || is_named_before(&index, d))
            continue; /* what refers to an image is none */
        digest_text(&d->digest, digest);
        buf_reset(&text);
        buf_fmt(&text, "oci:%s@%s", dir, digest);
        if (put_image(shelf, buf_view(&text), scratch, files, e) < 0)
            return -1;
    }
    return shelf->images.n > before || index.manifests.n
               ? 0
               : err_set(e, ERR_INPUT, "%s holds no image", dir);
}

int shelf_add(struct shelf *shelf, struct str text, const struct stored_scratch *scratch,
              const struct blob_files *files, struct err *e)
{
    CLEANUP(free_clear) char *dir = NULL, *index = NULL;
    struct stored_text place;

    if (stored_text_parse(&place, text, true, e) < 0)
        return -1;
    if (place.form != STORED_BARE && place.form != STORED_LAYOUT && place.form != STORED_FOLDER)
        return err_set(e, ERR_INPUT,
                       "\"" STR_FMT "\" is no layout, and only what lies in one is served; "
                       "`envbuild copy " STR_FMT " oci:images` puts it into one",
                       STR_ARG(text), STR_ARG(text));
    dir = str_dup(place.path);
    index = path_join(dir, "index.json");
    return place.tag.len || digest_is_set(&place.digest) || !fs_exists(index)
               ? put_image(shelf, text, scratch, files, e)
               : put_layout(shelf, dir, scratch, files, e);
}

void shelf_clear(struct shelf *shelf)
{
    struct shelf_repository *r;
    struct shelf_referrers *f;
    struct shelf_file *file;
    struct shelf_blob *b;
    struct stored **image;

    vec_each(file, &shelf->files)
        fd_clear(&file->fd);
    vec_each(b, &shelf->blobs) {
        vec_clear(&b->parts);
        vec_clear(&b->files);
    }
    vec_each(r, &shelf->repositories)
        vec_clear(&r->tags);
    vec_each(f, &shelf->referrers)
        image_index_clear(&f->index);
    vec_each(image, &shelf->images) {
        stored_clear(*image);
        free(*image);
    }
    vec_clear(&shelf->files);
    vec_clear(&shelf->blobs);
    vec_clear(&shelf->repositories);
    vec_clear(&shelf->referrers);
    vec_clear(&shelf->docs);
    vec_clear(&shelf->images);
    arena_clear(&shelf->arena);
}
