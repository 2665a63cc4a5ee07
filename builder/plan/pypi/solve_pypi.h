/* plan/pypi/solve_pypi.h - choose one version of every Python project that a recipe needs, as pip
 * would.
 *
 * Pure: no network, clock or store; the world is a `struct pypi_universe`. A backtracking search:
 * what to decide next follows pip's preferences (conflicts' causes, Requires-Python, direct and
 * pinned requirements first, then the user's order, then names), each project is tried newest
 * first, and metadata is read only for the candidate that is tried. An extra is a project of its
 * own that needs the plain project in the very same version.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/event.h"
#include "../../pkg/artifact.h"
#include "../../pkg/pypi/project.h"

enum { SOLVE_PYPI_ROUNDS = 200000 };

struct pypi_root {
    const struct requirement *requirement; /* borrowed; its marker is evaluated for `env` */
    struct str label;                      /* who asks, for explanations: "recipe" */
};

/* A version to keep where nothing speaks against it, as an older lock had it. */
struct pypi_prefer {
    struct str name, version; /* normalised name; version as written */
};

/* What the lock of another tool has. What one of them says to need in another version than that of
 * another of them (uv's overrides) is not heeded, with a warning. */
struct pypi_locked {
    struct str name, version; /* as above */
    const char *where;        /* the file */
};

struct pypi_want {
    struct marker_env env;
    const struct pypi_root *roots; /* in the user's order */
    size_t roots_n;
    const struct pypi_root *constraints; /* bind a project only if something needs it */
    size_t constraints_n;
    const struct pypi_prefer *prefer;
    size_t prefer_n;
    const struct pypi_locked *locked; /* these have roots of their own */
    size_t locked_n;
    const struct strs *may_lack; /* extras that nobody misses; may be NULL */
    struct str build; /* label of what `of_build` names, where versions do not say it; or empty */
    bool (*of_build)(struct str name); /* may be NULL without a build */
    bool brief;                        /* do not look for what would work instead */
    bool pre;                          /* admit pre-releases everywhere */
    unsigned rounds;                   /* give up after so many decisions; 0 is SOLVE_PYPI_ROUNDS */
    const struct events *events; /* yanked picks are warned of, cancelling is polled; may be NULL */
};

struct pypi_pick {
    struct str name;               /* normalised */
    const struct project *project; /* of the universe, as the next two */
    const struct candidate *candidate;
    const struct metadata *metadata;
    bool requested;     /* named by a root */
    struct strs extras; /* chosen with it: normalised, sorted */
    struct strs needs;  /* what it needs for `env`, sorted: "numpy", "fsspec[http]" */
    struct VEC_OF(struct artifact_extra) brought; /* by extras, as an artifact has it */
    uint32_t turn;                                /* see install_order.h */
};

struct pypi_solution {
    struct arena arena;
    struct VEC_OF(struct pypi_pick) picks; /* sorted by name */
    unsigned rounds;                       /* decisions made, for tests and -v */
};

/* All that is in *out lasts as long as both it and the universe. When nothing fits: ERR_UNSAT with
 * a short chain of reasons; other kinds come from the universe. */
int solve_pypi(struct pypi_solution *out, const struct pypi_want *want,
               const struct pypi_universe *universe, struct err *e) MUST_CHECK;
void pypi_solution_clear(struct pypi_solution *s);
