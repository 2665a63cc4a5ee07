/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "../io/gunzip.h"
#include "http_parts.h"
#include "url.h"

enum {
    MIRROR_TRIES = 2, /* where there is another place to ask */
    LATER_MS = 200,   /* HTTP_LATER */
};

int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void http_request_clear(struct http_request *r)
{
    err_clear(&r->err);
    free_clear(&r->content_type);
    free_clear(&r->etag);
    free_clear(&r->last_modified);
    free_clear(&r->final_url);
}

/* ---- what came ---- */

int exchange_fault(struct exchange *x, enum err_kind kind, const char *why)
{
    CLEANUP(buf_clear) struct buf shown = {0};

    url_show(&shown, str_of(x->url));
    return err_set(&x->fault, kind, "%s: %s", shown.p ? shown.p : "", why);
}

bool is_ranged(const struct http_request *r, uint64_t at)
{
    return at || r->to || r->last;
}

/* A 206 must be what was asked for: bytes of another place would be written to the wrong one, and
 * a part of a part taken for all of it. */
static int check_range(struct exchange *x)
{
    const struct http_request *r = x->r;
    const struct answer *a = &x->answer;
    uint64_t end = a->last + 1;

    if (!is_ranged(r, x->at) || !a->has_range)
        return exchange_fault(x, ERR_NET, "the server sends part of a file that was not asked for");
    if (r->last ? a->total && a->first && a->total - a->first != r->last : a->first != x->at)
        return exchange_fault(x, ERR_NET, "the server sends another range than was asked for");
    if (r->to && end > r->to)
        return exchange_fault(x, ERR_NET, "the server sends more than was asked for");
    if (a->total && end < a->total && (!r->to || end < r->to))
        return exchange_fault(x, ERR_NET, "the server sends less than was asked for");
    x->at = a->first;
    return 0;
}

static void hand_out(char **to, char **from)
{
    free(*to);
    MOVE(to, from);
}

int exchange_head(struct exchange *x, unsigned status)
{
    struct http_request *r = x->r;
    const struct answer *a = &x->answer;

    if (status == 206) {
        if (check_range(x) < 0)
            return -1;
        r->total = a->total;
    } else {
        x->at = 0;
        r->total = a->has_length && !r->compressed ? a->length : 0;
    }
    if (r->limit && a->has_length && !r->compressed && a->length > r->limit)
        return exchange_fault(x, ERR_NET, "it is larger than is allowed here");
    if (r->compressed && (a->encoded || (a->gzipped && status == 206)))
        return exchange_fault(x, ERR_NET,
                              "the server compresses it in a way that was not asked for");
    buf_reset(&x->packed);
    r->got = 0;
    hand_out(&r->etag, &x->answer.etag);
    hand_out(&r->last_modified, &x->answer.last_modified);
    return r->begin ? r->begin(r->ctx, r, x->at, &x->fault) : 0;
}

static bool has_room(const struct http_request *r, uint64_t had, size_t len)
{
    return !r->limit || (had <= r->limit && len <= r->limit - had);
}

/* What the caller gets. */
static int take_plain(struct exchange *x, const void *bytes, size_t len)
{
    struct http_request *r = x->r;

    if (!has_room(r, r->got, len))
        return exchange_fault(x, ERR_NET, "it is larger than is allowed here");
    r->got += len;
    x->at += len;
    return r->write && len ? r->write(r->ctx, bytes, len, &x->fault) : 0;
}

int exchange_body(struct exchange *x, const void *bytes, size_t len)
{
    if (!x->r->compressed || !x->answer.gzipped)
        return take_plain(x, bytes, len);
    if (!has_room(x->r, x->packed.len, len))
        return exchange_fault(x, ERR_NET, "it is larger than is allowed here");
    buf_add(&x->packed, bytes, len);
    return 0;
}

/* The body is all there, as far as the line can tell; libcurl would take compressed data that lacks
 * its end. -1 with `e`, or with x->fault, which is final. */
