/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include <curl/curl.h>
#include <pthread.h>
#include <time.h>

#include "http_parts.h"
#include "pace.h"
#include "url.h"

enum {
    PATIENT_MS = 10 * 60 * 1000,
    LAST_WORDS_MS = 2000,
    SEND_BUFFER = 512 * 1024,
};

/* Each call has a multi handle to itself while it runs, and with it the connections that its
 * predecessors left; so threads share connections without sharing handles. */
struct caller {
    struct http_options o;
    struct pace *own; /* where the options bring none */
    pthread_mutex_t lock;
    struct VEC_OF(CURLM *) idle;
};

struct call {
    struct caller *caller;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    char *url; /* owned */
    char reason[CURL_ERROR_SIZE];
    enum call_haste haste;
    enum call_body body;
    uint64_t left; /* of a sized body, not yet pushed */

    const char *push; /* what call_write() has still to hand over */
    size_t push_len;
    bool push_over, push_waits; /* libcurl waits for more to send */

    struct buf in; /* what came and was not read */
    size_t in_at;
    bool in_waits; /* libcurl waits for it to be read */

    bool sent; /* the request's head is out */
    bool head_done, done;
    size_t head_bytes;
    unsigned status;
    struct answer answer;
    CURLcode code;
    const char *broken; /* what we ended it for */
    int64_t begun_ms;
    int64_t asked_ms, turned_ms; /* since when somebody waits, and when that was last looked at */
    int64_t window_ms;           /* for which somebody has waited for bytes */
    uint64_t line_bytes;         /* of both bodies, before that */
    bool may_pass, no_line, untrusted;
};

int caller_open(struct caller **out, const struct http_options *options, struct err *e)
{
    struct caller *c;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(e, ERR_SYSTEM, "libcurl cannot be started");
    c = xcalloc(1, sizeof *c);
    c->o = *options;
    http_options_fill(&c->o);
    if (!c->o.pace)
        c->o.pace = c->own = pace_open();
    pthread_mutex_init(&c->lock, NULL);
    *out = c;
    return 0;
}

void caller_clear(struct caller **caller)
{
    struct caller *c = *caller;

    if (!c)
        return;
    for (size_t i = 0; i < c->idle.n; i++)
        curl_multi_cleanup(c->idle.v[i]);
    vec_clear(&c->idle);
    pace_clear(&c->own);
    pthread_mutex_destroy(&c->lock);
    curl_global_cleanup();
    free(c);
    *caller = NULL;
}

const struct http_options *caller_options(const struct caller *caller)
{
    return &caller->o;
}

static CURLM *take_multi(struct caller *c)
{
    CURLM *multi = NULL;

    pthread_mutex_lock(&c->lock);
    if (c->idle.n)
        multi = c->idle.v[--c->idle.n];
    pthread_mutex_unlock(&c->lock);
    if (!multi)
        multi = curl_multi_init();
    if (!multi)
        abort(); /* out of memory */
    return multi;
}

static void give_multi(struct caller *c, CURLM *multi)
{
    pthread_mutex_lock(&c->lock);
    vec_add(&c->idle, multi);
    pthread_mutex_unlock(&c->lock);
}

/* ---- what libcurl asks and tells ---- */

static size_t on_need(char *to, size_t one, size_t n, void *ctx)
{
    struct call *c = ctx;
    size_t take = one * n < c->push_len ? one * n : c->push_len;

    if (!take && !c->push_over) {
        c->push_waits = true;
        return CURL_READFUNC_PAUSE;
    }
    if (take) {
        memcpy(to, c->push, take);
        c->push += take;
        c->push_len -= take;
    }
    return take;
}

