/* out/delta_apply.h - a delta (out/delta.h) and OLD become NEW in a place.
 *
 * Where OLD's blobs are, NEW's are made: manifest, config, layers and locks with the digests that
 * they have elsewhere. An engine that keeps layers unpacked saves tars: then tars are made, which
 * engines alone take, and the image has NEW's config. Each blob is held against its digest by the
 * place before it appears there.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../oci/place.h"
#include "../oci/stored.h"
#include "delta.h"

struct delta_applying {
    const struct delta *delta;   /* all is borrowed */
    const struct stored *from;   /* OLD */
    bool engine;                 /* the place takes tars */
    const struct digests *known; /* diff_ids that the engine has, bottom first: layers from the
                                    bottom up that are the same are not told to it */
    const struct image_name *name;
    unsigned jobs;       /* layers at once, where the place takes several */
    const char *scratch; /* a folder */
    const struct events *events;
};

struct delta_applied {
    struct digest digest; /* of the manifest that the place got */
    size_t layers, made;  /* layers of NEW, and how many of them were made of OLD and the delta */
    uint64_t read;        /* bytes that were read of OLD's layers */
};

/* Is it the image that the delta needs? ERR_INPUT says which one that is. */
int delta_check_old(const struct delta *d, const struct stored *from, struct err *e) MUST_CHECK;
/* NEW under its name; the place is not closed. */
int delta_apply(struct delta_applied *out, struct place *to, const struct delta_applying *how,
                struct err *e) MUST_CHECK;
