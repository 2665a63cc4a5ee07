/* cmd/own_source.h - the recipe's own project as a source of sealed builds. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "work.h"

/* Is that what `wheel` is built from? */
bool own_source_is(const struct work *w, const struct artifact *wheel);
/* Its files into the store, as the tar that the source of `wheel` names. ERR_INPUT where they are
 * others by now. */
int own_source_put(const struct work *w, const struct artifact *wheel, const struct events *events,
                   struct err *e) MUST_CHECK;
/* `wheel` was built, and is in the store: its version becomes what its name says. ERR_INPUT where
 * it needs what the lock does not have: only its backend could tell, and nobody chose that. */
int own_source_take(struct work *w, struct artifact *wheel, struct err *e) MUST_CHECK;
