/* io/inflate.h - raw deflate in, and the contents of entries; the home of CRC-32, which is ISA-L's
 * where built with it, else zlib's. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "entry.h"
#include "source.h"

/* Inflate one raw deflate stream that must end after exactly `packed` bytes of `in` and give
 * exactly `size` bytes whose CRC-32 is `crc`: the promise a copied gzip member rests on. Anything
 * else is ERR_INTEGRITY naming `what`. The packed bytes also go to `copy` (may be NULL) as they are
 * read, so that one read serves both. */
struct inflater; /* opaque, reusable: keeps its buffers */
struct inflater *inflater_open(void);
void inflater_clear(struct inflater **i);
int inflate_exact(struct inflater *i, struct source *in, uint64_t packed, uint64_t size,
                  uint32_t crc, struct sink *to, struct sink *copy, const char *what,
                  struct err *e) MUST_CHECK;

/* The plain bytes of any content, checked (CRC, exact end) where it says how; to `to`. */
int content_copy(struct inflater *i, const struct content *c, struct sink *to, const char *what,
                 struct err *e) MUST_CHECK;
/* The same into memory; the content's size must be at most `limit`. */
int content_read(struct inflater *i, const struct content *c, struct buf *out, uint64_t limit,
                 const char *what, struct err *e) MUST_CHECK;
/* Its first `len` bytes, or all where it has fewer, appended to `out`. No more is read than that
 * takes, so nothing is checked: that is left to whoever reads all of it. */
int content_head(struct inflater *i, const struct content *c, struct buf *out, size_t len,
                 const char *what, struct err *e) MUST_CHECK;

/* CRC-32 as in gzip and zip; start with 0. */
uint32_t crc32_add(uint32_t crc, const void *bytes, size_t len);
