/* SPDX-License-Identifier: Apache-2.0 */
#include "../io/crypto.h"
#include "../net/url.h"
#include "registry_parts.h"

#include <stdatomic.h>

enum {
    WHOLE_MAX = 4 * 1024 * 1024,  /* bytes; what is small goes by PUT, which saves a round trip */
    GAIN = 64 * 1024,             /* a try that moved this much starts the count of tries anew */
    BODY_MAX = 64 * 1024,         /* bytes of an error that are read */
    RENEWALS = 2,                 /* of who we are, in a row */
    RATE_AFTER = 8 * 1024 * 1024, /* bytes that tell how fast the line is */
};

struct upload {
    struct registry *r; /* borrowed */
    bool known;
    struct digest digest; /* if known; else what upload_finish() was told */
    uint64_t size;
    char what[DIGEST_TEXT + 16];

    char *location; /* owned; the session, where it goes on. NULL: there is none */
    uint64_t at;    /* bytes that this session was sent */
    bool resumed;   /* ... and it was asked how far it had got */
    bool whole;     /* by one PUT */
    bool chunks;    /* by several PATCHes, since one is too large for it */
    uint64_t chunk; /* bytes of a PATCH at most */

    struct call *call; /* what is on the line; NULL between requests */
    uint64_t piece;    /* bytes that it still takes */
    char *header;      /* owned; who we were to it, or NULL */

    int64_t begun_ms;  /* when this session, or its last request, began to take bytes */
    uint64_t begun_at; /* and how many it had then */
    bool late;         /* it was told that this takes too long */
    unsigned tries, renewals;
    uint64_t gained_at, sent;
    uint32_t retry_after_s;
    bool at_once; /* no pause before the next try */
    char *why;    /* owned; of the last failure */
    bool done;
};

static void name_it(struct upload *u)
{
    char text[DIGEST_TEXT + 1];

    digest_text(&u->digest, text);
    snprintf(u->what, sizeof u->what, "push of %s", digest_is_set(&u->digest) ? text : "a layer");
}

void upload_open(struct upload **out, struct registry *r, const struct digest *digest,
                 uint64_t size)
{
    struct upload *u = xcalloc(1, sizeof *u);

    u->r = r;
    u->known = digest;
    if (digest)
        u->digest = *digest;
    u->size = size;
    name_it(u);
    *out = u;
}

uint64_t upload_sent(const struct upload *u)
{
    return u->sent;
}

static void end_call(struct upload *u)
{
    call_clear(&u->call);
    if (u->header)
        explicit_bzero(u->header, strlen(u->header));
    free_clear(&u->header);
}

/* A session that nobody goes on with is ended at the registry too. */
static void leave_session(struct upload *u)
{
    CLEANUP(call_whole_clear) struct call_whole w = {.once = true};
    CLEANUP(err_clear) struct err ignored = {0}; /* it ends by itself, some day */

    end_call(u);
    if (!u->location)
        return;
    w.ask =
        (struct call_ask){.method = "DELETE", .url = str_of(u->location), .haste = CALL_LAST_WORDS};
    (void)!registry_run(u->r, &w, RIGHT_PUSH, (struct str){0}, &ignored);
    free_clear(&u->location);
    u->at = 0;
    u->resumed = false;
}

void upload_clear(struct upload **upload)
{
    struct upload *u = *upload;

    if (!u)
        return;
    if (u->done)
        free_clear(&u->location);
    leave_session(u);
    free(u->why);
    free(u);
    *upload = NULL;
}

/* ---- failing ---- */

/* What broke may pass: is it worth making the bytes once more? Takes *why. */
static int broke(struct upload *u, bool *again, struct err *why, struct err *e)
{
    end_call(u);
    if (u->at >= u->gained_at + GAIN)
        u->tries = 0;
    u->gained_at = u->at;
    *again = ++u->tries < caller_tries(u->r->caller);
    free(u->why);
    u->why = xstrdup(why->msg);
    err_join(e, why);
    return *again ? -1 : err_wrap(e, "tried %u times", u->tries);
}

