/* SPDX-License-Identifier: Apache-2.0 */
#include "tarball.h"

#include <pthread.h>

#include "../base/fs.h"
#include "../base/path.h"
#include "../doc/emit.h"
#include "../io/tar.h"
#include "layout.h"
#include "ref.h"

static const char layout_text[] = "{\"imageLayoutVersion\":\"1.0.0\"}";

struct written {
    struct digest digest;
    uint64_t size;
};

struct tarball {
    struct place place;
    struct sink *to;
    void (*release)(struct sink *to);
    enum tarball_kind kind;
    int64_t mtime;
    pthread_mutex_t lock; /* over all below */
    pthread_cond_t free;  /* the entry in progress is done */
    bool busy;            /* an entry is in progress */
    bool broken;          /* an entry was cut short: nothing sensible can follow */
    struct VEC_OF(struct written) blobs;
    struct doc index;     /* index.json */
    struct node *entries; /* its list of manifests */
    struct doc manifest;  /* manifest.json */
};

/* ---- where the bytes of a file go until it is whole ---- */

struct temp_sink {
    struct sink sink;
    struct fs_temp temp;
    char *path; /* owned */
};

static int temp_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct temp_sink *s = (struct temp_sink *)self;

    return fd_write_all(s->temp.fd.n, bytes, len, s->path, e);
}

static int temp_finish(struct sink *self, struct err *e)
{
    struct temp_sink *s = (struct temp_sink *)self;

    CLEANUP(free_clear) char *dir = path_dir(s->path);

    return fs_temp_publish(&s->temp, s->path, true, e) < 0 ? -1 : fs_sync_dir(dir, e);
}

static void temp_release(struct sink *self)
{
    struct temp_sink *s = (struct temp_sink *)self;

    fs_temp_clear(&s->temp);
    free(s->path);
    free(s);
}

/* ---- entries ---- */

static int add_header(struct buf *out, const char *path, enum entry_type type, uint64_t size,
                      int64_t mtime, struct err *e)
{
    struct entry entry = {
        .path = str_of(path),
        .type = type,
        .mode = type == ENTRY_DIR ? 0755 : 0644,
        .mtime = mtime,
        .content = {.size = size},
    };

    return tar_header(out, &entry, e);
}

static int put_header(struct tarball *t, const char *path, enum entry_type type, uint64_t size,
                      struct err *e)
{
    CLEANUP(buf_clear) struct buf head = {0};

    if (add_header(&head, path, type, size, t->mtime, e) < 0)
        return -1;
    return sink_write(t->to, head.p, head.len, e);
}

static int put_padding(struct tarball *t, uint64_t size, struct err *e)
{
    static const char zeros[TAR_BLOCK];

    return sink_write(t->to, zeros, tar_padding(size), e);
}

static int put_file(struct tarball *t, const char *path, struct str text, struct err *e)
{
    if (put_header(t, path, ENTRY_FILE, text.len, e) < 0 ||
        sink_write(t->to, text.p, text.len, e) < 0)
        return -1;
    return put_padding(t, text.len, e);
}

static int put_json(struct tarball *t, const char *path, const struct doc *doc, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};

    emit_json(&text, doc->root, EMIT_COMPACT);
    return put_file(t, path, buf_view(&text), e);
}

static void blob_path(char out[128], const struct digest *digest)
{
    char hex[DIGEST_HEX + 1];

    digest_hex(digest, hex);
    snprintf(out, 128, "blobs/sha256/%s", hex);
}

int tarball_blob_head(struct buf *out, const struct digest *digest, uint64_t size, int64_t mtime,
                      struct err *e)
{
    char path[128];

    blob_path(path, digest);
    return add_header(out, path, ENTRY_FILE, size, mtime, e);
}

/* ---- blobs ---- */

static bool find_blob(const struct tarball *t, const struct digest *digest)
{
    const struct written *w;

    vec_each(w, &t->blobs)
        if (digest_eq(&w->digest, digest))
            return true;
    return false;
}

static int has_blob(bool *has, struct place *p, const struct digest *digest, uint64_t size,
                    struct err *e)
{
    struct tarball *t = (struct tarball *)p;

    pthread_mutex_lock(&t->lock);
    *has = find_blob(t, digest);
    pthread_mutex_unlock(&t->lock);
    return 0;
}

