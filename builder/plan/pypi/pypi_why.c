/* SPDX-License-Identifier: Apache-2.0 */
#include "pypi_why.h"

enum {
    LISTED_MAX = 4,   /* reasons named in one message */
    NAMED_MAX = 3,    /* versions named in a row */
    BOUNDS_MAX = 100, /* bytes shown of one requirement */
    VIA_MAX = 3,      /* who needs the one that asks, so many steps up */
    CHAIN_MAX = 360,  /* bytes; from there on no further reason is told */
};

struct telling {
    const struct problem *w;
    const struct reasons *via;
    const struct known *of; /* the project that nothing fits */
    struct buf text, newest;
    bool complete;
};

static const struct candidate *candidate_of(const struct telling *t, uint32_t node, uint32_t c)
{
    return &t->w->nodes.v[node]->of->project->candidates.v[c];
}

/* Long lists of bounds are cut. */
static void tell_requirement(struct telling *t, const struct requirement *r)
{
    CLEANUP(buf_clear) struct buf b = {0};
    size_t end;

    requirement_print(&b, r, false);
    if (b.len <= BOUNDS_MAX || r->url.len) {
        buf_str(&t->text, buf_view(&b));
        return;
    }
    for (end = BOUNDS_MAX; end > 0 && b.p[end] != ',';)
        end--;
    buf_fmt(&t->text, STR_FMT ",...", STR_ARG(str_sub(buf_view(&b), 0, end)));
}

static void tell_need(struct telling *t, const struct need *need)
{
    const struct node *n = t->w->nodes.v[need->node];

    if (need->requirement)
        tell_requirement(t, need->requirement);
    else
        buf_fmt(&t->text, STR_FMT "==" STR_FMT, STR_ARG(n->id),
                STR_ARG(candidate_of(t, need->node, need->only)->version.text));
}

static void tell_chosen(struct telling *t, uint32_t node, uint32_t c)
{
    buf_fmt(&t->text, STR_FMT " " STR_FMT, STR_ARG(t->w->nodes.v[node]->id),
            STR_ARG(candidate_of(t, node, c)->version.text));
}

/* Why `node` is needed at all, as far as the search noted. A project that is needed by itself with
 * an extra is needed by whoever needs that. */
static const struct reason *find_via(const struct telling *t, uint32_t node)
{
    const struct reason *r;

    vec_each(r, t->via) {
        if (r->need->node != node)
            continue;
        if (r->node != PYPI_NONE && t->w->nodes.v[r->node]->base == node)
            return find_via(t, r->node);
        return r;
    }
    return NULL;
}

/* " (for y 2.0, for x 1.0)": who needs one that is not the user's own request. */
static void tell_via(struct telling *t, uint32_t node)
{
    const struct reason *r = find_via(t, node);
    unsigned n = 0;

    for (; r && r->node != PYPI_NONE && n < VIA_MAX; r = find_via(t, r->node)) {
        buf_puts(&t->text, n++ ? ", for " : " (for ");
        tell_chosen(t, r->node, r->candidate);
    }
    buf_puts(&t->text, n ? ")" : "");
}

static void tell_asks(struct telling *t, struct str label)
{
    buf_fmt(&t->text, "%s" STR_FMT " asks for ", str_is(label, "recipe") ? "the " : "",
            STR_ARG(label));
}

/* "torchvision 0.20.1 needs torch==2.5.1", "the recipe asks for torch==2.6.0" */
static void tell_reason(struct telling *t, const struct reason *r)
{
    if (r->node == PYPI_NONE) {
        tell_asks(t, r->need->label);
    } else {
        tell_chosen(t, r->node, r->candidate);
        tell_via(t, r->node);
        buf_puts(&t->text, " needs ");
    }
    tell_need(t, r->need);
}

static void tell_unknown(struct telling *t, const struct reason *r)
{
    if (r->node != PYPI_NONE) {
        tell_reason(t, r);
        buf_puts(&t->text, ", but ");
    }
    buf_fmt(&t->text, "\"" STR_FMT "\" is on no index asked (" STR_FMT ")", STR_ARG(t->of->name),
            STR_ARG(t->w->universe->asked(t->w->universe->ctx, t->of->name)));
    t->complete = r->node == PYPI_NONE;
}

