/* pkg/pypi/pep508.h - requirements (PyPA dependency-specifiers, PEP 508). */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "marker.h"
#include "pep440.h"

struct requirement {
    struct str name; /* normalised (PEP 503) */
    struct str name_written;
    struct strs extras; /* normalised, sorted, unique */
    struct specifiers specifiers;
    struct str url;              /* "name @ url" form; else empty */
    const struct marker *marker; /* NULL: always */
    struct str text;             /* the whole requirement as written, trimmed */
};

/* Lower-case, runs of "-_." become one "-". */
void pep503_normalise(struct buf *out, struct str name);
struct str pep503_name(struct arena *a, struct str name);

/* Parse one requirement; everything lives in `a` but the vectors, freed by requirement_clear.
 * The error says what is wrong and at which byte. */
int requirement_parse(struct requirement *out, struct arena *a, struct str text,
                      struct err *e) MUST_CHECK;
void requirement_clear(struct requirement *r);
/* The name as written, the rest in a normal form; it parses back to the same. */
void requirement_print(struct buf *out, const struct requirement *r, bool with_marker);