static int unpack_body(struct exchange *x, struct err *e)
{
    CLEANUP(free_clear) char *chunk = xmalloc(RECEIVE_BUFFER);
    CLEANUP(source_clear)
    struct source *plain = gunzip(source_bytes(buf_view(&x->packed), "its compressed data"));
    size_t got;

    do {
        if (source_read(plain, chunk, RECEIVE_BUFFER, &got, e) < 0 || take_plain(x, chunk, got) < 0)
            return -1;
    } while (got);
    return 0;
}

/* Other answers of the kind 2xx bring something else than the file, or nothing. */
bool is_good(unsigned status)
{
    return status == 200 || status == 206;
}

/* ---- its life ---- */

void exchange_free(struct exchange *x)
{
    transfer_end(x);
    answer_clear(&x->answer);
    buf_clear(&x->packed);
    err_clear(&x->fault);
    free(x->url);
    free(x);
}

/* The request is over: hand its results out and tell the caller. */
static int finish(struct exchange *x, struct err *e)
{
    struct http_request *r = x->r;
    struct http *http = x->http;

    transfer_end(x);
    r->tries = x->tries;
    MOVE(&r->err, &x->fault);
    MOVE(&r->content_type, &x->answer.content_type);
    if (x->answer.etag) /* of an answer without a body */
        hand_out(&r->etag, &x->answer.etag);
    if (x->answer.last_modified)
        hand_out(&r->last_modified, &x->answer.last_modified);
    if (x->hops)
        MOVE(&r->final_url, &x->url);
    else /* where a mirror answered, it stood in for this */
        r->final_url = str_dup(r->url);
    exchange_free(x);
    return http->done ? http->done(http->ctx, r, e) : 0;
}

static void wait_until(struct exchange *x, int64_t due_ms);

/* A mirror could not serve it: on to the next place. */
static int leave_mirror(struct exchange *x, const char *why)
{
    CLEANUP(buf_clear) struct buf shown = {0};

    url_show(&shown, str_of(x->url));
    events_note(x->http->o.events, "%s: %s; asking the next place", shown.p, why);
    x->place++;
    x->tries = 0;
    if (!x->r->resume)
        x->at = x->r->from;
    go_to_place(x);
    wait_until(x, 0);
    return 0;
}

static int fail(struct exchange *x, const char *why, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};

    if (at_mirror(x))
        return leave_mirror(x, why);
    buf_puts(&text, why);
    if (x->tries > 1)
        buf_fmt(&text, " (tried %u times)", x->tries);
    exchange_fault(x, ERR_NET, text.p);
    return finish(x, e);
}

static void wait_until(struct exchange *x, int64_t due_ms)
{
    transfer_end(x);
    x->due_ms = due_ms;
    vec_add(&x->http->waiting, x);
}

uint32_t http_pause_ms(const struct http_options *o, unsigned tries, uint32_t retry_after_s)
{
    uint64_t pause = (uint64_t)o->pause_ms << (tries < 16 ? tries - 1 : 15);
    uint64_t asked = (uint64_t)retry_after_s * 1000;

    pause = asked > pause ? asked : pause;
    return pause > o->pause_max_ms ? o->pause_max_ms : (uint32_t)pause;
}

int exchange_try_again(struct exchange *x, const char *why, struct err *e)
{
    CLEANUP(buf_clear) struct buf shown = {0};
    struct http_request *r = x->r;
    uint32_t pause;

    if (r->resume && r->got >= HTTP_PROGRESS)
        x->tries = 1; /* slowly, but it moves */
    if (x->tries >= (at_mirror(x) ? MIRROR_TRIES : x->http->o.tries))
        return fail(x, why, e);
    if (!r->resume || r->last || r->status == 416)
        x->at = r->from;
    go_to_place(x); /* from where it began: what it was redirected to may have expired */
    pause = http_pause_ms(&x->http->o, x->tries, x->answer.retry_after_s);
    url_show(&shown, str_of(x->url));
    events_note(x->http->o.events, "%s: %s; trying again in %u ms", shown.p, why, pause);
    wait_until(x, now_ms() + pause);
    return 0;
}

/* Nobody there: people without a network should not wait long to be told. */
static int unreachable(struct exchange *x, const char *why, struct err *e)
{
    if (at_mirror(x) && !x->hops)
        mirror_is_down(x);
    return at_mirror(x) || x->tries >= HTTP_UNREACHABLE_TRIES ? fail(x, why, e)
                                                              : exchange_try_again(x, why, e);
}

