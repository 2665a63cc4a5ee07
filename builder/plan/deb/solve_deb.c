/* plan/deb/solve_deb.c - which Debian packages, chosen as `apt-get install --no-install-
 * recommends`. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "solve_deb.h"

#include "deb_want.h"
#include "deb_why.h"

/* Deeper chains of dependencies than this are no archive's; bookworm's longest is below 100. */
enum { DEPTH_MAX = 2000, ROUNDS_MAX = 8 };

/* One decision; undone backwards. */
struct step {
    struct deb_mark *mark;
    bool evicted; /* given up for a package that conflicts with it, else taken */
};

struct deb_solver {
    const struct debindex *index;
    const char *universe;
    struct arena arena;
    struct map marks;                 /* name to struct deb_mark */
    struct map refusals;              /* name to struct deb_refusal */
    struct VEC_OF(struct step) steps; /* in the order of deciding */
    const char *group;
    struct buf why; /* the first reason in the attempt under way; empty: nothing failed yet */
};

struct deb_solver *deb_solver_open(const struct debindex *index, const char *universe)
{
    struct deb_solver *s = xcalloc(1, sizeof *s);

    s->index = index;
    s->universe = universe;
    return s;
}

void deb_solver_free(struct deb_solver *s)
{
    if (!s)
        return;
    map_clear(&s->marks);
    map_clear(&s->refusals);
    vec_clear(&s->steps);
    buf_clear(&s->why);
    arena_clear(&s->arena);
    free(s);
}

void deb_solver_clear(struct deb_solver **s)
{
    deb_solver_free(*s);
    *s = NULL;
}

static struct deb_mark *mark_of(struct deb_solver *s, struct str name)
{
    struct deb_mark *m = map_get(&s->marks, name);

    if (!m) {
        m = arena_alloc(&s->arena, sizeof *m);
        m->candidate = debindex_find(s->index, name);
        map_set(&s->marks, m->candidate ? m->candidate->name : name, m);
    }
    return m;
}

/* Does "name", "name:any" or "name:amd64" mean this package, as far as architectures go? */
static bool arch_fits(const struct deb_solver *s, const struct relation *r,
                      const struct deb_package *p)
{
    if (!r->arch.len || str_eq(r->arch, s->index->arch))
        return true;
    return str_is(r->arch, "any") && p->any;
}

static bool real_fits(const struct deb_solver *s, const struct relation *r,
                      const struct deb_package *p)
{
    return str_eq(p->name, r->name) && arch_fits(s, r, p) &&
           debver_satisfies(p->version, r->op, r->version);
}

/* Policy 7.5: an unversioned Provides satisfies no versioned relation. */
static bool provider_fits(const struct deb_solver *s, const struct relation *r,
                          const struct deb_provider *v)
{
    if (!arch_fits(s, r, v->package) || (r->op != DEBVER_ANY && !v->version.len))
        return false;
    return debver_satisfies(v->version, r->op, r->version);
}

/* The mark that satisfies `r` now; NULL when none does. */
static struct deb_mark *satisfier(struct deb_solver *s, const struct relation *r)
{
    struct deb_mark *m = map_get(&s->marks, r->name);

    if (m && m->taken && real_fits(s, r, m->taken))
        return m;
    for (const struct deb_provider *v = debindex_providers(s->index, r->name); v; v = v->next) {
        m = map_get(&s->marks, v->package->name);
        if (m && m->taken == v->package && provider_fits(s, r, v))
            return m;
    }
    return NULL;
}

/* ---- the first reason of an attempt is the one that is told ---- */

static struct deb_scene scene_of(const struct deb_solver *s)
{
    return (struct deb_scene){s->index, &s->marks, s->universe, s->group};
}

static void explain_clash(struct deb_solver *s, const struct deb_refusal *r,
                          const struct deb_mark *other)
{
    struct deb_scene scene = scene_of(s);

    if (!s->why.len)
        deb_why_clash(&s->why, &scene, r, other);
}

