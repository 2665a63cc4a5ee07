/* pkg/deb/control.h - deb822 paragraphs and relations: deb822(5), deb-control(5), Policy 7. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/arena.h"
#include "../../base/err.h"
#include "../../base/vec.h"
#include "debver.h"

struct control_field {
    struct str name;  /* as written */
    struct str value; /* after "Name:" and its blanks; continuation lines with their newline
                         and leading blank kept, no white space at the end */
};
struct control {
    struct VEC_OF(struct control_field) fields; /* in file order; views into the text */
};

/* Take the next paragraph from *text; *more = false at the end. A line that is neither field,
 * continuation nor comment, or a field twice, is ERR_INPUT naming `what`. Reuses out's memory. */
int control_next(struct control *out, struct str *text, bool *more, const char *what,
                 struct err *e) MUST_CHECK;
void control_clear(struct control *c);
struct str control_get(const struct control *c,
                       const char *name); /* case-insensitive; empty when absent */

struct relation {
    struct str name;
    struct str arch; /* the part after ":", e.g. "any"; empty when none */
    enum debver_op op;
    struct str version;
};
/* One group of alternatives: a | b. */
struct relation_group {
    const struct relation *v;
    size_t n;
};
struct relations VEC_OF(struct relation_group);

/* Parse a relation field. Architecture lists "[amd64]" and build profiles are honoured for `arch`.
 * Everything lives in `a` but the vector. */
int relations_parse(struct relations *out, struct arena *a, struct str text, struct str arch,
                    struct err *e) MUST_CHECK;
void relations_clear(struct relations *r);
