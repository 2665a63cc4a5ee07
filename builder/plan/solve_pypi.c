/* SPDX-License-Identifier: Apache-2.0 */
#include "pypi_why.h"

/* A name that was undecided in this many conflicts is decided early from then on. */
enum { CONFLICTS_PROMOTE = 5 };
/* One part in so many of the rounds left goes into jumping back further than is proven safe. */
enum { OPTIMISTIC_PART = 10 };
/* Requests that led to the ones in conflict are noted so many steps up, for the explanation. */
enum { VIA_STEPS = 3 };

/* What the search holds about one node: who needs it, what is ruled out, what is left. Shared by
 * the states that agree on it, and never changed while shared. */
struct criterion {
    unsigned refs;
    struct reasons reasons;
    struct bits ruled_out, matches;
};

/* One step of the search: all before it, and the decision made in it. */
struct state {
    struct VEC_OF(struct criterion *) criteria; /* by node; NULL: nobody needs it */
    struct VEC_OF(uint32_t) pick;               /* by node; PYPI_NONE */
    struct VEC_OF(uint32_t) order;              /* decided nodes, latest last */
    struct reasons causes;                      /* of the last conflict */
};
struct states VEC_OF(struct state);

struct search {
    struct world *world;
    struct states states, saved; /* the top is what is worked on */
    bool optimistic, has_saved;
    unsigned round, rounds, optimistic_end;
    struct reasons causes; /* of the conflict at hand */
    struct reasons told;   /* those at its first node, which explain it best */
    struct reasons via;    /* who needs those that ask there */
    struct err *e;
};

static void release(struct criterion *c)
{
    if (!c || --c->refs)
        return;
    vec_clear(&c->reasons);
    bits_clear(&c->ruled_out);
    bits_clear(&c->matches);
    free(c);
}

static void state_clear(struct state *s)
{
    for (size_t i = 0; i < s->criteria.n; i++)
        release(s->criteria.v[i]);
    vec_clear(&s->criteria);
    vec_clear(&s->pick);
    vec_clear(&s->order);
    vec_clear(&s->causes);
}

static void states_clear(struct states *s)
{
    while (s->n)
        state_clear(&s->v[--s->n]);
    vec_clear(s);
}

static void add_all(struct reasons *to, const struct reasons *from)
{
    for (size_t i = 0; i < from->n; i++)
        vec_add(to, from->v[i]);
}

static void state_copy(struct state *to, const struct state *from)
{
    *to = (struct state){0};
    for (size_t i = 0; i < from->criteria.n; i++) {
        vec_add(&to->criteria, from->criteria.v[i]);
        if (from->criteria.v[i])
            from->criteria.v[i]->refs++;
    }
    for (size_t i = 0; i < from->pick.n; i++)
        vec_add(&to->pick, from->pick.v[i]);
    for (size_t i = 0; i < from->order.n; i++)
        vec_add(&to->order, from->order.v[i]);
    add_all(&to->causes, &from->causes);
}

static void states_copy(struct states *to, const struct states *from)
{
    states_clear(to);
    for (size_t i = 0; i < from->n; i++) {
        struct state copy;

        state_copy(&copy, &from->v[i]);
        vec_add(to, copy);
    }
}

static struct state *top(struct search *s)
{
    return &s->states.v[s->states.n - 1];
}

static void push(struct search *s)
{
    struct state copy;

    state_copy(&copy, top(s));
    vec_add(&s->states, copy);
}

static void pop(struct search *s)
{
    state_clear(&s->states.v[--s->states.n]);
}

static struct criterion *criterion_of(const struct state *s, uint32_t node)
{
    return node < s->criteria.n ? s->criteria.v[node] : NULL;
}

static uint32_t pick_of(const struct state *s, uint32_t node)
{
    return node < s->pick.n ? s->pick.v[node] : PYPI_NONE;
}