static void explain_unmet(struct deb_solver *s, const struct deb_mark *who,
                          const struct relation_group *g)
{
    struct deb_scene scene = scene_of(s);

    if (!s->why.len)
        deb_why_unmet(&s->why, &scene, who, g);
}

/* ---- reading what a package declares ---- */

static int read_relations(struct deb_solver *s, struct relations *out, const struct deb_mark *m,
                          const char *field, struct err *e)
{
    struct str text;

    if (deb_package_field(&text, m->candidate, field, e) < 0 ||
        relations_parse(out, &s->arena, text, s->index->arch, e) < 0)
        return err_wrap(e, STR_FMT ": %s of " STR_FMT, STR_ARG(m->candidate->origin->from), field,
                        STR_ARG(m->candidate->name));
    return 0;
}

static int read_needs(struct deb_solver *s, struct deb_mark *m, struct err *e)
{
    CLEANUP(relations_clear) struct relations pre = {0}, normal = {0};
    struct relation_group *all;

    if (read_relations(s, &pre, m, "Pre-Depends", e) < 0 ||
        read_relations(s, &normal, m, "Depends", e) < 0)
        return -1;
    all = arena_alloc(&s->arena, (pre.n + normal.n) * sizeof *all);
    for (size_t i = 0; i < pre.n; i++)
        all[i] = pre.v[i];
    for (size_t i = 0; i < normal.n; i++)
        all[pre.n + i] = normal.v[i];
    m->needs = all;
    m->needs_n = pre.n + normal.n;
    return 0;
}

static int read_refusals(struct deb_solver *s, struct deb_mark *m, bool breaks, struct err *e)
{
    CLEANUP(relations_clear) struct relations list = {0};

    if (read_relations(s, &list, m, breaks ? "Breaks" : "Conflicts", e) < 0)
        return -1;
    for (size_t i = 0; i < list.n; i++) {
        struct deb_refusal *r = arena_alloc(&s->arena, sizeof *r);
        r->owner = m;
        r->of = m->candidate;
        r->against = &list.v[i].v[0];
        r->breaks = breaks;
        r->next_of_owner = m->refuses;
        m->refuses = r;
        r->next_of_name = map_set(&s->refusals, r->against->name, r);
    }
    return 0;
}

static int read_package(struct deb_solver *s, struct deb_mark *m, struct err *e)
{
    if (m->parsed)
        return 0;
    m->parsed = true;
    m->refuses = NULL;
    if (read_needs(s, m, e) < 0 || read_refusals(s, m, false, e) < 0)
        return -1;
    return read_refusals(s, m, true, e);
}

/* ---- conflicts ---- */

/* Is some marked package other than `m` against `name`, which m is or provides? */
static bool refused_under(struct deb_solver *s, struct deb_mark *m, struct str name,
                          const struct deb_provider *as)
{
    for (const struct deb_refusal *r = map_get(&s->refusals, name); r; r = r->next_of_name) {
        if (r->owner == m || r->owner->taken != r->of)
            continue;
        if (as ? provider_fits(s, r->against, as) : real_fits(s, r->against, m->candidate)) {
            explain_clash(s, r, m);
            return true;
        }
    }
    return false;
}

static int refused_by_marked(struct deb_solver *s, struct deb_mark *m, bool *refused, struct err *e)
{
    CLEANUP(relations_clear) struct relations provides = {0};

    *refused = refused_under(s, m, m->candidate->name, NULL);
    if (*refused || read_relations(s, &provides, m, "Provides", e) < 0)
        return *refused ? 0 : -1;
    for (size_t i = 0; i < provides.n && !*refused; i++) {
        const struct relation *p = &provides.v[i].v[0];
        struct deb_provider as = {.package = m->candidate,
                                  .version = p->op == DEBVER_EQ ? p->version : (struct str){0}};
        *refused = refused_under(s, m, p->name, &as);
    }
    return 0;
}

