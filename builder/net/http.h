/* net/http.h - many GET requests at once over kept connections.
 *
 * One handle serves one http_run() at a time, on the thread that calls it. HTTP/2 where the server
 * has it. HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are libcurl's own business. Redirects (at
 * most 10) never lead from https to http, and an Authorization or Cookie header never follows one
 * to another origin; credentials belong to one origin each, see auth.h. Messages never show
 * userinfo or queries.
 *
 * Mirrors: an address that begins with a rule's prefix is asked of the rule's mirrors first, in
 * order, and of its own server last. Whoever asks must be able to tell right bytes from wrong ones,
 * and then says by `skip` how many places have proven wrong. A mirror that cannot be reached is
 * left out for the rest of the handle's life.
 *
 * An answer is 200, 206 with the very range that was asked for, or 304 to a question with an "If-"
 * header; its body is as long as its head says, and compressed data has its end. Tried again, with
 * growing pauses and heed to Retry-After: 202, 408, 429, 500, 502, 503, 504, a line that broke,
 * stalled or never answered. All else is final. file:// is read by the same calls.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/event.h"
#include "../base/err.h"
#include "../base/vec.h"
#include "auth.h"

struct http; /* opaque; http_open to http_clear */

struct http_mirrors {
    struct str prefix;
    struct strs mirrors; /* what stands in for the prefix */
};
struct http_rules VEC_OF(struct http_mirrors);

/* Zero means the default in brackets. */
struct http_options {
    const char *ca_file, *ca_dir; /* trusted certificates; NULL: those that curl takes */
    struct str ca_pem;            /* certificates that are trusted as well, in place of ca_file */
    const char *client_cert, *client_key; /* PEM files; shown to `client_origin` alone */
    struct str client_origin;             /* an address of it */
    bool unverified;                      /* whatever certificate a server has */
    const char *user_agent;               /* ["envbuild"] */
    bool local_only;                      /* nothing but file:// is read */
    const struct auth *auth;              /* borrowed; may be NULL */
    struct pace *pace;                    /* of call.h alone; borrowed; NULL: a caller's own */
    const struct http_rules *rules;       /* borrowed; may be NULL */
    const struct events *events;          /* borrowed; asked for cancelling, told about retries */
    uint32_t connect_ms;                  /* [20,000] until connected */
    uint32_t header_ms;                   /* [30,000] from request sent to headers complete */
    uint32_t stall_ms;     /* [60,000] a window in which fewer than 1 KiB/s came: dead */
    uint32_t tries;        /* [5] in a row in which less than 64 KiB came */
    uint32_t pause_ms;     /* [500] before the second try, doubled for each further one */
    uint32_t pause_max_ms; /* [60,000] longest pause, also for Retry-After */
};

int http_open(struct http **out, const struct http_options *options, struct err *e) MUST_CHECK;
void http_clear(struct http **http);

/* What a request's `start` says when its turn comes. */
enum http_start {
    HTTP_GO,
    HTTP_LATER, /* not yet: ask again in a fifth of a second */
    HTTP_SKIP,  /* no longer needed: `done` is called with status 0 and no error */
    HTTP_FAIL,  /* `e` is set and becomes the request's error */
};

/* One request and its result. Set the first part, zero the rest; must stay until done is called. */
struct http_request {
    struct str url;             /* borrowed */
    const char *const *headers; /* "Name: value" lines; borrowed, may be NULL */
    size_t headers_n;
    uint64_t from, to; /* ask for bytes from..to-1; to = 0: to the end. Both 0: no range */
    uint64_t last;     /* or: ask for the last so many bytes */
    unsigned skip;     /* places that gave wrong bytes before */
    uint64_t limit;    /* more body bytes than this is ERR_NET; 0: no limit */
    bool resume;       /* a broken transfer goes on where it broke; else it starts over */
    bool compressed;   /* the body may travel compressed; comes out plain. Never with a range */
    /* Called when a slot is free, before the first try; may still set from, to. NULL: go. */
    enum http_start (*start)(void *ctx, struct http_request *r, struct err *e);
    /* Body of a 200 or 206. `begin`: what follows stands at `offset` in the file; called once per
     * try, so it may be called again with an earlier offset (0 when a server ignores ranges):
     * forget what came from there on. Both may be NULL. A failure is final and becomes the
     * request's. */
    int (*begin)(void *ctx, const struct http_request *r, uint64_t offset, struct err *e);
    int (*write)(void *ctx, const void *bytes, size_t len, struct err *e);
    void *ctx;

    struct err err;  /* set unless the answer was one, see above; `status` tells 404 and the like */
    unsigned status; /* last answer's; 0: none came. file: 200, 206 or 404 */
    unsigned tries;  /* made */
    uint64_t got;    /* body bytes of the last try */
    uint64_t total;  /* whole size, from Content-Range or Content-Length; 0 when not known */
    char *content_type;         /* owned, as all below; NULL when absent */
    char *etag, *last_modified; /* for `begin`, too */
    char *final_url;            /* after redirects */
};
void http_request_clear(struct http_request *r); /* what it owns: the results */

/* Run all requests, at most `parallel` at once, and those that `done` adds. `done` (may be NULL) is
 * called on this thread for each as it ends, well or not; failing, it ends the run. Cancelling is
 * noticed within 100 ms: ERR_INTERRUPTED. -1 only for those two; requests carry their own errors.
 */
int http_run(struct http *http, struct http_request *const *requests, size_t n, unsigned parallel,
             int (*done)(void *ctx, struct http_request *r, struct err *e), void *ctx,
             struct err *e) MUST_CHECK;
/* How many places an address can be had from: its mirrors and its own server. */
unsigned http_places(const struct http *http, struct str url);
/* From within `done`: one more request for the run. */
void http_add(struct http *http, struct http_request *r);

/* One request, its body appended to `out`; its callbacks are set here. -1 when r->err is set: it is
 * moved to `e`. */
int http_get(struct http *http, struct http_request *r, struct buf *out, struct err *e) MUST_CHECK;
