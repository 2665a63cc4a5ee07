/* SPDX-License-Identifier: Apache-2.0 */
#include "proof.h"

#include "../base/path.h"
#include "../pkg/elf/ldcache.h"

/* Of the driver, where the image does not say. */
#define CAPABILITIES "compute,utility"

const char *proof_kind_name(enum proof_kind k)
{
    static const char *const names[] = {"missing-library", "missing-version", "missing-loader",
                                        "missing-capability", "two-files-of-a-name"};

    return names[k];
}

static struct str absolute(struct proof *p, struct str path)
{
    return str_of(arena_fmt(&p->arena, "/" STR_FMT, STR_ARG(path)));
}

static bool has_part(struct str path, const char *part)
{
    return str_find_str(path, str_of(part)) < path.len;
}

void proof_add_file(struct proof *p, struct str path, const struct elf *elf, struct str owner)
{
    struct str at = absolute(p, path);

    if (has_part(at, "/stubs/"))
        return;
    needs_add_file(&p->needs, at, elf);
    if (elf->dynamic && !has_part(at, "/compat/"))
        vec_add(&p->roots, ((struct proof_root){at, owner, elf}));
}

void proof_add_link(struct proof *p, struct str path, struct str target)
{
    needs_add_link(&p->needs, absolute(p, path), target);
}

static void take_env(struct proof *p, const struct strs *env)
{
    const struct str *line;

    vec_each(line, env) {
        struct str dirs = *line, dir;

        if (str_skip(&dirs, STR("NVIDIA_DRIVER_CAPABILITIES=")))
            p->capabilities = dirs;
        if (!str_skip(&dirs, STR("LD_LIBRARY_PATH=")))
            continue;
        vec_clear(&p->needs.library_path); /* the last one counts */
        while (str_item(&dirs, ':', &dir))
            vec_add(&p->needs.library_path, dir);
    }
}

void proof_cached(struct proof *p, struct str name, struct str path)
{
    needs_add_cached(&p->needs, name, path);
}

void proof_cache(struct proof *p, struct str bytes)
{
    struct ldcache_libs list = {0};
    const struct ldcache_lib *lib;

    (void)!ldcache_read(&list, bytes); /* the loader does without a damaged one, too */
    vec_each(lib, &list)
        proof_cached(p, lib->soname, lib->path);
    vec_clear(&list);
}

static struct str owner_of(const struct scanned *g, const struct packages *packages,
                           struct str path)
{
    const struct package *owner = packages ? packages_owner(packages, path) : NULL;

    return owner ? owner->name : g->owner;
}

void proof_image(struct proof *p, const struct rootfs *fs, const struct packages *packages,
                 const struct strs *env, struct str architecture)
{
    p->machine = str_is(architecture, "amd64")   ? ELF_MACHINE_X86_64
                 : str_is(architecture, "arm64") ? ELF_MACHINE_AARCH64
                                                 : 0;
    take_env(p, env);
    for (size_t i = 0; i < fs->nodes.n; i++) {
        const struct rootfs_node *n = fs->nodes.v[i];
        const struct scanned *g = n->note;

        if (n->gone)
            continue;
        if (n->type == ENTRY_SYMLINK)
            proof_add_link(p, n->path, n->link);
        else if (g && !g->fault.len)
            proof_add_file(p, n->path, &g->elf, owner_of(g, packages, n->path));
    }
}

void proof_clear(struct proof *p)
{
    needs_clear(&p->needs);
    map_clear(&p->reached);
    map_clear(&p->owners);
    map_clear(&p->told);
    vec_clear(&p->roots);
    vec_clear(&p->findings);
    arena_clear(&p->arena);
    *p = (struct proof){0};
}

/* ---- Python ---- */

/* The site-packages folder above `path`; empty when there is none. */
static struct str site_of(struct str path)
{
    static const char *const names[] = {"/site-packages/", "/dist-packages/"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t at = str_find_str(path, str_of(names[i]));

        if (at < path.len)
            return str_sub(path, 0, at + strlen(names[i]));
    }
    return (struct str){0};
}

/* The path below it. */
static struct str site_rest(struct str path)
{
    return str_sub(path, site_of(path).len, path.len);
}

/* Is it of the libraries that `import torch` loads by their path, seen from `file`? */
static bool is_preloaded(struct str file, struct str found)
{
    struct str site = site_of(file), rest = found;

    return site.len && str_skip(&rest, site) &&
           (str_starts(rest, STR("nvidia/")) || str_starts(rest, STR("torch/lib/")));
}

