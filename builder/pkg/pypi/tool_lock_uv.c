/* SPDX-License-Identifier: Apache-2.0 */
#include "../../base/map.h"
#include "tool_lock_parts.h"

struct package {
    const struct node *node;
    struct package *same; /* the one before with the same name */
    bool root, wanted;
    struct strs extras; /* wanted with it */
};

struct graph {
    struct choosing *in;
    struct VEC_OF(struct package *) all;      /* in the order of the file */
    struct map by_name;                       /* the last of each name */
    struct VEC_OF(const struct node *) lists; /* of what is needed, to be followed */
    struct strs encoded;                      /* chosen, as markers spell it: "extra-4-demo-cpu" */
    bool grown; /* one more since the lists were followed from the beginning */
};

static void graph_clear(struct graph *g)
{
    for (size_t i = 0; i < g->all.n; i++)
        vec_clear(&g->all.v[i]->extras);
    vec_clear(&g->all);
    map_clear(&g->by_name);
    vec_clear(&g->lists);
    vec_clear(&g->encoded);
}

static struct str name_of(const struct package *p)
{
    return node_text_of(p->node, "name");
}

/* ---- which project ---- */

/* The folder of a package whose source is one; relative to the lock's. */
static struct str folder_of(const struct package *p)
{
    static const char *const keys[] = {"virtual", "editable", "directory"};
    const struct node *source = node_get(p->node, "source");
    struct str folder = {0};

    for (size_t i = 0; i < ARRAY_LEN(keys) && !folder.len; i++)
        folder = node_text_of(source, keys[i]);
    return folder;
}

static void find_roots(struct graph *g)
{
    const struct node *members = node_get(node_get(g->in->root, "manifest"), "members"), *n;
    bool found = false;

    for (size_t i = 0; i < g->all.n; i++) {
        g->all.v[i]->root = str_is(folder_of(g->all.v[i]), ".");
        found |= g->all.v[i]->root;
    }
    if (found)
        return;
    node_each(n, members) {
        struct package *p = map_get(&g->by_name, n->text);

        if (p)
            p->root = true;
    }
}

static void read_packages(struct graph *g, const struct node *list)
{
    const struct node *n;

    node_each(n, list) {
        struct fields f = fields_of(n, "package", g->in->e);
        struct package *p;
        struct str name;

        if (!field_need_str(&f, "name", &name))
            continue;
        p = arena_alloc(g->in->arena, sizeof *p);
        p->node = n;
        p->same = map_set(&g->by_name, name, p);
        vec_add(&g->all, p);
    }
}

/* ---- extras and groups ---- */

static void encode(struct graph *g, const char *kind, const struct package *p, struct str name)
{
    struct str owner = name_of(p);
    struct str text =
        str_of(arena_fmt(g->in->arena, "%s-%zu-" STR_FMT "%s" STR_FMT, kind, owner.len,
                         STR_ARG(owner), name.len ? "-" : "", STR_ARG(name)));

    g->grown |= strs_add_once(&g->encoded, text);
}

/* Of an item of `conflicts`; empty when it is a package as a whole. */
static struct str choice_of(const struct node *item)
{
    struct str extra = node_text_of(item, "extra");

    return extra.len ? extra : node_text_of(item, "group");
}

static bool is_chosen(const struct choosing *in, const struct node *item)
{
    return strs_has(&in->extras, node_text_of(item, "extra")) ||
           strs_has(&in->groups, node_text_of(item, "group"));
}

static bool is_of_root(const struct graph *g, const struct node *item)
{
    const struct package *p = map_get(&g->by_name, node_text_of(item, "package"));

    return p && p->root;
}

