/* doc/toml.h - TOML 1.0.0 text to a doc. The root is a map.
 *
 * Numbers become what JSON would write: 0xff is "255", 1_000.5 is "1000.5"; an integer fits in 64
 * bits with a sign. Dates and times keep their text and are strings that are not `quoted`; so are
 * inf and nan, which JSON does not have. Text may hold a NUL, and so may a key. At most 64 lists
 * and maps stand in one another, in at most 16 MiB of text with a million values.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "node.h"

enum { TOML_MAX = 16 << 20 };

/* `file` is the name for messages. */
int toml_parse(struct doc *out, struct str text, const char *file, struct err *e) MUST_CHECK;
int toml_read(struct doc *out, const char *path, struct err *e) MUST_CHECK;
