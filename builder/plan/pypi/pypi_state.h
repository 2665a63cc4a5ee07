/* plan/pypi/pypi_state.h - one step of the search for Python projects: what is needed so far, by
 * whom, and what was decided. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "problem.h"

/* Somebody needs something: candidate `candidate` of `node`, or with PYPI_NONE the user. */
struct reason {
    const struct need *need;
    uint32_t node, candidate;
};
struct reasons VEC_OF(struct reason);
struct picks VEC_OF(uint32_t);

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
    struct picks pick;                          /* by node; PYPI_NONE */
    struct VEC_OF(uint32_t) order;              /* decided nodes, latest last */
    struct reasons causes;                      /* of the last conflict */
};
struct states VEC_OF(struct state);

void reasons_add(struct reasons *to, const struct reasons *from);
void state_copy(struct state *to, const struct state *from);
void state_clear(struct state *s);
void states_copy(struct states *to, const struct states *from);
void states_clear(struct states *s);

struct criterion *state_criterion(const struct state *s, uint32_t node); /* may be NULL */
uint32_t state_pick(const struct state *s, uint32_t node);
/* Takes over `c`. */
void state_set(struct state *s, uint32_t node, struct criterion *c);
/* Decide, and note it as the latest decision. */
void state_decide(struct state *s, uint32_t node, uint32_t c);
/* Whether a node is decided so that all who need it have what they need. */
bool state_satisfies(const struct state *s, uint32_t node);

/* A new criterion: `old`, which may be NULL, with the reason `more`, which may be NULL. */
struct criterion *criterion_extend(const struct problem *w, const struct state *s,
                                   const struct criterion *old, const struct reason *more,
                                   uint32_t node);
void criterion_release(struct criterion *c); /* NULL is fine */
