/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs.h"

#include "../base/path.h"
#include "../io/crypto.h"
#include "../io/tar.h"
#include "../io/unpack.h"

enum { LINKS_MAX = 40, NODES_MAX = 4000000 };

static const uint64_t plain_max = (uint64_t)1 << 38; /* bytes of one layer, unpacked */

/* ---- deleting ---- */

static void drop(struct rootfs *r, struct rootfs_node *n)
{
    n->gone = true;
    map_set(&r->index, n->path, NULL);
}

/* What older layers have below the folder; `layer` itself is left alone. */
static void drop_below(struct rootfs *r, struct str folder, size_t layer)
{
    for (size_t i = 0; i < r->nodes.n; i++) {
        struct rootfs_node *n = r->nodes.v[i];

        if (!n->gone && n->layer < layer &&
            (!folder.len || (n->path.len > folder.len && n->path.p[folder.len] == '/' &&
                             str_starts(n->path, folder))))
            drop(r, n);
    }
}

static void drop_path(struct rootfs *r, struct str path, size_t layer)
{
    struct rootfs_node *n = map_get(&r->index, path);

    if (!n)
        return;
    if (n->type == ENTRY_DIR)
        drop_below(r, path, layer);
    if (n->layer <
        layer) /* else the layer makes it anew, and what was in it is gone all the same */
        drop(r, n);
}

/* ---- adding ---- */

static struct rootfs_node *put(struct rootfs *r, struct str path)
{
    struct rootfs_node *old = map_get(&r->index, path);
    struct rootfs_node *n = arena_alloc(&r->arena, sizeof *n);

    if (old)
        old->gone = true;
    n->path = arena_str(&r->arena, path);
    n->layer = r->layers;
    vec_add(&r->nodes, n);
    map_set(&r->index, n->path, n);
    return n;
}

/* A folder above an entry that the layer does not name, or that a file or a link was before. */
static void put_parents(struct rootfs *r, struct str path)
{
    for (size_t i = 1; i < path.len; i++) {
        const struct rootfs_node *n;
        struct rootfs_node *folder;

        if (path.p[i] != '/')
            continue;
        n = map_get(&r->index, str_sub(path, 0, i));
        if (n && n->type == ENTRY_DIR)
            continue;
        folder = put(r, str_sub(path, 0, i));
        folder->type = ENTRY_DIR;
        folder->mode = 0755;
    }
}

/* "dir/.wh.name" deletes dir/name, "dir/.wh..wh..opq" all that older layers have in dir. */
static bool whiteout(struct rootfs *r, struct str path)
{
    struct str name = path_base(path), folder = str_sub(path, 0, path.len - name.len);
    CLEANUP(buf_clear) struct buf target = {0};

    str_drop(&folder, STR("/"));
    if (!str_skip(&name, STR(".wh.")))
        return false;
    if (str_is(name, ".wh..opq"))
        drop_below(r, folder, r->layers);
    else if (!str_starts(name, STR(".wh."))) { /* those are aufs's own, and mean nothing */
        buf_fmt(&target, STR_FMT "%s" STR_FMT, STR_ARG(folder), folder.len ? "/" : "",
                STR_ARG(name));
        drop_path(r, buf_view(&target), r->layers);
    }
    return true;
}

static int put_link(struct rootfs *r, const struct entry *entry, struct err *e)
{
    const struct rootfs_node *to = map_get(&r->index, entry->link);
    struct rootfs_node *n, was;

    if (!to || to->type == ENTRY_DIR)
        return err_set(e, ERR_INPUT,
                       "\"" STR_FMT "\" is a hard link to \"" STR_FMT
                       "\", which is no file of the image",
                       STR_ARG(entry->path), STR_ARG(entry->link));
    was = *to;
    n = put(r, entry->path);
    was.path = n->path;
    was.layer = n->layer;
    was.gone = false;
    was.linked = true;
    *n = was;
    return 0;
}

