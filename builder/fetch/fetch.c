/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch.h"

#include "../base/vec.h"
#include "../net/url.h"

enum { PARALLEL = 8, STEP = 1024 * 1024 };

struct fetch;

/* One artifact on its way into the store. */
struct item {
    struct fetch *fetch;
    const struct artifact *artifact;
    size_t index;
    struct cas_partial partial; /* open while ours */
    unsigned wrong;             /* how often wrong bytes came */
    bool begun;                 /* EVENT_BEGIN was told */
    struct wait wait;           /* for another process that fetches it */
    struct buf url;
    uint64_t told; /* bytes of the last EVENT_ADVANCE */
    struct http_request r;
};

struct fetch {
    struct cas *cas;
    struct http *http;
    const struct fetch_options *o;
    struct VEC_OF(struct item) items;
};

static void fetch_clear(struct fetch *f)
{
    struct item *item;

    vec_each(item, &f->items) {
        cas_partial_clear(&item->partial);
        http_request_clear(&item->r);
        buf_clear(&item->url);
    }
    vec_clear(&f->items);
}

static void tell(const struct item *item, enum event_kind kind, uint64_t done)
{
    CLEANUP(free_clear) char *name = str_dup(item->artifact->file);

    events_emit(item->fetch->o->events, &(struct event){.kind = kind,
                                                        .task = "fetch",
                                                        .name = name,
                                                        .done = done,
                                                        .total = item->artifact->size});
}

static void tell_begin(struct item *item)
{
    if (!item->begun)
        tell(item, EVENT_BEGIN, 0);
    item->begun = true;
}

static int blame(const struct artifact *a, struct err *e)
{
    if (a->place && e->kind == ERR_INTEGRITY)
        err_wrap(e,
                 "it is another file now; `envbuild lock --upgrade RECIPE " STR_FMT
                 "` takes that one",
                 STR_ARG(a->name));
    return err_wrap(e, "fetch " STR_FMT " " STR_FMT, STR_ARG(a->name), STR_ARG(a->version));
}

/* The bytes are not what the lock says: put the address before the reason. */
static int blame_bytes(const struct artifact *a, struct err *e)
{
    CLEANUP(buf_clear) struct buf shown = {0};

    url_show(&shown, a->url);
    return err_wrap(e, "%s", shown.p);
}

/* What a killed run left may already be all. */
static enum http_start use_left(struct item *item, struct err *e)
{
    CLEANUP(err_clear) struct err wrong = {0}; /* then they are dropped and fetched */
    const uint64_t size = item->artifact->size;
    struct cas_partial *p = &item->partial;

    if (size && p->size > size && cas_partial_cut(p, 0, e) < 0)
        return HTTP_FAIL;
    if (!size || p->size < size || cas_partial_finish(p, NULL, &wrong) < 0) {
        if (wrong.kind != ERR_NONE && wrong.kind != ERR_INTEGRITY) {
            err_join(e, &wrong);
            return HTTP_FAIL;
        }
        item->r.from = p->size;
        return HTTP_GO;
    }
    return HTTP_SKIP;
}

static enum http_start item_start(void *ctx, struct http_request *r, struct err *e)
{
    struct item *item = ctx;
    enum cas_claim claim = CAS_MINE;

    if (!item->partial.path &&
        cas_partial_open(&item->partial, &claim, item->fetch->cas, &item->artifact->digest, e) < 0)
        return HTTP_FAIL;
    switch (claim) {
    case CAS_BUSY:
        item->wait.events = item->fetch->o->events;
        wait_tell(&item->wait, "waiting for " STR_FMT ", which another process fetches",
                  STR_ARG(item->artifact->file));
        return HTTP_LATER;
    case CAS_HERE:
        return HTTP_SKIP;
    case CAS_MINE:
        break;
    }
    tell_begin(item);
    return use_left(item, e);
}

static int item_begin(void *ctx, const struct http_request *r, uint64_t offset, struct err *e)
{
    struct item *item = ctx;
    uint64_t size = item->artifact->size;

    if (size && r->total && r->total != size) {
        err_set(e, ERR_INTEGRITY, "expected %llu bytes, the server has %llu",
                (unsigned long long)size, (unsigned long long)r->total);
        return blame_bytes(item->artifact, e);
    }
    item->told = offset;
    return cas_partial_cut(&item->partial, offset, e);
}

static int item_write(void *ctx, const void *bytes, size_t len, struct err *e)
{
    struct item *item = ctx;
    struct cas_partial *p = &item->partial;
    uint64_t size = item->artifact->size;

    if (size && len > size - p->size) {
        err_set(e, ERR_INTEGRITY, "expected %llu bytes, the server sends more",
                (unsigned long long)size);
        return blame_bytes(item->artifact, e);
    }
    if (cas_partial_write(p, bytes, len, e) < 0)
        return -1;
    if (p->size / STEP > item->told / STEP) {
        item->told = p->size / STEP * STEP; /* however the bytes came, the same is told */
        tell(item, EVENT_ADVANCE, item->told);
    }
    return 0;
}

static int item_ready(struct item *item, struct err *e)
{
    const struct fetch_options *o = item->fetch->o;

    tell_begin(item);
    tell(item, EVENT_ADVANCE, item->artifact->size);
    tell(item, EVENT_END, item->artifact->size);
    return o->ready ? o->ready(o->ctx, item->index, e) : 0;
}

