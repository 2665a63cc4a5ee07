/* plan/requirements.h - what a recipe asks of Python: its own list, the files it names, and what
 * every image has. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../model/recipe.h"
#include "../pkg/pypi/reqfile.h"
#include "pypi/pypi_index.h"
#include "pypi/solve_pypi.h"
#include "toolkit/toolkit.h"

struct requirements {
    const char *dir; /* borrowed; the recipe's folder */
    struct arena arena;
    struct reqfile files; /* all requirement and constraint files; owns their lines */
    struct VEC_OF(struct requirement *) requirements;
    struct VEC_OF(struct pypi_root) roots, constraints;
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
/* Fill `allowed` with the hashes of those lines whose marker holds: those of the others are for
 * other machines. */
int requirements_allowed(struct requirements *a, const struct marker_env *env,
                         struct err *e) MUST_CHECK;
/* The solver knows no places: let `fault`, when nothing satisfies the recipe or an item
 * is no good, point at the first item that its words name. */
void requirements_place(const struct requirements *a, struct err *fault);
