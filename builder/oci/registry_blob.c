/* SPDX-License-Identifier: Apache-2.0 */
#include "../net/url.h"
#include "registry_parts.h"

enum { GAIN = 64 * 1024 }; /* a try that brought this much starts the count of tries anew */

/* A blob on its way here. */
struct pulling {
    struct source source;
    struct registry *r; /* borrowed */
    struct digest digest;
    uint64_t size, at; /* bytes; `at` is where the next one stands */
    uint64_t gained_at;
    struct call *call; /* NULL between tries */
    unsigned tries, refused;
    char *name; /* owned */
};

static int fault(const struct pulling *p, const char *why, struct err *e)
{
    return err_set(e, ERR_NET, "%s: %s: %s", p->r->name, p->name, why);
}

/* Another try, or the fault itself. */
static int again(struct pulling *p, uint32_t retry_after_s, struct err *why, struct err *e)
{
    bool may_pass = why->kind == ERR_NET && (!p->call || call_may_pass(p->call));

    call_clear(&p->call);
    if (p->at >= p->gained_at + GAIN) {
        p->gained_at = p->at;
        p->tries = 0;
    }
    if (!may_pass || ++p->tries >= caller_tries(p->r->caller)) {
        err_join(e, why);
        return err_wrap(e, "%s: %s", p->r->name, p->name);
    }
    return caller_pause(p->r->caller, p->tries, retry_after_s, why->msg, e);
}

static int drop_until(struct pulling *p, uint64_t at, struct err *e)
{
    char chunk[16 * 1024];
    size_t got;

    for (uint64_t here = 0; here < at; here += got) {
        uint64_t left = at - here;

        if (call_read(p->call, chunk, left < sizeof chunk ? (size_t)left : sizeof chunk, &got, e) <
            0)
            return -1;
        if (!got)
            return fault(p, "it is shorter than it was", e);
    }
    return 0;
}

static int read_error(struct pulling *p, unsigned status, struct err *e)
{
    char body[4096];
    size_t got = 0;
    CLEANUP(err_clear) struct err ignored = {0};

    (void)!call_read(p->call, body, sizeof body, &got, &ignored);
    return registry_fault(p->r, p->name, status, (struct str){body, got}, e);
}

/* The head of the answer is there. *ready: the body may be read, from p->at on. */
static int judge(struct pulling *p, unsigned status, struct str url, struct str sent, bool *ready,
                 struct err *e)
{
    const struct answer *a = call_head(p->call);
    CLEANUP(err_clear) struct err why = {0};

    *ready = false;
    if (status == 401 && p->refused++ < 2) {
        int result = registry_refused(p->r, a, url, sent, e);

        call_clear(&p->call);
        return result;
    }
    if (call_status_may_pass(status)) {
        uint32_t retry_after = a->retry_after_s;

        err_set(&why, ERR_NET, "%s: %s: HTTP %u", p->r->name, p->name, status);
        call_clear(&p->call);
        return again(p, retry_after, &why, e);
    }
    if (status != 200 && status != 206)
        return read_error(p, status, e);
    if (status == 206 && (!a->has_range || a->first != p->at))
        return fault(p, "the registry sends another range than was asked for", e);
    if (status == 200 && p->at && drop_until(p, p->at, &why) < 0)
        return again(p, 0, &why, e);
    p->refused = 0;
    *ready = true;
    return 0;
}

static int ask(struct pulling *p, bool *ready, struct err *e)
{
    CLEANUP(buf_clear) struct buf url = {0}, path = {0}, range = {0};
    CLEANUP(buf_wipe) struct buf header = {0};
    CLEANUP(err_clear) struct err why = {0};
    char text[DIGEST_TEXT + 1];
    const char *headers[2];
    size_t n = 0;
    unsigned status;
    int result;

    digest_text(&p->digest, text);
    buf_fmt(&path, "blobs/%s", text);
    if (registry_url(&url, p->r, path.p, e) < 0 ||
        registry_header(p->r, &header, buf_view(&url), RIGHT_PULL, (struct str){0}, e) < 0)
        return -1;
    buf_fmt(&range, "Range: bytes=%llu-", (unsigned long long)p->at);
    if (p->at)
        headers[n++] = range.p;
    if (header.len)
        headers[n++] = header.p;
    result =
        call_get(&p->call, p->r->caller,
                 &(struct call_ask){
                     .method = "GET", .url = buf_view(&url), .headers = headers, .headers_n = n},
                 &status, &why);
    *ready = false;
    return result < 0 ? again(p, 0, &why, e)
                      : judge(p, status, buf_view(&url), buf_view(&header), ready, e);
}

static int pulling_read(struct source *self, void *to, size_t len, size_t *got, struct err *e)
{
    struct pulling *p = (struct pulling *)self;

    for (*got = 0; p->at < p->size && !*got;) {
        CLEANUP(err_clear) struct err why = {0};
        bool ready = p->call;
        uint64_t left = p->size - p->at;

        if (!ready && ask(p, &ready, e) < 0)
            return -1;
        if (!ready)
            continue;
        if (call_read(p->call, to, left < len ? (size_t)left : len, got, &why) < 0) {
            if (again(p, 0, &why, e) < 0)
                return -1;
        } else if (!*got) {
            return fault(p, "it is shorter than the manifest says", e);
        }
        p->at += *got;
    }
    return 0;
}

static void pulling_free(struct source *self)
{
    struct pulling *p = (struct pulling *)self;

    call_clear(&p->call);
    free(p->name);
}

struct source *registry_blob(struct registry *r, const struct digest *digest, uint64_t size)
{
    struct pulling *p = xcalloc(1, sizeof *p);
    char text[DIGEST_TEXT + 1];
    struct buf name = {0};

    source_init(&p->source, pulling_read, pulling_free, NULL);
    p->r = r;
    p->digest = *digest;
    p->size = size;
    digest_text(digest, text);
    buf_fmt(&name, "blob %s", text);
    p->name = buf_take(&name);
    p->source.name = p->name;
    return &p->source;
}
