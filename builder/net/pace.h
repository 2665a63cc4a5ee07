/* net/pace.h - one server that wants fewer requests (HTTP 429), and all who ask it.
 *
 * A refusal makes all of them wait, not only who was refused: as long as Retry-After says, else
 * twice as long for each refusal in a row. Then each waits a bit longer, by chance, so that they do
 * not come back together. For many threads at once.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "http.h"

struct pace; /* opaque; pace_open to pace_clear */

struct pace *pace_open(void);
void pace_clear(struct pace **p);
/* Before a request: wait until the server will have it. ERR_INTERRUPTED. */
int pace_wait(struct pace *p, const struct events *events, struct err *e) MUST_CHECK;
/* After its answer: was it refused? `begun_ms` is when it was begun, of the clock of now_ms(): what
 * was on its way at a refusal is none of a later one. */
void pace_answered(struct pace *p, const struct http_options *o, bool refused, int64_t begun_ms,
                   uint32_t retry_after_s);
