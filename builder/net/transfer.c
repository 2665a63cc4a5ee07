/* SPDX-License-Identifier: Apache-2.0 */
#include <curl/curl.h>
#include <time.h>

#include "http_parts.h"
#include "url.h"

#ifndef CURL_WRITEFUNC_ERROR /* Ubuntu 22.04's curl: whatever is not the length ends it */
#define CURL_WRITEFUNC_ERROR SIZE_MAX
#endif

enum { DISCARD_MAX = 256 * 1024 }; /* bytes of an unwanted body that are read to keep the line */

/* One question and its answer. */
struct transfer {
    struct exchange *x;
    CURL *easy;
    struct curl_slist *headers;
    char reason[CURL_ERROR_SIZE];
    size_t head_bytes;
    bool head_done, enough;
    bool sent; /* the request is out */
    int64_t begun_ms, sent_ms, window_ms;
    uint64_t window_got;
    uint64_t discarded;
};

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
    return value ? value : fallback;
}

void http_options_fill(struct http_options *o)
{
    o->user_agent = o->user_agent ? o->user_agent : "envbuild";
    o->connect_ms = or_default(o->connect_ms, 20 * 1000);
    o->header_ms = or_default(o->header_ms, 30 * 1000);
    o->stall_ms = or_default(o->stall_ms, 60 * 1000);
    o->tries = or_default(o->tries, 5);
    o->pause_ms = or_default(o->pause_ms, 500);
    o->pause_max_ms = or_default(o->pause_max_ms, 60 * 1000);
}

int http_open(struct http **out, const struct http_options *options, struct err *e)
{
    struct http *http;

    /* Counted and thread-safe since libcurl 7.84, so each handle may do it. */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(e, ERR_SYSTEM, "libcurl cannot be started");
    http = xcalloc(1, sizeof *http);
    http->o = *options;
    http_options_fill(&http->o);
    http->multi = curl_multi_init();
    if (!http->multi)
        abort(); /* out of memory */
    *out = http;
    return 0;
}

void http_clear(struct http **http)
{
    if (!*http)
        return;
    curl_multi_cleanup((*http)->multi);
    vec_clear(&(*http)->down);
    curl_global_cleanup();
    free(*http);
    *http = NULL;
}

/* ---- what comes ---- */

static unsigned status_of(struct transfer *t)
{
    long status = 0;

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    return (unsigned)status;
}

static size_t on_header(char *line, size_t one, size_t len, void *ctx)
{
    struct transfer *t = ctx;
    struct str text = {line, len * one};
    unsigned status;

    if (t->head_done && !str_starts(text, STR("HTTP/")))
        return text.len; /* a trailer */
    t->head_bytes += text.len;
    if (t->head_bytes > HTTP_HEAD_MAX) {
        exchange_fault(t->x, ERR_NET, http_head_too_large);
        return 0;
    }
    if (str_starts(text, STR("HTTP/"))) {
        t->head_done = false;
        answer_clear(&t->x->answer);
        return text.len;
    }
    if (str_trim(text).len) {
        answer_line(&t->x->answer, text, (int64_t)time(NULL));
        return text.len;
    }
    status = status_of(t);
    if (status < 200)
        return text.len; /* interim; the real head follows */
    t->head_done = true;
    t->window_ms = now_ms();
    t->x->r->status = status;
    return is_good(status) && exchange_head(t->x, status) < 0 ? 0 : text.len;
}

static size_t on_body(char *bytes, size_t one, size_t len, void *ctx)
{
    struct transfer *t = ctx;
    size_t n = one * len;

    t->window_got += n;
    if (is_good(t->x->r->status))
        return exchange_body(t->x, bytes, n) < 0 ? CURL_WRITEFUNC_ERROR : n;
    t->discarded += n;
    if (t->discarded <= DISCARD_MAX)
        return n;
    t->enough = true;
    return CURL_WRITEFUNC_ERROR;
}

