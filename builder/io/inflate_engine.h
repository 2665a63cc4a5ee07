/* io/inflate_engine.h - one raw deflate decoder (RFC 1951), as strict as the strictest.
 *
 * Streams that were inflated here are copied into layers, where zlib, Go and others read them: what
 * one of them refuses is refused here. So a code must be complete, or be one code of one bit, or,
 * for distances, be empty; a block must have a code for its end; nothing may be repeated before the
 * first length, nor beyond the last; a match must not reach back before the stream's begin.
 *
 * Feed bytes, then step until nothing comes out; then feed the next.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/str.h"

struct engine;
struct engine *engine_open(void);
void engine_free(struct engine *e);
void engine_reset(struct engine *e);
void engine_feed(struct engine *e, const void *bytes, size_t len); /* borrowed until used up */
/* At most `most` further bytes, borrowed until the next step. False when the data is no deflate. */
bool engine_step(struct engine *e, size_t most, struct str *out);
bool engine_done(const struct engine *e);     /* the last block has ended, and all of it came out */
size_t engine_unused(const struct engine *e); /* whole bytes fed that the stream did not take */
