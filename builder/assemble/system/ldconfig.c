/* SPDX-License-Identifier: Apache-2.0 */
#include "ldconfig.h"

#include <fnmatch.h>

#include "../../base/path.h"
#include "../../pkg/elf/elf_library.h"
#include "../../pkg/elf/ldcache.h"

enum {
    CONF_DEPTH = 8,
    CONF_MAX = 1024 * 1024,
    CONF_LINES = 10000, /* of all files together */
    LINKS_MAX = 16,
    DIR_MAX = 4096, /* bytes of a folder's path that anybody could open */
};

/* A folder to look into. */
struct dir {
    size_t rank;        /* its place among them */
    struct str text;    /* as written in the configuration */
    struct str real;    /* the same, resolved */
    struct str variant; /* below glibc-hwcaps: the processors that it is for; else empty */
};

/* An entry right in a folder, or right below its glibc-hwcaps. */
struct found {
    const struct dir *dir;
    const struct entry *entry;
    struct str name;
};
struct founds VEC_OF(struct found);

struct config {
    const struct tree *t;
    const struct map *outside;
    bool os_versions; /* as ldconfig noted them before glibc 2.36 */
    struct arena arena;
    unsigned lines; /* of the configuration */
    struct VEC_OF(const struct dir *) dirs;
    struct map by_real;   /* real path to dir */
    struct strs variants; /* names of folders below glibc-hwcaps */
    struct founds found;
    struct ldcache_libs libs;
    struct map seen; /* paths of libs */
    int64_t newest;
};

static void config_clear(struct config *c)
{
    map_clear(&c->seen);
    vec_clear(&c->libs);
    vec_clear(&c->found);
    vec_clear(&c->variants);
    map_clear(&c->by_real);
    vec_clear(&c->dirs);
    arena_clear(&c->arena);
}

static void note_date(struct config *c, const struct entry *entry)
{
    if (entry->mtime > c->newest)
        c->newest = entry->mtime;
}

union content_reader {
    struct blob_reader_bytes bytes;
    struct blob_reader_file file;
};

/* NULL for what can only be read in order. */
static struct blob_reader *content_open(union content_reader *r, const struct content *c)
{
    switch (c->kind) {
    case CONTENT_BYTES:
        blob_reader_bytes_init(&r->bytes, (struct str){c->bytes, c->size}, "library");
        return &r->bytes.reader;
    case CONTENT_RANGE:
        blob_reader_file_init(&r->file, c->input->fd.n, c->offset, c->size, "library");
        return &r->file.reader;
    case CONTENT_DEFLATE:
        break;
    }
    return NULL;
}

/* ---- configuration ---- */

static int read_conf(struct config *c, struct str path, unsigned depth, struct err *e);

/* "include /etc/ld.so.conf.d/\*.conf": the matching files in byte order. */
static int include(struct config *c, struct str pattern, unsigned depth, struct err *e)
{
    struct strs found = {0};
    const struct entry *entry;
    int rc = 0;

    str_skip(&pattern, STR("/"));
    CLEANUP(free_clear) char *glob = str_dup(pattern);
    vec_each(entry, &c->t->entries)
        if (entry->type != ENTRY_DIR && fnmatch(glob, entry->path.p, FNM_PATHNAME) == 0)
            vec_add(&found, entry->path);
    vec_sort(&found, str_compare);
    for (size_t i = 0; i < found.n && rc == 0; i++)
        rc = read_conf(c, found.v[i], depth + 1, e);
    vec_clear(&found);
    return rc;
}

static void add_dir(struct config *c, struct str text, struct str variant)
{
    struct str relative = text;
    struct dir *dir;

    str_skip(&relative, STR("/"));
    const struct entry *real = text.len <= DIR_MAX ? tree_follow(c->t, relative) : NULL;
    if (!real || real->type != ENTRY_DIR || map_has(&c->by_real, real->path))
        return;
    dir = arena_alloc(&c->arena, sizeof *dir);
    *dir = (struct dir){c->dirs.n, text, real->path, variant};
    vec_add(&c->dirs, dir);
    map_set(&c->by_real, dir->real, dir);
}