static void set_criterion(struct state *s, uint32_t node, struct criterion *c)
{
    while (s->criteria.n <= node)
        vec_add(&s->criteria, NULL);
    release(s->criteria.v[node]);
    s->criteria.v[node] = c;
}

/* Decide, and note it as the latest decision. */
static void set_pick(struct state *s, uint32_t node, uint32_t c)
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
static void leave_out(const struct world *w, const struct known *k, struct demand *d)
{
    struct bits some = world_bits(k);
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
static struct bits find_matches(struct search *s, uint32_t node, const struct reasons *reasons,
                                struct bits ruled_out)
{
    const struct node *n = s->world->nodes.v[node];
    const struct criterion *base = n->base == node ? NULL : criterion_of(top(s), n->base);
    struct demand d = {.fits = world_bits(n->of), .only = world_bits(n->of)};

    bits_or(d.fits, n->of->constraint);
    add_demand(&d, reasons, true);
    if (base)
        add_demand(&d, &base->reasons, false);
    if (d.exact)
        bits_and(d.fits, d.only);
    else if (n->of->n)
        leave_out(s->world, n->of, &d);
    if (ruled_out.v)
        bits_less(d.fits, ruled_out);
    bits_less(d.fits, n->of->broken);
    bits_clear(&d.only);
    return d.fits;
}

/* A criterion with one reason more; not NULL. */
static struct criterion *extend(struct search *s, const struct criterion *old,
                                const struct reason *more, uint32_t node)
{
    struct criterion *c = xcalloc(1, sizeof *c);

    c->refs = 1;
    c->ruled_out = world_bits(s->world->nodes.v[node]->of);
    if (old) {
        add_all(&c->reasons, &old->reasons);
        bits_or(c->ruled_out, old->ruled_out);
    }
    if (more)
        vec_add(&c->reasons, *more);
    c->matches = find_matches(s, node, &c->reasons, c->ruled_out);
    return c;
}

static bool same_reason(const struct reason *a, const struct reason *b)
{
    return a->need == b->need && a->node == b->node && a->candidate == b->candidate;
}

static void add_causes(struct reasons *to, const struct reasons *from)
{
    for (size_t i = 0; i < from->n; i++) {
        bool there = false;

        for (size_t j = 0; j < to->n && !there; j++)
            there = same_reason(&to->v[j], &from->v[i]);
        if (!there)
            vec_add(to, from->v[i]);
    }
}

static void note_via(struct search *s, uint32_t node)
{
    const struct criterion *c;

    for (int step = 0; step < VIA_STEPS && node != PYPI_NONE; step++) {
        c = criterion_of(top(s), node);
        if (!c || !c->reasons.n)
            return;
        vec_add(&s->via, c->reasons.v[0]);
        node = c->reasons.v[0].node;
    }
}

static void note_conflict(struct search *s, const struct reasons *reasons)
{
    if (!s->causes.n) {
        add_all(&s->told, reasons);
        for (size_t i = 0; i < reasons->n; i++)
            note_via(s, reasons->v[i].node);
    }
    add_causes(&s->causes, reasons);
}

static void forget_conflict(struct search *s)
{
    vec_clear(&s->causes);
    vec_clear(&s->told);
    vec_clear(&s->via);
}

/* Add one need to the top state; false when nothing is left to choose, which is noted. */
static bool require(struct search *s, const struct reason *reason)
{
    uint32_t node = reason->need->node;
    struct criterion *c = extend(s, criterion_of(top(s), node), reason, node);

    if (!bits_any(c->matches)) {
        note_conflict(s, &c->reasons);
        release(c);
        return false;
    }
    set_criterion(top(s), node, c);
    return true;
}

static bool is_satisfied(const struct state *s, uint32_t node)
{
    uint32_t c = pick_of(s, node);
    const struct criterion *k = s->criteria.v[node];

    if (c == PYPI_NONE)
        return false;
    for (size_t i = 0; i < k->reasons.n; i++)
        if (!bits_has(k->reasons.v[i].need->fits, c))
            return false;
    return true;
}

/* How urgent it is to decide a node; compared field by field, smaller first. */
struct urgency {
    bool calm, indirect, unpinned, unbounded, free;
    uint32_t order;
    struct str id;
};

static struct urgency urgency_of(const struct search *s, uint32_t node)
{
    const struct node *n = s->world->nodes.v[node];
    const struct criterion *c = criterion_of(&s->states.v[s->states.n - 1], node);
    struct urgency u = {n->conflicts < CONFLICTS_PROMOTE, true, true, true, true, n->order, n->id};

    for (size_t i = 0; i < c->reasons.n; i++) {
        const struct need *need = c->reasons.v[i].need;

        if (need->only != PYPI_NONE) {
            u.indirect = false;
            continue;
        }
        u.unpinned &= !need->pins;
        u.unbounded &= !need->bounds;
        u.free &= !need->requirement->specifiers.n;
    }
    return u;
}

static int urgency_cmp(const struct urgency *a, const struct urgency *b)
{
    if (a->calm != b->calm)
        return a->calm - b->calm;
    if (a->indirect != b->indirect)
        return a->indirect - b->indirect;
    if (a->unpinned != b->unpinned)
        return a->unpinned - b->unpinned;
    if (a->unbounded != b->unbounded)
        return a->unbounded - b->unbounded;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    if (a->free != b->free)
        return a->free - b->free;
    return str_cmp(a->id, b->id);
}

struct indexes VEC_OF(uint32_t);

static bool has_index(const struct indexes *all, uint32_t one)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->v[i] == one)
            return true;
    return false;
}

