/* SPDX-License-Identifier: Apache-2.0 */
#include "pages.h"

#include "../base/arena.h"
#include "../base/map.h"
#include "../base/path.h"
#include "../net/url.h"

enum { PARALLEL = 16, HEADERS = 3 };

struct pages {
    struct http *http;
    struct memo *memo;
    struct cas *cas;
    struct pages_options o;
    struct arena arena; /* keys of `fresh` */
    struct map fresh;   /* pages that were asked for in this run; they do not change any more */
};

struct pages *pages_open(struct http *http, struct memo *memo, struct cas *cas,
                         const struct pages_options *options)
{
    struct pages *pages = xcalloc(1, sizeof *pages);

    *pages = (struct pages){.http = http, .memo = memo, .cas = cas, .o = *options};
    if (!pages->o.parallel)
        pages->o.parallel = PARALLEL;
    return pages;
}

void pages_clear(struct pages **pages)
{
    if (!*pages)
        return;
    map_clear(&(*pages)->fresh);
    arena_clear(&(*pages)->arena);
    free_clear(pages);
}

bool pages_is_offline(const struct pages *pages)
{
    return pages->o.offline;
}

void page_clear(struct page *page)
{
    buf_clear(&page->body);
    free(page->content_type);
    free(page->final_url);
    free(page->etag);
    *page = (struct page){0};
}

static int need_network(const char *url, struct err *e)
{
    CLEANUP(buf_clear) struct buf shown = {0};

    url_show(&shown, str_of(url));
    return err_set(e, ERR_NET,
                   "%s is not in the store, and offline it cannot be fetched; run once without "
                   "--offline",
                   shown.p);
}

/* Put the address before what went wrong with its bytes. */
static int blame(const char *url, struct err *e)
{
    CLEANUP(buf_clear) struct buf shown = {0};

    url_show(&shown, str_of(url));
    return err_wrap(e, "%s", shown.p);
}

static bool is_missing(const struct pages *pages, const struct http_request *r)
{
    return r->status == 404 || r->status == 410 ||
           (r->status == 403 && pages->o.bucket.len && str_starts(r->url, pages->o.bucket));
}

/* ---- pages in the store: header lines, an empty line, the body ---- */

static void page_key(struct buf *out, const char *url, const char *accept)
{
    buf_fmt(out, "page 1\n%s\n%s", accept ? accept : "", url);
}

static void put_line(struct buf *out, const char *name, const char *value)
{
    if (value)
        buf_fmt(out, "%s: %s\n", name, value);
}

static void take_line(struct page *page, char **modified, struct str line)
{
    struct str name;

    if (!str_cut(&line, STR(": "), &name))
        return;
    if (str_is(name, "missing"))
        page->missing = true;
    else if (str_is(name, "type") && !page->content_type)
        page->content_type = str_dup(line);
    else if (str_is(name, "url") && !page->final_url)
        page->final_url = str_dup(line);
    else if (str_is(name, "etag") && !page->etag)
        page->etag = str_dup(line);
    else if (str_is(name, "modified") && !*modified)
        *modified = str_dup(line);
}

/* *modified (owned by the caller) is the Last-Modified that was kept. */
static int page_load(struct pages *pages, struct str key, struct page *out, char **modified,
                     bool *found, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct str rest, line;

    if (memo_get(pages->memo, key, NULL, &text, found, e) < 0)
        return -1;
    if (!*found)
        return 0;
    rest = buf_view(&text);
    while (str_line(&rest, &line) && line.len)
        take_line(out, modified, line);
    buf_str(&out->body, rest);
    out->from_store = true;
    return 0;
}

static int page_save(struct pages *pages, struct str key, const struct page *page,
                     const char *modified, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};

    put_line(&text, "missing", page->missing ? "yes" : NULL);
    put_line(&text, "type", page->content_type);
    put_line(&text, "url", page->final_url);
    put_line(&text, "etag", page->etag);
    put_line(&text, "modified", modified);
    buf_putc(&text, '\n');
    buf_str(&text, buf_view(&page->body));
    return memo_put_text(pages->memo, key, buf_view(&text), e);
}

/* ---- getting a page ---- */

/* A page on its way. */
struct get {
    struct pages *pages;
    struct buf key;
    struct page stored; /* what the store has, to be confirmed */
    bool has_stored;
    struct page page;
    char *headers[HEADERS]; /* owned */
    struct http_request r;
};

static void get_clear(struct get *g)
{
    buf_clear(&g->key);
    page_clear(&g->stored);
    page_clear(&g->page);
    for (size_t i = 0; i < HEADERS; i++)
        free_clear(&g->headers[i]);
    http_request_clear(&g->r);
}

static void get_header(struct get *g, const char *name, const char *value)
{
    struct buf line = {0};

    if (!value)
        return;
    buf_fmt(&line, "%s: %s", name, value);
    g->headers[g->r.headers_n++] = buf_take(&line);
}

