/* io/gunzip.h - gzip in (RFC 1952): any number of members, as `gzip -d` takes them. Each one's CRC
 * and size are checked; zeros behind the last are passed over. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "source.h"

/* What `packed` inflates to; takes it. What is damaged or cut off is ERR_INTEGRITY. */
struct source *gunzip(struct source *packed);
