/* SPDX-License-Identifier: Apache-2.0 */
#include "packages.h"

#include "../base/path.h"
#include "../doc/json.h"
#include "../pkg/deb/control.h"
#include "../pkg/pypi/pep508.h"

struct finder {
    struct packages *out;
    const struct rootfs *fs;
};

const char *package_manager_name(enum package_manager m)
{
    static const char *const names[] = {"pip", "conda", "dpkg", "apk"};

    return names[m];
}

static struct package *add(struct finder *f, enum package_manager manager, struct str name,
                           struct str version, struct str where)
{
    struct package *p = arena_alloc(&f->out->arena, sizeof *p);

    *p = (struct package){.manager = manager,
                          .name = name,
                          .version = version,
                          .key = pep503_name(&f->out->arena, name),
                          .where = where};
    vec_add(&f->out->list, p);
    return p;
}

/* The file at `path`, perhaps named by way of a folder that is a link ("lib/x" for "usr/lib/x"). */
static const struct rootfs_node *file_at(const struct rootfs *fs, struct str path)
{
    struct str base = path_base(path), folder = str_sub(path, 0, path.len - base.len);
    CLEANUP(buf_clear) struct buf real = {0};
    const struct rootfs_node *n = rootfs_get(fs, path), *up;

    if (n || !folder.len)
        return n;
    str_drop(&folder, STR("/"));
    up = rootfs_follow(fs, folder);
    if (!up || up->type != ENTRY_DIR)
        return NULL;
    buf_fmt(&real, STR_FMT "/" STR_FMT, STR_ARG(up->path), STR_ARG(base));
    return rootfs_get(fs, buf_view(&real));
}

static void own(struct finder *f, struct package *package, struct str path)
{
    const struct rootfs_node *n;

    str_skip(&path, STR("/"));
    n = path.len ? file_at(f->fs, path) : NULL;
    if (!n || n->type == ENTRY_DIR || map_has(&f->out->owners, n->path))
        return;
    map_set(&f->out->owners, n->path, package);
    if (n->type != ENTRY_FILE || n->linked)
        return;
    package->files++;
    package->size += n->size;
}

static const struct rootfs_node *beside(const struct finder *f, struct str folder, const char *name)
{
    CLEANUP(buf_clear) struct buf path = {0};

    buf_fmt(&path, STR_FMT "%s", STR_ARG(folder), name);
    return rootfs_get(f->fs, buf_view(&path));
}

/* ---- pip ---- */

/* "Name: torch" of the header's lines. */
static struct str header(struct str text, const char *name)
{
    struct str line;

    while (str_line(&text, &line) && line.len)
        if (str_skip(&line, str_of(name)) && str_skip(&line, STR(":")))
            return str_trim(line);
    return (struct str){0};
}

static bool is_site(struct str folder)
{
    struct str base = path_base(folder);

    return str_is(base, "site-packages") || str_is(base, "dist-packages");
}

/* RECORD: "path,hash,size" a line, relative to the site-packages folder; a path with a comma in it
 * is quoted. */
static void own_record(struct finder *f, struct package *package, struct str site,
                       struct str record)
{
    struct str line, path;

    while (str_line(&record, &line)) {
        CLEANUP(buf_clear) struct buf whole = {0}, clean = {0};
        bool quoted = str_skip(&line, STR("\""));

        if (!str_cut(&line, quoted ? STR("\",") : STR(","), &path))
            continue;
        if (str_starts(path, STR("/")))
            buf_str(&whole, str_sub(path, 1, path.len));
        else
            buf_fmt(&whole, STR_FMT "/" STR_FMT, STR_ARG(site), STR_ARG(path));
        if (path_clean(&clean, buf_view(&whole)))
            own(f, package, buf_view(&clean));
    }
}

/* `n` is METADATA or PKG-INFO in a folder, or an egg-info that is a file. */
static void take_python(struct finder *f, const struct rootfs_node *n, bool record)
{
    struct str folder = n->path, base = path_base(folder), site, name, version;
    const struct rootfs_node *list;
    struct package *package;

    folder.len -= base.len; /* with its "/" */
    site = folder;
    str_drop(&site, STR("/"));
    if (!str_ends(base, STR(".egg-info"))) {
        struct str info = path_base(site);

        site.len -= info.len;
        str_drop(&site, STR("/"));
    }
    name = header(n->text, "Name");
    version = header(n->text, "Version");
    if (!is_site(site) || !name.len)
        return;
    package = add(f, PACKAGE_PIP, name, version, site);
    list = record ? beside(f, folder, "RECORD") : NULL;
    if (list)
        own_record(f, package, site, list->text);
}

/* ---- conda ---- */

static void take_conda(struct finder *f, const struct rootfs_node *n)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err damaged = {0}; /* then its name has to do */
    struct arena *a = &f->out->arena;
    struct str base = path_base(n->path), prefix = str_sub(n->path, 0, n->path.len - base.len);
    struct str name = base, build, version;
    const struct node *file;
    struct package *package;

    str_drop(&name, STR(".json"));
    if (!str_cut_last(&name, STR("-"), &build) || !str_cut_last(&name, STR("-"), &version) ||
        !str_drop(&prefix, STR("conda-meta/")))
        return;
    package = add(f, PACKAGE_CONDA, name, version, prefix);
    if (json_parse(&doc, n->text, n->text.len, "conda-meta", &damaged) < 0)
        return;
    node_each(file, node_get(doc.root, "files"))
        own(f, package,
            str_of(arena_fmt(a, STR_FMT STR_FMT, STR_ARG(prefix), STR_ARG(file->text))));
}

