/* SPDX-License-Identifier: Apache-2.0 */
#include "tree.h"

#include "../../base/buf.h"
#include "../../base/path.h"
#include "../../io/tar.h"

enum { LINKS_MAX = 40 }; /* as Linux follows them */

void tree_clear(struct tree *t)
{
    map_clear(&t->index);
    vec_clear(&t->entries);
    arena_clear(&t->arena);
    *t = (struct tree){0};
}

/* The index holds positions, not pointers: the vector moves as it grows. */
static void index_set(struct tree *t, size_t at)
{
    map_set(&t->index, t->entries.v[at].path, (void *)(uintptr_t)(at + 1));
}

struct entry *tree_get(const struct tree *t, struct str path)
{
    uintptr_t at = (uintptr_t)map_get(&t->index, path);

    return at ? &t->entries.v[at - 1] : NULL;
}

static void keep(struct tree *t, struct entry *to, const struct entry *from)
{
    struct str path = to->path.p ? to->path : arena_str(&t->arena, from->path);

    *to = *from;
    to->path = path;
    to->link = arena_str(&t->arena, from->link);
    to->caps = arena_str(&t->arena, from->caps);
    to->content.hash = arena_str(&t->arena, from->content.hash);
    if (from->type == ENTRY_FILE && from->content.kind == CONTENT_BYTES)
        to->content.bytes =
            arena_str(&t->arena, (struct str){from->content.bytes, from->content.size}).p;
}

/* ---- what may stand where ---- */

/* The entry of a path here, else in the layers below. */
static const struct entry *lookup(const struct tree *t, struct str path)
{
    const struct entry *own = tree_get(t, path);

    return own || !t->below ? own : tree_get(t->below, path);
}

static const char *kind_of(const struct entry *entry)
{
    switch (entry->type) {
    case ENTRY_FILE:
    case ENTRY_HARDLINK:
        return "file";
    case ENTRY_DIR:
        return "folder";
    case ENTRY_SYMLINK:
        return "link";
    }
    abort();
}

static bool is_below(struct str path, struct str folder)
{
    return str_skip(&path, folder) && str_starts(path, STR("/"));
}

/* " of X", where an artifact X is known to have brought the entry, or something in it. Scratch
 * files have no digest. */
static void add_origin(struct buf *out, const struct tree *t, const struct entry *entry)
{
    const struct entry *one;

    vec_each(one, &t->entries)
        if (one->type == ENTRY_FILE && one->content.kind != CONTENT_BYTES &&
            digest_is_set(&one->content.input->digest) &&
            (one == entry || is_below(one->path, entry->path))) {
            buf_fmt(out, " of %s", one->content.input->name);
            return;
        }
}

/* `there` and `entry` cannot both be. */
static int clash(const struct tree *t, const struct entry *there, const struct entry *entry,
                 struct err *e)
{
    CLEANUP(buf_clear) struct buf origin = {0};

    add_origin(&origin, t, there);
    if (!str_eq(there->path, entry->path))
        return err_set(e, ERR_INPUT,
                       "/" STR_FMT " needs a folder where /" STR_FMT " is a %s" STR_FMT
                       "; leave one of the two out",
                       STR_ARG(entry->path), STR_ARG(there->path), kind_of(there),
                       STR_ARG(buf_view(&origin)));
    return err_set(
        e, ERR_INPUT,
        "/" STR_FMT " would be a %s and is a %s" STR_FMT " already; leave one of the two out",
        STR_ARG(entry->path), kind_of(entry), kind_of(there), STR_ARG(buf_view(&origin)));
}

/* The nearest of the folders above a path that has an entry. */
static const struct entry *above(const struct tree *t, struct str path)
{
    const struct entry *found = NULL;
    struct str name;

    while (!found && str_cut_last(&path, STR("/"), &name))
        found = lookup(t, path);
    return found;
}

static int check(const struct tree *t, const struct entry *entry, struct err *e)
{
    const struct entry *folder, *there, *file;

    if (tar_check(entry, e) < 0)
        return -1;
    folder = above(t, entry->path);
    if (folder && folder->type != ENTRY_DIR)
        return clash(t, folder, entry, e);
    there = lookup(t, entry->path);
    if (there && (there->type == ENTRY_DIR) != (entry->type == ENTRY_DIR))
        return clash(t, there, entry, e);
    file = entry->type == ENTRY_HARDLINK ? tree_get(t, entry->link) : NULL;
    if (entry->type == ENTRY_HARDLINK && (!file || file->type != ENTRY_FILE || file == there))
        return err_set(e, ERR_INPUT,
                       "/" STR_FMT " is a hard link to /" STR_FMT ", which is not a file beside it",
                       STR_ARG(entry->path), STR_ARG(entry->link));
    return 0;
}

