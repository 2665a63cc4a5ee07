/* cmd/prove.h - the load proof of an image that is built for the first time: what the loader must
 * know of each layer is taken while the layer is made, and remembered in the store.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../assemble/assemble.h"
#include "work.h"

struct proving {
    const struct memo *memo;
    char *scratch_dir; /* borrowed */
    struct watcher watcher;
};
/* For assemble_layers(); `scratch_dir` must be there. */
void proving_init(struct proving *p, const struct memo *memo, char *scratch_dir);

/* Does the store remember all layers of the lock, so that they can be proved? */
bool proving_knows(struct proving *p, const struct lock *lock);

/* The layer is in use, so that what `memo` has of it stays. */
void proving_keep(const struct memo *memo, const struct digest *layer);

/* After all layers are made: ERR_INPUT for what a package that the recipe names lacks; everything
 * else that is found goes into lock->findings. `image` is the base, or NULL. */
int prove(struct lock *lock, const struct proving *p, const struct stored *image,
          struct err *e) MUST_CHECK;
/* Tell what was found. `recipe` is its path, for the command that lists all. */
void prove_warn(const struct lock *lock, const char *recipe, const struct events *events);
