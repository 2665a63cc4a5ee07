/* out/delta_frames.h - where the frames of zstd begin and end that a blob is made of, told by their
 * headers alone. RFC 8878, "Frames", "Skippable Frames" and "Blocks". */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "delta_part.h"

/* Do these four bytes begin a frame? */
bool delta_frames_begin(const unsigned char head[4]);
/* `from` gives the `blob` bytes of a blob that holds `plain` bytes. No part is found where they are
 * not frames to the last byte that say how much they hold, and hold that together. Of more than
 * `max` the first max + 1 are. */
int delta_frames_find(struct delta_parts *out, struct source *from, uint64_t blob, uint64_t plain,
                      size_t max, struct err *e) MUST_CHECK;
