/* SPDX-License-Identifier: Apache-2.0 */
#include "download.h"

#include "../base/path.h"
#include "../io/decompress.h"
#include "../io/tar_read.h"
#include "../io/zip.h"
#include "layer/layer_key.h"
#include "own.h"

/* Of what has no date: 1980, the first that a zip knows. An address has none that lasts. */
#define DATE INT64_C(315532800)

struct unpacking {
    struct tree *tree;
    const struct lock *lock;
    const struct artifact *download;
    struct spool *spool;
    struct str base; /* the folder, by its real path */
};

/* One entry at a path of the image, with the recipe's owner and mode. */
static int add(struct unpacking *u, struct entry *entry, struct err *e)
{
    const struct artifact_place *p = u->download->place;

    entry->uid = p->uid;
    entry->gid = p->gid;
    if (entry->type == ENTRY_SYMLINK)
        entry->mode = 0777;
    else
        entry->mode = entry->type == ENTRY_DIR || entry->mode & 0111 ? 0755 : 0644;
    if (p->mode && (entry->type == ENTRY_FILE || entry->type == ENTRY_HARDLINK))
        entry->mode = p->mode;
    else
        own_share(u->lock, entry);
    return own_parents(u->tree, u->lock, p, entry->path, DATE, e) < 0 ||
                   tree_parents(u->tree, entry->path, DATE, e) < 0
               ? -1
               : tree_add(u->tree, entry, true, e);
}

/* The folder belongs to the files' owner, too, unless the system has it. */
static int add_base(struct unpacking *u, struct err *e)
{
    struct entry entry = {.path = u->base, .type = ENTRY_DIR, .mtime = DATE};

    return tree_follow(u->tree, u->base) ? 0 : add(u, &entry, e);
}

/* ---- archives ---- */

/* Folders on the way of a link are real ones, for nothing stands below a link. So a target that
 * climbs first and then descends stays below the top, whatever other links it passes. */
static bool stays_inside(struct str path, struct str target)
{
    struct str part, rest = path;
    size_t depth = 0;
    bool descends = false;

    while (str_cut(&rest, STR("/"), &part))
        depth++;
    if (!target.len || str_starts(target, STR("/")) || str_has(target, '\0'))
        return false;
    while (str_item(&target, '/', &part)) {
        if (!part.len || str_is(part, "."))
            continue;
        if (!str_is(part, ".."))
            descends = true;
        else if (descends || !depth--)
            return false;
    }
    return true;
}

static struct str below_base(struct buf *out, const struct unpacking *u, struct str path)
{
    buf_fmt(out, STR_FMT "/" STR_FMT, STR_ARG(u->base), STR_ARG(path));
    return buf_view(out);
}

static int take_tar_entry(void *ctx, const struct tar_entry *from, struct source *data,
                          struct err *e)
{
    struct unpacking *u = ctx;
    CLEANUP(buf_clear) struct buf path = {0}, link = {0};
    struct entry entry = from->entry;

    if (!entry.path.len)
        return 0;
    if (entry.type == ENTRY_SYMLINK && !stays_inside(entry.path, entry.link))
        return err_set(e, ERR_INPUT,
                       "its link \"" STR_FMT "\" to \"" STR_FMT "\" leads out of the archive, or "
                       "may do so",
                       STR_ARG(entry.path), STR_ARG(entry.link));
    if (entry.type == ENTRY_HARDLINK)
        entry.link = below_base(&link, u, entry.link);
    entry.path = below_base(&path, u, entry.path);
    entry.caps = (struct str){0};
    if (entry.type == ENTRY_FILE &&
        spool_keep(&entry.content, u->spool, &u->tree->arena, data, entry.content.size, e) < 0)
        return -1;
    return add(u, &entry, e);
}

static int unpack_tar(struct unpacking *u, const struct input *file, struct err *e)
{
    CLEANUP(tar_clear)
    struct tar_reader *tar = tar_open(decompress(source_input(file, 0, file->size)), TAR_PACKAGE);

    return tar_walk(tar, take_tar_entry, u, e);
}

/* Its bytes stay in the zip, and are copied from there as they are. */
static int unpack_zip(struct unpacking *u, const struct input *file, struct err *e)
{
    CLEANUP(zip_clear) struct zip zip = {0};
    const struct zip_entry *from;

    if (zip_open(&zip, file, e) < 0)
        return -1;
    vec_each(from, &zip.entries) {
        CLEANUP(buf_clear) struct buf path = {0};
        struct str name = from->name;
        struct entry entry = {.type = from->directory ? ENTRY_DIR : ENTRY_FILE,
                              .mode = from->executable ? 0755 : 0644,
                              .mtime = from->mtime,
                              .content = from->content};

        str_drop(&name, STR("/"));
        entry.path = below_base(&path, u, name);
        if (add(u, &entry, e) < 0)
            return -1;
    }
    return 0;
}

