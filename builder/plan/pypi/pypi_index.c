/* SPDX-License-Identifier: Apache-2.0 */
#include "pypi_index.h"

#include "../../base/map.h"
#include "../../base/path.h"
#include "../../net/url.h"
#include "sdists.h"
#include "wheel_size.h"
#include "wheel_texts.h"

#define ACCEPT                                                                         \
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, " \
    "text/html;q=0.01"

enum {
    PAGE_MAX = 64 << 20,
    PARALLEL = 16,
    LISTED = 4096, /* of all index addresses in a message, bytes */
};

struct place {
    struct str url;     /* ends in "/" */
    const char *folder; /* or the absolute path of a folder; NULL */
    struct str shown;   /* without secrets */
    struct strs only;
    bool all, owns;
};

struct asked { /* a project that was asked for */
    struct str name;
    struct project project;
    bool found;
};

struct pypi_index {
    struct pages *pages;
    struct http *http; /* NULL when offline */
    struct memo *memo;
    unsigned parallel;
    struct wheel_texts *texts;
    struct sdists *sdists; /* may be NULL */
    const struct events *events;
    struct wheel_target target;
    struct str python_full;
    struct str local; /* what the address of a file below `root` begins with; empty: no root */
    const char *root;
    struct VEC_OF(struct pypi_allowed) allowed;
    struct arena arena;
    struct VEC_OF(struct place) places;
    struct VEC_OF(struct asked *) entries;
    struct map by_name; /* struct asked */
    struct map bound;   /* name -> struct str * */
};

static void add_place(struct pypi_index *x, const struct pypi_place *from)
{
    CLEANUP(buf_clear) struct buf b = {0}, shown = {0};
    struct place *p = vec_push(&x->places);

    if (from->folder.len) {
        CLEANUP(free_clear) char *name = str_dup(from->folder);
        CLEANUP(free_clear) char *path = path_join(x->root, name);

        p->folder = arena_strdup(&x->arena, path);
        buf_str(&shown, from->folder);
    } else {
        buf_str(&b, from->url);
        if (!str_ends(from->url, STR("/")))
            buf_putc(&b, '/');
        url_show(&shown, buf_view(&b));
        p->url = arena_str(&x->arena, buf_view(&b));
    }
    p->shown = arena_str(&x->arena, buf_view(&shown));
    p->all = !from->only;
    p->owns = from->owns;
    for (size_t i = 0; i < from->only_n; i++)
        vec_add(&p->only, arena_str(&x->arena, from->only[i]));
}

static void set_root(struct pypi_index *x, struct str root)
{
    CLEANUP(buf_clear) struct buf local = {0};

    x->root = arena_cstr(&x->arena, root);
    if (!root.len)
        return;
    url_of_path(&local, root);
    if (!str_ends(root, STR("/")))
        buf_putc(&local, '/');
    x->local = arena_str(&x->arena, buf_view(&local));
}

static void take_rules(struct pypi_index *x, const struct pypi_index_options *o)
{
    for (size_t i = 0; i < o->allowed_n; i++)
        vec_add(&x->allowed, o->allowed[i]);
    for (size_t i = 0; i < o->bound_n; i++) {
        struct str *from = arena_alloc(&x->arena, sizeof *from);

        *from = arena_str(&x->arena, o->bound[i].from);
        map_set(&x->bound, arena_str(&x->arena, o->bound[i].name), from);
    }
}

struct pypi_index *pypi_index_open(struct pages *pages, struct http *http,
                                   const struct pypi_index_options *o)
{
    struct pypi_index *x = xcalloc(1, sizeof *x);

    *x = (struct pypi_index){.pages = pages,
                             .http = http,
                             .memo = o->memo,
                             .parallel = o->parallel ? o->parallel : PARALLEL,
                             .sdists = o->sdists,
                             .events = o->events};
    x->texts = wheel_texts_open(&(struct wheel_texts_options){.pages = pages,
                                                              .http = http,
                                                              .memo = o->memo,
                                                              .parallel = x->parallel,
                                                              .events = o->events});
    set_root(x, o->root);
    take_rules(x, o);
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
    for (size_t i = 0; i < x->places.n; i++)
        vec_clear(&x->places.v[i].only);
    vec_clear(&x->entries);
    vec_clear(&x->allowed);
    vec_clear(&x->places);
    map_clear(&x->by_name);
    map_clear(&x->bound);
    wheel_texts_clear(&x->texts);
    arena_clear(&x->arena);
    free_clear(index);
}

