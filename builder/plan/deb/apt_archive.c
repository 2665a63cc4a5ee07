/* plan/deb/apt_archive.c - the packages of an apt archive's suites, verified, as one index. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "apt_archive.h"

#include "../../base/pool.h"
#include "../../io/decompress.h"
#include "../../pkg/deb/release.h"

/* bookworm: InRelease 150 kB, Packages 50 MB of plain text, 9 MB as xz. */
enum { INRELEASE_MAX = 16 << 20, PACKED_MAX = 128 << 20, PLAIN_MAX = 512 << 20, THREADS = 4 };

/* One suite on its way; all are worked on side by side. */
struct suite {
    const struct apt_source *source;
    char *what; /* the URL of its InRelease, which also names it in messages */
    char *url;  /* of its folder under dists/ */
    struct buf inrelease;
    struct release release;
};

/* One Packages file: a component of a suite. */
struct list {
    struct suite *suite;
    char *from;                        /* "bookworm/main" */
    const struct release_index *index; /* in the suite's release */
    uint64_t plain;                    /* bytes it may unpack to */
    char *url, *by_hash;               /* by_hash: NULL where the archive has none */
    struct input input;
    struct str arch;
    struct memo *memo;
    struct buf bytes; /* condensed; empty until it is known */
};

struct work {
    struct VEC_OF(struct suite) suites;
    struct VEC_OF(struct list) lists;
};

static void work_clear(struct work *w)
{
    struct suite *s;
    struct list *l;

    vec_each(l, &w->lists) {
        free(l->from);
        free(l->url);
        free(l->by_hash);
        cas_input_clear(&l->input);
        buf_clear(&l->bytes);
    }
    vec_clear(&w->lists);
    vec_each(s, &w->suites) {
        free(s->what);
        free(s->url);
        buf_clear(&s->inrelease);
        release_clear(&s->release);
    }
    vec_clear(&w->suites);
}

static char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *text(const char *fmt, ...)
{
    struct buf b = {0};
    va_list args;

    va_start(args, fmt);
    buf_vfmt(&b, fmt, args);
    va_end(args);
    return buf_take(&b);
}

static bool is_flat(const struct apt_source *source)
{
    return str_ends(source->suite, STR("/"));
}

static void add_suite(struct work *w, const struct apt_source *source)
{
    struct suite *s = vec_push(&w->suites);
    struct str uri = source->uri;

    while (str_drop(&uri, STR("/")))
        ;
    s->source = source;
    if (is_flat(source)) {
        struct str folder = source->suite;
        while (str_skip(&folder, STR("./")) || str_skip(&folder, STR("/")) ||
               str_drop(&folder, STR("/")))
            ;
        s->url = text(STR_FMT "%s" STR_FMT, STR_ARG(uri), folder.len ? "/" : "", STR_ARG(folder));
    } else {
        s->url = text(STR_FMT "/dists/" STR_FMT, STR_ARG(uri), STR_ARG(source->suite));
    }
    s->what = text("%s/InRelease", s->url);
}

static int get_inrelease(struct pages *pages, struct suite *s, struct err *e)
{
    CLEANUP(page_clear) struct page page = {0};

    if (pages_get(pages, s->what, NULL, INRELEASE_MAX, &page, e) < 0)
        return -1;
    if (page.missing)
        return err_set(e, ERR_INPUT,
                       "%s is not there: the archive has no suite \"" STR_FMT
                       "\", or does not sign it",
                       s->what, STR_ARG(s->source->suite));
    MOVE(&s->inrelease, &page.body);
    return 0;
}

static int get_inreleases(struct pages *pages, struct work *w, struct err *e)
{
    CLEANUP(free_clear) const char **urls = xcalloc(w->suites.n + 1, sizeof *urls);

    for (size_t i = 0; i < w->suites.n; i++)
        urls[i] = w->suites.v[i].what;
    if (pages_prefetch(pages, urls, w->suites.n, NULL, INRELEASE_MAX, e) < 0)
        return -1;
    for (size_t i = 0; i < w->suites.n; i++)
        if (get_inrelease(pages, &w->suites.v[i], e) < 0)
            return -1;
    return 0;
}

static int verify(struct suite *s, int64_t now, const struct events *events, struct err *e)
{
    const struct apt_source *from = s->source;

    if (release_verify(&s->release, buf_view(&s->inrelease), from->keyring,
                       from->any_key ? NULL : &from->fingerprints, s->what, events, e) < 0)
        return -1;
    /* A flat archive has no name that could be another one's. */
    return release_check(&s->release, is_flat(from) ? s->release.suite : from->suite, now,
                         from->snapshot, s->what, e);
}

