/* cmd/opt.h - options as a table; --help and the check of operands are made from it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/err.h"
#include "../base/vec.h"

struct opt {
    char letter;            /* 0: none */
    const char *name, *arg; /* arg NULL: a flag; else a name in capitals, or the words: "a|b" */
    const char *help;       /* of one with a value it ends with the default: "... (8)" */
    int (*set)(void *value, const char *arg, struct err *e);
    void *value;
};

int opt_flag(void *value, const char *arg, struct err *e); /* bool */
int opt_str(void *value, const char *arg, struct err *e);  /* const char *, borrowed from argv */
int opt_cell(void *value, const char *arg, struct err *e); /* the same, but once: --cell */
int opt_add(void *value, const char *arg, struct err *e);  /* struct strs, one more; borrowed */
int opt_u32(void *value, const char *arg, struct err *e);  /* uint32_t, at least 1 */
int opt_age(void *value, const char *arg, struct err *e);  /* int64_t, seconds: 12h, 30d, 4w */

/* Take all options (ended by an all-zero row) out of argv, wherever they stand; operands stay, in
 * order. "--" ends options. An unknown option names the nearest. */
int opt_parse(const struct opt *opts, int *argc, char **argv, struct err *e) MUST_CHECK;
void opt_help(const struct opt *opts, struct buf *out);
/* Append words that begin at column `indent`, broken before column 80 where they can be. */
void opt_wrap(struct buf *out, struct str text, size_t indent);
