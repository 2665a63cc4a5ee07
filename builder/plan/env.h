/* plan/env.h - the variables of an image, and what `$NAME` in the recipe's `env` becomes. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/arena.h"
#include "../base/err.h"
#include "../base/vec.h"

/* The value of `name` among "NAME=value"; false when it is not there. */
bool env_get(struct str *value, const struct strs *env, struct str name);
/* Set "NAME=value", in its place where the name is there already; a copy goes into `a`. */
void env_set(struct strs *env, struct arena *a, struct str line);
/* Write `value` with $NAME and ${NAME} replaced by what `env` has, and $$ by "$"; a "$" before
 * anything else stays. ERR_INPUT for a name that is not there, which names those that are, and for
 * a "${" that does not end. */
int env_expand(struct buf *out, struct str value, const struct strs *env, struct err *e) MUST_CHECK;