static int is_zip(bool *is, const struct input *file, struct err *e)
{
    CLEANUP(source_clear) struct source *source = source_input(file, 0, file->size);
    char head[4];
    size_t got;

    if (source_read_full(source, head, sizeof head, &got, e) < 0)
        return -1;
    *is = str_is((struct str){head, got}, "PK\3\4") || str_is((struct str){head, got}, "PK\5\6");
    return 0;
}

static int unpack(struct unpacking *u, const struct input *file, struct err *e)
{
    bool zip;

    if (add_base(u, e) < 0 || is_zip(&zip, file, e) < 0)
        return -1;
    if ((zip ? unpack_zip(u, file, e) : unpack_tar(u, file, e)) == 0)
        return 0;
    return err_wrap(e, "unpack %s", file->name);
}

/* ---- the file itself ---- */

static int put_file(struct unpacking *u, const struct input *file, bool into, struct err *e)
{
    CLEANUP(buf_clear) struct buf path = {0};
    struct entry entry = {.path = u->base,
                          .type = ENTRY_FILE,
                          .mode = 0644,
                          .mtime = DATE,
                          .content = {CONTENT_RANGE, .size = file->size, .input = file}};

    if (into && add_base(u, e) < 0)
        return -1;
    if (into)
        entry.path = below_base(&path, u, u->download->file);
    return add(u, &entry, e);
}

/* ---- which layer it is ---- */

/* Where it stands: through the links that the system has on the way. */
static int find_base(struct buf *out, const struct tree *t, const struct artifact_place *p,
                     struct err *e)
{
    CLEANUP(buf_clear) struct buf clean = {0};

    if (!path_clean(&clean, p->to) || clean.len < 2)
        return err_set(e, ERR_INPUT, "downloads: \"" STR_FMT "\" is not a place for a file",
                       STR_ARG(p->to));
    return tree_resolve(t, out, str_sub(buf_view(&clean), 1, clean.len), e);
}

static void add_entry(struct buf *out, const char *what, const struct entry *e)
{
    buf_fmt(out, "%s %zu " STR_FMT " %u %o %u %u %zu " STR_FMT "\n", what, e->path.len,
            STR_ARG(e->path), e->type, e->mode, e->uid, e->gid, e->link.len, STR_ARG(e->link));
}

/* What is at the path and at the folders above it. */
static void add_way(struct buf *out, const struct tree *skeleton, struct str path)
{
    for (size_t i = 1; i <= path.len; i++) {
        struct str part = str_sub(path, 0, i);
        const struct entry *at, *behind;

        if (i < path.len && path.p[i] != '/')
            continue;
        at = tree_get(skeleton, part);
        behind = tree_follow(skeleton, part);
        if (at)
            add_entry(out, "at", at);
        if (behind && behind != at)
            add_entry(out, "behind", behind);
    }
}

static bool is_below(struct str path, struct str base)
{
    return str_skip(&path, base) && str_skip(&path, STR("/"));
}

void download_key(struct buf *out, const struct lock *lock, size_t layer,
                  const struct tree *skeleton)
{
    const struct artifact *a = &lock->artifacts.v[lock->layers.v[layer].artifacts.v[0]];
    CLEANUP(buf_clear) struct buf base = {0};
    CLEANUP(err_clear) struct err ignored = {0}; /* making it tells */
    struct tree t = {.below = skeleton};
    const struct entry *there;

    layer_key_alone(out, lock, layer);
    if (find_base(&base, &t, a->place, &ignored) < 0)
        return;
    buf_fmt(out, "base %zu " STR_FMT "\n", base.len, STR_ARG(buf_view(&base)));
    add_way(out, skeleton, buf_view(&base));
    there = tree_follow(skeleton, buf_view(&base));
    if (!there || there->type != ENTRY_DIR)
        return;
    add_way(out, skeleton, there->path);
    for (size_t i = 0; i < skeleton->entries.n; i++)
        if (is_below(skeleton->entries.v[i].path, there->path))
            add_entry(out, "below", &skeleton->entries.v[i]);
}

int download_build(struct tree *out, const struct lock *lock, const struct artifact *download,
                   const struct input *file, struct spool *spool, const struct tree *skeleton,
                   struct err *e)
{
    const struct artifact_place *p = download->place;
    CLEANUP(tree_clear) struct tree t = {.below = skeleton};
    CLEANUP(buf_clear) struct buf base = {0};
    struct unpacking u = {&t, lock, download, spool, {0}};
    bool into = p->unpack || str_ends(p->to, STR("/"));
    const struct entry *there;

    if (find_base(&base, &t, p, e) < 0)
        return -1;
    u.base = buf_view(&base);
    there = into ? tree_follow(&t, u.base) : NULL; /* a link to a folder stays one */
    if (there && there->type == ENTRY_DIR)
        u.base = there->path;
    if ((p->unpack ? unpack(&u, file, e) : put_file(&u, file, into, e)) < 0)
        return -1;
    tree_sort(&t);
    MOVE(out, &t);
    return 0;
}
