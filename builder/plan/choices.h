/* plan/choices.h - what was chosen of what the user asked for, beside the newest and why that is
 * another. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "pypi/pypi_sources.h"
#include "requirements.h"

struct choice {
    struct str name, version;
    struct str newest, why; /* empty when the newest was chosen, or when nobody was asked */
};

struct choices {
    struct arena arena;
    struct VEC_OF(struct choice) list; /* in the user's order */
    struct str options;                /* of requirement files that change nothing; or empty */
};
void choices_clear(struct choices *c);

/* ERR_UNSAT for what is more than two years older than the newest that the user's own bounds
 * admit, unless `prefer` of `want` kept it or `sources` tell it. With `wheels_only` what has no
 * wheel does not count. */
int choices_find(struct choices *out, const struct pypi_want *want,
                 const struct pypi_universe *universe, const struct pypi_solution *chosen,
                 const struct requirements *reqs, const struct pypi_sources *sources,
                 bool wheels_only, struct err *e) MUST_CHECK;