/* Of an exchange that ended without an answer. */
static int lost(struct upload *u, bool *again, struct err *why, struct err *e)
{
    if (why->kind == ERR_NET && u->call && call_may_pass(u->call))
        return broke(u, again, why, e);
    err_join(e, why);
    return err_wrap(e, "%s: %s", u->r->name, u->what);
}

/* A new session, since this one is not what we take it for. */
static int misfit(struct upload *u, bool *again, const char *words, struct err *e)
{
    CLEANUP(err_clear) struct err why = {0};

    err_set(&why, ERR_NET, "%s: %s: %s", u->r->name, u->what, words);
    leave_session(u);
    return broke(u, again, &why, e);
}

static struct str read_body(struct call *c, char *body, size_t len)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* the status has to do */
    size_t all = 0, got = 1;

    while (got && all < len && call_read(c, body + all, len - all, &got, &ignored) == 0)
        all += got;
    return (struct str){body, all};
}

static bool knows_no_patch(const struct upload *u, unsigned status, struct str body)
{
    return !u->whole && u->r->how.upload == REGISTRY_ANY &&
           (status == 405 || status == 501 || registry_says(body, "UNSUPPORTED"));
}

/* Another upload may have learned it already. */
static void learn(struct registry *r, _Atomic bool *what, enum registry_upload way)
{
    if (!atomic_exchange(what, true) && r->how.learned)
        r->how.learned(r->how.ctx, way);
}

/* Then in one piece, for which digest and size have to be known before. */
static int only_whole(struct upload *u, bool *again, const char *why, struct err *e)
{
    leave_session(u);
    learn(u->r, &u->r->how.ways->whole, REGISTRY_PUT);
    u->at_once = *again = u->known;
    return err_set(
        e, ERR_NET,
        "%s: %s: %s; run it again: that is remembered, and a layer is then made before "
        "it is sent; or set `upload: put` for it under `registries` in the configuration",
        u->r->name, u->what, why);
}

static int no_patch(struct upload *u, unsigned status, bool *again, struct err *e)
{
    char why[64];

    snprintf(why, sizeof why, "the registry takes no PATCH (HTTP %u)", status);
    return only_whole(u, again, why, e);
}

/* An answer that is none of those that were hoped for. */
static int refused(struct upload *u, unsigned status, bool *again, struct err *e)
{
    CLEANUP(free_clear) char *body = xmalloc(BODY_MAX);
    CLEANUP(err_clear) struct err why = {0};
    struct str text = read_body(u->call, body, BODY_MAX);
    const struct answer *a = call_head(u->call);

    u->retry_after_s = a->retry_after_s;
    if (status == 401 && u->renewals++ < RENEWALS) { /* the token's time was over */
        if (registry_refused(u->r, a, str_of(u->location), str_of(u->header), e) < 0)
            return -1;
        end_call(u);
        u->at_once = *again = true;
        return err_set(e, ERR_NET, "%s: %s: HTTP 401", u->r->name, u->what);
    }
    if (knows_no_patch(u, status, text))
        return no_patch(u, status, again, e);
    registry_fault(u->r, u->what, status, text, &why);
    if (status == 413 && !u->chunks && u->r->how.upload == REGISTRY_ANY && !u->r->how.ways->whole) {
        learn(u->r, &u->r->how.ways->chunked, REGISTRY_CHUNKS);
        leave_session(u);
        u->at_once = *again = true;
        return err_join(e, &why);
    }
    if (status == 404 || status == 416 || (status == 400 && u->resumed))
        leave_session(u); /* it is not what we take it for */
    else if (!call_status_may_pass(status))
        return err_join(e, &why);
    return broke(u, again, &why, e);
}

/* ---- a session ---- */

