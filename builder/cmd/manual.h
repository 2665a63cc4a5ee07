/* cmd/manual.h - manual pages in mdoc(7), made of the tables of commands and options and of the
 * prose in builder/man/NAME.SECTION.mdoc, which is everything of a page but its head and what the
 * tables tell.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "session.h"

void manual_program(struct buf *out); /* envbuild(1) */
/* envbuild-COMMAND(1); `opts` is ended by an all-zero row. */
void manual_command(struct buf *out, const struct command *c, const struct opt *opts);

/* The file formats, section 5. */
struct manual_format {
    const char *name, *about;
};
extern const struct manual_format manual_formats[]; /* ended by a NULL name */
void manual_format(struct buf *out, const struct manual_format *format);