int tree_add(struct tree *t, const struct entry *entry, bool replace, struct err *e)
{
    struct entry *old;

    if (check(t, entry, e) < 0)
        return -1;
    old = tree_get(t, entry->path);
    if (!old) {
        keep(t, vec_push(&t->entries), entry);
        index_set(t, t->entries.n - 1);
        return 0;
    }
    if (!replace && entry->type != ENTRY_DIR)
        return err_set(e, ERR_INPUT, "/" STR_FMT " is there twice", STR_ARG(entry->path));
    keep(t, old, entry);
    return 0;
}

int tree_parents(struct tree *t, struct str path, int64_t mtime, struct err *e)
{
    struct entry folder = {.path = path, .type = ENTRY_DIR, .mtime = mtime};

    if (tar_check(&folder, e) < 0) /* of the whole path, not of a part */
        return -1;
    for (size_t i = 1; i < path.len; i++) {
        const struct entry *there;

        if (path.p[i] != '/')
            continue;
        folder.path = str_sub(path, 0, i);
        there = lookup(t, folder.path);
        if (there && there->type != ENTRY_DIR)
            return clash(t, there, &(struct entry){.path = path}, e);
        if (tree_get(t, folder.path))
            continue;
        folder.mode = there ? there->mode : 0755;
        folder.uid = there ? there->uid : 0;
        folder.gid = there ? there->gid : 0;
        if (tree_add(t, &folder, false, e) < 0)
            return -1;
    }
    return 0;
}

/* ---- links ---- */

struct walk {
    const struct tree *tree;
    struct buf *out; /* where we are; empty is the root */
    unsigned links;
};

static int step_up(struct buf *out, struct err *e)
{
    if (!out->len)
        return err_set(e, ERR_INPUT, "a link climbs above the root");
    while (out->len && out->p[out->len - 1] != '/')
        out->len--;
    if (out->len)
        out->len--;
    out->p[out->len] = '\0';
    return 0;
}

static int walk(struct walk *w, struct str path, bool last, struct err *e)
{
    struct str part;

    while (str_item(&path, '/', &part)) {
        size_t mark = w->out->len;
        const struct entry *at;

        if (!part.len || str_is(part, "."))
            continue;
        if (str_is(part, "..")) {
            if (step_up(w->out, e) < 0)
                return -1;
            continue;
        }
        buf_fmt(w->out, "%s" STR_FMT, mark ? "/" : "", STR_ARG(part));
        at = path.p || last ? lookup(w->tree, buf_view(w->out)) : NULL;
        if (!at || at->type != ENTRY_SYMLINK)
            continue;
        if (++w->links > LINKS_MAX)
            return err_set(e, ERR_INPUT, "/%s: too many links lead to one another", w->out->p);
        w->out->len = str_starts(at->link, STR("/")) ? 0 : mark;
        w->out->p[w->out->len] = '\0';
        if (walk(w, at->link, true, e) < 0)
            return -1;
    }
    return 0;
}

int tree_resolve(const struct tree *t, struct buf *out, struct str path, struct err *e)
{
    struct walk w = {t, out, 0};

    buf_reset(out);
    buf_room(out, 1);
    return walk(&w, path, false, e);
}

const struct entry *tree_follow(const struct tree *t, struct str path)
{
    CLEANUP(buf_clear) struct buf out = {0};
    struct walk w = {t, &out, 0};
    struct err none = {0};

    buf_room(&out, 1);
    if (walk(&w, path, true, &none) < 0) {
        err_clear(&none); /* a link that leads nowhere is an answer here */
        return NULL;
    }
    return lookup(t, buf_view(&out));
}

/* ---- order and difference ---- */

