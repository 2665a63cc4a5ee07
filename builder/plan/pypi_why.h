/* plan/pypi_why.h - why a search for Python projects found nothing, in the user's words. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "pypi_world.h"

/* Somebody needs something: candidate `candidate` of `node`, or with PYPI_NONE the user. */
struct reason {
    const struct need *need;
    uint32_t node, candidate;
};
struct reasons VEC_OF(struct reason);

/* ERR_UNSAT, -1: the reasons all speak of one node and leave nothing to choose; `via` tells who
 * needs those who ask. May ask the universe for other candidates, to tell what would fit. */
int explain_conflict(struct world *w, const struct reasons *told, const struct reasons *via,
                     struct err *e);
