/* SPDX-License-Identifier: Apache-2.0 */
#include "install_order.h"

/* Paths through cycles that are tried at most: pip tries all, which may be exponentially many. */
enum { STEPS_MAX = 1 << 22 };

static bool needs_nobody(const struct install_graph *g, uint32_t node, const uint32_t *turns)
{
    const uint32_t *other;

    vec_each(other, &g->nodes.v[node].needs)
        if (!turns[*other])
            return false;
    return true;
}

/* Give the turn to all that need only what has one already; false when there are none. */
static bool prune(const struct install_graph *g, uint32_t *turns, uint32_t turn)
{
    struct VEC_OF(uint32_t) leaves = {0};
    const uint32_t *leaf;
    bool any;

    for (uint32_t i = 1; i < g->nodes.n; i++)
        if (!turns[i] && needs_nobody(g, i, turns))
            vec_add(&leaves, i);
    vec_each(leaf, &leaves)
        turns[*leaf] = turn;
    any = leaves.n > 0;
    vec_clear(&leaves);
    return any;
}

struct walk {
    const struct install_graph *g;
    const uint32_t *turns;
    bool *on_path;
    uint32_t *depth; /* the longest path to a node, in steps from the wishes */
    unsigned steps;
};

static void walk(struct walk *w, uint32_t node, uint32_t depth)
{
    const uint32_t *other;

    if (depth > w->depth[node])
        w->depth[node] = depth;
    w->on_path[node] = true;
    vec_each(other, &w->g->nodes.v[node].needs)
        if (!w->turns[*other] && !w->on_path[*other] && w->steps < STEPS_MAX) {
            w->steps++;
            walk(w, *other, depth + 1);
        }
    w->on_path[node] = false;
}

void install_turns(uint32_t *turns, const struct install_graph *g)
{
    size_t n = g->nodes.n;
    CLEANUP(free_clear) bool *on_path = xcalloc(n, sizeof *on_path);
    CLEANUP(free_clear) uint32_t *depth = xcalloc(n, sizeof *depth);
    struct walk w = {.g = g, .turns = turns, .on_path = on_path, .depth = depth};
    uint32_t turn = 1, deepest = 0;

    memset(turns, 0, n * sizeof *turns);
    while (prune(g, turns, turn))
        turn++;
    walk(&w, 0, 0);
    for (size_t i = 1; i < n; i++)
        deepest = depth[i] > deepest ? depth[i] : deepest;
    for (size_t i = 1; i < n; i++)
        if (!turns[i])
            turns[i] = turn + deepest - depth[i];
}

void install_graph_clear(struct install_graph *g)
{
    struct install_node *n;

    vec_each(n, &g->nodes)
        vec_clear(&n->needs);
    vec_clear(&g->nodes);
}