/* ---- projects ---- */

static bool lists(const struct place *p, struct str name)
{
    for (size_t i = 0; i < p->only.n; i++)
        if (str_eq(p->only.v[i], name))
            return true;
    return false;
}

/* May the place be asked for the project? A folder is the user's own, and no other can fill it. */
static bool serves(const struct pypi_index *x, const struct place *p, struct str name)
{
    const struct place *other;

    if (p->folder || lists(p, name))
        return true;
    vec_each(other, &x->places)
        if (other->owns && lists(other, name))
            return false;
    return p->all;
}

static char *page_url(const struct place *p, struct str name)
{
    struct buf b = {0};

    buf_fmt(&b, STR_FMT STR_FMT "/", STR_ARG(p->url), STR_ARG(name));
    return buf_take(&b);
}

static bool is_local(const struct simple_file *f)
{
    return str_starts(f->url, STR("file:"));
}

/* The digest of a file that its index tells without one; by fetching it. */
static int learn_digest(struct pypi_index *x, struct simple_file *f, struct err *e)
{
    CLEANUP(free_clear) char *url = str_dup(f->url);

    if (digest_is_set(&f->digest))
        return 0;
    if (!is_local(f))
        events_note(x->events, STR_FMT ": nobody tells its sha256; fetching it to learn it",
                    STR_ARG(f->name));
    return pages_learn(x->pages, url, &f->digest, &f->size, e);
}

/* Mark those files of the page whose digest one list of the user's lacks. */
static int keep_listed(struct pypi_index *x, struct simple_page *page, const struct pypi_allowed *a,
                       struct err *e)
{
    size_t kept = 0;

    for (size_t i = 0; i < page->files.n; i++) {
        struct simple_file *f = &page->files.v[i];
        bool found = false;

        if (is_local(f) && learn_digest(x, f, e) < 0)
            return -1;
        for (size_t j = 0; j < a->n; j++)
            found |= digest_eq(&a->digests[j], &f->digest);
        f->refused |= !found;
        kept += found;
    }
    if (!page->files.n || kept)
        return 0;
    return err_set(e, ERR_INTEGRITY,
                   STR_FMT ": no file that the index has matches a --hash of " STR_FMT,
                   STR_ARG(a->name), STR_ARG(a->where));
}

static int keep_allowed(struct pypi_index *x, struct simple_page *page, struct str name,
                        struct err *e)
{
    const struct pypi_allowed *a;

    vec_each(a, &x->allowed)
        if (str_eq(a->name, name) && keep_listed(x, page, a, e) < 0)
            return -1;
    return 0;
}

static bool is_place(const struct pypi_index *x, struct str shown)
{
    for (size_t i = 0; i < x->places.n; i++)
        if (str_eq(x->places.v[i].shown, shown))
            return true;
    return false;
}

/* A name that an older lock had from another index, which is still listed behind this one: somebody
 * may have put it here to be taken for the other. */
static int check_bound(const struct pypi_index *x, struct str name, const struct place *p,
                       struct err *e)
{
    const struct str *from = map_get(&x->bound, name);

    if (!from || p->owns || str_eq(*from, p->shown) || !is_place(x, *from))
        return 0;
    return err_set(e, ERR_UNSAT,
                   STR_FMT
                   " is from " STR_FMT " in the lock, and now " STR_FMT
                   ", which stands before it, has that name too; list it under `only` of the index "
                   "that is meant, or take the other with `envbuild lock --upgrade " STR_FMT "`",
                   STR_ARG(name), STR_ARG(*from), STR_ARG(p->shown), STR_ARG(name));
}

