/* SPDX-License-Identifier: Apache-2.0 */
#include "system_parts.h"

#include <assert.h>
#include "../../base/path.h"
#include "../../pkg/deb/control.h"
#include "ldconfig.h"

const struct debpkg *build_package(const struct build *b, const char *name)
{
    for (size_t i = 0; i < b->n; i++)
        if (str_is(b->v[i]->name, name))
            return b->v[i];
    return NULL;
}

bool script_says(const struct debpkg *p, const char *script, const char *words)
{
    struct str text = debpkg_text(p, script);

    return str_find_str(text, str_of(words)) < text.len;
}

static int compare_packages(const void *a, const void *b)
{
    const struct debpkg *x = *(const struct debpkg *const *)a;
    const struct debpkg *y = *(const struct debpkg *const *)b;
    int order = str_cmp(x->name, y->name);

    return order ? order : str_cmp(x->arch, y->arch);
}

/* Where an absolute path lands; its parents are made. */
static int place(struct build *b, struct buf *out, const char *path, int64_t mtime, struct err *e)
{
    struct str relative = str_of(path);

    str_skip(&relative, STR("/"));
    if (tree_resolve(b->t, out, relative, e) < 0)
        return err_wrap(e, "%s", path);
    return tree_parents(b->t, buf_view(out), mtime, e);
}

static int make(struct build *b, const char *path, struct entry *entry, struct err *e)
{
    CLEANUP(buf_clear) struct buf where = {0};

    if (place(b, &where, path, entry->mtime, e) < 0)
        return -1;
    if (tree_get(b->t, buf_view(&where)))
        return 0;
    entry->path = buf_view(&where);
    return tree_add(b->t, entry, false, e);
}

int make_dir(struct build *b, const char *path, uint32_t mode, uint32_t gid, int64_t mtime,
             struct err *e)
{
    struct entry entry = {.type = ENTRY_DIR, .mode = mode, .gid = gid, .mtime = mtime};

    return make(b, path, &entry, e);
}

int make_file(struct build *b, const char *path, uint32_t mode, uint32_t gid, int64_t mtime,
              struct str text, struct err *e)
{
    struct entry entry = {.type = ENTRY_FILE, .mode = mode, .gid = gid, .mtime = mtime};

    entry.content = (struct content){.kind = CONTENT_BYTES, .size = text.len, .bytes = text.p};
    return make(b, path, &entry, e);
}

int make_link(struct build *b, const char *path, const char *target, int64_t mtime, struct err *e)
{
    struct entry entry = {.type = ENTRY_SYMLINK, .mode = 0777, .mtime = mtime};

    entry.link = str_of(target);
    return make(b, path, &entry, e);
}

static const struct entry *find(const struct build *b, const char *path)
{
    struct str relative = str_of(path);

    str_skip(&relative, STR("/"));
    return tree_follow(b->t, relative);
}

bool build_has(const struct build *b, const char *path)
{
    return find(b, path) != NULL;
}

int make_copy(struct build *b, const char *from, const char *to, struct err *e)
{
    const struct entry *source = find(b, from);

    if (!source || source->type != ENTRY_FILE)
        return 0;
    struct entry copy = *source;
    return make(b, to, &copy, e);
}

int content_text(const struct content *c, struct buf *out, const char *what, struct err *e)
{
    if (c->size > TEXT_MAX)
        return err_set(e, ERR_INPUT, "%s is larger than %d bytes", what, TEXT_MAX);
    size_t size = (size_t)c->size;
    if (c->kind == CONTENT_BYTES) {
        buf_add(out, c->bytes, size);
        return 0;
    }
    assert(c->kind == CONTENT_RANGE); /* debs know no other */
    if (fd_pread_all(c->input->fd.n, buf_room(out, size), size, c->offset, what, e) < 0)
        return -1;
    out->len += size;
    buf_room(out, 0);
    return 0;
}

