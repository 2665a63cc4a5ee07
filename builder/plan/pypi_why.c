/* SPDX-License-Identifier: Apache-2.0 */
#include "pypi_why.h"

enum {
    LISTED_MAX = 4,  /* versions or reasons named in one message */
    HINT_TRIES = 40, /* other candidates looked at for what would fit */
};

struct telling {
    struct world *w;
    const struct reasons *via;
    const struct known *of; /* the project that nothing fits */
    struct buf text;
};

static const struct candidate *candidate_of(const struct telling *t, uint32_t node, uint32_t c)
{
    return &t->w->nodes.v[node]->of->project->candidates.v[c];
}

static void tell_need(struct telling *t, const struct need *need)
{
    const struct node *n = t->w->nodes.v[need->node];

    if (need->requirement)
        requirement_print(&t->text, need->requirement, false);
    else
        buf_fmt(&t->text, STR_FMT "==" STR_FMT, STR_ARG(n->id),
                STR_ARG(candidate_of(t, need->node, need->only)->version.text));
}

static void tell_chosen(struct telling *t, uint32_t node, uint32_t c)
{
    buf_fmt(&t->text, STR_FMT " " STR_FMT, STR_ARG(t->w->nodes.v[node]->id),
            STR_ARG(candidate_of(t, node, c)->version.text));
}

/* " (for x 1.0)": who needs one that is not the user's own request. */
static void tell_via(struct telling *t, uint32_t node)
{
    const struct reason *r;

    vec_each(r, t->via) {
        if (r->need->node != node || r->node == PYPI_NONE)
            continue;
        buf_puts(&t->text, " (for ");
        tell_chosen(t, r->node, r->candidate);
        buf_putc(&t->text, ')');
        return;
    }
}

/* "torchvision 0.20.1 needs torch==2.5.1", "the recipe asks for torch==2.6.0" */
static void tell_reason(struct telling *t, const struct reason *r)
{
    struct str label = r->need->label;

    if (r->node == PYPI_NONE) {
        buf_fmt(&t->text, "%s" STR_FMT " asks for ", str_is(label, "recipe") ? "the " : "",
                STR_ARG(label));
    } else {
        tell_chosen(t, r->node, r->candidate);
        tell_via(t, r->node);
        buf_puts(&t->text, " needs ");
    }
    tell_need(t, r->need);
}

static int done(struct telling *t, struct err *e)
{
    err_set(e, ERR_UNSAT, "%s", t->text.p);
    buf_clear(&t->text);
    return -1;
}

static int tell_unknown(struct telling *t, const struct reason *r, struct err *e)
{
    if (r->node != PYPI_NONE) {
        tell_reason(t, r);
        buf_puts(&t->text, ", but ");
    }
    buf_fmt(&t->text, "\"" STR_FMT "\" is on no index asked (" STR_FMT ")", STR_ARG(t->of->name),
            STR_ARG(t->w->universe->asked));
    return done(t, e);
}

/* How many left-out versions fit a need for the reason `why`; the first few are named. */
static unsigned tell_left_out(struct telling *t, const struct need *need, enum left_out_why why,
                              const struct left_out **first)
{
    const struct specifiers *set = need->requirement ? &need->requirement->specifiers : NULL;
    const struct left_out *l;
    unsigned n = 0;

    vec_each(l, &t->of->project->left_out) {
        if (l->why != why || (set && !specifiers_match(set, &l->version)))
            continue;
        if (!n++) {
            *first = l;
            buf_fmt(&t->text, ", but " STR_FMT " ", STR_ARG(t->of->name));
        } else if (n <= LISTED_MAX) {
            buf_puts(&t->text, ", ");
        }
        if (n <= LISTED_MAX)
            buf_str(&t->text, l->version.text);
    }
    if (n > LISTED_MAX)
        buf_fmt(&t->text, " and %u older", n - LISTED_MAX);
    return n;
}

