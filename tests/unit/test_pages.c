/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/path.h"
#include "peer.h"
#include "fetch/pages.h"

static struct peer peer;
static char *folder;
static struct http *http;
static struct memo *page_memo;
static struct cas *cas;

static int begin(void **state)
{
    struct http_options o = {.tries = 2, .pause_ms = 10};
    struct err e = {0};
    char *dir;

    folder = scratch_make();
    dir = path_join(folder, "pages");
    if (!peer_start(&peer, "tests/peers/http_peer.py", folder) || http_open(&http, &o, &e) < 0 ||
        memo_open(&page_memo, dir, &e) < 0 || cas_open(&cas, folder, NULL, &e) < 0)
        return -1;
    free(dir);
    return 0;
}

static int end(void **state)
{
    http_clear(&http);
    memo_clear(&page_memo);
    cas_clear(&cas);
    peer_stop(&peer);
    scratch_remove(folder);
    return 0;
}

static char *at(const char *path)
{
    struct buf url = {0};

    buf_fmt(&url, "http://127.0.0.1:%d%s", peer.port, path);
    return buf_take(&url);
}

static struct pages *fresh_run(bool offline)
{
    return pages_open(offline ? NULL : http, page_memo, cas,
                      &(struct pages_options){.offline = offline});
}

/* How often the server was asked under `key`. */
static unsigned asked(const char *key)
{
    struct buf path = {0}, out = {0};
    struct http_request r = {0};
    struct err e = {0};
    unsigned n;
    char *url;

    buf_fmt(&path, "/count/%s", key);
    url = at(path.p);
    r.url = str_of(url);
    assert_int_equal(http_get(http, &r, &out, &e), 0);
    n = (unsigned)strtoul(out.p, NULL, 10);
    http_request_clear(&r);
    buf_clear(&path);
    buf_clear(&out);
    free(url);
    return n;
}

static void a_page_is_asked_for_once_a_run_and_then_confirmed(void **state)
{
    char *url = at("/etag/one/bytes/1000");
    struct err e = {0};

    for (unsigned run = 1; run <= 2; run++) {
        struct pages *pages = fresh_run(false);

        for (int i = 0; i < 3; i++) {
            struct page page = {0};

            assert_int_equal(pages_get(pages, url, "text/x", 1000, &page, &e), 0);
            assert_int_equal(page.body.len, 1000);
            assert_string_equal(page.content_type, "application/x-test");
            assert_string_equal(page.final_url, url);
            assert_string_equal(page.etag, "\"one\"");
            assert_false(page.missing);
            assert_int_equal(page.from_store, run > 1 || i > 0);
            page_clear(&page);
        }
        assert_int_equal(asked("etag"), run);
        pages_clear(&pages);
    }
    free(url);
}

static void what_a_bucket_forbids_is_not_there(void **state)
{
    char *bucket = at("/status/403/"), *page_url = at("/status/403/page");
    struct digest d;
    struct pages *pages = fresh_run(false),
                 *knowing = pages_open(http, page_memo, cas,
                                       &(struct pages_options){.bucket = str_of(bucket)});
    struct page page = {0};
    struct input in = {0};
    struct err e = {0};
    bool missing;

    assert_int_equal(pages_get(pages, page_url, NULL, 100, &page, &e), -1);
    assert_non_null(strstr(e.msg, "HTTP 403"));
    err_clear(&e);
    assert_int_equal(pages_get(knowing, page_url, NULL, 100, &page, &e), 0);
    assert_true(page.missing);
    page_clear(&page);
    hash_bytes(&d, "x", 1);
    assert_int_equal(pages_blob(knowing, page_url, &d, 0, 100, &in, &missing, &e), 0);
    assert_true(missing);
    pages_clear(&pages);
    pages_clear(&knowing);
    free(bucket);
    free(page_url);
}

static void offline_the_store_alone_answers(void **state)
{
    char *known = at("/bytes/77"), *unknown = at("/bytes/78?token=hidden"), *gone = at("/no");
    struct pages *pages = fresh_run(false), *offline = fresh_run(true);
    struct page page = {0};
    struct err e = {0};

    assert_int_equal(pages_get(pages, known, NULL, 100, &page, &e), 0);
    page_clear(&page);
    assert_int_equal(pages_get(pages, gone, NULL, 100, &page, &e), 0);
    assert_true(page.missing);
    page_clear(&page);

    assert_int_equal(pages_get(offline, known, NULL, 100, &page, &e), 0);
    assert_int_equal(page.body.len, 77);
    assert_true(page.from_store);
    page_clear(&page);
    assert_int_equal(pages_get(offline, gone, NULL, 100, &page, &e), 0);
    assert_true(page.missing);
    page_clear(&page);
    assert_int_equal(pages_get(offline, unknown, NULL, 100, &page, &e), -1);
    assert_int_equal(e.kind, ERR_NET);
    assert_non_null(strstr(e.msg, "without --offline"));
    assert_null(strstr(e.msg, "hidden"));
    err_clear(&e);
    assert_int_equal(pages_get(offline, known, "other/type", 100, &page, &e), -1);
    err_clear(&e);
    pages_clear(&pages);
    pages_clear(&offline);
    free(known);
    free(unknown);
    free(gone);
}

