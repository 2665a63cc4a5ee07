/* SPDX-License-Identifier: Apache-2.0 */
#include "pyproject.h"

#include "../../base/fs.h"
#include "../../doc/field.h"
#include "../../doc/toml.h"
#include "pep508.h"

struct reading {
    struct pyproject *p;
    struct err *e;
};

/* ---- requirements ---- */

static void add_need(struct reading *in, struct pyproject_needs *out, const struct node *n)
{
    CLEANUP(requirement_clear) struct requirement r = {0};
    CLEANUP(err_clear) struct err fault = {0};

    if (n->kind != NODE_STRING)
        err_at(in->e, &n->pos, "a requirement is wanted here, not %s", node_kind_name(n));
    else if (requirement_parse(&r, &in->p->doc.arena, n->text, &fault) < 0)
        err_at(in->e, &n->pos, "%s", fault.msg);
    else
        vec_add(out, ((struct pyproject_need){n->text, n->pos}));
}

static void add_needs(struct reading *in, struct pyproject_needs *out, const struct node *list)
{
    const struct node *n;

    node_each(n, list)
        add_need(in, out, n);
}

/* A set that is not there yet. */
static struct pyproject_set *add_set(struct reading *in, struct pyproject_sets *sets,
                                     const struct node *n)
{
    const struct pyproject_set *twin = pyproject_find(sets, n->key);
    struct pyproject_set *s;

    if (twin) {
        err_at(in->e, &n->key_pos, "\"" STR_FMT "\" is \"" STR_FMT "\" of line %u", STR_ARG(n->key),
               STR_ARG(twin->name), twin->pos.line);
        return NULL;
    }
    if (n->kind != NODE_LIST) {
        err_at(in->e, &n->pos, "a list of requirements is wanted here, not %s", node_kind_name(n));
        return NULL;
    }
    s = vec_push(sets);
    *s = (struct pyproject_set){.name = pep503_name(&in->p->doc.arena, n->key), .pos = n->key_pos};
    return s;
}

/* ---- groups ---- */

/* A group that is being read, and the ones that include it. */
struct opened {
    const struct node *group;
    const struct opened *above;
};

static const struct node *find_group(struct reading *in, const struct node *groups, struct str name)
{
    struct arena *a = &in->p->doc.arena;
    struct str wanted = pep503_name(a, name);
    const struct node *n;

    node_each(n, groups)
        if (str_eq(pep503_name(a, n->key), wanted))
            return n;
    return NULL;
}

static void read_group(struct reading *in, struct pyproject_needs *out, const struct node *groups,
                       const struct opened *now);

/* {include-group = "x"} */
static void include(struct reading *in, struct pyproject_needs *out, const struct node *groups,
                    const struct node *item, const struct opened *now)
{
    enum { ALL = 1 << 16 };
    const struct node *named = node_get(item, "include-group");
    struct opened sub = {.above = now};

    if (!named || item->count != 1) {
        err_at(in->e, &item->pos, "a requirement or {include-group = \"NAME\"} is wanted here");
        return;
    }
    sub.group = find_group(in, groups, named->text);
    if (!sub.group) {
        err_at(in->e, &named->pos, "there is no group \"" STR_FMT "\"", STR_ARG(named->text));
        return;
    }
    for (const struct opened *o = now; o; o = o->above)
        if (o->group == sub.group) {
            err_at(in->e, &named->pos, "group \"" STR_FMT "\" includes itself",
                   STR_ARG(sub.group->key));
            return;
        }
    if (out->n > ALL) /* groups that include each other twice grow without end */
        err_at(in->e, &named->pos, "group \"" STR_FMT "\" has more than %d requirements",
               STR_ARG(sub.group->key), ALL);
    else
        read_group(in, out, groups, &sub);
}

static void read_group(struct reading *in, struct pyproject_needs *out, const struct node *groups,
                       const struct opened *now)
{
    const struct node *n;

    node_each(n, now->group) {
        if (err_is_set(in->e))
            return;
        if (n->kind == NODE_MAP)
            include(in, out, groups, n, now);
        else
            add_need(in, out, n);
    }
}

static void read_groups(struct reading *in, const struct node *groups)
{
    const struct node *n;

    node_each(n, groups) {
        struct opened now = {.group = n};
        struct pyproject_set *s = add_set(in, &in->p->groups, n);

        if (s)
            read_group(in, &s->needs, groups, &now);
    }
}

/* ---- tables ---- */

static void add_texts(struct reading *in, struct strs *out, const struct node *list)
{
    const struct node *n;

    node_each(n, list)
        if (n->kind == NODE_STRING)
            vec_add(out, n->text);
        else
            err_at(in->e, &n->pos, "text is wanted here, not %s", node_kind_name(n));
}

/* What is dynamic cannot stand there as well. */
static void check_dynamic(struct reading *in, const struct node *project)
{
    struct pyproject *p = in->p;

    for (size_t i = 0; i < p->dynamic.n; i++) {
        const struct node *n = node_get_str(project, p->dynamic.v[i]);

        if (n)
            err_at(in->e, &n->key_pos,
                   "\"" STR_FMT "\" is under `dynamic`, so only the backend "
                   "tells it",
                   STR_ARG(n->key));
    }
}