/* The nodes that the last conflict names; those still undecided are counted. */
static void conflict_nodes(struct search *s, struct indexes *out)
{
    const struct state *now = top(s);

    for (size_t i = 0; i < now->causes.n; i++) {
        uint32_t both[] = {now->causes.v[i].need->node, now->causes.v[i].node};

        for (size_t j = 0; j < 2; j++) {
            if (both[j] == PYPI_NONE)
                continue;
            vec_add(out, both[j]);
            if (pick_of(now, both[j]) == PYPI_NONE)
                s->world->nodes.v[both[j]]->conflicts++;
        }
    }
}

/* Of the undecided: those in the last conflict; else those promoted; else all. */
static void narrow(struct search *s, struct indexes *open)
{
    struct indexes named = {0}, first = {0}, promoted = {0};
    struct indexes *chosen;

    conflict_nodes(s, &named);
    for (size_t i = 0; i < open->n; i++) {
        if (has_index(&named, open->v[i]))
            vec_add(&first, open->v[i]);
        else if (s->world->nodes.v[open->v[i]]->conflicts >= CONFLICTS_PROMOTE)
            vec_add(&promoted, open->v[i]);
    }
    chosen = first.n ? &first : promoted.n ? &promoted : NULL;
    if (chosen) {
        open->n = 0;
        for (size_t i = 0; i < chosen->n; i++)
            vec_add(open, chosen->v[i]);
    }
    vec_clear(&named);
    vec_clear(&first);
    vec_clear(&promoted);
}

static uint32_t most_urgent(const struct search *s, const struct indexes *open)
{
    uint32_t best = open->v[0];
    struct urgency least = urgency_of(s, best);

    for (size_t i = 1; i < open->n; i++) {
        struct urgency u = urgency_of(s, open->v[i]);

        if (urgency_cmp(&u, &least) < 0) {
            least = u;
            best = open->v[i];
        }
    }
    return best;
}

/* Try to add all that a candidate needs; 1 when it fits, 0 when not, -1 on failure. On 0 the top
 * state is as it was. */
