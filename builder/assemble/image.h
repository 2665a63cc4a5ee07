/* assemble/image.h - the image's config and manifest from a lock whose layers are made (format 1).
 *
 * Labels and annotations say what the image is and what it needs of a host
 * (org.opencontainers.image.*, io.envbuild.*, and what NVIDIA's own tools read). Everything comes
 * from the lock; the only time is the date of its archives.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../model/lock.h"
#include "../oci/place.h"

/* Put config and manifest of the form at hand (model/lock_form.h) into the place under `name`
 * (NULL: as one that an index names), continuing the config `below` of the image that is the base
 * (NULL: there is none); fills in lock->config, lock->manifest, and `out`, which points at it.
 * Digests that a built lock has already must come out again: ERR_INTEGRITY. */
int image_put(struct descriptor *out, struct lock *lock, struct place *place,
              const struct image_name *name, const struct image_config *below,
              struct err *e) MUST_CHECK;
/* The index of an image's forms, which are there, in that order. */
int image_put_index(struct digest *out, const struct lock *lock, struct place *place,
                    const struct image_name *name, const struct descriptors *forms,
                    struct err *e) MUST_CHECK;
/* What an index says of a form's layers: that they are zstd, which clients look for in the way of
 * skopeo and buildah. */
#define ANNOTATION_ZSTD "io.github.containers.compression.zstd"
