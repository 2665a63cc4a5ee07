/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "serve/listen.h"
#include "serve/page.h"
#include "serve/range.h"
#include "serve/route.h"
#include "serve/serve.h"
#include "serve/watch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void ranges_are_cut_to_what_there_is(void **state)
{
    static const struct {
        const char *header;
        uint64_t size;
        enum range range;
        uint64_t from, len;
    } cases[] = {
        {"bytes=0-9", 100, RANGE_PART, 0, 10},
        {"bytes=90-", 100, RANGE_PART, 90, 10},
        {"bytes=99-99", 100, RANGE_PART, 99, 1},
        {"bytes=0-99", 100, RANGE_PART, 0, 100},
        {"bytes=50-1000", 100, RANGE_PART, 50, 50},
        {"bytes=-1", 100, RANGE_PART, 99, 1},
        {"bytes=-1000", 100, RANGE_PART, 0, 100},
        {" Bytes= 5 - 6 ", 100, RANGE_PART, 5, 2},
        {"bytes=0-99999999999999999999", 100, RANGE_PART, 0, 100},
        {"bytes=-99999999999999999999", 100, RANGE_PART, 0, 100},
        {"bytes=100-", 100, RANGE_OUTSIDE, 0, 0},
        {"bytes=99999999999999999999-", 100, RANGE_OUTSIDE, 0, 0},
        {"bytes=-0", 100, RANGE_OUTSIDE, 0, 0},
        {"bytes=0-", 0, RANGE_OUTSIDE, 0, 0},
        {"bytes=-5", 0, RANGE_OUTSIDE, 0, 0},
        {"", 100, RANGE_ALL, 0, 100},
        {"bytes", 100, RANGE_ALL, 0, 100},
        {"bytes=", 100, RANGE_ALL, 0, 100},
        {"bytes=-", 100, RANGE_ALL, 0, 100},
        {"bytes=5", 100, RANGE_ALL, 0, 100},
        {"bytes=9-5", 100, RANGE_ALL, 0, 100},
        {"bytes=0-1,5-6", 100, RANGE_ALL, 0, 100}, /* several may be ignored */
        {"bytes=0x1-5", 100, RANGE_ALL, 0, 100},
        {"bytes=+1-5", 100, RANGE_ALL, 0, 100},
        {"bytes=--5", 100, RANGE_ALL, 0, 100},
        {"lines=0-5", 100, RANGE_ALL, 0, 100},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t from, len;

        assert_int_equal(range_parse(str_of(cases[i].header), cases[i].size, &from, &len),
                         cases[i].range);
        if (cases[i].range == RANGE_OUTSIDE)
            continue;
        assert_true(from == cases[i].from);
        assert_true(len == cases[i].len);
    }
}

