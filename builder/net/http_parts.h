/* net/http_parts.h - what the files of http.h and call.h share; nobody else includes it.
 *
 * mirrors.c: which places a request is asked of. exchange.c: the life of one request, with its
 * tries and redirects, and what an answer means. local.c: file://. transfer.c: one question and
 * answer through libcurl, and the loop over all of them. call.c is the other home of libcurl.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "answer.h"
#include "http.h"

enum {
    RECEIVE_BUFFER = 256 * 1024,
    HTTP_HEAD_MAX = 64 * 1024,  /* bytes of an answer's head */
    HTTP_HOPS_MAX = 10,         /* redirects */
    HTTP_UNREACHABLE_TRIES = 3, /* to a host that cannot be found or does not listen */
    HTTP_PROGRESS = 64 * 1024,  /* a try that moved this much starts the count of tries anew */
    HTTP_TICK_MS = 100,         /* how often cancelling is asked for */
    HTTP_STALL_RATE = 1024,     /* bytes a second; a line that brings less is as good as dead */
};

/* A request on its way: one for all its tries and redirects. */
struct exchange {
    struct http *http;
    struct http_request *r;
    bool started;   /* r->start said go */
    int64_t due_ms; /* waiting: not before */
    char *url;      /* owned; changes with redirects */
    unsigned place; /* which of the address's places is asked */
    unsigned hops, tries;
    uint64_t at; /* where in the file the next byte stands */
    struct answer answer;
    struct buf packed;         /* a compressed body, until it is all there */
    struct transfer *transfer; /* owned; what is on the line now, or NULL */
    struct err fault;          /* of a callback; final */
};

struct http {
    struct http_options o;
    void *multi;                                       /* libcurl's */
    struct VEC_OF(struct exchange *) waiting, running; /* only during a run */
    struct strs down; /* mirrors that could not be reached; borrowed from the rules */
    int (*done)(void *ctx, struct http_request *r, struct err *e);
    void *ctx;
};

/* ---- mirrors.c ---- */

/* Is x->place a mirror, so that there is a further place? */
bool at_mirror(const struct exchange *x);
/* Go to x->place, or the next one behind it that is up. */
void go_to_place(struct exchange *x);
/* The mirror that is asked could not be reached. */
void mirror_is_down(struct exchange *x);

static const char http_head_too_large[] = "the head of the answer is larger than 64 KiB";

/* ---- exchange.c ---- */

/* How a transfer ended. */
enum ending {
    ENDED_WELL, /* an answer, good or bad, was read as far as it matters */
    ENDED_NO_HOST,
    ENDED_NO_PROXY,
    ENDED_NO_LINE, /* nobody listens */
    ENDED_UNTRUSTED,
    ENDED_NO_AUTHORITIES, /* the file of those that are trusted cannot be read */
    ENDED_BROKEN,         /* by something that may pass */
    ENDED_OTHERWISE,
};

int64_t now_ms(void);
bool http_is_passing(unsigned status); /* worth another try */
bool http_is_redirect(unsigned status);
/* How long to wait after so many tries. */
uint32_t http_pause_ms(const struct http_options *o, unsigned tries, uint32_t retry_after_s);
/* By chance up to a quarter of a pause, so that those who wait do not come back together. */
uint32_t http_jitter(uint32_t pause);
/* Where `location` leads, appended to `next`; or why nobody goes there. */
const char *http_redirect(struct buf *next, struct str from, const char *location);
/* What is told of an exchange with `url` that ended so. */
void ending_words(struct buf *out, enum ending ending, const char *why, struct str url);
/* Ask the request whether it still wants to run; then begin, or go on with its next try. */
int exchange_start(struct exchange *x, struct err *e) MUST_CHECK;
/* The head of an answer is complete. -1 when x->fault is set. */
int exchange_head(struct exchange *x, unsigned status) MUST_CHECK;
/* Bytes of the body of a good answer, as they came. */
int exchange_body(struct exchange *x, const void *bytes, size_t len) MUST_CHECK;
/* The transfer is over. `why` says what went wrong, unless it ended well. */
int exchange_judge(struct exchange *x, enum ending ending, const char *why,
                   struct err *e) MUST_CHECK;
/* Something that may pass: try again, unless that was done often enough. */
int exchange_try_again(struct exchange *x, const char *why, struct err *e) MUST_CHECK;
/* Set x->fault, which names the address. Always -1. */
int exchange_fault(struct exchange *x, enum err_kind kind, const char *why);
void exchange_free(struct exchange *x);

bool is_good(unsigned status);                             /* the file, or a part of it */
bool is_ranged(const struct http_request *r, uint64_t at); /* is a part of the file asked for? */

/* ---- local.c ---- */

/* Read the file of x->url, which `u` is. -1 when x->fault is set. */
int local_get(struct exchange *x, const struct url *u) MUST_CHECK;

/* ---- transfer.c ---- */

void http_options_fill(struct http_options *o); /* defaults */
/* What is the same for all questions. `easy` is libcurl's. */
void transfer_common(void *easy, const struct http_options *o);
enum ending transfer_ending(int code); /* libcurl's */
const char *transfer_words(int code);
bool header_is_secret(struct str line);
void transfer_begin(struct exchange *x);
void transfer_end(struct exchange *x);

/* ---- call.c ---- */

struct caller;
const struct http_options *caller_options(const struct caller *caller);
