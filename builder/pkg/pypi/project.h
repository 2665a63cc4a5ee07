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

/* One release of a project that has a wheel for the target, or may be built for it. */
struct candidate {
    struct pep440 version;
    const struct simple_file *file; /* the best wheel, or the sdist; in the project's page */
    struct str from;                /* URL of the index, or "recipe" for direct ones */
    bool source;                    /* the file is an sdist */
};

/* A version that was left out, for explanations. */
struct left_out {
    struct pep440 version;
    enum left_out_why {
        LEFT_SDIST_ONLY,     /* it has no wheel at all */
        LEFT_PYTHON_REFUSED, /* its requires-python refuses the target's Python */
        LEFT_NO_TAG,         /* its wheels fit no tag of the target */
        LEFT_OTHER_HASH,     /* its wheels that fit have none of the hashes that the user listed */
    } why;
    struct str requires_python;      /* LEFT_PYTHON_REFUSED */
    struct str uploaded;             /* as of a file; may be empty */
    const struct simple_file *sdist; /* what pip would build; in the page; NULL: it has none */
};

struct project {
    struct str name; /* normalised */
    struct simple_page page;
    struct VEC_OF(struct candidate) candidates; /* newest first; requires-python and tags fit */
    struct VEC_OF(struct left_out) left_out;    /* newest first */
};
void project_clear(struct project *p);
/* Fill candidates and the left-out list from `name` and `page` for a target. Of each version the
 * wheel with the best tag is taken, then the highest build tag; a yanked one only when all are.
 * `sources`: where none fits, an sdist of a form that can be built (.tar.gz, .zip). The page is cut
 * down to the files of candidates and the sdists of what is left out. */
int project_select(struct project *p, const struct wheel_target *target, struct str python_full,
                   struct str from, bool sources, struct err *e) MUST_CHECK;
/* Can it be built, by its name? */
bool project_is_sdist(struct str file);
/* Is that the name of a wheel or an sdist of the project (normalised)? */
bool project_has(struct str project, struct str file);

struct pypi_likely {
    const struct project *project;
    const struct candidate *candidate;
};

struct pypi_universe {
    void *ctx;
    /* The indexes that are asked for a project, for messages. */
    struct str (*asked)(void *ctx, struct str name);
    /* The project, or *out = NULL when no index has it. Lives as long as the universe. */
    int (*project)(void *ctx, struct str name, const struct project **out, struct err *e);
    /* The metadata of a candidate. Lives as long as the universe. ERR_INPUT says that this
     * one candidate is broken: it is passed over. */
    int (*metadata)(void *ctx, const struct project *p, const struct candidate *c,
                    const struct metadata **out, struct err *e);
    /* A direct "name @ url" requirement as a project with one candidate. */
    int (*direct)(void *ctx, struct str name, struct str url, const struct project **out,
                  struct err *e);
    /* These projects, and the metadata of these candidates, will probably be asked for soon. A
     * failure here is met again by the real question; -1 only when interrupted. May be NULL. */
    int (*prefetch)(void *ctx, const struct str *names, size_t n, struct err *e);
    int (*prefetch_metadata)(void *ctx, const struct pypi_likely *likely, size_t n, struct err *e);
};