/* All bytes came: publish them, or ask for them once more from the start. */
static int item_verify(struct item *item, struct err *e)
{
    CLEANUP(err_clear) struct err wrong = {0};

    if (cas_partial_finish(&item->partial, NULL, &wrong) == 0)
        return item_ready(item, e);
    if (wrong.kind == ERR_INTEGRITY &&
        item->wrong < http_places(item->fetch->http, buf_view(&item->url))) {
        events_note(item->fetch->o->events, STR_FMT ": wrong bytes; fetching it once more",
                    STR_ARG(item->artifact->file));
        item->wrong++;
        item->r.skip = item->wrong;
        item->r.from = 0;
        http_add(item->fetch->http, &item->r);
        return 0;
    }
    blame_bytes(item->artifact, &wrong);
    err_join(e, &wrong);
    return blame(item->artifact, e);
}

static int item_done(void *ctx, struct http_request *r, struct err *e)
{
    struct item *item = r->ctx;

    /* The file ends where our bytes end: without a known size that is how we learn of it. */
    if (r->status == 416 && item->partial.size)
        err_clear(&r->err);
    if (err_is_set(&r->err)) {
        err_join(e, &r->err);
        cas_partial_clear(&item->partial);
        return blame(item->artifact, e);
    }
    if (!item->partial.path) /* another process fetched it, or all of it was left here */
        return item_ready(item, e);
    return item_verify(item, e);
}

/* The largest first, so that none is alone at the end; unknown sizes may be large. */
static int by_size(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    uint64_t left = x->artifact->size - 1, right = y->artifact->size - 1;

    if (left != right)
        return left > right ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static bool is_local(const struct artifact *a)
{
    return str_starts(a->url, STR("./")) || str_starts(a->url, STR("file:"));
}

/* What the network would be needed for. */
static int check_offline(const struct fetch *f, struct err *e)
{
    CLEANUP(buf_clear) struct buf list = {0};
    const struct item *item;

    vec_each(item, &f->items)
        if (!is_local(item->artifact))
            buf_fmt(&list, "%s" STR_FMT " " STR_FMT, list.len ? ", " : "",
                    STR_ARG(item->artifact->name), STR_ARG(item->artifact->version));
    if (!list.len)
        return 0;
    return err_set(e, ERR_NET,
                   "not in the store, and offline they cannot be fetched: %s; run once without "
                   "--offline",
                   list.p);
}

/* Is the artifact in the store? One of another size than is known has lost its end, or the size is
 * wrong. */
static int is_here(bool *here, const struct fetch *f, const struct artifact *a, struct err *e)
{
    *here = cas_has(f->cas, &a->digest, a->size);
    if (*here || !a->size || !cas_has(f->cas, &a->digest, 0))
        return 0;
    if (cas_check(f->cas, &a->digest, here, e) < 0)
        return -1;
    if (!*here) {
        events_warn(f->o->events, STR_FMT " was damaged in the store; it is fetched again",
                    STR_ARG(a->file));
        return 0;
    }
    err_set(e, ERR_INTEGRITY, "the file of this digest does not have %llu bytes",
            (unsigned long long)a->size);
    return blame(a, e);
}

/* Tell of what is here already and list what is not. */
static int sort_out(struct fetch *f, const struct artifact *artifacts, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        const struct artifact *a = &artifacts[i];
        bool here;

        if (!digest_is_set(&a->digest)) {
            err_set(e, ERR_INPUT, "it has no sha256 digest");
            return blame(a, e);
        }
        if (is_here(&here, f, a, e) < 0)
            return -1;
        if (!here)
            vec_add(&f->items, ((struct item){.fetch = f, .artifact = a, .index = i}));
        else if (f->o->ready && f->o->ready(f->o->ctx, i, e) < 0)
            return -1;
    }
    return 0;
}

/* "./wheels/a.whl" lies beside the recipe. */
static void set_url(const struct fetch *f, struct item *item)
{
    struct str url = item->artifact->url;

    if (str_skip(&url, STR("./"))) {
        url_of_path(&item->url, f->o->root);
        if (!str_ends(f->o->root, STR("/")))
            buf_putc(&item->url, '/');
    }
    buf_str(&item->url, url);
}

static int fetch_missing(struct fetch *f, struct err *e)
{
    CLEANUP(free_clear) struct http_request **todo = xcalloc(f->items.n, sizeof(void *));
    uint64_t total = 0;

    vec_sort(&f->items, by_size);
    for (size_t i = 0; i < f->items.n; i++) {
        struct item *item = &f->items.v[i];

        set_url(f, item);
        item->r = (struct http_request){.url = buf_view(&item->url),
                                        .resume = true,
                                        .start = item_start,
                                        .begin = item_begin,
                                        .write = item_write,
                                        .ctx = item};
        todo[i] = &item->r;
        total += item->artifact->size;
    }
    events_emit(f->o->events, &(struct event){EVENT_PLAN, "fetch", "fetch", 0, total});
    return http_run(f->http, todo, f->items.n, f->o->parallel ? f->o->parallel : PARALLEL,
                    item_done, f, e);
}

int fetch_artifacts(struct cas *cas, struct http *http, const struct artifact *artifacts, size_t n,
                    const struct fetch_options *options, struct err *e)
{
    CLEANUP(fetch_clear) struct fetch f = {.cas = cas, .http = http, .o = options};

    if (sort_out(&f, artifacts, n, e) < 0)
        return -1;
    if (!f.items.n)
        return 0;
    if (options->offline && check_offline(&f, e) < 0)
        return -1;
    return fetch_missing(&f, e);
}
