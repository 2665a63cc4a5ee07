/* serve/range.h - which bytes of a thing are asked for. RFC 9110, 14.1.2 and 14.2. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/str.h"

enum range {
    RANGE_ALL,  /* none is asked for; or several, or what is no range of bytes: both are ignored */
    RANGE_PART, /* one that lies in it */
    RANGE_OUTSIDE, /* one that begins behind its end */
};

/* `header` is the value of "Range", `size` the bytes that there are. *from and *len lie inside, and
 * are set but for RANGE_OUTSIDE. */
enum range range_parse(struct str header, uint64_t size, uint64_t *from, uint64_t *len);
