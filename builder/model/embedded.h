/* model/embedded.h - files that are built into the program, so that it needs none of its own at run
 * time: base layers, the catalog, the manual, what images and those who fetch them are given. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/buf.h"

/* "debian-12.yaml", "pytorch.yaml", ...; false when there is none of that name. */
bool embedded_get(struct str *out, struct str name);
/* The names that end in `suffix`, one after the other; false at the end. Start with *at = 0. */
bool embedded_next(size_t *at, const char *suffix, struct str *name);

/* Append what a key stands for; false: it is none. */
typedef bool (*embedded_value)(struct buf *out, const void *ctx, struct str key);
/* Append a file with the value of each "{{key}}" in its place, or the file of that name as it is,
 * which others have, too. What is neither stays, for it is an engine's. */
void embedded_fill(struct buf *out, const char *name, embedded_value value, const void *ctx);
