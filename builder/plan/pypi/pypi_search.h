/* plan/pypi/pypi_search.h - the backtracking search behind solve_pypi.h: one candidate for each
 * node. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "pypi_state.h"

struct pypi_found {
    enum {
        SEARCH_FOUND,
        SEARCH_CONFLICT, /* nothing fits */
        SEARCH_LONG,     /* it took more rounds than allowed */
    } end;
    struct picks pick; /* by node; PYPI_NONE where nobody needs it */
    /* SEARCH_CONFLICT: the reasons of the last conflict, which all speak of one node and leave
     * nothing to choose; and who needs those who ask, step by step up to the user. */
    struct reasons told, via;
    unsigned rounds;
};

int pypi_search(struct pypi_found *out, struct problem *w, unsigned rounds, struct err *e) MUST_CHECK;
void pypi_found_clear(struct pypi_found *f);