static enum http_start get_start(void *ctx, struct http_request *r, struct err *e)
{
    CLEANUP(free_clear) char *modified = NULL;
    struct get *g = ctx;

    if (page_load(g->pages, buf_view(&g->key), &g->stored, &modified, &g->has_stored, e) < 0)
        return HTTP_FAIL;
    get_header(g, "If-None-Match", g->stored.etag);
    if (!g->stored.etag)
        get_header(g, "If-Modified-Since", modified);
    return HTTP_GO;
}

static int get_begin(void *ctx, const struct http_request *r, uint64_t offset, struct err *e)
{
    struct get *g = ctx;

    buf_reset(&g->page.body);
    return 0;
}

static int get_write(void *ctx, const void *bytes, size_t len, struct err *e)
{
    struct get *g = ctx;

    buf_add(&g->page.body, bytes, len);
    return 0;
}

static void get_open(struct get *g, struct pages *pages, const char *url, const char *accept,
                     uint64_t limit)
{
    g->pages = pages;
    page_key(&g->key, url, accept);
    g->r = (struct http_request){.url = str_of(url),
                                 .headers = (const char *const *)g->headers,
                                 .limit = limit,
                                 .compressed = true,
                                 .start = get_start,
                                 .begin = get_begin,
                                 .write = get_write,
                                 .ctx = g};
    get_header(g, "Accept", accept);
}

static void mark_fresh(struct pages *pages, struct str key)
{
    if (!map_has(&pages->fresh, key))
        map_set(&pages->fresh, arena_str(&pages->arena, key), pages);
}

/* The answer is in: bring store and page to the same state. */
static int get_settle(struct get *g, struct err *e)
{
    struct str key = buf_view(&g->key);

    if (g->r.status == 304 && g->has_stored) {
        MOVE(&g->page, &g->stored);
        mark_fresh(g->pages, key);
        return 0;
    }
    if (is_missing(g->pages, &g->r)) {
        err_clear(&g->r.err);
        page_clear(&g->page);
        g->page.missing = true;
    }
    if (err_is_set(&g->r.err))
        return err_join(e, &g->r.err);
    if (g->r.status == 304) {
        err_set(e, ERR_NET, "the server says \"not modified\" of a page that was never here");
        return blame(g->r.final_url, e);
    }
    MOVE(&g->page.content_type, &g->r.content_type);
    MOVE(&g->page.final_url, &g->r.final_url);
    MOVE(&g->page.etag, &g->r.etag);
    if (page_save(g->pages, key, &g->page, g->r.last_modified, e) < 0)
        return -1;
    mark_fresh(g->pages, key);
    return 0;
}

int pages_get(struct pages *pages, const char *url, const char *accept, uint64_t limit,
              struct page *out, struct err *e)
{
    CLEANUP(get_clear) struct get g = {0};
    CLEANUP(free_clear) char *modified = NULL;
    struct http_request *r = &g.r;
    bool found = false;

    get_open(&g, pages, url, accept, limit);
    if (pages->o.offline || map_has(&pages->fresh, buf_view(&g.key))) {
        if (page_load(pages, buf_view(&g.key), &g.page, &modified, &found, e) < 0)
            return -1;
        if (!found && pages->o.offline)
            return need_network(url, e);
    }
    if (!found && (http_run(pages->http, &r, 1, 1, NULL, NULL, e) < 0 || get_settle(&g, e) < 0))
        return -1;
    MOVE(out, &g.page);
    return 0;
}

static int prefetch_done(void *ctx, struct http_request *r, struct err *e)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* pages_get() meets it again */
    struct get *g = r->ctx;

    (void)!get_settle(g, &ignored);
    get_clear(g); /* thousands of pages shall not stay in memory */
    return 0;
}

int pages_prefetch(struct pages *pages, const char *const *urls, size_t n, const char *accept,
                   uint64_t limit, struct err *e)
{
    CLEANUP(free_clear) struct get *gets = xcalloc(n ? n : 1, sizeof *gets);
    CLEANUP(free_clear) struct http_request **todo = xcalloc(n ? n : 1, sizeof(void *));
    size_t count = 0;
    int result;

    if (pages->o.offline)
        return 0;
    for (size_t i = 0; i < n; i++) {
        get_open(&gets[i], pages, urls[i], accept, limit);
        if (map_has(&pages->fresh, buf_view(&gets[i].key)))
            get_clear(&gets[i]);
        else
            todo[count++] = &gets[i].r;
    }
    result = http_run(pages->http, todo, count, pages->o.parallel, prefetch_done, NULL, e);
    for (size_t i = 0; i < n; i++)
        get_clear(&gets[i]);
    return result;
}

/* ---- blobs ---- */

struct blob_get {
    struct pages *pages;
    const struct page_want *want;
    struct cas_put put;
    struct http_request r;
};

static void blob_clear(struct blob_get *b)
{
    cas_put_clear(&b->put);
    http_request_clear(&b->r);
}

