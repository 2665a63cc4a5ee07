/* SPDX-License-Identifier: Apache-2.0 */
#include "choices.h"

#include "../base/date.h"

enum { ROUNDS = 2000, WHY_MAX = 240, DAY = 10 /* bytes of "2025-01-29" */ };
#define OLD_SECONDS ((int64_t)2 * 366 * 86400)

/* A release of a project, usable or not. */
struct release {
    const struct pep440 *version; /* NULL: none */
    const struct candidate *usable;
    const struct left_out *left_out; /* or this */
};

struct choosing {
    struct choices *out;
    const struct pypi_want *want;
    const struct pypi_universe *universe;
    const struct pypi_solution *chosen;
    const struct requirements *reqs;
    bool wheels_only;
    struct err *e;
};

void choices_clear(struct choices *c)
{
    vec_clear(&c->list);
    arena_clear(&c->arena);
    *c = (struct choices){0};
}

/* The wish for a project that does not admit the version, or NULL. */
static const struct requirement *find_bound(const struct choosing *in, struct str name,
                                            const struct pep440 *v)
{
    const struct pypi_want *want = in->want;

    for (size_t i = 0; i < want->roots_n + want->constraints_n; i++) {
        const struct pypi_root *root =
            i < want->roots_n ? &want->roots[i] : &want->constraints[i - want->roots_n];
        const struct requirement *r = root->requirement;
        CLEANUP(err_clear) struct err unused = {0}; /* the solver told it */
        bool holds;

        if (str_eq(r->name, name) && (r->url.len || !specifiers_match(&r->specifiers, v)) &&
            marker_eval(r->marker, &want->env, STR(""), &holds, &unused) == 0 && holds)
            return r;
    }
    return NULL;
}

/* The newest final release; `bound`: of those that the user admits. */
static struct release newest_of(const struct choosing *in, const struct project *p, bool bound,
                                bool usable)
{
    struct release best = {0};
    const struct candidate *c;
    const struct left_out *l;

    vec_each(c, &p->candidates)
        if (!best.version && !pep440_is_pre(&c->version) && !c->file->yanked &&
            (!bound || !find_bound(in, p->name, &c->version)))
            best = (struct release){&c->version, c, NULL};
    vec_each(l, &p->left_out)
        if (!usable && !pep440_is_pre(&l->version) &&
            (!best.version || pep440_cmp(&l->version, best.version) > 0) &&
            (!bound || !find_bound(in, p->name, &l->version)))
            best = (struct release){&l->version, NULL, l};
    return best;
}

static void tell_left_out(struct buf *out, const struct left_out *l)
{
    switch (l->why) {
    case LEFT_SDIST_ONLY:
        buf_puts(out, "is published as source only");
        return;
    case LEFT_PYTHON_REFUSED:
        buf_fmt(out, "needs Python " STR_FMT, STR_ARG(l->requires_python));
        return;
    case LEFT_NO_TAG:
        buf_puts(out, "has no wheel for this Python and platform");
        return;
    case LEFT_OTHER_HASH:
        buf_puts(out, "has none of the hashes listed");
        return;
    }
}

static bool is_kept(const struct choosing *in, const struct pypi_pick *p)
{
    for (size_t i = 0; i < in->want->prefer_n; i++)
        if (str_eq(in->want->prefer[i].name, p->name) &&
            str_eq(in->want->prefer[i].version, p->candidate->version.text))
            return true;
    return false;
}

static bool is_bounded(const struct choosing *in, struct str name)
{
    for (size_t i = 0; i < in->want->roots_n; i++) {
        const struct requirement *r = in->want->roots[i].requirement;

        if (str_eq(r->name, name) && r->specifiers.n)
            return true;
    }
    return false;
}

/* The first of its requirements that something with bounds of the user's own does not meet. */
static bool tell_need(const struct choosing *in, struct buf *out, const struct metadata *m)
{
    const struct requirement *r;

    vec_each(r, &m->requires) {
        const struct pypi_pick *other = pypi_solution_find(in->chosen, r->name);
        CLEANUP(err_clear) struct err unused = {0};
        bool holds;

        if (!other || !is_bounded(in, r->name) ||
            specifiers_match(&r->specifiers, &other->candidate->version) ||
            marker_eval(r->marker, &in->want->env, STR(""), &holds, &unused) < 0 || !holds)
            continue;
        buf_puts(out, "needs ");
        requirement_print(out, r, false);
        return true;
    }
    return false;
}

/* Ask for that very release, and take the reason why that cannot be. */
static void tell_conflict(const struct choosing *in, struct buf *out, const struct pypi_pick *p,
                          const struct pep440 *version)
{
    CLEANUP(arena_clear) struct arena a = {0};
    CLEANUP(requirement_clear) struct requirement only = {0};
    CLEANUP(pypi_solution_clear) struct pypi_solution found = {0};
    CLEANUP(err_clear) struct err why = {0};
    struct events quiet = {0};
    struct pypi_want want = *in->want;
    struct VEC_OF(struct pypi_root) roots = {0};

    if (want.events)
        quiet = (struct events){.cancelled = want.events->cancelled, .ctx = want.events->ctx};
    want.events = &quiet;
    want.rounds = ROUNDS;
    want.brief = true;
    if (requirement_parse(
            &only, &a,
            str_of(arena_fmt(&a, STR_FMT "==" STR_FMT, STR_ARG(p->name), STR_ARG(version->text))),
            &why) < 0)
        return;
    for (size_t i = 0; i < want.roots_n; i++)
        vec_add(&roots, want.roots[i]);
    vec_add(&roots, ((struct pypi_root){&only, STR("recipe")}));
    want.roots = roots.v;
    want.roots_n = roots.n;
    if (solve_pypi(&found, &want, in->universe, &why) < 0 && why.kind == ERR_UNSAT)
        buf_fmt(out, "does not fit: " STR_FMT, STR_ARG(str_sub(str_of(why.msg), 0, WHY_MAX)));
    else
        buf_puts(out, "would make other packages older");
    vec_clear(&roots);
}