/* The marked package other than `m` that `r` is against; NULL when there is none. */
static struct deb_mark *target_of(struct deb_solver *s, const struct deb_mark *m,
                                  const struct deb_refusal *r)
{
    struct deb_mark *other = map_get(&s->marks, r->against->name);

    if (other && other != m && other->taken && real_fits(s, r->against, other->taken))
        return other;
    for (const struct deb_provider *v = debindex_providers(s->index, r->against->name); v;
         v = v->next) {
        other = map_get(&s->marks, v->package->name);
        if (other && other != m && other->taken == v->package && provider_fits(s, r->against, v))
            return other;
    }
    return NULL;
}

/* apt gives up what this run took for a dependency that may be met otherwise. */
static bool may_evict(const struct deb_solver *s, const struct deb_mark *m)
{
    return m->group == s->group && !m->firm && !m->busy;
}

static bool refuses_marked(struct deb_solver *s, const struct deb_mark *m)
{
    struct deb_mark *other;

    for (const struct deb_refusal *r = m->refuses; r; r = r->next_of_owner)
        while ((other = target_of(s, m, r))) {
            if (!may_evict(s, other)) {
                explain_clash(s, r, other);
                return true;
            }
            other->taken = NULL;
            vec_add(&s->steps, ((struct step){other, true}));
        }
    return false;
}

/* ---- marking ---- */

/* Mark `m` alone if nothing marked conflicts with it, or what does can be given up. If it cannot,
 * the caller goes back to where it was. */
static int take(struct deb_solver *s, struct deb_mark *m, bool *done, struct err *e)
{
    bool refused = false;

    *done = false;
    if (read_package(s, m, e) < 0)
        return -1;
    if (refuses_marked(s, m))
        return 0;
    if (refused_by_marked(s, m, &refused, e) < 0)
        return -1;
    if (refused)
        return 0;
    m->taken = m->candidate;
    m->group = s->group;
    vec_add(&s->steps, ((struct step){m, false}));
    *done = true;
    return 0;
}

static void go_back(struct deb_solver *s, size_t n)
{
    while (s->steps.n > n) {
        const struct step *last = &s->steps.v[--s->steps.n];
        last->mark->taken = last->evicted ? last->mark->candidate : NULL;
    }
}

static int settle(struct deb_solver *s, struct deb_mark *m, unsigned depth, bool *done,
                  struct err *e);

/* Take `p` with all that it needs for `who`, or leave everything as it was. */
static int try_package(struct deb_solver *s, struct deb_mark *who, const struct deb_package *p,
                       unsigned depth, bool *done, struct err *e)
{
    struct deb_mark *m = mark_of(s, p->name);
    size_t before = s->steps.n;

    *done = false;
    if (m->candidate != p || m->taken)
        return 0; /* another version is wanted, or stands there already */
    m->because = who;
    if (take(s, m, done, e) < 0 || (*done && settle(s, m, depth + 1, done, e) < 0))
        return -1;
    if (!*done)
        go_back(s, before);
    return 0;
}

struct candidate {
    const struct deb_package *package;
    uint64_t mention;
};
struct candidates VEC_OF(struct candidate);

static int candidate_compare(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    int c = deb_provider_cmp(x->package, y->package);

    return c ? c : (x->mention < y->mention) - (x->mention > y->mention);
}

/* The packages that would satisfy `r` by providing it, in the order in which apt tries them. */
static void list_providers(struct deb_solver *s, struct candidates *out, const struct relation *r)
{
    bool tied = false;

    for (const struct deb_provider *v = debindex_providers(s->index, r->name); v; v = v->next) {
        if (str_eq(v->package->name, r->name) || !provider_fits(s, r, v) ||
            mark_of(s, v->package->name)->candidate != v->package)
            continue;
        tied |= out->n && deb_provider_cmp(out->v[out->n - 1].package, v->package) == 0;
        vec_add(out, ((struct candidate){.package = v->package}));
    }
    if (!tied)
        return;
    for (size_t i = 0; i < out->n; i++)
        out->v[i].mention = debindex_mention(s->index, out->v[i].package);
    vec_sort(out, candidate_compare);
}

