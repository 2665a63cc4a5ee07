/* SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "../base/fd.h"
#include "../base/vec.h"
#include "answer.h"
#include "url.h"

enum {
    HEAD_MAX = 64 * 1024,     /* bytes of an answer's head */
    HOPS_MAX = 10,            /* redirects */
    DISCARD_MAX = 256 * 1024, /* bytes of an unwanted body that are read to keep the line */
    UNREACHABLE_TRIES = 3,    /* to a host that cannot be found or does not listen */
    MIRROR_TRIES = 2,         /* where there is another place to ask */
    PROGRESS = 64 * 1024,     /* a try that brought this much starts the count of tries anew */
    TICK_MS = 100,            /* how often cancelling is asked for */
    LATER_MS = 200,           /* HTTP_LATER */
    STALL_RATE = 1024,        /* bytes a second */
    RECEIVE_BUFFER = 256 * 1024,
};

/* A request on its way: one for all its tries and redirects. */
struct transfer {
    struct http *http;
    struct http_request *r;
    bool started;   /* r->start said go */
    int64_t due_ms; /* waiting: not before */
    char *url;      /* owned; changes with redirects */
    unsigned place; /* which of the address's places is asked */
    unsigned hops, tries;
    uint64_t at; /* where in the file the next byte stands */

    /* One exchange. */
    CURL *easy;
    struct curl_slist *headers;
    char reason[CURL_ERROR_SIZE];
    struct answer answer;
    size_t head_bytes;
    bool head_done, enough;
    bool sent; /* the request is out */
    int64_t sent_ms, window_ms;
    uint64_t window_got;
    uint64_t discarded;
    struct err fault; /* of a callback; final */
};

struct http {
    struct http_options o;
    CURLM *multi;
    struct VEC_OF(struct transfer *) waiting, running; /* only during a run */
    struct strs down; /* mirrors that could not be reached; borrowed from the rules */
    int (*done)(void *ctx, struct http_request *r, struct err *e);
    void *ctx;
};

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
    return value ? value : fallback;
}

