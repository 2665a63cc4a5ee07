/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/answer.h"
#include "net/url.h"

static void addresses_come_apart(void **state)
{
    static const struct {
        const char *text, *host, *path, *query, *userinfo;
        uint16_t port;
    } cases[] = {
        {"https://pypi.org/simple/", "pypi.org", "/simple/", NULL, "", 443},
        {"http://h", "h", "", NULL, "", 80},
        {"HTTP://H:8080?q", "H", "", "q", "", 8080},
        {"https://u:p%40@h:1/x?a=b#f", "h", "/x", "a=b", "u:p%40", 1},
        {"http://[::1]:99/x", "[::1]", "/x", NULL, "", 99},
        {"https://h:/x", "h", "/x", NULL, "", 443},
        {"file:///a/b%20c", "", "/a/b%20c", NULL, "", 0},
        {"file://localhost/a", "", "/a", NULL, "", 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = {0};
        struct url u;

        assert_int_equal(url_parse(&u, str_of(cases[i].text), &e), 0);
        assert_true(str_is(u.host, cases[i].host));
        assert_true(str_is(u.path, cases[i].path));
        assert_true(str_is(u.userinfo, cases[i].userinfo));
        assert_int_equal(u.query.p != NULL, cases[i].query != NULL);
        assert_true(!cases[i].query || str_is(u.query, cases[i].query));
        assert_int_equal(u.port, cases[i].port);
    }
}

static void unusable_addresses_are_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "pypi.org/simple",
        "ftp://h/x",
        "https:/h/x",
        "https:///x",
        "https://h:0/",
        "https://h:65536/",
        "https://h:8x/",
        "https://h:123456/",
        "https://h/a b",
        "https://h/a\nb",
        "https://h/\x7f",
        "https://h/\xc3\xa4",
        "https://h\\x/",
        "https://h%41/",
        "https://[::1/",
        "https://[x y]/",
        "https://[::1]x/",
        "file://other/x",
        "file://u@/x",
        "javascript:alert(1)",
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = {0};
        struct url u;

        if (url_parse(&u, str_of(cases[i]), &e) == 0)
            fail_msg("accepted: %s", cases[i]);
        assert_int_equal(e.kind, ERR_INPUT);
        err_clear(&e);
    }
}

static void an_address_has_at_most_8192_bytes(void **state)
{
    struct buf text = {0};
    struct err e = {0};
    struct url u;

    buf_puts(&text, "https://h/");
    while (text.len < URL_MAX)
        buf_putc(&text, 'x');
    assert_int_equal(url_parse(&u, buf_view(&text), &e), 0);
    buf_putc(&text, 'x');
    assert_int_equal(url_parse(&u, buf_view(&text), &e), -1);
    err_clear(&e);
    buf_clear(&text);
}

/* RFC 3986, 5.4.1 and 5.4.2, as far as the references are of known schemes. */
static void references_join_as_in_rfc_3986(void **state)
{
    static const char base[] = "http://a/b/c/d;p?q";
    static const char *const cases[][2] = {
        {"g", "http://a/b/c/g"},
        {"./g", "http://a/b/c/g"},
        {"g/", "http://a/b/c/g/"},
        {"/g", "http://a/g"},
        {"//g", "http://g"},
        {"?y", "http://a/b/c/d;p?y"},
        {"g?y", "http://a/b/c/g?y"},
        {"#s", "http://a/b/c/d;p?q#s"},
        {"g#s", "http://a/b/c/g#s"},
        {"g?y#s", "http://a/b/c/g?y#s"},
        {";x", "http://a/b/c/;x"},
        {"g;x=1/../y", "http://a/b/c/y"},
        {"", "http://a/b/c/d;p?q"},
        {".", "http://a/b/c/"},
        {"./", "http://a/b/c/"},
        {"..", "http://a/b/"},
        {"../g", "http://a/b/g"},
        {"../..", "http://a/"},
        {"../../g", "http://a/g"},
        {"../../../g", "http://a/g"},
        {"/./g", "http://a/g"},
        {"/../g", "http://a/g"},
        {"g.", "http://a/b/c/g."},
        {"..g", "http://a/b/c/..g"},
        {"./../g", "http://a/b/g"},
        {"g/./h", "http://a/b/c/g/h"},
        {"g/../h", "http://a/b/c/h"},
        {"g?y/../x", "http://a/b/c/g?y/../x"},
        {"https://x/../y", "https://x/../y"}, /* absolute: as it is */
        {" g ", "http://a/b/c/g"},            /* as HTML attributes come */
        {"https://f/x.whl#sha256=ab", "https://f/x.whl#sha256=ab"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out = {0};
        struct err e = {0};

        assert_int_equal(url_join(&out, str_of(base), str_of(cases[i][0]), &e), 0);
        assert_string_equal(out.p, cases[i][1]);
        buf_clear(&out);
    }
}

static void joining_on_a_bare_host_begins_a_path(void **state)
{
    struct buf out = {0};
    struct err e = {0};

    assert_int_equal(url_join(&out, STR("https://h"), STR("x/y"), &e), 0);
    assert_string_equal(out.p, "https://h/x/y");
    buf_clear(&out);
    assert_int_equal(url_join(&out, STR("https://h/"), STR("ftp://x/"), &e), -1);
    assert_null(out.p);
    err_clear(&e);
}

static void origins_differ_by_scheme_host_and_port(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"https://h/x", "https://H:443/y", true}, {"https://h/", "http://h/", false},
        {"https://h/", "https://h:444/", false},  {"https://h/", "https://h.evil/", false},
        {"http://h:80/", "HTTP://h/", true},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = {0};
        struct url a, b;

        assert_int_equal(url_parse(&a, str_of(cases[i].a), &e), 0);
        assert_int_equal(url_parse(&b, str_of(cases[i].b), &e), 0);
        assert_int_equal(url_same_origin(&a, &b), cases[i].same);
    }
}