int rootfs_put(struct rootfs *r, const struct entry *entry, bool special, struct str text,
               const void *note, struct err *e)
{
    const struct rootfs_node *old;
    struct rootfs_node *n;

    if (!entry->path.len || whiteout(r, entry->path))
        return 0;
    if (r->nodes.n > NODES_MAX)
        return err_set(e, ERR_INPUT, "more than %d files in an image", NODES_MAX);
    old = map_get(&r->index, entry->path);
    if (old && old->type == ENTRY_DIR && entry->type != ENTRY_DIR)
        drop_below(r, entry->path, r->layers + 1);
    put_parents(r, entry->path);
    if (entry->type == ENTRY_HARDLINK)
        return put_link(r, entry, e);
    n = put(r, entry->path);
    n->type = entry->type;
    n->special = special;
    n->mode = entry->mode;
    n->uid = entry->uid;
    n->gid = entry->gid;
    n->mtime = entry->mtime;
    n->size = entry->type == ENTRY_FILE ? entry->content.size : 0;
    n->link = arena_str(&r->arena, entry->link);
    n->text = arena_str(&r->arena, text);
    n->note = note;
    return 0;
}

void rootfs_next(struct rootfs *r)
{
    r->layers++;
}

struct adding {
    struct rootfs *r;
    rootfs_keep keep;
    void *ctx;
    struct buf text;
};

static int add_entry(void *ctx, const struct unpacked *u, struct source *data, struct err *e)
{
    struct adding *a = ctx;

    buf_reset(&a->text);
    if (u->entry.type == ENTRY_FILE && !u->special &&
        a->keep(a->ctx, u->entry.path, u->entry.content.size, data, &a->text, e) < 0)
        return -1;
    return rootfs_put(a->r, &u->entry, u->special, buf_view(&a->text), NULL, e);
}

int rootfs_add(struct rootfs *r, struct source *tar, const char *what, rootfs_keep keep, void *ctx,
               struct err *e)
{
    struct adding a = {.r = r, .keep = keep, .ctx = ctx};
    int result = untar_layer(tar, what, add_entry, &a, e);

    buf_clear(&a.text);
    rootfs_next(r);
    return result;
}

/* ---- from blobs ---- */

/* A source that hashes what passes; then `zeros` zero bytes, which are not hashed. */
struct hashing {
    struct source source;
    struct source *in;
    struct hash hash;
    size_t zeros;
};

/* Some tools leave out the padding and the end of a tar, and others read it all the same: that
 * nothing else is cut off, the diff_id tells. */
enum { TAR_END = 3 * TAR_BLOCK };

static int hashing_read(struct source *self, void *to, size_t len, size_t *got, struct err *e)
{
    struct hashing *h = (struct hashing *)self;

    if (source_read(h->in, to, len, got, e) < 0)
        return -1;
    hash_add(&h->hash, to, *got);
    if (!*got && h->zeros) {
        *got = len < h->zeros ? len : h->zeros;
        memset(to, 0, *got);
        h->zeros -= *got;
    }
    return 0;
}

static void hashing_open(struct hashing *h, struct source *in)
{
    *h = (struct hashing){.source = {hashing_read}, .in = in};
    hash_open(&h->hash);
}

static int drain(struct source *s, struct err *e)
{
    char bytes[16 * 1024];
    size_t got = 1;

    while (got)
        if (source_read(s, bytes, sizeof bytes, &got, e) < 0)
            return -1;
    return 0;
}

static int check(struct hashing *h, const struct digest *want, const char *what, struct err *e)
{
    char text[DIGEST_TEXT + 1];
    struct digest found;

    hash_finish(&h->hash, &found);
    if (digest_eq(&found, want))
        return 0;
    digest_text(want, text);
    return err_set(e, ERR_INTEGRITY, "its %s is not %s: the image is damaged", what, text);
}

static int read_stream(struct rootfs *r, struct hashing *packed, struct hashing *plain,
                       const char *what, rootfs_keep keep, void *ctx, struct err *e)
{
    CLEANUP(decompress_clear) struct decompressor *d = NULL;

    if (decompress_open(&d, &packed->source, plain_max, what, e) < 0)
        return -1;
    plain->in = decompress_source(d);
    plain->zeros = TAR_END;
    if (rootfs_add(r, &plain->source, what, keep, ctx, e) < 0 || drain(&plain->source, e) < 0)
        return -1;
    return drain(&packed->source, e);
}

