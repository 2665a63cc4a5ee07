/* plan/pypi/pypi_sources.h - what pip would build from source where only wheels are installed.
 *
 * The search again, in a world where releases that have no wheel for the target, but an sdist, are
 * candidates. What they need is not known without building them, so they are taken to need nothing.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "solve_pypi.h"

struct pypi_source {
    struct str name;  /* what would be built */
    bool builds;      /* `build` of the recipe can have it */
    struct str root;  /* name of the request that it is for */
    const char *text; /* "x 2.0 (2025-01-29), which y 1.0 needs, is published as source only" */
    struct str with;  /* version of `root` were it built */
    struct str now, dated; /* version of `root` with wheels alone; its date or empty */
};

struct pypi_sources {
    struct arena arena;
    struct VEC_OF(struct pypi_source) list;
};

/* Those that are newer than what `wheels` has, or not in it. A search that finds nothing tells
 * nothing. -1 only when interrupted. */
int pypi_sources_find(struct pypi_sources *out, const struct pypi_want *want,
                      const struct pypi_universe *universe, const struct pypi_solution *wheels,
                      struct err *e) MUST_CHECK;
void pypi_sources_clear(struct pypi_sources *s);

const struct pypi_pick *pypi_solution_find(const struct pypi_solution *s, struct str name);