int http_open(struct http **out, const struct http_options *options, struct err *e)
{
    struct http *http;

    /* Counted and thread-safe since libcurl 7.84, so each handle may do it. */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(e, ERR_SYSTEM, "libcurl cannot be started");
    http = xcalloc(1, sizeof *http);
    http->o = *options;
    http->o.user_agent = options->user_agent ? options->user_agent : "envbuild";
    http->o.connect_ms = or_default(options->connect_ms, 20 * 1000);
    http->o.header_ms = or_default(options->header_ms, 30 * 1000);
    http->o.stall_ms = or_default(options->stall_ms, 60 * 1000);
    http->o.tries = or_default(options->tries, 5);
    http->o.pause_ms = or_default(options->pause_ms, 500);
    http->o.pause_max_ms = or_default(options->pause_max_ms, 60 * 1000);
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

void http_request_clear(struct http_request *r)
{
    err_clear(&r->err);
    free_clear(&r->content_type);
    free_clear(&r->etag);
    free_clear(&r->last_modified);
    free_clear(&r->final_url);
}

/* ---- places ---- */

/* The rule of the longest prefix, or NULL. */
static const struct http_mirrors *rule_of(const struct http *http, struct str url)
{
    const struct http_mirrors *rule, *best = NULL;

    if (http->o.rules)
        vec_each(rule, http->o.rules)
            if (str_starts(url, rule->prefix) && (!best || rule->prefix.len > best->prefix.len))
                best = rule;
    return best;
}

unsigned http_places(const struct http *http, struct str url)
{
    const struct http_mirrors *rule = rule_of(http, url);

    return rule ? (unsigned)rule->mirrors.n + 1 : 1;
}

static bool is_down(const struct http *http, struct str mirror)
{
    for (size_t i = 0; i < http->down.n; i++)
        if (http->down.v[i].p == mirror.p)
            return true;
    return false;
}

static bool at_mirror(const struct transfer *t)
{
    return t->place + 1 < http_places(t->http, t->r->url);
}

/* Go to t->place, or the next one behind it that is up. */
static void go_to_place(struct transfer *t)
{
    const struct http_mirrors *rule = rule_of(t->http, t->r->url);
    struct str rest = t->r->url;
    struct buf url = {0};

    while (at_mirror(t) && is_down(t->http, rule->mirrors.v[t->place]))
        t->place++;
    if (at_mirror(t)) {
        str_skip(&rest, rule->prefix);
        buf_str(&url, rule->mirrors.v[t->place]);
    }
    buf_str(&url, rest);
    free(t->url);
    t->url = buf_take(&url);
    t->hops = 0;
}

/* ---- what came ---- */

static unsigned status_of(struct transfer *t)
{
    long status = 0;

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    return (unsigned)status;
}

static int fault(struct transfer *t, enum err_kind kind, const char *why)
{
    CLEANUP(buf_clear) struct buf shown = {0};

    url_show(&shown, str_of(t->url));
    return err_set(&t->fault, kind, "%s: %s", shown.p ? shown.p : "", why);
}

static bool is_ranged(const struct http_request *r, uint64_t at)
{
    return at || r->to || r->last;
}

/* A 206 must be what was asked for: bytes of another place would be written to the wrong one. */
static int check_range(struct transfer *t)
{
    const struct http_request *r = t->r;
    const struct answer *a = &t->answer;

    if (!is_ranged(r, t->at) || !a->has_range)
        return fault(t, ERR_NET, "the server sends part of a file that was not asked for");
    if (r->last ? a->total && a->first && a->total - a->first != r->last : a->first != t->at)
        return fault(t, ERR_NET, "the server sends another range than was asked for");
    if (r->to && a->last >= r->to)
        return fault(t, ERR_NET, "the server sends more than was asked for");
    t->at = a->first;
    return 0;
}

static int begin_body(struct transfer *t, unsigned status)
{
    struct http_request *r = t->r;
    const struct answer *a = &t->answer;

    if (status == 206) {
        if (check_range(t) < 0)
            return -1;
        r->total = a->total;
    } else {
        t->at = 0;
        r->total = a->has_length && !r->compressed ? a->length : 0;
    }
    if (r->limit && a->has_length && !r->compressed && a->length > r->limit)
        return fault(t, ERR_NET, "it is larger than is allowed here");
    r->got = 0;
    return r->begin ? r->begin(r->ctx, r, t->at, &t->fault) : 0;
}

static int take_body(struct transfer *t, const void *bytes, size_t len)
{
    struct http_request *r = t->r;

    if (r->limit && len > r->limit - r->got)
        return fault(t, ERR_NET, "it is larger than is allowed here");
    r->got += len;
    t->at += len;
    return r->write && len ? r->write(r->ctx, bytes, len, &t->fault) : 0;
}

static bool is_good(unsigned status)
{
    return status >= 200 && status < 300;
}

static size_t on_header(char *line, size_t one, size_t len, void *ctx)
{
    struct transfer *t = ctx;
    struct str text = {line, len * one};
    unsigned status;

    if (t->head_done && !str_starts(text, STR("HTTP/")))
        return text.len; /* a trailer */
    t->head_bytes += text.len;
    if (t->head_bytes > HEAD_MAX) {
        fault(t, ERR_NET, "the head of the answer is larger than 64 KiB");
        return 0;
    }
    if (str_starts(text, STR("HTTP/"))) {
        t->head_done = false;
        answer_clear(&t->answer);
        return text.len;
    }
    if (str_trim(text).len) {
        answer_line(&t->answer, text, (int64_t)time(NULL));
        return text.len;
    }
    status = status_of(t);
    if (status < 200)
        return text.len; /* interim; the real head follows */
    t->head_done = true;
    t->window_ms = now_ms();
    t->r->status = status;
    return is_good(status) && begin_body(t, status) < 0 ? 0 : text.len;
}

static size_t on_body(char *bytes, size_t one, size_t len, void *ctx)
{
    struct transfer *t = ctx;
    size_t n = one * len;

    t->window_got += n;
    if (is_good(t->r->status))
        return take_body(t, bytes, n) < 0 ? CURL_WRITEFUNC_ERROR : n;
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

/* ---- one exchange ---- */

static bool is_secret(struct str header)
{
    static const char *const names[] = {"authorization:", "cookie:", "proxy-authorization:"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq_nocase(str_sub(header, 0, strlen(names[i])), str_of(names[i])))
            return true;
    return false;
}

static bool at_home(struct transfer *t)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* no address, no credential */
    struct url home, here;

    return url_parse(&home, t->r->url, &ignored) == 0 &&
           url_parse(&here, str_of(t->url), &ignored) == 0 && url_same_origin(&home, &here);
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
    const struct auth *auth = t->http->o.auth;
    const char *header;
    struct url here;

    if (!auth || url_parse(&here, str_of(t->url), &ignored) < 0)
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

    for (size_t i = 0; i < t->r->headers_n; i++)
        if (home || !is_secret(str_of(t->r->headers[i])))
            add_header(t, t->r->headers[i]);
    set_credential(t);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
}

static void set_range(struct transfer *t)
{
    const struct http_request *r = t->r;
    char range[64];

    if (!is_ranged(r, t->at))
        return;
    if (r->last)
        snprintf(range, sizeof range, "-%llu", (unsigned long long)r->last);
    else if (r->to)
        snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)t->at,
                 (unsigned long long)r->to - 1);
    else
        snprintf(range, sizeof range, "%llu-", (unsigned long long)t->at);
    curl_easy_setopt(t->easy, CURLOPT_RANGE, range);
}