static int take_location(struct upload *u, struct str from, const char *location, struct err *e)
{
    CLEANUP(buf_clear) struct buf next = {0};
    const char *bad;

    if (!location && u->location) /* it stays where it is */
        return 0;
    bad = call_location(&next, from, location);
    if (bad)
        return err_set(e, ERR_NET, "%s: %s: the Location that the registry gives: %s", u->r->name,
                       u->what, bad);
    free(u->location); /* what is behind a # nobody is sent */
    u->location = str_dup(str_sub(buf_view(&next), 0, str_find(buf_view(&next), '#')));
    return 0;
}

static void choose_way(struct upload *u, uint64_t chunk_min)
{
    enum registry_upload way = u->r->how.upload;
    bool told = chunk_min;
    const struct registry_how *how = &u->r->how;

    if (way == REGISTRY_ANY && how->ways->whole)
        way = REGISTRY_PUT;
    u->chunks = way == REGISTRY_CHUNKS || (way == REGISTRY_ANY && how->ways->chunked);
    chunk_min = chunk_min > how->chunk_min ? chunk_min : how->chunk_min;
    u->chunk = u->chunks || told ? how->chunk : UINT64_MAX;
    u->chunk = u->chunk > chunk_min ? u->chunk : chunk_min;
    u->whole = u->known && way != REGISTRY_PATCH &&
               (way == REGISTRY_PUT ||
                u->size <= (u->chunks && u->chunk < WHOLE_MAX ? u->chunk : WHOLE_MAX));
}

static int begin_session(struct upload *u, bool *again, struct err *e)
{
    CLEANUP(call_whole_clear) struct call_whole w = {.text = STR("")};
    CLEANUP(buf_clear) struct buf url = {0};

    if (registry_url(&url, u->r, "blobs/uploads/", e) < 0)
        return -1;
    w.ask = (struct call_ask){.method = "POST", .url = buf_view(&url)};
    if (registry_run(u->r, &w, RIGHT_PUSH, (struct str){0}, e) < 0)
        return -1;
    if (w.status == 404 && !w.body.len)
        return err_set(e, ERR_NET,
                       "%s: %s: HTTP 404; there is no such repository: look at its name, or create "
                       "it there first",
                       u->r->name, u->what);
    if (w.status != 202)
        return registry_fault(u->r, u->what, w.status, buf_view(&w.body), e);
    u->at = u->begun_at = 0;
    u->begun_ms = caller_now_ms();
    u->resumed = false;
    choose_way(u, w.answer.chunk_min);
    if (take_location(u, buf_view(&url), w.answer.location, e) < 0)
        return -1;
    return w.answer.old && !u->known
               ? only_whole(u, again,
                            "the registry, or a proxy before it, speaks HTTP/1.0, which takes "
                            "nothing whose size is not known",
                            e)
               : 0;
}

static void add_digest(struct buf *url, const struct upload *u)
{
    char hex[DIGEST_HEX + 1];

    digest_hex(&u->digest, hex);
    buf_fmt(url, "%s%cdigest=sha256%%3A%s", u->location, strchr(u->location, '?') ? '&' : '?', hex);
}

/* One request with a part of the blob, or all of it, as its body. */
static int begin_piece(struct upload *u, struct err *e)
{
    CLEANUP(buf_clear) struct buf url = {0}, header = {0}, range = {0};
    const char *headers[3] = {"Content-Type: application/octet-stream"};
    struct call_ask ask = {.method = u->whole ? "PUT" : "PATCH",
                           .headers = headers,
                           .headers_n = 1,
                           .body = u->known ? CALL_SIZED : CALL_STREAM,
                           .haste = CALL_PATIENT};
    uint64_t left = u->known ? u->size - u->at : UINT64_MAX;

    u->piece = u->whole || left < u->chunk ? left : u->chunk;
    ask.size = u->piece;
    if (u->whole)
        add_digest(&url, u);
    else
        buf_puts(&url, u->location);
    ask.url = buf_view(&url);
    if (!u->whole && u->known && (u->at || u->chunk != UINT64_MAX)) {
        buf_fmt(&range, "Content-Range: %llu-%llu", (unsigned long long)u->at,
                (unsigned long long)(u->at + u->piece - 1));
        headers[ask.headers_n++] = range.p;
    }
    if (registry_header(u->r, &header, ask.url, RIGHT_PUSH, (struct str){0}, e) < 0)
        return -1;
    if (header.len)
        headers[ask.headers_n++] = header.p;
    if (call_open(&u->call, u->r->caller, &ask, e) < 0)
        return err_wrap(e, "%s", u->r->name);
    u->header = header.len ? buf_take(&header) : NULL;
    return 0;
}

