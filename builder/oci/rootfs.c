/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs.h"

#include "../base/path.h"
#include "layer_read.h"

enum { LINKS_MAX = 40, NODES_MAX = 4000000 };

/* ---- the tree ---- */

static struct rootfs_node *root(struct rootfs *r)
{
    if (!r->root) {
        r->root = arena_alloc(&r->arena, sizeof *r->root);
        r->root->type = ENTRY_DIR;
    }
    return r->root;
}

static struct rootfs_node *folder_at(struct rootfs *r, struct str path)
{
    struct rootfs_node *n = path.len ? map_get(&r->index, path) : root(r);

    return n && n->type == ENTRY_DIR ? n : NULL;
}

/* The folder that `path` stands in, empty for the root. */
static struct str folder_of(struct str path)
{
    struct str name = path_base(path);

    return str_sub(path, 0, path.len > name.len ? path.len - name.len - 1 : 0);
}

static void link_in(struct rootfs_node *n, struct rootfs_node **at)
{
    n->next = *at;
    n->at = at;
    if (n->next)
        n->next->at = &n->next;
    *at = n;
}

static void link_out(struct rootfs_node *n)
{
    *n->at = n->next;
    if (n->next)
        n->next->at = n->at;
}

static void move_below(struct rootfs_node *to, struct rootfs_node *from)
{
    to->below = from->below;
    to->oldest = from->oldest;
    if (to->below)
        to->below->at = &to->below;
}

/* ---- deleting ---- */

static void drop(struct rootfs *r, struct rootfs_node *n)
{
    n->gone = true;
    map_set(&r->index, n->path, NULL);
    link_out(n);
}

/* A folder that an entry above which the layer has not named stands in. */
static void make_implicit(struct rootfs_node *n, size_t layer)
{
    n->layer = layer;
    n->mode = 0755;
    n->uid = n->gid = 0;
    n->mtime = 0;
}

static void drop_older(struct rootfs *r, struct rootfs_node *n, size_t layer);

/* What older layers have below the folder; `layer` itself is left alone. Each folder is gone
 * through once a layer, however many entries ask for it: what is left is not older any more. */
static void drop_below(struct rootfs *r, struct rootfs_node *folder, size_t layer)
{
    struct rootfs_node *n = folder->below, *next;

    if (folder->oldest >= layer)
        return;
    folder->oldest = layer;
    for (; n; n = next) {
        next = n->next;
        drop_older(r, n, layer);
    }
}

static void drop_older(struct rootfs *r, struct rootfs_node *n, size_t layer)
{
    if (n->type == ENTRY_DIR)
        drop_below(r, n, layer);
    if (n->layer >= layer)
        return;
    if (n->below) /* the layer has put something into it */
        make_implicit(n, layer);
    else
        drop(r, n);
}

/* ---- adding ---- */

/* `path` lives as long as `r`. Its folder is there, and nothing is below unless both are folders.
 */
static struct rootfs_node *put(struct rootfs *r, struct str path, enum entry_type type)
{
    struct rootfs_node *old = map_get(&r->index, path);
    struct rootfs_node *n = arena_alloc(&r->arena, sizeof *n);

    n->path = path;
    n->type = type;
    n->layer = n->oldest = r->layers;
    if (old) {
        old->gone = true;
        if (old->type == ENTRY_DIR && type == ENTRY_DIR)
            move_below(n, old);
        link_in(n, old->at);
        link_out(old);
    } else {
        link_in(n, &folder_at(r, folder_of(path))->below);
    }
    vec_add(&r->nodes, n);
    map_set(&r->index, n->path, n);
    return n;
}

/* The folders above an entry that no layer names, or that a file or a link was before. */
static void put_parents(struct rootfs *r, struct str path)
{
    struct str have = folder_of(path);

    while (!folder_at(r, have))
        have = folder_of(have);
    for (size_t i = have.len + 1; i < path.len; i++)
        if (path.p[i] == '/')
            make_implicit(put(r, str_sub(path, 0, i), ENTRY_DIR), r->layers);
}