static bool admits(const struct telling *t, const struct need *need, const struct pep440 *v)
{
    return !need->requirement ||
           problem_admits(t->w, t->of->name, &need->requirement->specifiers, v);
}

/* The newest left-out version that would fit a need, or NULL. */
static const struct left_out *find_left_out(const struct telling *t, const struct need *need)
{
    const struct left_out *l;

    vec_each(l, &t->of->project->left_out)
        if (admits(t, need, &l->version))
            return l;
    return NULL;
}

/* ", but x 2, 1": the versions that are left out as `first` is; how many. */
static unsigned tell_left_out(struct telling *t, const struct need *need,
                              const struct left_out *first)
{
    const struct left_out *l;
    unsigned n = 0, told;

    for (l = first; l < t->of->project->left_out.v + t->of->project->left_out.n; l++)
        n += l->why == first->why && admits(t, need, &l->version);
    buf_fmt(&t->text, ", but " STR_FMT " " STR_FMT, STR_ARG(t->of->name),
            STR_ARG(first->version.text));
    if (n > NAMED_MAX) {
        buf_fmt(&t->text, " and %u older", n - 1);
        return n;
    }
    for (l = first + 1, told = 1; told < n; l++)
        if (l->why == first->why && admits(t, need, &l->version) && told++)
            buf_fmt(&t->text, ", " STR_FMT, STR_ARG(l->version.text));
    return n;
}

static void note_newest(struct telling *t)
{
    if (t->of->n && !t->newest.len)
        buf_fmt(&t->newest, "the newest that this Python can use is " STR_FMT,
                STR_ARG(t->of->project->candidates.v[0].version.text));
}

/* What helps where there is no wheel. */
static void tell_build(struct telling *t, const struct left_out *l)
{
    if (l->sdist && project_is_sdist(l->sdist->name))
        buf_fmt(&t->newest,
                "write `build: [" STR_FMT
                "]` to build it, or name a folder with a wheel of it under "
                "`find_links`",
                STR_ARG(t->of->name));
    else if (l->why == LEFT_SDIST_ONLY)
        buf_puts(&t->newest, "build a wheel of it and name its folder under `find_links`");
}

/* Published, but not for us. */
static bool tell_not_for_us(struct telling *t, const struct need *need)
{
    const struct marker_env *env = &t->w->want->env;
    const struct left_out *first = find_left_out(t, need);
    bool many = first && tell_left_out(t, need, first) > 1;

    if (!first)
        return false;
    note_newest(t);
    switch (first->why) {
    case LEFT_PYTHON_REFUSED:
        buf_fmt(&t->text, " %s Python " STR_FMT " and this is " STR_FMT, many ? "need" : "needs",
                STR_ARG(first->requires_python), STR_ARG(env->python_full_version));
        break;
    case LEFT_NO_TAG:
        buf_fmt(&t->text, " %s no wheel for Python " STR_FMT " on Linux " STR_FMT,
                many ? "have" : "has", STR_ARG(env->python_full_version),
                STR_ARG(env->platform_machine));
        break;
    case LEFT_OTHER_HASH:
        buf_fmt(&t->text, " %s none of the hashes listed for it", many ? "have" : "has");
        break;
    case LEFT_SDIST_ONLY:
        buf_fmt(&t->text, " %s published as source only, and only wheels are installed",
                many ? "are" : "is");
        break;
    }
    if (!t->newest.len && (first->why == LEFT_NO_TAG || first->why == LEFT_SDIST_ONLY))
        tell_build(t, first);
    return true;
}

static bool tell_faults(struct telling *t, struct bits fits)
{
    for (uint32_t i = 0; i < t->of->n; i++) {
        if (!bits_has(fits, i) || !bits_has(t->of->broken, i))
            continue;
        buf_fmt(&t->text, ", but " STR_FMT " " STR_FMT " cannot be used: " STR_FMT,
                STR_ARG(t->of->name), STR_ARG(t->of->project->candidates.v[i].version.text),
                STR_ARG(t->of->faults[i]));
        return true;
    }
    return false;
}

