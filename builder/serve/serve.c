/* SPDX-License-Identifier: Apache-2.0 */
#include "serve.h"

#include <pthread.h>

#include "deltas.h"
#include "httpd.h"
#include "image_tar.h"
#include "page.h"
#include "pull.h"

enum { ALONE = 60 * 1000 }; /* milliseconds */

static const char alone[] =
    "envbuild: nobody has connected yet. A firewall on this machine may close the port, and many\n"
    "    wireless networks keep their machines apart (\"client isolation\"). What helps: a cable "
    "to\n"
    "    the same switch; a hotspot of this machine or of a phone; or a USB stick, which\n"
    "    `envbuild bundle` writes\n";

struct serve {
    struct serve_how how; /* without host */
    pthread_mutex_t lock; /* over the host */
    char *host;           /* owned */
    struct httpd *httpd;
    struct watch *watch;
    struct httpd_handlers handlers;
    _Atomic bool asked;    /* somebody has come */
    _Atomic uint64_t now;  /* milliseconds, at the last tick */
    bool told;             /* that nobody has */
    uint64_t ticks, began; /* milliseconds; of the first tick */
    bool *changed;         /* of each file of the shelf: it was told; owned */
};

/* Who asks for an image's manifest is going to fetch what it names. */
static void note_manifest(struct serve *s, const struct httpd_ask *ask)
{
    const struct route route = route_parse(ask->path);
    struct stored *const *image;
    char what[DIGEST_TEXT + 1];

    if (route.kind != ROUTE_MANIFEST || ask->head)
        return;
    vec_each(image, &s->how.shelf->images) {
        const struct digest *digest = &(*image)->digest;
        const struct shelf_repository *r = shelf_repository(s->how.shelf, route.name);
        const struct shelf_tag *tag = r && route.tag.len ? shelf_tag(r, route.tag) : NULL;

        if (!digest_eq(digest, tag ? &tag->digest : &route.digest))
            continue;
        digest_text(digest, what);
        watch_wants(s->watch, ask->peer, ask->agent, WATCH_IMAGE, str_of(what),
                    shelf_image_size(*image));
    }
}

static void put_plain(struct httpd_answer *out, unsigned status, struct str text)
{
    out->status = status;
    httpd_header(out, "Content-Type", STR("text/plain; charset=utf-8"));
    httpd_text(out, arena_str(&out->arena, text));
}

/* Which image is meant: the one that ?image=NAME:TAG names, or the only one. */
static const struct shelf_tag *pick(const struct serve *s, const struct httpd_ask *ask,
                                    const struct shelf_repository **repository, struct buf *list)
{
    struct str asked = httpd_query_one(ask, "image");
    const struct shelf_tag *t, *found = NULL;
    const struct shelf_repository *r;
    CLEANUP(buf_clear) struct buf name = {0};
    size_t n = 0;

    vec_each(r, &s->how.shelf->repositories)
        vec_each(t, &r->tags) {
            buf_reset(&name);
            buf_fmt(&name, STR_FMT ":" STR_FMT, STR_ARG(r->name), STR_ARG(t->tag));
            if (asked.len && !str_eq(asked, buf_view(&name)))
                continue;
            buf_fmt(list, "/image.tar?image=%s\n", name.p);
            found = t;
            *repository = r;
            n++;
        }
    return n == 1 ? found : NULL;
}

/* The same, or NULL when the answer is that there is none. */
static const struct shelf_tag *choose(const struct serve *s, const struct httpd_ask *ask,
                                      const struct shelf_repository **repository,
                                      struct httpd_answer *out)
{
    CLEANUP(buf_clear) struct buf list = {0};
    const struct shelf_tag *tag = pick(s, ask, repository, &list);

    if (!tag)
        put_plain(out, 404, list.len ? buf_view(&list) : STR("there is no such image here\n"));
    return tag;
}

static void put_error(struct httpd_answer *out, const struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};

    err_format(e, &text);
    buf_putc(&text, '\n');
    put_plain(out, 500, buf_view(&text));
}

