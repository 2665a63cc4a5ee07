/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/path.h"
#include "peer.h"
#include "plan/toolkit/redist_choose.h"
#include "table.h"

#define DATA "tests/unit/data/redist"
#define CUDA REDIST_URL "cuda/redist/"
#define HEX "0011223344556677889900112233445566778899001122334455667788990011"

static struct peer peer;
static char *folder;
static char mirror[64];
static struct http *http;
static struct http_rules rules;
static struct memo *page_memo;
static struct cas *cas;

/* NVIDIA's server, here. */
static void stand_in(const char *prefix, const char *path)
{
    struct http_mirrors *rule = vec_push(&rules);

    snprintf(mirror, sizeof mirror, "http://127.0.0.1:%d%s", peer.port, path);
    rule->prefix = str_of(prefix);
    vec_add(&rule->mirrors, str_of(strdup(mirror)));
}

static int begin(void **state)
{
    struct http_options o = {.tries = 1, .pause_ms = 10, .rules = &rules};
    struct err e = {0};
    char *dir, command[4200];

    folder = scratch_make();
    dir = path_join(folder, "pages");
    snprintf(command, sizeof command, "cp " DATA "/*.json '%s'", folder);
    if (system(command) != 0 || !peer_start(&peer, "tests/peers/http_peer.py", folder))
        return -1;
    stand_in(CUDA, "/file/");
    stand_in(REDIST_URL "cudnn/redist/", "/file/");
    stand_in(CUDA "redistrib_1.1.1.json", "/bytes/100");
    stand_in(CUDA "redistrib_1.1.2.json", "/bytes/5000000");
    if (http_open(&http, &o, &e) < 0 || memo_open(&page_memo, dir, &e) < 0 ||
        cas_open(&cas, folder, NULL, &e) < 0)
        return -1;
    free(dir);
    return 0;
}

static int end(void **state)
{
    struct http_mirrors *rule;

    http_clear(&http);
    memo_clear(&page_memo);
    cas_clear(&cas);
    peer_stop(&peer);
    scratch_remove(folder);
    vec_each(rule, &rules) {
        free((char *)(uintptr_t)rule->mirrors.v[0].p);
        vec_clear(&rule->mirrors);
    }
    vec_clear(&rules);
    return 0;
}