static void set_options(struct transfer *t)
{
    const struct http_options *o = &t->http->o;
    CURL *c = t->easy;

    curl_easy_setopt(c, CURLOPT_URL, t->url);
    curl_easy_setopt(c, CURLOPT_PRIVATE, t);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->reason);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, o->user_agent);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_ms);
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_sending);
    curl_easy_setopt(c, CURLOPT_PREREQDATA, t);
    if (o->ca_file)
        curl_easy_setopt(c, CURLOPT_CAINFO, o->ca_file);
    if (o->ca_dir)
        curl_easy_setopt(c, CURLOPT_CAPATH, o->ca_dir);
    if (t->r->compressed)
        curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    if (t->r->resume) {
        /* Large files: a line each, so that no stream's window holds back the others. */
        curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    } else {
        curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
        curl_easy_setopt(c, CURLOPT_PIPEWAIT, 1L);
    }
    set_headers(t);
    set_range(t);
}

static void exchange_begin(struct transfer *t)
{
    t->reason[0] = '\0';
    t->head_bytes = 0;
    t->head_done = t->enough = t->sent = false;
    t->window_got = t->discarded = 0;
    t->r->status = 0;
    t->r->got = 0;
    t->easy = curl_easy_init();
    if (!t->easy)
        abort(); /* out of memory */
    set_options(t);
    curl_multi_add_handle(t->http->multi, t->easy);
}

static void exchange_end(struct transfer *t)
{
    if (t->easy) {
        curl_multi_remove_handle(t->http->multi, t->easy);
        curl_easy_cleanup(t->easy);
        t->easy = NULL;
    }
    curl_slist_free_all(t->headers);
    t->headers = NULL;
}

/* ---- file:// ---- */

static int file_body(struct transfer *t, int fd, const char *path, uint64_t size)
{
    CLEANUP(free_clear) char *chunk = xmalloc(RECEIVE_BUFFER);
    struct http_request *r = t->r;
    uint64_t end = r->to && r->to < size ? r->to : size;

    if (r->last)
        t->at = r->last < size ? size - r->last : 0;
    if (t->at && t->at >= end)
        return fault(t, ERR_NET, "the file ends before the range that was asked for");
    r->status = is_ranged(r, t->at) ? 206 : 200;
    r->total = size;
    if (r->begin && r->begin(r->ctx, r, t->at, &t->fault) < 0)
        return -1;
    while (t->at < end) {
        size_t n = end - t->at < RECEIVE_BUFFER ? (size_t)(end - t->at) : RECEIVE_BUFFER;

        if (events_cancelled(t->http->o.events))
            return 0; /* the run is told right after */
        if (fd_pread_all(fd, chunk, n, t->at, path, &t->fault) < 0 || take_body(t, chunk, n) < 0)
            return -1;
    }
    return 0;
}

