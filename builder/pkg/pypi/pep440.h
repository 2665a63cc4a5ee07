/* pkg/pypi/pep440.h - Python versions and specifiers (PyPA version-specifiers, PEP 440).
 *
 * Values point into the text they were parsed from. What is no version here but in theory one: a
 * number beyond 64 bits, a release or local part of more than 16 numbers.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/arena.h"
#include "../../base/err.h"
#include "../../base/vec.h"

enum { PEP440_RELEASE_MAX = 16, PEP440_LOCAL_MAX = 16 };

struct pep440 {
    uint64_t epoch;
    uint64_t release[PEP440_RELEASE_MAX];
    unsigned release_n;
    char pre; /* 'a', 'b', 'r' (rc) or 0 */
    uint64_t pre_n;
    bool has_post, has_dev;
    uint64_t post_n, dev_n;
    struct str local[PEP440_LOCAL_MAX]; /* as written; compared lower-case */
    unsigned local_n;
    struct str text; /* as written, trimmed */
};

/* False when the text is no version of PEP 440. Nothing is allocated. */
bool pep440_parse(struct pep440 *out, struct str text);
int pep440_cmp(const struct pep440 *a, const struct pep440 *b);
bool pep440_is_pre(const struct pep440 *v); /* a pre- or dev-release */
/* The normal form, e.g. "1.0rc1+cu124". */
void pep440_print(struct buf *out, const struct pep440 *v);

enum pep440_op { OP_EQ, OP_NE, OP_LE, OP_LT, OP_GE, OP_GT, OP_COMPATIBLE, OP_ARBITRARY };

struct specifier {
    enum pep440_op op;
    bool prefix; /* ".*" with == and != */
    struct pep440 version;
    struct str text; /* the version as written, for === */
};
struct specifiers VEC_OF(struct specifier);

/* A comma-separated set, maybe empty. False and *bad = the part at fault when one is malformed. */
bool specifiers_parse(struct specifiers *out, struct str text, struct str *bad);
void specifiers_clear(struct specifiers *s);
void specifiers_print(struct buf *out,
                      const struct specifiers *s); /* ">=1,<2", versions as written */
bool specifier_matches(const struct specifier *s, const struct pep440 *v);
/* Whether `v` satisfies all; pre-releases are judged by the caller. */
bool specifiers_match(const struct specifiers *s, const struct pep440 *v);
/* Whether any specifier of the set names a pre-release, which admits them. */
bool specifiers_want_pre(const struct specifiers *s);