static int try_candidate(struct search *s, uint32_t node, uint32_t c)
{
    const struct needs *needs;
    struct state before;

    if (world_needs(s->world, node, c, &needs, s->e) < 0)
        return -1;
    if (!needs)
        return 0;
    state_copy(&before, top(s));
    for (size_t i = 0; i < needs->n; i++) {
        if (require(s, &(struct reason){needs->v[i], node, c}))
            continue;
        state_clear(top(s));
        *top(s) = before;
        return 0;
    }
    state_clear(&before);
    set_pick(top(s), node, c);
    return 1;
}

/* Decide a node: the preferred candidate first, then newest first. As try_candidate(). */
static int decide(struct search *s, uint32_t node)
{
    const struct known *k = s->world->nodes.v[node]->of;
    struct criterion *now = criterion_of(top(s), node);
    int done = 0;

    now->refs++; /* the state may be swapped for a copy under us */
    if (k->preferred != PYPI_NONE && bits_has(now->matches, k->preferred))
        done = try_candidate(s, node, k->preferred);
    for (uint32_t c = 0; c < k->n && !done; c++)
        if (c != k->preferred && bits_has(now->matches, c))
            done = try_candidate(s, node, c);
    if (!done && !s->causes.n)
        note_conflict(s, &now->reasons); /* every candidate was broken */
    release(now);
    return done;
}

/* A decision that was satisfied before and no longer is: what it needed no longer counts. */
static void drop_stale(struct search *s, const struct indexes *were_open)
{
    struct state *now = top(s);
    struct indexes stale = {0};

    for (uint32_t i = 0; i < now->criteria.n; i++)
        if (now->criteria.v[i] && pick_of(now, i) != PYPI_NONE && !has_index(were_open, i) &&
            !is_satisfied(now, i))
            vec_add(&stale, i);
    for (uint32_t i = 0; stale.n && i < now->criteria.n; i++) {
        struct criterion *old = now->criteria.v[i], *c;

        if (!old)
            continue;
        c = xcalloc(1, sizeof *c);
        c->refs = 1;
        c->ruled_out = world_bits(s->world->nodes.v[i]->of);
        c->matches = world_bits(s->world->nodes.v[i]->of);
        bits_or(c->ruled_out, old->ruled_out);
        bits_or(c->matches, old->matches);
        for (size_t j = 0; j < old->reasons.n; j++)
            if (old->reasons.v[j].node == PYPI_NONE || !has_index(&stale, old->reasons.v[j].node))
                vec_add(&c->reasons, old->reasons.v[j]);
        set_criterion(now, i, c);
    }
    vec_clear(&stale);
}

static void rule_out(struct search *s, uint32_t node, struct bits more, bool *possible)
{
    const struct criterion *old = criterion_of(top(s), node);
    struct criterion *c;

    if (!old || !bits_any(more))
        return;
    c = extend(s, old, NULL, node);
    bits_or(c->ruled_out, more);
    bits_less(c->matches, more);
    if (!bits_any(c->matches))
        *possible = false;
    set_criterion(top(s), node, c);
}

/* Begin anew from the top state with what was ruled out in `broken`, and the decision itself. */
static bool resume(struct search *s, const struct state *broken, uint32_t node, uint32_t candidate)
{
    struct bits one = world_bits(s->world->nodes.v[node]->of);
    bool possible = true;

    push(s);
    for (uint32_t i = 0; i < broken->criteria.n && possible; i++)
        if (broken->criteria.v[i])
            rule_out(s, i, broken->criteria.v[i]->ruled_out, &possible);
    bits_add(one, candidate);
    if (possible)
        rule_out(s, node, one, &possible);
    bits_clear(&one);
    return possible;
}

static bool needs_any(const struct node *n, uint32_t c, const struct indexes *nodes)
{
    for (size_t i = 0; n->needs[c] && i < n->needs[c]->n; i++)
        if (has_index(nodes, n->needs[c]->v[i]->node))
            return true;
    return false;
}

enum jump { JUMP_DONE, JUMP_STUCK, JUMP_IMPOSSIBLE };

