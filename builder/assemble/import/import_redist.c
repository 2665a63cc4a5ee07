/* SPDX-License-Identifier: Apache-2.0 */
#include "import_redist.h"

#include "../../base/map.h"
#include "../../base/path.h"
#include "../../io/crypto.h"
#include "../../io/decompress.h"
#include "../../io/tar_read.h"
#include "../layer/tree.h"

enum { ENTRIES_MAX = 1000000 };

/* Plain bytes of one archive, what is left out of it included. */
#define PLAIN_MAX (UINT64_C(32) << 30)

/* Where a path of an archive, and all below it, goes in the toolkit's folder; NULL: nowhere. The
 * rest keeps its place. Runfiles and debs put libraries and headers below targets/x86_64-linux and
 * link lib64 and include there. Without targets/, nvcc itself looks in lib64 and include, as CMake
 * and everything that says -L/usr/local/cuda/lib64 do; only redistributable archives say lib. */
static const struct rule {
    const char *component; /* NULL: of every archive */
    const char *from, *to;
} rules[] = {
    {NULL, "lib", "lib64"},
    {NULL, "pkg-config", "lib64/pkgconfig"}, /* debs: /usr/lib/pkgconfig; conda: lib/pkgconfig */
    {"libcufile", "etc", "gds"},             /* cufile.json and gdscheck, as runfiles place them */
    {"libcufile", "tools", "gds/tools"},
    {"libcufile", "man", NULL},
    {NULL, "doc", NULL}, /* documentation, wherever one has it */
    {NULL, "docs", NULL},
    {NULL, "share/doc", NULL},
    {NULL, "compute-sanitizer/docs", NULL},
    {NULL, "extras/CUPTI/doc", NULL},
    {NULL, "extras/CUPTI/docs", NULL},
    {NULL, "sample", NULL}, /* sources to learn from */
    {NULL, "samples", NULL},
    {NULL, "extras/CUPTI/samples", NULL},
    {NULL, "nvvm/libnvvm-samples", NULL},
    {"cuda_nvml_dev", "nvml", NULL}, /* an example */
};

/* What stands in the archive, before links are settled. */
struct found {
    struct str from;    /* below the top folder */
    struct entry entry; /* its path is where it goes: empty when it is left out */
};

struct importing {
    struct redist_pkg *p;
    struct spool *spool;
    const char *what;
    struct str component, version;
    struct str top; /* the folder at the top; empty before the first entry */
    struct VEC_OF(struct found) found;
    struct map by_from; /* `from` to its position + 1 in found */
    size_t entries;
    uint64_t plain; /* bytes so far */
};

static void importing_clear(struct importing *i)
{
    vec_clear(&i->found);
    map_clear(&i->by_from);
}

static struct found *find(const struct importing *i, struct str from)
{
    uintptr_t at = (uintptr_t)map_get(&i->by_from, from);

    return at ? &i->found.v[at - 1] : NULL;
}

/* ---- where it goes ---- */

/* Is `path` the folder `top`, or below it? *rest is what is below, with its "/". */
static bool is_below(struct str path, const char *top, struct str *rest)
{
    *rest = path;
    return str_skip(rest, str_of(top)) && (!rest->len || rest->p[0] == '/');
}

/* Write the new place of a path; false when it is left out. */
static bool place(struct buf *out, const struct importing *i, struct str from, enum entry_type type)
{
    struct str rest;

    for (size_t k = 0; k < ARRAY_LEN(rules); k++) {
        if (!is_below(from, rules[k].from, &rest) ||
            (rules[k].component && !str_is(i->component, rules[k].component)))
            continue;
        if (rules[k].to)
            buf_fmt(out, "%s" STR_FMT, rules[k].to, STR_ARG(rest));
        return rules[k].to != NULL;
    }
    if (type == ENTRY_FILE && !str_has(from, '/')) /* LICENSE: each archive has one */
        buf_fmt(out, "share/doc/" STR_FMT "/", STR_ARG(i->component));
    buf_str(out, from);
    return true;
}

