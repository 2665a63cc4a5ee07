/* net/answer.h - what the head of an HTTP answer says (RFC 9110). */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/str.h"

struct answer {
    char *location, *content_type, *etag, *last_modified; /* owned; NULL when absent */
    uint64_t length;                                      /* Content-Length */
    bool has_length;
    uint64_t first, last, total;           /* Content-Range; total 0 when "*" */
    bool has_range;                        /* there was a well-formed one */
    uint32_t retry_after_s;                /* 0: none */
    char *challenges;                      /* owned; all WWW-Authenticate lines, joined by ", " */
    char *digest, *subject, *range, *link; /* owned; Docker-Content-Digest, OCI-Subject, Range,
                                              Link: what registries say (distribution-spec 1.1) */
    uint64_t chunk_min;                    /* OCI-Chunk-Min-Length, in bytes; 0: none */
    bool old;                              /* HTTP/1.0; set by call.h */
    bool gzipped;                          /* Content-Encoding: gzip */
    bool encoded;                          /* one that is neither that nor "identity" */
};

/* Take in one header line, with or without its line end. `now` in seconds since 1970 turns a
 * Retry-After date into a wait. The first of a repeated header counts. */
void answer_line(struct answer *a, struct str line, int64_t now);
void answer_clear(struct answer *a);