static bool tell_yanked(struct telling *t, struct bits fits)
{
    for (uint32_t i = 0; i < t->of->n; i++) {
        if (!bits_has(fits, i) || !bits_has(t->of->yanked, i))
            continue;
        buf_fmt(&t->text,
                ", but " STR_FMT " " STR_FMT " is yanked: only ==" STR_FMT " would take it",
                STR_ARG(t->of->name), STR_ARG(t->of->project->candidates.v[i].version.text),
                STR_ARG(t->of->project->candidates.v[i].version.text));
        return true;
    }
    return false;
}

/* The version that a set of bounds names, when it names one: "==9", "==9.*", "===9". */
static const struct pep440 *named_version(const struct need *need)
{
    const struct specifier *s;

    if (need->requirement)
        vec_each(s, &need->requirement->specifiers)
            if ((s->op == OP_EQ || s->op == OP_ARBITRARY) && s->version.release_n)
                return &s->version;
    return NULL;
}

/* "; 2.6.0 and 2.7.0 are": the usable ones around a version that is not there. False when none is
 * newer. */
static bool tell_nearest(struct telling *t, const struct pep440 *named)
{
    const struct candidate *c, *below = NULL, *above = NULL;

    vec_each(c, &t->of->project->candidates) {
        if (pep440_is_pre(&c->version) || c->file->yanked)
            continue;
        if (pep440_cmp(&c->version, named) > 0)
            above = c; /* newest first: the last is the nearest */
        else if (!below)
            below = c;
    }
    if (below && above)
        buf_fmt(&t->text, "; " STR_FMT " and " STR_FMT " are", STR_ARG(below->version.text),
                STR_ARG(above->version.text));
    else if (above)
        buf_fmt(&t->text, "; " STR_FMT " is", STR_ARG(above->version.text));
    return above;
}

static const struct pep440 *newest_final(const struct project *p)
{
    const struct candidate *c;

    vec_each(c, &p->candidates)
        if (!pep440_is_pre(&c->version) && !c->file->yanked)
            return &c->version;
    return p->candidates.n ? &p->candidates.v[0].version
           : p->left_out.n ? &p->left_out.v[0].version
                           : NULL;
}

static void tell_unpublished(struct telling *t, const struct reason *r)
{
    const struct pep440 *newest = newest_final(t->of->project), *named = named_version(r->need);

    buf_puts(&t->text, newest ? ", which is not published" : ", which has no release at all");
    t->complete = r->node == PYPI_NONE || !newest;
    if (newest && t->complete)
        buf_fmt(&t->text, "%s the newest is " STR_FMT, named && tell_nearest(t, named) ? "," : ";",
                STR_ARG(newest->text));
}

/* ", but the recipe names a file of version 1.16.0" */
static void tell_file(struct telling *t)
{
    const struct pypi_want *want = t->w->want;
    struct str by = STR("recipe");

    for (size_t i = 0; i < want->constraints_n; i++)
        if (str_eq(want->constraints[i].requirement->url, t->of->url))
            by = want->constraints[i].label;
    for (size_t i = 0; i < want->roots_n; i++)
        if (str_eq(want->roots[i].requirement->url, t->of->url))
            by = want->roots[i].label;
    buf_fmt(&t->text, ", but %s" STR_FMT " names a file of version " STR_FMT,
            str_is(by, "recipe") ? "the " : "", STR_ARG(by),
            STR_ARG(t->of->project->candidates.v[0].version.text));
}

/* One reason alone that nothing fits. */
static void tell_alone(struct telling *t, const struct reason *r)
{
    bool any = bits_any(r->need->fits);

    if (!t->of->project) {
        tell_unknown(t, r);
        return;
    }
    tell_reason(t, r);
    if (r->need->refers && r->node == PYPI_NONE)
        buf_puts(&t->text, ", but it names another file of it too; one of them has to go");
    else if (r->need->refers)
        buf_puts(&t->text, ", a file that is on no index: the recipe has to name it itself");
    else if (t->of->direct && t->of->n && !any)
        tell_file(t);
    else if (any && tell_faults(t, r->need->fits))
        return;
    else if (any && tell_yanked(t, r->need->fits))
        t->complete = true;
    else if (any)
        buf_puts(&t->text, ", and no version of it that exists can be used with the rest");
    else if (!tell_not_for_us(t, r->need))
        tell_unpublished(t, r);
    if (r->need->refers)
        t->complete = true;
}