int build_read(const struct build *b, const char *path, struct buf *out, struct err *e)
{
    const struct entry *found = find(b, path);

    if (found && found->type == ENTRY_HARDLINK)
        found = tree_get(b->t, found->link);
    if (!found || found->type != ENTRY_FILE)
        return err_set(e, ERR_INPUT, "no package brings %s, which a rule needs", path);
    return content_text(&found->content, out, path, e);
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = *(const struct entry *const *)a;
    const struct entry *y = *(const struct entry *const *)b;

    return str_cmp(x->path, y->path);
}

void build_list(const struct build *b, const char *dir, const char *suffix, struct entries *out)
{
    const struct entry *entry;
    struct str rest;

    vec_each(entry, &b->t->entries) {
        rest = entry->path;
        if (str_skip(&rest, str_of(dir)) && str_skip(&rest, STR("/")) && !str_has(rest, '/') &&
            str_ends(rest, str_of(suffix)))
            vec_add(out, entry);
    }
    vec_sort(out, compare_entries);
}

bool build_ships_link(const struct build *b, const char *path)
{
    for (size_t i = 0; i < b->n; i++) {
        const struct deb_entry *d;
        vec_each(d, &b->v[i]->entries)
            if (d->entry.type == ENTRY_SYMLINK && str_is(d->entry.path, path))
                return true;
    }
    return false;
}

/* /bin, /sbin, /lib, /lib64 are links into /usr in every Debian system since 12, whatever the paths
 * inside its debs; and base-files turns its own /var/run and /var/lock into links. They must stand
 * before the first file is mapped. */
static int lay_links(struct build *b, struct err *e)
{
    static const char *const dirs[] = {"bin", "lib", "lib64", "sbin"};
    const struct debpkg *base = build_package(b, "base-files");
    int64_t date = base ? base->newest : 0;

    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        CLEANUP(free_clear) char *target = path_join("usr", dirs[i]);
        if (make_dir(b, target, 0755, 0, 0, e) < 0 ||
            (!build_ships_link(b, dirs[i]) && make_link(b, dirs[i], target, date, e) < 0))
            return -1;
    }
    if (!base)
        return 0;
    if (make_link(b, "var/run", "/run", date, e) < 0 ||
        make_link(b, "var/lock", "/run/lock", date, e) < 0)
        return -1;
    return 0;
}

/* Several packages hold one folder: the one that asks for something special is heeded (/tmp is
 * 1777, whoever else names it), and the newest date counts, so that no order is left to matter. */
static void merge_dirs(struct entry *into, const struct entry *from)
{
    if (into->mode == 0755 && !into->uid && !into->gid) {
        into->mode = from->mode;
        into->uid = from->uid;
        into->gid = from->gid;
    }
    if (from->mtime > into->mtime)
        into->mtime = from->mtime;
}

static const struct debpkg *owner_of(const struct build *b, struct str path)
{
    for (size_t i = 0; i < b->n; i++) {
        const struct deb_entry *d;
        vec_each(d, &b->v[i]->entries) {
            CLEANUP(buf_clear) struct buf where = {0};
            CLEANUP(err_clear) struct err ignored = {0}; /* such a path owns nothing */
            if (d->entry.type != ENTRY_DIR &&
                tree_resolve(b->t, &where, d->entry.path, &ignored) == 0 &&
                str_eq(buf_view(&where), path))
                return b->v[i];
        }
    }
    return NULL;
}

static bool replaces(const struct build *b, const struct debpkg *p, const struct debpkg *other)
{
    CLEANUP(arena_clear) struct arena a = {0};
    CLEANUP(relations_clear) struct relations groups = {0};
    CLEANUP(err_clear) struct err ignored = {0}; /* a field that cannot be read permits nothing */
    const struct relation_group *g;

    if (relations_parse(&groups, &a, control_get(&p->control, "Replaces"), b->in->arch, &ignored) <
        0)
        return false;
    vec_each(g, &groups)
        for (size_t i = 0; i < g->n; i++)
            if (str_eq(g->v[i].name, other->name) &&
                (g->v[i].op == DEBVER_ANY ||
                 debver_satisfies(other->version, g->v[i].op, g->v[i].version)))
                return true;
    return false;
}

