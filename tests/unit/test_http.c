/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/http.h"
#include "peer.h"

enum { PATIENT = 60000, IMPATIENT = 120 }; /* milliseconds */

static struct peer peer;
static char *folder;

static int begin(void **state)
{
    folder = scratch_make();
    return peer_start(&peer, "tests/peers/http_peer.py", folder) ? 0 : -1;
}

static int end(void **state)
{
    peer_stop(&peer);
    scratch_remove(folder);
    return 0;
}

static char generated(size_t i)
{
    return (char)((i % (251 * 256) * 7 + i % (251 * 256) / 251) % 256);
}

/* Short times, so that what takes minutes takes milliseconds: impatient for what never comes alone,
 * so that what shall come does so on a busy machine too. */
static struct http *quick(uint32_t header_ms, uint32_t stall_ms)
{
    struct http_options o = {.header_ms = header_ms,
                             .stall_ms = stall_ms,
                             .tries = 3,
                             .pause_ms = 10,
                             .pause_max_ms = 3000};
    struct err e = {0};
    struct http *http = NULL;

    assert_int_equal(http_open(&http, &o, &e), 0);
    return http;
}

static char *at(const char *path)
{
    struct buf url = {0};

    buf_fmt(&url, "http://127.0.0.1:%d%s", peer.port, path);
    return buf_take(&url);
}

/* Get `path` into `out`; the result as http_get's. */
static int get_within(uint32_t header_ms, uint32_t stall_ms, const char *path,
                      struct http_request *r, struct buf *out, struct err *e)
{
    struct http *http = quick(header_ms, stall_ms);
    char *url = at(path);
    int result;

    r->url = str_of(url);
    result = http_get(http, r, out, e);
    http_clear(&http);
    free(url);
    return result;
}

static int get(const char *path, struct http_request *r, struct buf *out, struct err *e)
{
    return get_within(PATIENT, PATIENT, path, r, out, e);
}

static void check_bytes(const struct buf *b, size_t from, size_t to)
{
    assert_int_equal(b->len, to - from);
    for (size_t i = from; i < to; i++)
        if (b->p[i - from] != generated(i))
            fail_msg("byte %zu differs", i);
}

static void bodies_arrive_whole(void **state)
{
    static const struct {
        const char *path;
        unsigned tries;
    } cases[] = {
        {"/bytes/0", 1},
        {"/bytes/1", 1},
        {"/bytes/300000", 1},
        {"/hops/10/bytes/1000", 1},
        {"/flaky/f408/1/408/bytes/1000", 2},
        {"/flaky/f429/1/429/bytes/1000", 2},
        {"/flaky/f500/2/500/bytes/1000", 3},
        {"/flaky/f502/1/502/bytes/1000", 2},
        {"/flaky/f503/2/503/bytes/1000", 3},
        {"/flaky/f504/1/504/bytes/1000", 2},
        {"/flaky/f202/1/202/bytes/1000", 2},
        {"/cutonce/c1/100/bytes/1000", 2},
        {"/chunked/bytes/1000", 1},
        {"/chunked/cutonce/c2/500/bytes/1000", 2},
        {"/close/bytes/1000", 1},
        {"/bighead/60000/bytes/1000", 1},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_request r = {0};
        struct buf out = {0};
        struct err e = {0};

        if (get(cases[i].path, &r, &out, &e) < 0)
            fail_msg("%s: %s", cases[i].path, e.msg);
        check_bytes(&out, 0, (size_t)strtoul(strrchr(cases[i].path, '/') + 1, NULL, 10));
        assert_int_equal(r.status, 200);
        assert_int_equal(r.tries, cases[i].tries);
        assert_string_equal(r.content_type, "application/x-test");
        http_request_clear(&r);
        buf_clear(&out);
    }
}

