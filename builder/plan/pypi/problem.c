/* SPDX-License-Identifier: Apache-2.0 */
#include "problem.h"

bool bits_has(struct bits b, uint32_t i)
{
    return b.v[i / 64] >> (i % 64) & 1;
}

void bits_add(struct bits b, uint32_t i)
{
    b.v[i / 64] |= (uint64_t)1 << (i % 64);
}

bool bits_any(struct bits b)
{
    for (size_t i = 0; i < b.n; i++)
        if (b.v[i])
            return true;
    return false;
}

void bits_and(struct bits b, struct bits other)
{
    for (size_t i = 0; i < b.n; i++)
        b.v[i] &= other.v[i];
}

void bits_less(struct bits b, struct bits other)
{
    for (size_t i = 0; i < b.n; i++)
        b.v[i] &= ~other.v[i];
}

void bits_or(struct bits b, struct bits other)
{
    for (size_t i = 0; i < b.n; i++)
        b.v[i] |= other.v[i];
}

struct bits problem_bits(const struct known *k)
{
    size_t n = (k->n + 63) / 64;

    return (struct bits){n ? xcalloc(n, sizeof(uint64_t)) : NULL, n};
}

void bits_clear(struct bits *b)
{
    free(b->v);
    *b = (struct bits){0};
}

/* The same in the arena of the problem. */
static struct bits lasting_bits(struct problem *w, const struct known *k)
{
    size_t n = (k->n + 63) / 64;

    return (struct bits){arena_alloc(&w->arena, (n + 1) * sizeof(uint64_t)), n};
}

static struct bits all_bits(struct problem *w, const struct known *k)
{
    struct bits b = lasting_bits(w, k);

    for (uint32_t i = 0; i < k->n; i++)
        bits_add(b, i);
    return b;
}

static bool wants_pins(const struct specifiers *set)
{
    const struct specifier *s;

    vec_each(s, set)
        if (s->op == OP_ARBITRARY || (s->op == OP_EQ && !s->prefix))
            return true;
    return false;
}

static bool wants_bounds(const struct specifiers *set)
{
    const struct specifier *s;

    vec_each(s, set)
        if (s->op == OP_LT || s->op == OP_LE || s->op == OP_COMPATIBLE ||
            (s->op == OP_EQ && s->prefix))
            return true;
    return false;
}

bool problem_admits(const struct problem *w, struct str name, const struct specifiers *set,
                    const struct pep440 *version)
{
    struct pep440 labelled = *version;

    if (specifiers_match(set, version))
        return true;
    if (!w->want->build.len || version->local_n || !w->want->of_build(name))
        return false;
    labelled.local[0] = w->want->build;
    labelled.local_n = 1;
    return specifiers_match(set, &labelled);
}

/* The candidates that a specifier set admits; computed once for each text. */
static struct bits fitting(struct problem *w, struct known *k, const struct specifiers *set)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct bits *b;

    specifiers_print(&text, set);
    b = map_get(&k->fits, buf_view(&text));
    if (b)
        return *b;
    b = arena_alloc(&w->arena, sizeof *b);
    *b = lasting_bits(w, k);
    for (uint32_t i = 0; i < k->n; i++)
        if (problem_admits(w, k->name, set, &k->project->candidates.v[i].version))
            bits_add(*b, i);
    map_set(&k->fits, arena_str(&w->arena, buf_view(&text)), b);
    return *b;
}

static bool marker_holds(const struct requirement *r, const struct marker_env *env,
                         struct str extra, bool *out, struct err *e)
{
    if (marker_eval(r->marker, env, extra, out, e) == 0)
        return true;
    err_wrap(e, "requirement \"" STR_FMT "\"", STR_ARG(r->text));
    return false;
}

/* The "sha256=..." of an address, if any. */
static struct str hash_of(struct str url)
{
    size_t at = str_find_str(url, STR("sha256="));

    if (at < str_find(url, '#'))
        return (struct str){0};
    url = str_sub(url, at, url.len);
    return str_sub(url, 0, str_find(url, '&'));
}

static struct str without_fragment(struct str url)
{
    return str_sub(url, 0, str_find(url, '#'));
}