/* Serve a manifest of the test's own. */
static void publish(const char *release, const char *text)
{
    CLEANUP(free_clear) char *path = NULL;
    char name[64];
    FILE *f;

    snprintf(name, sizeof name, "redistrib_%s.json", release);
    path = path_join(folder, name);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

struct chosen {
    struct artifacts list;
    struct arena arena;
    struct err e;
};

static void chosen_clear(struct chosen *c)
{
    vec_clear(&c->list);
    arena_clear(&c->arena);
    err_clear(&c->e);
}

static int choose(struct chosen *c, struct pages *pages, const char *product, const char *release,
                  const char *variant, const struct redist_want *wants, size_t n)
{
    return redist_choose(&c->list, &c->arena, pages, str_of(product), str_of(release),
                         str_of(variant), wants, n, &c->e);
}

static struct pages *fresh_run(bool offline)
{
    return pages_open(offline ? NULL : http, page_memo, cas,
                      &(struct pages_options){.offline = offline});
}

/* What a devel image asks for; not every release has the optional ones. */
static const struct redist_want toolkit[] = {
    {.component = STR_INIT("cuda_nvcc")},
    {.component = STR_INIT("cuda_cudart")},
    {.component = STR_INIT("cuda_cccl")},
    {.component = STR_INIT("cuda_nvrtc")},
    {.component = STR_INIT("cuda_nvtx")},
    {.component = STR_INIT("cuda_cupti")},
    {.component = STR_INIT("cuda_cuobjdump")},
    {.component = STR_INIT("cuda_nvdisasm")},
    {.component = STR_INIT("cuda_nvprune")},
    {.component = STR_INIT("cuda_cuxxfilt")},
    {.component = STR_INIT("cuda_nvml_dev")},
    {.component = STR_INIT("cuda_profiler_api")},
    {.component = STR_INIT("cuda_opencl"), .optional = true},
    {.component = STR_INIT("libcublas")},
    {.component = STR_INIT("libcufft")},
    {.component = STR_INIT("libcufile")},
    {.component = STR_INIT("libcurand")},
    {.component = STR_INIT("libcusolver")},
    {.component = STR_INIT("libcusparse")},
    {.component = STR_INIT("libnpp")},
    {.component = STR_INIT("libnvjpeg")},
    {.component = STR_INIT("libnvjitlink"), .optional = true},
    {.component = STR_INIT("libnvfatbin"), .optional = true},
    {.component = STR_INIT("cuda_crt"), .optional = true},
    {.component = STR_INIT("libnvvm"), .optional = true},
    {.component = STR_INIT("libnvptxcompiler"), .optional = true},
    {.component = STR_INIT("cuda_culibos"), .optional = true},
};
static const struct redist_want cudnn[] = {{.component = STR_INIT("cudnn")}};

static void check_artifact(const struct artifact *a, const struct table *row, const char *manifest)
{
    struct digest digest;
    uint64_t size;

    assert_true(str_u64(row->field[5], &size) && digest_from_hex(&digest, row->field[6]));
    assert_int_equal(a->eco, ECO_REDIST);
    assert_true(str_eq(a->name, row->field[3]) && str_eq(a->version, row->field[4]));
    assert_true(str_eq(a->url, row->field[7]) && str_eq(a->file, path_base(row->field[7])));
    assert_true(a->size == size && digest_eq(&a->digest, &digest));
    assert_true(str_is(a->from, manifest) && str_is(a->group, "toolkit"));
    assert_true(!a->arch.len && !a->requested);
}

static bool same_release(const struct table *a, const struct table *b)
{
    return b->n && str_eq(a->field[1], b->field[1]) && str_eq(a->field[2], b->field[2]);
}

/* rows.txt was written down from another record than the manifests that the peer serves. */
static void what_is_locked_is_what_was_recorded(void **state)
{
    CLEANUP(chosen_clear) struct chosen c = {0};
    struct pages *pages = fresh_run(false);
    struct table rows, last = {0};
    size_t at = 0, releases = 0;
    char url[128] = "";

    for (table_open(&rows, DATA "/rows.txt"); table_next(&rows); last = rows) {
        if (!same_release(&rows, &last)) {
            CLEANUP(free_clear) char *release = str_dup(rows.field[1]);
            CLEANUP(free_clear) char *variant = str_dup(rows.field[2]);
            CLEANUP(free_clear) char *product = str_dup(rows.field[0]);
            bool cuda = str_is(rows.field[0], "cuda");

            assert_int_equal(at, c.list.n);
            chosen_clear(&c);
            c = (struct chosen){0};
            at = 0;
            releases++;
            snprintf(url, sizeof url, REDIST_URL "%s/redist/redistrib_%s.json", product, release);
            if (choose(&c, pages, product, release, cuda ? "" : variant, cuda ? toolkit : cudnn,
                       cuda ? ARRAY_LEN(toolkit) : 1) < 0)
                fail_msg("%s", c.e.msg);
        }
        assert_true(at < c.list.n);
        check_artifact(&c.list.v[at++], &rows, url);
    }
    assert_int_equal(at, c.list.n);
    assert_int_equal(releases, 8 + 2 * 2);
    table_clear(&rows);
    pages_clear(&pages);
}

static void an_older_release_has_less(void **state)
{
    static const struct {
        const char *release;
        size_t n;
    } cases[] = {{"11.8.0", 20}, {"12.1.1", 22}, {"12.4.1", 23}, {"13.0.2", 27}};
    struct pages *pages = fresh_run(false);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(chosen_clear) struct chosen c = {0};

        assert_int_equal(
            choose(&c, pages, "cuda", cases[i].release, "cuda12", toolkit, ARRAY_LEN(toolkit)), 0);
        assert_int_equal(c.list.n, cases[i].n);
    }
    pages_clear(&pages);
}