static void failures_say_where_and_what(void **state)
{
    static const struct {
        const char *path, *message;
        unsigned status, tries;
    } cases[] = {
        {"/status/503/x?token=hidden", "/status/503/x?...: HTTP 503 (tried 3 times)", 503, 3},
        {"/status/202/x", ": HTTP 202, which brings no file (tried 3 times)", 202, 3},
        {"/status/203/x", ": HTTP 203, which brings no file", 203, 1},
        {"/status/204/x", ": HTTP 204, which brings no file", 204, 1},
        {"/status/206/x", ": the server sends part of a file that was not asked for", 206, 1},
        {"/status/304/x", ": HTTP 304, which was not asked", 304, 1},
        {"/status/400/x", "/status/400/x: HTTP 400", 400, 1},
        {"/status/401/x", "/status/401/x: HTTP 401", 401, 1},
        {"/status/403/x", "/status/403/x: HTTP 403", 403, 1},
        {"/status/404/x", "/status/404/x: HTTP 404", 404, 1},
        {"/status/501/x", "/status/501/x: HTTP 501", 501, 1},
        {"/loop/x", "/loop/x: more than 10 redirects", 302, 1},
        {"/hops/11/bytes/1", "/hops/1/bytes/1: more than 10 redirects", 302, 1},
        {"/to/file%3A%2F%2F%2Fetc%2Fpasswd", ": the server redirects to a local file", 302, 1},
        {"/to/gopher%3A%2F%2Fx", ": the server redirects to something that is not an address", 302,
         1},
        {"/bighead/70000/bytes/1", ": the head of the answer is larger than 64 KiB", 0, 1},
        {"/slow/bytes/1", ": the server does not answer (tried 3 times)", 0, 3},
        {"/silent/x", ": the server does not answer (tried 3 times)", 0, 3},
        {"/stall/10/bytes/1000", ": the transfer stalled (tried 3 times)", 200, 3},
        {"/cut/10/bytes/1000", ": the line broke: ", 200, 3},
        {"/lie/5/bytes/1000", ": the line broke: ", 200, 3},
        {"/chunked/cut/500/bytes/1000", ": the line broke: ", 200, 3},
        {"/cuthead/0/bytes/1000", ": the line broke: ", 0, 3},
        {"/cuthead/10/bytes/1000", ": the line broke: ", 0, 3},
        {"/cuthead/17/bytes/1000", ": the line broke: ", 0, 3},
        {"/cuthead/30/bytes/1000", ": the line broke: ", 0, 3},
        {"/cuthead/41/bytes/1000", ": the line broke: ", 200, 3},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_request r = {0};
        struct buf out = {0};
        struct err e = {0};

        bool no_head = strstr(cases[i].path, "slow") || strstr(cases[i].path, "silent");
        bool no_rest = strstr(cases[i].path, "stall");

        if (get_within(no_head ? IMPATIENT : PATIENT, no_rest ? IMPATIENT : PATIENT, cases[i].path,
                       &r, &out, &e) == 0)
            fail_msg("%s: no failure", cases[i].path);
        assert_int_equal(e.kind, ERR_NET);
        if (!strstr(e.msg, cases[i].message) || !strstr(e.msg, "http://127.0.0.1:") ||
            strstr(e.msg, "hidden"))
            fail_msg("%s: %s", cases[i].path, e.msg);
        assert_int_equal(r.status, cases[i].status);
        assert_int_equal(r.tries, cases[i].tries);
        err_clear(&e);
        http_request_clear(&r);
        buf_clear(&out);
    }
}

static void ranges_are_exact(void **state)
{
    static const struct {
        const char *path;
        uint64_t from, to, last, start, end;
        unsigned status;
    } cases[] = {
        {"/bytes/1000", 10, 20, 0, 10, 20, 206},
        {"/bytes/1000", 10, 0, 0, 10, 1000, 206},
        {"/bytes/1000", 0, 1, 0, 0, 1, 206},
        {"/bytes/1000", 0, 0, 10, 990, 1000, 206},
        {"/bytes/1000", 0, 0, 5000, 0, 1000, 206},
        {"/bytes/1000", 990, 2000, 0, 990, 1000, 206},
        {"/norange/bytes/1000", 10, 20, 0, 0, 1000, 200},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_request r = {.from = cases[i].from, .to = cases[i].to, .last = cases[i].last};
        struct buf out = {0};
        struct err e = {0};

        assert_int_equal(get(cases[i].path, &r, &out, &e), 0);
        check_bytes(&out, (size_t)cases[i].start, (size_t)cases[i].end);
        assert_int_equal(r.status, cases[i].status);
        assert_int_equal(r.total, 1000);
        http_request_clear(&r);
        buf_clear(&out);
    }
}