/* ---- the proof ---- */

static void put(struct proof *p, const struct proof_finding *f)
{
    struct proof_finding own = *f;

    own.file = arena_str(&p->arena, f->file);
    own.name = arena_str(&p->arena, f->name);
    own.version = arena_str(&p->arena, f->version);
    own.found = arena_str(&p->arena, f->found);
    own.other = arena_str(&p->arena, f->other);
    vec_add(&p->findings, own);
}

/* What a name means in a process of one site-packages. */
struct meaning {
    struct map names;
    struct str site;
};

static void meaning_clear(struct meaning *m)
{
    map_clear(&m->names);
}

static void check_meaning(struct proof *p, struct meaning *m, const struct proof_root *root,
                          const struct needs_findings *f)
{
    const struct needs_loaded *l;

    vec_each(l, &f->loaded) {
        const struct str *had = map_get(&m->names, l->name);
        struct str *path;

        if (l == f->loaded.v) /* itself, which nobody asked for by name */
            continue;
        if (had && !str_eq(*had, l->path))
            put(p, &(struct proof_finding){.kind = PROOF_TWO_FILES,
                                           .reached = true,
                                           .file = root->path,
                                           .owner = root->owner,
                                           .name = l->name,
                                           .found = *had,
                                           .other = l->path});
        if (had)
            continue;
        path = arena_alloc(&p->arena, sizeof *path);
        *path = arena_str(&p->arena, l->path);
        map_set(&m->names, arena_str(&p->arena, l->name), path);
    }
}

/* Do NVIDIA's container tools bring what belongs to a capability? */
static bool is_brought(const struct proof *p, struct str capability)
{
    struct str rest = p->capabilities.len ? p->capabilities : STR(CAPABILITIES), item;

    while (str_item(&rest, ',', &item))
        if (str_eq(str_trim(item), capability) || str_is(str_trim(item), "all"))
            return true;
    return false;
}

/* Of the driver. */
static void take_driver(struct proof *p, const struct needs_finding *f, struct str owner,
                        bool reached)
{
    struct str capability = needs_driver_capability(f->name);

    if (!is_brought(p, capability))
        put(p, &(struct proof_finding){.kind = PROOF_CAPABILITY,
                                       .reached = reached,
                                       .file = f->file,
                                       .owner = owner,
                                       .name = f->name,
                                       .version = capability,
                                       .found = p->capabilities.len ? p->capabilities
                                                                    : STR(CAPABILITIES)});
}

/* A library that many load is told once. */
static bool is_told(struct proof *p, const struct needs_finding *f)
{
    struct str key = str_of(arena_fmt(&p->arena, STR_FMT " " STR_FMT " " STR_FMT, STR_ARG(f->file),
                                      STR_ARG(f->name), STR_ARG(f->version)));

    return map_set(&p->told, key, p) != NULL;
}

static void take(struct proof *p, const struct needs_finding *f, bool reached)
{
    static const enum proof_kind kinds[] = {[NEEDS_MISSING] = PROOF_MISSING,
                                            [NEEDS_VERSION] = PROOF_VERSION,
                                            [NEEDS_INTERPRETER] = PROOF_INTERPRETER};
    const struct str *owner = map_get(&p->owners, f->file);

    if ((f->kind == NEEDS_MISSING && is_preloaded(f->file, f->found)) || is_told(p, f))
        return;
    if (f->kind == NEEDS_DRIVER) {
        take_driver(p, f, owner ? *owner : (struct str){0}, reached);
        return;
    }
    put(p, &(struct proof_finding){.kind = kinds[f->kind],
                                   .reached = reached,
                                   .file = f->file,
                                   .owner = owner ? *owner : (struct str){0},
                                   .name = f->name,
                                   .version = f->version,
                                   .found = f->found});
}

/* Is it loaded by itself? A module of Python's is not called lib-something. */
static bool is_primary(const struct proof_root *root)
{
    struct str rest = site_rest(root->path);

    if (root->elf->interpreter.len)
        return true;
    if (!site_of(root->path).len || str_starts(rest, STR("nvidia/")))
        return false;
    return !str_starts(path_base(rest), STR("lib")) ||
           str_is(rest, "torch/lib/libtorch_global_deps.so"); /* `import torch` begins with it */
}

static void note_reached(struct proof *p, const struct needs_findings *f)
{
    const struct needs_loaded *l;

    vec_each(l, &f->loaded)
        if (!map_has(&p->reached, l->path))
            map_set(&p->reached, arena_str(&p->arena, l->path), p);
}

