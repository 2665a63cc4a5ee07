/* SPDX-License-Identifier: Apache-2.0 */
#include "pypi_search.h"

/* A name that was undecided in this many conflicts is decided early from then on. */
enum { CONFLICTS_PROMOTE = 5 };
/* One part in so many of the rounds left goes into jumping back further than is proven safe. */
enum { OPTIMISTIC_PART = 10 };
/* Requests that led to the ones in conflict are noted so many steps up, for the explanation. */
enum { VIA_STEPS = 12 };

struct search {
    struct problem *problem;
    struct states states, saved; /* the top is what is worked on */
    bool optimistic, has_saved;
    bool ended; /* in the conflict at hand */
    unsigned round, rounds, optimistic_end;
    struct reasons causes; /* of the conflict at hand */
    struct reasons told;   /* those at its first node, which explain it best */
    struct reasons via;    /* who needs those that ask there */
    struct err *e;
};

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
        c = state_criterion(top(s), node);
        if (!c || !c->reasons.n)
            return;
        vec_add(&s->via, c->reasons.v[0]);
        node = c->reasons.v[0].node;
    }
}

static void note_conflict(struct search *s, const struct reasons *reasons)
{
    if (!s->causes.n) {
        reasons_add(&s->told, reasons);
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
    struct criterion *c =
        criterion_extend(s->problem, top(s), state_criterion(top(s), node), reason, node);

    if (!bits_any(c->matches)) {
        note_conflict(s, &c->reasons);
        criterion_release(c);
        return false;
    }
    state_set(top(s), node, c);
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
    const struct node *n = s->problem->nodes.v[node];
    const struct criterion *c = state_criterion(&s->states.v[s->states.n - 1], node);
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
            if (state_pick(now, both[j]) == PYPI_NONE)
                s->problem->nodes.v[both[j]]->conflicts++;
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
        else if (s->problem->nodes.v[open->v[i]]->conflicts >= CONFLICTS_PROMOTE)
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

    if (problem_needs(s->problem, node, c, &needs, s->e) < 0)
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
    state_decide(top(s), node, c);
    return 1;
}

/* Decide a node: the preferred candidate first, then newest first. As try_candidate(). */
static int decide(struct search *s, uint32_t node)
{
    const struct known *k = s->problem->nodes.v[node]->of;
    struct criterion *now = state_criterion(top(s), node);
    int done = 0;

    now->refs++; /* the state may be swapped for a copy under us */
    if (k->preferred != PYPI_NONE && bits_has(now->matches, k->preferred))
        done = try_candidate(s, node, k->preferred);
    for (uint32_t c = 0; c < k->n && !done; c++)
        if (c != k->preferred && bits_has(now->matches, c))
            done = try_candidate(s, node, c);
    if (!done && !s->causes.n)
        note_conflict(s, &now->reasons); /* every candidate was broken */
    criterion_release(now);
    return done;
}

static bool speaks(const struct criterion *c, const struct indexes *nodes)
{
    for (size_t i = 0; i < c->reasons.n; i++)
        if (c->reasons.v[i].node != PYPI_NONE && has_index(nodes, c->reasons.v[i].node))
            return true;
    return false;
}

/* A decision that was satisfied before and no longer is: what it needed no longer counts. */
static void drop_stale(struct search *s, const struct indexes *were_open)
{
    struct state *now = top(s);
    struct indexes stale = {0};

    for (uint32_t i = 0; i < now->criteria.n; i++)
        if (now->criteria.v[i] && state_pick(now, i) != PYPI_NONE && !state_satisfies(now, i) &&
            !has_index(were_open, i))
            vec_add(&stale, i);
    for (uint32_t i = 0; stale.n && i < now->criteria.n; i++) {
        struct criterion *old = now->criteria.v[i], *c;

        if (!old || !speaks(old, &stale))
            continue;
        c = xcalloc(1, sizeof *c);
        c->refs = 1;
        c->ruled_out = problem_bits(s->problem->nodes.v[i]->of);
        c->matches = problem_bits(s->problem->nodes.v[i]->of);
        bits_or(c->ruled_out, old->ruled_out);
        bits_or(c->matches, old->matches);
        for (size_t j = 0; j < old->reasons.n; j++)
            if (old->reasons.v[j].node == PYPI_NONE || !has_index(&stale, old->reasons.v[j].node))
                vec_add(&c->reasons, old->reasons.v[j]);
        state_set(now, i, c);
    }
    vec_clear(&stale);
}

static void rule_out(struct search *s, uint32_t node, struct bits more, bool *possible)
{
    const struct criterion *old = state_criterion(top(s), node);
    struct criterion *c;

    if (!old || !bits_any(more))
        return;
    c = criterion_extend(s->problem, top(s), old, NULL, node);
    bits_or(c->ruled_out, more);
    bits_less(c->matches, more);
    if (!bits_any(c->matches))
        *possible = false;
    state_set(top(s), node, c);
}

/* Begin anew from the top state with what was ruled out in `broken`, and the decision itself. */
static bool resume(struct search *s, const struct state *broken, uint32_t node, uint32_t candidate)
{
    struct bits one = problem_bits(s->problem->nodes.v[node]->of);
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
        if (needs_any(s->problem->nodes.v[*node], *candidate, involved) || !out->order.n)
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
    if (how != JUMP_DONE) {
        s->ended = true;
        return 0;
    }
    vec_clear(&top(s)->causes);
    reasons_add(&top(s)->causes, &s->causes);
    forget_conflict(s);
    return 0;
}

static void find_open(struct search *s, struct indexes *open)
{
    const struct state *now = top(s);

    for (uint32_t i = 0; i < now->criteria.n; i++)
        if (now->criteria.v[i] && !state_satisfies(now, i))
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

static void search_open(struct search *s)
{
    vec_push(&s->states);
    for (size_t i = 0; i < s->problem->roots.n && !s->ended; i++) {
        const struct reason r = {s->problem->roots.v[i], PYPI_NONE, PYPI_NONE};

        s->ended = !require(s, &r);
    }
    if (!s->ended)
        push(s);
}

static int search_run(struct search *s, bool *done)
{
    const struct events *events = s->problem->want->events;

    *done = false;
    search_open(s);
    while (!s->ended && s->round < s->rounds) {
        if (events_cancelled(events))
            return err_set(s->e, ERR_INTERRUPTED, "interrupted");
        if (optimism_is_over(s))
            roll_back(s);
        else if (one_round(s, done) < 0)
            return -1;
        if (*done)
            return 0;
        s->round++;
    }
    return 0;
}

static void search_clear(struct search *s)
{
    states_clear(&s->states);
    states_clear(&s->saved);
    forget_conflict(s);
}

int pypi_search(struct pypi_found *out, struct problem *w, unsigned rounds, struct err *e)
{
    CLEANUP(search_clear)
    struct search s = {.problem = w, .optimistic = true, .rounds = rounds, .e = e};
    bool done;

    if (search_run(&s, &done) < 0)
        return -1;
    *out = (struct pypi_found){.end = done      ? SEARCH_FOUND
                                      : s.ended ? SEARCH_CONFLICT
                                                : SEARCH_LONG,
                               .rounds = s.round};
    if (done) {
        struct state *last = top(&s);

        while (last->pick.n < w->nodes.n)
            vec_add(&last->pick, PYPI_NONE);
        MOVE(&out->pick, &last->pick);
    } else if (s.ended) {
        MOVE(&out->told, &s.told);
        MOVE(&out->via, &s.via);
    }
    return 0;
}

void pypi_found_clear(struct pypi_found *f)
{
    vec_clear(&f->pick);
    vec_clear(&f->told);
    vec_clear(&f->via);
}