/* Whether `url` names the file that the project is bound to; a hash may be missing in one. */
static bool is_bound_to(const struct known *k, struct str url)
{
    struct str a = hash_of(k->url), b = hash_of(url), plain = without_fragment(url);

    return k->direct && (!a.len || !b.len || str_eq_nocase(a, b)) &&
           (str_eq(without_fragment(k->url), plain) ||
            (k->n && str_eq(k->project->candidates.v[0].file->url, plain)));
}

static int add_constraint(struct problem *w, struct known *k, const struct pypi_root *c,
                          struct err *e)
{
    const struct requirement *r = c->requirement;
    bool holds;

    if (!str_eq(r->name, k->name))
        return 0;
    if (!marker_holds(r, &w->want->env, STR(""), &holds, e))
        return -1;
    if (!holds)
        return 0;
    if (r->url.len && !is_bound_to(k, r->url)) /* a wish names another file */
        bits_less(k->constraint, k->constraint);
    bits_and(k->constraint, fitting(w, k, &r->specifiers));
    k->constraint_pre |= specifiers_want_pre(&r->specifiers);
    k->constraint_pins |= wants_pins(&r->specifiers);
    return 0;
}

static uint32_t find_version(const struct known *k, struct str text)
{
    struct pep440 version;

    if (!pep440_parse(&version, text))
        return PYPI_NONE;
    for (uint32_t i = 0; i < k->n; i++)
        if (pep440_cmp(&k->project->candidates.v[i].version, &version) == 0)
            return i;
    return PYPI_NONE;
}

/* Sort out what came of asking for a project. */
static int bind(struct problem *w, struct known *k, struct err *e)
{
    const struct pypi_want *want = w->want;

    k->n = k->project ? (uint32_t)k->project->candidates.n : 0;
    k->preferred = PYPI_NONE;
    k->final = lasting_bits(w, k);
    k->yanked = lasting_bits(w, k);
    k->broken = lasting_bits(w, k);
    k->constraint = all_bits(w, k);
    k->metadata = arena_alloc(&w->arena, (k->n + 1) * sizeof *k->metadata);
    k->faults = arena_alloc(&w->arena, (k->n + 1) * sizeof *k->faults);
    for (uint32_t i = 0; i < k->n; i++) {
        const struct candidate *c = &k->project->candidates.v[i];

        if (!pep440_is_pre(&c->version))
            bits_add(k->final, i);
        if (c->file->yanked)
            bits_add(k->yanked, i);
    }
    for (size_t i = 0; i < want->prefer_n; i++)
        if (str_eq(want->prefer[i].name, k->name))
            k->preferred = find_version(k, want->prefer[i].version);
    for (size_t i = 0; i < want->constraints_n; i++)
        if (add_constraint(w, k, &want->constraints[i], e) < 0)
            return -1;
    return 0;
}

/* A constraint may bind a project to a file, once something needs it. */
static int constraint_url(const struct problem *w, struct str name, struct str *url, struct err *e)
{
    for (size_t i = 0; i < w->want->constraints_n; i++) {
        const struct requirement *r = w->want->constraints[i].requirement;
        bool holds;

        if (!r->url.len || !str_eq(r->name, name))
            continue;
        if (!marker_holds(r, &w->want->env, STR(""), &holds, e))
            return -1;
        if (holds)
            *url = r->url;
    }
    return 0;
}

/* The project `name`; with a url, the file that stands there. */
static int know(struct problem *w, struct str name, struct str url, struct known **out,
                struct err *e)
{
    struct known *k = map_get(&w->by_name, name);

    if (k) {
        *out = k;
        return 0;
    }
    if (!url.len && constraint_url(w, name, &url, e) < 0)
        return -1;
    k = arena_alloc(&w->arena, sizeof *k);
    vec_add(&w->known, k);
    k->name = arena_str(&w->arena, name);
    k->direct = url.len > 0;
    k->url = arena_str(&w->arena, url);
    if (url.len ? w->universe->direct(w->universe->ctx, k->name, url, &k->project, e) < 0
                : w->universe->project(w->universe->ctx, k->name, &k->project, e) < 0)
        return -1;
    if (bind(w, k, e) < 0)
        return -1;
    map_set(&w->by_name, k->name, k);
    *out = k;
    return 0;
}