/* The best packed form of an index that the suite lists; NULL when it has none. */
static const struct release_index *find_packed(const struct release *r, const char *path)
{
    static const char *const heads[] = {"", "./"}, *const ends[] = {".xz", ".gz", ""};
    const struct release_index *found = NULL;

    for (size_t i = 0; i < ARRAY_LEN(heads) * ARRAY_LEN(ends) && !found; i++) {
        CLEANUP(free_clear)
        char *packed = text("%s%s%s", heads[i / ARRAY_LEN(ends)], path, ends[i % ARRAY_LEN(ends)]);
        found = release_find(r, str_of(packed));
    }
    return found;
}

static int add_list(struct work *w, struct suite *s, struct str component, struct str arch,
                    struct memo *memo, struct err *e)
{
    CLEANUP(free_clear)
    char *dir = component.len
                    ? text(STR_FMT "/binary-" STR_FMT "/", STR_ARG(component), STR_ARG(arch))
                    : xstrdup("");
    CLEANUP(free_clear) char *path = text("%sPackages", dir);
    const struct release_index *plain = release_find(&s->release, str_of(path));
    const struct release_index *packed = find_packed(&s->release, path);

    if (!packed)
        return err_set(e, ERR_INPUT, "%s lists no %s: no such component or architecture", s->what,
                       path);
    struct list *l = vec_push(&w->lists);
    l->suite = s;
    l->arch = arch;
    l->memo = memo;
    l->from = component.len
                  ? text(STR_FMT "/" STR_FMT, STR_ARG(s->source->suite), STR_ARG(component))
                  : text("%s", s->url);
    l->index = packed;
    l->plain = plain && plain->size < PLAIN_MAX ? plain->size : PLAIN_MAX;
    l->url = text("%s/" STR_FMT, s->url, STR_ARG(packed->path));
    if (s->release.by_hash) {
        char hex[DIGEST_HEX + 1];
        digest_hex(&packed->digest, hex);
        l->by_hash = text("%s/%sby-hash/SHA256/%s", s->url, dir, hex);
    }
    return 0;
}

static int add_lists(struct work *w, struct str arch, struct memo *memo, struct err *e)
{
    struct suite *s;

    vec_each(s, &w->suites) {
        if (is_flat(s->source) && add_list(w, s, (struct str){0}, arch, memo, e) < 0)
            return -1;
        for (size_t i = 0; i < s->source->components.n; i++)
            if (add_list(w, s, s->source->components.v[i], arch, memo, e) < 0)
                return -1;
    }
    return 0;
}

/* By hash where the archive promises it; an archive that breaks the promise is asked by name. */
static int get_list(struct pages *pages, struct list *l, struct err *e)
{
    bool missing = l->by_hash == NULL;

    if (l->by_hash && pages_blob(pages, l->by_hash, &l->index->digest, l->index->size, PACKED_MAX,
                                 &l->input, &missing, e) < 0)
        return -1;
    if (!missing)
        return 0;
    return pages_blob(pages, l->url, &l->index->digest, l->index->size, PACKED_MAX, &l->input, NULL,
                      e);
}

/* ---- condensed lists, remembered with the digest of the index that they were made of ---- */

static void list_key(struct buf *out, const struct list *l)
{
    buf_fmt(out, "packages " DEBLIST_MAGIC " " STR_FMT "\n%s", STR_ARG(l->arch), l->url);
}

/* A job of the pool. */
static int recall(void *ctx, struct err *e)
{
    CLEANUP(buf_clear) struct buf key = {0};
    struct list *l = ctx;
    bool found = false;

    list_key(&key, l);
    return l->memo ? memo_get(l->memo, buf_view(&key), &l->index->digest, &l->bytes, &found, e) : 0;
}

static int remember(struct list *l, struct err *e)
{
    CLEANUP(buf_clear) struct buf key = {0};
    struct seen seen;
    uint64_t size;

    if (!l->memo || l->bytes.len > MEMO_MAX)
        return 0;
    list_key(&key, l);
    if (seen_fd(&seen, &size, l->input.fd.n, l->url, e) < 0)
        return -1;
    return memo_put(l->memo, buf_view(&key), &seen, buf_view(&l->bytes), e);
}

/* A job of the pool. */
static int condense(void *ctx, struct err *e)
{
    struct list *l = ctx;
    CLEANUP(source_clear)
    struct source *plain = decompress(source_file(l->input.fd.n, 0, l->input.size, l->url));

    plain->limit = l->plain;
    if (deblist_condense(&l->bytes, plain, l->plain, l->arch, l->from, e) < 0)
        return -1;
    return remember(l, e);
}

