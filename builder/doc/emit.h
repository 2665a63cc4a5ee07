/* doc/emit.h - the one way envbuild writes JSON: the order of the tree, escapes only where JSON
 * demands them, UTF-8. A byte that is no UTF-8 is written as the text "\xff", so that the result is
 * always valid. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "node.h"

enum emit_style {
    EMIT_COMPACT, /* no white space: what is hashed and stored (manifest, config) */
    EMIT_LINES, /* two-space indents, short maps and lists of scalars on one line, a newline at the
                   end: what people diff */
};

void emit_json(struct buf *out, const struct node *n, enum emit_style style);
/* Just the string, quoted and escaped. */
void emit_json_string(struct buf *out, struct str text);