static void tell_newest(struct telling *t)
{
    if (t->of->n)
        buf_fmt(&t->text, "; the newest that this Python can use is " STR_FMT,
                STR_ARG(t->of->project->candidates.v[0].version.text));
}

/* Published, but not for us. */
static bool tell_not_for_us(struct telling *t, const struct need *need)
{
    const struct marker_env *env = &t->w->want->env;
    const struct left_out *first = NULL;
    unsigned n;

    if (tell_left_out(t, need, LEFT_PYTHON_REFUSED, &first)) {
        buf_fmt(&t->text, " needs Python " STR_FMT " and this is " STR_FMT,
                STR_ARG(first->requires_python), STR_ARG(env->python_full_version));
    } else if (tell_left_out(t, need, LEFT_NO_TAG, &first)) {
        buf_fmt(&t->text, " has no wheel for Python " STR_FMT " on Linux " STR_FMT,
                STR_ARG(env->python_full_version), STR_ARG(env->platform_machine));
    } else if ((n = tell_left_out(t, need, LEFT_SDIST_ONLY, &first)) > 0) {
        buf_fmt(&t->text, " %s published as source only, and only wheels are installed",
                n > 1 ? "are" : "is");
    } else {
        return false;
    }
    tell_newest(t);
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

static void tell_unpublished(struct telling *t)
{
    const struct project *p = t->of->project;
    const struct pep440 *newest = NULL;

    if (p->candidates.n)
        newest = &p->candidates.v[0].version;
    if (p->left_out.n && (!newest || pep440_cmp(&p->left_out.v[0].version, newest) > 0))
        newest = &p->left_out.v[0].version;
    buf_puts(&t->text,
             newest ? ", which is not published; the newest is " : ", which has no release at all");
    if (newest)
        buf_str(&t->text, newest->text);
}

/* One reason alone that nothing fits. */
static int tell_alone(struct telling *t, const struct reason *r, struct err *e)
{
    if (!t->of->project)
        return tell_unknown(t, r, e);
    tell_reason(t, r);
    if (r->need->refers)
        buf_puts(&t->text, ", a file that is on no index: the recipe has to name it itself");
    else if (t->of->direct && t->of->n && !bits_any(r->need->fits))
        buf_fmt(&t->text, ", but the recipe names a file of version " STR_FMT,
                STR_ARG(t->of->project->candidates.v[0].version.text));
    else if (bits_any(r->need->fits) &&
             (tell_faults(t, r->need->fits) || tell_yanked(t, r->need->fits)))
        return done(t, e);
    else if (bits_any(r->need->fits))
        buf_puts(&t->text, ", and no version of it that exists can be used with the rest");
    else if (!tell_not_for_us(t, r->need))
        tell_unpublished(t);
    return done(t, e);
}

/* All the reasons but one taken together, as far as versions go. */
static struct bits together(const struct telling *t, const struct reasons *all, size_t without)
{
    struct bits b = world_bits(t->of);

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

/* Whether candidate `c` of a node asks for nothing beyond `left` at the project in question. */
static bool agrees(struct telling *t, uint32_t node, uint32_t c, struct bits left)
{
    CLEANUP(err_clear) struct err unused = {0}; /* a hint is not worth failing for */
    struct bits b = world_bits(t->of);
    const struct needs *needs;
    bool ok;

    bits_or(b, left);
    ok = world_needs(t->w, node, c, &needs, &unused) == 0 && needs;
    for (size_t i = 0; ok && i < needs->n; i++)
        if (t->w->nodes.v[needs->v[i]->node]->of == t->of)
            bits_and(b, needs->v[i]->fits);
    ok = ok && bits_any(b);
    bits_clear(&b);
    return ok;
}

static bool is_usable(const struct known *k, uint32_t c)
{
    return bits_has(k->final, c) && !bits_has(k->yanked, c) && !bits_has(k->broken, c) &&
           bits_has(k->constraint, c);
}

static void warm_hint(struct telling *t, const struct known *k)
{
    const struct pypi_universe *u = t->w->universe;
    struct pypi_likely likely[HINT_TRIES];
    CLEANUP(err_clear) struct err unused = {0}; /* as above */
    size_t n = 0;

    for (uint32_t c = 0; c < k->n && n < HINT_TRIES; c++)
        if (is_usable(k, c))
            likely[n++] = (struct pypi_likely){k->project, &k->project->candidates.v[c]};
    if (n && u->prefetch_metadata && u->prefetch_metadata(u->ctx, likely, n, &unused) < 0)
        return;
}

/* The newest other candidate of a node that asks for nothing beyond `left`; or PYPI_NONE. */
static uint32_t find_fitting(struct telling *t, uint32_t node, uint32_t other_than,
                             struct bits left)
{
    const struct known *k = t->w->nodes.v[node]->of;
    unsigned tries = 0;

    for (uint32_t c = 0; c < k->n && tries < HINT_TRIES; c++) {
        if (c == other_than || !is_usable(k, c))
            continue;
        tries++;
        if (agrees(t, node, c, left))
            return c;
    }
    return PYPI_NONE;
}

/* "; torchvision 0.21.0 fits": another version of one that asks, which agrees with the others. */
static void tell_hint(struct telling *t, const struct reasons *all)
{
    for (size_t i = 0; i < all->n; i++) {
        const struct reason *r = &all->v[i];
        struct bits left;
        uint32_t c;

        if (r->node == PYPI_NONE || r->need->only != PYPI_NONE ||
            t->w->nodes.v[r->node]->of == t->of)
            continue;
        warm_hint(t, t->w->nodes.v[r->node]->of);
        left = together(t, all, i);
        c = find_fitting(t, r->node, r->candidate, left);
        bits_clear(&left);
        if (c == PYPI_NONE)
            continue;
        buf_puts(&t->text, "; ");
        tell_chosen(t, r->node, c);
        buf_puts(&t->text, " fits");
        return;
    }
}

static int tell_together(struct telling *t, const struct reasons *all, struct err *e)
{
    size_t shown = 0;

    for (size_t i = 0; i < all->n && shown < LISTED_MAX; i++) {
        buf_puts(&t->text, shown++ ? ", " : "");
        tell_reason(t, &all->v[i]);
    }
    if (all->n > shown)
        buf_fmt(&t->text, " and %zu more", all->n - shown);
    tell_hint(t, all);
    return done(t, e);
}

static int tell_constraint(struct telling *t, const struct reason *r, struct err *e)
{
    const struct pypi_want *want = t->w->want;

    tell_reason(t, r);
    for (size_t i = 0; i < want->constraints_n; i++) {
        const struct pypi_root *c = &want->constraints[i];

        if (!str_eq(c->requirement->name, t->of->name))
            continue;
        buf_fmt(&t->text, ", " STR_FMT " allows only ", STR_ARG(c->label));
        requirement_print(&t->text, c->requirement, false);
    }
    return done(t, e);
}

/* The user's requests first in need of an answer, those of packages before them in the sentence. */
static void arrange(struct reasons *to, const struct reasons *from)
{
    for (int user = 0; user < 2; user++)
        for (size_t i = 0; i < from->n; i++)
            if ((from->v[i].node == PYPI_NONE) == user)
                vec_add(to, from->v[i]);
}

int explain_conflict(struct world *w, const struct reasons *told, const struct reasons *via,
                     struct err *e)
{
    struct telling t = {.w = w, .via = via, .of = w->nodes.v[told->v[0].need->node]->of};
    struct reasons all = {0};
    struct bits b;
    int rc;

    arrange(&all, told);
    b = together(&t, &all, all.n);
    if (!bits_any(b))
        make_minimal(&t, &all);
    if (all.n > 1)
        rc = tell_together(&t, &all, e);
    else if (!bits_any(b) && bits_any(all.v[0].need->fits))
        rc = tell_constraint(&t, &all.v[0], e);
    else
        rc = tell_alone(&t, &all.v[0], e);
    bits_clear(&b);
    vec_clear(&all);
    return rc;
}
