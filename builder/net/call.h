/* net/call.h - one HTTP exchange of any method, driven by the thread that makes it: the body is
 * pushed piece by piece, and the answer's is pulled. http.h gets files, many at once; this speaks
 * with registries.
 *
 * What http.h says of certificates, proxies, secrets and messages holds here, and its options are
 * these; mirrors, netrc and `auth` are not asked, and no proxy for what is on this machine, as
 * Docker has it: it would be told who we are. After a 429 all calls wait: see pace.h. HTTP/1.1,
 * over kept connections. Cancelling is noticed within 100 ms: ERR_INTERRUPTED. A fault of the line
 * is ERR_NET; whoever can make the bytes once more asks call_may_pass().
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "answer.h"
#include "http.h"

struct caller; /* kept connections; for many threads at once; opaque; caller_open to caller_clear */
struct call;   /* one exchange, for one thread at a time; opaque; call_open to call_clear */

/* What `options` borrows must stay. */
int caller_open(struct caller **out, const struct http_options *options, struct err *e) MUST_CHECK;
void caller_clear(struct caller **caller);

enum call_body {
    CALL_NO_BODY,
    CALL_SIZED,  /* of `size` bytes, told before (Content-Length) */
    CALL_STREAM, /* nobody knows yet (Transfer-Encoding: chunked) */
};

enum call_haste {
    CALL_USUAL,
    CALL_PATIENT,    /* the answer may take ten minutes: a registry hashes what it was sent */
    CALL_LAST_WORDS, /* two seconds for all of it, also after an interruption */
};

struct call_ask {
    const char *method; /* "HEAD", "PUT", ... */
    struct str url;
    const char *const *headers; /* "Name: value" lines */
    size_t headers_n;
    enum call_body body;
    uint64_t size; /* bytes */
    enum call_haste haste;
    bool stays;    /* of call_run() and call_get(): a redirect is an answer */
    bool verified; /* the server shows a certificate that is trusted, whatever the options say */
};

/* Begin; nothing is sent yet. ERR_INPUT for what is no http address. */
int call_open(struct call **out, struct caller *caller, const struct call_ask *ask,
              struct err *e) MUST_CHECK;
/* Some of the body. *taken becomes false where the other end answered before it had all of it. */
int call_write(struct call *c, const void *bytes, size_t len, bool *taken,
               struct err *e) MUST_CHECK;
/* End the body, and wait for the head of the answer: *status is 200 to 599. Redirects are answers.
 */
int call_answer(struct call *c, unsigned *status, struct err *e) MUST_CHECK;
/* After call_answer(); lives as long as `c`. */
const struct answer *call_head(const struct call *c);
/* Up to `len` bytes of the answer's body; *got = 0: its end, as long as its head said. */
int call_read(struct call *c, void *to, size_t len, size_t *got, struct err *e) MUST_CHECK;
/* After a failure: may it pass, so that another try is worth it? */
bool call_may_pass(const struct call *c);
/* After a failure: nobody there who speaks this scheme. */
bool call_no_line(const struct call *c);
bool call_untrusted(const struct call *c); /* ... or it shows no certificate that is trusted */
void call_clear(struct call **c);          /* breaks off what is not over */

/* ---- call_whole.c: with bodies that fit into memory ---- */

struct call_whole {
    struct call_ask ask; /* body and size are set from `text` */
    struct str text;     /* to send; p NULL: no body */
    uint64_t limit;      /* bytes of the answer's body that are kept; more is ERR_NET. Of one that
                            is no success as much as fits */
    bool once;           /* no second try */
    /* Results. */
    unsigned status;
    struct answer answer;
    struct buf body;
    bool no_line;   /* see call_no_line() */
    bool untrusted; /* the server's certificate is not trusted */
};
/* Follows redirects of GET and HEAD (at most 10), leaving secrets behind at another origin; what
 * that asks for by a 401 is ERR_NET, so that whoever answers challenges sees those of the server
 * that was asked. Tried again as http.h has it, with some jitter; an answer that says so to the end
 * is a result. -1: no answer came, and the message names the address. */
int call_run(struct caller *caller, struct call_whole *w, struct err *e) MUST_CHECK;
void call_whole_clear(struct call_whole *w);
/* A GET that is read piece by piece: the same redirects, one try. `*out` is there for
 * call_may_pass() after a failure, too. */
int call_get(struct call **out, struct caller *caller, const struct call_ask *ask, unsigned *status,
             struct err *e) MUST_CHECK;

/* For who repeats calls of its own: wait after so many tries, with some jitter; `why` is told.
 * ERR_INTERRUPTED. */
int caller_pause(const struct caller *caller, unsigned tries, uint32_t retry_after_s,
                 const char *why, struct err *e) MUST_CHECK;
unsigned caller_tries(const struct caller *caller);
int64_t caller_now_ms(void);                /* of a clock that only goes forward */
bool call_status_may_pass(unsigned status); /* 408, 429, 500, 502 to 504 */
/* Append the absolute address of a Location; NULL, or what is wrong with it. */
const char *call_location(struct buf *out, struct str from, const char *location);