static bool may_build(const struct pypi_index *x, struct str name)
{
    return x->sdists && sdists_may_build(x->sdists, name);
}

/* The page of `made` is read: what does it offer for the target? */
static int settle(struct pypi_index *x, struct asked *entry, const struct place *p,
                  struct project *made, struct err *e)
{
    if (!made->page.files.n)
        return 0; /* some indexes answer so for names they do not have */
    if (check_bound(x, entry->name, p, e) < 0 || keep_allowed(x, &made->page, entry->name, e) < 0 ||
        project_select(made, &x->target, x->python_full, p->shown, may_build(x, entry->name), e) <
            0)
        return -1;
    MOVE(&entry->project, made);
    entry->found = true;
    return 0;
}

static int read_page(struct pypi_index *x, struct asked *entry, const struct place *p,
                     const char *url, const struct page *page, struct err *e)
{
    CLEANUP(buf_clear) struct buf base = {0};
    CLEANUP(project_clear) struct project made = {.name = entry->name};

    url_without_userinfo(&base, str_of(page->final_url ? page->final_url : url));
    if (simple_parse(&made.page, buf_view(&page->body), str_of(page->content_type), buf_view(&base),
                     e) < 0)
        return err_wrap(e, STR_FMT STR_FMT "/", STR_ARG(p->shown), STR_ARG(entry->name));
    return settle(x, entry, p, &made, e);
}

/* A folder's files of one project, as a page. Their digests are learnt when they are chosen. */
static int read_folder(struct pypi_index *x, struct asked *entry, const struct place *p,
                       struct err *e)
{
    CLEANUP(project_clear) struct project made = {.name = entry->name};
    CLEANUP(names_clear) struct names names = {0};
    struct arena *a = &made.page.arena;

    if (fs_list(&names, p->folder, e) < 0)
        return err_wrap(e, "find_links");
    for (size_t i = 0; i < names.n; i++) {
        CLEANUP(buf_clear) struct buf url = {0};
        CLEANUP(free_clear) char *path = path_join(p->folder, names.v[i]);
        struct str name = str_of(names.v[i]);

        if (!project_has(entry->name, name))
            continue;
        url_of_path(&url, str_of(path));
        vec_add(&made.page.files, ((struct simple_file){.name = arena_str(a, name),
                                                        .url = arena_str(a, buf_view(&url))}));
    }
    return settle(x, entry, p, &made, e);
}

/* Ask one index; entry->found tells whether it has the project. */
static int ask_place(struct pypi_index *x, struct asked *entry, const struct place *p,
                     struct err *e)
{
    CLEANUP(page_clear) struct page page = {0};
    CLEANUP(free_clear) char *url = NULL;

