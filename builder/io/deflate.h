/* io/deflate.h - deflate out: encoders whose bytes are specified here and pinned by golden digests,
 * so that they depend on no library, machine or number of cores (RFC 1951).
 *
 * "fixed/1": one block of fixed Huffman codes with greedy matches, for tar headers between copied
 * members. "deflate/1": dynamic blocks with lazy matches, for what must be compressed anew.
 * A change of either's output is a new number and a new function; the old one stays.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/buf.h"

#define DEFLATE_ENCODER "deflate/1"

enum { DEFLATE_INPUT_MAX = 16 * 1024 * 1024 }; /* bytes a call takes at most */

/* Append one complete raw deflate stream (last block marked) for `bytes` to `out`. */
void deflate_fixed1(struct buf *out, const void *bytes, size_t len);

struct deflater; /* opaque, reusable: keeps its tables */
struct deflater *deflater_open(void);
void deflater_clear(struct deflater **d);
/* len at most DEFLATE_INPUT_MAX. The bytes depend on the input alone, never on earlier calls. */
void deflate_1(struct deflater *d, struct buf *out, const void *bytes, size_t len);
/* The same as a part of a longer stream: no block is the last, and the part ends at a whole byte
 * (with an empty stored block). Parts may follow one another; deflate_1_end ends the stream. */
void deflate_1_part(struct deflater *d, struct buf *out, const void *bytes, size_t len);
extern const unsigned char deflate_1_end[2];
