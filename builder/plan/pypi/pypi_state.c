/* SPDX-License-Identifier: Apache-2.0 */
#include "pypi_state.h"

void criterion_release(struct criterion *c)
{
    if (!c || --c->refs)
        return;
    vec_clear(&c->reasons);
    bits_clear(&c->ruled_out);
    bits_clear(&c->matches);
    free(c);
}

void state_clear(struct state *s)
{
    for (size_t i = 0; i < s->criteria.n; i++)
        criterion_release(s->criteria.v[i]);
    vec_clear(&s->criteria);
    vec_clear(&s->pick);
    vec_clear(&s->order);
    vec_clear(&s->causes);
}

void states_clear(struct states *s)
{
    while (s->n)
        state_clear(&s->v[--s->n]);
    vec_clear(s);
}

/* All at once: the search copies its state in every round. */
#define COPY(to, from)                                                        \
    do {                                                                      \
        if (!(from)->n)                                                       \
            break;                                                            \
        (to)->v = xrealloc((to)->v, ((to)->n + (from)->n) * sizeof *(to)->v); \
        memcpy((to)->v + (to)->n, (from)->v, (from)->n * sizeof *(to)->v);    \
        (to)->cap = (to)->n += (from)->n;                                     \
    } while (0)

void reasons_add(struct reasons *to, const struct reasons *from)
{
    COPY(to, from);
}

void state_copy(struct state *to, const struct state *from)
{
    *to = (struct state){0};
    COPY(&to->criteria, &from->criteria);
    for (size_t i = 0; i < to->criteria.n; i++)
        if (to->criteria.v[i])
            to->criteria.v[i]->refs++;
    COPY(&to->pick, &from->pick);
    COPY(&to->order, &from->order);
    COPY(&to->causes, &from->causes);
}

void states_copy(struct states *to, const struct states *from)
{
    states_clear(to);
    for (size_t i = 0; i < from->n; i++) {
        struct state copy;

        state_copy(&copy, &from->v[i]);
        vec_add(to, copy);
    }
}

struct criterion *state_criterion(const struct state *s, uint32_t node)
{
    return node < s->criteria.n ? s->criteria.v[node] : NULL;
}

uint32_t state_pick(const struct state *s, uint32_t node)
{
    return node < s->pick.n ? s->pick.v[node] : PYPI_NONE;
}

void state_set(struct state *s, uint32_t node, struct criterion *c)
{
    while (s->criteria.n <= node)
        vec_add(&s->criteria, NULL);
    criterion_release(s->criteria.v[node]);
    s->criteria.v[node] = c;
}

void state_decide(struct state *s, uint32_t node, uint32_t c)
{
    size_t kept = 0;

    while (s->pick.n <= node)
        vec_add(&s->pick, PYPI_NONE);
    s->pick.v[node] = c;
    for (size_t i = 0; i < s->order.n; i++)
        if (s->order.v[i] != node)
            s->order.v[kept++] = s->order.v[i];
    s->order.n = kept;
    vec_add(&s->order, node);
}

/* What the reasons at one node ask for, taken together. */
struct demand {
    struct bits fits; /* all of them */
    struct bits only; /* exact candidates that any of them names */
    bool exact, pre, pins;
};

static void add_demand(struct demand *d, const struct reasons *reasons, bool own)
{
    for (size_t i = 0; i < reasons->n; i++) {
        const struct need *need = reasons->v[i].need;

        if (need->only != PYPI_NONE) {
            d->exact = true;
            bits_or(d->only, need->fits);
            if (!own)
                continue;
        }
        bits_and(d->fits, need->fits);
        d->pre |= need->pre;
        d->pins |= need->pins;
    }
}

/* Pre-releases count when asked for or when nothing else fits; yanked files only for a pin that
 * nothing else fits. A version that an older lock had needs neither. */
static void leave_out(const struct problem *w, const struct known *k, struct demand *d)
{
    struct bits some = problem_bits(k);
    bool kept = k->preferred != PYPI_NONE && bits_has(d->fits, k->preferred);

    bits_or(some, d->fits);
    bits_and(some, k->final);
    if (!d->pre && !w->want->pre && !k->constraint_pre && bits_any(some))
        bits_and(d->fits, k->final);
    memset(some.v, 0, some.n * sizeof *some.v);
    bits_or(some, d->fits);
    bits_less(some, k->yanked);
    if (bits_any(some) || !(d->pins || k->constraint_pins))
        bits_less(d->fits, k->yanked);
    if (kept)
        bits_add(d->fits, k->preferred);
    bits_clear(&some);
}

/* The candidates that may still be chosen for a node. A node with extras also heeds what its plain
 * project is asked for. */
static struct bits find_matches(const struct problem *w, const struct state *s, uint32_t node,
                                const struct reasons *reasons, struct bits ruled_out)
{
    const struct node *n = w->nodes.v[node];
    const struct criterion *base = n->base == node ? NULL : state_criterion(s, n->base);
    struct demand d = {.fits = problem_bits(n->of), .only = problem_bits(n->of)};

    bits_or(d.fits, n->of->constraint);
    add_demand(&d, reasons, true);
    if (base)
        add_demand(&d, &base->reasons, false);
    if (d.exact)
        bits_and(d.fits, d.only);
    else if (n->of->n)
        leave_out(w, n->of, &d);
    if (ruled_out.v)
        bits_less(d.fits, ruled_out);
    bits_less(d.fits, n->of->broken);
    bits_clear(&d.only);
    return d.fits;
}

struct criterion *criterion_extend(const struct problem *w, const struct state *s,
                                   const struct criterion *old, const struct reason *more,
                                   uint32_t node)
{
    struct criterion *c = xcalloc(1, sizeof *c);

    c->refs = 1;
    c->ruled_out = problem_bits(w->nodes.v[node]->of);
    if (old) {
        reasons_add(&c->reasons, &old->reasons);
        bits_or(c->ruled_out, old->ruled_out);
    }
    if (more)
        vec_add(&c->reasons, *more);
    c->matches = find_matches(w, s, node, &c->reasons, c->ruled_out);
    return c;
}

bool state_satisfies(const struct state *s, uint32_t node)
{
    uint32_t c = state_pick(s, node);
    const struct criterion *k = s->criteria.v[node];

    if (c == PYPI_NONE)
        return false;
    for (size_t i = 0; i < k->reasons.n; i++)
        if (!bits_has(k->reasons.v[i].need->fits, c))
            return false;
    return true;
}
