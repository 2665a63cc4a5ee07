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

/* A manifest, or an index, whose config, layers and manifests are in the place. All-zero is valid.
 */
struct image_part {
    struct descriptor d; /* its annotations are owned, its platform is borrowed from the lock */
    struct buf json;
};
struct image_parts VEC_OF(struct image_part);
void image_parts_clear(struct image_parts *parts);

/* Write the manifest of the form at hand (model/lock_form.h), and put the config into the place,
 * continuing the config `below` of the image that is the base (NULL: there is none); fills in
 * lock->config and lock->manifest. Digests that a built lock has already must come out again:
 * ERR_INTEGRITY. */
int image_make(struct image_part *out, struct lock *lock, struct place *place,
               const struct image_config *below, struct err *e) MUST_CHECK;
/* Write the index of an image's forms, in that order. */
void image_make_index(struct image_part *out, const struct lock *lock,
                      const struct image_parts *forms);
/* Put it where it is going to have `name`: all but that name. `inner`: it is one that an index
 * names, and the lock goes with the index. That a registry takes no lock is told as a warning. */
int image_put(struct place *place, const struct lock *lock, const struct image_name *name,
              const struct image_part *part, bool inner, const struct events *events,
              struct err *e) MUST_CHECK;
/* From now on it has `name`. A layout has none for what is `inner`. */
int image_tag(struct place *place, const struct image_name *name, const struct image_part *part,
              bool inner, struct err *e) MUST_CHECK;

/* What an index says of a form's layers: that they are zstd, which clients look for in the way of
 * skopeo and buildah. */
#define ANNOTATION_ZSTD "io.github.containers.compression.zstd"
