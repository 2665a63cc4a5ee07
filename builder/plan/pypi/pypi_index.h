/* plan/pypi/pypi_index.h - the real Python universe: simple indexes over the pages, folders of
 * wheels, and single wheels by their address.
 *
 * Project pages and the metadata of likely candidates are asked for in parallel batches.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../pkg/artifact.h"
#include "../../fetch/pages.h"
#include "solve_pypi.h"

#define PYPI_INDEX_URL "https://pypi.org/simple/"

struct sdists;     /* sdists.h */
struct pypi_index; /* opaque; pypi_index_open to pypi_index_clear */

/* A place that may be asked. The first of the list that has a name binds it: a name is never looked
 * for in two of them, so nobody can slip in a newer version elsewhere. */
struct pypi_place {
    struct str url;         /* ".../simple/"; what is a secret in it never reaches an artifact */
    struct str folder;      /* or a folder of wheels, relative to `root` or absolute */
    const struct str *only; /* the only names (normalised) it is asked for; NULL: all */
    size_t only_n;
    bool owns; /* no other index is asked for them */
};

/* Files of a project that will do; those of other digests are not there for the solver. */
struct pypi_allowed {
    struct str name;  /* normalised */
    struct str where; /* who says so, for messages */
    const struct digest *digests;
    size_t n;
};

/* Where an older lock had a project from. */
struct pypi_bound {
    struct str name, from;
};

struct pypi_index_options {
    const struct pypi_place *places; /* none: PYPI_INDEX_URL alone */
    size_t places_n;
    const struct pypi_allowed *allowed;
    size_t allowed_n;
    const struct pypi_bound *bound;
    size_t bound_n;
    struct sdists *sdists; /* what may be built, and how; NULL: wheels alone */
    struct str root;       /* absolute path that local names are relative to */
    struct wheel_target target;
    struct str python_full;      /* "3.11.2" */
    struct memo *memo;           /* of METADATA; may be NULL */
    unsigned parallel;           /* range requests at once; 0: 16 */
    const struct events *events; /* may be NULL */
};

/* Copies what it needs of `options`; `pages`, `http` and the memo are borrowed until
 * pypi_index_clear. */
struct pypi_index *pypi_index_open(struct pages *pages, struct http *http,
                                   const struct pypi_index_options *options);
void pypi_index_clear(struct pypi_index **index);
/* What the solver asks; lives as long as the index. */
struct pypi_universe pypi_index_universe(struct pypi_index *index);

/* The wheels of a solution, in its order, those that are built with their source; texts are
 * borrowed from it and from the index. A file whose sha256 no index tells is fetched to learn it. A
 * local file's url is relative to `root`:
 * "./x.whl".
 */
int pypi_artifacts(struct artifacts *out, struct pypi_index *index,
                   const struct pypi_solution *solution, struct err *e) MUST_CHECK;