static void wrong_ranges_are_refused(void **state)
{
    static const struct {
        const char *path;
        uint64_t from, to, last;
        const char *message;
    } cases[] = {
        {"/otherrange/bytes/1000", 10, 20, 0, "sends another range"},
        {"/otherrange/bytes/1000", 0, 0, 10, "sends another range"},
        {"/shortrange/1/bytes/1000", 10, 20, 0, "sends less"},
        {"/shortrange/1/bytes/1000", 10, 0, 0, "sends less"},
        {"/shortrange/1/bytes/1000", 0, 0, 10, "sends"},
        {"/bytes/1000", 1000, 0, 0, "HTTP 416"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_request r = {.from = cases[i].from, .to = cases[i].to, .last = cases[i].last};
        struct buf out = {0};
        struct err e = {0};

        assert_int_equal(get(cases[i].path, &r, &out, &e), -1);
        assert_non_null(strstr(e.msg, cases[i].message));
        assert_int_equal(out.len, 0);
        err_clear(&e);
        http_request_clear(&r);
        buf_clear(&out);
    }
}

static void a_limit_holds_at_its_edge(void **state)
{
    for (uint64_t limit = 999; limit <= 1001; limit++) {
        struct http_request r = {.limit = limit}, packed = {.limit = limit, .compressed = true};
        struct buf out = {0};
        struct err e = {0};
        int want = limit < 1000 ? -1 : 0;

        assert_int_equal(get("/bytes/1000", &r, &out, &e), want);
        assert_int_equal(get("/bytes/1000", &packed, &out, &e), want);
        if (want < 0)
            assert_non_null(strstr(e.msg, "larger than is allowed"));
        err_clear(&e);
        http_request_clear(&r);
        http_request_clear(&packed);
        buf_clear(&out);
    }
}

static void compressed_bodies_need_their_end(void **state)
{
    static const struct {
        const char *path, *message;
    } cases[] = {
        {"/gzip/bytes/1000", NULL},
        {"/gzip/close/bytes/1000", NULL},
        {"/gzip/chunked/bytes/1000", NULL},
        {"/encoded/identity/bytes/1000", NULL},
        {"/encoded/br/bytes/1000", ": the server compresses it in a way that was not asked for"},
        {"/gzip/cutonce/g1/90/close/bytes/1000", NULL},
        {"/gzip/cut/90/close/bytes/1000", ": its compressed data is damaged: it ends early"},
        {"/gzip/cut/0/close/bytes/1000", ": its compressed data is damaged: it is empty"},
        {"/gzip/cut/90/bytes/1000", ": the line broke: "},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_request r = {.compressed = true};
        struct buf out = {0};
        struct err e = {0};
        int result = get(cases[i].path, &r, &out, &e);

        if (result == 0)
            check_bytes(&out, 0, 1000);
        if ((cases[i].message != NULL) != (result < 0))
            fail_msg("%s: %s", cases[i].path, result < 0 ? e.msg : "taken");
        if (result < 0 && !strstr(e.msg, cases[i].message))
            fail_msg("%s: %s", cases[i].path, e.msg);
        err_clear(&e);
        http_request_clear(&r);
        buf_clear(&out);
    }
}

static int note_begin(void *ctx, const struct http_request *r, uint64_t offset, struct err *e)
{
    struct buf *b = ctx;

    assert_true(offset <= b->len);
    b->len = (size_t)offset;
    return 0;
}

static int note_write(void *ctx, const void *bytes, size_t len, struct err *e)
{
    buf_add(ctx, bytes, len);
    return 0;
}

static void a_broken_transfer_goes_on_where_it_broke(void **state)
{
    static const struct {
        const char *path;
        uint64_t last_got; /* bytes of the last try */
    } cases[] = {
        {"/cutonce/r1/100000/bytes/300000", 200000},
        {"/norange/cutonce/r2/100000/bytes/300000", 300000},
        {"/cut/70000/bytes/300000", 20000}, /* five tries: each one that moves is the first */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http *http = quick(PATIENT, PATIENT);
        char *url = at(cases[i].path);
        struct buf out = {0};
        struct err e = {0};
        struct http_request r = {.url = str_of(url),
                                 .resume = true,
                                 .begin = note_begin,
                                 .write = note_write,
                                 .ctx = &out},
                            *one = &r;

        assert_int_equal(http_run(http, &one, 1, 1, NULL, NULL, &e), 0);
        if (err_is_set(&r.err))
            fail_msg("%s", r.err.msg);
        check_bytes(&out, 0, 300000);
        assert_int_equal(r.got, cases[i].last_got);
        http_request_clear(&r);
        buf_clear(&out);
        http_clear(&http);
        free(url);
    }
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void retry_after_is_honoured_and_capped(void **state)
{
    static const struct {
        const char *path;
        uint32_t cap_ms;
        int64_t least_ms, most_ms;
    } cases[] = {
        {"/later/l1/1/bytes/10", 3000, 1000, 2500},
        {"/later/l2/date/bytes/10", 3000, 10, 3000},
        {"/later/l3/3600/bytes/10", 100, 100, 1500},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_options o = {.pause_ms = 10, .pause_max_ms = cases[i].cap_ms};
        struct http *http = NULL;
        char *url = at(cases[i].path);
        struct http_request r = {.url = str_of(url)};
        struct buf out = {0};
        struct err e = {0};
        int64_t began = now_ms(), took;

        assert_int_equal(http_open(&http, &o, &e), 0);
        assert_int_equal(http_get(http, &r, &out, &e), 0);
        took = now_ms() - began;
        if (took < cases[i].least_ms || took > cases[i].most_ms)
            fail_msg("%s took %lld ms", cases[i].path, (long long)took);
        http_request_clear(&r);
        buf_clear(&out);
        http_clear(&http);
        free(url);
    }
}

static void credentials_stay_at_their_origin(void **state)
{
    static const char *const headers[] = {"Authorization: Bearer hidden", "Cookie: hidden",
                                          "Accept: application/json"};
    static const struct {
        const char *path;
        bool kept;
    } cases[] = {{"/echo", true}, {"/hops/3/echo", true}, {"/away/echo", false}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_request r = {.headers = headers, .headers_n = ARRAY_LEN(headers)};
        struct buf out = {0};
        struct err e = {0};

        assert_int_equal(get(cases[i].path, &r, &out, &e), 0);
        assert_non_null(strstr(out.p, "application/json"));
        assert_int_equal(strstr(out.p, "hidden") != NULL, cases[i].kept);
        http_request_clear(&r);
        buf_clear(&out);
    }
}

static int count_done(void *ctx, struct http_request *r, struct err *e)
{
    struct http_request **more = ctx;

    assert_false(err_is_set(&r->err));
    if (r == more[0])
        http_add((struct http *)(void *)more[2], more[1]);
    return 0;
}

static void a_finished_request_may_add_another(void **state)
{
    struct http *http = quick(PATIENT, PATIENT);
    char *url = at("/bytes/1000");
    struct http_request first = {.url = str_of(url)}, second = {.url = str_of(url)};
    struct http_request *all[3] = {&first, &second, (struct http_request *)(void *)http};
    struct err e = {0};

    assert_int_equal(http_run(http, all, 1, 4, count_done, all, &e), 0);
    assert_int_equal(second.status, 200);
    http_request_clear(&first);
    http_request_clear(&second);
    http_clear(&http);
    free(url);
}

static int stop_done(void *ctx, struct http_request *r, struct err *e)
{
    return err_set(e, ERR_INPUT, "enough");
}

static void many_requests_run_and_done_may_stop_them(void **state)
{
    enum { MANY = 60 };
    struct http *http = quick(PATIENT, PATIENT);
    char *url = at("/bytes/5000");
    struct http_request requests[MANY] = {0}, *all[MANY];
    struct err e = {0};
    unsigned good = 0;

    for (size_t i = 0; i < MANY; i++) {
        requests[i].url = str_of(url);
        all[i] = &requests[i];
    }
    assert_int_equal(http_run(http, all, MANY, 16, NULL, NULL, &e), 0);
    for (size_t i = 0; i < MANY; i++)
        good += requests[i].status == 200 && requests[i].got == 5000;
    assert_int_equal(good, MANY);
    assert_int_equal(http_run(http, all, MANY, 16, stop_done, NULL, &e), -1);
    assert_string_equal(e.msg, "enough");
    err_clear(&e);
    for (size_t i = 0; i < MANY; i++)
        http_request_clear(&requests[i]);
    http_clear(&http);
    free(url);
}

static enum http_start say(void *ctx, struct http_request *r, struct err *e)
{
    static const enum http_start answers[] = {HTTP_LATER, HTTP_SKIP};
    unsigned *asked = ctx;

    if (*asked == 9) {
        err_set(e, ERR_SYSTEM, "not today");
        return HTTP_FAIL;
    }
    return answers[(*asked)++];
}

static void a_request_may_wait_be_skipped_or_fail_at_its_start(void **state)
{
    struct http *http = quick(PATIENT, PATIENT);
    char *url = at("/count/never");
    unsigned asked = 0, nine = 9;
    struct http_request skip = {.url = str_of(url), .start = say, .ctx = &asked},
                        fail = {.url = str_of(url), .start = say, .ctx = &nine};
    struct http_request *all[] = {&skip, &fail};
    struct err e = {0};

    assert_int_equal(http_run(http, all, 2, 1, NULL, NULL, &e), 0);
    assert_int_equal(asked, 2);
    assert_int_equal(skip.status, 0);
    assert_false(err_is_set(&skip.err));
    assert_int_equal(fail.err.kind, ERR_SYSTEM);
    http_request_clear(&fail);
    http_request_clear(&skip);
    http_clear(&http);
    free(url);
}

static bool soon(void *ctx)
{
    return now_ms() > *(int64_t *)ctx;
}

static void cancelling_is_noticed_quickly(void **state)
{
    static const char *const paths[] = {"/silent/x", "/stall/5/bytes/100", "/status/503/y"};

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        int64_t when = now_ms() + 150;
        struct events events = {.cancelled = soon, .ctx = &when};
        struct http_options o = {.events = &events};
        struct http *http = NULL;
        char *url = at(paths[i]);
        struct http_request r = {.url = str_of(url)};
        struct buf out = {0};
        struct err e = {0};

        assert_int_equal(http_open(&http, &o, &e), 0);
        assert_int_equal(http_get(http, &r, &out, &e), -1);
        assert_int_equal(e.kind, ERR_INTERRUPTED);
        assert_true(now_ms() - when < 10000); /* and not a server's patience */
        err_clear(&e);
        http_request_clear(&r);
        buf_clear(&out);
        http_clear(&http);
        free(url);
    }
}

static void hosts_that_are_not_there_are_named(void **state)
{
    static const struct {
        const char *url, *message;
    } cases[] = {
        {"http://127.0.0.1:1/x", "http://127.0.0.1:1/x: cannot connect: "},
        {"http://u:hidden@127.0.0.1:1/x", "http://127.0.0.1:1/x: cannot connect: "},
        {"nonsense", "\"nonsense\" is not a usable address"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http *http = quick(PATIENT, PATIENT);
        struct http_request r = {.url = str_of(cases[i].url)};
        struct buf out = {0};
        struct err e = {0};

        assert_int_equal(http_get(http, &r, &out, &e), -1);
        if (!strstr(e.msg, cases[i].message) || strstr(e.msg, "hidden"))
            fail_msg("%s", e.msg);
        err_clear(&e);
        http_request_clear(&r);
        http_clear(&http);
    }
}

static void local_files_come_by_the_same_calls(void **state)
{
    struct buf url = {0}, path = {0};
    struct http *http = quick(PATIENT, PATIENT);
    FILE *f;

    buf_fmt(&path, "%s/a b", folder);
    buf_fmt(&url, "file://%s/a%%20b", folder);
    f = fopen(path.p, "w");
    for (size_t i = 0; i < 1000; i++)
        fputc(generated(i), f);
    fclose(f);
    for (int i = 0; i < 5; i++) {
        struct http_request r = {.url = buf_view(&url)};
        struct buf out = {0};
        struct err e = {0};

        r.from = i == 1 ? 10 : i == 3 ? 1000 : 0;
        r.to = i == 1 ? 20 : 0;
        r.last = i == 2 ? 7 : 0;
        r.limit = i == 4 ? 999 : 0;
        assert_int_equal(http_get(http, &r, &out, &e), i < 3 ? 0 : -1);
        if (i < 3)
            check_bytes(&out, i == 0 ? 0 : i == 1 ? 10 : 993, i == 1 ? 20 : 1000);
        err_clear(&e);
        http_request_clear(&r);
        buf_clear(&out);
    }
    buf_puts(&url, "x");
    {
        struct http_request r = {.url = buf_view(&url)};
        struct buf out = {0};
        struct err e = {0};

        assert_int_equal(http_get(http, &r, &out, &e), -1);
        assert_int_equal(r.status, 404);
        assert_non_null(strstr(e.msg, "No such file"));
        err_clear(&e);
        http_request_clear(&r);
    }
    http_clear(&http);
    buf_clear(&url);
    buf_clear(&path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_arrive_whole),
        cmocka_unit_test(failures_say_where_and_what),
        cmocka_unit_test(ranges_are_exact),
        cmocka_unit_test(wrong_ranges_are_refused),
        cmocka_unit_test(a_limit_holds_at_its_edge),
        cmocka_unit_test(compressed_bodies_need_their_end),
        cmocka_unit_test(a_broken_transfer_goes_on_where_it_broke),
        cmocka_unit_test(retry_after_is_honoured_and_capped),
        cmocka_unit_test(credentials_stay_at_their_origin),
        cmocka_unit_test(a_finished_request_may_add_another),
        cmocka_unit_test(many_requests_run_and_done_may_stop_them),
        cmocka_unit_test(a_request_may_wait_be_skipped_or_fail_at_its_start),
        cmocka_unit_test(cancelling_is_noticed_quickly),
        cmocka_unit_test(hosts_that_are_not_there_are_named),
        cmocka_unit_test(local_files_come_by_the_same_calls),
    };

    if (system("python3 -c '' 2>/dev/null") != 0) {
        fprintf(stderr, "skipped: test_http: python3 is missing\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, begin, end);
}