static int blob_begin(void *ctx, const struct http_request *r, uint64_t offset, struct err *e)
{
    struct blob_get *b = ctx;

    cas_put_clear(&b->put);
    return cas_put_open(&b->put, b->pages->cas,
                        digest_is_set(&b->want->digest) ? &b->want->digest : NULL,
                        r->limit ? r->limit : UINT64_MAX, e);
}

static int blob_write(void *ctx, const void *bytes, size_t len, struct err *e)
{
    struct blob_get *b = ctx;

    return sink_write(&b->put.sink, bytes, len, e);
}

static void blob_open(struct blob_get *b, struct pages *pages, const struct page_want *want)
{
    *b = (struct blob_get){.pages = pages, .want = want};
    b->r = (struct http_request){.url = str_of(want->url),
                                 .limit = want->size ? want->size : want->limit,
                                 .begin = blob_begin,
                                 .write = blob_write,
                                 .ctx = b};
}

static int blob_settle(struct blob_get *b, struct err *e)
{
    if (err_is_set(&b->r.err))
        return err_join(e, &b->r.err);
    if (!b->put.cas)
        err_set(e, ERR_NET, "the server sends nothing");
    else if (sink_finish(&b->put.sink, e) == 0)
        return 0;
    return blame(b->want->url, e);
}

static int blob_fetch(struct pages *pages, const struct page_want *want, bool *missing,
                      struct err *e)
{
    unsigned places = http_places(pages->http, str_of(want->url));

    for (unsigned skip = 0;; skip++) {
        CLEANUP(blob_clear) struct blob_get b;
        CLEANUP(err_clear) struct err wrong = {0};
        struct http_request *r = &b.r;

        blob_open(&b, pages, want);
        r->skip = skip;
        if (http_run(pages->http, &r, 1, 1, NULL, NULL, e) < 0)
            return -1;
        if (missing && is_missing(pages, r)) {
            *missing = true;
            return 0;
        }
        if (blob_settle(&b, &wrong) == 0)
            return 0;
        if (wrong.kind != ERR_INTEGRITY || skip + 1 >= places)
            return err_join(e, &wrong);
    }
}

int pages_blob(struct pages *pages, const char *url, const struct digest *digest, uint64_t size,
               uint64_t limit, struct input *out, bool *missing, struct err *e)
{
    const struct page_want want = {url, *digest, size, limit};
    bool right;

    if (missing)
        *missing = false;
    if (cas_check(pages->cas, digest, &right, e) < 0)
        return -1;
    if (!right) {
        if (pages->o.offline)
            return need_network(url, e);
        if (blob_fetch(pages, &want, missing, e) < 0)
            return -1;
        if (missing && *missing)
            return 0;
    }
    return cas_input(out, pages->cas, digest, url, e);
}

int pages_learn(struct pages *pages, const char *url, struct digest *digest, uint64_t *size,
                struct err *e)
{
    struct learn_file f = {.url = str_of(url), .name = path_base(str_of(url)), .digest = *digest};

    if (pages_file(pages, &f, e) < 0)
        return -1;
    *digest = f.digest;
    if (size)
        *size = f.size;
    return 0;
}

int pages_file(struct pages *pages, struct learn_file *f, struct err *e)
{
    bool offline = pages->o.offline && !str_starts(f->url, STR("file:"));
    const struct learn_means means = {offline ? NULL : pages->http, pages->cas, pages->memo,
                                      pages->o.events};

    return learn_fetch(f, &means, e);
}

int pages_git(struct pages *pages, struct git_commit *out, struct arena *a,
              const struct git_ref *ref, struct str name, struct err *e)
{
    const struct git_means means = {pages->cas, pages->o.offline, pages->o.events};

    return git_get(out, a, &means, ref, name, e);
}

char *pages_path(const struct pages *pages, const struct digest *digest)
{
    return cas_path(pages->cas, digest);
}

static int blob_done(void *ctx, struct http_request *r, struct err *e)
{
    CLEANUP(err_clear) struct err ignored = {0}; /* pages_blob() meets it again */
    struct blob_get *b = r->ctx;

    (void)!blob_settle(b, &ignored);
    blob_clear(b);
    return 0;
}

int pages_prefetch_blobs(struct pages *pages, const struct page_want *wants, size_t n,
                         struct err *e)
{
    CLEANUP(free_clear) struct blob_get *blobs = xcalloc(n ? n : 1, sizeof *blobs);
    CLEANUP(free_clear) struct http_request **todo = xcalloc(n ? n : 1, sizeof(void *));
    size_t count = 0;
    int result;

    if (pages->o.offline)
        return 0;
    for (size_t i = 0; i < n; i++) {
        if (cas_has(pages->cas, &wants[i].digest, 0))
            continue;
        blob_open(&blobs[count], pages, &wants[i]);
        todo[count] = &blobs[count].r;
        count++;
    }
    result = http_run(pages->http, todo, count, pages->o.parallel, blob_done, NULL, e);
    for (size_t i = 0; i < count; i++)
        blob_clear(&blobs[i]);
    return result;
}
