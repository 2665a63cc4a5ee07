/* net/challenge.h - what a 401 asks for: the value of WWW-Authenticate (RFC 9110, 11.6.1; Bearer of
 * RFC 6750 and the registries' "Token authentication").
 *
 * Several challenges may stand in one value, and commas in quoted texts. Schemes and the names of
 * parameters are lower case here; of a name that stands twice the first counts.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/arena.h"
#include "../base/buf.h"
#include "../base/vec.h"

struct challenge_value {
    struct str name, text;
};

struct challenge {
    struct str scheme; /* "bearer" */
    struct str token;  /* what stands there in place of parameters (token68); or empty */
    struct VEC_OF(struct challenge_value) values;
};

struct challenges {
    struct arena arena;
    struct VEC_OF(struct challenge) list;
};

/* False for what is not of that form. */
bool challenges_parse(struct challenges *out, struct str text);
void challenges_clear(struct challenges *c);
/* The first of a scheme, or NULL. */
const struct challenge *challenges_find(const struct challenges *c, const char *scheme);
/* The value of a parameter; empty when absent. */
struct str challenge_get(const struct challenge *c, const char *name);
/* As a header would have it. */
void challenges_print(struct buf *out, const struct challenges *c);
