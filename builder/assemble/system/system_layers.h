/* assemble/system/system_layers.h - the Debian system in groups: each layer is what its packages
 * add to the groups before it. The Python environment's skeleton comes with the group that brings
 * Python.
 *
 * In formats 1 and 2 each layer has its own copy of what all packages decide, such as dpkg's
 * status. Since format 3 a group's layer has only what its own packages bring (system_input.apart),
 * so that a new version of a package changes its layer and that of LOCK_STATE, which makes of them
 * the whole system: its files are the same in every format, with their dates.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../model/lock.h"
#include "../../oci/stored.h"
#include "../../store/memo.h"
#include "skeleton.h"
#include "system.h"

struct system_layers {
    struct spool spool;
    /* By position in lock->artifacts; only what is of that kind and of the system is filled in. */
    struct debpkg *packages;
    struct redist_pkg *archives;
    struct toolkit_wheel *wheels;
    size_t packages_n;
    struct tree below;  /* of the layers that are made, as a whole */
    struct tree *trees; /* by position in lock->layers: what that layer adds */
    size_t trees_n;
    struct tree skeleton;
    struct names uncovered; /* packages with a script that no rule covers */
    uint64_t saved;         /* bytes of libraries that are not there twice: see system.h */
};

void system_layers_open(struct system_layers *s, const struct lock *lock, const char *scratch_dir);
void system_layers_clear(struct system_layers *s);
/* Unpack or read one of them; safe from several threads for different artifacts. */
int system_layers_import(struct system_layers *s, const struct lock *lock, size_t artifact,
                         const struct input *input, struct err *e) MUST_CHECK;
/* All others are there: make the trees of the groups that are not late (layer_order.h). */
int system_layers_build(struct system_layers *s, const struct lock *lock, struct err *e) MUST_CHECK;
/* All are there, and the former is done: the other trees, the skeleton and the uncovered list. */
int system_layers_finish(struct system_layers *s, const struct lock *lock,
                         struct err *e) MUST_CHECK;
/* The same where the system is an image, read now. */
int system_layers_from_image(struct system_layers *s, const struct lock *lock,
                             const struct stored *image, struct err *e) MUST_CHECK;
const struct tree *system_layers_tree(const struct system_layers *s, size_t layer);

/* Skeleton and uncovered list, kept in the store beside the layers. */
int system_layers_remember(const struct system_layers *s, const struct lock *lock,
                           const struct memo *memo, struct err *e) MUST_CHECK;
bool system_layers_recall(struct system_layers *s, const struct lock *lock,
                          const struct memo *memo);
/* The skeleton alone, out of an image that has the system layers of the lock, by their digests.
 * False where it has not, or cannot be read. It does not become memory: that these layers are what
 * the lock's packages give is the lock's word. */
bool system_layers_beside(struct system_layers *s, const struct lock *lock,
                          const struct stored *image);
