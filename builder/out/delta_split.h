/* out/delta_split.h - a layer's blob in the pieces that can be told apart: gzip members (RFC 1952),
 * zstd frames (RFC 8878, "Frames"), or all of it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../io/spool.h"
#include "../oci/stored.h"
#include "delta_part.h"

/* Of all layers that a delta is made of: what is known of each part is in memory, and a part may be
 * eight bytes that hold nothing. */
enum { DELTA_PARTS_MAX = 1024 * 1024 };

enum delta_packing { PACKED_GZIP, PACKED_ZSTD, PACKED_NOT, PACKED_OTHER };

struct delta_split {
    const struct stored *image; /* borrowed */
    size_t layer;               /* of the image */
    enum delta_packing packing;
    uint64_t plain;           /* bytes of the tar */
    struct content kept;      /* a registry's: the blob, fetched once; else without input */
    struct delta_parts parts; /* at least one; together they are the blob */
};

/* Read all of layer `i`. A blob or tar of another digest than the image says is ERR_INTEGRITY, one
 * of more than `max` parts ERR_INPUT. `spool` takes what can be had only once; it stays as long as
 * the split. */
int delta_split(struct delta_split *out, const struct stored *image, size_t i, size_t max,
                struct spool *spool, struct err *e) MUST_CHECK;
void delta_split_clear(struct delta_split *s);

/* The blob once more, from `at` on; and its tar. */
int delta_split_packed(struct source **out, const struct delta_split *s, uint64_t at,
                       struct err *e) MUST_CHECK;
int delta_split_plain(struct source **out, const struct delta_split *s, struct err *e) MUST_CHECK;