/* "dir/.wh.name" deletes dir/name, "dir/.wh..wh..opq" all that older layers have in dir. */
static bool whiteout(struct rootfs *r, struct str path)
{
    struct str name = path_base(path), folder = folder_of(path);
    struct rootfs_node *n;
    CLEANUP(buf_clear) struct buf target = {0};

    if (!str_skip(&name, STR(".wh.")))
        return false;
    if (str_is(name, ".wh..opq")) {
        n = folder_at(r, folder);
        if (n)
            drop_below(r, n, r->layers);
    } else if (!str_starts(name, STR(".wh."))) { /* those are aufs's own, and mean nothing */
        buf_fmt(&target, STR_FMT "%s" STR_FMT, STR_ARG(folder), folder.len ? "/" : "",
                STR_ARG(name));
        n = map_get(&r->index, buf_view(&target));
        if (n)
            drop_older(r, n, r->layers);
    }
    return true;
}

static int put_link(struct rootfs *r, const struct entry *entry, struct str path, struct err *e)
{
    const struct rootfs_node *to = map_get(&r->index, entry->link);
    struct rootfs_node *n;

    if (!to || to->type == ENTRY_DIR)
        return err_set(e, ERR_INPUT,
                       "\"" STR_FMT "\" is a hard link to \"" STR_FMT
                       "\", which is not a file of the image",
                       STR_ARG(entry->path), STR_ARG(entry->link));
    n = put(r, path, to->type);
    n->special = to->special;
    n->linked = true;
    n->mode = to->mode;
    n->uid = to->uid;
    n->gid = to->gid;
    n->mtime = to->mtime;
    n->link = to->link;
    n->caps = to->caps;
    n->text = to->text;
    n->note = to->note;
    n->size = to->size;
    return 0;
}

int rootfs_put(struct rootfs *r, const struct entry *entry, bool special, struct str text,
               const void *note, struct err *e)
{
    struct rootfs_node *n;
    struct str path;

    if (!entry->path.len || whiteout(r, entry->path))
        return 0;
    if (r->nodes.n > NODES_MAX)
        return err_set(e, ERR_INPUT, "more than %d files in an image", NODES_MAX);
    n = folder_at(r, entry->path);
    if (n && entry->type != ENTRY_DIR)
        drop_below(r, n, r->layers + 1);
    path = arena_str(&r->arena, entry->path);
    put_parents(r, path);
    if (entry->type == ENTRY_HARDLINK)
        return put_link(r, entry, path, e);
    n = put(r, path, entry->type);
    n->special = special;
    n->mode = entry->mode;
    n->uid = entry->uid;
    n->gid = entry->gid;
    n->mtime = entry->mtime;
    n->size = entry->type == ENTRY_FILE ? entry->content.size : 0;
    n->link = arena_str(&r->arena, entry->link);
    n->caps = arena_str(&r->arena, entry->caps);
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

static int add_entry(void *ctx, const struct tar_entry *t, struct source *data, struct err *e)
{
    struct adding *a = ctx;

    buf_reset(&a->text);
    if (t->entry.type == ENTRY_FILE && !t->special &&
        a->keep(a->ctx, t->entry.path, t->entry.content.size, data, &a->text, e) < 0)
        return -1;
    return rootfs_put(a->r, &t->entry, t->special, buf_view(&a->text), NULL, e);
}

int rootfs_add(struct rootfs *r, struct source *tar, rootfs_keep keep, void *ctx, struct err *e)
{
    CLEANUP(tar_clear) struct tar_reader *t = tar_open(tar, TAR_LAYER);
    struct adding a = {.r = r, .keep = keep, .ctx = ctx};
    int result = tar_walk(t, add_entry, &a, e);

    buf_clear(&a.text);
    rootfs_next(r);
    return result;
}

/* ---- from blobs ---- */

int rootfs_read(struct rootfs *out, const struct stored *image, rootfs_keep keep, void *ctx,
                struct err *e)
{
    CLEANUP(rootfs_clear) struct rootfs r = {0};
    struct adding a = {.r = &r, .keep = keep, .ctx = ctx};
    int result = 0;

    for (size_t i = 0; result == 0 && i < image->manifest.layers.n; i++) {
        result = layer_read(image, i, true, add_entry, &a, NULL, e);
        rootfs_next(&r);
    }
    buf_clear(&a.text);
    if (result < 0)
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
