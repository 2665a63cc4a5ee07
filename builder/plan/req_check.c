/* SPDX-License-Identifier: Apache-2.0 */
#include "req_check.h"

#include "../net/url.h"

struct checking {
    const struct requirements *of;
    const struct recipe *recipe;
    struct str build; /* that the recipe means: "cu124"; empty: not known */
    struct marker_env env;
    struct arena arena;
    struct err *e;
};

/* Is a local label the name of one of PyTorch's builds? */
static bool is_build(struct str label)
{
    if (str_is(label, RECIPE_CPU) || str_is(label, "xpu") || str_starts(label, STR("rocm")))
        return true;
    if (!str_skip(&label, STR("cu")))
        return false;
    while (label.len && c_digit(label.p[0]))
        label = str_sub(label, 1, label.len);
    return !label.len;
}

/* "cuda: "12.4" at recipe.yaml:2:7" */
static void tell_key(struct buf *out, const char *key, const struct value *v)
{
    buf_fmt(out, "%s%s: \"" STR_FMT "\" at %s:%u:%u", out->len ? " and " : "", key,
            STR_ARG(v->text), v->pos.file, v->pos.line, v->pos.col);
}

/* Without `cuda` in the recipe PyPI's build is meant, or what its own places have. */
static bool has_own_places(const struct recipe *r)
{
    return r->indexes.n || r->find_links.n;
}

/* Can what is of `label` not be in the image? Then *why names the key. */
static bool is_other_build(struct checking *in, struct str label, struct buf *why)
{
    const struct recipe *r = in->recipe;
    struct str cuda = recipe_cuda(label, &in->arena);

    if (!in->build.len || str_eq_nocase(label, in->build) ||
        (!r->cuda.text.len && has_own_places(r)))
        return false;
    if (r->cuda.text.len) {
        tell_key(why, "cuda", &r->cuda);
        return true;
    }
    buf_fmt(why, "%sthe recipe, which has no `cuda` and so PyPI's build, " STR_FMT,
            why->len ? " and " : "", STR_ARG(in->build));
    if (cuda.len)
        buf_fmt(why, " (name it there: cuda: \"" STR_FMT "\")", STR_ARG(cuda));
    return true;
}

/* ---- requirements ---- */

/* The build that a specifier asks for: of "==2.6.0+cu124". */
static struct str build_of(const struct specifier *s)
{
    bool one = s->op == OP_EQ && s->version.local_n == 1 && is_build(s->version.local[0]);

    return one ? s->version.local[0] : (struct str){0};
}

/* Whether any build of the version is admitted. */
static bool admits(const struct specifiers *set, struct pep440 version)
{
    const struct specifier *s;

    vec_each(s, set) {
        if (s->op == OP_ARBITRARY || (s->op == OP_NE && s->version.local_n))
            continue;
        memcpy(version.local, s->version.local, sizeof version.local);
        version.local_n = s->version.local_n;
        if (!specifier_matches(s, &version))
            return false;
    }
    return true;
}

static void check_requirement(struct checking *in, const struct requirement *r,
                              const struct pos *pos)
{
    CLEANUP(buf_clear) struct buf why = {0};
    CLEANUP(err_clear) struct err unused = {0}; /* the solver tells it */
    const struct value *pytorch = &in->recipe->pytorch;
    const struct specifier *s;
    struct pep440 version;
    bool holds;

    if (!torch_index_binds(r->name) ||
        marker_eval(r->marker, &in->env, STR(""), &holds, &unused) < 0 || !holds)
        return;
    if (str_is(r->name, "torch") && pep440_parse(&version, pytorch->text) &&
        !admits(&r->specifiers, version))
        tell_key(&why, "pytorch", pytorch);
    vec_each(s, &r->specifiers)
        if (build_of(s).len && is_other_build(in, build_of(s), &why))
            break;
    if (why.len)
        err_at_kind(in->e, ERR_UNSAT, pos, "\"" STR_FMT "\" contradicts %s; change one of them",
                    STR_ARG(r->text), why.p);
}

/* ---- places ---- */

/* Does any requirement but that of `pytorch`, which is the first? */
static bool names_build(const struct requirements *a)
{
    for (size_t i = 1; i < a->requirements.n; i++) {
        const struct requirement *r = a->requirements.v[i];
        const struct specifier *s;

        vec_each(s, &r->specifiers)
            if (torch_index_binds(r->name) && build_of(s).len)
                return true;
    }
    return false;
}

/* Which build has PyTorch's index, below whose address `rest` stands: "cu124/torch_stable.html". A
 * page of all builds means the one that the requirements name. */
