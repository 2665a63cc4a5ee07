/* SPDX-License-Identifier: Apache-2.0 */
#include "layout_gc.h"

#include <errno.h>
#include <unistd.h>

#include "../base/fs.h"
#include "../base/path.h"
#include "../doc/emit.h"
#include "../io/crypto.h"
#include "layout_parts.h"
#include "reach.h"

/* ---- rules ---- */

static const int64_t second = 1000000000;

static int64_t date_of(const struct layout_image *i)
{
    return i->dated ? i->created : i->put / second;
}

static bool is_for_rules(const struct layout_image *i)
{
    return i->tag && i->here && !i->referrer;
}

/* The newest first; what has one date was put here one after the other. */
static bool is_newer(const struct layout_image *a, const struct layout_image *b)
{
    if (date_of(a) != date_of(b))
        return date_of(a) > date_of(b);
    return a->put != b->put ? a->put > b->put : strcmp(a->tag, b->tag) > 0;
}

void layout_judge(struct layout_images *images, const struct layout_rules *rules)
{
    struct layout_image *i;
    const struct layout_image *other;

    vec_each(i, images) {
        size_t newer = 0;
        int64_t last = date_of(i) > i->put / second ? date_of(i) : i->put / second;

        i->goes = false;
        if (!is_for_rules(i) || (!rules->keep && !rules->before))
            continue;
        vec_each(other, images)
            newer += is_for_rules(other) && strcmp(other->name, i->name) == 0 && is_newer(other, i);
        i->goes =
            (!rules->keep || newer >= rules->keep) && (!rules->before || last < rules->before);
    }
}

/* ---- reading ---- */

struct surveying {
    const char *dir;
    struct layout_content *out;
    const struct events *events;
    bool remove;
    struct digests needed; /* sorted */
};

static void surveying_clear(struct surveying *s)
{
    vec_clear(&s->needed);
}

static int read_document(void *ctx, const struct descriptor *d, struct buf *out, bool *there,
                         struct err *e)
{
    const char *dir = ctx;
    CLEANUP(free_clear) char *path = layout_blob_path(dir, &d->digest);
    struct digest digest;

    *there = fs_exists(path);
    if (!*there)
        return 0;
    if (fs_read(out, path, IMAGE_DOC_MAX, e) < 0)
        return -1;
    hash_bytes(&digest, out->p, out->len);
    if (!digest_eq(&digest, &d->digest))
        return err_set(e, ERR_INTEGRITY,
                       "%s does not hold the bytes that its name says, so what its image needs is "
                       "not known; build that image again, or remove its entry from index.json",
                       path);
    return 0;
}

/* When the image says that it was made. What has no config of an image says nothing. */
static void read_date(struct layout_image *out, const char *dir, const struct descriptor *d)
{
    CLEANUP(image_manifest_clear) struct image_manifest m = {0};
    CLEANUP(image_config_clear) struct image_config c = {0};
    CLEANUP(buf_clear) struct buf manifest = {0}, config = {0};
    CLEANUP(err_clear) struct err ignored = {0};
    CLEANUP(free_clear) char *path = layout_blob_path(dir, &d->digest), *of_config = NULL;

    if (!media_type_is_manifest(d->media_type) ||
        fs_read(&manifest, path, IMAGE_DOC_MAX, &ignored) < 0 ||
        image_manifest_parse(&m, buf_view(&manifest), NULL, path, &ignored) < 0)
        return;
    of_config = layout_blob_path(dir, &m.config.digest);
    if (fs_read(&config, of_config, IMAGE_DOC_MAX, &ignored) < 0 ||
        image_config_parse(&c, buf_view(&config), of_config, &ignored) < 0)
        return;
    out->dated = c.dated;
    out->created = c.created;
}

/* What stands before the tag in the full name, or in the layout's own. */
static char *name_of(const struct descriptor *d)
{
    const struct str *full = pairs_get(&d->annotations, ANNOTATION_CONTAINERD_NAME);
    const struct str *tag = pairs_get(&d->annotations, ANNOTATION_REF_NAME);
    struct str name = full ? *full : tag ? *tag : (struct str){0};

    for (size_t i = name.len; i && name.p[i - 1] != '/'; i--)
        if (name.p[i - 1] == ':')
            return str_dup(str_sub(name, 0, i - 1));
    return xstrdup("");
}

static int read_image(struct layout_image *out, const char *dir, const struct descriptor *d,
                      struct err *e)
{
    const struct str *tag = pairs_get(&d->annotations, ANNOTATION_REF_NAME);
    CLEANUP(free_clear) char *path = layout_blob_path(dir, &d->digest);
    struct stat st;

    out->digest = d->digest;
    out->tag = tag ? str_dup(*tag) : NULL;
    out->name = name_of(d);
    out->here = stat(path, &st) == 0;
    if (out->here)
        out->put = (int64_t)st.st_mtim.tv_sec * second + st.st_mtim.tv_nsec;
    read_date(out, dir, d);
    return reach_size(&out->bytes, d, read_document, (void *)(uintptr_t)dir, e);
}

