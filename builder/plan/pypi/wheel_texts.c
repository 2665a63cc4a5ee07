/* SPDX-License-Identifier: Apache-2.0 */
#include "wheel_texts.h"

#include "../../base/map.h"
#include "../../net/url.h"
#include "../../pkg/pypi/metadata_memo.h"
#include "wheel_peek.h"

enum { METADATA_MAX = 16 << 20 };

struct wheel { /* the metadata of one file */
    struct metadata parsed;
};

struct wheel_texts {
    struct wheel_texts_options o;
    struct arena arena;
    struct VEC_OF(struct wheel *) wheels;
    struct map by_url;
};

struct wheel_texts *wheel_texts_open(const struct wheel_texts_options *options)
{
    struct wheel_texts *x = xcalloc(1, sizeof *x);

    x->o = *options;
    return x;
}

void wheel_texts_clear(struct wheel_texts **texts)
{
    struct wheel_texts *x = *texts;

    if (!x)
        return;
    for (size_t i = 0; i < x->wheels.n; i++)
        metadata_clear(&x->wheels.v[i]->parsed);
    vec_clear(&x->wheels);
    map_clear(&x->by_url);
    arena_clear(&x->arena);
    free_clear(texts);
}

static struct metadata_source source_of(const struct candidate *c)
{
    return (struct metadata_source){c->from, c->file->url, c->file->digest};
}

static void remember(struct wheel_texts *x, const struct candidate *c, struct str text)
{
    const struct metadata_source source = source_of(c);

    metadata_announced(x->o.memo, &source, text, x->o.events);
}

static bool recall(struct wheel_texts *x, const struct candidate *c, struct buf *out)
{
    const struct metadata_source source = source_of(c);

    return metadata_recall(x->o.memo, &source, out);
}

static bool is_same_version(struct str a, const struct pep440 *b)
{
    struct pep440 v;

    return pep440_parse(&v, a) && pep440_cmp(&v, b) == 0;
}

/* Take in the text; it must speak of the project and version that its file name promises. */
static int learn(struct wheel_texts *x, const struct pypi_likely *of, struct str text,
                 struct err *e)
{
    const struct simple_file *f = of->candidate->file;
    CLEANUP(metadata_clear) struct metadata m = {0};
    CLEANUP(free_clear) char *what = str_dup(f->name);
    CLEANUP(buf_clear) struct buf name = {0};
    struct wheel *w;

    if (metadata_parse(&m, text, what, e) < 0)
        return -1;
    pep503_normalise(&name, m.name);
    if (!str_eq(buf_view(&name), of->project->name) ||
        !is_same_version(m.version, &of->candidate->version))
        return err_set(e, ERR_INPUT, "%s says in METADATA that it is " STR_FMT " " STR_FMT, what,
                       STR_ARG(m.name), STR_ARG(m.version));
    w = arena_alloc(&x->arena, sizeof *w);
    MOVE(&w->parsed, &m);
    vec_add(&x->wheels, w);
    map_set(&x->by_url, f->url, w);
    return 0;
}

static char *metadata_url(const struct simple_file *f)
{
    struct buf b = {0};

    buf_fmt(&b, STR_FMT ".metadata", STR_ARG(f->url));
    return buf_take(&b);
}

/* The announced file, kept in the store; *found = false where the index announces in vain. */
static int read_announced(struct wheel_texts *x, const struct simple_file *f, struct buf *out,
                          bool *found, struct err *e)
{
    CLEANUP(free_clear) char *url = metadata_url(f);
    CLEANUP(page_clear) struct page page = {0};
    CLEANUP(cas_input_clear) struct input input = {0};
    bool missing = false;

    if (!digest_is_set(&f->metadata_digest)) {
        if (pages_get(x->o.pages, url, NULL, METADATA_MAX, &page, e) < 0)
            return -1;
        *found = !page.missing;
        buf_str(out, buf_view(&page.body));
        return 0;
    }
    if (pages_blob(x->o.pages, url, &f->metadata_digest, 0, METADATA_MAX, &input, &missing, e) < 0)
        return -1;
    *found = !missing;
    if (missing)
        return 0;
    if (input.size > METADATA_MAX)
        return err_set(e, ERR_INPUT, "%s is too large", url);
    if (fd_pread_all(input.fd.n, buf_room(out, (size_t)input.size), (size_t)input.size, 0, url, e) <
        0)
        return -1;
    out->len += (size_t)input.size;
    return 0;
}

struct peeks VEC_OF(struct wheel_peek *);

static void take_peek(struct wheel_texts *x, const struct pypi_likely *of, struct wheel_peek *peek,
                      struct err *fault)
{
    if (err_is_set(&peek->err)) {
        err_join(fault, &peek->err);
        return;
    }
    remember(x, of->candidate, buf_view(&peek->metadata));
    (void)!learn(x, of, buf_view(&peek->metadata), fault);
}

/* The server answers no ranges: bring the whole wheel into the store, and look there. */
static int peek_whole(struct wheel_texts *x, const struct pypi_likely *of, struct err *fault,
                      struct err *e)
{
    CLEANUP(free_clear) char *url = str_dup(of->candidate->file->url);
    CLEANUP(free_clear) char *path = NULL;
    CLEANUP(buf_clear) struct buf local = {0};
    CLEANUP(wheel_peek_clear) struct wheel_peek peek = {0};
    struct wheel_peek *one = &peek;
    struct digest digest = of->candidate->file->digest;

