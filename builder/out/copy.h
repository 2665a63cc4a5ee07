/* out/copy.h - an image from where it is stored into another place, byte for byte: its manifest
 * keeps its digest. What the place has is not read.
 *
 * An archive of older `docker save` has no manifest; it gets one that names its plain layers. One
 * of `docker export` is no image, and ERR_INPUT.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../oci/place.h"
#include "../oci/stored.h"

struct copying {
    const struct stored *from;
    bool all; /* all that the index names which `from` was asked for by; into a registry also what
                 refers to it, where that can be found out; into a layout of that the lock */
    const struct image_name *name; /* of the first; copy_image() fills it in */
    unsigned jobs;                 /* blobs at once, where the place takes several */
    const struct events *events;
};

/* The image under its names, at least one; the place is not closed. *digest is the manifest's, or
 * with `all` the index's. */
int copy_image(struct place *to, const struct copying *how, const struct image_name *names,
               size_t names_n, struct digest *digest, struct err *e) MUST_CHECK;
