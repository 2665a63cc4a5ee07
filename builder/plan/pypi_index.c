/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/map.h"
#include "../net/url.h"
#include "pypi_index.h"
#include "wheel_peek.h"

#define ACCEPT                                                                         \
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, " \
    "text/html;q=0.01"

enum {
    PAGE_MAX = 64 << 20,
    METADATA_MAX = 16 << 20,
    PARALLEL = 16,
    LISTED = 4096, /* of all index addresses in a message, bytes */
};

struct place {
    struct str url;   /* ends in "/" */
    struct str shown; /* without secrets */
    struct strs only;
    bool all;
};

struct asked { /* a project that was asked for */
    struct str name;
    struct project project;
    bool found;
};

struct wheel { /* the metadata of one file */
    struct metadata parsed;
};

struct pypi_index {
    struct web *web;
    struct http *http;
    struct memo *memo;
    const struct events *events;
    struct wheel_target target;
    struct str python_full;
    unsigned parallel;
    struct arena arena;
    struct VEC_OF(struct place) places;
    struct VEC_OF(struct asked *) entries;
    struct VEC_OF(struct wheel *) wheels;
    struct map by_name; /* struct asked */
    struct map by_url;  /* struct wheel */
    struct buf asked;
};

static void add_place(struct pypi_index *x, const struct pypi_place *from)
{
    CLEANUP(buf_clear) struct buf b = {0}, shown = {0};
    struct place *p = vec_push(&x->places);

    buf_str(&b, from->url);
    if (!str_ends(from->url, STR("/")))
        buf_putc(&b, '/');
    url_show(&shown, buf_view(&b));
    p->url = arena_str(&x->arena, buf_view(&b));
    p->shown = arena_str(&x->arena, buf_view(&shown));
    p->all = !from->only;
    for (size_t i = 0; i < from->only_n; i++)
        vec_add(&p->only, arena_str(&x->arena, from->only[i]));
    if (x->asked.len < LISTED)
        buf_fmt(&x->asked, "%s%s", x->asked.len ? ", " : "", shown.p);
}

struct pypi_index *pypi_index_open(struct web *web, struct http *http,
                                   const struct pypi_index_options *o)
{
    struct pypi_index *x = xcalloc(1, sizeof *x);

    *x = (struct pypi_index){.web = web, .http = http, .memo = o->memo, .events = o->events};
    x->parallel = o->parallel ? o->parallel : PARALLEL;
    x->target = o->target;
    x->target.machine = arena_str(&x->arena, o->target.machine);
    x->python_full = arena_str(&x->arena, o->python_full);
    for (size_t i = 0; i < o->places_n; i++)
        add_place(x, &o->places[i]);
    if (!o->places_n)
        add_place(x, &(struct pypi_place){.url = STR(PYPI_INDEX_URL)});
    return x;
}

void pypi_index_clear(struct pypi_index **index)
{
    struct pypi_index *x = *index;

    if (!x)
        return;
    for (size_t i = 0; i < x->entries.n; i++)
        project_clear(&x->entries.v[i]->project);
    for (size_t i = 0; i < x->wheels.n; i++)
        metadata_clear(&x->wheels.v[i]->parsed);
    for (size_t i = 0; i < x->places.n; i++)
        vec_clear(&x->places.v[i].only);
    vec_clear(&x->entries);
    vec_clear(&x->wheels);
    vec_clear(&x->places);
    map_clear(&x->by_name);
    map_clear(&x->by_url);
    buf_clear(&x->asked);
    arena_clear(&x->arena);
    free_clear(index);
}

/* ---- projects ---- */

static bool serves(const struct place *p, struct str name)
{
    for (size_t i = 0; i < p->only.n; i++)
        if (str_eq(p->only.v[i], name))
            return true;
    return p->all;
}

static char *page_url(const struct place *p, struct str name)
{
    struct buf b = {0};

    buf_fmt(&b, STR_FMT STR_FMT "/", STR_ARG(p->url), STR_ARG(name));
    return buf_take(&b);
}

/* The address without "user:password@": links are joined to it, and go into locks. */
static void without_userinfo(struct buf *out, struct str url)
{
    CLEANUP(err_clear) struct err unused = {0}; /* an odd address is used as it is */
    struct url parts;

    if (url_parse(&parts, url, &unused) < 0 || !parts.userinfo.len) {
        buf_str(out, url);
        return;
    }
    buf_add(out, url.p, (size_t)(parts.userinfo.p - url.p));
    buf_str(out, str_sub(url, out->len + parts.userinfo.len + 1, url.len));
}