    events_note(x->o.events, STR_FMT ": the server answers no ranges; fetching all of it",
                STR_ARG(of->candidate->file->name));
    if (pages_learn(x->o.pages, url, &digest, NULL, fault) < 0)
        return 0;
    path = pages_path(x->o.pages, &digest);
    url_of_path(&local, str_of(path));
    peek.url = buf_view(&local);
    if (wheel_peek(x->o.http, &one, 1, 1, e) < 0)
        return -1;
    take_peek(x, of, &peek, fault);
    return 0;
}

/* Read ranges of wheels, and take in what they say; faults[i] tells of wheel i, as set here. */
static int peek_all(struct wheel_texts *x, const struct pypi_likely *of, size_t n,
                    struct err *faults, struct err *e)
{
    CLEANUP(free_clear) struct wheel_peek *peeks = xcalloc(n + 1, sizeof *peeks);
    struct peeks todo = {0};
    int rc = 0;

    for (size_t i = 0; i < n; i++) {
        peeks[i].url = of[i].candidate->file->url;
        vec_add(&todo, &peeks[i]);
    }
    if (n)
        rc = wheel_peek(x->o.http, todo.v, n, x->o.parallel, e);
    for (size_t i = 0; i < n; i++) {
        if (!rc && peeks[i].no_ranges)
            rc = peek_whole(x, &of[i], &faults[i], e);
        else if (!rc)
            take_peek(x, &of[i], &peeks[i], &faults[i]);
        wheel_peek_clear(&peeks[i]);
    }
    vec_clear(&todo);
    return rc;
}

/* From the memo or the announced file; *found = false when only ranges are left. */
static int learn_nearby(struct wheel_texts *x, const struct pypi_likely *of, bool *found,
                        struct err *e)
{
    const struct simple_file *f = of->candidate->file;
    CLEANUP(buf_clear) struct buf text = {0};

    *found = recall(x, of->candidate, &text);
    if (!*found && f->has_metadata) {
        if (read_announced(x, f, &text, found, e) < 0)
            return -1;
        if (*found)
            remember(x, of->candidate, buf_view(&text));
    }
    return *found ? learn(x, of, buf_view(&text), e) : 0;
}

int wheel_texts_get(struct wheel_texts *x, const struct project *p, const struct candidate *c,
                    const struct metadata **out, struct err *e)
{
    const struct pypi_likely of = {p, c};
    CLEANUP(err_clear) struct err fault = {0};
    struct wheel *w = map_get(&x->by_url, c->file->url);
    bool found = true;

    if (!w && learn_nearby(x, &of, &found, e) < 0)
        return -1;
    if (!found && pages_is_offline(x->o.pages) && !str_starts(c->file->url, STR("file:")))
        return err_set(e, ERR_NET,
                       "METADATA of " STR_FMT " is not in the store, and offline it cannot be "
                       "read; run once without --offline",
                       STR_ARG(c->file->name));
    if (!found && peek_all(x, &of, 1, &fault, e) < 0)
        return -1;
    if (err_is_set(&fault))
        return err_join(e, &fault);
    w = map_get(&x->by_url, c->file->url);
    *out = &w->parsed;
    return 0;
}

/* Bring the announced files into the store, so that learn_nearby() finds them there. */
static int fetch_announced(struct wheel_texts *x, const struct pypi_likely *of, size_t n,
                           struct err *e)
{
    CLEANUP(names_clear) struct names pages = {0}, blobs = {0};
    struct VEC_OF(struct page_want) wants = {0};
    int rc = 0;

    for (size_t i = 0; i < n; i++) {
        const struct simple_file *f = of[i].candidate->file;

        if (!f->has_metadata)
            continue;
        if (!digest_is_set(&f->metadata_digest)) {
            vec_add(&pages, metadata_url(f));
            continue;
        }
        vec_add(&blobs, metadata_url(f));
        vec_add(&wants, ((struct page_want){.url = blobs.v[blobs.n - 1],
                                            .digest = f->metadata_digest,
                                            .limit = METADATA_MAX}));
    }
    if (pages.n)
        rc = pages_prefetch(x->o.pages, (const char *const *)pages.v, pages.n, NULL, METADATA_MAX,
                            e);
    if (!rc && wants.n)
        rc = pages_prefetch_blobs(x->o.pages, wants.v, wants.n, e);
    vec_clear(&wants);
    return rc;
}

static bool is_remembered(struct wheel_texts *x, const struct candidate *c)
{
    CLEANUP(buf_clear) struct buf text = {0};

    return recall(x, c, &text);
}

int wheel_texts_prefetch(struct wheel_texts *x, const struct pypi_likely *likely, size_t n,
                         struct err *e)
{
    struct VEC_OF(struct pypi_likely) far = {0}, wanted = {0};
    struct err *faults = xcalloc(n + 1, sizeof *faults);
    int rc = 0;

    if (pages_is_offline(x->o.pages))
        n = 0;
    for (size_t i = 0; i < n; i++)
        if (!map_has(&x->by_url, likely[i].candidate->file->url) &&
            !is_remembered(x, likely[i].candidate))
            vec_add(&wanted, likely[i]);
    if (wanted.n)
        rc = fetch_announced(x, wanted.v, wanted.n, e);
    for (size_t i = 0; i < wanted.n && !rc; i++) {
        CLEANUP(err_clear) struct err unused = {0}; /* the real question meets it again */
        bool found;

        if (learn_nearby(x, &wanted.v[i], &found, &unused) == 0 && !found)
            vec_add(&far, wanted.v[i]);
    }
    if (!rc && far.n)
        rc = peek_all(x, far.v, far.n, faults, e);
    for (size_t i = 0; i < far.n; i++)
        err_clear(&faults[i]); /* as above */
    free(faults);
    vec_clear(&far);
    vec_clear(&wanted);
    return rc;
}