static int file_get(struct transfer *t, const struct url *u)
{
    CLEANUP(buf_clear) struct buf path = {0};
    CLEANUP(fd_clear) struct fd fd = {0};
    struct stat st;

    t->r->got = 0;
    if (url_decode(&path, u->path, &t->fault) < 0)
        return -1;
    fd.n = open(path.len ? path.p : "/", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    fd.open = fd.n >= 0;
    if (!fd.open) {
        t->r->status = errno == ENOENT || errno == ENOTDIR ? 404 : 403;
        return fault(t, ERR_NET, strerror(errno));
    }
    if (fstat(fd.n, &st) < 0 || !S_ISREG(st.st_mode)) {
        t->r->status = 404;
        return fault(t, ERR_NET, "it is no file");
    }
    return file_body(t, fd.n, path.p, (uint64_t)st.st_size);
}

/* ---- the life of a transfer ---- */

static void transfer_free(struct transfer *t)
{
    exchange_end(t);
    answer_clear(&t->answer);
    err_clear(&t->fault);
    free(t->url);
    free(t);
}

/* The request is over: hand its results out and tell the caller. */
static int finish(struct transfer *t, struct err *e)
{
    struct http_request *r = t->r;
    struct http *http = t->http;

    exchange_end(t);
    r->tries = t->tries;
    MOVE(&r->err, &t->fault);
    MOVE(&r->content_type, &t->answer.content_type);
    MOVE(&r->etag, &t->answer.etag);
    MOVE(&r->last_modified, &t->answer.last_modified);
    if (t->hops)
        MOVE(&r->final_url, &t->url);
    else /* where a mirror answered, it stood in for this */
        r->final_url = str_dup(r->url);
    transfer_free(t);
    return http->done ? http->done(http->ctx, r, e) : 0;
}

static void wait_until(struct transfer *t, int64_t due_ms);

/* A mirror could not serve it: on to the next place. */
static int leave_mirror(struct transfer *t, const char *why)
{
    CLEANUP(buf_clear) struct buf shown = {0};

    url_show(&shown, str_of(t->url));
    events_note(t->http->o.events, "%s: %s; asking the next place", shown.p, why);
    t->place++;
    t->tries = 0;
    if (!t->r->resume)
        t->at = t->r->from;
    go_to_place(t);
    wait_until(t, 0);
    return 0;
}

static int fail(struct transfer *t, const char *why, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};

    if (at_mirror(t))
        return leave_mirror(t, why);
    buf_puts(&text, why);
    if (t->tries > 1)
        buf_fmt(&text, " (tried %u times)", t->tries);
    fault(t, ERR_NET, text.p);
    return finish(t, e);
}

static void wait_until(struct transfer *t, int64_t due_ms)
{
    exchange_end(t);
    t->due_ms = due_ms;
    vec_add(&t->http->waiting, t);
}

static uint32_t pause_ms(const struct transfer *t)
{
    const struct http_options *o = &t->http->o;
    uint64_t pause = (uint64_t)o->pause_ms << (t->tries < 16 ? t->tries - 1 : 15);
    uint64_t asked = (uint64_t)t->answer.retry_after_s * 1000;

    pause = asked > pause ? asked : pause;
    return pause > o->pause_max_ms ? o->pause_max_ms : (uint32_t)pause;
}

/* Something that may pass: try again, unless that was done often enough. */
static int try_again(struct transfer *t, const char *why, struct err *e)
{
    CLEANUP(buf_clear) struct buf shown = {0};
    struct http_request *r = t->r;
    uint32_t pause;

    if (r->resume && r->got >= PROGRESS)
        t->tries = 1; /* slowly, but it moves */
    if (t->tries >= (at_mirror(t) ? MIRROR_TRIES : t->http->o.tries))
        return fail(t, why, e);
    if (!r->resume || r->last || r->status == 416)
        t->at = r->from;
    go_to_place(t); /* from where it began: what it was redirected to may have expired */
    pause = pause_ms(t);
    url_show(&shown, str_of(t->url));
    events_note(t->http->o.events, "%s: %s; trying again in %u ms", shown.p, why, pause);
    wait_until(t, now_ms() + pause);
    return 0;
}

/* Nobody there: people without a network should not wait long to be told. */
static int unreachable(struct transfer *t, const char *why, struct err *e)
{
    if (at_mirror(t) && !t->hops)
        vec_add(&t->http->down, rule_of(t->http, t->r->url)->mirrors.v[t->place]);
    return at_mirror(t) || t->tries >= UNREACHABLE_TRIES ? fail(t, why, e) : try_again(t, why, e);
}

