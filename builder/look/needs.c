/* SPDX-License-Identifier: Apache-2.0 */
#include "needs.h"

#include "../base/path.h"

enum {
    LINKS_MAX = 40, /* as Linux follows */
    LOADED_MAX = 4096,
};

/* What the NVIDIA Container Toolkit brings into a container from the host's driver, and for which
 * of NVIDIA_DRIVER_CAPABILITIES. Source: NVIDIA/libnvidia-container, src/nvc_info.c. */
static const struct {
    const char *name, *capability;
} driver_names[] = {
    {"libcuda.so.1", "compute"},
    {"libcudadebugger.so.1", "compute"},
    {"libnvcuvid.so.1", "video"},
    {"libnvidia-allocator.so.1", "compute"},
    {"libnvidia-cfg.so.1", "utility"},
    {"libnvidia-encode.so.1", "video"},
    {"libnvidia-fbc.so.1", "graphics"},
    {"libnvidia-ml.so.1", "utility"},
    {"libnvidia-nvvm.so.4", "compute"},
    {"libnvidia-opencl.so.1", "compute"},
    {"libnvidia-opticalflow.so.1", "video"},
    {"libnvidia-ptxjitcompiler.so.1", "compute"},
    {"libnvoptix.so.1", "graphics"},
};

/* Debian's and Ubuntu's loaders for x86-64 look here last, then where others' do. */
static const char *const default_dirs[] = {
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
};

struct str needs_driver_capability(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(driver_names); i++)
        if (str_is(name, driver_names[i].name))
            return str_of(driver_names[i].capability);
    return (struct str){0};
}

/* A file as the map's value. */
struct placed {
    struct str path;
    const struct elf *elf;
};

static void note_name(struct needs *n, struct str name, struct placed *p)
{
    const struct placed *had = map_get(&n->sonames, name);

    if (name.len && (!had || str_cmp(p->path, had->path) < 0)) /* whatever the order of adding */
        map_set(&n->sonames, name, p);
}

void needs_add_file(struct needs *n, struct str path, const struct elf *elf)
{
    struct placed *p = arena_alloc(&n->arena, sizeof *p);

    *p = (struct placed){path, elf};
    map_set(&n->files, path, p);
    note_name(n, path_base(path), p);
    note_name(n, elf->soname, p);
}

void needs_add_link(struct needs *n, struct str path, struct str target)
{
    struct str *value = arena_alloc(&n->arena, sizeof *value);

    *value = target;
    map_set(&n->links, path, value);
}

void needs_add_cached(struct needs *n, struct str name, struct str path)
{
    struct str *value;

    if (map_has(&n->cache, name))
        return;
    value = arena_alloc(&n->arena, sizeof *value);
    *value = path;
    map_set(&n->cache, name, value);
}

void needs_clear(struct needs *n)
{
    map_clear(&n->files);
    map_clear(&n->links);
    map_clear(&n->sonames);
    map_clear(&n->cache);
    vec_clear(&n->library_path);
    arena_clear(&n->arena);
    *n = (struct needs){0};
}

void needs_findings_clear(struct needs_findings *f)
{
    vec_clear(&f->v);
    vec_clear(&f->loaded);
    arena_clear(&f->arena);
    *f = (struct needs_findings){0};
}

/* Climb out of the last part of `path`; the root stays. */
static void drop_part(struct buf *path)
{
    while (path->len && path->p[--path->len] != '/')
        continue;
    if (path->p)
        path->p[path->len] = 0;
}

/* Follow all links on the way to `path`. NULL when no file is there. */
static const struct placed *find_file(const struct needs *n, struct str path)
{
    CLEANUP(buf_clear) struct buf rest = {0}, at = {0};
    struct str left, part;
    unsigned links = 0;

    buf_str(&rest, path);
    left = buf_view(&rest);
    while (str_item(&left, '/', &part)) {
        const struct str *target;

        if (!part.len || str_is(part, "."))
            continue;
        if (str_is(part, "..")) {
            drop_part(&at);
            continue;
        }
        buf_putc(&at, '/');
        buf_str(&at, part);
        target = map_get(&n->links, buf_view(&at));
        if (!target)
            continue;
        if (++links > LINKS_MAX || !target->len)
            return NULL;
        CLEANUP(buf_clear) struct buf next = {0};
        buf_str(&next, *target);
        buf_putc(&next, '/');
        buf_str(&next, left);
        if (target->p[0] == '/')
            buf_reset(&at);
        else
            drop_part(&at);
        buf_clear(&rest);
        MOVE(&rest, &next);
        left = buf_view(&rest);
    }
    return map_get(&n->files, buf_view(&at));
}

