/* SPDX-License-Identifier: Apache-2.0 */
#include "pypi_hint.h"

enum {
    TRIES_BACK = 10,  /* wishes taken up again after all were let go */
    TRIES = 4,        /* wishes left out, one after the other */
    ROUNDS = 400,     /* of each search */
    QUESTIONS = 1000, /* to the universe in each, so that a hint takes seconds at most */
    LISTED_MAX = 3,   /* versions named */
};

/* The universe, until too much was asked of it. */
struct patience {
    const struct pypi_universe *of;
    unsigned left;
};

static int spend(struct patience *p, size_t n, struct err *e)
{
    if (n > p->left)
        return err_set(e, ERR_NET, "enough asked for a hint");
    p->left -= (unsigned)n;
    return 0;
}

static struct str asked(void *ctx, struct str name)
{
    struct patience *p = ctx;

    return p->of->asked(p->of->ctx, name);
}

static int ask_project(void *ctx, struct str name, const struct project **out, struct err *e)
{
    struct patience *p = ctx;

    return spend(p, 1, e) < 0 ? -1 : p->of->project(p->of->ctx, name, out, e);
}

static int ask_metadata(void *ctx, const struct project *project, const struct candidate *c,
                        const struct metadata **out, struct err *e)
{
    struct patience *p = ctx;

    return spend(p, 1, e) < 0 ? -1 : p->of->metadata(p->of->ctx, project, c, out, e);
}

static int ask_direct(void *ctx, struct str name, struct str url, const struct project **out,
                      struct err *e)
{
    struct patience *p = ctx;

    return p->of->direct(p->of->ctx, name, url, out, e);
}

static int prefetch(void *ctx, const struct str *names, size_t n, struct err *e)
{
    struct patience *p = ctx;

    return p->of->prefetch ? p->of->prefetch(p->of->ctx, names, n, e) : 0;
}

static int prefetch_metadata(void *ctx, const struct pypi_likely *likely, size_t n, struct err *e)
{
    struct patience *p = ctx;

    if (n > p->left)
        return 0;
    return p->of->prefetch_metadata ? p->of->prefetch_metadata(p->of->ctx, likely, n, e) : 0;
}

/* The wishes, as they are changed for a try. */
struct wishes {
    struct pypi_want want;
    struct pypi_root *roots;          /* owned, as the next two */
    struct requirement *requirements; /* of each root: without versions, borrowing all else */
    struct pypi_root *constraints;
    struct events quiet;
};

static void wishes_clear(struct wishes *w)
{
    free(w->roots);
    free(w->requirements);
    free(w->constraints);
}

static void wishes_open(struct wishes *w, const struct pypi_want *want)
{
    w->want = *want;
    if (want->events)
        w->quiet = (struct events){.cancelled = want->events->cancelled, .ctx = want->events->ctx};
    w->want.events = &w->quiet;
    w->roots = xcalloc(want->roots_n + 1, sizeof *w->roots);
    w->requirements = xcalloc(want->roots_n + 1, sizeof *w->requirements);
    w->constraints = xcalloc(want->constraints_n + 1, sizeof *w->constraints);
    for (size_t i = 0; i < want->roots_n; i++) {
        w->requirements[i] = *want->roots[i].requirement;
        w->requirements[i].specifiers = (struct specifiers){0};
    }
}

static void wishes_restore(struct wishes *w, const struct pypi_want *want)
{
    for (size_t i = 0; i < want->roots_n; i++)
        w->roots[i] = want->roots[i];
    for (size_t i = 0; i < want->constraints_n; i++)
        w->constraints[i] = want->constraints[i];
    w->want.roots = w->roots;
    w->want.constraints = w->constraints;
    w->want.constraints_n = want->constraints_n;
}

static void let_go(struct wishes *w, size_t root)
{
    w->roots[root].requirement = &w->requirements[root];
}

/* One search for changed wishes. What goes wrong in it is no concern of the user's: then there is
 * no hint. */
static bool try_wishes(const struct wishes *wishes, const struct pypi_universe *real,
                       struct problem *problem, struct pypi_found *found)
{
    CLEANUP(err_clear) struct err unused = {0};
    struct patience patience = {real, QUESTIONS};
    const struct pypi_universe universe = {.ctx = &patience,
                                           .asked = asked,
                                           .project = ask_project,
                                           .metadata = ask_metadata,
                                           .direct = ask_direct,
                                           .prefetch = prefetch,
                                           .prefetch_metadata = prefetch_metadata};

    return problem_open(problem, &wishes->want, &universe, &unused) == 0 &&
           problem_warm(problem, &unused) == 0 &&
           pypi_search(found, problem, ROUNDS, &unused) == 0 && found->end == SEARCH_FOUND;
}

/* What was chosen for a project; NULL when nothing. */
static const struct pep440 *chosen(const struct problem *w, const struct pypi_found *found,
                                   struct str name)
{
    for (uint32_t i = 0; i < w->nodes.n; i++) {
        const struct node *n = w->nodes.v[i];

        if (n->base == i && str_eq(n->of->name, name) && found->pick.v[i] != PYPI_NONE)
            return &n->of->project->candidates.v[found->pick.v[i]].version;
    }
    return NULL;
}

static bool is_asked_twice(const struct pypi_want *want, struct str name)
{
    unsigned n = 0;

    for (size_t i = 0; i < want->roots_n; i++)
        n += str_eq(want->roots[i].requirement->name, name);
    return n > 1;
}

