/* SPDX-License-Identifier: Apache-2.0 */
#include "lock_toolkit.h"

#include "../base/dotted.h"
#include "../pkg/deb/debver.h"
#include "lock_check.h"
#include "recipe.h"

static void put_stand_in(struct doc *d, struct node *n, const struct lock_stand_in *s)
{
    struct node *list;

    node_put_str(d, n, "name", s->name);
    node_put_str(d, n, "version", s->version);
    node_put_str(d, n, "summary", s->summary);
    list = node_put(d, n, "provides", node_new_list(d));
    for (size_t i = 0; i < s->provides.n; i++)
        node_add_str(d, list, s->provides.v[i]);
    list = node_put(d, n, "links", node_new_list(d));
    for (size_t i = 0; i < s->links.n; i++) {
        struct node *link = node_add(d, list, node_new_map(d));

        node_put_str(d, link, "path", s->links.v[i].path);
        node_put_str(d, link, "target", s->links.v[i].target);
    }
}

void lock_toolkit_put(struct doc *d, struct node *root, const struct lock_toolkit *t)
{
    struct node *n, *list;

    if (!t->from.len)
        return;
    n = node_put(d, root, "toolkit", node_new_map(d));
    node_put_str(d, n, "from", t->from);
    node_put_str(d, n, "version", t->version);
    node_put_str(d, n, "root", t->root);
    if (t->gcc.len)
        node_put_str(d, n, "gcc", t->gcc);
    if (t->sources.len)
        node_put_str(d, n, "apt_sources", t->sources);
    list = node_put(d, n, "stand_ins", node_new_list(d));
    for (size_t i = 0; i < t->stand_ins.n; i++)
        put_stand_in(d, node_add(d, list, node_new_map(d)), &t->stand_ins.v[i]);
}

/* ---- reading: paths and paragraphs are made of these texts, so each is looked at ---- */

static void bad(const struct fields *f, const char *key, struct str text, const char *is)
{
    err_at(f->e, &node_get(f->map, key)->pos, "toolkit: %s \"" STR_FMT "\" is %s", key,
           STR_ARG(text), is);
}

static bool is_package(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!c_digit(s.p[i]) && !(s.p[i] >= 'a' && s.p[i] <= 'z') && !str_has(STR("+-."), s.p[i]))
            return false;
    return s.len >= 2 && (c_digit(s.p[0]) || (s.p[0] >= 'a' && s.p[0] <= 'z'));
}

/* "libcuda1 (= 550.54.15)" */
static bool is_provided(struct str s)
{
    struct str name;

    return str_cut(&s, STR(" (= "), &name) && str_drop(&s, STR(")")) && is_package(name) &&
           debver_valid(s);
}

static bool is_root(struct str s)
{
    return str_skip(&s, STR(LOCK_TOOLKIT_ROOT)) && dotted_is(s, 2, 2);
}

static void get_link(struct lock_stand_in *out, const struct node *map, struct err *e)
{
    struct fields f = fields_of(map, "lock", e);
    struct lock_link link = {0};

    if (!field_need_str(&f, "path", &link.path) || !field_need_str(&f, "target", &link.target))
        return;
    if (!lock_is_path(link.path))
        bad(&f, "path", link.path, "not a place for a link");
    if (!lock_is_path(link.target))
        bad(&f, "target", link.target, "not a place that a link can lead to");
    vec_add(&out->links, link);
}

static void get_stand_in(struct lock_stand_in *out, const struct node *map, struct err *e)
{
    struct fields f = fields_of(map, "lock", e);
    const struct node *n;

    if (field_need_str(&f, "name", &out->name) && !is_package(out->name))
        bad(&f, "name", out->name, "not a package's");
    if (field_need_str(&f, "version", &out->version) && !debver_valid(out->version))
        bad(&f, "version", out->version, "not a package's");
    if (field_need_str(&f, "summary", &out->summary) &&
        (!lock_is_line(out->summary) || out->summary.p[0] == ' '))
        bad(&f, "summary", out->summary, "not a line of text");
    node_each(n, field_need_list(&f, "provides")) {
        if (!is_provided(n->text))
            err_at(e, &n->pos, "toolkit: \"" STR_FMT "\" is not a package and its version",
                   STR_ARG(n->text));
        vec_add(&out->provides, n->text);
    }
    node_each(n, field_need_list(&f, "links"))
        get_link(out, n, e);
}

void lock_toolkit_get(struct lock_toolkit *out, const struct fields *root)
{
    struct fields f = {field_map(root, "toolkit"), "lock", root->e};
    const struct node *n;
    uint32_t gcc;

    if (!f.map)
        return;
    if (field_need_str(&f, "from", &out->from) && !str_is(out->from, "pypi") &&
        !str_is(out->from, "nvidia") && !str_is(out->from, "apt"))
        bad(&f, "from", out->from, "not known here");
    if (field_need_str(&f, "version", &out->version) && !dotted_is(out->version, 2, 4))
        bad(&f, "version", out->version, "not a CUDA release");
    if (field_need_str(&f, "root", &out->root) && !is_root(out->root))
        bad(&f, "root", out->root, "not " LOCK_TOOLKIT_ROOT " and a version");
    if (field_str(&f, "gcc", &out->gcc) && !str_u32(out->gcc, &gcc))
        bad(&f, "gcc", out->gcc, "not a major version");
    field_str(&f, "apt_sources", &out->sources);
    node_each(n, field_need_list(&f, "stand_ins"))
        get_stand_in(vec_push(&out->stand_ins), n, root->e);
}

void lock_drop_stand_ins(struct lock_toolkit *t)
{
    for (size_t i = 0; i < t->stand_ins.n; i++) {
        vec_clear(&t->stand_ins.v[i].provides);
        vec_clear(&t->stand_ins.v[i].links);
    }
    vec_clear(&t->stand_ins);
}

void lock_toolkit_clear(struct lock_toolkit *t)
{
    lock_drop_stand_ins(t);
    *t = (struct lock_toolkit){0};
}