static size_t on_header(char *line, size_t one, size_t len, void *ctx)
{
    struct call *c = ctx;
    struct str text = {line, one * len};
    long status = 0;

    if (c->head_done && !str_starts(text, STR("HTTP/")))
        return text.len; /* a trailer */
    c->head_bytes += text.len;
    if (c->head_bytes > HTTP_HEAD_MAX) {
        c->broken = http_head_too_large;
        return 0;
    }
    if (str_starts(text, STR("HTTP/"))) {
        c->head_done = false;
        answer_clear(&c->answer);
        c->answer.old = str_starts(text, STR("HTTP/1.0"));
    } else if (str_trim(text).len) {
        answer_line(&c->answer, text, (int64_t)time(NULL));
    } else {
        curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
        c->head_done = status >= 200; /* else interim; the real head follows */
        c->status = (unsigned)status;
        c->window_ms = 0;
    }
    return text.len;
}

static size_t on_body(char *bytes, size_t one, size_t len, void *ctx)
{
    struct call *c = ctx;

    if (c->in_at < c->in.len) {
        c->in_waits = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    buf_reset(&c->in);
    c->in_at = 0;
    buf_add(&c->in, bytes, one * len);
    return one * len;
}

static int on_sending(void *ctx, char *ip, char *local_ip, int port, int local_port)
{
    struct call *c = ctx;

    c->sent = true;
    c->asked_ms = now_ms();
    return CURL_PREREQFUNC_OK;
}

/* ---- a call ---- */

static void add_header(struct call *c, const char *line)
{
    struct curl_slist *list = curl_slist_append(c->headers, line);

    if (!list)
        abort(); /* out of memory */
    c->headers = list;
}

static void set_body(struct call *c, const struct call_ask *ask)
{
    curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, ask->method);
    if (strcmp(ask->method, "HEAD") == 0)
        curl_easy_setopt(c->easy, CURLOPT_NOBODY, 1L);
    if (ask->body == CALL_NO_BODY)
        return;
    curl_easy_setopt(c->easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(c->easy, CURLOPT_READFUNCTION, on_need);
    curl_easy_setopt(c->easy, CURLOPT_READDATA, c);
    curl_easy_setopt(c->easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)SEND_BUFFER);
    curl_easy_setopt(c->easy, CURLOPT_INFILESIZE_LARGE,
                     ask->body == CALL_SIZED ? (curl_off_t)ask->size : (curl_off_t)-1);
    add_header(c, "Expect:"); /* or libcurl waits a second for those that never say 100 */
}

/* The user's certificate is for one server. */
static void set_certificate(struct call *c, const struct url *u)
{
    const struct http_options *o = &c->caller->o;
    CLEANUP(err_clear) struct err ignored = {0}; /* then it is for nobody */
    struct url home;

    if (!o->client_cert || url_parse(&home, o->client_origin, &ignored) < 0 ||
        !url_same_origin(&home, u))
        return;
    curl_easy_setopt(c->easy, CURLOPT_SSLCERT, o->client_cert);
    if (o->client_key)
        curl_easy_setopt(c->easy, CURLOPT_SSLKEY, o->client_key);
}

