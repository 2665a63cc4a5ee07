/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/date.h"
#include "../base/fs.h"
#include "../base/map.h"
#include "../base/path.h"
#include "../oci/layout.h"
#include "../oci/layout_gc.h"
#include "../store/gc.h"
#include "store_needs.h"
#include "output.h"
#include "session.h"

/* ---- what has several names ---- */

struct inodes {
    struct map seen;
    struct arena arena;
    struct walk_use *shared; /* of the folder at hand: what was seen below another */
};

static void inodes_clear(struct inodes *i)
{
    map_clear(&i->seen);
    arena_clear(&i->arena);
}

static int note_file(void *ctx, const struct walk_item *item, struct err *e)
{
    struct inodes *all = ctx;
    const uint64_t id[] = {item->st->st_dev, item->st->st_ino};
    struct str key = {(const char *)id, sizeof id};

    if (S_ISDIR(item->st->st_mode) || item->st->st_nlink < 2)
        return 0;
    if (map_has(&all->seen, key))
        walk_count(all->shared, item->st);
    else
        map_set(&all->seen, arena_str(&all->arena, key), all);
    return 0;
}

/* ---- finding out ---- */

struct disk_layout {
    const char *dir;
    struct layout_content content;
    struct walk_use shared; /* with the store and layouts before it */
};

struct disk {
    const char *store;
    bool has_store;
    struct store_needs needs;
    struct gc_result result;
    struct VEC_OF(struct disk_layout) layouts;
    struct inodes inodes;
    uint64_t together; /* bytes on the disk */
};

static void disk_clear(struct disk *d)
{
    struct disk_layout *l;

    vec_each(l, &d->layouts)
        layout_content_clear(&l->content);
    vec_clear(&d->layouts);
    store_needs_clear(&d->needs);
    inodes_clear(&d->inodes);
}

static int look_at_store(struct disk *d, const struct session *s, struct err *e)
{
    struct walk_use twice = {0};
    struct gc_rules rules = {.events = s->events};

    d->store = s->store_dir;
    d->has_store = fs_exists(s->store_dir);
    if (!d->has_store)
        return 0;
    d->inodes.shared = &twice;
    if (store_needs_read(&d->needs, s->store_dir, 0, e) < 0)
        return -1;
    rules.needed = d->needs.blobs.v;
    rules.needed_n = d->needs.blobs.n;
    if (gc_store(&d->result, s->store_dir, &rules, e) < 0 ||
        walk(s->store_dir, note_file, &d->inodes, e) < 0)
        return -1;
    d->together += d->result.all.real - twice.real;
    return 0;
}

static int look_at_layout(struct disk *d, const char *dir, struct err *e)
{
    const struct layout_rules none = {0};
    struct disk_layout *l = vec_push(&d->layouts);

    l->dir = dir;
    d->inodes.shared = &l->shared;
    if (layout_survey(&l->content, dir, &none, e) < 0 || walk(dir, note_file, &d->inodes, e) < 0)
        return -1;
    d->together += l->content.all.real - l->shared.real;
    return 0;
}

/* ---- telling ---- */

static const char *const kinds[GC_KINDS][2] = {
    [GC_BLOBS] = {"artifacts", "artifacts"},
    [GC_PARTIAL] = {"partial downloads", "partial"},
    [GC_MEMORY] = {"remembered", "remembered"},
    [GC_LOCKS] = {"list of locks", "locks"},
    [GC_UNPACKED] = {"unpacked for builds", "unpacked"},
    [GC_TEMPORARY] = {"temporary", "temporary"},
    [GC_OTHER] = {"other, and folders", "other"},
};

static void put_use(struct doc *d, struct node *n, const struct walk_use *use)
{
    node_put_u64(d, n, "files", use->files);
    node_put_u64(d, n, "bytes", use->bytes);
    node_put_u64(d, n, "real", use->real);
}

static struct node *put_used(struct doc *d, struct node *n, const char *key,
                             const struct walk_use *use)
{
    struct node *map = node_put(d, n, key, node_new_map(d));

    put_use(d, map, use);
    return map;
}

static void put_store(struct doc *d, struct node *root, const struct disk *disk)
{
    struct node *store = put_used(d, root, "store", &disk->result.all), *map, *list;
    const struct need_lock *lock;

    node_put_str(d, store, "path", str_of(disk->store));
    map = node_put(d, store, "kinds", node_new_map(d));
    for (size_t i = 0; i < GC_KINDS; i++)
        put_used(d, map, kinds[i][1], &disk->result.kinds[i]);
    put_used(d, store, "unneeded", &disk->result.unneeded);
    list = node_put(d, store, "locks", node_new_list(d));
    vec_each(lock, &disk->needs.locks) {
        struct node *n = node_add(d, list, node_new_map(d));
        CLEANUP(buf_clear) struct buf date = {0};

        date_print(&date, lock->root->used);
        node_put_str(d, n, "path", str_of(lock->root->path));
        node_put_str(d, n, "used", arena_str(&d->arena, buf_view(&date)));
        node_put_bool(d, n, "gone", lock->gone);
    }
}

