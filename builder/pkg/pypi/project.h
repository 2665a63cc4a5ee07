/* pkg/pypi/project.h - the Python side of the universe: what the solver may ask, and of whom.
 *
 * The solver has no network, clock or store. It sees projects and metadata through `struct
 * pypi_universe`; the real one asks indexes, a test's reads text.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "metadata.h"
#include "simple.h"
#include "wheeltag.h"

/* One release of a project that has a wheel for the target; the best wheel of it. */
struct candidate {
    struct pep440 version;
    const struct simple_file *file; /* the best wheel; in the project's page */
    struct str from;                /* URL of the index, or "recipe" for direct ones */
    struct str digest_pin;          /* reserved for hash-checked requirements; empty */
};

struct project {
    struct str name; /* normalised */
    struct simple_page page;
    struct VEC_OF(struct candidate) candidates; /* newest first; requires-python and tags fit */
    /* What was left out, for explanations: */
    struct strs sdist_only;     /* versions that have only an sdist, newest first */
    struct strs python_refused; /* versions whose requires-python refuses the target */
    struct strs no_tag;         /* versions whose wheels fit no target tag */
};
void project_clear(struct project *p);
/* Fill candidates and the left-out lists from `page` for a target. */
int project_select(struct project *p, const struct wheel_target *target, struct str python_full,
                   struct str from, struct err *e) MUST_CHECK;

struct pypi_universe {
    void *ctx;
    /* The project, or *out = NULL when no index has it. Lives as long as the universe. */
    int (*project)(void *ctx, struct str name, const struct project **out, struct err *e);
    /* The metadata of a candidate's wheel. Lives as long as the universe. */
    int (*metadata)(void *ctx, const struct project *p, const struct candidate *c,
                    const struct metadata **out, struct err *e);
    /* A direct "name @ url" requirement as a project with one candidate. */
    int (*direct)(void *ctx, struct str name, struct str url, const struct project **out,
                  struct err *e);
    /* These names will probably be asked for soon; may be NULL. */
    void (*prefetch)(void *ctx, const struct str *names, size_t n);
};