static void what_is_there_stays_and_more_is_appended(void **state)
{
    CLEANUP(chosen_clear) struct chosen c = {0};
    struct pages *pages = fresh_run(false), *offline;
    const struct redist_want none[] = {{.component = STR_INIT("nothing")}};

    assert_int_equal(choose(&c, pages, "cuda", "12.4.1", "", toolkit, 2), 0);
    assert_int_equal(choose(&c, pages, "cudnn", "9.1.0", "cuda12", cudnn, 1), 0);
    assert_int_equal(choose(&c, pages, "cuda", "12.4.1", "", none, 1), -1);
    err_clear(&c.e);
    pages_clear(&pages);
    /* The page is in the store now. */
    offline = fresh_run(true);
    assert_int_equal(choose(&c, offline, "cuda", "12.4.1", "", toolkit + 2, 1), 0);
    assert_int_equal(c.list.n, 4);
    assert_true(str_is(c.list.v[0].name, "cuda_nvcc") && str_is(c.list.v[2].name, "cudnn"));
    assert_true(str_is(c.list.v[2].file, "cudnn-linux-x86_64-9.1.0.70_cuda12-archive.tar.xz"));
    assert_true(str_is(c.list.v[3].name, "cuda_cccl"));
    assert_int_equal(choose(&c, offline, "cuda", "12.4.7", "", toolkit, 1), -1);
    assert_int_equal(c.e.kind, ERR_NET);
    assert_non_null(strstr(c.e.msg, "without --offline"));
    pages_clear(&offline);
}

/* A server that says 404 to https cannot be had here; the store remembers such answers. */
static void a_release_that_there_is_not_is_told(void **state)
{
    CLEANUP(chosen_clear) struct chosen c = {0};
    struct pages *pages = fresh_run(true);

    assert_int_equal(memo_put_text(page_memo, STR("page 1\n\n" CUDA "redistrib_12.4.9.json"),
                                   STR("missing: yes\n\n"), &c.e),
                     0);
    assert_int_equal(choose(&c, pages, "cuda", "12.4.9", "", toolkit, 1), -1);
    assert_int_equal(c.e.kind, ERR_UNSAT);
    assert_string_equal(c.e.msg,
                        "NVIDIA publishes no redistributable CUDA 12.4.9; its releases, three "
                        "numbers such as 12.4.1, are listed at " CUDA);
    pages_clear(&pages);
}

#define ROW "{\"relative_path\": \"a/b.tar.xz\", \"size\": \"1\", \"sha256\": \"" HEX "\"}"

static void missing_parts_are_told_with_what_there_is(void **state)
{
    static const struct redist_want wants[] = {
        {.component = STR_INIT("b"), .pos = {"r.yaml", 7, 3}},
        {.component = STR_INIT("a")},
        {.component = STR_INIT("c"), .optional = true},
        {.component = STR_INIT("d")},
    };
    static const struct {
        const char *release, *text, *variant;
        size_t n;
        const char *says[2];
    } cases[] = {
        {"2.1.1",
         "{\"z\": {\"linux-x86_64\": {}}, \"a\": {\"version\": \"1\", \"linux-x86_64\": " ROW
         "}, \"b\": {\"linux-sbsa\": {}}}",
         "",
         4,
         {"CUDA 2.1.1 has no redistributable b for linux-x86_64; it has: a z",
          "CUDA 2.1.1 has no redistributable d for linux-x86_64; it has: a z"}},
        {"2.1.2",
         "{\"b\": {\"linux-sbsa\": {}}}",
         "",
         1,
         {"CUDA 2.1.2 has no redistributable b for linux-x86_64; it has: nothing", NULL}},
        {"2.1.3",
         "{\"b\": {\"version\": \"1\", \"linux-x86_64\": {\"cuda12\": " ROW ", \"cuda11\": " ROW
         "}}}",
         "cuda13",
         1,
         {"CUDA 2.1.3 has no redistributable b of cuda13 for linux-x86_64; it has: cuda11 cuda12",
          NULL}},
        {"2.1.3",
         NULL,
         "",
         1,
         {"CUDA 2.1.3 has no redistributable b of no CUDA in particular for linux-x86_64; it has: "
          "cuda11 cuda12",
          NULL}},
    };
    struct pages *pages = fresh_run(false);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(chosen_clear) struct chosen c = {0};

        if (cases[i].text)
            publish(cases[i].release, cases[i].text);
        assert_int_equal(
            choose(&c, pages, "cuda", cases[i].release, cases[i].variant, wants, cases[i].n), -1);
        assert_int_equal(c.e.kind, ERR_UNSAT);
        assert_string_equal(c.e.msg, cases[i].says[0]);
        assert_string_equal(c.e.file, "r.yaml");
        assert_int_equal(c.e.line, 7);
        assert_int_equal(c.e.next != NULL, cases[i].says[1] != NULL);
        if (c.e.next)
            assert_string_equal(c.e.next->msg, cases[i].says[1]);
        assert_int_equal(c.list.n, 0);
    }
    pages_clear(&pages);
}