    if (p->folder)
        return read_folder(x, entry, p, e);
    url = page_url(p, entry->name);
    if (pages_get(x->pages, url, ACCEPT, PAGE_MAX, &page, e) < 0)
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
            if (serves(x, &x->places.v[i], name) && ask_place(x, entry, &x->places.v[i], e) < 0)
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
        if (!p->folder && serves(x, p, open->v[i]->name))
            vec_add(&urls, page_url(p, open->v[i]->name));
    if (urls.n &&
        pages_prefetch(x->pages, (const char *const *)urls.v, urls.n, ACCEPT, PAGE_MAX, e) < 0)
        return -1;
    for (size_t i = 0; i < open->n; i++) {
        CLEANUP(err_clear) struct err unused = {0}; /* the real question meets it again */
        struct asked *entry = open->v[i];

        if (serves(x, p, entry->name) && ask_place(x, entry, p, &unused) < 0)
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

/* ---- files by their address ---- */

/* An address, or a path relative to the root. */
static int direct_url(struct pypi_index *x, struct str url, struct buf *out, struct err *e)
{
    CLEANUP(free_clear) char *name = NULL, *path = NULL;
    struct url parts;

    if (str_starts(url, STR(".")) || str_starts(url, STR("/"))) {
        str_skip(&url, STR("./"));
        name = str_dup(url);
        path = path_join(x->root, name);
        url_of_path(out, str_of(path));
        return 0;
    }
    buf_str(out, url);
    return url_parse(&parts, url, e);
}

static int direct_file(struct pypi_index *x, struct str url, struct simple_file *out, struct err *e)
{
    CLEANUP(buf_clear) struct buf name = {0}, whole = {0};
    struct str fragment = url, hex;

    if (str_cut(&fragment, STR("#"), &url) && str_skip(&fragment, STR("sha256="))) {
        hex = str_sub(fragment, 0, str_find(fragment, '&'));
        if (!digest_from_hex(&out->digest, hex))
            return err_set(e, ERR_INPUT, "\"" STR_FMT "\" is not a sha256", STR_ARG(hex));
    }
    if (direct_url(x, url, &whole, e) < 0 || url_file_name(&name, buf_view(&whole), e) < 0)
        return -1;
    out->name = arena_str(&x->arena, buf_view(&name));
    out->url = arena_str(&x->arena, buf_view(&whole));
    return 0;
}

/* An address that tells a sha256 is believed; the file must have it when it is fetched. */
static int check_direct(struct pypi_index *x, struct asked *entry, struct err *e)
{
    struct simple_file *f = &entry->project.page.files.v[0];

    if (learn_digest(x, f, e) < 0)
        return -1;
    return keep_allowed(x, &entry->project.page, entry->name, e);
}

/* Its version is known when it was looked at. */
static int get_source(struct pypi_index *x, struct str name, struct str url,
                      const struct project **out, struct err *e)
{
    struct asked *entry = add_entry(x, name);
    struct project *p = &entry->project;

    if (git_ref_is(url) && !may_build(x, name))
        return err_set(e, ERR_INPUT,
                       STR_FMT ": \"" STR_FMT
                               "\" is built from source, and the recipe's `build` does not name it",
                       STR_ARG(name), STR_ARG(url));
    p->name = entry->name;
    vec_add(&p->page.files,
            ((struct simple_file){.name = entry->name, .url = arena_str(&x->arena, url)}));
    vec_add(
        &p->candidates,
        ((struct candidate){.file = &p->page.files.v[0], .from = STR("recipe"), .source = true}));
    if (sdists_direct(x->sdists, p, &p->candidates.v[0], e) < 0)
        return -1;
    entry->found = true;
    *out = p;
    return 0;
}

static int get_direct(void *ctx, struct str name, struct str url, const struct project **out,
                      struct err *e)
{
    struct pypi_index *x = ctx;
    struct asked *entry;
    struct simple_file file = {0};
    CLEANUP(buf_clear) struct buf dist = {0};
    struct wheel_name w;

    if (git_ref_is(url) || (x->sdists && sdists_is_project(x->sdists, url)))
        return get_source(x, name, url, out, e);
    if (direct_file(x, url, &file, e) < 0)
        return err_wrap(e, STR_FMT, STR_ARG(name));
    entry = add_entry(x, name);
    if (wheel_name_parse(&w, file.name)) {
        pep503_normalise(&dist, w.dist);
        if (!str_eq(buf_view(&dist), name))
            return err_set(e, ERR_INPUT, "%s: \"" STR_FMT "\" is a wheel of %s", entry->name.p,
                           STR_ARG(file.name), dist.p);
    } else if (!may_build(x, name) || !project_is_sdist(file.name)) {
        return err_set(e, ERR_INPUT, "%s: \"" STR_FMT "\" is not a wheel%s", entry->name.p,
                       STR_ARG(file.name),
                       project_is_sdist(file.name) ? ", and the recipe's `build` does not name it"
                                                   : ", and only wheels and sdists are installed");
    }
    entry->project.name = entry->name;
    vec_add(&entry->project.page.files, file);
    entry->found = true;
    if (check_direct(x, entry, e) < 0 || project_select(&entry->project, &x->target, x->python_full,
                                                        STR("recipe"), may_build(x, name), e) < 0)
        return -1;
    *out = &entry->project;
    return 0;
}

static int get_metadata(void *ctx, const struct project *p, const struct candidate *c,
                        const struct metadata **out, struct err *e)
{
    struct pypi_index *x = ctx;

    return c->source ? sdists_metadata(x->sdists, p, c, out, e)
                     : wheel_texts_get(x->texts, p, c, out, e);
}

static int prefetch_metadata(void *ctx, const struct pypi_likely *likely, size_t n, struct err *e)
{
    struct VEC_OF(struct pypi_likely) wheels = {0};
    int rc = 0;

    for (size_t i = 0; i < n; i++)
        if (!likely[i].candidate->source) /* nobody builds on a guess */
            vec_add(&wheels, likely[i]);
    if (wheels.n)
        rc = wheel_texts_prefetch(((struct pypi_index *)ctx)->texts, wheels.v, wheels.n, e);
    vec_clear(&wheels);
    return rc;
}

/* The places that serve the project, for messages. */
static struct str asked_for(void *ctx, struct str name)
{
    struct pypi_index *x = ctx;
    CLEANUP(buf_clear) struct buf list = {0};
    const struct place *p;

    vec_each(p, &x->places)
        if (serves(x, p, name) && list.len < LISTED)
            buf_fmt(&list, "%s" STR_FMT, list.len ? ", " : "", STR_ARG(p->shown));
    return arena_str(&x->arena, buf_view(&list));
}

struct pypi_universe pypi_index_universe(struct pypi_index *x)
{
    return (struct pypi_universe){.ctx = x,
                                  .asked = asked_for,
                                  .project = get_project,
                                  .metadata = get_metadata,
                                  .direct = get_direct,
                                  .prefetch = prefetch_projects,
                                  .prefetch_metadata = prefetch_metadata};
}

/* Below the root by a relative path: a lock holds nothing of the machine it was written on. */
static struct str lasting_url(struct pypi_index *x, struct str url)
{
    if (!x->local.len || !str_starts(url, x->local))
        return url;
    return str_of(arena_fmt(&x->arena, "./" STR_FMT,
                            STR_ARG(str_sub(url, x->local.len, url.len - x->local.len))));
}

static int make_artifact(struct pypi_index *x, const struct pypi_pick *p, struct artifact *out,
                         struct err *e)
{
    struct simple_file f = *p->candidate->file;

    *out = (struct artifact){.eco = ECO_WHEEL,
                             .name = p->name,
                             .version = p->candidate->version.text,
                             .from = p->candidate->from,
                             .group = STR("pip"),
                             .requested = p->requested,
                             .needs = p->needs,
                             .extras = {p->brought.v, p->brought.n, 0},
                             .turn = p->turn};
    if (p->candidate->source)
        return sdists_source(x->sdists, p->project, p->candidate, lasting_url(x, f.url), out, e);
    if (learn_digest(x, &f, e) < 0)
        return -1;
    out->file = f.name;
    out->url = lasting_url(x, f.url);
    out->size = f.size;
    out->digest = f.digest;
    return 0;
}

int pypi_artifacts(struct artifacts *out, struct pypi_index *x,
                   const struct pypi_solution *solution, struct err *e)
{
    struct artifacts made = {0};
    const struct pypi_pick *p;

    vec_each(p, &solution->picks) {
        struct err fault = {0};

        if (make_artifact(x, p, vec_push(&made), &fault) < 0)
            err_join(e, &fault);
    }
    if (err_is_set(e) || wheel_sizes(made.v, made.n, x->http, x->memo, x->parallel, e) < 0) {
        vec_clear(&made);
        return -1;
    }
    MOVE(out, &made);
    return 0;
}