static void put_tar(struct serve *s, const struct httpd_ask *ask, struct httpd_answer *out)
{
    const struct shelf_repository *repository = NULL;
    const struct shelf_tag *tag = choose(s, ask, &repository, out);
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf what = {0};
    struct strs have = {0};
    uint64_t size;

    if (!tag)
        return;
    httpd_query(&have, ask, "have");
    if (image_tar_answer(out, &size, s->how.shelf, repository->name, tag, &have, &e) < 0) {
        put_error(out, &e);
    } else if (!ask->head) {
        buf_fmt(&what, "tar " STR_FMT, STR_ARG(out->etag));
        watch_wants(s->watch, ask->peer, ask->agent, WATCH_IMAGE, buf_view(&what), size);
    }
    vec_clear(&have);
}

static void put_delta(struct serve *s, const struct httpd_ask *ask, struct httpd_answer *out)
{
    deltas_answer(out, s->how.shelf->deltas, ask);
    if (out->status == 200 && !ask->head)
        watch_wants(s->watch, ask->peer, ask->agent, WATCH_DELTA, out->etag, httpd_size(out));
}

static struct page page_for(struct serve *s, const struct httpd_ask *ask, struct arena *arena)
{
    struct str asked = httpd_query_one(ask, "lang"), own;

    pthread_mutex_lock(&s->lock);
    own = arena_str(arena, str_of(s->host));
    pthread_mutex_unlock(&s->lock);
    return (struct page){.shelf = s->how.shelf,
                         .watch = s->watch,
                         .host = page_host(ask->host, own),
                         .key = s->how.gate ? gate_key(s->how.gate) : NULL,
                         .encrypts = s->how.cert != NULL,
                         .chinese = page_wants_chinese(asked.len ? asked : ask->language)};
}

static void put_script(struct serve *s, const struct httpd_ask *ask, struct httpd_answer *out,
                       enum page_script script)
{
    const struct shelf_repository *repository = NULL;
    const struct shelf_tag *tag = choose(s, ask, &repository, out);
    const struct page page = page_for(s, ask, &out->arena);
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    uint64_t tar;

    if (!tag)
        return;
    if (image_tar_size(&tar, s->how.shelf, repository->name, tag, &e) < 0) {
        put_error(out, &e);
        return;
    }
    page_script_write(&text, &page, script, repository->name, tag, tar);
    put_plain(out, 200, buf_view(&text));
}

static void put_page(struct serve *s, const struct httpd_ask *ask, struct httpd_answer *out,
                     void (*write)(struct buf *out, const struct page *p))
{
    const struct page page = page_for(s, ask, &out->arena);
    CLEANUP(buf_clear) struct buf text = {0};

    write(&text, &page);
    out->status = 200;
    httpd_header(out, "Content-Type", STR("text/html; charset=utf-8"));
    httpd_header(out, "Cache-Control", STR("no-store"));
    httpd_header(out, "Vary", STR("Accept-Language"));
    httpd_header(out, "X-Content-Type-Options", STR("nosniff"));
    httpd_header(out, "Content-Security-Policy",
                 STR("default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                     "connect-src 'self'; base-uri 'none'; form-action 'none'; "
                     "frame-ancestors 'none'"));
    httpd_text(out, arena_str(&out->arena, buf_view(&text)));
}

/* ---- who may ---- */

static void keep_out(const struct httpd_ask *ask, struct httpd_answer *out, unsigned status,
                     const char *code, const char *words)
{
    CLEANUP(buf_clear) struct buf text = {0};

    if (route_is_registry(ask->path)) {
        pull_answer_error(out, status, code, words);
        return;
    }
    buf_fmt(&text, "%s\n", words);
    put_plain(out, status, buf_view(&text));
}

static bool may_come_in(struct serve *s, const struct httpd_ask *ask, struct httpd_answer *out)
{
    if (!s->how.gate)
        return true;
    switch (gate_knock(s->how.gate, ask->peer, ask->authorization, s->now)) {
    case GATE_COME_IN:
        return true;
    case GATE_WHO:
    case GATE_WRONG:
        httpd_header(out, "WWW-Authenticate", STR("Basic realm=\"envbuild\", charset=\"UTF-8\""));
        keep_out(ask, out, 401, "UNAUTHORIZED",
                 "a code is wanted: give it as the password, with any user name");
        return false;
    case GATE_LATER:
        httpd_header(out, "Retry-After", STR("1"));
        keep_out(ask, out, 429, "TOOMANYREQUESTS",
                 "this address gave too many wrong codes; wait a second, then try again");
        return false;
    }
    return false;
}

