/* SPDX-License-Identifier: Apache-2.0 */
#include "pypi_hint.h"
#include "pypi_why.h"

/* Mark what the roots reach through the decisions; a jump may leave others behind. */
static void mark(const struct problem *w, const struct pypi_found *s, const struct needs *needs,
                 bool *reached)
{
    for (size_t i = 0; i < needs->n; i++) {
        uint32_t node = needs->v[i]->node;

        if (reached[node])
            continue;
        reached[node] = true;
        mark(w, s, w->nodes.v[node]->needs[s->pick.v[node]], reached);
    }
}

/* Sorted, and moved into the arena. */
static void settle(struct strs *s, struct arena *a)
{
    struct strs made = {.n = s->n, .v = arena_alloc(a, (s->n + 1) * sizeof *s->v)};

    vec_sort(s, str_compare);
    for (size_t i = 0; i < s->n; i++)
        made.v[i] = arena_str(a, s->v[i]);
    vec_clear(s);
    *s = made;
}

static bool is_root(const struct problem *w, struct str name)
{
    for (size_t i = 0; i < w->roots.n; i++)
        if (str_eq(w->nodes.v[w->roots.v[i]->node]->of->name, name))
            return true;
    return false;
}

static bool is_missed(const struct problem *w, struct str extra)
{
    for (size_t i = 0; w->want->may_lack && i < w->want->may_lack->n; i++)
        if (str_eq(w->want->may_lack->v[i], extra))
            return false;
    return true;
}

static void warn_of(const struct problem *w, const struct pypi_pick *p, const struct node *n)
{
    struct str version = p->candidate->version.text;

    for (size_t i = 0; i < n->extras.n; i++) {
        bool there = false;

        for (size_t j = 0; j < p->metadata->extras.n && !there; j++)
            there = str_eq(p->metadata->extras.v[j], n->extras.v[i]);
        if (!there && is_missed(w, n->extras.v[i]))
            events_warn(w->want->events, STR_FMT " " STR_FMT " has no extra \"" STR_FMT "\"",
                        STR_ARG(p->name), STR_ARG(version), STR_ARG(n->extras.v[i]));
    }
    if (n->extras.n || !p->candidate->file->yanked)
        return;
    events_warn(w->want->events, STR_FMT " " STR_FMT " is yanked%s" STR_FMT, STR_ARG(p->name),
                STR_ARG(version), p->candidate->file->yanked_reason.len ? ": " : "",
                STR_ARG(p->candidate->file->yanked_reason));
}

/* One project of the solution, from all its nodes. */
static void add_pick(struct pypi_solution *out, const struct problem *w, const struct pypi_found *s,
                     uint32_t base, const bool *reached)
{
    struct pypi_pick *p = vec_push(&out->picks);
    const struct known *k = w->nodes.v[base]->of;
    uint32_t c = s->pick.v[base];

    p->name = arena_str(&out->arena, k->name);
    p->project = k->project;
    p->candidate = &k->project->candidates.v[c];
    p->metadata = k->metadata[c];
    p->requested = is_root(w, k->name);
    for (uint32_t i = 0; i < w->nodes.n; i++) {
        const struct node *n = w->nodes.v[i];

        if (!reached[i] || n->base != base)
            continue;
        for (size_t j = 0; j < n->extras.n; j++)
            strs_add_once(&p->extras, n->extras.v[j]);
        for (size_t j = 0; j < n->needs[c]->n; j++) {
            struct str other = w->nodes.v[n->needs[c]->v[j]->node]->of->name;

            if (!str_eq(other, k->name))
                strs_add_once(&p->needs, other);
        }
        warn_of(w, p, n);
    }
    settle(&p->extras, &out->arena);
    settle(&p->needs, &out->arena);
}

static int pick_order(const void *a, const void *b)
{
    return str_cmp(((const struct pypi_pick *)a)->name, ((const struct pypi_pick *)b)->name);
}

static void take_solution(struct pypi_solution *out, const struct problem *w,
                          const struct pypi_found *found)
{
    bool *reached = xcalloc(w->nodes.n + 1, sizeof *reached);

    mark(w, found, &w->roots, reached);
    for (uint32_t i = 0; i < w->nodes.n; i++)
        if (reached[i] && w->nodes.v[i]->base == i)
            add_pick(out, w, found, i, reached);
    vec_sort(&out->picks, pick_order);
    out->rounds = found->rounds;
    free(reached);
}

static int tell_unsolved(struct problem *w, const struct pypi_found *found, struct err *e)
{
    CLEANUP(explanation_clear) struct explanation why = {0};
    CLEANUP(buf_clear) struct buf hint = {0};

    if (found->end == SEARCH_LONG)
        return err_set(e, ERR_UNSAT,
                       "no set of Python packages found in %u rounds; closer bounds on versions "
                       "help",
                       found->rounds);
    explain_conflict(&why, w, &found->told, &found->via);
    if (!why.complete && !w->want->brief && hint_conflict(&hint, w, found, e) < 0)
        return -1;
    return err_set(e, ERR_UNSAT, "%s%s%s", why.text.p, hint.len || why.newest.len ? "; " : "",
                   hint.len         ? hint.p
                   : why.newest.len ? why.newest.p
                                    : "");
}

int solve_pypi(struct pypi_solution *out, const struct pypi_want *want,
               const struct pypi_universe *universe, struct err *e)
{
    CLEANUP(problem_clear) struct problem problem = {0};
    CLEANUP(pypi_found_clear) struct pypi_found found = {0};
    struct pypi_solution made = {0};

    if (problem_open(&problem, want, universe, e) < 0 || pypi_search(&found, &problem, 0, e) < 0)
        return -1;
    if (found.end == SEARCH_CONFLICT) /* in the wishes themselves: no need to ask for more */
        return tell_unsolved(&problem, &found, e);
    if (problem_warm(&problem, e) < 0 ||
        pypi_search(&found, &problem, want->rounds ? want->rounds : SOLVE_PYPI_ROUNDS, e) < 0)
        return -1;
    if (found.end != SEARCH_FOUND)
        return tell_unsolved(&problem, &found, e);
    take_solution(&made, &problem, &found);
    MOVE(out, &made);
    return 0;
}

void pypi_solution_clear(struct pypi_solution *s)
{
    vec_clear(&s->picks);
    arena_clear(&s->arena);
    *s = (struct pypi_solution){0};
}
