/* assemble/layer/segments.h - a layer blob as a list of ranges, so that it need not be kept twice.
 *
 * A layer made from wheels is mostly ranges of those wheels. What is not (gzip framing, members
 * compressed anew) are its literals, kept as one blob. Ranges and literals in order give the
 * layer's bytes back without compressing or inflating anything.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/event.h"
#include "../../base/vec.h"
#include "../../io/entry.h"
#include "../../io/sink.h"

enum { SEGMENT_LITERAL = 0 }; /* source 0 are the literals, source i > 0 is input i - 1 */

struct segment {
    uint32_t source;
    uint64_t offset, len;
};

struct segments {
    struct VEC_OF(struct segment) list;
    struct VEC_OF(struct digest) inputs;
    uint64_t literal_size; /* bytes of literals so far */
};

/* Append a range; one that continues the last one is merged with it. */
void segments_literal(struct segments *s, uint64_t len);
void segments_range(struct segments *s, const struct digest *input, uint64_t offset, uint64_t len);
void segments_clear(struct segments *s);

/* Write the blob: `literals` and `inputs` (as many as s->inputs, same order) are open for reading.
 */
int segments_write(const struct segments *s, const struct input *literals,
                   const struct input *const *inputs, struct sink *to, const struct events *events,
                   struct err *e) MUST_CHECK;
