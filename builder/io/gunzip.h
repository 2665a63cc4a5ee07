/* io/gunzip.h - gzip in (RFC 1952): any number of members, as `gzip -d` takes them. Each one's CRC
 * and size are checked; zeros behind the last are passed over. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/vec.h"
#include "source.h"

/* What `packed` inflates to; takes it. What is damaged or cut off is ERR_INTEGRITY. */
struct source *gunzip(struct source *packed);

/* Where a member ends: bytes of the file, and of what it inflates to. */
struct gunzip_end {
    uint64_t packed, plain;
};
struct gunzip_ends VEC_OF(struct gunzip_end);
/* The same, and each member's end is added to `ends` (borrowed) before the next one's bytes come.
 * Of more than `max` the first max + 1 are. */
struct source *gunzip_watched(struct source *packed, struct gunzip_ends *ends, size_t max);