static void tell_why(const struct choosing *in, struct buf *out, const struct pypi_pick *p,
                     const struct release *newest)
{
    const struct requirement *bound = find_bound(in, p->name, newest->version);
    CLEANUP(err_clear) struct err unused = {0}; /* it cannot be read: the search told it */
    const struct metadata *m;

    if (bound) {
        buf_puts(out, "does not fit ");
        requirement_print(out, bound, false);
    } else if (newest->left_out) {
        tell_left_out(out, newest->left_out);
    } else if (is_kept(in, p)) {
        buf_puts(out, "is not taken without --upgrade");
    } else if (newest->usable->source) { /* nobody builds it to say why it is not taken */
        buf_puts(out, "would be built from source, and does not fit");
    } else if (in->universe->metadata(in->universe->ctx, p->project, newest->usable, &m, &unused) <
               0) {
        buf_puts(out, "cannot be read");
    } else if (!tell_need(in, out, m)) {
        tell_conflict(in, out, p, newest->version);
    }
}

static struct str uploaded(const struct release *r)
{
    return r->usable ? r->usable->file->uploaded : r->left_out->uploaded;
}

static void check_age(struct choosing *in, const struct pypi_pick *p, const struct pos *pos)
{
    struct release newest = newest_of(in, p->project, true, in->wheels_only);
    struct str own = p->candidate->file->uploaded;
    CLEANUP(buf_clear) struct buf why = {0};
    int64_t then, now;

    if (is_kept(in, p) || !newest.version ||
        pep440_cmp(newest.version, &p->candidate->version) <= 0 || !date_parse(&then, own) ||
        !date_parse(&now, uploaded(&newest)) || now - then <= OLD_SECONDS)
        return;
    tell_why(in, &why, p, &newest);
    err_at_kind(in->e, ERR_UNSAT, pos,
                STR_FMT " would be " STR_FMT " of " STR_FMT ", more than two years older than the "
                        "newest: " STR_FMT " of " STR_FMT " %s; change what keeps it out, or pin "
                        "it if it is meant (" STR_FMT "==" STR_FMT ")",
                STR_ARG(p->name), STR_ARG(p->candidate->version.text),
                STR_ARG(str_sub(own, 0, DAY)), STR_ARG(newest.version->text),
                STR_ARG(str_sub(uploaded(&newest), 0, DAY)), why.p, STR_ARG(p->name),
                STR_ARG(p->candidate->version.text));
}

static void add(struct choosing *in, const struct pypi_pick *p)
{
    struct arena *a = &in->out->arena;
    struct release newest = newest_of(in, p->project, false, false);
    CLEANUP(buf_clear) struct buf why = {0};
    struct choice made = {.name = arena_str(a, p->name),
                          .version = arena_str(a, p->candidate->version.text)};

    if (newest.version && pep440_cmp(newest.version, &p->candidate->version) > 0) {
        tell_why(in, &why, p, &newest);
        made.newest = arena_str(a, newest.version->text);
        made.why = arena_str(a, buf_view(&why));
    }
    vec_add(&in->out->list, made);
}

static bool is_listed(const struct choices *c, struct str name)
{
    const struct choice *x;

    vec_each(x, &c->list)
        if (str_eq(x->name, name))
            return true;
    return false;
}

/* The newest of it would be taken, were sdists built. */
static bool is_told(const struct choosing *in, const struct pypi_sources *sources,
                    const struct pypi_pick *p)
{
    struct release newest = newest_of(in, p->project, true, false);
    const struct pypi_source *s;

    vec_each(s, &sources->list)
        if (str_eq(s->root, p->name) && newest.version && str_eq(s->with, newest.version->text))
            return true;
    return false;
}

int choices_find(struct choices *out, const struct pypi_want *want,
                 const struct pypi_universe *universe, const struct pypi_solution *chosen,
                 const struct requirements *reqs, const struct pypi_sources *sources,
                 bool wheels_only, struct err *e)
{
    struct err fault = {0};
    struct choosing in = {out, want, universe, chosen, reqs, wheels_only, &fault};

    for (size_t i = 0; i + 1 < reqs->own; i++) { /* the last is pip itself, for every image */
        const struct pypi_pick *p = pypi_solution_find(chosen, reqs->roots.v[i].requirement->name);
        bool locked = i >= reqs->locked_from && i < reqs->locked_from + reqs->locked.n;

        if (!p || locked || is_listed(out, p->name)) /* what another tool chose is its business */
            continue;
        if (!is_told(&in, sources, p))
            check_age(&in, p, &reqs->places.v[i]);
        add(&in, p);
        if (events_cancelled(want->events))
            return err_set(e, ERR_INTERRUPTED, "interrupted");
    }
    return err_is_set(&fault) ? err_join(e, &fault) : 0;
}
