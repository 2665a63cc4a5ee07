/* oci/rfc3339.h - points in time as OCI documents write them, without clock, zone or locale. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/buf.h"

/* "2025-01-29T17:03:05Z"; seconds since 1970, years 0 to 9999. */
void rfc3339_print(struct buf *out, int64_t seconds);
/* Any offset, fractions dropped; false on anything else. */
bool rfc3339_parse(struct str text, int64_t *seconds);