static int read_page(struct pypi_index *x, struct asked *entry, const struct place *p,
                     const char *url, const struct web_page *page, struct err *e)
{
    CLEANUP(buf_clear) struct buf base = {0};
    CLEANUP(project_clear) struct project made = {.name = entry->name};

    without_userinfo(&base, str_of(page->final_url ? page->final_url : url));
    if (simple_parse(&made.page, buf_view(&page->body), str_of(page->content_type), buf_view(&base),
                     e) < 0)
        return err_wrap(e, STR_FMT STR_FMT "/", STR_ARG(p->shown), STR_ARG(entry->name));
    if (!made.page.files.n)
        return 0; /* some indexes answer so for names they do not have */
    if (project_select(&made, &x->target, x->python_full, p->shown, e) < 0)
        return -1;
    MOVE(&entry->project, &made);
    entry->found = true;
    return 0;
}

/* Ask one index; entry->found tells whether it has the project. */
static int ask_place(struct pypi_index *x, struct asked *entry, const struct place *p,
                     struct err *e)
{
    CLEANUP(web_page_clear) struct web_page page = {0};
    CLEANUP(free_clear) char *url = page_url(p, entry->name);

    if (web_get(x->web, url, ACCEPT, PAGE_MAX, &page, e) < 0)
        return -1;
    return page.missing ? 0 : read_page(x, entry, p, url, &page, e);
}

static struct asked *add_entry(struct pypi_index *x, struct str name)
{
    struct asked *entry = arena_alloc(&x->arena, sizeof *entry);

    entry->name = arena_str(&x->arena, name);
    vec_add(&x->entries, entry);
    return entry;
}

static int get_project(void *ctx, struct str name, const struct project **out, struct err *e)
{
    struct pypi_index *x = ctx;
    struct asked *entry = map_get(&x->by_name, name);

    if (!entry) {
        entry = add_entry(x, name);
        for (size_t i = 0; i < x->places.n && !entry->found; i++)
            if (serves(&x->places.v[i], name) && ask_place(x, entry, &x->places.v[i], e) < 0)
                return -1;
        map_set(&x->by_name, entry->name, entry);
    }
    *out = entry->found ? &entry->project : NULL;
    return 0;
}

struct entries VEC_OF(struct asked *);

/* Ask one index for all that is still open; what it has is settled, the rest stays in *open. */
static int prefetch_place(struct pypi_index *x, const struct place *p, struct entries *open,
                          struct err *e)
{
    CLEANUP(names_clear) struct names urls = {0};
    size_t left = 0;

    for (size_t i = 0; i < open->n; i++)
        if (serves(p, open->v[i]->name))
            vec_add(&urls, page_url(p, open->v[i]->name));
    if (urls.n &&
        web_prefetch(x->web, (const char *const *)urls.v, urls.n, ACCEPT, PAGE_MAX, e) < 0)
        return -1;
    for (size_t i = 0; i < open->n; i++) {
        CLEANUP(err_clear) struct err unused = {0}; /* the real question meets it again */
        struct asked *entry = open->v[i];

        if (serves(p, entry->name) && ask_place(x, entry, p, &unused) < 0)
            continue;
        if (entry->found)
            map_set(&x->by_name, entry->name, entry);
        else
            open->v[left++] = entry;
    }
    open->n = left;
    return 0;
}

static bool is_open(const struct entries *open, struct str name)
{
    for (size_t i = 0; i < open->n; i++)
        if (str_eq(open->v[i]->name, name))
            return true;
    return false;
}

static int prefetch_projects(void *ctx, const struct str *names, size_t n, struct err *e)
{
    struct pypi_index *x = ctx;
    struct entries open = {0};
    int rc = 0;

    for (size_t i = 0; i < n; i++)
        if (!map_has(&x->by_name, names[i]) && !is_open(&open, names[i]))
            vec_add(&open, add_entry(x, names[i]));
    for (size_t i = 0; i < x->places.n && open.n && !rc; i++)
        rc = prefetch_place(x, &x->places.v[i], &open, e);
    for (size_t i = 0; i < open.n && !rc; i++)
        map_set(&x->by_name, open.v[i]->name, open.v[i]); /* no index has it */
    vec_clear(&open);
    return rc;
}

/* ---- metadata ---- */

static void memo_key(struct buf *out, const struct digest *d)
{
    char hex[DIGEST_HEX + 1];

    digest_hex(d, hex);
    buf_fmt(out, "wheel metadata 1\n%s", hex);
}

/* Only the fields are kept: a description can be long, and nobody asks for it. */
static struct str fields_only(struct str text)
{
    size_t unix_end = str_find_str(text, STR("\n\n")), dos_end = str_find_str(text, STR("\n\r\n"));