static int on_sending(void *ctx, char *ip, char *local_ip, int port, int local_port)
{
    struct transfer *t = ctx;

    t->sent = true;
    t->sent_ms = t->window_ms = now_ms();
    return CURL_PREREQFUNC_OK;
}

/* ---- what is asked ---- */

bool header_is_secret(struct str line)
{
    static const char *const names[] = {"authorization:", "cookie:", "proxy-authorization:"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq_nocase(str_sub(line, 0, strlen(names[i])), str_of(names[i])))
            return true;
    return false;
}

static bool at_home(struct transfer *t)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* no address, no credential */
    struct url home, here;

    return url_parse(&home, t->x->r->url, &ignored) == 0 &&
           url_parse(&here, str_of(t->x->url), &ignored) == 0 && url_same_origin(&home, &here);
}

static void add_header(struct transfer *t, const char *line)
{
    struct curl_slist *list = curl_slist_append(t->headers, line);

    if (!list)
        abort(); /* out of memory */
    t->headers = list;
}

/* What is known of who we are to the server that is asked. */
static void set_credential(struct transfer *t)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* parsed before */
    const struct auth *auth = t->x->http->o.auth;
    const char *header;
    struct url here;

    if (!auth || url_parse(&here, str_of(t->x->url), &ignored) < 0)
        return;
    header = auth_header(auth, &here);
    if (header) {
        add_header(t, header);
    } else if (auth->netrc) {
        curl_easy_setopt(t->easy, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
        curl_easy_setopt(t->easy, CURLOPT_NETRC_FILE, auth->netrc);
    }
}

static void set_headers(struct transfer *t)
{
    bool home = at_home(t);

    for (size_t i = 0; i < t->x->r->headers_n; i++)
        if (home || !header_is_secret(str_of(t->x->r->headers[i])))
            add_header(t, t->x->r->headers[i]);
    if (t->x->r->compressed)
        add_header(t, "Accept-Encoding: gzip");
    set_credential(t);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
}

static void set_range(struct transfer *t)
{
    const struct http_request *r = t->x->r;
    char range[64];

    if (!is_ranged(r, t->x->at))
        return;
    if (r->last)
        snprintf(range, sizeof range, "-%llu", (unsigned long long)r->last);
    else if (r->to)
        snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)t->x->at,
                 (unsigned long long)r->to - 1);
    else
        snprintf(range, sizeof range, "%llu-", (unsigned long long)t->x->at);
    curl_easy_setopt(t->easy, CURLOPT_RANGE, range);
}

static void set_trust(CURL *c, const struct http_options *o)
{
    struct curl_blob pem = {(void *)(uintptr_t)o->ca_pem.p, o->ca_pem.len, CURL_BLOB_COPY};

    if (o->unverified) {
        curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
        curl_easy_setopt(c, CURLOPT_CAINFO, NULL); /* or it is read all the same */
        curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
        return;
    }
    if (o->ca_pem.len)
        curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &pem);
    else if (o->ca_file)
        curl_easy_setopt(c, CURLOPT_CAINFO, o->ca_file);
    if (o->ca_dir)
        curl_easy_setopt(c, CURLOPT_CAPATH, o->ca_dir);
}

void transfer_common(void *easy, const struct http_options *o)
{
    CURL *c = easy;

    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L); /* whoever cancels does not wait for a resolver */
#endif
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
#else /* Ubuntu 22.04 */
    curl_easy_setopt(c, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
    curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, o->user_agent);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_ms);
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER);
    set_trust(c, o);
}

