/* plan/pins.h - what of an older lock stays when a recipe is chosen for anew: as much as can.
 *
 * Where nothing that decides about debs (or wheels) changed, they are taken over as they are and no
 * archive (no index) is asked. Else each stays at its version where that still fits and can be had.
 * What is to be upgraded is free.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../model/lock.h"
#include "../pkg/deb/debindex.h"
#include "pypi/solve_pypi.h"

struct pins {
    const struct lock *old; /* NULL: nothing is kept */
    bool upgrade_all;
    const struct strs *upgrade; /* names, or "deb:name" and "wheel:name"; may be NULL */
};

/* Every name must be in the old lock: ERR_USAGE names the nearest. */
int pins_check(const struct pins *k, struct err *e) MUST_CHECK;

/* May the debs (wheels) of the old lock be taken over for the recipe of `now`, which has its
 * recipe, inputs, base and, for wheels, python_full set? */
bool pins_all_debs(const struct pins *k, const struct lock *now);
bool pins_all_wheels(const struct pins *k, const struct lock *now);
/* The same of the toolkit's archives, when its release and where it comes from are set. */
bool pins_all_archives(const struct pins *k, const struct lock *now);

bool pins_has(const struct pins *k, const struct artifact *a); /* not to be upgraded */

/* Candidates that were preferred to higher ones. */
struct pins_moved VEC_OF(const struct deb_package *); /* the higher ones */
/* Let the index prefer the old lock's versions. */
void pins_prefer_debs(const struct pins *k, struct debindex *index, struct pins_moved *moved);
/* After a failure: let go of those that its words name, or of all. False when there is nothing left
 * to let go of. */
bool pins_yield(struct debindex *index, struct pins_moved *moved, const struct err *fault);
