/* plan/deb/deb_want.h - what is asked for by name, to the package that is meant, as apt-get reads
 * it.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "solve_deb.h"

/* The package that "name", "name:arch", "name=version" or "name/suite" means. A version may be a
 * glob; a virtual name means its provider when there is just one. *suite is empty without one.
 * ERR_UNSAT: no such package (with the nearest names), several providers, no such version (with
 * those there are), not in that suite. `universe` and `group` are named in messages. */
int deb_want_find(const struct deb_package **out, struct str *suite, const struct debindex *index,
                  const char *universe, const char *group, const struct deb_want *want,
                  struct err *e) MUST_CHECK;