static void answer(void *ctx, const struct httpd_ask *ask, struct httpd_answer *out)
{
    struct serve *s = ctx;

    s->asked = true;
    if (!may_come_in(s, ask, out))
        return;
    if (route_is_registry(ask->path)) {
        pull_answer(out, s->how.shelf, ask);
        if (out->status == 200)
            note_manifest(s, ask);
    } else if (str_is(ask->path, "/image.tar")) {
        put_tar(s, ask, out);
    } else if (s->how.shelf->deltas && deltas_is(ask->path)) {
        put_delta(s, ask, out);
    } else if (str_is(ask->path, "/get.sh")) {
        put_script(s, ask, out, PAGE_SH);
    } else if (str_is(ask->path, "/get.ps1")) {
        put_script(s, ask, out, PAGE_PS1);
    } else if (str_is(ask->path, "/")) {
        put_page(s, ask, out, page_write);
    } else if (str_is(ask->path, "/table")) {
        put_page(s, ask, out, page_table);
    } else {
        put_plain(out, 404, STR("there is nothing of that name\n"));
    }
}

/* Manifests are small, and asked for by those who have the image, too. */
static void *begin(void *ctx, const struct httpd_ask *ask, int fd, uint64_t len)
{
    struct serve *s = ctx;

    return route_parse(ask->path).kind == ROUTE_BLOB || str_is(ask->path, "/image.tar") ||
                   deltas_is(ask->path)
               ? watch_begin(s->watch, ask->peer, ask->agent, fd, len)
               : NULL;
}

static void end(void *ctx, void *transfer, bool whole)
{
    struct serve *s = ctx;

    watch_end(s->watch, transfer, whole);
}

int serve_open(struct serve **out, const struct serve_how *how, struct fd *socket, struct err *e)
{
    CLEANUP(serve_clear) struct serve *s = xcalloc(1, sizeof *s);

    s->how = *how;
    pthread_mutex_init(&s->lock, NULL);
    s->host = str_dup(how->host);
    s->watch = watch_open();
    s->changed = xcalloc(how->shelf->files.n + 1, sizeof *s->changed);
    s->handlers = (struct httpd_handlers){answer, begin, end, s};
    if (httpd_open(&s->httpd, socket, how->threads, how->cert, &s->handlers, e) < 0)
        return -1;
    MOVE(out, &s);
    return 0;
}

void serve_move(struct serve *s, struct str host)
{
    pthread_mutex_lock(&s->lock);
    free(s->host);
    s->host = str_dup(host);
    pthread_mutex_unlock(&s->lock);
}

/* One who began just before is cut off by the next tick. */
static void cut_changed(struct serve *s, struct buf *say)
{
    const struct shelf *shelf = s->how.shelf;

    for (size_t i = 0; i < shelf->files.n; i++) {
        const struct shelf_file *f = &shelf->files.v[i];

        if (shelf_file_is_whole(f))
            continue;
        httpd_cut(s->httpd, f->fd.n);
        if (!s->changed[i])
            buf_fmt(say,
                    "envbuild: " STR_FMT " was changed, so what is made of it is refused from now "
                    "on, and who fetches it is cut off; make the image again, then serve it anew\n",
                    STR_ARG(f->name));
        s->changed[i] = true;
    }
}

void serve_tick(struct serve *s, uint64_t now_ms, struct buf *say)
{
    s->now = now_ms;
    watch_tick(s->watch, now_ms);
    cut_changed(s, say);
    if (!s->ticks++)
        s->began = now_ms;
    if (s->told || s->asked || now_ms - s->began < ALONE)
        return;
    buf_puts(say, alone);
    s->told = true;
}

void serve_sum(struct watch_sum *out, struct serve *s)
{
    watch_sum(out, s->watch);
}

void serve_clear(struct serve **s)
{
    if (!*s)
        return;
    httpd_clear(&(*s)->httpd);
    watch_free((*s)->watch);
    pthread_mutex_destroy(&(*s)->lock);
    free((*s)->host);
    free((*s)->changed);
    free(*s);
    *s = NULL;
}