static struct str node_id(struct problem *w, struct str name, const struct strs *extras)
{
    CLEANUP(buf_clear) struct buf b = {0};

    buf_str(&b, name);
    for (size_t i = 0; i < extras->n; i++)
        buf_fmt(&b, "%s" STR_FMT, i ? "," : "[", STR_ARG(extras->v[i]));
    buf_puts(&b, extras->n ? "]" : "");
    return arena_str(&w->arena, buf_view(&b));
}

static int find_node(struct problem *w, struct str name, const struct strs *extras, struct str url,
                     uint32_t *out, struct err *e)
{
    struct str id = node_id(w, name, extras);
    const uint32_t *at = map_get(&w->by_id, id);
    uint32_t *place, base = PYPI_NONE;
    struct node *n;
    struct known *of;

    if (at) {
        *out = *at;
        return 0;
    }
    if (know(w, name, url, &of, e) < 0 ||
        (extras->n && find_node(w, name, &(struct strs){0}, url, &base, e) < 0))
        return -1;
    n = arena_alloc(&w->arena, sizeof *n);
    place = arena_alloc(&w->arena, sizeof *place);
    *out = *place = (uint32_t)w->nodes.n;
    *n = (struct node){.of = of, .id = id, .order = PYPI_NONE, .base = extras->n ? base : *place};
    n->extras.n = extras->n;
    n->extras.v = arena_alloc(&w->arena, (extras->n + 1) * sizeof *extras->v);
    for (size_t i = 0; i < extras->n; i++)
        n->extras.v[i] = arena_str(&w->arena, extras->v[i]);
    n->needs = arena_alloc(&w->arena, (of->n + 1) * sizeof *n->needs);
    vec_add(&w->nodes, n);
    map_set(&w->by_id, id, place);
    return 0;
}

/* Exactly candidate `c`. */
static void need_only(struct problem *w, struct needs *out, uint32_t node, uint32_t c,
                      struct str label, const struct requirement *r)
{
    struct known *k = w->nodes.v[node]->of;
    struct need *need = arena_alloc(&w->arena, sizeof *need);

    *need = (struct need){.node = node, .only = c, .fits = lasting_bits(w, k), .label = label};
    need->requirement = r;
    if (c < k->n)
        bits_add(need->fits, c);
    vec_add(out, need);
}

static void need_versions(struct problem *w, struct needs *out, uint32_t node,
                          const struct requirement *r, struct str label)
{
    struct known *k = w->nodes.v[node]->of;
    struct need *need = arena_alloc(&w->arena, sizeof *need);

    *need = (struct need){.node = node, .only = PYPI_NONE, .requirement = r, .label = label};
    need->fits = fitting(w, k, &r->specifiers);
    need->pre = specifiers_want_pre(&r->specifiers);
    need->pins = wants_pins(&r->specifiers);
    need->bounds = wants_bounds(&r->specifiers);
    /* Another file than the index offers: only the recipe may bring one in, by the same URL. */
    need->refers = r->url.len && !is_bound_to(k, r->url);
    if (need->refers)
        need->fits = lasting_bits(w, k);
    vec_add(out, need);
}

/* The needs that one requirement means: with extras and versions these are two, so that versions
 * are weighed at the plain project. */
static int add_needs(struct problem *w, struct needs *out, const struct requirement *r,
                     struct str label, bool direct, struct err *e)
{
    struct str url = direct ? r->url : (struct str){0};
    uint32_t base, node;

    if (find_node(w, r->name, &(struct strs){0}, url, &base, e) < 0 ||
        find_node(w, r->name, &r->extras, url, &node, e) < 0)
        return -1;
    if (direct && is_bound_to(w->nodes.v[base]->of, r->url)) {
        need_only(w, out, base, 0, label, r);
        if (node != base)
            need_only(w, out, node, 0, label, r);
        return 0;
    }
    if (node != base && r->specifiers.n)
        need_versions(w, out, base, r, label);
    need_versions(w, out, node, r, label);
    return 0;
}