static void check_torch(struct checking *in, const struct req_option *o, struct str rest)
{
    CLEANUP(buf_clear) struct buf why = {0};
    struct str label = str_sub(rest, 0, str_find(rest, '/'));
    bool all = !label.len || str_is(label, "torch_stable.html");

    if (all && names_build(in->of))
        return;
    if (!all && !is_build(label)) {
        err_at(in->e, &o->pos, "\"%s\": %s", o->name, o->instead);
    } else if (all) {
        err_at(in->e, &o->pos,
               "\"%s " STR_FMT
               "\" has every build, and `cuda` in the recipe decides which one%s" STR_FMT
               "%s; leave the line out",
               o->name, STR_ARG(o->value), in->build.len ? " (" : "", STR_ARG(in->build),
               in->build.len ? ")" : "");
    } else if (is_other_build(in, label, &why)) {
        err_at_kind(in->e, ERR_UNSAT, &o->pos,
                    "\"%s " STR_FMT "\" contradicts %s; change one of them", o->name,
                    STR_ARG(o->value), why.p);
    } else if (!str_eq(label, in->build)) {
        err_at(in->e, &o->pos,
               "\"%s " STR_FMT "\" names a build, and `cuda` in the recipe decides which one; "
               "name it there",
               o->name, STR_ARG(o->value));
    }
}

/* Equal but for a user's name and a slash at the end. */
static bool is_same_index(struct str a, struct str b)
{
    CLEANUP(buf_clear) struct buf x = {0}, y = {0};
    struct str left, right;

    url_without_userinfo(&x, a);
    url_without_userinfo(&y, b);
    left = buf_view(&x);
    right = buf_view(&y);
    str_drop(&left, STR("/"));
    str_drop(&right, STR("/"));
    return str_eq(left, right);
}

static bool is_asked(const struct recipe *r, struct str url)
{
    for (size_t i = 0; i < r->indexes.n; i++)
        if (is_same_index(r->indexes.v[i].url.text, url))
            return true;
    return !r->indexes.n && is_same_index(STR(PYPI_INDEX_URL), url);
}

static void check_place(struct checking *in, const struct req_option *o)
{
    struct str rest = o->value;

    if (is_asked(in->recipe, o->value))
        return;
    if (str_skip(&rest, STR(TORCH_INDEX_URL)))
        check_torch(in, o, rest);
    else
        err_at(in->e, &o->pos, "\"%s\": %s", o->name, o->instead);
}

/* ---- locks of other tools ---- */

/* Whose label its version does not tell: that of PyTorch's index, or else PyPI's build. */
static void check_build(struct checking *in, const struct tool_lock_pick *p, bool pypi)
{
    CLEANUP(buf_clear) struct buf why = {0}, index = {0};
    struct str label = p->index;
    struct pep440 version;

    if (!torch_index_binds(p->name) || !pep440_parse(&version, p->version) || version.local_n)
        return;
    url_show(&index, p->index);
    if (str_skip(&label, STR(TORCH_INDEX_URL))) {
        label = str_sub(label, 0, str_find(label, '/'));
        if (is_build(label))
            is_other_build(in, label, &why);
    } else if (!pypi) {
        tell_key(&why, "cuda", &in->recipe->cuda);
        buf_puts(&why, ", whose build is on PyTorch's index alone");
    }
    if (why.len)
        err_at_kind(in->e, ERR_UNSAT, &p->pos,
                    "\"" STR_FMT "\"%s%s contradicts %s; change one of them", STR_ARG(p->text),
                    index.len ? " from " : "", index.len ? index.p : "", why.p);
}

/* Without a hash its name and version are all that tells it, and another index may have both. */
static void check_index(struct checking *in, const struct tool_lock_pick *p)
{
    CLEANUP(buf_clear) struct buf index = {0};

    if (p->hashes.n || !p->index.len || is_asked(in->recipe, p->index) ||
        str_starts(p->index, STR(TORCH_INDEX_URL)))
        return;
    url_show(&index, p->index);
    err_at(in->e, &p->pos,
           "\"" STR_FMT "\" has no hash, and %s, which it is from, is not asked; name it under "
           "`indexes` in the recipe",
           STR_ARG(p->text), index.p);
}

int req_check(const struct requirements *a, const struct recipe *r, const struct torch_index *torch,
              struct str python, struct err *e)
{
    struct err fault = {0};
    struct checking in = {.of = a, .recipe = r, .build = torch->build, .e = &fault};
    const struct req_option *o;

    /* The third number is known only when packages are chosen, and no torch hangs on it. */
    in.env = (struct marker_env){str_of(arena_fmt(&in.arena, STR_FMT ".0", STR_ARG(python))),
                                 STR("x86_64")};
    vec_each(o, &a->files.options)
        if (o->instead)
            check_place(&in, o);
    for (size_t i = 0; i < a->locked.n; i++) {
        check_build(&in, &a->locked.v[i], !torch->local.len);
        check_index(&in, &a->locked.v[i]);
    }
    for (size_t i = 1; i < a->own; i++) /* the first is that of `pytorch` */
        check_requirement(&in, a->roots.v[i].requirement, &a->places.v[i]);
    for (size_t i = 0; i < a->constraints.n; i++)
        check_requirement(&in, a->constraints.v[i].requirement, &a->constraint_places.v[i]);
    arena_clear(&in.arena);
    return err_is_set(&fault) ? err_join(e, &fault) : 0;
}

void req_note(const struct requirements *a, struct choices *out)
{
    CLEANUP(buf_clear) struct buf all = {0};
    const struct req_option *o;

    vec_each(o, &a->files.options)
        buf_fmt(&all, "%s%s:%u %s", all.len ? ", " : "", o->pos.file, o->pos.line, o->name);
    if (all.len)
        out->options = str_of(arena_fmt(
            &out->arena, "%s: pip's options that change nothing; the recipe decides", all.p));
}