/* All the reasons but one taken together, as far as versions go. */
static struct bits together(const struct telling *t, const struct reasons *all, size_t without)
{
    struct bits b = problem_bits(t->of);

    bits_or(b, t->of->constraint);
    for (size_t i = 0; i < all->n; i++)
        if (i != without)
            bits_and(b, all->v[i].need->fits);
    return b;
}

/* Whether taking reason `i` away leaves a conflict. */
static bool is_idle(const struct telling *t, const struct reasons *all, size_t i)
{
    struct bits b = together(t, all, i);
    bool idle = !bits_any(b);

    bits_clear(&b);
    return idle;
}

static bool tells_same(const struct reason *a, const struct reason *b)
{
    return a->node == b->node && a->need->requirement && b->need->requirement &&
           str_eq(a->need->requirement->text, b->need->requirement->text);
}

/* Only the reasons that make the conflict; what the user asked for is kept longest. */
static void make_minimal(const struct telling *t, struct reasons *all)
{
    for (int user = 0; user < 2; user++)
        for (size_t i = all->n; i-- > 0;) {
            bool twice = false;

            if ((all->v[i].node == PYPI_NONE) != user || all->n == 1)
                continue;
            for (size_t j = 0; j < i && !twice; j++)
                twice = tells_same(&all->v[j], &all->v[i]);
            if (!twice && !is_idle(t, all, i))
                continue;
            memmove(&all->v[i], &all->v[i + 1], (all->n - i - 1) * sizeof *all->v);
            all->n--;
        }
}

/* "the recipe asks for a==1 and a==2" */
static bool goes_on(const struct reason *before, const struct reason *r)
{
    return before->node == PYPI_NONE && r->node == PYPI_NONE &&
           str_eq(before->need->label, r->need->label);
}

static void tell_together(struct telling *t, const struct reasons *all)
{
    size_t i = 0;

    for (; i < all->n && i < LISTED_MAX && t->text.len < CHAIN_MAX; i++) {
        if (i && goes_on(&all->v[i - 1], &all->v[i])) {
            buf_puts(&t->text, " and ");
            tell_need(t, all->v[i].need);
            continue;
        }
        buf_puts(&t->text, i ? ", " : "");
        tell_reason(t, &all->v[i]);
    }
    if (all->n > i)
        buf_fmt(&t->text, " and %zu more", all->n - i);
}

static void tell_constraint(struct telling *t, const struct reason *r)
{
    const struct pypi_want *want = t->w->want;

    tell_reason(t, r);
    for (size_t i = 0; i < want->constraints_n; i++) {
        const struct pypi_root *c = &want->constraints[i];

        if (!str_eq(c->requirement->name, t->of->name))
            continue;
        buf_fmt(&t->text, ", %s" STR_FMT " allows only ",
                str_is(c->label, "recipe") ? "a constraint of the " : "", STR_ARG(c->label));
        tell_requirement(t, c->requirement);
    }
}

/* The user's requests first in need of an answer, those of packages before them in the sentence. */
static void arrange(struct reasons *to, const struct reasons *from)
{
    for (int user = 0; user < 2; user++)
        for (size_t i = 0; i < from->n; i++)
            if ((from->v[i].node == PYPI_NONE) == user)
                vec_add(to, from->v[i]);
}

void explain_conflict(struct explanation *out, const struct problem *w, const struct reasons *told,
                      const struct reasons *via)
{
    struct telling t = {.w = w, .via = via, .of = w->nodes.v[told->v[0].need->node]->of};
    struct reasons all = {0};
    struct bits b;

    arrange(&all, told);
    b = together(&t, &all, all.n);
    if (!bits_any(b))
        make_minimal(&t, &all);
    if (all.n > 1)
        tell_together(&t, &all);
    else if (!bits_any(b) && bits_any(all.v[0].need->fits))
        tell_constraint(&t, &all.v[0]);
    else
        tell_alone(&t, &all.v[0]);
    bits_clear(&b);
    vec_clear(&all);
    *out = (struct explanation){t.text, t.newest, t.complete};
}

void explanation_clear(struct explanation *x)
{
    buf_clear(&x->text);
    buf_clear(&x->newest);
}