/* ---- the folder at the top ---- */

static bool is_top(const struct importing *i, struct str name)
{
    if (!str_skip(&name, i->component) || !str_skip(&name, STR("-")) ||
        !str_drop(&name, STR("-archive")))
        return false;
    for (size_t k = 1; k < name.len; k++) {
        struct str rest = str_sub(name, k, name.len);

        if (str_skip(&rest, STR("-")) && str_skip(&rest, i->version) &&
            (!rest.len || rest.p[0] == '_'))
            return true;
    }
    return false;
}

/* Cut the top folder off *path, which is empty afterwards when it was the folder itself. */
static int cut_top(struct importing *i, struct str *path, enum entry_type type, struct err *e)
{
    struct str head = *path;
    bool inside = str_cut(path, STR("/"), &head);

    if (!inside)
        *path = (struct str){0};
    if (!i->top.len && !is_top(i, head))
        return err_set(e, ERR_INPUT,
                       "%s: \"" STR_FMT "\" at its top is not a folder of " STR_FMT " " STR_FMT,
                       i->what, STR_ARG(head), STR_ARG(i->component), STR_ARG(i->version));
    if (!i->top.len)
        i->top = arena_str(&i->p->arena, head);
    if (!str_eq(i->top, head))
        return err_set(e, ERR_INPUT,
                       "%s: \"" STR_FMT "\" stands beside \"" STR_FMT
                       "\" at its top, where one folder belongs",
                       i->what, STR_ARG(head), STR_ARG(i->top));
    if (!inside && type != ENTRY_DIR)
        return err_set(e, ERR_INPUT, "%s: \"" STR_FMT "\" at its top is not a folder", i->what,
                       STR_ARG(head));
    return 0;
}

/* ---- contents ---- */

static bool is_library(const struct entry *entry)
{
    struct str name = path_base(entry->path), rest;
    size_t at = str_find_str(name, STR(".so"));

    rest = str_sub(name, at, name.len);
    return entry->content.size >= REDIST_LIB_MIN && str_starts(name, STR("lib")) &&
           str_skip(&rest, STR(".so")) && (!rest.len || rest.p[0] == '.');
}

static int keep_library(struct importing *i, struct entry *entry, struct source *data,
                        struct err *e)
{
    CLEANUP(hash_source_clear) struct hash_source h = {0};
    struct redist_lib lib = {.path = entry->path, .size = entry->content.size};

    hash_source_open(&h, data);
    if (spool_put(&entry->content, i->spool, &h.source, lib.size, e) < 0)
        return -1;
    hash_finish(&h.hash, &lib.digest);
    vec_add(&i->p->libs, lib);
    return 0;
}

static int keep_content(struct importing *i, struct entry *entry, struct source *data,
                        struct err *e)
{
    if (is_library(entry))
        return keep_library(i, entry, data, e);
    return spool_keep(&entry->content, i->spool, &i->p->arena, data, entry->content.size, e);
}

static uint32_t plain_mode(const struct entry *entry)
{
    if (entry->type == ENTRY_SYMLINK)
        return 0777;
    return entry->type == ENTRY_DIR || entry->mode & 0111 ? 0755 : 0644;
}

static int take_entry(void *ctx, const struct tar_entry *u, struct source *data, struct err *e)
{
    struct importing *i = ctx;
    CLEANUP(buf_clear) struct buf to = {0};
    struct str from = u->entry.path;
    struct found found = {.entry = u->entry}, *old;

    if (!from.len)
        return 0;
    if (++i->entries > ENTRIES_MAX ||
        __builtin_add_overflow(i->plain, u->entry.content.size, &i->plain) || i->plain > PLAIN_MAX)
        return err_set(e, ERR_INPUT, "%s: more files or bytes than allowed", i->what);
    if (cut_top(i, &from, u->entry.type, e) < 0)
        return -1;
    if (!from.len)
        return 0;
    old = find(i, from);
    if (old && (old->entry.type != ENTRY_DIR || u->entry.type != ENTRY_DIR))
        return err_set(e, ERR_INPUT, "%s: \"" STR_FMT "\" is there twice", i->what, STR_ARG(from));
    if (old)
        return 0;
    found.from = arena_str(&i->p->arena, from);
    found.entry.path = (struct str){0};
    found.entry.link = arena_str(&i->p->arena, u->entry.link);
    found.entry.mode = plain_mode(&u->entry);
    found.entry.uid = found.entry.gid = 0;
    if (place(&to, i, from, u->entry.type)) {
        found.entry.path = arena_str(&i->p->arena, buf_view(&to));
        if (found.entry.type == ENTRY_FILE && keep_content(i, &found.entry, data, e) < 0)
            return -1;
    }
    vec_add(&i->found, found);
    map_set(&i->by_from, found.from, (void *)(uintptr_t)i->found.n);
    return 0;
}