static int read_images(struct surveying *s, const struct image_index *index,
                       const struct layout_rules *rules, struct err *e)
{
    struct layout_images *images = &s->out->images;
    CLEANUP(free_clear)
    struct reach_entry *entries = xcalloc(index->manifests.n + 1, sizeof *entries);
    void *dir = (void *)(uintptr_t)s->dir;
    size_t n = index->manifests.n;

    for (size_t i = 0; i < n; i++) {
        entries[i].d = &index->manifests.v[i];
        if (read_image(vec_push(images), s->dir, entries[i].d, e) < 0)
            return -1;
    }
    if (reach_referrers(entries, n, read_document, dir, e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        images->v[i].referrer = digest_is_set(&entries[i].refers);
    layout_judge(images, rules);
    for (size_t i = 0; i < n; i++)
        entries[i].goes = images->v[i].goes;
    if (reach(&s->needed, entries, n, read_document, dir, e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        images->v[i].goes = entries[i].goes;
    return 0;
}

/* ---- blobs ---- */

static bool is_unneeded(const struct surveying *s, const struct walk_item *item)
{
    struct str hex = item->path;
    CLEANUP(free_clear) char *path = NULL;
    struct digest digest;

    if (!S_ISREG(item->st->st_mode))
        return false;
    if (str_skip(&hex, STR("blobs/sha256/")) && digest_from_hex(&digest, hex))
        return !s->needed.n ||
               !bsearch(&digest, s->needed.v, s->needed.n, sizeof digest, digest_order);
    path = path_join(s->dir, item->path.p);
    return fs_temp_is_abandoned(path);
}

static int take(void *ctx, const struct walk_item *item, struct err *e)
{
    struct surveying *s = ctx;
    struct stat freed = *item->st;

    if (events_cancelled(s->events))
        return err_set(e, ERR_INTERRUPTED, "interrupted");
    walk_count(&s->out->all, item->st);
    if (!is_unneeded(s, item))
        return 0;
    if (s->remove && unlinkat(item->dir, item->name, 0) < 0 && errno != ENOENT)
        return err_errno(e, "cannot remove %s/" STR_FMT, s->dir, STR_ARG(item->path));
    if (freed.st_nlink > 1) /* another layout, or the store, has it, too */
        freed.st_blocks = 0;
    walk_count(&s->out->unneeded, &freed);
    return 0;
}

/* ---- all of it ---- */

static int write_index(const struct surveying *s, struct layout_index *index, struct err *e)
{
    CLEANUP(free_clear) char *path = path_join(s->dir, "index.json");
    CLEANUP(buf_clear) struct buf text = {0};
    struct node *list = layout_index_list(&index->doc), **link = &list->child;
    size_t i = 0;

    for (struct node *n = list->child; n; n = n->next, i++) {
        if (s->out->images.v[i].goes) {
            list->count--;
            continue;
        }
        *link = n;
        link = &n->next;
    }
    *link = NULL;
    emit_json(&text, index->doc.root, EMIT_COMPACT);
    return list->count == i ? 0 : fs_write(path, buf_view(&text), e);
}

/* What a folder shares by a link with others is not this layout's alone. */
static int check_folders(const char *dir, struct err *e)
{
    static const char *const names[] = {"blobs", "blobs/sha256"};
    CLEANUP(free_clear) char *header = path_join(dir, "oci-layout");

    if (!fs_exists(header))
        return err_set(e, ERR_INPUT, "%s is not an OCI layout: it has no file \"oci-layout\"", dir);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP(free_clear) char *path = path_join(dir, names[i]);
        struct stat st;

        if (lstat(path, &st) == 0 && !S_ISDIR(st.st_mode))
            return err_set(e, ERR_INPUT,
                           "%s is not a folder; what lies behind a link is not this layout's alone",
                           path);
    }
    return 0;
}

static int survey(struct surveying *s, const struct layout_rules *rules, struct err *e)
{
    CLEANUP(layout_index_clear) struct layout_index index = {0};

    if (layout_read_index(&index, s->dir, e) < 0 || read_images(s, &index.index, rules, e) < 0)
        return -1;
    if (s->remove && write_index(s, &index, e) < 0)
        return -1;
    return walk(s->dir, take, s, e);
}

int layout_survey(struct layout_content *out, const char *dir, const struct layout_rules *rules,
                  struct err *e)
{
    CLEANUP(layout_content_clear) struct layout_content content = {0};
    CLEANUP(surveying_clear) struct surveying s = {.dir = dir, .out = &content};

    if (check_folders(dir, e) < 0 || survey(&s, rules, e) < 0)
        return -1;
    MOVE(out, &content);
    return 0;
}

int layout_prune(struct layout_content *out, const char *dir, const struct layout_rules *rules,
                 const struct events *events, struct err *e)
{
    CLEANUP(layout_content_clear) struct layout_content content = {0};
    CLEANUP(surveying_clear)
    struct surveying s = {.dir = dir, .out = &content, .events = events, .remove = true};
    CLEANUP(free_clear) char *header = path_join(dir, "oci-layout");
    CLEANUP(fd_clear) struct fd alone = {0}, lock = {0};

    if (check_folders(dir, e) < 0 || fs_lock(&alone, header, events, e) < 0 ||
        layout_lock(&lock, dir, events, e) < 0 || survey(&s, rules, e) < 0)
        return -1;
    MOVE(out, &content);
    return 0;
}

void layout_content_clear(struct layout_content *c)
{
    struct layout_image *i;

    vec_each(i, &c->images) {
        free(i->tag);
        free(i->name);
    }
    vec_clear(&c->images);
    *c = (struct layout_content){0};
}