static void set_options(struct call *c, const struct call_ask *ask, const struct url *u)
{
    struct http_options o = c->caller->o;

    o.unverified = o.unverified && !ask->verified;
    transfer_common(c->easy, &o);
    if (url_host_is_loopback(u->host)) /* what is for this machine does not leave it */
        curl_easy_setopt(c->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(c->easy, CURLOPT_URL, c->url);
    curl_easy_setopt(c->easy, CURLOPT_ERRORBUFFER, c->reason);
    curl_easy_setopt(c->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c->easy, CURLOPT_HEADERDATA, c);
    curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(c->easy, CURLOPT_PREREQFUNCTION, on_sending);
    curl_easy_setopt(c->easy, CURLOPT_PREREQDATA, c);
    set_certificate(c, u);
    set_body(c, ask);
    /* Digests are of the bytes as they are; who says nothing may be sent others. */
    add_header(c, "Accept-Encoding: identity");
    for (size_t i = 0; i < ask->headers_n; i++)
        add_header(c, ask->headers[i]);
    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
}

static int fault(struct call *c, enum err_kind kind, const char *why, struct err *e)
{
    CLEANUP(buf_clear) struct buf shown = {0};

    url_show(&shown, str_of(c->url));
    return err_set(e, kind, "%s: %s", shown.p ? shown.p : "", why);
}

int call_open(struct call **out, struct caller *caller, const struct call_ask *ask, struct err *e)
{
    struct url u;
    struct call *c;

    if (url_parse(&u, ask->url, e) < 0)
        return -1;
    if (url_is_file(&u))
        return err_set(e, ERR_INPUT, "a registry is asked for by http or https");
    if (ask->haste != CALL_LAST_WORDS && pace_wait(caller->o.pace, caller->o.events, e) < 0)
        return -1;
    c = xcalloc(1, sizeof *c);
    c->caller = caller;
    c->url = str_dup(ask->url);
    c->haste = ask->haste;
    c->body = ask->body;
    c->left = ask->size;
    c->push_over = ask->body == CALL_NO_BODY;
    c->begun_ms = now_ms();
    c->multi = take_multi(caller);
    c->easy = curl_easy_init();
    if (!c->easy)
        abort(); /* out of memory */
    set_options(c, ask, &u);
    curl_multi_add_handle(c->multi, c->easy);
    *out = c;
    return 0;
}

void call_clear(struct call **call)
{
    struct call *c = *call;

    if (!c)
        return;
    curl_multi_remove_handle(c->multi, c->easy);
    curl_easy_cleanup(c->easy);
    give_multi(c->caller, c->multi);
    curl_slist_free_all(c->headers); /* what was secret in it is the caller's to wipe */
    answer_clear(&c->answer);
    buf_clear(&c->in);
    free(c->url);
    free(c);
    *call = NULL;
}

bool call_may_pass(const struct call *c)
{
    return c->may_pass;
}

bool call_no_line(const struct call *c)
{
    return c->no_line;
}

bool call_untrusted(const struct call *c)
{
    return c->untrusted;
}

const struct answer *call_head(const struct call *c)
{
    return &c->answer;
}

/* ---- driving it ---- */

/* Somebody begins to wait here. Only what happens from then on counts. */
static void begin_wait(struct call *c)
{
    c->asked_ms = c->turned_ms = now_ms();
}

/* Do fewer bytes move than what is worth waiting for? */
static bool is_slow(struct call *c, int64_t now)
{
    curl_off_t up = 0, down = 0;
    uint64_t all;
    bool slow;

    c->window_ms += now - c->turned_ms;
    if (c->window_ms < c->caller->o.stall_ms)
        return false;
    curl_easy_getinfo(c->easy, CURLINFO_SIZE_UPLOAD_T, &up);
    curl_easy_getinfo(c->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
    all = (uint64_t)up + (uint64_t)down;
    slow = (all - c->line_bytes) * 1000 < (uint64_t)c->window_ms * HTTP_STALL_RATE;
    c->line_bytes = all;
    c->window_ms = 0;
    return slow;
}

/* Why it is as good as dead, or NULL. */
static const char *is_dead(struct call *c)
{
    const struct http_options *o = &c->caller->o;
    int64_t now = now_ms(), still = now - c->asked_ms;
    bool slow = c->sent && (c->push_len || c->head_done) && is_slow(c, now);

    c->turned_ms = now;

    if (c->haste == CALL_LAST_WORDS)
        return now - c->begun_ms > LAST_WORDS_MS ? "the server does not answer" : NULL;
    if (!c->sent)
        return still > 2 * (int64_t)o->connect_ms ? "no connection came about" : NULL;
    if (c->push_len || c->head_done)
        return slow ? "the transfer stalled" : NULL;
    return still > (c->haste == CALL_PATIENT ? (int64_t)PATIENT_MS : (int64_t)o->header_ms)
               ? "the server does not answer"
               : NULL;
}

static void end(struct call *c, CURLcode code)
{
    c->done = true;
    c->code = code;
    curl_multi_remove_handle(c->multi, c->easy);
}

/* Let something happen. */
static int turn(struct call *c, struct err *e)
{
    CURLMsg *msg;
    int alive, left;
    const char *dead;

    if (c->haste != CALL_LAST_WORDS && events_cancelled(c->caller->o.events))
        return err_set(e, ERR_INTERRUPTED, "interrupted");
    curl_multi_perform(c->multi, &alive);
    while ((msg = curl_multi_info_read(c->multi, &left)))
        if (msg->msg == CURLMSG_DONE)
            end(c, msg->data.result);
    dead = c->done ? NULL : is_dead(c);
    if (dead) {
        c->broken = dead;
        end(c, CURLE_OPERATION_TIMEDOUT);
    }
    return 0;
}

static void wait_for_line(struct call *c)
{
    if (!c->done)
        curl_multi_poll(c->multi, NULL, 0, HTTP_TICK_MS, NULL);
}

/* It ended without what was waited for. */
static int tell_broken(struct call *c, struct err *e)
{
    CLEANUP(buf_clear) struct buf words = {0};
    const char *why = c->broken      ? c->broken
                      : c->reason[0] ? c->reason
                      : c->code      ? transfer_words((int)c->code)
                                     : "the answer has no end";
    enum ending ending = c->code ? transfer_ending((int)c->code) : ENDED_BROKEN;

    c->may_pass = ending == ENDED_BROKEN || ending == ENDED_NO_HOST || ending == ENDED_NO_LINE ||
                  ending == ENDED_NO_PROXY;
    c->untrusted = ending == ENDED_UNTRUSTED;
    c->no_line = !c->sent && (ending == ENDED_NO_LINE || c->code == CURLE_SSL_CONNECT_ERROR ||
                              (ending == ENDED_BROKEN && c->code != CURLE_OPERATION_TIMEDOUT));
    ending_words(&words, ending, why, str_of(c->url));
    return fault(c, ERR_NET, words.p, e);
}

static void wake(struct call *c)
{
    if (!c->done && ((c->push_waits && (c->push_len || c->push_over)) ||
                     (c->in_waits && c->in_at == c->in.len))) {
        c->push_waits = c->in_waits = false;
        curl_easy_pause(c->easy, CURLPAUSE_CONT);
    }
}

int call_write(struct call *c, const void *bytes, size_t len, bool *taken, struct err *e)
{
    c->push = bytes;
    c->push_len = len;
    begin_wait(c);
    wake(c);
    while (c->push_len && !c->done && !c->in_waits) {
        if (turn(c, e) < 0)
            return -1;
        if (c->push_len && !c->push_waits && !c->in_waits)
            wait_for_line(c);
    }
    *taken = !c->push_len;
    c->push_len = 0; /* the bytes are the caller's */
    if (!*taken && c->done && !c->head_done)
        return tell_broken(c, e);
    return 0;
}

int call_answer(struct call *c, unsigned *status, struct err *e)
{
    c->push_over = true;
    begin_wait(c);
    wake(c);
    while (!c->head_done && !c->done) {
        if (turn(c, e) < 0)
            return -1;
        if (!c->head_done)
            wait_for_line(c);
    }
    if (!c->head_done)
        return tell_broken(c, e);
    pace_answered(c->caller->o.pace, &c->caller->o, c->status == 429, c->begun_ms,
                  c->answer.retry_after_s);
    *status = c->status;
    return 0;
}

int call_read(struct call *c, void *to, size_t len, size_t *got, struct err *e)
{
    begin_wait(c);
    while (c->in_at == c->in.len && !c->done) {
        wake(c);
        if (turn(c, e) < 0)
            return -1;
        if (c->in_at == c->in.len)
            wait_for_line(c);
    }
    if (c->in_at == c->in.len && c->code != CURLE_OK)
        return tell_broken(c, e);
    *got = c->in.len - c->in_at < len ? c->in.len - c->in_at : len;
    if (*got)
        memcpy(to, c->in.p + c->in_at, *got);
    c->in_at += *got;
    return 0;
}
