/* assemble/layer/layer_form_parts.h - what the files layer_form*.c share; nobody else includes it.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../io/packers.h"
#include "layer_form.h"

/* Add bytes, and cut as soon as a piece has `max`. */
int form_add(struct packers *p, const void *bytes, size_t len, size_t max,
             struct err *e) MUST_CHECK;
/* layer_form_chunked.c */
int form_chunked_open(struct layer_form **out, struct sink *to, unsigned threads,
                      struct err *e) MUST_CHECK;
