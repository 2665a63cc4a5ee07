/* assemble/image.h - the image's config and manifest from a lock whose layers are made (format 1).
 *
 * Labels and annotations say what the image is and what it needs of a host
 * (org.opencontainers.image.*, io.envbuild.*, and what NVIDIA's own tools read). Everything comes
 * from the lock; the only time is the date of its archives.
 *
 * Where the place keeps what refers to an image, the lock goes there with it, and in a registry a
 * tag that never moves (model/lock_artifact.h): both before `name` moves.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../model/lock.h"
#include "../oci/place.h"

/* Put config and manifest into the place under `name`, continuing the config `below` of the image
 * that is the base (NULL: there is none); fills in lock->config and lock->manifest.
 * Digests that a built lock has already must come out again: ERR_INTEGRITY. That a registry takes
 * no lock is told as a warning. */
int image_put(struct lock *lock, struct place *place, const struct image_name *name,
              const struct image_config *below, const struct events *events,
              struct err *e) MUST_CHECK;