static bool is_known_extra(const struct metadata *m, struct str extra)
{
    for (size_t i = 0; i < m->extras.n; i++)
        if (str_eq(m->extras.v[i], extra))
            return true;
    return false;
}

/* Whether a dependency counts for a node: under any of its extras, or without. */
static bool counts(const struct problem *w, const struct metadata *m, const struct node *n,
                   const struct requirement *r, bool *out, struct err *e)
{
    bool tried = false;

    *out = false;
    for (size_t i = 0; i < n->extras.n && !*out; i++) {
        if (!is_known_extra(m, n->extras.v[i]))
            continue; /* versions that lack an extra stay candidates, as with pip */
        tried = true;
        if (!marker_holds(r, &w->want->env, n->extras.v[i], out, e))
            return false;
    }
    return tried || marker_holds(r, &w->want->env, STR(""), out, e);
}

static bool python_fits(const struct problem *w, const struct metadata *m, struct err *e)
{
    CLEANUP(specifiers_clear) struct specifiers set = {0};
    struct pep440 python;
    struct str bad;

    if (!specifiers_parse(&set, m->requires_python, &bad) ||
        !pep440_parse(&python, w->want->env.python_full_version) || specifiers_match(&set, &python))
        return true;
    err_set(e, ERR_INPUT, "needs Python " STR_FMT, STR_ARG(m->requires_python));
    return false;
}

/* Note that a candidate is broken; -1 for errors that are no fault of the candidate. */
static int broken(struct problem *w, struct known *k, uint32_t c, struct err *fault, struct err *e)
{
    if (fault->kind != ERR_INPUT)
        return err_join(e, fault);
    bits_add(k->broken, c);
    k->faults[c] = arena_str(&w->arena, str_of(fault->msg));
    events_warn(w->want->events, "passing over " STR_FMT " " STR_FMT ": %s", STR_ARG(k->name),
                STR_ARG(k->project->candidates.v[c].version.text), fault->msg);
    return 0;
}

static int read_metadata(struct problem *w, struct known *k, uint32_t c, struct err *e)
{
    const struct pypi_universe *u = w->universe;

    if (k->metadata[c])
        return 0;
    return u->metadata(u->ctx, k->project, &k->project->candidates.v[c], &k->metadata[c], e);
}

static const struct pypi_locked *find_locked(const struct problem *w, struct str name)
{
    for (size_t i = 0; i < w->want->locked_n; i++)
        if (str_eq(w->want->locked[i].name, name))
            return &w->want->locked[i];
    return NULL;
}

/* What a project says it needs, or any version of it where it says otherwise than the lock that has
 * both. */
static const struct requirement *heed(struct problem *w, const struct known *k,
                                      const struct requirement *r)
{
    const struct pypi_locked *by = find_locked(w, k->name);
    const struct pypi_locked *locked = by ? find_locked(w, r->name) : NULL;
    struct requirement *any;
    struct pep440 version;

    if (!locked || !pep440_parse(&version, locked->version) ||
        problem_admits(w, r->name, &r->specifiers, &version))
        return r;
    events_warn(w->want->events,
                "%s has " STR_FMT " " STR_FMT ", though " STR_FMT " needs " STR_FMT, locked->where,
                STR_ARG(r->name), STR_ARG(locked->version), STR_ARG(k->name), STR_ARG(r->text));
    any = arena_alloc(&w->arena, sizeof *any);
    *any = *r;
    any->specifiers = (struct specifiers){0};
    return any;
}

/* A broken requirement breaks the candidate, so these errors are put in `fault`. */
static int collect(struct problem *w, const struct node *n, const struct metadata *m,
                   struct needs *out, struct err *fault, struct err *e)
{
    const struct requirement *r;
    struct VEC_OF(const struct requirement *) live = {0};
    struct strs names = {0};
    int rc = 0;

