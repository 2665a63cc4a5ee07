/* SPDX-License-Identifier: Apache-2.0 */
#include "learn.h"

#include "../net/url.h"

enum { STEP = 1024 * 1024, TRIES = 8 };

/* What a server says of a file by which it knows it again; both may be NULL. */
struct mark {
    char *etag, *modified; /* owned */
};

static void mark_clear(struct mark *m)
{
    free_clear(&m->etag);
    free_clear(&m->modified);
}

struct learning {
    struct learn_file *file;
    const struct learn_means *means;
    struct cas_partial partial;
    struct wait wait;       /* for another process that fetches it */
    struct buf key;         /* of what is remembered */
    struct mark mark;       /* of the bytes at hand, or of the file that is known */
    struct digest known;    /* of the file as it was learned before; all-zero: never */
    uint64_t known_size;    /* bytes */
    char *line;             /* owned; the header that asks whether it is the same */
    const char *headers[1]; /* ... for the request */
    uint64_t told;          /* bytes of the last EVENT_ADVANCE */
    bool begun;             /* EVENT_BEGIN was told */
    bool changed;           /* under way */
    struct http_request r;
};

static void learning_clear(struct learning *l)
{
    cas_partial_clear(&l->partial);
    http_request_clear(&l->r);
    mark_clear(&l->mark);
    buf_clear(&l->key);
    free(l->line);
}

static int blame(const struct learning *l, struct err *e)
{
    CLEANUP(buf_clear) struct buf shown = {0};

    url_show(&shown, l->file->url);
    return err_wrap(e, "%s", shown.p);
}

/* ---- what is remembered: header lines ---- */

static void put_line(struct buf *out, const char *name, const char *value)
{
    if (value)
        buf_fmt(out, "%s: %s\n", name, value);
}

static void take_line(struct learning *l, struct str line)
{
    struct str name;

    if (!str_cut(&line, STR(": "), &name))
        return;
    if (str_is(name, "etag") && !l->mark.etag)
        l->mark.etag = str_dup(line);
    else if (str_is(name, "modified") && !l->mark.modified)
        l->mark.modified = str_dup(line);
    else if (str_is(name, "sha256") && !digest_from_hex(&l->known, line))
        l->known = (struct digest){0};
    else if (str_is(name, "size") && !str_u64(line, &l->known_size))
        l->known = (struct digest){0};
}

static int recall(struct learning *l, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct str rest, line;
    bool found;

    if (memo_get(l->means->memo, buf_view(&l->key), NULL, &text, &found, e) < 0)
        return -1;
    rest = buf_view(&text);
    while (found && str_line(&rest, &line))
        take_line(l, line);
    return 0;
}

/* `digest`: of the whole file; NULL: it is on its way. */
static int remember(const struct learning *l, const struct digest *digest, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};
    char hex[DIGEST_HEX + 1];

    put_line(&text, "etag", l->mark.etag);
    put_line(&text, "modified", l->mark.modified);
    if (digest) {
        digest_hex(digest, hex);
        buf_fmt(&text, "sha256: %s\nsize: %llu\n", hex, (unsigned long long)l->file->size);
    }
    return memo_put_text(l->means->memo, buf_view(&l->key), buf_view(&text), e);
}

/* ---- asking ---- */

static void set_header(struct learning *l, const char *name, const char *value)
{
    CLEANUP(buf_clear) struct buf line = {0};

    free_clear(&l->line);
    l->r.headers_n = 0;
    if (!value)
        return;
    buf_fmt(&line, "%s: %s", name, value);
    l->line = buf_take(&line);
    l->headers[0] = l->line;
    l->r.headers = l->headers;
    l->r.headers_n = 1;
}

/* A weak ETag says nothing of single bytes. */
static const char *strong(const struct mark *m)
{
    return m->etag ? (str_starts(str_of(m->etag), STR("W/")) ? NULL : m->etag) : m->modified;
}

static bool must_be(const struct learning *l)
{
    return digest_is_set(&l->file->digest);
}

