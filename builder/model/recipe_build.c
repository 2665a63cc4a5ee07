/* SPDX-License-Identifier: Apache-2.0 */
#include "recipe_reading.h"

#include "../base/digest.h"
#include "../net/url.h"
#include "../pkg/pypi/pep508.h"

static bool project_ok(struct str s)
{
    return reading_all_of(s, "-_.") && c_alnum(s.p[0]) && c_alnum(s.p[s.len - 1]);
}

static struct recipe_build *add_package(struct reading *in, struct str name, const struct pos *pos)
{
    struct recipe_build *b;
    struct str normal;

    if (!project_ok(name)) {
        err_at(in->e, pos, "build: \"" STR_FMT "\" is not the name of a package", STR_ARG(name));
        return NULL;
    }
    normal = pep503_name(&in->r->doc.arena, name);
    if (recipe_build_of(in->r, normal)) {
        err_at(in->e, pos, "build: " STR_FMT " stands there twice", STR_ARG(normal));
        return NULL;
    }
    b = vec_push(&in->r->builds);
    b->name = (struct value){normal, *pos};
    b->isolated = true;
    return b;
}

static void get_requirements(struct reading *in, const char *key, struct values *out)
{
    reading_texts(in, key, out);
    for (size_t i = 0; i < out->n; i++) {
        CLEANUP(requirement_clear) struct requirement r = {0};
        CLEANUP(arena_clear) struct arena arena = {0};
        CLEANUP(err_clear) struct err fault = {0};

        if (requirement_parse(&r, &arena, out->v[i].text, &fault) < 0)
            err_at(in->e, &out->v[i].pos, "build: %s: %s", key, fault.msg);
        else if (r.url.len)
            err_at(in->e, &out->v[i].pos,
                   "build: %s: \"" STR_FMT
                   "\" names an address; here a name and versions are wanted",
                   key, STR_ARG(out->v[i].text));
    }
}

/* "8.0", "9.0a", "9.0+PTX": as TORCH_CUDA_ARCH_LIST has them. */
static bool arch_ok(struct str s)
{
    struct str major;

    str_drop(&s, STR("+PTX"));
    if (!str_drop(&s, STR("a")))
        str_drop(&s, STR("f"));
    if (!str_cut(&s, STR("."), &major) || !major.len || !s.len || s.len + major.len > 4)
        return false;
    for (size_t i = 0; i < major.len; i++)
        if (!c_digit(major.p[i]))
            return false;
    for (size_t i = 0; i < s.len; i++)
        if (!c_digit(s.p[i]))
            return false;
    return true;
}

static void get_archs(struct reading *in, struct recipe_build *b)
{
    reading_texts(in, "archs", &b->archs);
    for (size_t i = 0; i < b->archs.n; i++)
        if (!arch_ok(b->archs.v[i].text))
            err_at(in->e, &b->archs.v[i].pos,
                   "build: archs: \"" STR_FMT "\" is not one such as 8.0 or 9.0+PTX",
                   STR_ARG(b->archs.v[i].text));
    if (b->archs.n && !str_is(in->r->variant.text, "devel"))
        err_at(in->e, &b->archs.v[0].pos,
               "build: archs: what has code for GPUs is compiled with the CUDA toolkit, which only "
               "`variant: devel` has; this is " STR_FMT,
               STR_ARG(in->r->variant.text));
}

static void add_setting(struct reading *in, struct recipe_build *b, struct str name,
                        const struct node *n)
{
    if (node_is_scalar(n))
        vec_add(&b->settings,
                ((struct value){str_of(arena_fmt(&in->r->doc.arena, STR_FMT "=" STR_FMT,
                                                 STR_ARG(name), STR_ARG(n->text))),
                                n->pos}));
    else
        err_at(in->e, &n->pos, "build: config_settings: text is wanted here, not %s",
               node_kind_name(n));
}

/* A list gives one name several values, as pip's --config-settings may. */
static void get_settings(struct reading *in, struct recipe_build *b)
{
    const struct node *n, *item;

    node_each(n, field_map(&in->f, "config_settings")) {
        if (!n->key.len || str_has(n->key, '='))
            err_at(in->e, &n->key_pos, "build: config_settings: \"" STR_FMT "\" is not a name",
                   STR_ARG(n->key));
        if (n->kind != NODE_LIST)
            add_setting(in, b, n->key, n);
        else
            node_each(item, n)
                add_setting(in, b, n->key, item);
    }
}

static void get_fetch(struct reading *in, struct recipe_build *b)
{
    static const char *const known[] = {"url", "sha256", NULL};
    const struct node *n;

    node_each(n, field_list(&in->f, "fetch")) {
        struct reading sub = {in->r, fields_of(n, "build", in->e), in->e};
        struct recipe_input *input = vec_push(&b->fetch);
        CLEANUP(err_clear) struct err fault = {0};
        struct digest digest;
        struct url u;

        fields_only(&sub.f, known);
        if (!field_need_str(&sub.f, "url", &input->url.text) ||
            !field_need_str(&sub.f, "sha256", &input->sha256.text))
            continue;
        reading_value(&sub, "url", &input->url);
        reading_value(&sub, "sha256", &input->sha256);
        if (url_parse(&u, input->url.text, &fault) < 0)
            err_at(in->e, &input->url.pos, "build: fetch: %s", fault.msg);
        else if (u.userinfo.len)
            err_at(in->e, &input->url.pos, "build: fetch: an address of a recipe names no user");
        if (!digest_from_hex(&digest, input->sha256.text))
            err_at(in->e, &input->sha256.pos, "build: fetch: \"" STR_FMT "\" is not a sha256",
                   STR_ARG(input->sha256.text));
    }
}