/* "0-1233", or "bytes=0-1233" as some have it: how many bytes are there. */
static bool parse_range(uint64_t *have, const char *text)
{
    struct str rest = str_of(text), first;

    str_skip(&rest, STR("bytes="));
    if (!str_cut(&rest, STR("-"), &first) || !str_is(first, "0") || !str_u64(rest, have))
        return false;
    *have += *have > 0; /* "0-0" is what some say of nothing */
    return *have < UINT64_MAX;
}

/* Has it come about after all? */
static bool is_there(struct upload *u)
{
    CLEANUP(err_clear) struct err ignored = {0};
    bool has = false;

    return registry_has_blob(&has, u->r, &u->digest, u->size, &ignored) == 0 && has;
}

/* The piece on the line is all sent. */
static int end_piece(struct upload *u, bool *again, struct err *e)
{
    CLEANUP(err_clear) struct err why = {0};
    CLEANUP(free_clear) char *from = xstrdup(u->location);
    const struct answer *a;
    unsigned status;
    uint64_t have;

    if (call_answer(u->call, &status, &why) < 0)
        return lost(u, again, &why, e);
    if (status < 200 || status >= 300)
        return refused(u, status, again, e);
    u->renewals = 0;
    a = call_head(u->call);
    if (u->whole) {
        u->done = status != 202 || is_there(u); /* 202: it is not, yet */
        if (!u->done)
            return misfit(u, again, "the registry says HTTP 202, and has not got it", e);
    } else {
        if (take_location(u, str_of(from), a->location, e) < 0)
            return -1;
        if (a->range && (!parse_range(&have, a->range) || have != u->at) && u->at > 1)
            return misfit(u, again, "the registry has got other bytes than were sent", e);
    }
    end_call(u);
    return 0;
}

/* ---- the whole blob ---- */

/* Some end an upload after a while. Whether this one comes to its end before is told as soon as the
 * line's speed is known, not when it was in vain. */
static void tell_if_late(struct upload *u)
{
    const struct registry_how *how = &u->r->how;
    uint64_t ms = (uint64_t)(caller_now_ms() - u->begun_ms), sent = u->at - u->begun_at;
    double all; /* milliseconds */

    if (u->late || !how->upload_max_ms || !u->known || sent < RATE_AFTER)
        return;
    all = (double)ms * (double)(u->size - u->begun_at) / (double)sent;
    u->late = all > how->upload_max_ms;
    if (u->late)
        events_warn(how->http.events,
                    "%s: %s: its %.0f MB take %.0f minutes on this line, and %s ends an upload "
                    "after %u; push from a machine with a faster one",
                    u->r->name, u->what, (double)u->size / 1e6, all / 60000, u->r->host,
                    how->upload_max_ms / 60000);
}

static int push(struct upload *u, const char *bytes, size_t len, bool *again, struct err *e)
{
    CLEANUP(err_clear) struct err why = {0};
    unsigned status;
    bool taken;

    if (call_write(u->call, bytes, len, &taken, &why) < 0)
        return lost(u, again, &why, e);
    if (!taken) {
        if (call_answer(u->call, &status, &why) < 0)
            return lost(u, again, &why, e);
        return status < 300 ? misfit(u, again, "the registry answers before it has all", e)
                            : refused(u, status, again, e);
    }
    u->at += len;
    u->sent += len;
    u->piece -= len;
    tell_if_late(u);
    return u->piece || u->whole ? 0 : end_piece(u, again, e);
}

int upload_write(struct upload *u, uint64_t offset, const void *bytes, size_t len, bool *again,
                 struct err *e)
{
    const char *p = bytes;

