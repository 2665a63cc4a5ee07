/* plan/pypi/install_order.h - the order in which pip would install what was chosen.
 *
 * As pip's get_topological_weights(): what needs nothing is first, then what needs only such, and
 * so on, round by round; of what is left, which are cycles and what needs them, those come first
 * that are farthest from the wishes, by the longest path. Within a round names decide, the last
 * first. Of two wheels with the same file the later one's stays.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/vec.h"

struct install_node {
    struct VEC_OF(uint32_t) needs; /* positions */
};

struct install_graph {
    struct VEC_OF(struct install_node) nodes; /* the first one's needs are the wishes */
};

/* A turn for each node, from 1; the smaller ones are installed first. turns[0] means nothing. */
void install_turns(uint32_t *turns, const struct install_graph *g);
void install_graph_clear(struct install_graph *g);
