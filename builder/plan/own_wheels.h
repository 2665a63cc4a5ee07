/* plan/own_wheels.h - wheels beside the recipe: people build them anew under the name they had. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../model/lock.h"

/* The wheels of `lock` that its recipe names by their path, or that lie in a folder of
 * `find_links`, whose files have other bytes now: with the size and the digest that they have now,
 * texts borrowed. `dir` is the recipe's folder. A file that is not there has not changed: what is
 * in the store, or built, will do. */
int own_wheels_changed(struct artifacts *out, const struct lock *lock, const char *dir,
                       struct err *e) MUST_CHECK;