static int read_conf(struct config *c, struct str path, unsigned depth, struct err *e)
{
    const struct entry *entry = tree_follow(c->t, path);
    union content_reader reader;
    struct str line, dir;

    if (!entry || entry->type != ENTRY_FILE)
        return 0;
    if (depth > CONF_DEPTH || entry->content.size > CONF_MAX)
        return err_set(e, ERR_INPUT, "/" STR_FMT ": includes too deep or too large", STR_ARG(path));
    note_date(c, entry);
    size_t size = (size_t)entry->content.size;
    char *bytes = arena_alloc(&c->arena, size + 1);
    struct blob_reader *in = content_open(&reader, &entry->content);
    if (!in)
        return err_set(e, ERR_INPUT, "/" STR_FMT " cannot be read", STR_ARG(path));
    if (blob_reader_read(in, bytes, size, 0, e) < 0)
        return err_wrap(e, "/" STR_FMT, STR_ARG(path));
    struct str text = {bytes, size};
    while (str_line(&text, &line)) {
        if (++c->lines > CONF_LINES)
            return err_set(e, ERR_INPUT,
                           "/etc/ld.so.conf and what it includes have more than %d lines",
                           CONF_LINES);
        line = str_trim(str_sub(line, 0, str_find(line, '#')));
        if (str_skip(&line, STR("include "))) {
            while (str_word(&line, &dir))
                if (include(c, dir, depth, e) < 0)
                    return -1;
        } else if (str_starts(line, STR("/"))) {
            str_drop(&line, STR("/"));
            add_dir(c, line, STR(""));
        }
    }
    return 0;
}

static bool is_library_name(struct str name)
{
    return (str_starts(name, STR("lib")) || str_starts(name, STR("ld-"))) &&
           str_find_str(name, STR(".so")) < name.len && !str_has(name, ';') &&
           !str_ends(name, STR(".dpkg-new")) && !str_ends(name, STR(".dpkg-tmp")) &&
           str_find_str(name, STR(".#prelink#.")) == name.len;
}

/* "libx.so" for the linker, which points to libx.so.1: listed under its own name. */
static bool is_linker_name(struct str name, struct str soname)
{
    return str_ends(name, STR(".so")) && str_starts(soname, name);
}

/* "a/b" in "a": its folder and name. */
static const struct dir *dir_of(const struct config *c, struct str path, struct str *name)
{
    *name = path_base(path);
    return name->len < path.len ? map_get(&c->by_real, str_sub(path, 0, path.len - name->len - 1))
                                : NULL;
}

static int compare_found(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    size_t i = x->dir->rank, j = y->dir->rank;

    return i == j ? (x->entry > y->entry) - (x->entry < y->entry) : (i > j) - (i < j);
}

static int compare_variants(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    size_t i = x->dir->rank, j = y->dir->rank;

    return i == j ? str_cmp(x->name, y->name) : (i > j) - (i < j);
}

/* The folders right below a folder's glibc-hwcaps: libraries for some processors only. */
static void add_variants(struct config *c)
{
    const struct entry *entry, *real;
    const struct found *f;

    vec_each(entry, &c->t->entries) {
        struct str name = path_base(entry->path), folder, hwcaps;
        const struct dir *dir;

        if (name.len == entry->path.len || str_has(name, ':') || str_starts(name, STR(".")))
            continue;
        folder = str_sub(entry->path, 0, entry->path.len - name.len - 1);
        dir = dir_of(c, folder, &hwcaps);
        if (!dir || !str_is(hwcaps, "glibc-hwcaps"))
            continue;
        real = tree_follow(c->t, entry->path);
        if (real && real->type == ENTRY_DIR)
            vec_add(&c->found, ((struct found){dir, entry, name}));
    }
    vec_sort(&c->found, compare_variants);
    vec_each(f, &c->found) {
        vec_add(&c->variants, f->name);
        add_dir(c,
                str_of(arena_fmt(&c->arena, STR_FMT "/glibc-hwcaps/" STR_FMT, STR_ARG(f->dir->text),
                                 STR_ARG(f->name))),
                f->name);
    }
    vec_clear(&c->found);
}

/* ---- libraries ---- */