/* A file in memory. */
struct loaded {
    const struct placed *file;
    struct str path;  /* as it was found, links and all: $ORIGIN hangs on it */
    struct str name;  /* as it was asked for */
    size_t loaded_by; /* index; the root's is its own */
};

struct loader {
    const struct needs *n;
    struct needs_findings *out;
    struct VEC_OF(struct loaded) all;
};

static void loader_clear(struct loader *l)
{
    vec_clear(&l->all);
}

static const struct elf *elf_of(const struct loader *l, size_t i)
{
    return l->all.v[i].file->elf;
}

static struct str origin_of(const struct loader *l, size_t i)
{
    struct str path = l->all.v[i].path, base = path_base(path);

    return str_sub(path, 0, path.len > base.len + 1 ? path.len - base.len - 1 : 1);
}

/* Write `text` with $ORIGIN expanded; false when it has another token. */
static bool expand(struct buf *out, struct str text, struct str origin)
{
    while (text.len) {
        size_t n = str_find(text, '$');

        buf_str(out, str_sub(text, 0, n));
        text = str_sub(text, n, text.len);
        if (!text.len)
            break;
        if (!str_skip(&text, STR("${ORIGIN}")) && !str_skip(&text, STR("$ORIGIN")))
            return false;
        buf_str(out, origin);
    }
    return true;
}

/* The file at `path`, if it is one that root's machine can load. */
static const struct placed *usable(const struct loader *l, struct str path)
{
    const struct placed *p = find_file(l->n, path);
    const struct elf *root = elf_of(l, 0);

    return p && p->elf->machine == root->machine && p->elf->bits == root->bits ? p : NULL;
}

struct hit {
    const struct placed *file;
    struct str path; /* in the findings' arena */
};

static bool try_dir(struct hit *out, struct loader *l, struct str dir, struct str name)
{
    CLEANUP(buf_clear) struct buf path = {0};

    buf_str(&path, dir);
    buf_putc(&path, '/');
    buf_str(&path, name);
    out->file = usable(l, buf_view(&path));
    if (out->file)
        out->path = arena_str(&l->out->arena, buf_view(&path));
    return out->file;
}

/* A colon-separated RPATH or RUNPATH of the file loaded as number `i`. */
static bool try_path(struct hit *out, struct loader *l, struct str dirs, size_t i, struct str name)
{
    struct str dir;

    while (str_item(&dirs, ':', &dir)) {
        CLEANUP(buf_clear) struct buf expanded = {0};

        if (dir.len && expand(&expanded, dir, origin_of(l, i)) && expanded.p[0] == '/' &&
            try_dir(out, l, buf_view(&expanded), name))
            return true;
    }
    return false;
}

static bool try_rpaths(struct hit *out, struct loader *l, size_t i, struct str name)
{
    if (elf_of(l, i)->runpath.len)
        return false;
    for (;;) {
        const struct elf *elf = elf_of(l, i);

        if (!elf->runpath.len && elf->rpath.len && try_path(out, l, elf->rpath, i, name))
            return true;
        if (i == l->all.v[i].loaded_by)
            return false;
        i = l->all.v[i].loaded_by;
    }
}

static bool try_dirs(struct hit *out, struct loader *l, const struct strs *dirs, struct str name)
{
    const struct str *dir;

    vec_each(dir, dirs)
        if (dir->len && try_dir(out, l, *dir, name))
            return true;
    return false;
}

static bool try_cache(struct hit *out, struct loader *l, struct str name)
{
    const struct str *path = map_get(&l->n->cache, name);

    if (!path)
        return false;
    out->file = usable(l, *path);
    out->path = *path;
    return out->file;
}