const char *http_redirect(struct buf *next, struct str from, const char *location)
{
    CLEANUP(err_clear) struct err bad = {0};
    struct url here, there;

    if (!location)
        return "the server redirects to nowhere";
    if (url_join(next, from, str_of(location), &bad) < 0 ||
        url_parse(&there, buf_view(next), &bad) < 0 || url_parse(&here, from, &bad) < 0)
        return "the server redirects to something that is not an address";
    if (url_is_file(&there))
        return "the server redirects to a local file";
    if (url_is_https(&here) && !url_is_https(&there))
        return "the server redirects from https to http, which is refused";
    return NULL;
}

static int follow(struct exchange *x, struct err *e)
{
    CLEANUP(buf_clear) struct buf next = {0};
    const char *why = NULL;

    if (x->answer.location && ++x->hops > HTTP_HOPS_MAX)
        return fail(x, "more than 10 redirects", e);
    why = http_redirect(&next, str_of(x->url), x->answer.location);
    if (why)
        return fail(x, why, e);
    free(x->url);
    x->url = buf_take(&next);
    x->tries--; /* the exchange that follows is part of the same try */
    wait_until(x, 0);
    return 0;
}

bool http_is_passing(unsigned status)
{
    return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}

/* Is there something that may not have changed? */
static bool is_conditional(const struct http_request *r)
{
    for (size_t i = 0; i < r->headers_n; i++)
        if (str_eq_nocase(str_sub(str_of(r->headers[i]), 0, 3), STR("If-")))
            return true;
    return false;
}

bool http_is_redirect(unsigned status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Whether nobody told who we are, or the server does not like who we are. */
static const char *credential_fault(const struct exchange *x, unsigned status)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* parsed before */
    struct url here;
    bool known = x->http->o.auth && url_parse(&here, str_of(x->url), &ignored) == 0 &&
                 auth_header(x->http->o.auth, &here);

    if (status == 403)
        return known ? "HTTP 403: the user or token that is set for it may not read this"
                     : "HTTP 403";
    return known ? "HTTP 401: the user, password or token that is set for it is refused"
                 : "HTTP 401: it wants a user and a password; ~/.netrc, "
                   "ENVBUILD_INDEX_<NAME>_PASSWORD, "
                   "ENVBUILD_DOWNLOAD_<NAME>_TOKEN or a keyring can hold them";
}

static int judge_status(struct exchange *x, struct err *e)
{
    unsigned status = x->r->status;
    const struct answer *a = &x->answer;
    CLEANUP(err_clear) struct err broken = {0};
    char text[64];

    if (status == 206 && x->r->got != a->last - a->first + 1)
        return exchange_try_again(x, "the answer ends early", e);
    if (is_good(status) && x->r->compressed && a->gzipped && unpack_body(x, &broken) < 0)
        return err_is_set(&x->fault) ? finish(x, e) : exchange_try_again(x, broken.msg, e);
    if (is_good(status) || (status == 304 && is_conditional(x->r)))
        return finish(x, e);
    if (http_is_redirect(status))
        return follow(x, e);
    snprintf(text, sizeof text, "HTTP %u%s", status,
             status < 300    ? ", which brings no file"
             : status == 304 ? ", which was not asked"
                             : "");
    /* 416 after resuming: the file is not what it was, so from the start. */
    if (status == 401 || status == 403)
        return fail(x, credential_fault(x, status), e);
    /* 202: the server has yet to make what it is asked for. */
    if (status == 202 || http_is_passing(status) || (status == 416 && x->at > x->r->from))
        return exchange_try_again(x, text, e);
    return fail(x, text, e);
}