/* Of one set of `conflicts` at most one is chosen, and whether one is must be said. */
static void check_conflict(struct graph *g, const struct node *set)
{
    struct choosing *in = g->in;
    const struct node *item, *first = NULL;
    struct strs extras = {0}, groups = {0};

    node_each(item, set) {
        if (!is_of_root(g, item))
            continue;
        if (node_get(item, "extra"))
            strs_add_once(&extras, node_text_of(item, "extra"));
        else if (node_get(item, "group"))
            strs_add_once(&groups, node_text_of(item, "group"));
        if (!is_chosen(in, item))
            continue;
        if (first)
            err_at(in->e, &in->choice->pos,
                   "\"" STR_FMT "\" and \"" STR_FMT "\" exclude each other (%s:%u:%u)",
                   STR_ARG(choice_of(first)), STR_ARG(choice_of(item)), item->pos.file,
                   item->pos.line, item->pos.col);
        first = item;
    }
    if (!first && (extras.n || groups.n) && (!extras.n || !in->choice->extras) &&
        (!groups.n || !in->choice->groups))
        tell_ambiguous(in, extras.n ? "extras" : "groups", extras.n ? &extras : &groups);
    vec_clear(&extras);
    vec_clear(&groups);
}

static void choose(struct graph *g)
{
    struct choosing *in = g->in;
    const struct node *manifest = node_get(in->root, "manifest"), *set;
    struct strs extras = {0}, groups = {0};

    add_names(in, &groups, node_get(manifest, "dependency-groups"));
    for (size_t i = 0; i < g->all.n; i++) {
        const struct node *n = g->all.v[i]->node, *metadata = node_get(n, "metadata");

        if (!g->all.v[i]->root)
            continue;
        add_names(in, &extras, node_get(n, "optional-dependencies"));
        add_names(in, &extras, node_get(metadata, "provides-extras"));
        add_names(in, &groups, node_get(n, "dev-dependencies"));
        add_names(in, &groups, node_get(metadata, "requires-dev"));
    }
    choose_names(in, "extras", in->choice->extras, &extras, &in->extras);
    choose_names(in, "groups", in->choice->groups, &groups, &in->groups);
    vec_clear(&extras);
    vec_clear(&groups);
    if (!err_is_set(in->e))
        node_each(set, node_get(in->root, "conflicts"))
            check_conflict(g, set);
}

/* ---- what is reached ---- */

static void follow_later(struct graph *g, const struct node *list)
{
    if (list)
        vec_add(&g->lists, list);
}

static void want(struct graph *g, struct package *p, struct str extra)
{
    const struct node *extras = node_get(p->node, "optional-dependencies");

    if (!p->wanted) {
        p->wanted = true;
        follow_later(g, node_get(p->node, "dependencies"));
    }
    if (!extra.len || !strs_add_once(&p->extras, extra))
        return;
    follow_later(g, node_get_str(extras, extra));
    if (node_get(g->in->root, "conflicts"))
        encode(g, "extra", p, extra);
}

static bool holds(struct graph *g, const struct node *marker)
{
    struct strs own = g->in->extras;
    bool result;

    g->in->extras = g->encoded; /* which is what markers here ask for */
    result = marker_holds(g->in, marker);
    g->in->extras = own;
    return result;
}

/* Is the package one of those that a fork of the lock is for, which holds here? */
static bool is_forks(struct graph *g, const struct node *package)
{
    const struct node *markers = node_get(package, "resolution-markers"), *n;

    node_each(n, markers)
        if (holds(g, n))
            return true;
    return !markers;
}

static bool is_same(const struct node *a, const struct node *b)
{
    return a && b && a->child && b->child && str_eq(a->child->key, b->child->key) &&
           str_eq(a->child->text, b->child->text);
}

/* The package that a dependency means: by version and source, where it names them. */
static struct package *find(struct graph *g, const struct node *need)
{
    const struct node *version = node_get(need, "version"), *source = node_get(need, "source");
    struct package *p = map_get(&g->by_name, node_text_of(need, "name")), *found = NULL;
    bool several = false;

    for (; p; p = p->same) {
        if ((version && !str_eq(version->text, node_text_of(p->node, "version"))) ||
            (source && !is_same(source, node_get(p->node, "source"))) ||
            (!version && !is_forks(g, p->node)))
            continue;
        several = found != NULL;
        found = p;
    }
    if (!found || several)
        err_at(g->in->e, &need->pos,
               "\"" STR_FMT "\" is needed here, and the file has %s; lock again",
               STR_ARG(node_text_of(need, "name")),
               several ? "several that it could be" : "no such package");
    return several ? NULL : found;
}