    return str_sub(text, 0, (unix_end < dos_end ? unix_end : dos_end) + 1);
}

static void remember(struct pypi_index *x, const struct simple_file *f, struct str text)
{
    CLEANUP(err_clear) struct err unused = {0}; /* a memo that cannot be written is only slower */
    CLEANUP(buf_clear) struct buf key = {0};

    if (!x->memo || !digest_is_set(&f->digest))
        return;
    memo_key(&key, &f->digest);
    if (memo_put(x->memo, buf_view(&key), fields_only(text), &unused) < 0)
        events_note(x->events, "not remembered: %s", unused.msg);
}

static bool recall(struct pypi_index *x, const struct simple_file *f, struct buf *out)
{
    CLEANUP(err_clear) struct err unused = {0}; /* as above */
    CLEANUP(buf_clear) struct buf key = {0};
    bool found = false;

    if (!x->memo || !digest_is_set(&f->digest))
        return false;
    memo_key(&key, &f->digest);
    return memo_get(x->memo, buf_view(&key), out, &found, &unused) == 0 && found;
}

static bool is_same_version(struct str a, const struct pep440 *b)
{
    struct pep440 v;

    return pep440_parse(&v, a) && pep440_cmp(&v, b) == 0;
}

/* Take in the text; it must speak of the project and version that its file name promises. */
static int learn(struct pypi_index *x, const struct pypi_likely *of, struct str text, struct err *e)
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
static int read_announced(struct pypi_index *x, const struct simple_file *f, struct buf *out,
                          bool *found, struct err *e)
{
    CLEANUP(free_clear) char *url = metadata_url(f);
    CLEANUP(web_page_clear) struct web_page page = {0};
    CLEANUP(cas_input_clear) struct input input = {0};
    bool missing = false;

    if (!digest_is_set(&f->metadata_digest)) {
        if (web_get(x->web, url, NULL, METADATA_MAX, &page, e) < 0)
            return -1;
        *found = !page.missing;
        buf_str(out, buf_view(&page.body));
        return 0;
    }
    if (web_blob(x->web, url, &f->metadata_digest, 0, METADATA_MAX, &input, &missing, e) < 0)
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

/* Read ranges of wheels, and take in what they say; faults[i] tells of wheel i, as set here. */
static int peek_all(struct pypi_index *x, const struct pypi_likely *of, size_t n,
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
        rc = wheel_peek(x->http, todo.v, n, x->parallel, e);
    for (size_t i = 0; i < n; i++) {
        if (!rc && err_is_set(&peeks[i].err)) {
            err_join(&faults[i], &peeks[i].err);
        } else if (!rc) {
            remember(x, of[i].candidate->file, buf_view(&peeks[i].metadata));
            (void)!learn(x, &of[i], buf_view(&peeks[i].metadata), &faults[i]);
        }
        wheel_peek_clear(&peeks[i]);
    }
    vec_clear(&todo);
    return rc;
}

/* From the memo or the announced file; *found = false when only ranges are left. */
static int learn_nearby(struct pypi_index *x, const struct pypi_likely *of, bool *found,
                        struct err *e)
{
    const struct simple_file *f = of->candidate->file;
    CLEANUP(buf_clear) struct buf text = {0};

    *found = recall(x, f, &text);
    if (!*found && f->has_metadata) {
        if (read_announced(x, f, &text, found, e) < 0)
            return -1;
        if (*found)
            remember(x, f, buf_view(&text));
    }
    return *found ? learn(x, of, buf_view(&text), e) : 0;
}

static int get_metadata(void *ctx, const struct project *p, const struct candidate *c,
                        const struct metadata **out, struct err *e)
{
    const struct pypi_likely of = {p, c};
    CLEANUP(err_clear) struct err fault = {0};
    struct pypi_index *x = ctx;
    struct wheel *w = map_get(&x->by_url, c->file->url);
    bool found = true;

    if (!w && learn_nearby(x, &of, &found, e) < 0)
        return -1;
    if (!found && web_is_offline(x->web))
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
static int fetch_announced(struct pypi_index *x, const struct pypi_likely *of, size_t n,
                           struct err *e)
{
    CLEANUP(names_clear) struct names pages = {0}, blobs = {0};
    struct VEC_OF(struct web_want) wants = {0};
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
        vec_add(&wants, ((struct web_want){.url = blobs.v[blobs.n - 1],
                                           .digest = f->metadata_digest,
                                           .limit = METADATA_MAX}));
    }
    if (pages.n)
        rc = web_prefetch(x->web, (const char *const *)pages.v, pages.n, NULL, METADATA_MAX, e);
    if (!rc && wants.n)
        rc = web_prefetch_blobs(x->web, wants.v, wants.n, e);
    vec_clear(&wants);
    return rc;
}

static bool is_remembered(struct pypi_index *x, const struct simple_file *f)
{
    CLEANUP(buf_clear) struct buf text = {0};

    return recall(x, f, &text);
}

static int prefetch_metadata(void *ctx, const struct pypi_likely *likely, size_t n, struct err *e)
{
    struct pypi_index *x = ctx;
    struct VEC_OF(struct pypi_likely) far = {0}, wanted = {0};
    struct err *faults = xcalloc(n + 1, sizeof *faults);
    int rc = 0;

    if (web_is_offline(x->web))
        n = 0;
    for (size_t i = 0; i < n; i++)
        if (!map_has(&x->by_url, likely[i].candidate->file->url) &&
            !is_remembered(x, likely[i].candidate->file))
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

/* ---- files by their address ---- */

static int direct_file(struct pypi_index *x, struct str url, struct simple_file *out, struct err *e)
{
    CLEANUP(buf_clear) struct buf name = {0};
    struct str fragment = url, hex;
    struct url parts;

    if (url_parse(&parts, url, e) < 0)
        return -1;
    if (str_cut(&fragment, STR("#"), &url) && str_skip(&fragment, STR("sha256="))) {
        hex = str_sub(fragment, 0, str_find(fragment, '&'));
        if (!digest_from_hex(&out->digest, hex))
            return err_set(e, ERR_INPUT, "\"" STR_FMT "\" is no sha256", STR_ARG(hex));
    }
    if (url_file_name(&name, url, e) < 0)
        return -1;
    out->name = arena_str(&x->arena, buf_view(&name));
    out->url = arena_str(&x->arena, url);
    return 0;
}

static int get_direct(void *ctx, struct str name, struct str url, const struct project **out,
                      struct err *e)
{
    struct pypi_index *x = ctx;
    struct asked *entry = add_entry(x, name);
    struct simple_file file = {0};
    CLEANUP(buf_clear) struct buf dist = {0};
    struct wheel_name w;

    if (direct_file(x, url, &file, e) < 0)
        return err_wrap(e, STR_FMT, STR_ARG(name));
    if (!wheel_name_parse(&w, file.name))
        return err_set(e, ERR_INPUT,
                       "%s: \"" STR_FMT "\" is no wheel, and only wheels are installed",
                       entry->name.p, STR_ARG(file.name));
    pep503_normalise(&dist, w.dist);
    if (!str_eq(buf_view(&dist), name))
        return err_set(e, ERR_INPUT, "%s: \"" STR_FMT "\" is a wheel of %s", entry->name.p,
                       STR_ARG(file.name), dist.p);
    entry->project.name = entry->name;
    vec_add(&entry->project.page.files, file);
    entry->found = true;
    if (project_select(&entry->project, &x->target, x->python_full, STR("recipe"), e) < 0)
        return -1;
    *out = &entry->project;
    return 0;
}

struct pypi_universe pypi_index_universe(struct pypi_index *x)
{
    return (struct pypi_universe){.ctx = x,
                                  .asked = buf_view(&x->asked),
                                  .project = get_project,
                                  .metadata = get_metadata,
                                  .direct = get_direct,
                                  .prefetch = prefetch_projects,
                                  .prefetch_metadata = prefetch_metadata};
}

int pypi_artifacts(struct artifacts *out, const struct pypi_solution *solution, struct err *e)
{
    struct artifacts made = {0};
    const struct pypi_pick *p;

    vec_each(p, &solution->picks) {
        const struct simple_file *f = p->candidate->file;

        vec_add(&made, ((struct artifact){.eco = ECO_WHEEL,
                                          .name = p->name,
                                          .version = p->candidate->version.text,
                                          .file = f->name,
                                          .url = f->url,
                                          .from = p->candidate->from,
                                          .group = STR("pip"),
                                          .requested = p->requested,
                                          .size = f->size,
                                          .digest = f->digest}));
        if (!digest_is_set(&f->digest))
            err_set(e, ERR_INPUT,
                    "index gives no sha256 of " STR_FMT " (" STR_FMT
                    "); name the file by its address with #sha256=<hex>",
                    STR_ARG(f->name), STR_ARG(p->candidate->from));
    }
    if (err_is_set(e)) {
        vec_clear(&made);
        return -1;
    }
    MOVE(out, &made);
    return 0;
}