static void file_names_are_plain(void **state)
{
    static const char *const cases[][2] = {
        {"https://h/p/torch-2.6.0%2Bcu124.whl#sha256=x", "torch-2.6.0+cu124.whl"},
        {"https://h/p/a?b=/c", "a"},
        {"https://h/p/", NULL},
        {"https://h", NULL},
        {"https://h/p/..", NULL},
        {"https://h/p/%2e%2E", NULL},
        {"https://h/p/a%2fb", NULL},
        {"https://h/p/a%5cb", NULL},
        {"https://h/p/a%00b", NULL},
        {"https://h/p/a%0ab", NULL},
        {"https://h/p/a%4", NULL},
        {"https://h/p/a%zz", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out = {0};
        struct err e = {0};
        int result = url_file_name(&out, str_of(cases[i][0]), &e);

        assert_int_equal(result, cases[i][1] ? 0 : -1);
        if (cases[i][1])
            assert_string_equal(out.p, cases[i][1]);
        else
            assert_null(out.p);
        err_clear(&e);
        buf_clear(&out);
    }
}

static void messages_show_no_secrets(void **state)
{
    static const char *const cases[][2] = {
        {"https://user:secret@h:1/x", "https://h:1/x"},
        {"https://a@b@h/x@y", "https://h/x@y"},
        {"https://h/x?token=secret#secret", "https://h/x?..."},
        {"https://h?u=a@b", "https://h?..."},
        {"https://h/\x1b[31m", "https://h/?[31m"},
        {"https://user:sec/ret", "https://user:sec/ret"}, /* no "@": nothing to hide */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out = {0};

        url_show(&out, str_of(cases[i][0]));
        assert_string_equal(out.p, cases[i][1]);
        buf_clear(&out);
    }
}

static void content_ranges_are_read(void **state)
{
    static const struct {
        const char *line;
        bool good;
        uint64_t first, last, total;
    } cases[] = {
        {"Content-Range: bytes 0-99/1234\r\n", true, 0, 99, 1234},
        {"content-range:Bytes 5-5/*", true, 5, 5, 0},
        {"Content-Range: bytes 9-5/10", false, 0, 0, 0},
        {"Content-Range: bytes 0-9/9", false, 0, 0, 0},
        {"Content-Range: bytes */10", false, 0, 0, 0},
        {"Content-Range: bytes 0-18446744073709551615/*", false, 0, 0, 0},
        {"Content-Range: lines 0-9/10", false, 0, 0, 0},
        {"Content-Range: bytes -1-9/10", false, 0, 0, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct answer a = {0};

        answer_line(&a, str_of(cases[i].line), 0);
        assert_int_equal(a.has_range, cases[i].good);
        assert_int_equal(a.first, cases[i].first);
        assert_int_equal(a.last, cases[i].last);
        assert_int_equal(a.total, cases[i].total);
        answer_clear(&a);
    }
}

static void retry_after_is_seconds_or_a_date(void **state)
{
    static const struct {
        const char *line;
        int64_t now;
        uint32_t seconds;
    } cases[] = {
        {"Retry-After: 120\r\n", 0, 120},
        {"retry-after: Sun, 06 Nov 1994 08:49:37 GMT", 784111770, 7},
        {"Retry-After: Sun, 06 Nov 1994 08:49:37 GMT", 784111790, 0},
        {"Retry-After: soon", 0, 0},
        {"Retry-After: -5", 0, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct answer a = {0};

        answer_line(&a, str_of(cases[i].line), cases[i].now);
        assert_int_equal(a.retry_after_s, cases[i].seconds);
        answer_clear(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_come_apart),
        cmocka_unit_test(unusable_addresses_are_refused),
        cmocka_unit_test(an_address_has_at_most_8192_bytes),
        cmocka_unit_test(references_join_as_in_rfc_3986),
        cmocka_unit_test(joining_on_a_bare_host_begins_a_path),
        cmocka_unit_test(origins_differ_by_scheme_host_and_port),
        cmocka_unit_test(file_names_are_plain),
        cmocka_unit_test(messages_show_no_secrets),
        cmocka_unit_test(content_ranges_are_read),
        cmocka_unit_test(retry_after_is_seconds_or_a_date),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
