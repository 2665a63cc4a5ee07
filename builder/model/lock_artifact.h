/* model/lock_artifact.h - the lock that travels with an image: an OCI artifact that refers to it.
 *
 * It is an image manifest (OCI image-spec 1.1, manifest.md, "Guidelines for Artifact Usage") with
 * the empty config, the lock's text as its one layer and the image as its subject. Annotations: the
 * lock's date and digest, and which manifest the image's tag named before. The same lock, published
 * over the same image, gives the same bytes.
 *
 * Three tags belong together: "TAG" moves; "TAG-0123456789ab", with the first twelve hex digits of
 * the lock's digest, names the same image for ever; "TAG-0123456789ab.lock" is the artifact's, for
 * clean-up jobs sweep what has no tag. Where another image has that tag already, as another
 * compressor's may, twelve digits of the manifest's digest follow: "TAG-0123456789ab.ba9876543210".
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../oci/place.h"
#include "lock.h"

#define MEDIA_LOCK "application/vnd.envbuild.lock.v1+json"
#define LOCK_TAG_END ".lock"

/* What its annotations say. */
struct lock_artifact {
    struct digest lock;   /* the lock's own */
    struct digest before; /* of the manifest that the tag named before; all-zero: none */
};

/* Append the tag that never moves of an image; `image` (NULL: it is not needed) is its manifest's
 * digest. With LOCK_TAG_END behind it, it is the artifact's. What would be too long is cut. */
void lock_artifact_tag(struct buf *out, struct str tag, const struct digest *lock,
                       const struct digest *image);
/* What image and artifact are called that never moves, where the image goes by `name`. Texts live
 * as long as `a`. */
struct lock_names {
    struct image_name image, artifact;
    bool there; /* the image has it already; of a registry */
};
int lock_artifact_names(struct lock_names *out, struct place *place, const struct image_name *name,
                        const struct digest *lock, const struct digest *image, struct arena *a,
                        struct err *e) MUST_CHECK;
/* The tag that an artifact's is made from; false: `tag` is no artifact's. */
bool lock_artifact_of(struct str *out, struct str tag);
/* `text` is the lock's, `image` what points at the image's manifest; says->lock is filled in. */
void lock_artifact_write(struct buf *out, const struct lock *lock, struct str text,
                         const struct descriptor *image, struct lock_artifact *says);
/* False: `m` is the manifest of something else. */
bool lock_artifact_read(struct lock_artifact *out, const struct image_manifest *m);
