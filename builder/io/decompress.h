/* io/decompress.h - gzip, xz, zstd and bzip2 undone, by what the bytes begin with.
 *
 * Once: what was gzip in gzip is gzip afterwards, as all who read layers have it. Anything else
 * comes out as it is.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "source.h"

/* Takes `packed`. More than the source's limit, which the caller sets, is ERR_INPUT, and so is more
 * than SOURCE_RATIO times what went in. Damage is ERR_INTEGRITY in gzip, which has a CRC, else
 * ERR_INPUT. */
struct source *decompress(struct source *packed);