static int try_alternative(struct deb_solver *s, struct deb_mark *who, const struct relation *r,
                           unsigned depth, bool *done, struct err *e)
{
    const struct deb_package *real = mark_of(s, r->name)->candidate;
    struct candidates providers = {0};
    int result = 0;

    *done = false;
    if (real && real_fits(s, r, real) && try_package(s, who, real, depth, done, e) < 0)
        return -1;
    if (*done)
        return 0;
    list_providers(s, &providers, r);
    for (size_t i = 0; i < providers.n && !*done && result == 0; i++)
        result = try_package(s, who, providers.v[i].package, depth, done, e);
    vec_clear(&providers);
    return result;
}

static bool is_satisfied(struct deb_solver *s, const struct relation_group *g)
{
    for (size_t i = 0; i < g->n; i++)
        if (satisfier(s, &g->v[i]))
            return true;
    return false;
}

/* The only package that could satisfy the group; NULL when there are several or none. */
static struct deb_mark *only_solution(struct deb_solver *s, const struct relation_group *g)
{
    struct deb_mark *only = NULL;

    for (size_t i = 0; i < g->n; i++) {
        struct candidates providers = {0};
        struct deb_mark *real = mark_of(s, g->v[i].name);
        bool fits = real->candidate && real_fits(s, &g->v[i], real->candidate);
        list_providers(s, &providers, &g->v[i]);
        struct deb_mark *first = providers.n ? mark_of(s, providers.v[0].package->name) : NULL;
        bool several = providers.n + fits > 1;
        vec_clear(&providers);
        first = fits ? real : first;
        if (several || (first && only && first != only))
            return NULL;
        only = first ? first : only;
    }
    return only;
}

/* What is firm makes firm what alone can satisfy it, and what that needs. */
static int make_firm(struct deb_solver *s, const struct deb_mark *who,
                     const struct relation_group *g, unsigned depth, struct err *e)
{
    struct deb_mark *only = who->firm ? only_solution(s, g) : NULL;
    bool done;

    if (!only || only->firm)
        return 0;
    only->firm = true;
    /* What cannot be settled here fails again where `who` is settled. */
    return only->taken && !only->busy ? settle(s, only, depth + 1, &done, e) : 0;
}

static int choose(struct deb_solver *s, struct deb_mark *who, const struct relation_group *g,
                  unsigned depth, bool *done, struct err *e)
{
    bool failed_before = s->why.len > 0;

    if (make_firm(s, who, g, depth, e) < 0)
        return -1;
    *done = is_satisfied(s, g);
    for (size_t i = 0; i < g->n && !*done; i++)
        if (try_alternative(s, who, &g->v[i], depth, done, e) < 0)
            return -1;
    if (!*done)
        explain_unmet(s, who, g);
    else if (!failed_before)
        buf_reset(&s->why); /* an earlier alternative failed, and that does not matter now */
    return 0;
}

/* Satisfy what the marked `m` needs; *done = false when that cannot be. */
static int settle(struct deb_solver *s, struct deb_mark *m, unsigned depth, bool *done,
                  struct err *e)
{
    if (depth > DEPTH_MAX)
        return err_set(e, ERR_INPUT, "%s: a chain of more than %d dependencies leads to " STR_FMT,
                       s->universe, DEPTH_MAX, STR_ARG(m->candidate->name));
    *done = true;
    m->busy++;
    for (size_t i = 0; i < m->needs_n && *done; i++)
        if (choose(s, m, &m->needs[i], depth, done, e) < 0)
            return -1;
    m->busy--;
    return 0;
}

/* ---- after something was given up ---- */

/* Settle anew what lost a dependency since step `from`. *again says that this gave up more. */
static int repair(struct deb_solver *s, size_t from, bool *again, struct err *e)
{
    size_t end = s->steps.n;

    for (size_t i = from; i < s->steps.n; i++) {
        struct deb_mark *m = s->steps.v[i].mark;
        bool done = true;
        if (m->taken && settle(s, m, 0, &done, e) < 0)
            return -1;
        if (!done)
            return err_set(e, ERR_UNSAT, "%s: %s", s->group, s->why.p);
    }
    *again = false;
    for (size_t i = end; i < s->steps.n; i++)
        *again |= s->steps.v[i].evicted;
    return 0;
}

