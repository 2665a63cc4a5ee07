/* plan/requirements.h - what a recipe asks of Python: its own list, the files it names, locks of
 * other tools, and what every image has. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../model/recipe.h"
#include "../pkg/pypi/reqfile.h"
#include "../pkg/pypi/tool_lock.h"
#include "pypi/pypi_index.h"
#include "pypi/solve_pypi.h"
#include "own_project.h"
#include "toolkit/toolkit.h"

/* A lock of another tool that the recipe names. */
struct named_lock {
    struct tool_lock lock;
    const struct recipe_ask *ask; /* borrowed */
};

struct requirements {
    const char *dir; /* borrowed; the recipe's folder */
    struct arena arena;
    struct own_project project; /* all-zero: the recipe has none */
    struct reqfile files;       /* all requirement and constraint files; owns their lines */
    struct VEC_OF(struct requirement *) requirements;
    struct VEC_OF(struct pypi_root) roots, constraints;
    struct VEC_OF(struct named_lock) locks;
    struct tool_lock_picks locked; /* by requirements_lock(): what they have for the target; */
    size_t locked_from;            /* the roots of these begin here, in the same order */
    size_t own; /* as many roots are every variant's; those behind them are devel's or compile's */
    struct VEC_OF(struct pos) places, constraint_places; /* of each */
    struct VEC_OF(struct pypi_allowed) allowed;          /* by requirements_allowed() */
    struct strs may_lack; /* extras that not every release of the toolkit has */
};

/* Reads the files, relative to `dir`. `local` is the label that torch's version must have, or
 * empty: "cu118". `toolkit` may be NULL. All that is no requirement is told at once, with its
 * place.
 */
int requirements_open(struct requirements *out, const struct recipe *r, struct str local,
                      const struct toolkit_plan *toolkit, const char *dir,
                      struct err *e) MUST_CHECK;
void requirements_clear(struct requirements *a);
/* Ask for the recipe's own project, whose name (normalised) is known now, with its extras. */
void requirements_project(struct requirements *a, struct str name);
/* Ask for what the locks of other tools have for `env`, and no longer for what they had for
 * another. With `guess` the third number of its Python is not known. */
int requirements_lock(struct requirements *a, const struct marker_env *env, bool guess,
                      struct err *e) MUST_CHECK;
/* Is that project among it? */
const struct tool_lock_pick *requirements_locked(const struct requirements *a, struct str name);
/* Fill `allowed` with the hashes of what is locked, and of those lines whose marker holds: those of
 * the others are for other machines. */
int requirements_allowed(struct requirements *a, const struct marker_env *env,
                         struct err *e) MUST_CHECK;
/* The solver knows no places: let `fault`, when nothing satisfies the recipe or an item
 * is no good, point at the first item that its words name. */
void requirements_place(const struct requirements *a, struct err *fault);