/* Do `job` for all lists that are not known yet, side by side. */
static int each_list(struct work *w, int (*job)(void *ctx, struct err *e), struct err *e)
{
    CLEANUP(pool_clear) struct pool *pool = pool_open(THREADS);

    for (size_t i = 0; i < w->lists.n; i++)
        if (!w->lists.v[i].bytes.len)
            pool_add(pool, w->lists.v[i].index->size, (unsigned)i, job, &w->lists.v[i]);
    return pool_wait(pool, e);
}

static int get_lists(struct pages *pages, struct work *w, struct err *e)
{
    CLEANUP(free_clear) struct page_want *wants = xcalloc(w->lists.n + 1, sizeof *wants);
    size_t n = 0;
    struct list *l;

    vec_each(l, &w->lists) {
        if (!l->bytes.len)
            wants[n++] = (struct page_want){.url = l->by_hash ? l->by_hash : l->url,
                                            .digest = l->index->digest,
                                            .size = l->index->size,
                                            .limit = PACKED_MAX};
    }
    if (pages_prefetch_blobs(pages, wants, n, e) < 0)
        return -1;
    vec_each(l, &w->lists) {
        if (!l->bytes.len && get_list(pages, l, e) < 0)
            return -1;
    }
    return 0;
}

static unsigned pin_of(const struct release *r)
{
    if (!r->not_automatic)
        return DEB_PIN_USUAL;
    return r->automatic_upgrades ? DEB_PIN_BACKPORTS : DEB_PIN_NEVER_BY_ITSELF;
}

static int index_lists(struct debindex *index, struct work *w, struct err *e)
{
    struct list *l;

    vec_each(l, &w->lists) {
        const struct suite *s = l->suite;
        const struct deb_origin origin = {.from = str_of(l->from),
                                          .base_url = s->source->uri,
                                          .suite = s->release.suite.len ? s->release.suite
                                                                        : s->source->suite,
                                          .codename = s->release.codename,
                                          .pin = pin_of(&s->release)};
        if (debindex_add_list(index, &l->bytes, &origin, e) < 0)
            return -1;
    }
    return 0;
}

static int index_own(struct debindex *index, struct str own, struct err *e)
{
    return own.len ? debindex_add(index, str_dup(own), own.len, "envbuild", "", e) : 0;
}

static void record(struct apt_archive *out, const struct suite *s)
{
    struct lock_archive *r = vec_push(&out->releases);

    r->uri = arena_str(&out->arena, s->source->uri);
    r->suite = arena_str(&out->arena, s->source->suite);
    r->codename =
        arena_str(&out->arena, s->release.codename.len ? s->release.codename : s->source->suite);
    r->date = s->release.date;
    for (size_t i = 0; i < s->release.signers.n; i++)
        vec_add(&r->signers, arena_str(&out->arena, s->release.signers.v[i]));
    hash_bytes(&r->digest, s->inrelease.p, s->inrelease.len);
}

int apt_archive_open(struct apt_archive *out, struct pages *pages, struct memo *memo,
                     const struct apt_source *sources, size_t n, struct str own, struct str arch,
                     int64_t now, const struct events *events, struct err *e)
{
    CLEANUP(apt_archive_clear) struct apt_archive a = {0};
    CLEANUP(work_clear) struct work w = {0};

    for (size_t i = 0; i < n; i++)
        add_suite(&w, &sources[i]);
    if (get_inreleases(pages, &w, e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (verify(&w.suites.v[i], now, events, e) < 0)
            return -1;
    a.index.arch = arena_str(&a.arena, arch);
    if (add_lists(&w, arch, memo, e) < 0 || each_list(&w, recall, e) < 0 ||
        get_lists(pages, &w, e) < 0 || each_list(&w, condense, e) < 0 ||
        index_lists(&a.index, &w, e) < 0 || index_own(&a.index, own, e) < 0)
        return -1;
    debindex_finish(&a.index);
    for (size_t i = 0; i < n; i++)
        record(&a, &w.suites.v[i]);
    MOVE(out, &a);
    return 0;
}

void apt_archive_clear(struct apt_archive *a)
{
    for (size_t i = 0; i < a->releases.n; i++)
        vec_clear(&a->releases.v[i].signers);
    vec_clear(&a->releases);
    debindex_clear(&a->index);
    arena_clear(&a->arena);
}