/* A second package at a path that is taken: 1 = it wins, 0 = it stays behind. */
static int settle(const struct build *b, const struct debpkg *p, const struct entry *entry,
                  struct err *e)
{
    const struct debpkg *first = owner_of(b, entry->path);

    if (first && first != p && replaces(b, p, first))
        return 1;
    if (first && first != p && replaces(b, first, p))
        return 0;
    return err_set(e, ERR_INPUT,
                   "packages " STR_FMT " and " STR_FMT " both hold /" STR_FMT
                   " and neither replaces the other",
                   STR_ARG(first ? first->name : p->name), STR_ARG(p->name), STR_ARG(entry->path));
}

static bool is_dir(const struct entry *entry)
{
    return entry && entry->type == ENTRY_DIR;
}

/* Whatever dpkg does when the path is taken (its main.c documentation "deb-format" is silent; this
 * is its behaviour): a folder stays a folder, and a link to a folder stays a link. */
static int add_taken(struct build *b, const struct debpkg *p, struct entry *entry,
                     struct entry *there, struct err *e)
{
    if (is_dir(entry) && is_dir(there)) {
        merge_dirs(there, entry);
        return 0;
    }
    if (is_dir(entry) && there->type == ENTRY_SYMLINK) {
        const struct entry *target = tree_follow(b->t, there->path);
        if (!target || is_dir(target))
            return 0;
    }
    if (is_dir(there) && entry->type == ENTRY_SYMLINK)
        return 0;
    if (is_dir(there) != is_dir(entry)) /* no Replaces allows that: the tree says what clashes */
        return tree_add(b->t, entry, true, e);
    int wins = settle(b, p, entry, e);
    if (wins <= 0)
        return wins;
    return tree_add(b->t, entry, true, e);
}

static int add_entry(struct build *b, const struct accounts *a, const struct debpkg *p,
                     const struct deb_entry *d, struct err *e)
{
    CLEANUP(buf_clear) struct buf path = {0};
    CLEANUP(buf_clear) struct buf link = {0};
    struct entry entry = d->entry;

    entry.uid = accounts_user(a, d->uname, entry.uid);
    entry.gid = accounts_group(a, d->gname, entry.gid);
    if (tree_resolve(b->t, &path, build_diverted(b, p, d->entry.path), e) < 0)
        return -1;
    entry.path = buf_view(&path);
    if (entry.type == ENTRY_HARDLINK) {
        if (tree_resolve(b->t, &link, d->entry.link, e) < 0)
            return -1;
        entry.link = buf_view(&link);
        const struct entry *target = tree_get(b->t, entry.link);
        if (!target || target->type != ENTRY_FILE)
            return err_set(e, ERR_INPUT,
                           "/" STR_FMT " is a hard link to /" STR_FMT
                           ", which is not a file of the package",
                           STR_ARG(entry.path), STR_ARG(entry.link));
    }
    struct entry *there = tree_get(b->t, entry.path);
    if (there)
        return add_taken(b, p, &entry, there, e);
    return tree_parents(b->t, entry.path, entry.mtime, e) < 0 ? -1
                                                              : tree_add(b->t, &entry, false, e);
}

static int add_packages(struct build *b, const struct accounts *a, struct err *e)
{
    for (size_t i = 0; i < b->n; i++) {
        const struct deb_entry *d;
        vec_each(d, &b->v[i]->entries)
            if (add_entry(b, a, b->v[i], d, e) < 0)
                return err_wrap(e, "package " STR_FMT, STR_ARG(b->v[i]->name));
    }
    return 0;
}

static int add_sources(struct build *b, struct err *e)
{
    const struct debpkg *apt = build_package(b, "apt");

    CLEANUP(free_clear) char *path = str_dup(b->in->sources_path);

    if (!path[0] || !apt)
        return 0;
    return make_file(b, path, 0644, 0, apt->newest, b->in->sources, e);
}