static void set_options(struct transfer *t)
{
    CURL *c = t->easy;

    transfer_common(c, &t->x->http->o);
    curl_easy_setopt(c, CURLOPT_URL, t->x->url);
    curl_easy_setopt(c, CURLOPT_PRIVATE, t);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->reason);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_sending);
    curl_easy_setopt(c, CURLOPT_PREREQDATA, t);
    if (t->x->r->resume) {
        /* Large files: a line each, so that no stream's window holds back the others. */
        curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    } else {
        curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
        curl_easy_setopt(c, CURLOPT_PIPEWAIT, 1L);
    }
    /* A connection that broke while the request went out stays in libcurl's pool, and PIPEWAIT
     * would wait for it for ever. */
    if (t->x->tries > 1)
        curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L);
    set_headers(t);
    set_range(t);
}

void transfer_begin(struct exchange *x)
{
    struct transfer *t = xcalloc(1, sizeof *t);

    t->x = x;
    x->transfer = t;
    x->r->status = 0;
    x->r->got = 0;
    t->begun_ms = now_ms();
    t->easy = curl_easy_init();
    if (!t->easy)
        abort(); /* out of memory */
    set_options(t);
    curl_multi_add_handle(x->http->multi, t->easy);
}

void transfer_end(struct exchange *x)
{
    struct transfer *t = x->transfer;

    if (!t)
        return;
    curl_multi_remove_handle(x->http->multi, t->easy);
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    free(t);
    x->transfer = NULL;
}

enum ending transfer_ending(int code)
{
    switch (code) {
    case CURLE_OK:
        return ENDED_WELL;
    case CURLE_COULDNT_RESOLVE_HOST:
        return ENDED_NO_HOST;
    case CURLE_COULDNT_RESOLVE_PROXY:
        return ENDED_NO_PROXY;
    case CURLE_COULDNT_CONNECT:
        return ENDED_NO_LINE;
    case CURLE_SSL_CACERT_BADFILE:
        return ENDED_NO_AUTHORITIES;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
        return ENDED_UNTRUSTED;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND: /* the kept line was dead, and some of the body went there */
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_PROXY:
        return ENDED_BROKEN;
    default:
        return ENDED_OTHERWISE;
    }
}

const char *transfer_words(int code)
{
    /* Ours is asked for elsewhere; what libcurl calls so is one line of a head beyond its limit. */
    return code == CURLE_OUT_OF_MEMORY ? http_head_too_large : curl_easy_strerror((CURLcode)code);
}

/* Tell the exchange. Its transfer is gone afterwards. */
static int tell(struct transfer *t, CURLcode code, struct err *e)
{
    enum ending ending = t->enough ? ENDED_WELL : transfer_ending((int)code);
    char why[CURL_ERROR_SIZE];

    snprintf(why, sizeof why, "%s", t->reason[0] ? t->reason : transfer_words((int)code));
    if (ending == ENDED_WELL && !t->head_done) {
        ending = ENDED_BROKEN;
        snprintf(why, sizeof why, "the head of the answer has no end");
    }
    return exchange_judge(t->x, ending, why, e);
}

/* ---- the run ---- */

/* Take the first that is due out of the queue; NULL when none is. */
static struct exchange *next_due(struct http *http)
{
    int64_t now = now_ms();

    for (size_t i = 0; i < http->waiting.n; i++) {
        struct exchange *x = http->waiting.v[i];

        if (x->due_ms > now)
            continue;
        http->waiting.n--;
        memmove(&http->waiting.v[i], &http->waiting.v[i + 1],
                (http->waiting.n - i) * sizeof(struct exchange *));
        return x;
    }
    return NULL;
}

static int start_due(struct http *http, unsigned parallel, struct err *e)
{
    struct exchange *x;

    while (http->running.n < parallel && (x = next_due(http))) {
        if (events_cancelled(http->o.events)) {
            exchange_free(x);
            return 0;
        }
        if (exchange_start(x, e) < 0)
            return -1;
    }
    return 0;
}

/* How long nothing but the network can happen. */
static int idle_ms(const struct http *http, unsigned parallel)
{
    int64_t now = now_ms(), idle = HTTP_TICK_MS;

    for (size_t i = 0; http->running.n < parallel && i < http->waiting.n; i++) {
        int64_t left = http->waiting.v[i]->due_ms - now;

        idle = left < idle ? left : idle;
    }
    return idle > 0 ? (int)idle : 0;
}

