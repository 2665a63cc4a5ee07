/* doc/toml_parts.h - what the files toml*.c share; nobody else includes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "toml.h"

struct toml {
    struct doc *doc;
    struct str rest;  /* what is not read yet */
    const char *text; /* where all of it begins */
    const char *at;   /* a byte that was asked for, */
    struct pos pos;   /* and its place */
    struct buf made;  /* scratch */
    struct err *e;
};

/* The place of a byte of the text; columns count characters. Cheap where bytes are asked for in
 * their order. */
struct pos toml_pos(struct toml *t, const char *at);
/* Tell what is wrong at a byte. */
int toml_fault(struct toml *t, const char *at, const char *fmt, ...) PRINTF(3, 4);
/* Of text that a comment or a string may not hold: a control character other than a tab. */
bool toml_is_control(char c);

/* Blanks and tabs; the end of a line. */
void toml_skip_blanks(struct str *s);
bool toml_line_end(struct str *s);

/* toml_scalar.c: the text of a string, whose quote is next. A key's is on one line. */
int toml_string(struct toml *t, bool key, struct str *out);
/* true, a number, a date or a time: up to what ends a value. Fills in kind, text and boolean. */
int toml_scalar(struct toml *t, struct node *n);
