/* serve/httpd.h - the only home of libmicrohttpd: a server of HTTP/1.1 that only gives, with TLS or
 * without. RFC 9110.
 *
 * A request of another method than GET and HEAD gets 405, and a body is passed over. What an answer
 * says of itself in "ETag" decides about If-None-Match and If-Range; Range holds for every answer
 * of 200 that has one. Who sends nothing for a minute, or takes nothing, is cut off.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/arena.h"
#include "../base/fd.h"
#include "../io/server_cert.h"
#include "../oci/descriptor.h"

struct httpd_ask {
    struct str path; /* decoded, without the query */
    struct str range, if_range, if_none_match, host, agent, language; /* headers; may be empty */
    struct str authorization;
    char peer[64]; /* its address, a number */
    bool head;
    void *connection; /* for httpd_query() */
};
/* The value of each `name` of the query, decoded; borrowed until the answer is given. */
void httpd_query(struct strs *out, const struct httpd_ask *ask, const char *name);
struct str httpd_query_one(const struct httpd_ask *ask, const char *name); /* empty: not there */

/* Some bytes of a file, and where they stand in what the parts are together. */
struct httpd_part {
    int fd; /* borrowed, and open as long as the server is */
    uint64_t at, offset, size;
};
struct httpd_parts VEC_OF(struct httpd_part);

/* A piece of an answer's bytes. */
struct httpd_piece {
    const struct httpd_parts *parts; /* as long-lived as the server; NULL: `text` */
    struct str text;                 /* in the answer's arena, or as long-lived as the server */
    uint64_t size;                   /* bytes */
};

struct httpd_answer {
    unsigned status;
    struct arena arena;   /* of the texts below */
    struct pairs headers; /* those of this answer; lengths and ranges are added */
    struct str etag;      /* with its quotes; empty: none, and no ranges */
    struct VEC_OF(struct httpd_piece) pieces;
};
void httpd_answer_clear(struct httpd_answer *a);
uint64_t httpd_size(const struct httpd_answer *a); /* bytes of all pieces */
void httpd_header(struct httpd_answer *a, const char *name, struct str value);
void httpd_text(struct httpd_answer *a, struct str text); /* borrowed; see above */
/* Borrowed; `size` is that of all parts. */
void httpd_file(struct httpd_answer *a, const struct httpd_parts *parts, uint64_t size);

struct httpd_handlers {
    /* From several threads at once. */
    void (*answer)(void *ctx, const struct httpd_ask *ask, struct httpd_answer *out);
    /* Bytes of an answer begin to go out by the socket `fd`, `len` of them; what is returned comes
     * back at the end, before the socket is closed. */
    void *(*begin)(void *ctx, const struct httpd_ask *ask, int fd, uint64_t len);
    void (*end)(void *ctx, void *transfer, bool whole);
    void *ctx;
};

struct httpd; /* opaque */
/* Serve at the listening socket, which becomes the server's. `handlers` are borrowed; `cert` is
 * shown to who comes, NULL: plain HTTP. */
int httpd_open(struct httpd **out, struct fd *socket, unsigned threads,
               const struct server_cert *cert, const struct httpd_handlers *handlers,
               struct err *e) MUST_CHECK;
/* End the answers that have bytes of the file `fd` still to come, as it no longer has them. */
void httpd_cut(struct httpd *h, int fd);
void httpd_clear(struct httpd **h); /* cuts off whoever is left */
