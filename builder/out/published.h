/* out/published.h - what was published under the tags of a registry's repository or of a layout:
 * images, the locks that travel with them (model/lock_artifact.h), and what was before what.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../model/lock.h"
#include "../oci/stored.h"
#include "dest.h"

/* The lock of an image, and its text. ERR_INPUT: the image has none with it; ERR_INTEGRITY: it is
 * not this image's. */
int published_lock(struct lock *out, struct buf *text, const struct stored *image,
                   struct err *e) MUST_CHECK;

struct published_tag {
    struct str tag;
    struct digest image; /* manifest, or index */
};

struct published {
    struct str of;  /* tag that it was published under */
    struct str tag; /* that never moves: "2.6.0-0123456789ab"; a layout has it for the lock alone */
    struct digest image;
    struct digest before; /* image that `of` named before; all-zero: none, or nobody knows */
    bool now;             /* `of` names it */
    struct lock lock;
    size_t rank; /* of its tag's, from the newest: what the tag names, what was before, the rest */
};

struct published_list {
    struct arena arena;
    struct VEC_OF(struct published_tag) tags; /* sorted; without those that never move */
    struct VEC_OF(struct published) versions; /* by `of`, then rank */
};

/* Of the layout or repository that `d` means; ERR_USAGE for other places. A lock that is damaged or
 * of an envbuild to come is left out, with a warning. */
int published_read(struct published_list *out, const struct dest *d,
                   const struct stored_scratch *how, struct err *e) MUST_CHECK;
void published_clear(struct published_list *list);
/* The version of a tag that has this image, or NULL. */
const struct published *published_find(const struct published_list *list, struct str of,
                                       const struct digest *image);
/* Was anything published under that tag, as far as is known? */
bool published_has(const struct published_list *list, struct str of);
/* What `tag` names, or NULL. */
const struct published_tag *published_tag(const struct published_list *list, struct str tag);

/* The manifest or index of an image there. */
int published_manifest(struct buf *out, const struct dest *d, const struct digest *image,
                       const struct stored_scratch *how, struct err *e) MUST_CHECK;
