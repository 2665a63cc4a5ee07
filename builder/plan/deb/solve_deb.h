/* plan/deb/solve_deb.h - which Debian packages, chosen as `apt-get install --no-install-recommends`
 * does.
 *
 * Pure: no network, no clock, no store. What is asked for is marked first; then, depth first and
 * in declared order (Pre-Depends, then Depends), each group that nothing marked satisfies takes
 * its first alternative that does not conflict: the real package before its providers. These are
 * tried by priority; among equals apt takes the one whose name its indexes mention first last.
 * There is no search: what apt refuses is refused here, and so is what apt would do by removing.
 *
 * Groups of one image ("base", "python", "compile", "apt") are installed one after the other into
 * the same solver, as separate apt-get runs would: what is marked stays marked.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../pkg/artifact.h"
#include "../../pkg/deb/debindex.h"

/* "name", "name:arch", "name=version" or "name/suite", as on apt-get's command line. Both are
 * borrowed for the solver's life. */
struct deb_want {
    struct str text;
    struct pos pos; /* where it was asked for; file may be NULL */
};

struct deb_chosen {
    const struct deb_package *package;
    const char *group; /* the first that needed it */
    bool requested;    /* named by a want, or Essential and asked for as such */
};
struct deb_solution VEC_OF(struct deb_chosen); /* sorted by name */

struct deb_solver; /* opaque; deb_solver_open to deb_solver_free */

/* `index` is finished and outlives the solver. */
struct deb_solver *deb_solver_open(const struct debindex *index, const char *universe);
/* Add a group. With `essential`, every package marked Essential: yes is asked for before `wants`.
 * ERR_UNSAT: no such package (with the nearest names), no such version (with those there are), a
 * dependency that nothing satisfies, a conflict; the last two with the chain of requests. All wants
 * that name nothing are told at once. After a failure the solver can only be freed. */
int deb_solver_install(struct deb_solver *s, const char *group, bool essential,
                       const struct deb_want *wants, size_t n, struct err *e) MUST_CHECK;
/* What is marked so far. `out` is replaced; free it with vec_clear. */
void deb_solver_solution(const struct deb_solver *s, struct deb_solution *out);
void deb_solver_free(struct deb_solver *s); /* NULL is fine */
void deb_solver_clear(struct deb_solver **s);

/* The solution as artifacts, in its order. Texts live in `a` or in the index; the array in `a`. */
int deb_artifacts(struct artifact **out, struct arena *a, const struct deb_solution *solution,
                  struct err *e) MUST_CHECK;
