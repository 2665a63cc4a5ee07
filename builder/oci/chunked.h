/* oci/chunked.h - zstd:chunked: a layer of zstd frames, one or more for each file, with a table of
 * contents behind them, so that a client fetches only the files that it lacks.
 *
 * As containers/storage reads it (pkg/chunked, version 1 of the table): behind the tar's frames
 * stand three frames that readers of zstd pass over. The first holds the table (JSON, a zstd frame
 * of its own), the second tar-split's record of the tar without the files' bytes (lines of JSON, a
 * zstd frame too), the last a footer of 64 bytes that says where both are. Annotations of the
 * layer's descriptor say the same, and vouch for the table by its digest.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "descriptor.h"

struct chunked {
    struct digest toc;               /* of its compressed bytes; all-zero: the layer has none */
    uint64_t offset, size, unpacked; /* of its compressed bytes in the blob */
    uint64_t split_offset, split_size, split_unpacked; /* the same of tar-split's record */
};

/* Append the footer's 64 bytes. */
void chunked_footer(struct buf *out, const struct chunked *c);
/* Add the annotations; their texts are the arena's. Without a table there are none. */
void chunked_annotate(struct pairs *to, const struct chunked *c, struct arena *a);
