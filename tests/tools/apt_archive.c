/* tests/tools/apt_archive.c - fetch and verify an archive's suites through the page cache.
 *
 * apt_archive [--offline] STORE KEYRING FINGERPRINT[,...] ARCH NOW URI SUITE[,...] COMPONENT[,...]
 *     [URI SUITE COMPONENT]...
 * Prints a line for each suite and one with the count of packages; errors go to stderr. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/path.h"
#include "plan/deb/apt_archive.h"

struct sources VEC_OF(struct apt_source);

static void split(struct strs *out, const char *list)
{
    struct str text = str_of(list), item;

    while (str_item(&text, ',', &item))
        vec_add(out, item);
}

static void add_sources(struct sources *out, char **argv, const struct apt_source *common)
{
    for (; argv[0] && argv[1] && argv[2]; argv += 3) {
        struct str suites = str_of(argv[1]), suite;
        while (str_item(&suites, ',', &suite)) {
            struct apt_source *s = vec_push(out);
            *s = *common;
            s->uri = str_of(argv[0]);
            s->suite = suite;
            split(&s->components, argv[2]);
        }
    }
}

static int show(struct pages *pages, struct memo *memo, const struct sources *sources,
                struct str arch, int64_t now, struct err *e)
{
    CLEANUP(apt_archive_clear) struct apt_archive a = {0};

    if (apt_archive_open(&a, pages, memo, sources->v, sources->n, STR(""), arch, now, NULL, e) < 0)
        return -1;
    for (size_t i = 0; i < a.releases.n; i++) {
        const struct lock_archive *r = &a.releases.v[i];
        char digest[DIGEST_TEXT + 1];
        digest_text(&r->digest, digest);
        printf(STR_FMT " " STR_FMT " %lld %s", STR_ARG(r->suite), STR_ARG(r->codename),
               (long long)r->date, digest);
        for (size_t j = 0; j < r->signers.n; j++)
            printf(" " STR_FMT, STR_ARG(r->signers.v[j]));
        printf("\n");
    }
    printf("%zu packages\n", a.index.packages.n);
    return 0;
}

static int run(char **argv, bool offline, struct err *e)
{
    CLEANUP(http_clear) struct http *http = NULL;
    CLEANUP(memo_clear) struct memo *page_memo = NULL;
    CLEANUP(cas_clear) struct cas *cas = NULL;
    CLEANUP(pages_clear) struct pages *pages = NULL;
    CLEANUP(buf_clear) struct buf ring = {0};
    CLEANUP(free_clear) char *pages_dir = path_join(argv[0], "pages");
    struct apt_source common = {0};
    struct sources sources = {0};
    uint64_t now = 0;
    int result;

    if (http_open(&http, &(struct http_options){.tries = 2}, e) < 0 ||
        memo_open(&page_memo, pages_dir, e) < 0 || cas_open(&cas, argv[0], NULL, e) < 0 ||
        fs_read(&ring, argv[1], 16 << 20, e) < 0)
        return -1;
    pages = pages_open(http, page_memo, cas, &(struct pages_options){.offline = offline});
    split(&common.fingerprints, argv[2]);
    common.keyring = buf_view(&ring);
    if (!str_u64(str_of(argv[4]), &now))
        return err_set(e, ERR_USAGE, "\"%s\" is not a time", argv[4]);
    add_sources(&sources, argv + 5, &common);
    result = show(pages, page_memo, &sources, str_of(argv[3]), (int64_t)now, e);
    for (size_t i = 0; i < sources.n; i++)
        vec_clear(&sources.v[i].components);
    vec_clear(&sources);
    vec_clear(&common.fingerprints);
    return result;
}

int main(int argc, char **argv)
{
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf line = {0};
    bool offline = argc > 1 && !strcmp(argv[1], "--offline");

    if (argc - offline < 9)
        return ERR_USAGE;
    if (run(argv + 1 + offline, offline, &e) == 0)
        return 0;
    err_format(&e, &line);
    fprintf(stderr, "%s\n", line.p);
    return (int)e.kind;
}
