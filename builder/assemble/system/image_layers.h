/* assemble/system/image_layers.h - what an image that is the base must tell, so that our layers
 * fit on it: its account files, folders and links (the skeleton), and the Python environment made
 * for its interpreter.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../model/lock.h"
#include "../../oci/stored.h"
#include "skeleton.h"

/* The skeleton of a system that is all layers of `image`. It stands on its own. */
int image_layers_skeleton(struct tree *out, const struct stored *image, bool certificates,
                          struct err *e) MUST_CHECK;
/* Reads all layers of `image`, which must be the one of the lock: ERR_INTEGRITY otherwise. `venv`
 * holds the environment and the folders above it, sorted. Both trees stand on their own. */
int image_layers_build(struct tree *skeleton, struct tree *venv, const struct lock *lock,
                       const struct stored *image, struct err *e) MUST_CHECK;