struct mark_list VEC_OF(struct deb_mark *);

static void reach_mark(struct mark_list *queue, struct deb_mark *m)
{
    if (!m || !m->taken || m->reached)
        return;
    m->reached = true;
    vec_add(queue, m);
}

static void reach_relation(struct deb_solver *s, struct mark_list *queue, const struct relation *r)
{
    struct deb_mark *m = map_get(&s->marks, r->name);

    if (m && m->taken && real_fits(s, r, m->taken))
        reach_mark(queue, m);
    for (const struct deb_provider *v = debindex_providers(s->index, r->name); v; v = v->next) {
        m = map_get(&s->marks, v->package->name);
        if (m && m->taken == v->package && provider_fits(s, r, v))
            reach_mark(queue, m);
    }
}

static int reach(struct deb_solver *s, struct deb_mark *m, struct mark_list *queue,
                 const char *field, struct err *e)
{
    CLEANUP(relations_clear) struct relations list = {0};

    if (read_relations(s, &list, m, field, e) < 0)
        return -1;
    for (size_t i = 0; i < list.n; i++)
        for (size_t j = 0; j < list.v[i].n; j++)
            reach_relation(s, queue, &list.v[i].v[j]);
    return 0;
}

/* Drop what nothing needs any more, as apt drops new packages that it would remove at once. */
static int sweep(struct deb_solver *s, struct err *e)
{
    static const char *const fields[] = {"Pre-Depends", "Depends", "Recommends", "Suggests"};
    struct mark_list queue = {0};
    int result = 0;

    for (size_t i = 0; i < s->steps.n; i++)
        s->steps.v[i].mark->reached = false;
    for (size_t i = 0; i < s->steps.n; i++)
        if (s->steps.v[i].mark->requested || s->steps.v[i].mark->group != s->group)
            reach_mark(&queue, s->steps.v[i].mark);
    for (size_t i = 0; i < queue.n && result == 0; i++)
        for (size_t f = 0; f < ARRAY_LEN(fields) && result == 0; f++)
            result = reach(s, queue.v[i], &queue, fields[f], e);
    for (size_t i = 0; i < s->steps.n && result == 0; i++)
        if (!s->steps.v[i].mark->reached)
            s->steps.v[i].mark->taken = NULL;
    vec_clear(&queue);
    return result;
}

/* Evictions since step `from` leave holes and leftovers. */
static int tidy(struct deb_solver *s, size_t from, struct err *e)
{
    bool again = false;

    for (size_t i = from; i < s->steps.n; i++)
        again |= s->steps.v[i].evicted;
    if (!again)
        return 0;
    for (unsigned round = 0; again && round < ROUNDS_MAX; round++)
        if (repair(s, from, &again, e) < 0)
            return -1;
    if (again)
        return err_set(e, ERR_UNSAT,
                       "cannot install the group \"%s\": its packages keep displacing each other",
                       s->group);
    return sweep(s, e);
}

/* ---- what is asked for ---- */

static void set_candidate(struct deb_mark *m, const struct deb_package *p)
{
    if (m->candidate != p)
        m->parsed = false; /* forget what another version declares */
    m->candidate = p;
}

static int request(struct deb_solver *s, const struct deb_want *want, struct deb_mark **out,
                   struct str *suite, struct err *e)
{
    const struct deb_package *p = NULL;

    if (deb_want_find(&p, suite, s->index, s->universe, s->group, want, e) < 0)
        return -1;
    struct deb_mark *m = mark_of(s, p->name);
    if (m->taken && m->taken != p)
        return err_at_kind(e, ERR_UNSAT, &want->pos,
                           "%s: \"" STR_FMT "\": the image has " STR_FMT
                           " already (group \"%s\"); drop the version",
                           s->group, STR_ARG(want->text), STR_ARG(m->taken->version), m->group);
    set_candidate(m, p);
    if (!m->requested)
        m->asked = want->text;
    m->requested = m->firm = true;
    *out = m;
    return 0;
}