static bool search(struct hit *out, struct loader *l, size_t i, struct str name)
{
    if (str_has(name, '/')) {
        CLEANUP(buf_clear) struct buf path = {0};

        /* A relative one hangs on the working directory, which nobody knows here. */
        if (!expand(&path, name, origin_of(l, i)) || path.p[0] != '/')
            return false;
        out->file = usable(l, buf_view(&path));
        if (out->file)
            out->path = arena_str(&l->out->arena, buf_view(&path));
        return out->file;
    }
    if (try_rpaths(out, l, i, name) || try_dirs(out, l, &l->n->library_path, name) ||
        try_path(out, l, elf_of(l, i)->runpath, i, name) || try_cache(out, l, name))
        return true;
    for (size_t d = 0; d < ARRAY_LEN(default_dirs); d++)
        if (try_dir(out, l, str_of(default_dirs[d]), name))
            return true;
    return false;
}

/* Who is loaded under that name already? l->all.n when nobody is. */
static size_t find_loaded(const struct loader *l, struct str name)
{
    size_t i = 0;

    while (i < l->all.n && !str_eq(l->all.v[i].name, name) && !str_eq(elf_of(l, i)->soname, name))
        i++;
    return i;
}

static int load(struct loader *l, size_t by, struct str name, struct err *e)
{
    struct str file = l->all.v[by].file->path;
    struct hit hit;

    if (find_loaded(l, name) < l->all.n)
        return 0;
    if (!search(&hit, l, by, name)) {
        const struct placed *elsewhere = map_get(&l->n->sonames, path_base(name));

        vec_add(&l->out->v,
                ((struct needs_finding){
                    .kind = needs_driver_capability(name).len ? NEEDS_DRIVER : NEEDS_MISSING,
                    .file = file,
                    .name = name,
                    .found = elsewhere ? elsewhere->path : (struct str){0},
                }));
        return 0;
    }
    for (size_t i = 0; i < l->all.n; i++)
        if (l->all.v[i].file == hit.file)
            return 0; /* the same file under another name */
    if (l->all.n >= LOADED_MAX)
        return err_set(e, ERR_INPUT, STR_FMT ": needs more than %d libraries",
                       STR_ARG(l->all.v[0].path), LOADED_MAX);
    vec_add(&l->all, ((struct loaded){hit.file, hit.path, name, by}));
    return 0;
}

static bool defines(const struct elf *elf, struct str version)
{
    const struct str *s;

    vec_each(s, &elf->defines)
        if (str_eq(*s, version))
            return true;
    return !elf->defines.n; /* the loader warns at most */
}

static void check_versions(struct loader *l, size_t i)
{
    const struct elf_need *need;

    vec_each(need, &elf_of(l, i)->needs) {
        size_t of = find_loaded(l, need->library);

        if (of < l->all.n && !need->weak && !defines(elf_of(l, of), need->version))
            vec_add(&l->out->v, ((struct needs_finding){
                                    .kind = NEEDS_VERSION,
                                    .file = l->all.v[i].file->path,
                                    .name = need->library,
                                    .version = need->version,
                                    .found = l->all.v[of].file->path,
                                }));
    }
}

int needs_check(struct needs_findings *out, const struct needs *n, struct str root, struct err *e)
{
    CLEANUP(needs_findings_clear) struct needs_findings findings = {0};
    CLEANUP(loader_clear) struct loader l = {.n = n, .out = &findings};
    const struct placed *file = find_file(n, root);

    if (!file)
        return err_set(e, ERR_INPUT, STR_FMT ": no such program or library", STR_ARG(root));
    /* The kernel and $ORIGIN take a program's real place. */
    vec_add(&l.all, ((struct loaded){file, file->path, path_base(file->path), 0}));
    if (file->elf->interpreter.len && !usable(&l, file->elf->interpreter))
        vec_add(&findings.v, ((struct needs_finding){.kind = NEEDS_INTERPRETER,
                                                     .file = file->path,
                                                     .name = file->elf->interpreter}));
    /* Breadth first, as the loader does: it decides which of two libraries of a name is taken. */
    for (size_t i = 0; i < l.all.n; i++) {
        const struct elf *elf = elf_of(&l, i);

        for (size_t j = 0; j < elf->needed.n; j++)
            if (load(&l, i, elf->needed.v[j], e) < 0)
                return -1;
    }
    for (size_t i = 0; i < l.all.n; i++)
        check_versions(&l, i);
    for (size_t i = 0; i < l.all.n; i++)
        vec_add(&findings.loaded, ((struct needs_loaded){l.all.v[i].name, l.all.v[i].file->path}));
    MOVE(out, &findings);
    return 0;
}