    vec_each(r, &m->requires) {
        bool live_one;

        if (!counts(w, m, n, r, &live_one, fault))
            break;
        if (!live_one)
            continue;
        vec_add(&live, heed(w, n->of, r));
        if (!map_has(&w->by_name, r->name))
            vec_add(&names, r->name);
    }
    if (!err_is_set(fault) && names.n && w->universe->prefetch)
        rc = w->universe->prefetch(w->universe->ctx, names.v, names.n, e);
    for (size_t i = 0; i < live.n && !rc && !err_is_set(fault); i++)
        rc = add_needs(w, out, live.v[i], (struct str){0}, false, e);
    vec_clear(&live);
    vec_clear(&names);
    return rc;
}

int problem_needs(struct problem *w, uint32_t node, uint32_t c, const struct needs **out,
                  struct err *e)
{
    struct node *n = w->nodes.v[node];
    struct known *k = n->of;
    CLEANUP(err_clear) struct err fault = {0};
    struct needs *made;

    *out = NULL;
    if (bits_has(k->broken, c) || n->needs[c]) {
        *out = n->needs[c];
        return 0;
    }
    if (read_metadata(w, k, c, &fault) < 0 || !python_fits(w, k->metadata[c], &fault))
        return broken(w, k, c, &fault, e);
    made = arena_alloc(&w->arena, sizeof *made);
    if (n->base != node)
        need_only(w, made, n->base, c, (struct str){0}, NULL);
    if (collect(w, n, k->metadata[c], made, &fault, e) < 0 || err_is_set(&fault)) {
        vec_clear(made);
        return err_is_set(&fault) ? broken(w, k, c, &fault, e) : -1;
    }
    *out = n->needs[c] = made;
    return 0;
}

static bool for_extras(const struct need *n, const struct problem *w)
{
    return w->nodes.v[n->node]->base != n->node;
}

static int add_root(struct problem *w, struct needs *out, uint32_t place, struct err *e)
{
    const struct pypi_root *root = &w->want->roots[place];
    size_t before = out->n;
    struct node *first;
    bool holds;

    if (!marker_holds(root->requirement, &w->want->env, STR(""), &holds, e))
        return -1;
    if (!holds)
        return 0;
    if (add_needs(w, out, root->requirement, root->label, root->requirement->url.len > 0, e) < 0)
        return -1;
    first = w->nodes.v[out->v[before]->node];
    if (first->order == PYPI_NONE)
        first->order = place;
    return 0;
}

static int ask_roots(struct problem *w, struct err *e)
{
    struct strs names = {0};
    int rc = 0;

    for (size_t i = 0; i < w->want->roots_n; i++)
        if (!w->want->roots[i].requirement->url.len)
            vec_add(&names, w->want->roots[i].requirement->name);
    if (names.n && w->universe->prefetch)
        rc = w->universe->prefetch(w->universe->ctx, names.v, names.n, e);
    vec_clear(&names);
    return rc;
}

int problem_open(struct problem *w, const struct pypi_want *want,
                 const struct pypi_universe *universe, struct err *e)
{
    struct needs all = {0};
    int rc;

    *w = (struct problem){.want = want, .universe = universe};
    rc = ask_roots(w, e);
    for (int url = 1; url >= 0;
         url--) /* a URL binds its project before anything else asks for it */
        for (uint32_t i = 0; i < want->roots_n && !rc; i++)
            if ((want->roots[i].requirement->url.len > 0) == url)
                rc = add_root(w, &all, i, e);
    for (int extras = 0; extras < 2; extras++)
        for (size_t i = 0; i < all.n; i++)
            if (for_extras(all.v[i], w) == extras)
                vec_add(&w->roots, all.v[i]);
    vec_clear(&all);
    return rc;
}

void problem_clear(struct problem *w)
{
    for (size_t i = 0; i < w->nodes.n; i++) {
        struct node *n = w->nodes.v[i];

        for (uint32_t c = 0; c < n->of->n; c++)
            if (n->needs[c])
                vec_clear(n->needs[c]);
    }
    for (size_t i = 0; i < w->known.n; i++)
        map_clear(&w->known.v[i]->fits);
    vec_clear(&w->known);
    map_clear(&w->by_id);
    map_clear(&w->by_name);
    vec_clear(&w->nodes);
    vec_clear(&w->roots);
    arena_clear(&w->arena);
    *w = (struct problem){0};
}