/* ---- links ---- */

/* The folder part with its "/", or nothing. */
static struct str folder_of(struct str path)
{
    return str_sub(path, 0, path.len - path_base(path).len);
}

/* Append the way from the folder `from` ("a/b/", or empty) to the path `to`. */
static void relative(struct buf *out, struct str from, struct str to)
{
    struct str part, a = from, b = to, head;

    while (str_cut(&a, STR("/"), &part) && str_cut(&b, STR("/"), &head) && str_eq(part, head)) {
        from = a;
        to = b;
    }
    while (str_cut(&from, STR("/"), &part))
        buf_puts(out, "../");
    buf_str(out, to);
}

/* What a symlink leads to, below the top folder; ERR_INPUT when it leads out. */
static int target_of(struct buf *out, const struct importing *i, const struct found *f,
                     struct err *e)
{
    CLEANUP(buf_clear) struct buf whole = {0};

    buf_str(&whole, folder_of(f->from));
    buf_str(&whole, f->entry.link);
    if (!str_starts(f->entry.link, STR("/")) && !str_has(f->entry.link, '\0') &&
        path_clean(out, buf_view(&whole)))
        return 0;
    return err_set(e, ERR_INPUT, "%s: the link \"" STR_FMT "\" to \"" STR_FMT "\" leads out of it",
                   i->what, STR_ARG(f->from), STR_ARG(f->entry.link));
}

/* Let the link lead to where its target goes; *keep is false when that stays behind, or is where
 * the link itself goes ("lib64" for "lib"). */
static int settle_symlink(struct importing *i, struct found *f, bool *keep, struct err *e)
{
    CLEANUP(buf_clear) struct buf from = {0}, to = {0}, as_is = {0}, way = {0};
    const struct found *target;
    struct str folder = folder_of(f->entry.path);

    *keep = false;
    if (target_of(&from, i, f, e) < 0)
        return -1;
    target = find(i, buf_view(&from));
    if (!place(&to, i, buf_view(&from), target ? target->entry.type : ENTRY_DIR) ||
        str_eq(buf_view(&to), f->entry.path))
        return 0;
    *keep = true;
    buf_str(&as_is, folder);
    buf_str(&as_is, f->entry.link);
    if (path_clean(&way, buf_view(&as_is)) && str_eq(buf_view(&way), buf_view(&to)))
        return 0;
    buf_reset(&way);
    relative(&way, folder, buf_view(&to));
    f->entry.link = arena_str(&i->p->arena, buf_view(&way));
    return 0;
}

static int settle_hardlink(struct importing *i, struct found *f, struct err *e)
{
    struct str from = f->entry.link, head;
    const struct found *target = NULL;

    if (str_cut(&from, STR("/"), &head) && str_eq(head, i->top))
        target = find(i, from);
    if (!target || !target->entry.path.len || target->entry.type != ENTRY_FILE || target > f)
        return err_set(e, ERR_INPUT,
                       "%s: the hard link \"" STR_FMT "\" to \"" STR_FMT
                       "\" leads to no file that is kept",
                       i->what, STR_ARG(f->from), STR_ARG(f->entry.link));
    f->entry.link = target->entry.path;
    f->entry.mode = target->entry.mode;
    return 0;
}

