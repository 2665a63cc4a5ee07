/* cmd/output.h - the one way in which text leaves the program, but for the display of progress.
 *
 * Names come from strangers: what a terminal obeys is escaped here, so that no caller has to
 * (base/utf8.h says what that is). Results go to standard output, all else to standard error.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../doc/node.h"

/* To standard output; line ends and tabs stay. */
void output_print(const char *fmt, ...) PRINTF(1, 2);
void output_text(struct str text);
/* A document of --json: valid UTF-8 and valid JSON whatever is in it. */
void output_json(const struct node *root);

/* One line to standard error, to which the line end is added. */
void output_message(const char *fmt, ...) PRINTF(1, 2);