/* The text that ldconfig signs the cache with. */
static void name_generator(struct buf *out, const struct debpkg *libc_bin)
{
    struct str release = libc_bin->version, revision;
    bool ubuntu = str_find_str(release, STR("ubuntu")) < release.len;

    str_cut_last(&release, STR("-"), &revision);
    buf_fmt(out, "ldconfig (%s GLIBC " STR_FMT ") stable release version " STR_FMT,
            ubuntu ? "Ubuntu" : "Debian", STR_ARG(libc_bin->version), STR_ARG(release));
}

static int add_ldcache(struct build *b, struct err *e)
{
    const struct debpkg *libc_bin = build_package(b, "libc-bin");
    CLEANUP(buf_clear) struct buf generator = {0};
    CLEANUP(buf_clear) struct buf cache = {0};
    int64_t newest = 0;

    if (!libc_bin)
        return 0;
    name_generator(&generator, libc_bin);
    if (ldconfig(&cache, b->t, buf_view(&generator), debver_cmp(libc_bin->version, STR("2.36")) < 0,
                 &b->outside, &newest, e) < 0)
        return -1;
    if (libc_bin->newest > newest)
        newest = libc_bin->newest;
    return make_file(b, "/etc/ld.so.cache", 0644, 0, newest, buf_view(&cache), e);
}

static int run_rules(struct build *b, const struct accounts *a, struct err *e)
{
    if (system_accounts(b, a, e) < 0 || system_locales(b, e) < 0 || system_files(b, e) < 0 ||
        system_pam(b, e) < 0 || system_certs(b, e) < 0 || system_alternatives(b, e) < 0 ||
        add_sources(b, e) < 0 || system_dpkg(b, e) < 0 || system_toolkit(b, e) < 0)
        return -1;
    system_caps(b);
    return add_ldcache(b, e);
}

/* What one group of packages decides without the others. */
static int run_rules_apart(struct build *b, struct err *e)
{
    if (system_locales(b, e) < 0 || system_dpkg_infos(b, e) < 0 || system_toolkit(b, e) < 0)
        return -1;
    system_caps(b);
    return 0;
}

static int refuse_twins(const struct build *b, struct err *e)
{
    for (size_t i = 1; i < b->n; i++)
        if (str_eq(b->v[i - 1]->name, b->v[i]->name) &&
            (!b->v[i]->same || str_eq(b->v[i - 1]->arch, b->v[i]->arch)))
            return err_set(e, ERR_INPUT, "package " STR_FMT " is there twice",
                           STR_ARG(b->v[i]->name));
    return 0;
}

int system_build(struct tree *out, const struct debpkg *const *packages, size_t n,
                 const struct system_input *in, struct names *uncovered, struct err *e)
{
    CLEANUP(tree_clear) struct tree t = {0};
    CLEANUP(free_clear) const struct debpkg **v = xcalloc(n + 1, sizeof *v);
    CLEANUP(accounts_clear) struct accounts a = {0};
    struct build b = {.t = &t, .v = v, .n = n, .in = in};
    int result;

    for (size_t i = 0; i < n; i++) {
        v[i] = packages[i];
        if (v[i]->newest > b.newest)
            b.newest = v[i]->newest;
    }
    qsort(v, n, sizeof *v, compare_packages);
    result = refuse_twins(&b, e) < 0 || accounts_open(&a, &b, e) < 0 || lay_links(&b, e) < 0 ||
                     add_packages(&b, &a, e) < 0 ||
                     (in->apart ? run_rules_apart(&b, e) : run_rules(&b, &a, e)) < 0
                 ? -1
                 : 0;
    map_clear(&b.outside);
    if (result < 0)
        return -1;
    tree_sort(&t);
    system_uncovered(&b, uncovered);
    MOVE(out, &t);
    return 0;
}