/* Could the candidate be installed on what is there already, with nothing else? */
static int stands(struct deb_solver *s, struct deb_mark *m, bool *yes, struct err *e)
{
    *yes = m->candidate != NULL;
    if (*yes && read_package(s, m, e) < 0)
        return -1;
    for (size_t i = 0; *yes && i < m->needs_n; i++)
        *yes = is_satisfied(s, &m->needs[i]);
    for (const struct deb_refusal *r = *yes ? m->refuses : NULL; r && *yes; r = r->next_of_owner)
        *yes = !target_of(s, m, r);
    return 0;
}

/* Does `r` need no other version of anything? apt asks this of what is installed, then of
 * candidates that stand on it; of an unversioned name it asks the providers alone, if any. */
static int is_fine(struct deb_solver *s, const struct relation *r, bool *fine, struct err *e)
{
    struct deb_mark *m = mark_of(s, r->name);
    const struct deb_provider *v = debindex_providers(s->index, r->name);

    *fine = m->taken && real_fits(s, r, m->taken);
    if (*fine)
        return 0;
    if (r->op != DEBVER_ANY || !v || r->arch.len)
        return m->candidate && real_fits(s, r, m->candidate) ? stands(s, m, fine, e) : 0;
    for (; v && !*fine; v = v->next) {
        m = mark_of(s, v->package->name);
        if (m->candidate == v->package && stands(s, m, fine, e) < 0)
            return -1;
    }
    return 0;
}

/* The highest version in the suite, if it satisfies `r` and is not the candidate anyway. */
static const struct deb_package *in_suite(struct deb_solver *s, const struct relation *r,
                                          struct str suite)
{
    const struct deb_package *best = NULL;

    for (const struct deb_package *p = debindex_find(s->index, r->name); p; p = p->next_version)
        if (deb_package_in(p, suite) && (!best || debver_cmp(p->version, best->version) > 0))
            best = p;
    return best && r->op != DEBVER_ANY && real_fits(s, r, best) ? best : NULL;
}

/* "name/suite": where `m` needs a version that no candidate has, that of the suite becomes the
 * candidate, and so on. apt stops at the first group that this does not help, and what it changed
 * until then stays changed; whether it all comes out even shows when it is installed. */
static int follow_suite(struct deb_solver *s, struct deb_mark *m, struct str suite, unsigned depth,
                        bool *done, struct err *e)
{
    *done = depth < DEPTH_MAX;
    if (read_package(s, m, e) < 0)
        return -1;
    for (size_t i = 0; i < m->needs_n && *done; i++) {
        const struct relation_group *g = &m->needs[i];
        *done = false;
        for (size_t j = 0; j < g->n && !*done; j++)
            if (is_fine(s, &g->v[j], done, e) < 0)
                return -1;
        for (size_t j = 0; j < g->n && !*done; j++) {
            const struct deb_package *p = in_suite(s, &g->v[j], suite);
            struct deb_mark *other = p ? mark_of(s, p->name) : NULL;
            const struct deb_package *before = other ? other->candidate : NULL;
            if (!other || other->taken)
                continue;
            if (p == before && other->reached) {
                *done = true; /* changed on this walk already */
                continue;
            }
            other->reached = true;
            set_candidate(other, p);
            if (follow_suite(s, other, suite, depth + 1, done, e) < 0)
                return -1;
            if (!*done && j + 1 < g->n)
                set_candidate(other, before);
        }
    }
    return 0;
}

static int cannot(struct deb_solver *s, const struct deb_want *want, struct err *e)
{
    if (s->why.len)
        return err_at_kind(e, ERR_UNSAT, &want->pos, "%s: %s", s->group, s->why.p);
    return err_at_kind(e, ERR_UNSAT, &want->pos,
                       "%s: \"" STR_FMT "\" cannot be installed: its dependencies conflict",
                       s->group, STR_ARG(want->text));
}

