/* plan/pypi/wheel_peek.h - METADATA of wheels on a server, by a few ranges each, many at once.
 *
 * First the wheel's last bytes, which hold the end record and for most wheels all that is needed;
 * then, where they do not, exactly the central directory and exactly the member.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../net/http.h"

struct wheel_peek {
    struct str url;      /* borrowed */
    struct buf metadata; /* the text, whole, its CRC checked */
    uint64_t size;       /* of the wheel; 0 when the server did not tell */
    bool no_ranges;      /* the server sends all or nothing; err is set */
    struct err err;      /* set when there is no text: ERR_NET, or ERR_INPUT for a bad wheel */
};
void wheel_peek_clear(struct wheel_peek *w);

/* -1 only when interrupted; each wheel has its own error. */
int wheel_peek(struct http *http, struct wheel_peek *const *wheels, size_t n, unsigned parallel,
               struct err *e) MUST_CHECK;