static void wrong_manifests_are_refused(void **state)
{
    static const struct {
        const char *release, *text; /* NULL: the peer's own bytes */
        enum err_kind kind;
        const char *says;
    } cases[] = {
        {"3.1.1", "{\"release_label\": \"3.1.2\"}", ERR_INPUT,
         CUDA "redistrib_3.1.1.json: the manifest is of \"3.1.2\", not of \"3.1.1\" as its address "
              "says"},
        {"3.1.2", "{\"release_product\": \"cudnn\"}", ERR_INPUT,
         CUDA "redistrib_3.1.2.json: the manifest is of \"cudnn\", not of \"cuda\" as its address "
              "says"},
        {"3.1.3", "<html>log in first</html>", ERR_INPUT, "no valid JSON"},
        {"3.1.4",
         "{\"cuda_nvcc\": {\"version\": \"1\", \"linux-x86_64\": {\"relative_path\": "
         "\"../../x\", \"size\": \"1\", \"sha256\": \"" HEX "\"}}}",
         ERR_INPUT, "cuda_nvcc: relative_path: a plain path below"},
        {"1.1.1", NULL, ERR_INPUT, "no valid JSON"},
        {"1.1.2", NULL, ERR_NET, "larger than is allowed"},
        {"", NULL, ERR_INPUT, "\"\" is not a release of CUDA; one is numbers and dots"},
        {"12.4.1/..", NULL, ERR_INPUT, "is not a release"},
        {"12.4.1?x", NULL, ERR_INPUT, "is not a release"},
        {"12.4.", NULL, ERR_INPUT, "is not a release"},
        {"123456789.123456789.1234567890123", NULL, ERR_INPUT, "is not a release"},
    };
    struct pages *pages = fresh_run(false);

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(chosen_clear) struct chosen c = {0};

        if (cases[i].text)
            publish(cases[i].release, cases[i].text);
        assert_int_equal(choose(&c, pages, "cuda", cases[i].release, "", toolkit, 1), -1);
        if (!strstr(c.e.msg, cases[i].says))
            fail_msg("%s: %s", cases[i].release, c.e.msg);
        assert_int_equal(c.e.kind, cases[i].kind);
        assert_int_equal(c.list.n, 0);
    }
    pages_clear(&pages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_locked_is_what_was_recorded),
        cmocka_unit_test(an_older_release_has_less),
        cmocka_unit_test(what_is_there_stays_and_more_is_appended),
        cmocka_unit_test(a_release_that_there_is_not_is_told),
        cmocka_unit_test(missing_parts_are_told_with_what_there_is),
        cmocka_unit_test(wrong_manifests_are_refused),
    };

    if (system("python3 -c '' 2>/dev/null") != 0) {
        fprintf(stderr, "skipped: test_redist_choose: python3 is missing\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, begin, end);
}
