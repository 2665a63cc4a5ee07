/* oci/layer_read.h - a layer of a stored image as the bytes of its tar, checked as they pass: gzip,
 * zstd or plain, told by the bytes.
 *
 * Digests are known only at the end: until layer_read_end() has said that all is well, what was
 * read may be anything.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/event.h"
#include "../io/source.h"
#include "stored.h"

struct layer_read; /* opaque */

/* Layer `i`, bottom first. With `diff_id` the plain bytes are held against the config as well,
 * which costs as much again as reading does; else only where the place keeps no digest of the blob.
 * ERR_INTERRUPTED where `events` say so while it is read. */
int layer_read_open(struct layer_read **out, const struct stored *image, size_t i, bool diff_id,
                    const struct events *events, struct err *e) MUST_CHECK;
struct source *layer_read_source(struct layer_read *l);
const char *layer_read_name(const struct layer_read *l); /* "layer sha256:…", for messages */
/* After the last byte, or after `fault` (else NULL): reads what is left. Damage shows as all kinds
 * of faults on the way, so a digest that is wrong is what is told (ERR_INTEGRITY), else the fault.
 */
int layer_read_end(struct layer_read *l, struct err *fault, struct err *e) MUST_CHECK;
void layer_read_clear(struct layer_read **l);
