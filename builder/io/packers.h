/* io/packers.h - a stream cut into pieces, which several threads compress while more comes in; the
 * packed pieces come out in order.
 *
 * Who writes says where a piece ends, so the bytes never hang on the number of threads. Where no
 * thread can be started, and while all are busy, the writer compresses too.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/buf.h"
#include "sink.h"

/* What is done to a piece. Each thread has a tool of its own. */
struct packing {
    void *(*open)(void);
    int (*pack)(void *tool, struct buf *out, struct str piece, struct err *e); /* appends */
    void (*free)(void *tool);
};

struct packers;
/* `to` is written to by the caller of these functions alone, and is not finished. */
struct packers *packers_open(const struct packing *how, unsigned threads, struct sink *to);
/* Bytes of the piece that is being gathered. */
void packers_add(struct packers *p, const void *bytes, size_t len);
/* Bytes that it has so far. */
size_t packers_gathered(const struct packers *p);
/* The piece ends here. One without bytes is none. */
int packers_cut(struct packers *p, struct err *e) MUST_CHECK;
/* How many pieces have ended. */
size_t packers_count(const struct packers *p);
/* All that was cut is packed and written. */
int packers_finish(struct packers *p, struct err *e) MUST_CHECK;
/* After that: where in all that was written piece `i` ends. */
uint64_t packers_end(const struct packers *p, size_t i);
void packers_clear(struct packers **p); /* drops what was not written */