static void add_lib(struct config *c, const struct dir *dir, const struct elf_library *library)
{
    struct str soname = library->soname;
    struct str path =
        str_of(arena_fmt(&c->arena, STR_FMT "/" STR_FMT, STR_ARG(dir->text), STR_ARG(soname)));
    struct str real =
        str_of(arena_fmt(&c->arena, STR_FMT "/" STR_FMT, STR_ARG(dir->real), STR_ARG(soname)));

    if (map_has(&c->seen, path) || !tree_get(c->t, real))
        return;
    map_set(&c->seen, path, c);
    vec_add(&c->libs,
            ((struct ldcache_lib){soname, path, dir->variant,
                                  c->os_versions ? library->os_version : 0, library->isa}));
}

/* Where a link leads, by way of others, outside of the tree; empty when it does not. */
static struct str leads_to(const struct tree *t, const struct entry *entry)
{
    CLEANUP(buf_clear) struct buf beside = {0};

    for (unsigned hops = 0; entry->type == ENTRY_SYMLINK && hops < LINKS_MAX; hops++) {
        struct str target = entry->link, inside = target;
        size_t folder = entry->path.len - path_base(entry->path).len;

        if (!str_skip(&inside, STR("/"))) {
            buf_reset(&beside);
            buf_fmt(&beside, STR_FMT STR_FMT, STR_ARG(str_sub(entry->path, 0, folder)),
                    STR_ARG(target));
            inside = buf_view(&beside);
        }
        entry = tree_get(t, inside);
        if (!entry)
            return str_starts(target, STR("/")) ? target : STR("");
    }
    return STR("");
}

/* A link to a library of a wheel. */
static void look_outside(struct config *c, const struct dir *dir, const struct entry *entry,
                         struct str name)
{
    struct str target = leads_to(c->t, entry), soname = path_base(target);

    if (!target.len || !map_has(c->outside, target) ||
        str_find_str(soname, STR(".so")) == soname.len)
        return;
    note_date(c, entry);
    add_lib(c, dir, &(struct elf_library){is_linker_name(name, soname) ? name : soname, 0, 0});
}

static void look_at(struct config *c, const struct dir *dir, const struct entry *entry,
                    struct str name)
{
    const struct entry *file = tree_follow(c->t, entry->path);
    struct elf_library library;
    union content_reader reader;
    struct blob_reader *in;

    if (!file && entry->type == ENTRY_SYMLINK && c->outside) {
        look_outside(c, dir, entry, name);
        return;
    }

    if (file && file->type == ENTRY_HARDLINK)
        file = tree_get(c->t, file->link);
    if (!file || file->type != ENTRY_FILE)
        return;
    in = content_open(&reader, &file->content);
    if (!in || !elf_library_read(&library, &c->arena, in))
        return;
    note_date(c, entry);
    note_date(c, file);
    if (!library.soname.len ||
        (entry->type == ENTRY_SYMLINK && is_linker_name(name, library.soname)))
        library.soname = name;
    add_lib(c, dir, &library);
}

static void look(struct config *c)
{
    const struct entry *entry;
    const struct found *f;

    vec_each(entry, &c->t->entries) {
        struct str name;
        const struct dir *dir = dir_of(c, entry->path, &name);

        if (dir && entry->type != ENTRY_DIR && is_library_name(name))
            vec_add(&c->found, ((struct found){dir, entry, name}));
    }
    vec_sort(&c->found, compare_found);
    vec_each(f, &c->found)
        look_at(c, f->dir, f->entry, f->name);
}

int ldconfig(struct buf *out, const struct tree *t, struct str generator, bool os_versions,
             const struct map *outside, int64_t *newest, struct err *e)
{
    static const char *const defaults[] = {"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu",
                                           "/lib", "/usr/lib"};
    CLEANUP(config_clear)
    struct config c = {.t = t, .outside = outside, .os_versions = os_versions};

    if (read_conf(&c, STR("etc/ld.so.conf"), 0, e) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
        add_dir(&c, str_of(defaults[i]), STR(""));
    add_variants(&c);
    look(&c);
    if (ldcache_write(out, &c.libs, &c.variants, generator, e) < 0)
        return -1;
    if (newest)
        *newest = c.newest;
    return 0;
}
