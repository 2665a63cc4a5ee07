/* SPDX-License-Identifier: Apache-2.0 */
#include "lock_toolkit.h"

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

static void get_stand_in(struct lock_stand_in *out, const struct node *map, struct err *e)
{
    struct fields f = fields_of(map, "lock", e);
    const struct node *n;

    field_need_str(&f, "name", &out->name);
    field_need_str(&f, "version", &out->version);
    field_need_str(&f, "summary", &out->summary);
    node_each(n, field_need_list(&f, "provides"))
        vec_add(&out->provides, n->text);
    node_each(n, field_need_list(&f, "links")) {
        struct fields g = fields_of(n, "lock", e);
        struct lock_link link = {0};

        if (field_need_str(&g, "path", &link.path) && field_need_str(&g, "target", &link.target))
            vec_add(&out->links, link);
    }
}

void lock_toolkit_get(struct lock_toolkit *out, const struct fields *root)
{
    struct fields f = {field_map(root, "toolkit"), "lock", root->e};
    const struct node *n;

    if (!f.map)
        return;
    field_need_str(&f, "from", &out->from);
    field_need_str(&f, "version", &out->version);
    field_need_str(&f, "root", &out->root);
    field_str(&f, "gcc", &out->gcc);
    field_str(&f, "apt_sources", &out->sources);
    node_each(n, field_need_list(&f, "stand_ins"))
        get_stand_in(vec_push(&out->stand_ins), n, root->e);
}

void lock_toolkit_clear(struct lock_toolkit *t)
{
    for (size_t i = 0; i < t->stand_ins.n; i++) {
        vec_clear(&t->stand_ins.v[i].provides);
        vec_clear(&t->stand_ins.v[i].links);
    }
    vec_clear(&t->stand_ins);
    *t = (struct lock_toolkit){0};
}