static int entry_compare(const void *a, const void *b)
{
    return str_cmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

/* A hardlink must come after its target: of all names of a file, the first in order is the file. */
static void settle_hardlinks(struct tree *t)
{
    for (size_t i = 0; i < t->entries.n; i++) {
        struct entry *link = &t->entries.v[i], *target;

        if (link->type != ENTRY_HARDLINK || str_cmp(link->link, link->path) < 0)
            continue;
        target = tree_get(t, link->link);
        if (!target || target->type == ENTRY_DIR)
            continue; /* a missing target is refused where the tree was made */
        if (target->type == ENTRY_HARDLINK) { /* an earlier name has become the file */
            link->link = target->link;
            continue;
        }
        link->type = target->type;
        link->content = target->content;
        link->caps = target->caps;
        link->link = target->link;
        target->type = ENTRY_HARDLINK;
        target->content = (struct content){0};
        target->link = link->path;
    }
    for (size_t i = 0; i < t->entries.n; i++) {
        struct entry *link = &t->entries.v[i];
        const struct entry *target = link->type == ENTRY_HARDLINK ? tree_get(t, link->link) : NULL;

        if (target && target->type == ENTRY_HARDLINK)
            link->link = target->link;
    }
}

void tree_sort(struct tree *t)
{
    vec_sort(&t->entries, entry_compare);
    for (size_t i = 0; i < t->entries.n; i++)
        index_set(t, i);
    settle_hardlinks(t);
}

int64_t tree_newest(const struct tree *t)
{
    int64_t newest = 0;

    for (size_t i = 0; i < t->entries.n; i++)
        if (t->entries.v[i].mtime > newest)
            newest = t->entries.v[i].mtime;
    return newest;
}

static bool same_content(const struct content *a, const struct content *b)
{
    if (a->kind != b->kind || a->size != b->size)
        return false;
    if (a->kind == CONTENT_BYTES)
        return !a->size || memcmp(a->bytes, b->bytes, a->size) == 0;
    return a->input == b->input && a->offset == b->offset && a->packed == b->packed;
}

static bool same_entry(const struct entry *a, const struct entry *b)
{
    return a->type == b->type && a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
           a->mtime == b->mtime && str_eq(a->link, b->link) && str_eq(a->caps, b->caps) &&
           (a->type != ENTRY_FILE || same_content(&a->content, &b->content));
}

int tree_parents_of(struct tree *out, const struct tree *upper, struct str path, struct err *e)
{
    for (size_t i = 1; i < path.len; i++) {
        const struct entry *folder;

        if (path.p[i] != '/' || tree_get(out, str_sub(path, 0, i)))
            continue;
        folder = tree_get(upper, str_sub(path, 0, i));
        if (!folder)
            return err_set(e, ERR_INPUT, "/" STR_FMT " stands in no folder", STR_ARG(path));
        if (tree_add(out, folder, true, e) < 0)
            return -1;
    }
    return 0;
}

/* A hardlink must stand in the same layer as its target. */
static int add_changed(struct tree *out, const struct tree *upper, const struct entry *entry,
                       struct err *e)
{
    const struct entry *target =
        entry->type == ENTRY_HARDLINK ? tree_get(upper, entry->link) : NULL;

    if (target && !tree_get(out, target->path) &&
        (tree_parents_of(out, upper, target->path, e) < 0 || tree_add(out, target, true, e) < 0))
        return -1;
    return tree_parents_of(out, upper, entry->path, e) < 0 ? -1 : tree_add(out, entry, true, e);
}

static bool is_known_folder(const struct tree *lower, const struct entry *e)
{
    const struct entry *old = e->type == ENTRY_DIR ? tree_get(lower, e->path) : NULL;

    return old && old->type == ENTRY_DIR;
}

static bool differs(const struct tree *lower, const struct entry *e, bool undated)
{
    const struct entry *old = tree_get(lower, e->path);

    if (undated && is_known_folder(lower, e))
        return old->mode != e->mode || old->uid != e->uid || old->gid != e->gid;
    return !old || !same_entry(old, e);
}

/* What is below a folder stands behind it, so that its date is known when its turn comes. */
static void date_folders(struct tree *t, const struct tree *lower)
{
    for (size_t i = 0; i < t->entries.n; i++)
        if (is_known_folder(lower, &t->entries.v[i]))
            t->entries.v[i].mtime = 0;
    for (size_t i = t->entries.n; i--;) {
        struct str above = t->entries.v[i].path, name;
        struct entry *folder = str_cut_last(&above, STR("/"), &name) ? tree_get(t, above) : NULL;

        if (folder && is_known_folder(lower, folder) && folder->mtime < t->entries.v[i].mtime)
            folder->mtime = t->entries.v[i].mtime;
    }
}

static int diff(struct tree *out, const struct tree *lower, const struct tree *upper, bool undated,
                struct err *e)
{
    CLEANUP(tree_clear) struct tree t = {0};

    for (size_t i = 0; i < lower->entries.n; i++)
        if (!tree_get(upper, lower->entries.v[i].path))
            return err_set(e, ERR_INPUT, "/" STR_FMT " is in a lower layer but not in the next",
                           STR_ARG(lower->entries.v[i].path));
    for (size_t i = 0; i < upper->entries.n; i++)
        if (differs(lower, &upper->entries.v[i], undated) &&
            add_changed(&t, upper, &upper->entries.v[i], e) < 0)
            return -1;
    tree_sort(&t);
    if (undated)
        date_folders(&t, lower);
    MOVE(out, &t);
    return 0;
}

int tree_diff(struct tree *out, const struct tree *lower, const struct tree *upper, struct err *e)
{
    return diff(out, lower, upper, false, e);
}

int tree_diff_undated(struct tree *out, const struct tree *lower, const struct tree *upper,
                      struct err *e)
{
    return diff(out, lower, upper, true, e);
}

int tree_lay(struct tree *t, const struct tree *from, struct err *e)
{
    for (size_t i = 0; i < from->entries.n; i++)
        if (tree_add(t, &from->entries.v[i], true, e) < 0)
            return -1;
    return 0;
}