/* Undo decisions until one that may have to do with the conflict; *out is the state it was made in,
 * without it. */
static enum jump undo(struct search *s, const struct indexes *involved, struct state *out,
                      uint32_t *node, uint32_t *candidate)
{
    for (;;) {
        struct state *last;
        bool other;

        if (!s->states.n || !top(s)->order.n)
            return JUMP_IMPOSSIBLE;
        last = top(s);
        *node = last->order.v[--last->order.n];
        *candidate = last->pick.v[*node];
        last->pick.v[*node] = PYPI_NONE;
        state_clear(out);
        MOVE(out, last);
        s->states.n--;
        other = !has_index(involved, *node);
        if (!s->optimistic && other)
            return JUMP_DONE;
        if (s->optimistic && !s->has_saved && other) {
            states_copy(&s->saved, &s->states);
            s->has_saved = true;
        }
        if (needs_any(s->world->nodes.v[*node], *candidate, involved) || !out->order.n)
            return JUMP_DONE;
        if (s->states.n <= 1)
            return JUMP_IMPOSSIBLE;
    }
}

static enum jump jump_back(struct search *s)
{
    struct indexes involved = {0};
    enum jump how = JUMP_STUCK;

    for (size_t i = 0; i < s->causes.n; i++) {
        vec_add(&involved, s->causes.v[i].need->node);
        if (s->causes.v[i].node != PYPI_NONE)
            vec_add(&involved, s->causes.v[i].node);
    }
    while (how == JUMP_STUCK && s->states.n >= 3) {
        struct state broken = {0};
        uint32_t node, candidate;

        pop(s);
        how = undo(s, &involved, &broken, &node, &candidate);
        if (how == JUMP_DONE && !resume(s, &broken, node, candidate))
            how = JUMP_STUCK;
        state_clear(&broken);
    }
    vec_clear(&involved);
    return how;
}

/* Back to before the first jump that was not proven safe, and none of that kind any more. */
static void roll_back(struct search *s)
{
    s->optimistic = false;
    if (!s->has_saved)
        return;
    states_clear(&s->states);
    MOVE(&s->states, &s->saved);
    s->has_saved = false;
}

static bool optimism_is_over(struct search *s)
{
    if (!s->optimistic || !s->has_saved)
        return false;
    if (!s->optimistic_end)
        s->optimistic_end = s->round + (s->rounds - s->round) / OPTIMISTIC_PART;
    return s->round >= s->optimistic_end;
}

static int conflict(struct search *s)
{
    enum jump how = jump_back(s);

    if (how != JUMP_DONE && s->optimistic && s->has_saved) {
        roll_back(s);
        forget_conflict(s);
        return 0;
    }
    if (how != JUMP_DONE)
        return explain_conflict(s->world, &s->told, &s->via, s->e);
    vec_clear(&top(s)->causes);
    add_all(&top(s)->causes, &s->causes);
    forget_conflict(s);
    return 0;
}

static void find_open(struct search *s, struct indexes *open)
{
    const struct state *now = top(s);

    for (uint32_t i = 0; i < now->criteria.n; i++)
        if (now->criteria.v[i] && !is_satisfied(now, i))
            vec_add(open, i);
}

/* One decision; *done when none is left to make. */
static int one_round(struct search *s, bool *done)
{
    struct indexes open = {0}, all = {0};
    int rc;

    find_open(s, &open);
    *done = !open.n;
    if (*done)
        return 0;
    for (size_t i = 0; i < open.n; i++)
        vec_add(&all, open.v[i]);
    if (open.n > 1)
        narrow(s, &open);
    rc = decide(s, most_urgent(s, &open));
    if (rc > 0) {
        forget_conflict(s);
        drop_stale(s, &all);
        push(s);
        rc = 0;
    } else if (!rc) {
        rc = conflict(s);
    }
    vec_clear(&open);
    vec_clear(&all);
    return rc;
}