void ending_words(struct buf *out, enum ending ending, const char *why, struct str url)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* parsed before */
    struct url u = {0};

    (void)!url_parse(&u, url, &ignored);
    switch (ending) {
    case ENDED_NO_HOST:
        buf_fmt(out, "cannot resolve host " STR_FMT, STR_ARG(u.host));
        return;
    case ENDED_NO_PROXY:
        buf_puts(out, "cannot resolve the proxy's host; see HTTPS_PROXY and HTTP_PROXY");
        return;
    case ENDED_NO_LINE:
        buf_fmt(out, "cannot connect: %s", why);
        return;
    case ENDED_UNTRUSTED:
        buf_fmt(out,
                "the server's certificate is not trusted: %s; if your network has a certificate "
                "authority of its own, name its file in SSL_CERT_FILE",
                why);
        return;
    case ENDED_NO_AUTHORITIES:
        buf_puts(out,
                 "no certificates of authorities can be read, so no server can be trusted; "
                 "install the package \"ca-certificates\", or name their file in SSL_CERT_FILE");
        return;
    case ENDED_BROKEN:
        buf_fmt(out, "the line broke: %s", why);
        return;
    case ENDED_WELL:
    case ENDED_OTHERWISE:
        break;
    }
    buf_puts(out, why);
}

static int judge_failure(struct exchange *x, enum ending ending, const char *why, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};

    ending_words(&text, ending, why, str_of(x->url));
    switch (ending) {
    case ENDED_NO_HOST:
    case ENDED_NO_PROXY:
    case ENDED_NO_LINE:
        return unreachable(x, text.p, e);
    case ENDED_BROKEN:
        return exchange_try_again(x, text.p, e);
    case ENDED_UNTRUSTED:
    case ENDED_NO_AUTHORITIES:
    case ENDED_WELL:
    case ENDED_OTHERWISE:
        break;
    }
    return fail(x, text.p, e);
}

int exchange_judge(struct exchange *x, enum ending ending, const char *why, struct err *e)
{
    if (err_is_set(&x->fault))
        return finish(x, e);
    return ending == ENDED_WELL ? judge_status(x, e) : judge_failure(x, ending, why, e);
}

/* One more exchange, or the whole of it for a local file. */
static int launch(struct exchange *x, struct err *e)
{
    struct url u;

    x->tries++;
    answer_clear(&x->answer);
    if (url_parse(&u, str_of(x->url), &x->fault) < 0)
        return finish(x, e);
    if (url_is_file(&u)) {
        (void)!local_get(x, &u); /* its fault is in t */
        return finish(x, e);
    }
    if (x->http->o.local_only)
        return fail(x, "offline, and it is not in the store; run once without --offline", e);
    vec_add(&x->http->running, x);
    transfer_begin(x);
    return 0;
}

int exchange_start(struct exchange *x, struct err *e)
{
    struct http_request *r = x->r;
    enum http_start go = HTTP_GO;

    if (!x->started && r->start)
        go = r->start(r->ctx, r, &x->fault);
    switch (go) {
    case HTTP_LATER:
        wait_until(x, now_ms() + LATER_MS);
        return 0;
    case HTTP_SKIP:
    case HTTP_FAIL:
        return finish(x, e);
    case HTTP_GO:
        break;
    }
    if (!x->started)
        x->at = r->from;
    x->started = true;
    return launch(x, e);
}

void http_add(struct http *http, struct http_request *r)
{
    struct exchange *x = xcalloc(1, sizeof *x);

    http_request_clear(r);
    x->http = http;
    x->r = r;
    x->place = r->skip;
    go_to_place(x);
    vec_add(&http->waiting, x);
}

/* ---- one request into memory ---- */

struct into {
    struct buf *out;
    size_t start;
};

static int into_begin(void *ctx, const struct http_request *r, uint64_t offset, struct err *e)
{
    struct into *into = ctx;

    into->out->len = into->start; /* of an earlier try */
    return 0;
}

static int into_write(void *ctx, const void *bytes, size_t len, struct err *e)
{
    struct into *into = ctx;

    buf_add(into->out, bytes, len);
    return 0;
}

int http_get(struct http *http, struct http_request *r, struct buf *out, struct err *e)
{
    struct into into = {out, out->len};

    r->start = NULL;
    r->begin = into_begin;
    r->write = into_write;
    r->ctx = &into;
    r->resume = false;
    if (http_run(http, &r, 1, 1, NULL, NULL, e) < 0)
        return -1;
    r->ctx = NULL;
    if (err_is_set(&r->err))
        return err_join(e, &r->err);
    if (out->p)
        out->p[out->len] = '\0';
    return 0;
}
