/* cmd/help.h - what --help prints, made of the tables of commands and options. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "session.h"

/* Exit codes that mean the same in every command. */
struct exit_code {
    const char *code, *means;
};
extern const struct exit_code exit_codes[]; /* ended by a NULL code */

void help_program(struct buf *out);
/* `opts` is ended by an all-zero row. */
void help_command(struct buf *out, const struct command *c, const struct opt *opts);