static void get_how(struct reading *in, struct recipe_build *b)
{
    static const char *const known[] = {"isolation",   "env",   "requires",
                                        "constraints", "archs", "config_settings",
                                        "expect",      "fetch", NULL};

    fields_only(&in->f, known);
    field_bool(&in->f, "isolation", &b->isolated);
    reading_env(in, "build", &b->env);
    get_requirements(in, "requires", &b->requires);
    get_requirements(in, "constraints", &b->constraints);
    get_archs(in, b);
    get_settings(in, b);
    reading_texts(in, "expect", &b->expect);
    get_fetch(in, b);
}

static void get_map(struct reading *in, const struct node *map)
{
    const struct node *n;

    node_each(n, map) {
        struct recipe_build *b = add_package(in, n->key, &n->key_pos);
        struct reading sub = {in->r, {n, "build", in->e}, in->e};

        if (!b || n->kind == NODE_NULL)
            continue;
        sub.f = fields_of(n, "build", in->e);
        if (sub.f.map)
            get_how(&sub, b);
    }
}

/* `[a, b]`, `all`, or `{a: {env: {X: "1"}}, b: {}}`. */
void recipe_read_build(struct reading *in)
{
    const struct node *n = node_get(in->f.map, "build"), *item;
    struct value v;

    if (!n)
        return;
    if (n->kind == NODE_MAP)
        get_map(in, n);
    else if (n->kind == NODE_LIST)
        node_each(item, n) {
            if (reading_text(in, item, "build", &v))
                add_package(in, v.text, &v.pos);
        }
    else if (node_is_scalar(n) && str_is(n->text, "all"))
        in->r->build_all = true;
    else
        err_at(in->e, &n->pos,
               "build: names of packages are wanted here, as in [deepspeed], or \"all\"");
}

void recipe_build_clear(struct recipe_build *b)
{
    vec_clear(&b->env);
    vec_clear(&b->requires);
    vec_clear(&b->constraints);
    vec_clear(&b->archs);
    vec_clear(&b->settings);
    vec_clear(&b->expect);
    vec_clear(&b->fetch);
}

const struct recipe_build *recipe_build_of(const struct recipe *r, struct str project)
{
    const struct recipe_build *b;

    vec_each(b, &r->builds)
        if (str_eq(b->name.text, project))
            return b;
    return NULL;
}

static void get_path(struct reading *in, struct value *out)
{
    if (!out->text.len)
        return;
    if (str_starts(out->text, STR("/")) || str_has(out->text, '\0'))
        err_at(in->e, &out->pos,
               "project: \"" STR_FMT "\" must be relative to the recipe's folder, as in `project: "
               "..`",
               STR_ARG(out->text));
}

/* Extras and groups in their normal form, each once. */
static void get_names(struct reading *in, const char *key, struct values *out)
{
    reading_texts(in, key, out);
    for (size_t i = 0; i < out->n; i++) {
        struct value *v = &out->v[i];

        if (!project_ok(v->text))
            err_at(in->e, &v->pos, "project: %s: \"" STR_FMT "\" is not a name", key,
                   STR_ARG(v->text));
        v->text = pep503_name(&in->r->doc.arena, v->text);
    }
}

/* `.`, or `{path: ., extras: [a], groups: [b]}`. */
void recipe_read_project(struct reading *in)
{
    static const char *const known[] = {"path", "extras", "groups", NULL};
    const struct node *n = node_get(in->f.map, "project");
    struct recipe_project *p = &in->r->project;
    struct reading sub = {in->r, {n, "project", in->e}, in->e};

    if (!n)
        return;
    if (n->kind == NODE_MAP) {
        sub.f = fields_of(n, "project", in->e);
        fields_only(&sub.f, known);
        if (field_need_str(&sub.f, "path", &p->path.text))
            reading_value(&sub, "path", &p->path);
        get_names(&sub, "extras", &p->extras);
        get_names(&sub, "groups", &p->groups);
    } else if (node_is_scalar(n)) {
        reading_value(in, "project", &p->path);
    } else {
        err_at(in->e, &n->pos,
               "project: a folder is wanted here, as in `project: .`, or {path: ., extras: [x]}");
    }
    get_path(in, &p->path);
}

bool recipe_builds(const struct recipe *r)
{
    return r->build_all || r->builds.n || r->project.path.text.len;
}

bool recipe_may_build(const struct recipe *r, struct str project)
{
    return r->build_all || recipe_build_of(r, project);
}
