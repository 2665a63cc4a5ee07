/* base/err.h - one error type: filled in where the fault is seen, wrapped on the way up,
 * printed only by main.
 *
 * Every err_ function returns -1, so that `return err_set(e, ...)` reads well. Setting an
 * error that is already set appends to its chain: a check that goes on after a fault
 * reports all of them. A message is one line, lower case, no full stop, with the user's own
 * words in double quotes; it says where, what, why, and what would work.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "buf.h"

/* The values are the program's exit codes. */
enum err_kind {
    ERR_NONE = 0,
    ERR_NO = 1,        /* checked, and the answer is no */
    ERR_USAGE = 2,     /* command line */
    ERR_INPUT = 3,     /* recipe, lock or artifact */
    ERR_UNSAT = 4,     /* nothing satisfies the recipe */
    ERR_NET = 5,       /* network or registry */
    ERR_INTEGRITY = 6, /* digest or signature */
    ERR_SYSTEM = 7,    /* this machine: disk, rights */
    ERR_INTERRUPTED = 130,
};

/* A place in a document; line and col count from 1, 0 when not known. */
struct pos {
    const char *file; /* borrowed from the document; NULL when there is none */
    unsigned line, col;
};

struct err {
    enum err_kind kind;
    char *file, *msg; /* owned; file is NULL when no document is at fault */
    unsigned line, col;
    struct err *next; /* further faults of the same check, in order; owned */
};

int err_set(struct err *e, enum err_kind kind, const char *fmt, ...) PRINTF(3, 4);
/* The kind is ERR_INPUT. */
int err_at(struct err *e, const struct pos *pos, const char *fmt, ...) PRINTF(3, 4);
int err_at_kind(struct err *e, enum err_kind kind, const struct pos *pos, const char *fmt, ...)
    PRINTF(4, 5);
/* ERR_SYSTEM with errno's text behind the message: "cannot write x: No space left on device". */
int err_errno(struct err *e, const char *fmt, ...) PRINTF(2, 3);
/* Put a step before the message of the last fault: "fetch torch: HTTP 503". */
int err_wrap(struct err *e, const char *fmt, ...) PRINTF(2, 3);
/* Append all faults of `from` to `e`; `from` becomes empty. */
int err_join(struct err *e, struct err *from);

/* Put the faults of each file in the order of their places; those without a place stay last. */
void err_sort(struct err *e);

bool err_is_set(const struct err *e);
void err_clear(struct err *e);
/* "file:line:col: message" for one fault of the chain, without the rest and without newline. */
void err_format(const struct err *e, struct buf *out);