static int root_compare(const void *a, const void *b)
{
    const struct proof_root *x = a, *y = b;
    int order = str_cmp(site_of(x->path), site_of(y->path));

    return order ? order : str_cmp(x->path, y->path);
}

static int finding_compare(const void *a, const void *b)
{
    const struct proof_finding *x = a, *y = b;
    int order = (int)y->reached - (int)x->reached;

    if (!order)
        order = (int)x->kind - (int)y->kind;
    if (!order)
        order = str_cmp(x->name, y->name);
    return order ? order : str_cmp(x->file, y->file);
}

/* Programs and modules: all that they load, and what names mean to those of one site-packages. */
static int check_primaries(struct proof *p, struct err *e)
{
    CLEANUP(meaning_clear) struct meaning m = {0};
    const struct proof_root *root;

    vec_each(root, &p->roots) {
        CLEANUP(needs_findings_clear) struct needs_findings f = {0};
        struct str site = site_of(root->path);

        if (!is_primary(root))
            continue;
        if (needs_check(&f, &p->needs, root->path, e) < 0)
            return -1;
        note_reached(p, &f);
        for (size_t i = 0; i < f.v.n; i++)
            take(p, &f.v.v[i], true);
        if (!str_eq(site, m.site)) {
            map_clear(&m.names);
            m.site = site;
        }
        if (site.len)
            check_meaning(p, &m, root, &f);
    }
    return 0;
}

/* What nobody was seen to load: on its own. */
static int check_others(struct proof *p, struct err *e)
{
    const struct proof_root *root;

    vec_each(root, &p->roots) {
        CLEANUP(needs_findings_clear) struct needs_findings f = {0};

        if (map_has(&p->reached, root->path))
            continue;
        if (needs_check(&f, &p->needs, root->path, e) < 0)
            return -1;
        for (size_t i = 0; i < f.v.n; i++)
            if (str_eq(f.v.v[i].file, root->path)) /* the others are roots of their own */
                take(p, &f.v.v[i], false);
    }
    return 0;
}

/* Files for other processors are none of the image's own. */
static void choose_roots(struct proof *p)
{
    size_t kept = 0;

    for (size_t i = 0; i < p->roots.n; i++)
        if (!p->machine || p->roots.v[i].elf->machine == p->machine)
            p->roots.v[kept++] = p->roots.v[i];
    p->roots.n = p->checked = kept;
    vec_sort(&p->roots, root_compare);
    for (size_t i = 0; i < kept; i++)
        map_set(&p->owners, p->roots.v[i].path, &p->roots.v[i].owner);
}

int proof_run(struct proof *p, struct err *e)
{
    choose_roots(p);
    if (check_primaries(p, e) < 0 || check_others(p, e) < 0)
        return -1;
    vec_sort(&p->findings, finding_compare);
    return 0;
}

void proof_words(struct buf *out, const struct proof_finding *f)
{
    buf_str(out, f->file);
    if (f->owner.len)
        buf_fmt(out, " (" STR_FMT ")", STR_ARG(f->owner));
    switch (f->kind) {
    case PROOF_MISSING:
        buf_fmt(out, " needs " STR_FMT ", which is not in the image", STR_ARG(f->name));
        if (f->found.len)
            buf_fmt(out, " where the loader looks; " STR_FMT " is", STR_ARG(f->found));
        return;
    case PROOF_VERSION:
        buf_fmt(out, " needs " STR_FMT " of " STR_FMT ", which " STR_FMT " does not have",
                STR_ARG(f->version), STR_ARG(f->name), STR_ARG(f->found));
        return;
    case PROOF_INTERPRETER:
        buf_fmt(out, " is started by " STR_FMT ", which is not in the image", STR_ARG(f->name));
        return;
    case PROOF_CAPABILITY:
        buf_fmt(out,
                " needs " STR_FMT " of the driver, which NVIDIA_DRIVER_CAPABILITIES=" STR_FMT
                " does not bring; write `env: {NVIDIA_DRIVER_CAPABILITIES: \"" STR_FMT "," STR_FMT
                "\"}`",
                STR_ARG(f->name), STR_ARG(f->found), STR_ARG(f->found), STR_ARG(f->version));
        return;
    case PROOF_TWO_FILES:
        buf_fmt(out, " takes " STR_FMT " from " STR_FMT ", others beside it from " STR_FMT,
                STR_ARG(f->name), STR_ARG(f->other), STR_ARG(f->found));
        return;
    }
}