void tarball_leave_out(struct place *p, const struct digest *digest)
{
    struct tarball *t = (struct tarball *)p;

    pthread_mutex_lock(&t->lock);
    vec_add(&t->blobs, ((struct written){.digest = *digest}));
    pthread_mutex_unlock(&t->lock);
}

enum blob_state { BLOB_DROPPED = 1, BLOB_OPEN, BLOB_DONE };

static void set_state(struct place_blob *b, enum blob_state state)
{
    b->state = (void *)(uintptr_t)state;
}

static enum blob_state get_state(const struct place_blob *b)
{
    return (enum blob_state)(uintptr_t)b->state;
}

/* Wait for one's turn. False: the blob is there already, and it is nobody's turn. */
static bool begin_entry(struct tarball *t, const struct digest *digest)
{
    bool mine;

    pthread_mutex_lock(&t->lock);
    while (t->busy)
        pthread_cond_wait(&t->free, &t->lock);
    mine = t->busy = !find_blob(t, digest);
    pthread_mutex_unlock(&t->lock);
    return mine;
}

static void end_entry(struct tarball *t, const struct written *done)
{
    pthread_mutex_lock(&t->lock);
    if (done)
        vec_add(&t->blobs, *done);
    else
        t->broken = true;
    t->busy = false;
    pthread_cond_broadcast(&t->free);
    pthread_mutex_unlock(&t->lock);
}

static bool is_broken(struct tarball *t)
{
    bool broken;

    pthread_mutex_lock(&t->lock);
    broken = t->broken;
    pthread_mutex_unlock(&t->lock);
    return broken;
}

static int blob_open(struct place *p, struct place_blob *b, struct err *e)
{
    struct tarball *t = (struct tarball *)p;
    char path[128];

    if (!begin_entry(t, &b->digest)) {
        set_state(b, BLOB_DROPPED);
        return 0;
    }
    blob_path(path, &b->digest);
    if (is_broken(t))
        err_set(e, ERR_SYSTEM, "the archive is cut short by an earlier failure");
    else if (put_header(t, path, ENTRY_FILE, b->size, e) == 0) {
        set_state(b, BLOB_OPEN);
        return 0;
    }
    end_entry(t, NULL);
    return -1;
}

static int blob_write(struct place_blob *b, const void *bytes, size_t len, struct err *e)
{
    struct tarball *t = (struct tarball *)b->place;

    return get_state(b) == BLOB_DROPPED ? 0 : sink_write(t->to, bytes, len, e);
}

static int blob_finish(struct place_blob *b, struct err *e)
{
    struct tarball *t = (struct tarball *)b->place;
    struct written done = {b->digest, b->size};

    if (get_state(b) == BLOB_DROPPED)
        return 0;
    if (put_padding(t, b->size, e) < 0)
        return -1; /* blob_clear ends the entry */
    set_state(b, BLOB_DONE);
    end_entry(t, &done);
    return 0;
}

static void blob_clear(struct place_blob *b)
{
    if (get_state(b) == BLOB_OPEN)
        end_entry((struct tarball *)b->place, NULL);
}

/* ---- images ---- */

static void add_path(struct doc *doc, struct node *list, const struct digest *digest)
{
    char path[128];

    blob_path(path, digest);
    node_add_str(doc, list, arena_str(&doc->arena, str_of(path)));
}

/* manifest.json: one item an image, as `docker save` writes it. */
static int add_docker_item(struct doc *doc, const struct image_manifest *m,
                           const struct image_name *name, struct err *e)
{
    struct node *item = node_new_map(doc), *list;
    const struct descriptor *layer;
    char path[128];

    if (!m)
        return err_set(e, ERR_INPUT, "a docker-archive holds images of one platform, no index");
    if (!name->repository.len || !ref_tag_ok(name->tag))
        return err_set(e, ERR_INPUT,
                       "a docker-archive needs a name and a tag; \"" STR_FMT ":" STR_FMT
                       "\" is none",
                       STR_ARG(name->repository), STR_ARG(name->tag));
    blob_path(path, &m->config.digest);
    node_put_str(doc, item, "Config", arena_str(&doc->arena, str_of(path)));
    list = node_put(doc, item, "RepoTags", node_new_list(doc));
    node_add_str(doc, list,
                 str_of(arena_fmt(&doc->arena, STR_FMT ":" STR_FMT, STR_ARG(name->repository),
                                  STR_ARG(name->tag))));
    list = node_put(doc, item, "Layers", node_new_list(doc));
    vec_each(layer, &m->layers)
        add_path(doc, list, &layer->digest);
    node_add(doc, doc->root, item);
    return 0;
}

