/* doc/json.h - JSON text (RFC 8259) to a doc. The root is a list or a map; a key that stands twice
 * in a map is refused, and a NUL in a key; numbers keep their text. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "node.h"

/* At most `limit` bytes. `file` is the name for messages. */
int json_parse(struct doc *out, struct str text, uint64_t limit, const char *file,
               struct err *e) MUST_CHECK;
int json_read(struct doc *out, const char *path, uint64_t limit, struct err *e) MUST_CHECK;
