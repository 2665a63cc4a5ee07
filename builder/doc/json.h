/* doc/json.h - JSON text to a doc (jansson; duplicate keys refused, depth 64), and back. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "node.h"

/* At most `limit` bytes. `file` is the name for messages. */
int json_parse(struct doc *out, struct str text, uint64_t limit, const char *file,
               struct err *e) MUST_CHECK;
int json_read(struct doc *out, const char *path, uint64_t limit, struct err *e) MUST_CHECK;