static int put_image(struct place *p, struct str json, const struct descriptor *d,
                     const struct image_manifest *manifest, const struct image_name *name,
                     struct err *e)
{
    struct tarball *t = (struct tarball *)p;
    CLEANUP(descriptor_clear) struct descriptor entry = *d;
    int rc;

    entry.annotations = (struct pairs){0};
    pthread_mutex_lock(&t->lock);
    rc = layout_annotate(&entry, name, &t->index.arena, e);
    if (rc == 0 && t->kind == TARBALL_DOCKER)
        rc = add_docker_item(&t->manifest, manifest, name, e);
    if (rc == 0)
        node_add(&t->index, t->entries, descriptor_to_node(&entry, &t->index));
    pthread_mutex_unlock(&t->lock);
    return rc;
}

/* ---- open and close ---- */

static int close_tarball(struct place *p, struct err *e)
{
    struct tarball *t = (struct tarball *)p;
    CLEANUP(buf_clear) struct buf end = {0};

    if (t->broken)
        return err_set(e, ERR_SYSTEM, "the archive is cut short by an earlier failure");
    if (put_json(t, "index.json", &t->index, e) < 0 ||
        (t->kind == TARBALL_DOCKER && put_json(t, "manifest.json", &t->manifest, e) < 0))
        return -1;
    tar_end(&end);
    if (sink_write(t->to, end.p, end.len, e) < 0)
        return -1;
    return sink_finish(t->to, e);
}

static void free_tarball(struct place *p)
{
    struct tarball *t = (struct tarball *)p;

    if (t->release)
        t->release(t->to);
    pthread_cond_destroy(&t->free);
    pthread_mutex_destroy(&t->lock);
    vec_clear(&t->blobs);
    doc_clear(&t->index);
    doc_clear(&t->manifest);
    free(t);
}

static const struct place_ops tarball_ops = {
    .has_blob = has_blob,
    .blob_open = blob_open,
    .blob_write = blob_write,
    .blob_finish = blob_finish,
    .blob_clear = blob_clear,
    .put_image = put_image,
    .close = close_tarball,
    .free = free_tarball,
};

/* What does not hang on the images comes first. */
static int put_start(struct tarball *t, struct err *e)
{
    if (put_file(t, "oci-layout", str_of(layout_text), e) < 0 ||
        put_header(t, "blobs", ENTRY_DIR, 0, e) < 0)
        return -1;
    return put_header(t, "blobs/sha256", ENTRY_DIR, 0, e);
}

int tarball_stream(struct place **out, struct sink *to, void (*release)(struct sink *to),
                   enum tarball_kind kind, int64_t mtime, struct err *e)
{
    struct tarball *t = xcalloc(1, sizeof *t);

    t->place = (struct place){.ops = &tarball_ops, .known_first = true, .task = "write"};
    t->to = to;
    t->release = release;
    t->kind = kind;
    t->mtime = mtime;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->free, NULL);
    t->index.root = node_new_map(&t->index);
    t->manifest.root = node_new_list(&t->manifest);
    node_put_u64(&t->index, t->index.root, "schemaVersion", 2);
    node_put_str(&t->index, t->index.root, "mediaType", STR(MEDIA_INDEX));
    t->entries = node_put(&t->index, t->index.root, "manifests", node_new_list(&t->index));
    if (put_start(t, e) < 0) {
        free_tarball(&t->place);
        return -1;
    }
    *out = &t->place;
    return 0;
}

int tarball_create(struct place **out, const char *path, enum tarball_kind kind, int64_t mtime,
                   struct err *e)
{
    CLEANUP(free_clear) char *dir = path_dir(path);
    struct temp_sink *s = xcalloc(1, sizeof *s);

    s->sink = (struct sink){temp_write, temp_finish};
    s->path = xstrdup(path);
    if (fs_mkdirs_synced(dir, e) < 0 || fs_temp_open(&s->temp, dir, e) < 0) {
        temp_release(&s->sink);
        return -1;
    }
    return tarball_stream(out, &s->sink, temp_release, kind, mtime, e);
}