static void put_layout(struct doc *d, struct node *list, const struct disk_layout *l)
{
    struct node *n = node_add(d, list, node_new_map(d)), *images;
    const struct layout_image *i;

    node_put_str(d, n, "path", str_of(l->dir));
    put_use(d, n, &l->content.all);
    put_used(d, n, "unneeded", &l->content.unneeded);
    put_used(d, n, "shared", &l->shared);
    images = node_put(d, n, "images", node_new_list(d));
    vec_each(i, &l->content.images) {
        struct node *image = node_add(d, images, node_new_map(d));
        char digest[DIGEST_TEXT + 1];

        digest_text(&i->digest, digest);
        if (i->tag)
            node_put_str(d, image, "tag", str_of(i->tag));
        node_put_str(d, image, "digest", arena_str(&d->arena, str_of(digest)));
        node_put_u64(d, image, "bytes", i->bytes);
    }
}

static void print_json(struct session *s, const struct disk *disk)
{
    CLEANUP(doc_clear) struct doc d = {0};
    struct node *root = node_new_map(&d), *list;
    const struct disk_layout *l;

    node_put_u64(&d, root, "envbuild_output", 1);
    put_store(&d, root, disk);
    list = node_put(&d, root, "layouts", node_new_list(&d));
    vec_each(l, &disk->layouts)
        put_layout(&d, list, l);
    node_put_u64(&d, root, "real", disk->together);
    session_json(s, &d, root);
}

/* "  artifacts            2.9 GiB     2.9 GiB on the disk   214 files" */
static void add_row(struct buf *out, const char *what, const struct walk_use *use)
{
    CLEANUP(buf_clear) struct buf bytes = {0}, real = {0};

    progress_size(&bytes, use->bytes);
    progress_size(&real, use->real);
    buf_fmt(out, "  %-20s %10s %10s on the disk %7llu file%s\n", what, bytes.p, real.p,
            (unsigned long long)use->files, use->files == 1 ? "" : "s");
}

static void add_store(struct buf *out, const struct disk *d)
{
    const struct need_lock *lock;

    buf_fmt(out, "store %s\n", d->store);
    for (size_t i = 0; i < GC_KINDS; i++)
        if (d->result.kinds[i].files)
            add_row(out, kinds[i][0], &d->result.kinds[i]);
    add_row(out, "all", &d->result.all);
    vec_each(lock, &d->needs.locks)
        buf_fmt(out, "  needed by %s%s\n", lock->root->path,
                lock->gone ? ", which is gone and so needs nothing" : "");
    if (!d->result.unneeded.files)
        return;
    add_row(out, "needed by no lock", &d->result.unneeded);
    buf_puts(out, "  `envbuild prune` removes what no lock needs\n");
}

static void add_layout(struct buf *out, const struct disk_layout *l)
{
    const struct layout_image *i;

    buf_fmt(out, "layout %s\n", l->dir);
    vec_each(i, &l->content.images) {
        CLEANUP(buf_clear) struct buf size = {0};

        progress_size(&size, i->bytes);
        buf_fmt(out, "  %s, %s\n", i->tag ? i->tag : "(no tag)", size.p);
    }
    add_row(out, "all", &l->content.all);
    if (l->shared.files)
        add_row(out, "of that shared", &l->shared);
    if (!l->content.unneeded.files)
        return;
    add_row(out, "needed by no image", &l->content.unneeded);
    buf_fmt(out, "  `envbuild prune %s` removes what no image needs\n", l->dir);
}

static void print_text(const struct disk *d)
{
    CLEANUP(buf_clear) struct buf text = {0};
    const struct disk_layout *l;

    if (d->has_store)
        add_store(&text, d);
    else
        buf_fmt(&text, "store %s is not there\n", d->store);
    vec_each(l, &d->layouts)
        add_layout(&text, l);
    buf_puts(&text, "together ");
    progress_size(&text, d->together);
    buf_puts(&text, " on the disk\n");
    output_text(buf_view(&text));
}

int cmd_disk(struct session *s, int argc, char **argv, struct err *e)
{
    CLEANUP(disk_clear) struct disk d = {0};

    if (session_begin(s, "disk", NULL, 0, &argc, argv, 0, INT32_MAX, e) < 0)
        return -1;
    if (s->help)
        return 0;
    if (look_at_store(&d, s, e) < 0)
        return -1;
    for (int i = 0; i < argc; i++)
        if (look_at_layout(&d, layout_dir(argv[i]), e) < 0)
            return -1;
    if (!argc && fs_exists("images/oci-layout") && look_at_layout(&d, "images", e) < 0)
        return -1;
    progress_pause(s->progress);
    if (s->json)
        print_json(s, &d);
    else
        print_text(&d);
    return 0;
}
