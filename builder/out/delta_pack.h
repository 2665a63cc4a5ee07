/* out/delta_pack.h - from a layer's plain bytes to its blob, as delta.h tells how: the same when a
 * delta is made, to see whether that gives the blob, and when it is applied. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../io/deflate.h"
#include "../io/sink.h"
#include "delta.h"

/* Append the gzip member that `kind` makes of the bytes. */
void delta_member(struct buf *out, enum delta_kind kind, struct deflater *d, struct str bytes);

/* A blob of one stream. */
struct delta_stream; /* opaque */
/* Of another form than DELTA_MEMBERS; `to` is not finished. */
int delta_stream_open(struct delta_stream **out, enum delta_form form, struct sink *to,
                      struct err *e) MUST_CHECK;
int delta_stream_add(struct delta_stream *s, struct str piece, struct err *e) MUST_CHECK;
int delta_stream_finish(struct delta_stream *s, struct err *e) MUST_CHECK;
void delta_stream_clear(struct delta_stream **s);
