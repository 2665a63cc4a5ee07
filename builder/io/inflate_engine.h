/* io/inflate_engine.h - one raw deflate decoder, from ISA-L (inflate_isal.c) or zlib
 * (inflate_zlib.c).
 *
 * Feed bytes, then step until less than the whole output buffer comes out; then feed the next.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/mem.h"

struct engine;
struct engine *engine_open(void);
void engine_free(struct engine *e);
void engine_reset(struct engine *e);
void engine_feed(struct engine *e, const void *bytes, size_t len); /* borrowed until used up */
/* Inflate into `out`; *n bytes came. False when the data is no deflate. */
bool engine_step(struct engine *e, void *out, size_t size, size_t *n);
bool engine_done(const struct engine *e);     /* the last block has ended */
size_t engine_unused(const struct engine *e); /* whole bytes fed that the stream did not take */
uint32_t engine_crc32(uint32_t crc, const void *bytes, size_t len);
