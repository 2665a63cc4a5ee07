/* plan/deb/apt_extra.h - a recipe's own apt archives: their keys, and what the image gets of them.
 *
 * Inside the image the keys lie in /etc/apt/keyrings and the archives are listed in
 * /etc/apt/sources.list.d/recipe.sources (deb822), so that `apt-get update` asks them too.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../model/recipe.h"
#include "apt_archive.h"

/* Add the keyrings to the lock's inputs, and they and the list of sources to its copies. `dir` is
 * the recipe's. ERR_INPUT at the keyring that cannot be read or is none. */
int apt_extra_take(struct lock *lock, const struct recipe *r, const char *dir,
                   struct err *e) MUST_CHECK;

struct apt_extra {
    struct VEC_OF(struct apt_source) sources; /* texts live in the recipe and in `keyrings` */
    struct VEC_OF(struct buf) keyrings;       /* binary */
};
int apt_extra_open(struct apt_extra *out, const struct recipe *r, const char *dir,
                   struct err *e) MUST_CHECK;
void apt_extra_clear(struct apt_extra *x);