/* Of bytes that nobody can check, those alone are continued that the server knows. */
static enum http_start ask(struct learning *l, struct err *e)
{
    uint64_t left = l->partial.size;

    if (must_be(l)) {
        l->r.from = left;
        return HTTP_GO;
    }
    if (left && strong(&l->mark) && !digest_is_set(&l->known)) {
        set_header(l, "If-Range", strong(&l->mark));
        l->r.from = left;
        return HTTP_GO;
    }
    if (cas_partial_cut(&l->partial, 0, e) < 0)
        return HTTP_FAIL;
    if (digest_is_set(&l->known) && l->mark.etag)
        set_header(l, "If-None-Match", l->mark.etag);
    else if (digest_is_set(&l->known))
        set_header(l, "If-Modified-Since", l->mark.modified);
    return HTTP_GO;
}

/* The partial download of an unknown file goes by its address. */
static void partial_key(struct digest *out, const struct learning *l)
{
    if (must_be(l))
        *out = l->file->digest;
    else
        hash_bytes(out, l->key.p, l->key.len);
}

static enum http_start on_start(void *ctx, struct http_request *r, struct err *e)
{
    struct learning *l = ctx;
    enum cas_claim claim = CAS_MINE;
    struct digest key;

    partial_key(&key, l);
    if (!l->partial.path && cas_partial_open(&l->partial, &claim, l->means->cas, &key, e) < 0)
        return HTTP_FAIL;
    switch (claim) {
    case CAS_BUSY:
        l->wait.events = l->means->events;
        wait_tell(&l->wait, "waiting for " STR_FMT ", which another process fetches",
                  STR_ARG(l->file->name));
        return HTTP_LATER;
    case CAS_HERE:
        return HTTP_SKIP;
    case CAS_MINE:
        break;
    }
    return recall(l, e) < 0 ? HTTP_FAIL : ask(l, e);
}