static int follow(struct transfer *t, struct err *e)
{
    CLEANUP(buf_clear) struct buf next = {0};
    CLEANUP(err_clear) struct err bad = {0};
    struct url here, there;

    if (!t->answer.location)
        return fail(t, "the server redirects to nowhere", e);
    if (++t->hops > HOPS_MAX)
        return fail(t, "more than 10 redirects", e);
    if (url_join(&next, str_of(t->url), str_of(t->answer.location), &bad) < 0 ||
        url_parse(&there, buf_view(&next), &bad) < 0 || url_parse(&here, str_of(t->url), &bad) < 0)
        return fail(t, "the server redirects to something that is no address", e);
    if (url_is_file(&there))
        return fail(t, "the server redirects to a local file", e);
    if (url_is_https(&here) && !url_is_https(&there))
        return fail(t, "the server redirects from https to http, which is refused", e);
    free(t->url);
    t->url = buf_take(&next);
    t->tries--; /* the exchange that follows is part of the same try */
    wait_until(t, 0);
    return 0;
}

static bool is_passing(unsigned status)
{
    return status == 408 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}

static bool is_redirect(unsigned status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Whether nobody told who we are, or the server does not like who we are. */
static const char *credential_fault(const struct transfer *t, unsigned status)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* parsed before */
    struct url here;
    bool known = t->http->o.auth && url_parse(&here, str_of(t->url), &ignored) == 0 &&
                 auth_header(t->http->o.auth, &here);

    if (status == 403)
        return known ? "HTTP 403: the user or token that is set for it may not read this"
                     : "HTTP 403";
    return known ? "HTTP 401: the user, password or token that is set for it is refused"
                 : "HTTP 401: it wants a user and a password; ~/.netrc, "
                   "ENVBUILD_INDEX_<NAME>_PASSWORD "
                   "or a keyring can hold them";
}

static int judge_status(struct transfer *t, struct err *e)
{
    unsigned status = t->r->status;
    const struct answer *a = &t->answer;
    char text[32];

    if (status == 206 && t->r->got != a->last - a->first + 1)
        return try_again(t, "the answer ends early", e);
    if (is_good(status) || status == 304)
        return finish(t, e);
    if (is_redirect(status))
        return follow(t, e);
    snprintf(text, sizeof text, "HTTP %u", status);
    /* 416 after resuming: the file is not what it was, so from the start. */
    if (status == 401 || status == 403)
        return fail(t, credential_fault(t, status), e);
    if (is_passing(status) || (status == 416 && t->at > t->r->from))
        return try_again(t, text, e);
    return fail(t, text, e);
}

static const char *reason_of(const struct transfer *t, CURLcode code)
{
    return t->reason[0] ? t->reason : curl_easy_strerror(code);
}

static int judge_failure(struct transfer *t, CURLcode code, struct err *e)
{
    CLEANUP(buf_clear) struct buf why = {0};
    struct url u = {0};
    CLEANUP(err_clear) struct err ignored = {0}; /* parsed before */

    (void)!url_parse(&u, str_of(t->url), &ignored);
    switch ((int)code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        buf_fmt(&why, "cannot resolve host " STR_FMT, STR_ARG(u.host));
        return unreachable(t, why.p, e);
    case CURLE_COULDNT_RESOLVE_PROXY:
        return unreachable(t, "cannot resolve the proxy's host; see HTTPS_PROXY and HTTP_PROXY", e);
    case CURLE_COULDNT_CONNECT:
        buf_fmt(&why, "cannot connect: %s", reason_of(t, code));
        return unreachable(t, why.p, e);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        buf_fmt(&why,
                "the server's certificate is not trusted: %s; if your network has a certificate "
                "authority of its own, name its file in SSL_CERT_FILE",
                reason_of(t, code));
        return fail(t, why.p, e);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_PROXY:
        buf_fmt(&why, "the line broke: %s", reason_of(t, code));
        return try_again(t, why.p, e);
    default:
        return fail(t, reason_of(t, code), e);
    }
}

static int judge(struct transfer *t, CURLcode code, struct err *e)
{
    if (err_is_set(&t->fault))
        return finish(t, e);
    if (code != CURLE_OK && !t->enough)
        return judge_failure(t, code, e);
    return judge_status(t, e);
}