/* ---- dpkg ---- */

static void take_list(struct finder *f, struct package *package, const struct control *c)
{
    struct str name = control_get(c, "Package"), arch = control_get(c, "Architecture");
    CLEANUP(buf_clear) struct buf path = {0};
    const struct rootfs_node *n;
    struct str text, line;

    buf_fmt(&path, "var/lib/dpkg/info/" STR_FMT ".list", STR_ARG(name));
    n = rootfs_get(f->fs, buf_view(&path));
    if (!n) { /* of several architectures at once */
        buf_reset(&path);
        buf_fmt(&path, "var/lib/dpkg/info/" STR_FMT ":" STR_FMT ".list", STR_ARG(name),
                STR_ARG(arch));
        n = rootfs_get(f->fs, buf_view(&path));
    }
    if (!n)
        return;
    text = n->text;
    while (str_line(&text, &line))
        own(f, package, line);
}

/* Packages without a status are listed by images that were never installed into (status.d). */
static void take_status(struct finder *f, struct str text)
{
    CLEANUP(control_clear) struct control c = {0};
    CLEANUP(err_clear) struct err damaged = {0};
    bool more;

    while (control_next(&c, &text, &more, "status", &damaged) == 0 && more) {
        struct str status = control_get(&c, "Status");

        if (control_get(&c, "Package").len && (!status.len || str_ends(status, STR(" installed"))))
            take_list(f,
                      add(f, PACKAGE_DPKG, control_get(&c, "Package"), control_get(&c, "Version"),
                          (struct str){0}),
                      &c);
    }
}

/* ---- apk ---- */

/* "P:" name, "V:" version, "F:" folder, "R:" a file in it. */
static void take_apk(struct finder *f, struct str text)
{
    struct str line, name = {0}, folder = {0};
    struct package *package = NULL;

    while (str_line(&text, &line)) {
        struct str value = str_sub(line, 2, line.len);

        if (str_starts(line, STR("P:")))
            name = value;
        else if (str_starts(line, STR("V:")))
            package = add(f, PACKAGE_APK, name, value, (struct str){0});
        else if (str_starts(line, STR("F:")))
            folder = value;
        else if (str_starts(line, STR("R:")) && package)
            own(f, package,
                str_of(arena_fmt(&f->out->arena, STR_FMT "/" STR_FMT, STR_ARG(folder),
                                 STR_ARG(value))));
    }
}

/* ---- all ---- */

static int package_compare(const void *a, const void *b)
{
    const struct package *x = *(struct package *const *)a, *y = *(struct package *const *)b;
    int order = (int)x->manager - (int)y->manager;

    if (!order)
        order = str_cmp(x->where, y->where);
    if (!order)
        order = str_cmp(x->key, y->key);
    return order ? order : str_cmp(x->version, y->version);
}

static void take(struct finder *f, const struct rootfs_node *n, unsigned turn)
{
    struct str base = path_base(n->path);

    if (turn == 0 && (str_is(base, "METADATA") || str_is(base, "PKG-INFO")))
        take_python(f, n, str_is(base, "METADATA"));
    else if (turn == 0 && str_ends(base, STR(".egg-info")))
        take_python(f, n, false);
    else if (turn == 1 && str_ends(base, STR(".json")))
        take_conda(f, n);
    else if (turn == 2 && str_starts(n->path, STR("var/lib/dpkg/status")) &&
             !str_starts(n->path, STR("var/lib/dpkg/status-")) && !str_ends(base, STR(".md5sums")))
        take_status(f, n->text);
    else if (turn == 3 && str_is(n->path, "lib/apk/db/installed"))
        take_apk(f, n->text);
}

void packages_find(struct packages *out, const struct rootfs *fs)
{
    struct finder f = {out, fs};

    for (unsigned turn = 0; turn < 4; turn++)
        for (size_t i = 0; i < fs->nodes.n; i++)
            if (!fs->nodes.v[i]->gone && fs->nodes.v[i]->text.len)
                take(&f, fs->nodes.v[i], turn);
    vec_sort(&out->list, package_compare);
}

void packages_clear(struct packages *p)
{
    vec_clear(&p->list);
    map_clear(&p->owners);
    arena_clear(&p->arena);
    *p = (struct packages){0};
}

const struct package *packages_owner(const struct packages *p, struct str path)
{
    return map_get(&p->owners, path);
}

const struct package *packages_get(const struct packages *p, const char *key, bool family)
{
    for (size_t i = 0; i < p->list.n; i++) {
        struct str rest = p->list.v[i]->key;

        if (str_skip(&rest, str_of(key)) && (!rest.len || (family && str_starts(rest, STR("-cu")))))
            return p->list.v[i];
    }
    return NULL;
}