/* The candidate that a need will most probably lead to, looked at alone. */
static uint32_t likely(const struct problem *w, const struct known *k, const struct need *need)
{
    bool pre_too = need->pre || k->constraint_pre || w->want->pre;
    uint32_t pre = PYPI_NONE;

    if (k->preferred != PYPI_NONE && bits_has(need->fits, k->preferred))
        return k->preferred;
    for (uint32_t i = 0; i < k->n; i++) {
        if (!bits_has(need->fits, i) || !bits_has(k->constraint, i) || bits_has(k->broken, i) ||
            (bits_has(k->yanked, i) && !need->pins))
            continue;
        if (pre_too || bits_has(k->final, i))
            return i;
        if (pre == PYPI_NONE)
            pre = i;
    }
    return pre;
}

struct choice {
    uint32_t node, c;
};
struct choices VEC_OF(struct choice);

static bool has_choice(const struct choices *all, struct choice one)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->v[i].node == one.node && all->v[i].c == one.c)
            return true;
    return false;
}

static void add_choices(const struct problem *w, struct choices *out, const struct needs *needs)
{
    for (size_t i = 0; i < needs->n; i++) {
        const struct need *need = needs->v[i];
        const struct node *n = w->nodes.v[need->node];
        struct choice one = {need->node, likely(w, n->of, need)};

        if (one.c != PYPI_NONE && !n->of->project->candidates.v[one.c].source && !n->needs[one.c] &&
            !has_choice(out, one)) /* nobody builds on a guess */
            vec_add(out, one);
    }
}

static int warm_metadata(struct problem *w, const struct choices *wave, struct err *e)
{
    struct VEC_OF(struct pypi_likely) ask = {0};
    int rc = 0;

    for (size_t i = 0; i < wave->n; i++) {
        const struct known *k = w->nodes.v[wave->v[i].node]->of;

        if (!k->metadata[wave->v[i].c])
            vec_add(&ask,
                    ((struct pypi_likely){k->project, &k->project->candidates.v[wave->v[i].c]}));
    }
    if (ask.n)
        rc = w->universe->prefetch_metadata(w->universe->ctx, ask.v, ask.n, e);
    vec_clear(&ask);
    return rc;
}

/* All projects that a wave's candidates may need, in one question. */
static int warm_projects(struct problem *w, const struct choices *wave, struct err *e)
{
    struct strs names = {0};
    int rc = 0;

    for (size_t i = 0; i < wave->n; i++) {
        const struct node *n = w->nodes.v[wave->v[i].node];
        CLEANUP(err_clear) struct err unused = {0}; /* the search meets it if it comes this way */
        const struct requirement *r;
        const struct metadata *m;
        bool live;

        if (read_metadata(w, n->of, wave->v[i].c, &unused) < 0)
            continue;
        m = n->of->metadata[wave->v[i].c];
        vec_each(r, &m->requires)
            if (!map_has(&w->by_name, r->name) && counts(w, m, n, r, &live, &unused) && live)
                vec_add(&names, r->name);
    }
    if (names.n && w->universe->prefetch)
        rc = w->universe->prefetch(w->universe->ctx, names.v, names.n, e);
    vec_clear(&names);
    return rc;
}

int problem_warm(struct problem *w, struct err *e)
{
    struct choices wave = {0}, next = {0};
    const struct needs *needs;
    int rc = 0;

    if (!w->universe->prefetch_metadata)
        return 0;
    add_choices(w, &wave, &w->roots);
    while (wave.n && !rc) {
        rc = warm_metadata(w, &wave, e);
        if (!rc)
            rc = warm_projects(w, &wave, e);
        for (size_t i = 0; i < wave.n && !rc; i++) {
            CLEANUP(err_clear) struct err unused = {0}; /* as above */

            if (problem_needs(w, wave.v[i].node, wave.v[i].c, &needs, &unused) == 0 && needs)
                add_choices(w, &next, needs);
            if (unused.kind == ERR_INTERRUPTED)
                rc = err_join(e, &unused);
        }
        vec_clear(&wave);
        MOVE(&wave, &next);
    }
    vec_clear(&wave);
    vec_clear(&next);
    return rc;
}