/* One more exchange, or the whole of it for a local file. */
static int launch(struct transfer *t, struct err *e)
{
    struct url u;

    t->tries++;
    answer_clear(&t->answer);
    if (url_parse(&u, str_of(t->url), &t->fault) < 0)
        return finish(t, e);
    if (url_is_file(&u)) {
        (void)!file_get(t, &u); /* its fault is in t */
        return finish(t, e);
    }
    if (t->http->o.local_only)
        return fail(t, "offline, and it is not in the store; run once without --offline", e);
    vec_add(&t->http->running, t);
    exchange_begin(t);
    return 0;
}

/* Ask a request whether it still wants to run; then launch it. */
static int start(struct transfer *t, struct err *e)
{
    struct http_request *r = t->r;
    enum http_start go = HTTP_GO;

    if (!t->started && r->start)
        go = r->start(r->ctx, r, &t->fault);
    switch (go) {
    case HTTP_LATER:
        wait_until(t, now_ms() + LATER_MS);
        return 0;
    case HTTP_SKIP:
    case HTTP_FAIL:
        return finish(t, e);
    case HTTP_GO:
        break;
    }
    if (!t->started)
        t->at = r->from;
    t->started = true;
    return launch(t, e);
}

/* ---- the run ---- */

void http_add(struct http *http, struct http_request *r)
{
    struct transfer *t = xcalloc(1, sizeof *t);

    http_request_clear(r);
    t->http = http;
    t->r = r;
    t->place = r->skip;
    go_to_place(t);
    vec_add(&http->waiting, t);
}

/* Take the first that is due out of the queue; NULL when none is. */
static struct transfer *next_due(struct http *http)
{
    int64_t now = now_ms();

    for (size_t i = 0; i < http->waiting.n; i++) {
        struct transfer *t = http->waiting.v[i];

        if (t->due_ms > now)
            continue;
        http->waiting.n--;
        memmove(&http->waiting.v[i], &http->waiting.v[i + 1],
                (http->waiting.n - i) * sizeof(struct transfer *));
        return t;
    }
    return NULL;
}

static int start_due(struct http *http, unsigned parallel, struct err *e)
{
    struct transfer *t;

    while (http->running.n < parallel && (t = next_due(http))) {
        if (events_cancelled(http->o.events)) {
            transfer_free(t);
            return 0;
        }
        if (start(t, e) < 0)
            return -1;
    }
    return 0;
}

/* How long nothing but the network can happen. */
static int idle_ms(const struct http *http, unsigned parallel)
{
    int64_t now = now_ms(), idle = TICK_MS;

    for (size_t i = 0; http->running.n < parallel && i < http->waiting.n; i++) {
        int64_t left = http->waiting.v[i]->due_ms - now;

        idle = left < idle ? left : idle;
    }
    return idle > 0 ? (int)idle : 0;
}

static void stop_running(struct http *http, struct transfer *t)
{
    for (size_t i = 0; i < http->running.n; i++)
        if (http->running.v[i] == t) {
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
        stop_running(http, t);
        if (judge(t, code, e) < 0)
            return -1;
    }
    return 0;
}

/* Why this exchange is as good as dead, or NULL. */
static const char *is_dead(struct transfer *t, int64_t now)
{
    const struct http_options *o = &t->http->o;
    int64_t window = now - t->window_ms;

    if (!t->sent)
        return NULL; /* libcurl watches the connecting */
    if (!t->head_done)
        return now - t->sent_ms > o->header_ms ? "the server does not answer" : NULL;
    if (window < o->stall_ms)
        return NULL;
    if (t->window_got * 1000 < (uint64_t)window * STALL_RATE)
        return "the transfer stalled";
    t->window_ms = now;
    t->window_got = 0;
    return NULL;
}

static int bury_dead(struct http *http, struct err *e)
{
    int64_t now = now_ms();

    for (size_t i = http->running.n; i-- > 0;) {
        struct transfer *t = http->running.v[i];
        const char *why = is_dead(t, now);

        if (!why)
            continue;
        http->running.v[i] = http->running.v[--http->running.n];
        if (try_again(t, why, e) < 0)
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
        http->running.v[i]->sent_ms = http->running.v[i]->window_ms = now;
        http->running.v[i]->window_got = 0;
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
        transfer_free(http->running.v[i]);
    for (size_t i = 0; i < http->waiting.n; i++)
        transfer_free(http->waiting.v[i]);
    vec_clear(&http->running);
    vec_clear(&http->waiting);
    return result;
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