static int read_layer(struct rootfs *r, const struct stored *image, size_t i, rootfs_keep keep,
                      void *ctx, struct err *e)
{
    const struct descriptor *layer = &image->manifest.layers.v[i];
    struct stored_range range = {0};
    struct source_file file;
    struct hashing packed, plain;
    CLEANUP(err_clear) struct err fault = {0};
    char what[DIGEST_TEXT + 16] = "layer ";
    int result;

    digest_text(&layer->digest, what + strlen(what));
    if (stored_find(&range, image, layer, e) < 0)
        return -1;
    source_file_init(&file, range.fd.n, range.offset, range.size, what);
    hashing_open(&packed, &file.source);
    hashing_open(&plain, NULL);
    result = read_stream(r, &packed, &plain, what, keep, ctx, &fault);
    /* Damage shows as all kinds of faults on the way: that the digest is wrong says more. */
    if (drain(&packed.source, e) < 0 || check(&packed, &layer->digest, "digest", e) < 0 ||
        (result == 0 && check(&plain, &image->config.diff_ids.v[i], "diff_id", e) < 0))
        result = err_wrap(e, "%s: %s", image->path, what);
    else if (result < 0)
        err_join(e, &fault);
    hash_clear(&packed.hash);
    hash_clear(&plain.hash);
    fd_clear(&range.fd);
    return result;
}

int rootfs_read(struct rootfs *out, const struct stored *image, rootfs_keep keep, void *ctx,
                struct err *e)
{
    CLEANUP(rootfs_clear) struct rootfs r = {0};

    for (size_t i = 0; i < image->manifest.layers.n; i++)
        if (read_layer(&r, image, i, keep, ctx, e) < 0)
            return -1;
    MOVE(out, &r);
    return 0;
}

void rootfs_clear(struct rootfs *r)
{
    vec_clear(&r->nodes);
    map_clear(&r->index);
    arena_clear(&r->arena);
    *r = (struct rootfs){0};
}

/* ---- finding ---- */

const struct rootfs_node *rootfs_get(const struct rootfs *r, struct str path)
{
    return map_get(&r->index, path);
}

/* What is left to walk: the link's target, then the rest of the path. */
static void take_link(struct buf *rest, struct buf *done, struct str link, struct str after)
{
    struct buf next = {0};

    buf_fmt(&next, STR_FMT "/" STR_FMT, STR_ARG(link), STR_ARG(after));
    if (str_starts(link, STR("/")))
        buf_reset(done);
    else { /* relative to the folder that the link stands in */
        struct str folder = buf_view(done), base = path_base(folder);

        done->len = folder.len - base.len;
        while (done->len && done->p[done->len - 1] == '/')
            done->len--;
        if (done->p)
            done->p[done->len] = '\0';
    }
    buf_clear(rest);
    *rest = next;
}

static void step_up(struct buf *done)
{
    while (done->len && done->p[done->len - 1] != '/')
        done->len--;
    if (done->len)
        done->len--;
    if (done->p)
        done->p[done->len] = '\0';
}

const struct rootfs_node *rootfs_follow(const struct rootfs *r, struct str path)
{
    CLEANUP(buf_clear) struct buf done = {0}, rest = {0};
    const struct rootfs_node *n = NULL;
    unsigned links = 0;
    size_t at = 0;

    buf_str(&rest, path);
    while (at < rest.len) {
        struct str left = str_sub(buf_view(&rest), at, rest.len);
        struct str part = str_sub(left, 0, str_find(left, '/'));

        at += part.len + (part.len < left.len);
        if (!part.len || str_is(part, "."))
            continue;
        if (str_is(part, "..")) {
            step_up(&done);
            n = done.len ? map_get(&r->index, buf_view(&done)) : NULL;
            continue;
        }
        if (n && n->type != ENTRY_DIR)
            return NULL;
        buf_fmt(&done, "%s" STR_FMT, done.len ? "/" : "", STR_ARG(part));
        n = map_get(&r->index, buf_view(&done));
        if (!n)
            return NULL;
        if (n->type == ENTRY_SYMLINK) {
            if (++links > LINKS_MAX)
                return NULL;
            left = str_sub(buf_view(&rest), at, rest.len);
            take_link(&rest, &done, n->link, left);
            at = 0;
            n = done.len ? map_get(&r->index, buf_view(&done)) : NULL;
        }
    }
    return n;
}