static void follow(struct graph *g, const struct node *list)
{
    const struct node *need, *extra;

    node_each(need, list) {
        struct package *p = holds(g, node_get(need, "marker")) ? find(g, need) : NULL;

        if (!p)
            continue;
        want(g, p, STR(""));
        node_each(extra, node_get(need, "extra"))
            want(g, p, extra->text);
    }
}

static void begin(struct graph *g)
{
    const struct choosing *in = g->in;
    const struct node *own = node_get(node_get(in->root, "manifest"), "dependency-groups");

    for (size_t i = 0; i < g->all.n; i++) {
        struct package *p = g->all.v[i];
        const struct node *groups = node_get(p->node, "dev-dependencies");

        p->wanted = false;
        vec_clear(&p->extras);
        if (!p->root)
            continue;
        encode(g, "project", p, STR(""));
        want(g, p, STR(""));
        for (size_t j = 0; j < in->extras.n; j++)
            want(g, p, in->extras.v[j]);
        for (size_t j = 0; j < in->groups.n; j++) {
            encode(g, "group", p, in->groups.v[j]);
            follow_later(g, node_get_str(groups, in->groups.v[j]));
        }
    }
    for (size_t j = 0; j < in->groups.n; j++)
        follow_later(g, node_get_str(own, in->groups.v[j]));
}

/* Markers may ask for an extra that is met only later: then all begins again. */
static void reach(struct graph *g)
{
    do {
        begin(g);
        g->grown = false;
        while (g->lists.n && !err_is_set(g->in->e))
            follow(g, g->lists.v[--g->lists.n]);
    } while (g->grown && !err_is_set(g->in->e));
}

/* ---- what was reached ---- */

/* "https://host/x.git?rev=main&subdirectory=a#0123..." */
static void take_repository(struct choosing *in, struct tool_lock_pick *p, struct str git)
{
    struct str commit = git, query, folder = {0}, item;

    if (str_cut(&commit, STR("#"), &git)) {
        query = git;
        if (str_cut(&query, STR("?"), &git))
            while (str_item(&query, '&', &item))
                if (str_skip(&item, STR("subdirectory=")))
                    folder = item;
    }
    pick_git(in, p, git, commit, folder);
}

static void take_package(struct choosing *in, const struct package *package)
{
    const struct node *source = node_get(package->node, "source");
    struct str kind = source && source->child ? source->child->key : (struct str){0};
    struct str place = source && source->child ? source->child->text : (struct str){0};
    struct tool_lock_pick *p = add_pick(in, package->node);
    const struct node *n;

    if (!p)
        return;
    if (str_is(kind, "registry"))
        pick_version(in, p, place);
    else if (str_is(kind, "git"))
        take_repository(in, p, place);
    else if (str_is(kind, "url"))
        pick_address(in, p, place);
    else
        pick_path(in, p, place); /* a file or a folder */
    node_each(n, node_get(package->node, "wheels"))
        pick_hash(in, p, n, node_text_of(n, "hash"));
    n = node_get(package->node, "sdist");
    if (n)
        pick_hash(in, p, n, node_text_of(n, "hash"));
}

void tool_lock_uv(struct choosing *in)
{
    CLEANUP(graph_clear) struct graph g = {.in = in};
    const struct fields f = {in->root, "lock", in->e};
    struct str version = {0};

    if (!field_need_str(&f, "version", &version))
        return;
    if (!str_is(version, "1"))
        err_at(in->e, &node_get(in->root, "version")->pos,
               "version: " STR_FMT " is not known; 1 is", STR_ARG(version));
    check_python(in, "requires-python", node_get(in->root, "requires-python"));
    check_environments(in, "supported-markers");
    read_packages(&g, field_list(&f, "package"));
    find_roots(&g);
    choose(&g);
    if (err_is_set(in->e))
        return;
    reach(&g);
    for (size_t i = 0; i < g.all.n && !err_is_set(in->e); i++)
        if (g.all.v[i]->wanted && !g.all.v[i]->root)
            take_package(in, g.all.v[i]);
}