static void read_project(struct reading *in, const struct node *project)
{
    struct fields f = fields_of(project, "project", in->e);
    const struct node *n = node_get(project, "requires-python");
    CLEANUP(specifiers_clear) struct specifiers set = {0};
    struct pyproject *p = in->p;
    struct str bad;

    field_need_str(&f, "name", &p->name);
    field_str(&f, "version", &p->version);
    if (field_str(&f, "requires-python", &p->requires_python)) {
        p->requires_python_pos = n->pos;
        if (!specifiers_parse(&set, p->requires_python, &bad))
            err_at(in->e, &n->pos, "requires-python: \"" STR_FMT "\" is not a version specifier",
                   STR_ARG(bad));
    }
    add_needs(in, &p->dependencies, field_list(&f, "dependencies"));
    node_each(n, field_map(&f, "optional-dependencies")) {
        struct pyproject_set *s = add_set(in, &p->extras, n);

        if (s)
            add_needs(in, &s->needs, n);
    }
    add_texts(in, &p->dynamic, field_list(&f, "dynamic"));
    check_dynamic(in, project);
}

static void read_build_system(struct reading *in, const struct node *table)
{
    struct fields f = fields_of(table, "build-system", in->e);
    struct pyproject *p = in->p;

    p->has_build_system = true;
    add_needs(in, &p->build_requires, field_need_list(&f, "requires"));
    field_str(&f, "build-backend", &p->build_backend);
    add_texts(in, &p->backend_path, field_list(&f, "backend-path"));
}

int pyproject_parse(struct pyproject *out, struct str text, const char *file, struct err *e)
{
    CLEANUP(pyproject_clear) struct pyproject p = {0};
    struct err fault = {0};
    struct reading in = {.p = &p, .e = &fault};
    struct fields f;

    if (toml_parse(&p.doc, text, file, e) < 0)
        return -1;
    f = fields_of(p.doc.root, "project", &fault);
    p.named = field_map(&f, "project") != NULL;
    if (p.named)
        read_project(&in, field_map(&f, "project"));
    read_groups(&in, field_map(&f, "dependency-groups"));
    if (field_map(&f, "build-system"))
        read_build_system(&in, field_map(&f, "build-system"));
    if (err_is_set(&fault))
        return err_join(e, &fault);
    MOVE(out, &p);
    return 0;
}

int pyproject_read(struct pyproject *out, const char *path, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};

    return fs_read(&text, path, TOML_MAX, e) < 0 ? -1
                                                 : pyproject_parse(out, buf_view(&text), path, e);
}

static void sets_clear(struct pyproject_sets *sets)
{
    struct pyproject_set *s;

    vec_each(s, sets)
        vec_clear(&s->needs);
    vec_clear(sets);
}

void pyproject_clear(struct pyproject *p)
{
    vec_clear(&p->dependencies);
    sets_clear(&p->extras);
    sets_clear(&p->groups);
    vec_clear(&p->dynamic);
    vec_clear(&p->build_requires);
    vec_clear(&p->backend_path);
    doc_clear(&p->doc);
    *p = (struct pyproject){0};
}

static bool tells_needs(const struct pyproject *p)
{
    static const char *const keys[] = {"dependencies", "optional-dependencies", "requires-python"};
    const struct node *tool = node_get(p->doc.root, "tool");

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (strs_has(&p->dynamic, str_of(keys[i])))
            return false;
    /* Poetry takes them from its own table when [project] has none, against PEP 621. */
    return p->named &&
           (p->dependencies.n || !tool || tool->kind != NODE_MAP || !node_get(tool, "poetry"));
}

static void put_needs(struct buf *out, const struct pyproject_needs *needs, struct str extra)
{
    CLEANUP(arena_clear) struct arena arena = {0};
    CLEANUP(err_clear) struct err unused = {0}; /* every requirement parses */
    const struct pyproject_need *n;

    vec_each(n, needs) {
        CLEANUP(requirement_clear) struct requirement r = {0};

        if (requirement_parse(&r, &arena, n->text, &unused) < 0)
            continue;
        buf_puts(out, "Requires-Dist: ");
        requirement_print(out, &r, false);
        if (r.marker || extra.len)
            buf_puts(out, " ; ");
        if (r.marker && extra.len)
            buf_putc(out, '(');
        if (r.marker)
            marker_print(out, r.marker);
        if (r.marker && extra.len)
            buf_puts(out, ") and ");
        if (extra.len)
            buf_fmt(out, "extra == \"" STR_FMT "\"", STR_ARG(extra));
        buf_putc(out, '\n');
    }
}

bool pyproject_metadata(struct buf *out, const struct pyproject *p, struct str version)
{
    const struct pyproject_set *s;

    if (!tells_needs(p))
        return false;
    buf_fmt(out, "Metadata-Version: 2.2\nName: " STR_FMT "\nVersion: " STR_FMT "\n",
            STR_ARG(p->name), STR_ARG(p->version.len ? p->version : version));
    if (p->requires_python.len)
        buf_fmt(out, "Requires-Python: " STR_FMT "\n", STR_ARG(p->requires_python));
    put_needs(out, &p->dependencies, STR(""));
    vec_each(s, &p->extras) {
        buf_fmt(out, "Provides-Extra: " STR_FMT "\n", STR_ARG(s->name));
        put_needs(out, &s->needs, s->name);
    }
    return true;
}

const struct pyproject_set *pyproject_find(const struct pyproject_sets *sets, struct str name)
{
    CLEANUP(buf_clear) struct buf normal = {0};
    const struct pyproject_set *s;

    pep503_normalise(&normal, name);
    vec_each(s, sets)
        if (str_eq(s->name, buf_view(&normal)))
            return s;
    return NULL;
}
