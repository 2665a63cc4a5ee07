/* oci/blob_temp.h - a blob on its way into a folder: a temporary file there, b->state of a place.
 *
 * The place publishes it: fs_temp_publish(b->state, ...).
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "place.h"

int blob_temp_open(struct place_blob *b, const char *dir, struct err *e) MUST_CHECK;
/* As struct place_ops has them. */
int blob_temp_write(struct place_blob *b, const void *bytes, size_t len, struct err *e) MUST_CHECK;
void blob_temp_clear(struct place_blob *b);
