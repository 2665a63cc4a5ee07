/* cmd/completion.h - completions for shells, made of the tables of commands and options.
 *
 * Each shell has a head of its own in builder/man/, which knows how to offer words, files and
 * folders; the tables become cases that call it. So what stands for FILE or IMAGE is told once,
 * here.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "session.h"

enum completion_shell { COMPLETION_BASH, COMPLETION_ZSH, COMPLETION_FISH };

struct completion {
    struct buf takes;    /* cases for bash and zsh: options that take a value, "build/-o" */
    struct buf values;   /* the same: what such a value may be */
    struct buf operands; /* the same: what an operand may be, "check/1" */
    struct buf plain;    /* cases for bash: a command's options */
    struct buf told;     /* the same for zsh, with what they mean */
    struct buf fish;     /* lines for fish */
};

/* One command more; `opts` is ended by an all-zero row. */
void completion_add(struct completion *c, const struct command *command, const struct opt *opts);
void completion_print(struct buf *out, const struct completion *c, enum completion_shell shell);
void completion_clear(struct completion *c);
/* Where a shell finds it, below /usr/share and its like. */
const char *completion_path(enum completion_shell shell);