/* With versions of one wish let go. */
static bool try_root(struct buf *out, const struct problem *w, struct wishes *wishes, size_t root)
{
    CLEANUP(problem_clear) struct problem problem = {0};
    CLEANUP(pypi_found_clear) struct pypi_found found = {0};
    const struct requirement *r = w->want->roots[root].requirement;
    const struct pep440 *v;

    wishes_restore(wishes, w->want);
    let_go(wishes, root);
    if (!try_wishes(wishes, w->universe, &problem, &found) ||
        !(v = chosen(&problem, &found, r->name)))
        return false;
    if (is_asked_twice(w->want, r->name)) {
        buf_puts(out, "without ");
        requirement_print(out, r, false);
        buf_putc(out, ' ');
    }
    buf_fmt(out, STR_FMT " " STR_FMT " fits", STR_ARG(r->name), STR_ARG(v->text));
    return true;
}

/* Without the constraints on a project, or without any. */
static bool try_constraints(struct buf *out, const struct problem *w, struct wishes *wishes,
                            struct str name, bool all)
{
    CLEANUP(problem_clear) struct problem problem = {0};
    CLEANUP(pypi_found_clear) struct pypi_found found = {0};
    const struct pep440 *v;
    size_t kept = 0;

    wishes_restore(wishes, w->want);
    for (size_t i = 0; i < w->want->constraints_n && !all; i++)
        if (!str_eq(wishes->constraints[i].requirement->name, name))
            wishes->constraints[kept++] = wishes->constraints[i];
    wishes->want.constraints_n = kept;
    if (kept == w->want->constraints_n || !try_wishes(wishes, w->universe, &problem, &found) ||
        !(v = chosen(&problem, &found, name)))
        return false;
    buf_fmt(out, "without the constraint%s " STR_FMT " " STR_FMT " fits", all ? "s" : "",
            STR_ARG(name), STR_ARG(v->text));
    return true;
}

/* Name the versions that would have to change for what a search found. */
static bool tell_changes(struct buf *out, const struct pypi_want *want,
                         const struct problem *problem, const struct pypi_found *found)
{
    unsigned told = 0;

    for (size_t i = 0; i < want->roots_n && told < LISTED_MAX; i++) {
        const struct requirement *r = want->roots[i].requirement;
        const struct pep440 *v = chosen(problem, found, r->name);

        if (v && r->specifiers.n && !problem_admits(problem, r->name, &r->specifiers, v))
            buf_fmt(out, "%s" STR_FMT " " STR_FMT, told++ ? ", " : "", STR_ARG(r->name),
                    STR_ARG(v->text));
    }
    buf_puts(out, told == 1 ? " fits" : told ? " fit together" : "");
    return told > 0;
}

/* With all versions let go but those of the first wish, which for a recipe is torch; then with as
 * many as possible of them back in the user's order. */
static bool try_many(struct buf *out, const struct problem *w, struct wishes *wishes)
{
    CLEANUP(buf_clear) struct buf best = {0};
    size_t tries = 0;

    wishes_restore(wishes, w->want);
    for (size_t i = 1; i < w->want->roots_n; i++)
        let_go(wishes, i);
    for (size_t back = 0; back < w->want->roots_n && tries <= TRIES_BACK; back++) {
        CLEANUP(problem_clear) struct problem problem = {0};
        CLEANUP(pypi_found_clear) struct pypi_found found = {0};

        if (back && !w->want->roots[back].requirement->specifiers.n)
            continue;
        tries++;
        wishes->roots[back] = w->want->roots[back];
        if (try_wishes(wishes, w->universe, &problem, &found)) {
            buf_reset(&best);
            (void)tell_changes(&best, w->want, &problem, &found);
        } else if (!back || events_cancelled(w->want->events)) {
            break;
        } else {
            let_go(wishes, back);
        }
    }
    buf_str(out, buf_view(&best));
    return best.len > 0;
}

/* Whether a reason, or who is behind it, is this wish. */
static bool is_involved(const struct pypi_found *found, const struct requirement *r)
{
    for (size_t i = 0; i < found->told.n; i++)
        if (found->told.v[i].need->requirement == r)
            return true;
    for (size_t i = 0; i < found->via.n; i++)
        if (found->via.v[i].need->requirement == r)
            return true;
    return false;
}

int hint_conflict(struct buf *out, const struct problem *w, const struct pypi_found *found,
                  struct err *e)
{
    CLEANUP(wishes_clear) struct wishes wishes = {0};
    struct str name = w->nodes.v[found->told.v[0].need->node]->of->name;
    unsigned tries = 0, bound = 0;

    wishes_open(&wishes, w->want);
    if (try_constraints(out, w, &wishes, name, false))
        return 0;
    /* Those that the conflict names first; of them the last, as the first matters most. */
    for (int involved = 1; involved >= 0; involved--)
        for (size_t i = w->want->roots_n; i-- > 0;) {
            const struct requirement *r = w->want->roots[i].requirement;

            if (!r->specifiers.n || is_involved(found, r) != involved)
                continue;
            bound++;
            if (events_cancelled(w->want->events))
                return err_set(e, ERR_INTERRUPTED, "interrupted");
            if (tries++ < TRIES && try_root(out, w, &wishes, i))
                return 0;
        }
    if (bound < 2 || !try_many(out, w, &wishes))
        (void)try_constraints(out, w, &wishes, name, true);
    return 0;
}