static void paths_are_those_of_the_specification(void **state)
{
    static const struct {
        const char *path;
        enum route_kind kind;
        const char *name, *tag;
        bool digest;
    } cases[] = {
        {"/v2", ROUTE_PING, "", "", false},
        {"/v2/", ROUTE_PING, "", "", false},
        {"/v2/_catalog", ROUTE_CATALOG, "", "", false},
        {"/v2/x/manifests/1", ROUTE_MANIFEST, "x", "1", false},
        {"/v2/a/b/c/manifests/sha256:" HEX, ROUTE_MANIFEST, "a/b/c", "", true},
        {"/v2/a/blobs/sha256:" HEX, ROUTE_BLOB, "a", "", true},
        {"/v2/a/tags/list", ROUTE_TAGS, "a", "", false},
        {"/v2/a/referrers/sha256:" HEX, ROUTE_REFERRERS, "a", "", true},
        {"/v2/manifests/manifests/manifests", ROUTE_MANIFEST, "manifests", "manifests", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct route r = route_parse(str_of(cases[i].path));

        assert_int_equal(r.kind, cases[i].kind);
        assert_true(str_is(r.name, cases[i].name));
        assert_true(str_is(r.tag, cases[i].tag));
        assert_int_equal(digest_is_set(&r.digest), cases[i].digest);
        assert_true(route_is_registry(str_of(cases[i].path)));
    }
}

static void other_paths_lead_nowhere(void **state)
{
    static const struct {
        const char *path, *fault;
    } cases[] = {
        {"", NULL},
        {"/", NULL},
        {"/v2x", NULL},
        {"/v2//", NULL},
        {"/v2/x", NULL},
        {"/v2/x/manifests", NULL},
        {"/v2/x/tags/lists", NULL},
        {"/v2/x/blobs/uploads/", NULL},
        {"/v2/x/secrets/1", NULL},
        {"/etc/passwd", NULL},
        {"/../etc/passwd", NULL},
        {"/v2/../x/manifests/1", "NAME_INVALID"},
        {"/v2/x/../../etc/manifests/1", "NAME_INVALID"},
        {"/v2/X/manifests/1", "NAME_INVALID"},
        {"/v2//manifests/1", "NAME_INVALID"},
        {"/v2/x/manifests/", "DIGEST_INVALID"},
        {"/v2/x/manifests/..", "DIGEST_INVALID"},
        {"/v2/x/manifests/sha256:1", "DIGEST_INVALID"},
        {"/v2/x/blobs/1", "DIGEST_INVALID"},
        {"/v2/x/blobs/sha512:" HEX HEX, "DIGEST_INVALID"},
        {"/v2/x/blobs/sha256:../../../../etc/passwd", NULL},
        {"/v2/x/referrers/latest", "DIGEST_INVALID"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct route r = route_parse(str_of(cases[i].path));

        assert_int_equal(r.kind, ROUTE_NONE);
        assert_int_equal(!r.fault, !cases[i].fault);
        if (r.fault)
            assert_string_equal(r.fault, cases[i].fault);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const cases[] = {
        ":x",         ":65536", "1.2.3:5000", "host:5000",         "[::1", "[::1]5000", "::1:x",
        "1.2.3.4:-1", "5000",   "[]x",        "1.2.3.4:5000:5000",
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(fd_clear) struct fd fd = {0};
        uint16_t port;

        assert_int_equal(listen_open(&fd, &port, str_of(cases[i]), &e), -1);
        assert_int_equal(e.kind, ERR_USAGE);
    }
}

static void a_port_that_is_taken_is_told_with_one_that_is_free(void **state)
{
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(fd_clear) struct fd first = {0}, second = {0};
    CLEANUP(names_clear) struct names hosts = {0};
    CLEANUP(buf_clear) struct buf where = {0};
    uint16_t port, other;

    assert_int_equal(listen_open(&first, &port, STR("127.0.0.1:0"), &e), 0);
    assert_true(port > 0);
    assert_int_equal(listen_hosts(&hosts, &first, &e), 0);
    assert_int_equal(hosts.n, 1);
    buf_fmt(&where, "127.0.0.1:%u", port);
    assert_string_equal(hosts.v[0], where.p);
    assert_int_equal(listen_open(&second, &other, buf_view(&where), &e), -1);
    assert_int_equal(e.kind, ERR_SYSTEM);
    assert_non_null(strstr(e.msg, "is taken by another program; `--listen 127.0.0.1:"));
}

static void the_language_is_the_first_that_there_is(void **state)
{
    static const struct {
        const char *accepts;
        bool chinese;
    } cases[] = {
        {"", false},          {"zh", true},        {"zh-CN,zh;q=0.9,en;q=0.8", true},
        {"en-US, zh", false}, {"de, ZH-tw", true}, {"de, fr", false},
        {",,;q=,", false},    {"e", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(page_wants_chinese(str_of(cases[i].accepts)), cases[i].chinese);
}

/* Is something told? */
static bool ticks(struct serve *s, uint64_t now)
{
    CLEANUP(buf_clear) struct buf say = {0};

    serve_tick(s, now, &say);
    return say.len > 0;
}

static void after_a_minute_alone_it_is_told_once(void **state)
{
    CLEANUP(serve_clear) struct serve *s = NULL;
    CLEANUP(shelf_clear) struct shelf shelf = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(fd_clear) struct fd socket = {0};
    uint16_t port;

    assert_int_equal(listen_open(&socket, &port, STR("127.0.0.1:0"), &e), 0);
    assert_int_equal(
        serve_open(&s,
                   &(struct serve_how){.shelf = &shelf, .host = STR("127.0.0.1:1"), .threads = 1},
                   &socket, &e),
        0);
    assert_false(ticks(s, 0));
    assert_false(ticks(s, 59999));
    assert_true(ticks(s, 60000));
    assert_false(ticks(s, 61000));
    assert_false(ticks(s, 1000000));
}

static int socket_to(const struct sockaddr_in *to)
{
    int c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(c >= 0);
    assert_int_equal(connect(c, (const struct sockaddr *)to, sizeof *to), 0);
    return c;
}

static void who_was_asked_is_not_alone(void **state)
{
    CLEANUP(serve_clear) struct serve *s = NULL;
    CLEANUP(shelf_clear) struct shelf shelf = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(fd_clear) struct fd socket = {0};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static const char ask[] = "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n";
    uint16_t port;
    char got;
    int c;

    assert_int_equal(listen_open(&socket, &port, STR("127.0.0.1:0"), &e), 0);
    assert_int_equal(
        serve_open(&s,
                   &(struct serve_how){.shelf = &shelf, .host = STR("127.0.0.1:1"), .threads = 2},
                   &socket, &e),
        0);
    assert_false(ticks(s, 5));
    to.sin_port = htons(port);
    c = socket_to(&to);
    assert_int_equal(write(c, ask, sizeof ask - 1), sizeof ask - 1);
    assert_int_equal(read(c, &got, 1), 1);
    close(c);
    assert_false(ticks(s, 60005));
}

static bool is_done(struct watch *w)
{
    struct watch_rows rows = {0};
    bool done;

    watch_rows(&rows, w);
    done = rows.n == 1 && watch_is_done(rows.v);
    vec_clear(&rows);
    return done;
}

static void who_came_anew_is_not_cut_off_by_what_he_left(void **state)
{
    struct watch *w = watch_open();
    void *old, *later;

    watch_wants(w, "10.0.0.7", STR("curl/8"), WATCH_IMAGE, STR("tar"), 10);
    old = watch_begin(w, "10.0.0.7", STR("curl/8"), -1, 10);
    later = watch_begin(w, "10.0.0.7", STR("curl/8"), -1, 10);
    watch_end(w, later, true);
    watch_end(w, old, false);
    assert_true(is_done(w));
    watch_end(w, watch_begin(w, "10.0.0.7", STR("curl/8"), -1, 10), false);
    assert_false(is_done(w));
    watch_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_cut_to_what_there_is),
        cmocka_unit_test(paths_are_those_of_the_specification),
        cmocka_unit_test(other_paths_lead_nowhere),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(the_language_is_the_first_that_there_is),
        cmocka_unit_test(a_port_that_is_taken_is_told_with_one_that_is_free),
        cmocka_unit_test(after_a_minute_alone_it_is_told_once),
        cmocka_unit_test(who_was_asked_is_not_alone),
        cmocka_unit_test(who_came_anew_is_not_cut_off_by_what_he_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
