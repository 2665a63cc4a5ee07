/* oci/layer_read.h - a layer of a stored image, entry by entry, its bytes checked as they pass:
 * gzip, zstd or plain, told by the bytes.
 *
 * Digests are known only at the end: until layer_read() has returned, what `each` was shown may be
 * anything.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../io/crypto.h"
#include "../io/tar_read.h"
#include "stored.h"

/* Layer `i`, bottom first, from its first byte to its last. With `diff_id` the plain bytes are held
 * against the config as well, which costs as much again as reading does; else only where the place
 * keeps no digest of the blob. Damage shows as all kinds of faults on the way, of `each` too, so a
 * digest that is wrong is what is told (ERR_INTEGRITY), else the fault. `seen` (may be NULL)
 * becomes the blob's digest as it was hashed, all-zero where the place keeps none. */
int layer_read(const struct stored *image, size_t i, bool diff_id, tar_each each, void *ctx,
               struct seen *seen, struct err *e) MUST_CHECK;
/* A layer from wherever its bytes come; takes `packed`. They are held against its diff_id, and
 * damage is told as above. */
int layer_read_bytes(struct source *packed, const struct digest *diff_id, tar_each each, void *ctx,
                     struct err *e) MUST_CHECK;
