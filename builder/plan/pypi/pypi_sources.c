/* SPDX-License-Identifier: Apache-2.0 */
#include "pypi_sources.h"

#include "../../base/map.h"

enum { ROUNDS = 5000 };

/* The universe with sdists in it. */
struct world {
    const struct pypi_universe *of;
    struct arena arena;
    struct map projects; /* name -> struct project *: copies that borrow all but their candidates */
    struct VEC_OF(struct project *) made;
    struct metadata nothing;
};

static void world_clear(struct world *w)
{
    for (size_t i = 0; i < w->made.n; i++)
        vec_clear(&w->made.v[i]->candidates);
    vec_clear(&w->made);
    map_clear(&w->projects);
    arena_clear(&w->arena);
}

/* Is it one that this world alone has? */
static bool is_source(const struct project *p, const struct candidate *c)
{
    const struct left_out *l;

    vec_each(l, &p->left_out)
        if (l->sdist == c->file)
            return true;
    return false;
}

static int newest_first(const void *pa, const void *pb)
{
    const struct candidate *a = pa, *b = pb;

    return pep440_cmp(&b->version, &a->version);
}

static struct str asked(void *ctx, struct str name)
{
    const struct world *w = ctx;

    return w->of->asked(w->of->ctx, name);
}

static int ask_project(void *ctx, struct str name, const struct project **out, struct err *e)
{
    struct world *w = ctx;
    struct project *p = map_get(&w->projects, name);
    const struct project *from = NULL;
    const struct candidate *c;
    const struct left_out *l;

    *out = p;
    if (p)
        return 0;
    if (w->of->project(w->of->ctx, name, &from, e) < 0)
        return -1;
    if (!from)
        return 0;
    p = arena_alloc(&w->arena, sizeof *p);
    *p = *from;
    p->candidates.v = NULL;
    p->candidates.n = p->candidates.cap = 0;
    vec_add(&w->made, p);
    vec_each(c, &from->candidates)
        vec_add(&p->candidates, *c);
    vec_each(l, &from->left_out)
        if (l->sdist)
            vec_add(&p->candidates,
                    ((struct candidate){.version = l->version, .file = l->sdist, .source = true}));
    vec_sort(&p->candidates, newest_first);
    map_set(&w->projects, arena_str(&w->arena, name), p);
    *out = p;
    return 0;
}

static int ask_metadata(void *ctx, const struct project *p, const struct candidate *c,
                        const struct metadata **out, struct err *e)
{
    struct world *w = ctx;

    if (!is_source(p, c))
        return w->of->metadata(w->of->ctx, p, c, out, e);
    *out = &w->nothing;
    return 0;
}

static int ask_direct(void *ctx, struct str name, struct str url, const struct project **out,
                      struct err *e)
{
    const struct world *w = ctx;

    return w->of->direct(w->of->ctx, name, url, out, e);
}

static int prefetch(void *ctx, const struct str *names, size_t n, struct err *e)
{
    const struct world *w = ctx;

    return w->of->prefetch ? w->of->prefetch(w->of->ctx, names, n, e) : 0;
}

const struct pypi_pick *pypi_solution_find(const struct pypi_solution *s, struct str name)
{
    const struct pypi_pick *p;

    vec_each(p, &s->picks)
        if (str_eq(p->name, name))
            return p;
    return NULL;
}

static const struct pypi_pick *who_needs(const struct pypi_solution *s, struct str name)
{
    const struct pypi_pick *p;

    vec_each(p, &s->picks)
        for (size_t i = 0; i < p->needs.n; i++)
            if (str_eq(p->needs.v[i], name))
                return p;
    return NULL;
}

static void tell_date(struct buf *out, struct str uploaded)
{
    if (uploaded.len >= strlen("2025-01-29"))
        buf_fmt(out, " (" STR_FMT ")", STR_ARG(str_sub(uploaded, 0, strlen("2025-01-29"))));
}

static bool has_wheels(const struct pypi_pick *p)
{
    const struct left_out *l;

    vec_each(l, &p->project->left_out)
        if (l->sdist == p->candidate->file)
            return l->why != LEFT_SDIST_ONLY;
    return false;
}

static void tell(struct pypi_sources *out, const struct pypi_solution *s,
                 const struct pypi_pick *source, const struct pypi_solution *wheels)
{
    CLEANUP(buf_clear) struct buf text = {0};
    const struct pypi_pick *top = source, *now, *p;
    struct pypi_source *made = vec_push(&out->list);
    size_t steps = 0;

    buf_fmt(&text, STR_FMT " " STR_FMT, STR_ARG(source->name),
            STR_ARG(source->candidate->version.text));
    tell_date(&text, source->candidate->file->uploaded);
    while (!top->requested && steps < s->picks.n && (p = who_needs(s, top->name))) {
        buf_fmt(&text, "%s" STR_FMT " " STR_FMT, steps++ ? " for " : ", needed by ",
                STR_ARG(p->name), STR_ARG(p->candidate->version.text));
        top = p;
    }
    buf_fmt(&text, "%s %s", steps ? "," : "",
            has_wheels(source) ? "has no wheel for this Python and platform, only its source"
                               : "is published as source only");
    now = pypi_solution_find(wheels, top->name);
    *made = (struct pypi_source){.name = arena_str(&out->arena, source->name),
                                 .builds = project_is_sdist(source->candidate->file->name),
                                 .root = arena_str(&out->arena, top->name),
                                 .with = arena_str(&out->arena, top->candidate->version.text),
                                 .text = arena_strdup(&out->arena, text.p)};
    if (now) {
        made->now = arena_str(&out->arena, now->candidate->version.text);
        made->dated = arena_str(&out->arena,
                                str_sub(now->candidate->file->uploaded, 0, strlen("2025-01-29")));
    }
}

int pypi_sources_find(struct pypi_sources *out, const struct pypi_want *want,
                      const struct pypi_universe *universe, const struct pypi_solution *wheels,
                      struct err *e)
{
    CLEANUP(world_clear) struct world world = {.of = universe};
    CLEANUP(pypi_solution_clear) struct pypi_solution found = {0};
    const struct pypi_universe with = {.ctx = &world,
                                       .asked = asked,
                                       .project = ask_project,
                                       .metadata = ask_metadata,
                                       .direct = ask_direct,
                                       .prefetch = prefetch};
    struct events quiet = {0};
    struct pypi_want again = *want;
    struct err fault = {0};
    const struct pypi_pick *p;

    if (want->events)
        quiet = (struct events){.cancelled = want->events->cancelled, .ctx = want->events->ctx};
    again.events = &quiet;
    again.rounds = ROUNDS;
    again.brief = true;
    if (solve_pypi(&found, &again, &with, &fault) < 0) {
        if (fault.kind == ERR_INTERRUPTED)
            return err_join(e, &fault);
        err_clear(&fault);
        return 0;
    }
    vec_each(p, &found.picks) {
        const struct pypi_pick *now = pypi_solution_find(wheels, p->name);

        if (is_source(p->project, p->candidate) &&
            (!now || pep440_cmp(&p->candidate->version, &now->candidate->version) > 0 ||
             (pep440_is_pre(&now->candidate->version) && !pep440_is_pre(&p->candidate->version))))
            tell(out, &found, p, wheels);
    }
    return 0;
}

void pypi_sources_clear(struct pypi_sources *s)
{
    vec_clear(&s->list);
    arena_clear(&s->arena);
    *s = (struct pypi_sources){0};
}