static void failures_are_not_kept(void **state)
{
    char *url = at("/flaky/w1/2/503/bytes/9");
    struct pages *pages = fresh_run(false);
    struct page page = {0};
    struct err e = {0};

    assert_int_equal(pages_get(pages, url, NULL, 100, &page, &e), -1);
    assert_non_null(strstr(e.msg, "HTTP 503 (tried 2 times)"));
    err_clear(&e);
    assert_int_equal(pages_get(pages, url, NULL, 100, &page, &e), 0);
    assert_int_equal(page.body.len, 9);
    page_clear(&page);
    pages_clear(&pages);
    free(url);
}

static void prefetched_pages_need_no_further_request(void **state)
{
    enum { N = 30 };
    struct pages *pages = fresh_run(false);
    char *urls[N + 2];
    const char *list[N + 2];
    struct page page = {0};
    struct err e = {0};

    for (int i = 0; i < N; i++) {
        char path[64];

        snprintf(path, sizeof path, "/flaky/p%d/0/503/bytes/%d", i, i);
        urls[i] = at(path);
    }
    urls[N] = at("/status/500/pre");
    urls[N + 1] = at("/nothing");
    memcpy(list, urls, sizeof list);
    assert_int_equal(pages_prefetch(pages, list, N + 2, NULL, 100, &e), 0);
    for (int i = 0; i < N; i++) {
        char key[16];

        assert_int_equal(pages_get(pages, urls[i], NULL, 100, &page, &e), 0);
        assert_int_equal(page.body.len, i);
        page_clear(&page);
        snprintf(key, sizeof key, "p%d", i);
        assert_int_equal(asked(key), 1);
    }
    assert_int_equal(pages_get(pages, urls[N], NULL, 100, &page, &e), -1);
    err_clear(&e);
    assert_int_equal(pages_get(pages, urls[N + 1], NULL, 100, &page, &e), 0);
    assert_true(page.missing);
    page_clear(&page);
    pages_clear(&pages);
    for (int i = 0; i < N + 2; i++)
        free(urls[i]);
}

static struct digest digest_of_generated(size_t len)
{
    struct buf b = {0};
    struct digest d;

    for (size_t i = 0; i < len; i++)
        buf_putc(&b, (char)((i % (251 * 256) * 7 + i % (251 * 256) / 251) % 256));
    hash_bytes(&d, b.p, b.len);
    buf_clear(&b);
    return d;
}

static void blobs_are_checked_and_kept(void **state)
{
    char *good = at("/flaky/b1/0/503/bytes/5000"), *wrong = at("/wrong/bytes/6000");
    char *gone = at("/nowhere");
    struct digest d = digest_of_generated(5000), other = digest_of_generated(6000);
    struct pages *pages = fresh_run(false), *offline = fresh_run(true);
    struct page_want wants[] = {{good, d, 5000, 0}, {wrong, other, 6000, 0}};
    struct input in = {0};
    struct err e = {0};
    bool missing;

    assert_int_equal(pages_blob(offline, good, &d, 5000, 0, &in, NULL, &e), -1);
    err_clear(&e);
    assert_int_equal(pages_prefetch_blobs(pages, wants, 2, &e), 0);
    assert_int_equal(pages_blob(offline, good, &d, 5000, 0, &in, NULL, &e), 0);
    assert_int_equal(in.size, 5000);
    cas_input_clear(&in);
    assert_int_equal(asked("b1"), 1);
    assert_int_equal(pages_blob(pages, wrong, &other, 0, 10000, &in, NULL, &e), -1);
    assert_int_equal(e.kind, ERR_INTEGRITY);
    assert_non_null(strstr(e.msg, "/wrong/bytes/6000: expected sha256:"));
    err_clear(&e);
    assert_int_equal(pages_blob(pages, gone, &other, 0, 10000, &in, &missing, &e), 0);
    assert_true(missing);
    assert_int_equal(pages_blob(pages, gone, &other, 0, 10000, &in, NULL, &e), -1);
    assert_non_null(strstr(e.msg, "HTTP 404"));
    err_clear(&e);
    pages_clear(&pages);
    pages_clear(&offline);
    free(good);
    free(wrong);
    free(gone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_is_asked_for_once_a_run_and_then_confirmed),
        cmocka_unit_test(what_a_bucket_forbids_is_not_there),
        cmocka_unit_test(offline_the_store_alone_answers),
        cmocka_unit_test(failures_are_not_kept),
        cmocka_unit_test(prefetched_pages_need_no_further_request),
        cmocka_unit_test(blobs_are_checked_and_kept),
    };

    if (system("python3 -c '' 2>/dev/null") != 0) {
        fprintf(stderr, "skipped: test_web: python3 is missing\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, begin, end);
}
