/* out/delta_make.h - OLD and NEW, both at hand, become a delta (out/delta.h).
 *
 * Layers that OLD has are named by it. Of the others each gzip member or zstd frame that OLD has
 * too is a range of OLD's blob; one that our own deflate makes again is told by its plain bytes;
 * the rest is in the file as it is. The same images give the same file with the same libzstd.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../oci/stored.h"

struct delta_making {
    const struct stored *old, *new; /* borrowed */
    const char *scratch; /* a folder; takes as much as the plain bytes of OLD's changed layers */
    const struct events *events;
};

struct delta_made {
    uint64_t size;    /* bytes of the file */
    uint64_t changed; /* bytes of NEW's layers that OLD lacks */
    size_t layers, layers_changed;
};

/* Written to the open file `fd`, from its begin; `name` is for messages. ERR_INPUT where an image
 * does not tell its layers' digests. */
int delta_make(struct delta_made *out, int fd, const char *name, const struct delta_making *how,
               struct err *e) MUST_CHECK;
