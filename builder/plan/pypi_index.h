/* plan/pypi_index.h - the real Python universe: simple indexes over the web, metadata from PEP 658
 * files or, where there is none, from a few ranges of the wheel.
 *
 * Project pages and the metadata of likely candidates are asked for in parallel batches. METADATA
 * once read is remembered by its wheel's digest, so a second lock needs no range requests; it only
 * serves choosing, the wheel itself is checked when it is fetched.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../pkg/artifact.h"
#include "solve_pypi.h"
#include "web.h"

#define PYPI_INDEX_URL "https://pypi.org/simple/"

struct pypi_index; /* opaque; pypi_index_open to pypi_index_clear */

/* An index that may be asked. The first of the list that has a name binds it: a name is never
 * looked for in two of them, so nobody can slip in a newer version elsewhere. */
struct pypi_place {
    struct str url;         /* ".../simple/"; what is a secret in it never reaches an artifact */
    const struct str *only; /* the only names (normalised) it is asked for; NULL: all */
    size_t only_n;
};

struct pypi_index_options {
    const struct pypi_place *places; /* none: PYPI_INDEX_URL alone */
    size_t places_n;
    struct wheel_target target;
    struct str python_full;      /* "3.11.2" */
    struct memo *memo;           /* of METADATA; may be NULL */
    unsigned parallel;           /* range requests at once; 0: 16 */
    const struct events *events; /* may be NULL */
};

/* Copies what it needs of `options`; `web`, `http` (NULL when offline) and the memo are borrowed
 * until pypi_index_clear. */
struct pypi_index *pypi_index_open(struct web *web, struct http *http,
                                   const struct pypi_index_options *options);
void pypi_index_clear(struct pypi_index **index);
/* What the solver asks; lives as long as the index. */
struct pypi_universe pypi_index_universe(struct pypi_index *index);

struct artifacts VEC_OF(struct artifact);
/* The wheels of a solution, in its order; texts are borrowed from it and from the index. ERR_INPUT
 * for a file without a sha256; size is 0 where the index gives none. */
int pypi_artifacts(struct artifacts *out, const struct pypi_solution *solution,
                   struct err *e) MUST_CHECK;