static void stop_running(struct http *http, struct exchange *x)
{
    for (size_t i = 0; i < http->running.n; i++)
        if (http->running.v[i] == x) {
            http->running.v[i] = http->running.v[--http->running.n];
            return;
        }
}

static int collect(struct http *http, struct err *e)
{
    CURLMsg *msg;
    int left;

    while ((msg = curl_multi_info_read(http->multi, &left))) {
        CURLcode code = msg->data.result;
        struct transfer *t = NULL;

        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &t);
        stop_running(http, t->x);
        if (tell(t, code, e) < 0)
            return -1;
    }
    return 0;
}

/* Why this exchange is as good as dead, or NULL. */
static const char *is_dead(struct transfer *t, int64_t now)
{
    const struct http_options *o = &t->x->http->o;
    int64_t window = now - t->window_ms;

    /* libcurl watches the connecting, but not the waiting for another transfer's connection. */
    if (!t->sent)
        return now - t->begun_ms > 2 * (int64_t)o->connect_ms ? "no connection came about" : NULL;
    if (!t->head_done)
        return now - t->sent_ms > o->header_ms ? "the server does not answer" : NULL;
    if (window < o->stall_ms)
        return NULL;
    if (t->window_got * 1000 < (uint64_t)window * HTTP_STALL_RATE)
        return "the transfer stalled";
    t->window_ms = now;
    t->window_got = 0;
    return NULL;
}

static int bury_dead(struct http *http, struct err *e)
{
    int64_t now = now_ms();

    for (size_t i = http->running.n; i-- > 0;) {
        struct exchange *x = http->running.v[i];
        const char *why = is_dead(x->transfer, now);

        if (!why)
            continue;
        http->running.v[i] = http->running.v[--http->running.n];
        if (exchange_try_again(x, why, e) < 0)
            return -1;
    }
    return 0;
}

/* We were away (hashing, a slow disk): that is not the server's fault. */
static void forgive(struct http *http, int64_t since)
{
    int64_t now = now_ms();

    if (now - since < 1000)
        return;
    for (size_t i = 0; i < http->running.n; i++) {
        struct transfer *t = http->running.v[i]->transfer;

        t->begun_ms = t->sent_ms = t->window_ms = now;
        t->window_got = 0;
    }
}

static int run(struct http *http, unsigned parallel, struct err *e)
{
    int alive;

    while (http->waiting.n || http->running.n) {
        int64_t since = now_ms();

        if (start_due(http, parallel, e) < 0)
            return -1;
        if (events_cancelled(http->o.events))
            return err_set(e, ERR_INTERRUPTED, "interrupted");
        curl_multi_perform(http->multi, &alive);
        if (collect(http, e) < 0)
            return -1;
        forgive(http, since);
        if (bury_dead(http, e) < 0)
            return -1;
        if (http->running.n || http->waiting.n)
            curl_multi_poll(http->multi, NULL, 0, idle_ms(http, parallel), NULL);
    }
    return 0;
}

int http_run(struct http *http, struct http_request *const *requests, size_t n, unsigned parallel,
             int (*done)(void *ctx, struct http_request *r, struct err *e), void *ctx,
             struct err *e)
{
    int result;

    http->done = done;
    http->ctx = ctx;
    for (size_t i = 0; i < n; i++)
        http_add(http, requests[i]);
    result = run(http, parallel ? parallel : 1, e);
    for (size_t i = 0; i < http->running.n; i++)
        exchange_free(http->running.v[i]);
    for (size_t i = 0; i < http->waiting.n; i++)
        exchange_free(http->waiting.v[i]);
    vec_clear(&http->running);
    vec_clear(&http->waiting);
    return result;
}
