/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/vec.h"
#include "call.h"
#include "http_parts.h"
#include "url.h"

bool call_status_may_pass(unsigned status)
{
    return http_is_passing(status);
}

const char *call_location(struct buf *out, struct str from, const char *location)
{
    return http_redirect(out, from, location);
}

int64_t caller_now_ms(void)
{
    return now_ms();
}

unsigned caller_tries(const struct caller *caller)
{
    return caller_options(caller)->tries;
}

int caller_pause(const struct caller *caller, unsigned tries, uint32_t retry_after_s,
                 const char *why, struct err *e)
{
    const struct http_options *o = caller_options(caller);
    uint32_t pause = http_pause_ms(o, tries ? tries : 1, retry_after_s);
    struct wait wait = {.events = o->events};
    int64_t until;

    pause += http_jitter(pause);
    events_note(o->events, "%s; trying again in %u ms", why, pause);
    for (until = now_ms() + pause; now_ms() < until;)
        if (wait_nap(&wait, e, "%s; waiting before the next try", why) < 0)
            return -1;
    return 0;
}

/* ---- redirects ---- */

static bool same_origin(struct str a, struct str b)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* no address, no credential */
    struct url x, y;

    return url_parse(&x, a, &ignored) == 0 && url_parse(&y, b, &ignored) == 0 &&
           url_same_origin(&x, &y);
}

struct hop {
    struct buf url;
    struct VEC_OF(const char *) headers;
};

static void hop_clear(struct hop *h)
{
    buf_clear(&h->url);
    vec_clear(&h->headers);
}

/* Of what goes to another origin, secrets stay here. */
static void set_headers(struct hop *h, const struct call_ask *ask)
{
    bool home = same_origin(ask->url, buf_view(&h->url));

    h->headers.n = 0;
    for (size_t i = 0; i < ask->headers_n; i++)
        if (home || !header_is_secret(str_of(ask->headers[i])))
            vec_add(&h->headers, ask->headers[i]);
}

static bool follows(const struct call_ask *ask)
{
    return !ask->stays && (strcmp(ask->method, "GET") == 0 || strcmp(ask->method, "HEAD") == 0);
}

static int bad_redirect(const struct hop *h, const char *why, struct err *e)
{
    CLEANUP(buf_clear) struct buf shown = {0};

    url_show(&shown, buf_view(&h->url));
    return err_set(e, ERR_NET, "%s: %s", shown.p, why);
}

static int send_text(struct call *c, struct str text, struct err *e)
{
    bool taken;

    return text.len ? call_write(c, text.p, text.len, &taken, e) : 0;
}

static int go(struct call **out, struct caller *caller, const struct call_ask *ask, struct str text,
              unsigned *status, struct err *e)
{
    CLEANUP(hop_clear) struct hop h = {0};

    buf_str(&h.url, ask->url);
    for (unsigned hops = 0;; hops++) {
        CLEANUP(buf_clear) struct buf next = {0};
        struct call_ask now = *ask;
        const char *why;

        set_headers(&h, ask);
        now.url = buf_view(&h.url);
        now.headers = h.headers.v;
        now.headers_n = h.headers.n;
        call_clear(out);
        if (call_open(out, caller, &now, e) < 0 || send_text(*out, text, e) < 0 ||
            call_answer(*out, status, e) < 0)
            return -1;
        if (*status == 401 && !same_origin(ask->url, buf_view(&h.url)))
            return bad_redirect(
                &h, "HTTP 401; it is not told who is logged in, for it is another server", e);
        if (!http_is_redirect(*status) || !follows(ask))
            return 0;
        why = http_redirect(&next, buf_view(&h.url), call_head(*out)->location);
        if (!why && hops == HTTP_HOPS_MAX)
            why = "more than 10 redirects";
        if (why)
            return bad_redirect(&h, why, e);
        buf_reset(&h.url);
        buf_str(&h.url, buf_view(&next));
    }
}

int call_get(struct call **out, struct caller *caller, const struct call_ask *ask, unsigned *status,
             struct err *e)
{
    return go(out, caller, ask, (struct str){0}, status, e);
}

/* ---- the whole of it ---- */

static int read_body(struct call_whole *w, struct call *c, struct err *e)
{
    CLEANUP(free_clear) char *chunk = xmalloc(RECEIVE_BUFFER);
    size_t got = 0;

    buf_reset(&w->body);
    do {
        bool fits = w->body.len <= w->limit;

        if (call_read(c, chunk, RECEIVE_BUFFER, &got, e) < 0)
            return -1;
        if (fits && got <= w->limit - w->body.len)
            buf_add(&w->body, chunk, got);
        else if (got && w->status < 300)
            return err_set(e, ERR_NET, "the answer is larger than is allowed here");
        else
            return 0; /* of a long error the beginning is enough */
    } while (got);
    return 0;
}

/* *again: another try may bring something else. */
static int try_once(struct call_whole *w, struct caller *caller, bool *again, struct err *e)
{
    CLEANUP(call_clear) struct call *c = NULL;
    int result = go(&c, caller, &w->ask, w->text, &w->status, e);

    if (result == 0)
        result = read_body(w, c, e);
    *again = result < 0 ? c && call_may_pass(c) && e->kind == ERR_NET : http_is_passing(w->status);
    w->no_line = result < 0 && c && call_no_line(c);
    w->untrusted = result < 0 && c && call_untrusted(c);
    answer_clear(&w->answer);
    if (result == 0)
        MOVE(&w->answer, (struct answer *)(uintptr_t)call_head(c));
    return result;
}

int call_run(struct caller *caller, struct call_whole *w, struct err *e)
{
    unsigned most = w->once ? 1 : caller_tries(caller);

    w->ask.body = w->text.p ? CALL_SIZED : CALL_NO_BODY;
    w->ask.size = w->text.len;
    for (unsigned tries = 1;; tries++) {
        CLEANUP(err_clear) struct err fault = {0};
        CLEANUP(buf_clear) struct buf why = {0};
        bool again;
        int result = try_once(w, caller, &again, &fault);

        if (!again || tries >= most || (w->no_line && tries >= HTTP_UNREACHABLE_TRIES))
            return result < 0 ? err_join(e, &fault) : 0;
        if (result == 0) {
            CLEANUP(buf_clear) struct buf shown = {0};

            url_show(&shown, w->ask.url);
            buf_fmt(&why, "%s: HTTP %u", shown.p, w->status);
        } else {
            buf_puts(&why, fault.msg);
        }
        if (caller_pause(caller, tries, w->answer.retry_after_s, why.p, e) < 0)
            return -1;
    }
}

void call_whole_clear(struct call_whole *w)
{
    answer_clear(&w->answer);
    buf_clear(&w->body);
}