static void tell(const struct learning *l, enum event_kind kind, uint64_t done, uint64_t total)
{
    CLEANUP(free_clear) char *name = str_dup(l->file->name);

    events_emit(l->means->events, &(struct event){kind, "fetch", name, done, total});
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* From its start: what is known of it is what this answer says. */
static int begin_anew(struct learning *l, const struct http_request *r, struct err *e)
{
    mark_clear(&l->mark);
    l->known = (struct digest){0};
    l->mark.etag = r->etag ? xstrdup(r->etag) : NULL;
    l->mark.modified = r->last_modified ? xstrdup(r->last_modified) : NULL;
    set_header(l, "If-Range", strong(&l->mark));
    l->r.resume = strong(&l->mark) != NULL;
    return remember(l, NULL, e);
}

static int on_begin(void *ctx, const struct http_request *r, uint64_t offset, struct err *e)
{
    struct learning *l = ctx;

    if (!l->begun) {
        events_emit(l->means->events, &(struct event){EVENT_PLAN, "fetch", "fetch", 0, r->total});
        tell(l, EVENT_BEGIN, 0, r->total);
    }
    l->begun = true;
    l->told = offset;
    if (!must_be(l) && !offset && begin_anew(l, r, e) < 0)
        return -1;
    if (!must_be(l) && offset &&
        (!same_text(r->etag, l->mark.etag) || !same_text(r->last_modified, l->mark.modified))) {
        l->changed = true; /* and the server does not know If-Range */
        err_set(e, ERR_NET, "the file changed while it was fetched");
        return blame(l, e);
    }
    return cas_partial_cut(&l->partial, offset, e);
}

static int on_write(void *ctx, const void *bytes, size_t len, struct err *e)
{
    struct learning *l = ctx;
    struct cas_partial *p = &l->partial;

    if (cas_partial_write(p, bytes, len, e) < 0)
        return -1;
    if (p->size / STEP > l->told / STEP) {
        l->told = p->size / STEP * STEP;
        tell(l, EVENT_ADVANCE, l->told, l->r.total);
    }
    return 0;
}

/* ---- the answer ---- */

static void take_known(struct learning *l)
{
    l->file->digest = l->known;
    l->file->size = l->known_size;
}

static int publish(struct learning *l, struct err *e)
{
    uint64_t size = l->partial.size;

    if (must_be(l)) {
        if (cas_partial_finish(&l->partial, NULL, e) < 0)
            return blame(l, e);
        l->file->size = size;
        return 0;
    }
    l->file->size = size;
    return cas_partial_keep(&l->partial, &l->known, e) < 0 || remember(l, &l->known, e) < 0
               ? -1
               : (l->file->digest = l->known, 0);
}

/* The blob is here: of what is known by its digest alone this is how its size is learned. */
static int measure(struct learning *l, struct err *e)
{
    CLEANUP(free_clear) char *path = cas_path(l->means->cas, &l->file->digest);

    return fs_file_size(path, &l->file->size) ? 0 : err_errno(e, "cannot read %s", path);
}

static int settle(struct learning *l, struct err *e)
{
    if (l->r.status == 304 && digest_is_set(&l->known)) {
        take_known(l);
        return 0;
    }
    /* The file ends where our bytes end. */
    if (l->r.status == 416 && l->partial.size)
        err_clear(&l->r.err);
    if (err_is_set(&l->r.err))
        return err_join(e, &l->r.err);
    if (!l->partial.path)
        return measure(l, e);
    if (publish(l, e) < 0)
        return -1;
    if (l->begun)
        tell(l, EVENT_END, l->file->size, l->file->size);
    return 0;
}

/* One way through; *again: it may go well from the start, or from another place. */
static int learn(struct learn_file *f, const struct learn_means *means, unsigned skip, bool *again,
                 struct err *e)
{
    CLEANUP(learning_clear) struct learning l = {.file = f, .means = means};
    struct http_request *r = &l.r;
    int result;

    buf_fmt(&l.key, "learned 1\n" STR_FMT, STR_ARG(f->url));
    l.r = (struct http_request){.url = f->url,
                                .resume = true,
                                .skip = must_be(&l) ? skip : 0,
                                .start = on_start,
                                .begin = on_begin,
                                .write = on_write,
                                .ctx = &l};
    *again = false;
    if (http_run(means->http, &r, 1, 1, NULL, NULL, e) < 0)
        return -1;
    result = settle(&l, e);
    *again = result < 0 && (l.changed || (must_be(&l) && e->kind == ERR_INTEGRITY &&
                                          skip + 1 < http_places(means->http, f->url)));
    if (l.changed && cas_partial_cut(&l.partial, 0, e) < 0)
        return -1;
    return result;
}

/* Offline, what was learned before will do, where its bytes are here. */
static int learn_offline(struct learn_file *f, const struct learn_means *means, struct err *e)
{
    CLEANUP(learning_clear) struct learning l = {.file = f, .means = means};

    buf_fmt(&l.key, "learned 1\n" STR_FMT, STR_ARG(f->url));
    if (!must_be(&l) && recall(&l, e) < 0)
        return -1;
    if (digest_is_set(&l.known) && cas_has(means->cas, &l.known, l.known_size)) {
        take_known(&l);
        return 0;
    }
    err_set(e, ERR_NET,
            "it is not in the store, and offline it cannot be fetched; run once without --offline");
    return blame(&l, e);
}

int learn_fetch(struct learn_file *f, const struct learn_means *means, struct err *e)
{
    CLEANUP(err_clear) struct err fault = {0};
    bool again = true;

    if (digest_is_set(&f->digest) && cas_has(means->cas, &f->digest, 0)) {
        struct learning l = {.file = f, .means = means};

        return measure(&l, e);
    }
    if (!means->http)
        return learn_offline(f, means, e);
    for (unsigned tries = 0; again && tries < TRIES; tries++) {
        err_clear(&fault);
        if (learn(f, means, tries, &again, &fault) == 0)
            return 0;
    }
    return err_join(e, &fault);
}
