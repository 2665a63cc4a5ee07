/* pkg/pypi/metadata.h - a wheel's METADATA (PyPA core-metadata): what the resolver needs of it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "pep508.h"

struct metadata {
    struct arena arena;
    struct str name, version, requires_python;
    struct VEC_OF(struct requirement) requires;
    struct strs extras; /* Provides-Extra, normalised */
    bool fixed;         /* of an sdist: what it needs will be its wheel's as well (PEP 643) */
};

/* `what` names the wheel in errors. A requirement that does not parse is ERR_INPUT naming it. */
int metadata_parse(struct metadata *out, struct str text, const char *what,
                   struct err *e) MUST_CHECK;
void metadata_clear(struct metadata *m);
