/* pkg/pypi/simple.h - one project page of a simple index: PEP 691 JSON or PEP 503 HTML (PyPA
 * simple-repository-api 1.x). HTML is read by libxml2's HTML parser; this is its home. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/arena.h"
#include "../../base/digest.h"
#include "../../base/err.h"
#include "../../base/vec.h"

struct simple_file {
    struct str name;            /* file name */
    struct str url;             /* absolute */
    struct str requires_python; /* may be empty */
    struct str yanked_reason;
    struct str uploaded;  /* RFC 3339; empty when the index does not say */
    struct digest digest; /* sha256; all-zero when the index gives none */
    struct digest
        metadata_digest;       /* of the .metadata file; all-zero when not announced with a hash */
    uint64_t size;             /* 0 when the index does not say */
    bool yanked, has_metadata; /* has_metadata: announced (PEP 658/714) */
    bool refused;              /* the user listed hashes, and not this one; never set by a page */
};

struct simple_page {
    struct arena arena;
    struct VEC_OF(struct simple_file) files; /* in the order of the page */
};

/* `content_type` decides the form, `url` is the page's own (after redirects) for relative links.
 * ERR_INPUT when it is remote and links to a file:// address. */
int simple_parse(struct simple_page *out, struct str body, struct str content_type, struct str url,
                 struct err *e) MUST_CHECK;
void simple_clear(struct simple_page *page);