    while (len) {
        uint64_t skip = u->at > offset ? u->at - offset : 0, part;

        if (skip >= len)
            return 0;
        p += skip;
        offset += skip;
        len -= (size_t)skip;
        if ((!u->location && begin_session(u, again, e) < 0) || (!u->call && begin_piece(u, e) < 0))
            return -1;
        part = u->piece < len ? u->piece : len;
        if (push(u, p, (size_t)part, again, e) < 0)
            return -1;
        p += part;
        offset += part;
        len -= (size_t)part;
    }
    return 0;
}

static int close_session(struct upload *u, bool *again, struct err *e)
{
    CLEANUP(call_whole_clear) struct call_whole w = {.text = STR("")};
    CLEANUP(buf_clear) struct buf url = {0};
    CLEANUP(err_clear) struct err why = {0};
    static const char *const headers[] = {"Content-Type: application/octet-stream"};

    add_digest(&url, u);
    w.ask = (struct call_ask){.method = "PUT",
                              .url = buf_view(&url),
                              .headers = headers,
                              .headers_n = 1,
                              .haste = CALL_PATIENT};
    if (registry_run(u->r, &w, RIGHT_PUSH, (struct str){0}, &why) < 0) {
        if (why.kind != ERR_NET)
            return err_join(e, &why);
    } else if (w.status >= 200 && w.status < 300 && w.status != 202) {
        u->done = true;
        return 0;
    } else {
        registry_fault(u->r, u->what, w.status, buf_view(&w.body), &why);
    }
    u->done = is_there(u);
    if (u->done)
        return 0;
    if (!w.status || w.status == 202 || w.status == 404 || w.status == 416 ||
        call_status_may_pass(w.status) || (w.status == 400 && u->resumed)) {
        leave_session(u);
        return broke(u, again, &why, e);
    }
    return err_join(e, &why);
}

int upload_finish(struct upload *u, const struct digest *digest, uint64_t size, bool *again,
                  struct err *e)
{
    u->digest = *digest;
    u->size = size;
    name_it(u);
    if (!u->location && begin_session(u, again, e) < 0)
        return -1;
    if (u->whole && !u->call && begin_piece(u, e) < 0)
        return -1;
    if (u->call && end_piece(u, again, e) < 0) {
        /* The answer of a PUT may be lost, and the blob not. */
        u->done = *again && u->whole && is_there(u);
        if (!u->done)
            return -1;
        err_clear(e);
        *again = false;
    }
    return u->done ? 0 : close_session(u, again, e);
}

/* How far has the session got? */
static int ask_status(struct upload *u, struct err *e)
{
    CLEANUP(call_whole_clear) struct call_whole w = {0};
    CLEANUP(err_clear) struct err ignored = {0}; /* then another session is begun */
    CLEANUP(free_clear) char *from = xstrdup(u->location);
    uint64_t have;
    int result;

    w.ask = (struct call_ask){.method = "GET", .url = str_of(from), .stays = true};
    result = registry_run(u->r, &w, RIGHT_PUSH, (struct str){0}, &ignored);
    if (result < 0 && ignored.kind == ERR_INTERRUPTED)
        return err_join(e, &ignored);
    if (result < 0 || w.status < 200 || w.status >= 300 || !w.answer.range ||
        !parse_range(&have, w.answer.range) || have > u->at || !have ||
        take_location(u, str_of(from), w.answer.location, &ignored) < 0) {
        leave_session(u);
        return 0;
    }
    u->at = u->gained_at = u->begun_at = have;
    u->begun_ms = caller_now_ms();
    u->resumed = true;
    return 0;
}

int upload_rewind(struct upload *u, struct err *e)
{
    end_call(u);
    if (!u->at_once &&
        caller_pause(u->r->caller, u->tries, u->retry_after_s, u->why ? u->why : u->what, e) < 0)
        return -1;
    u->at_once = false;
    u->retry_after_s = 0;
    if (u->location && u->whole)
        leave_session(u);
    return u->location ? ask_status(u, e) : 0;
}