/* apt's two passes: mark all that is asked for, then settle each in turn. */
static int install_all(struct deb_solver *s, const struct deb_want *wants, struct deb_mark **marks,
                       size_t n, struct err *e)
{
    size_t before = s->steps.n;
    bool done;

    for (size_t i = 0; i < n; i++) {
        if (marks[i]->taken)
            continue;
        if (take(s, marks[i], &done, e) < 0)
            return -1;
        if (!done)
            return cannot(s, &wants[i], e);
    }
    for (size_t i = 0; i < n; i++) {
        if (settle(s, marks[i], 0, &done, e) < 0)
            return -1;
        if (!done)
            return cannot(s, &wants[i], e);
    }
    return tidy(s, before, e);
}

static int install(struct deb_solver *s, const struct deb_want *wants, size_t n, struct err *e)
{
    CLEANUP(free_clear) struct deb_mark **marks = xcalloc(n + 1, sizeof(struct deb_mark *));
    CLEANUP(free_clear) struct str *suites = xcalloc(n + 1, sizeof *suites);
    bool failed = false, done;

    for (size_t i = 0; i < n; i++)
        failed |= request(s, &wants[i], &marks[i], &suites[i], e) < 0; /* tell all unknown ones */
    for (size_t i = 0; i < n && !failed; i++)
        failed = suites[i].len && follow_suite(s, marks[i], suites[i], 0, &done, e) < 0;
    return failed ? -1 : install_all(s, wants, marks, n, e);
}

int deb_solver_install(struct deb_solver *s, const char *group, bool essential,
                       const struct deb_want *wants, size_t n, struct err *e)
{
    struct VEC_OF(struct deb_want) all = {0};
    int result;

    s->group = group;
    for (size_t i = 0; essential && i < s->index->packages.n; i++)
        if (s->index->packages.v[i]->essential)
            vec_add(&all, ((struct deb_want){.text = s->index->packages.v[i]->name}));
    for (size_t i = 0; i < n; i++)
        vec_add(&all, wants[i]);
    result = install(s, all.v, all.n, e);
    vec_clear(&all);
    return result;
}

static int chosen_compare(const void *a, const void *b)
{
    const struct deb_chosen *x = a, *y = b;

    return str_cmp(x->package->name, y->package->name);
}

void deb_solver_solution(const struct deb_solver *s, struct deb_solution *out)
{
    size_t n = 0;

    vec_clear(out);
    for (size_t i = 0; i < s->steps.n; i++) {
        const struct deb_mark *m = s->steps.v[i].mark;
        if (m->taken)
            vec_add(out, ((struct deb_chosen){m->taken, m->group, m->requested}));
    }
    vec_sort(out, chosen_compare);
    for (size_t i = 0; i < out->n; i++) /* what was given up and taken again stands there twice */
        if (!n || out->v[i].package != out->v[n - 1].package)
            out->v[n++] = out->v[i];
    out->n = n;
}

int deb_artifacts(struct artifact **out, struct arena *a, const struct deb_solution *solution,
                  struct err *e)
{
    struct artifact *v = arena_alloc(a, (solution->n + 1) * sizeof *v);

    for (size_t i = 0; i < solution->n; i++) {
        const struct deb_package *p = solution->v[i].package;
        struct deb_file file;
        if (deb_package_file(&file, a, p, e) < 0)
            return -1;
        v[i] = (struct artifact){.eco = ECO_DEB,
                                 .name = p->name,
                                 .version = p->version,
                                 .arch = p->arch,
                                 .file = file.file,
                                 .url = file.url,
                                 .from = p->origin->from,
                                 .group = str_of(solution->v[i].group),
                                 .requested = solution->v[i].requested,
                                 .size = file.size,
                                 .digest = file.digest};
    }
    *out = v;
    return 0;
}
