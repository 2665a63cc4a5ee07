/* SPDX-License-Identifier: Apache-2.0 */
#include "install_order.h"
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

/* The names of what a node needs; its own project, and a project that stands there with extras, are
 * told by those. */
static void add_names(struct strs *out, const struct problem *w, const struct node *n, uint32_t c)
{
    const struct needs *needs = n->needs[c];

    for (size_t i = 0; i < needs->n; i++) {
        const struct node *other = w->nodes.v[needs->v[i]->node];
        bool told = other->of == n->of && !other->extras.n;

        for (size_t j = 0; j < needs->n && !other->extras.n && !told; j++)
            told = w->nodes.v[needs->v[j]->node]->base == needs->v[i]->node && i != j &&
                   w->nodes.v[needs->v[j]->node] != other;
        if (!told)
            strs_add_once(out, other->id);
    }
}

/* "a,b" of "name[a,b]" */
static struct str brackets(const struct node *n)
{
    return str_sub(n->id, n->of->name.len + 1, n->id.len - n->of->name.len - 2);
}

static int extra_order(const void *a, const void *b)
{
    return str_cmp(((const struct artifact_extra *)a)->name,
                   ((const struct artifact_extra *)b)->name);
}

/* What a node brings: the plain one what the project needs, one with extras what these add. */
static void add_brought(struct pypi_pick *p, struct arena *a, const struct problem *w,
                        const struct node *n, uint32_t c)
{
    struct artifact_extra extra = {0};
    struct strs plain = {0}, all = {0};

    add_names(&plain, w, w->nodes.v[n->base], c);
    add_names(&all, w, n, c);
    for (size_t i = 0; i < all.n; i++)
        if (!n->extras.n || !strs_has(&plain, all.v[i]))
            vec_add(&extra.needs, all.v[i]);
    vec_clear(&plain);
    vec_clear(&all);
    settle(&extra.needs, a);
    extra.name = n->extras.n ? arena_str(a, brackets(n)) : (struct str){0};
    if (!n->extras.n)
        p->needs = extra.needs;
    else if (extra.needs.n)
        vec_add(&p->brought, extra);
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
        add_brought(p, &out->arena, w, n, c);
        warn_of(w, p, n);
    }
    settle(&p->extras, &out->arena);
    vec_sort(&p->brought, extra_order);
}

static int pick_order(const void *a, const void *b)
{
    return str_cmp(((const struct pypi_pick *)a)->name, ((const struct pypi_pick *)b)->name);
}

static void add_edges(struct install_graph *g, uint32_t from, const struct needs *needs)
{
    for (size_t i = 0; i < needs->n; i++)
        vec_add(&g->nodes.v[from].needs, needs->v[i]->node + 1);
}

/* In pip's graph a project that says which Python it needs, needs one more thing. */
static void find_turns(uint32_t *turns, const struct problem *w, const struct pypi_found *found,
                       const bool *reached)
{
    CLEANUP(install_graph_clear) struct install_graph g = {0};
    uint32_t python = (uint32_t)w->nodes.n + 1;

    for (uint32_t i = 0; i <= python; i++)
        vec_push(&g.nodes);
    add_edges(&g, 0, &w->roots);
    for (uint32_t i = 0; i < w->nodes.n; i++) {
        const struct node *n = w->nodes.v[i];

        if (!reached[i])
            continue;
        add_edges(&g, i + 1, n->needs[found->pick.v[i]]);
        if (n->base == i && n->of->metadata[found->pick.v[i]]->requires_python.len)
            vec_add(&g.nodes.v[i + 1].needs, python);
    }
    install_turns(turns, &g);
}

static void take_solution(struct pypi_solution *out, const struct problem *w,
                          const struct pypi_found *found)
{
    CLEANUP(free_clear) bool *reached = xcalloc(w->nodes.n + 1, sizeof *reached);
    CLEANUP(free_clear) uint32_t *turns = xcalloc(w->nodes.n + 2, sizeof *turns);

    mark(w, found, &w->roots, reached);
    find_turns(turns, w, found, reached);
    for (uint32_t i = 0; i < w->nodes.n; i++)
        if (reached[i] && w->nodes.v[i]->base == i) {
            add_pick(out, w, found, i, reached);
            out->picks.v[out->picks.n - 1].turn = turns[i + 1];
        }
    vec_sort(&out->picks, pick_order);
    out->rounds = found->rounds;
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
    struct pypi_pick *p;

    vec_each(p, &s->picks)
        vec_clear(&p->brought);
    vec_clear(&s->picks);
    arena_clear(&s->arena);
    *s = (struct pypi_solution){0};
}