static int search_open(struct search *s)
{
    vec_push(&s->states);
    for (size_t i = 0; i < s->world->roots.n; i++) {
        const struct reason r = {s->world->roots.v[i], PYPI_NONE, PYPI_NONE};

        if (!require(s, &r))
            return explain_conflict(s->world, &s->told, &s->via, s->e);
    }
    push(s);
    return 0;
}

static int search_run(struct search *s)
{
    const struct events *events = s->world->want->events;

    if (search_open(s) < 0)
        return -1;
    for (s->round = 0; s->round < s->rounds; s->round++) {
        bool done;

        if (events_cancelled(events))
            return err_set(s->e, ERR_INTERRUPTED, "interrupted");
        if (optimism_is_over(s)) {
            roll_back(s);
            continue;
        }
        if (one_round(s, &done) < 0)
            return -1;
        if (done)
            return 0;
    }
    return err_set(s->e, ERR_UNSAT,
                   "no set of Python packages found in %u rounds; closer bounds on versions help",
                   s->rounds);
}

static void search_clear(struct search *s)
{
    states_clear(&s->states);
    states_clear(&s->saved);
    forget_conflict(s);
}

/* Mark what the roots reach through the decisions; a jump may leave others behind. */
static void mark(const struct world *w, const struct state *s, const struct needs *needs,
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

static bool add_unique(struct strs *all, struct str one)
{
    for (size_t i = 0; i < all->n; i++)
        if (str_eq(all->v[i], one))
            return false;
    vec_add(all, one);
    return true;
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

static bool is_root(const struct world *w, struct str name)
{
    for (size_t i = 0; i < w->roots.n; i++)
        if (str_eq(w->nodes.v[w->roots.v[i]->node]->of->name, name))
            return true;
    return false;
}

static void warn_of(const struct world *w, const struct pypi_pick *p, const struct node *n)
{
    struct str version = p->candidate->version.text;

    for (size_t i = 0; i < n->extras.n; i++) {
        bool there = false;

        for (size_t j = 0; j < p->metadata->extras.n && !there; j++)
            there = str_eq(p->metadata->extras.v[j], n->extras.v[i]);
        if (!there)
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
static void add_pick(struct pypi_solution *out, const struct world *w, const struct state *s,
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
            add_unique(&p->extras, n->extras.v[j]);
        for (size_t j = 0; j < n->needs[c]->n; j++) {
            struct str other = w->nodes.v[n->needs[c]->v[j]->node]->of->name;

            if (!str_eq(other, k->name))
                add_unique(&p->needs, other);
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

static void take_solution(struct pypi_solution *out, struct search *s)
{
    const struct world *w = s->world;
    bool *reached = xcalloc(w->nodes.n + 1, sizeof *reached);

    mark(w, top(s), &w->roots, reached);
    for (uint32_t i = 0; i < w->nodes.n; i++)
        if (reached[i] && w->nodes.v[i]->base == i)
            add_pick(out, w, top(s), i, reached);
    vec_sort(&out->picks, pick_order);
    out->rounds = s->round;
    free(reached);
}

int solve_pypi(struct pypi_solution *out, const struct pypi_want *want,
               const struct pypi_universe *universe, struct err *e)
{
    CLEANUP(world_clear) struct world world = {0};
    CLEANUP(search_clear) struct search s = {.world = &world, .optimistic = true, .e = e};
    struct pypi_solution made = {0};

    s.rounds = want->rounds ? want->rounds : SOLVE_PYPI_ROUNDS;
    if (world_open(&world, want, universe, e) < 0 || world_warm(&world, e) < 0 ||
        search_run(&s) < 0)
        return -1;
    take_solution(&made, &s);
    MOVE(out, &made);
    return 0;
}

void pypi_solution_clear(struct pypi_solution *s)
{
    vec_clear(&s->picks);
    arena_clear(&s->arena);
    *s = (struct pypi_solution){0};
}