/* ---- the package ---- */

static int add(struct tree *t, const struct found *f, const char *what, struct err *e)
{
    const struct entry *old = tree_get(t, f->entry.path);

    if (old && old->type == ENTRY_DIR && f->entry.type == ENTRY_DIR) /* lib and lib64 */
        return 0;
    if (old)
        return err_set(e, ERR_INPUT, "%s: two things would stand at \"" STR_FMT "\"", what,
                       STR_ARG(f->entry.path));
    return tree_add(t, &f->entry, false, e) < 0 ? err_wrap(e, "%s", what) : 0;
}

/* Folders that the archive does not tell, or that nothing of it would have. They carry the date of
 * its newest entry, so they are made last. */
static int add_folders(struct tree *t, int64_t mtime, struct err *e)
{
    for (size_t i = 0, n = t->entries.n; i < n; i++)
        if (tree_parents(t, t->entries.v[i].path, mtime, e) < 0)
            return -1;
    return 0;
}

static int put_together(struct tree *t, struct importing *i, struct err *e)
{
    struct found *f;

    vec_each(f, &i->found) {
        bool keep = f->entry.path.len > 0;

        if (keep && f->entry.type == ENTRY_SYMLINK && settle_symlink(i, f, &keep, e) < 0)
            return -1;
        if (keep && f->entry.type == ENTRY_HARDLINK && settle_hardlink(i, f, e) < 0)
            return -1;
        if (keep && add(t, f, i->what, e) < 0)
            return -1;
    }
    if (add_folders(t, tree_newest(t), e) < 0)
        return err_wrap(e, "%s", i->what);
    tree_sort(t);
    return 0;
}

static int compare_libs(const void *a, const void *b)
{
    return str_cmp(((const struct redist_lib *)a)->path, ((const struct redist_lib *)b)->path);
}

/* Hard links to a library may have made another of its names the file. */
static void settle_libs(struct redist_pkg *p, const struct tree *t)
{
    struct redist_lib *lib;

    vec_each(lib, &p->libs) {
        const struct entry *entry = tree_get(t, lib->path);

        if (entry->type == ENTRY_HARDLINK)
            lib->path = arena_str(&p->arena, entry->link);
    }
    vec_sort(&p->libs, compare_libs);
}

int import_redist(struct redist_pkg *out, struct spool *spool, const struct input *archive,
                  struct str component, struct str version, struct err *e)
{
    CLEANUP(redist_pkg_clear) struct redist_pkg p = {0};
    CLEANUP(tree_clear) struct tree tree = {0};
    CLEANUP(importing_clear)
    struct importing i = {
        .p = &p, .spool = spool, .what = archive->name, .component = component, .version = version};
    CLEANUP(tar_clear)
    struct tar_reader *tar =
        tar_open(decompress(source_input(archive, 0, archive->size)), TAR_PACKAGE);

    if (tar_walk(tar, take_entry, &i, e) < 0 || put_together(&tree, &i, e) < 0)
        return -1;
    if (!i.top.len)
        return err_set(e, ERR_INPUT, "%s: an empty archive", archive->name);
    settle_libs(&p, &tree);
    p.name = arena_str(&p.arena, component);
    p.version = arena_str(&p.arena, version);
    p.newest = tree_newest(&tree);
    for (size_t k = 0; k < tree.entries.n; k++) {
        struct entry *entry = vec_push(&p.entries);

        *entry = tree.entries.v[k];
        entry->path = arena_str(&p.arena, entry->path);
        entry->link = arena_str(&p.arena, entry->link);
        if (entry->type == ENTRY_FILE && entry->content.kind == CONTENT_BYTES)
            entry->content.bytes =
                arena_str(&p.arena, (struct str){entry->content.bytes, entry->content.size}).p;
    }
    MOVE(out, &p);
    return 0;
}

void redist_pkg_clear(struct redist_pkg *p)
{
    vec_clear(&p->entries);
    vec_clear(&p->libs);
    arena_clear(&p->arena);
    *p = (struct redist_pkg){0};
}
