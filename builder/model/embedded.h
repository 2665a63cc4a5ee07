/* model/embedded.h - the base layers and the catalog, built into the program, so that it needs no
 * files of its own at run time. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/str.h"

/* "debian-12.yaml", "pytorch.yaml", ...; false when there is none of that name. */
bool embedded_get(struct str *out, struct str name);
/* The names that end in `suffix`, one after the other; false at the end. Start with *at = 0. */
bool embedded_next(size_t *at, const char *suffix, struct str *name);
