/* model/lock_files.h - the contents of a recipe's own files and project in a lock. They are no
 * choices: a build takes over what changed, and everything else stays as it was chosen and built.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "lock.h"

/* Take over the files of `now` (resolve_recipe(): recipe, inputs, copies and changed wheels) where
 * nothing else of the recipe changed; else false, and the lock stays as it is. Of the wheels the
 * project's alone is taken over, to be built anew. A lock that was built is settled then: the
 * digests of its files layer, of the project's where that changed, config and manifest go, all
 * others stay. */
bool lock_take_files(struct lock *lock, const struct lock *now);
