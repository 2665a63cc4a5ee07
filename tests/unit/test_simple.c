/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pkg/pypi/simple.h"

#define JSON "application/vnd.pypi.simple.v1+json"
#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static int parse(struct simple_page *page, const char *type, const char *body, struct err *e)
{
    return simple_parse(page, str_of(body), str_of(type), STR("https://i.test/simple/a/"), e);
}

static void json_pages(void **state)
{
    CLEANUP(simple_clear) struct simple_page p = {0};
    struct err e = {0};

    assert_int_equal(
        parse(
            &p, JSON "; charset=utf-8",
            "{\"meta\":{\"api-version\":\"1.4\"},\"files\":["
            "{\"filename\":\"a-1.whl\",\"url\":\"../../f/a-1.whl\",\"hashes\":{\"sha256\":\"" HEX
            "\"},\"size\":77,\"upload-time\":\"2025-01-02T03:04:05.6Z\",\"requires-python\":\">=3."
            "8\",\"core-metadata\":{\"sha256\":\"" HEX "\"},\"yanked\":\"broken\"},"
            "{\"filename\":\"a-2.whl\",\"url\":\"https://f.test/a-2.whl\",\"hashes\":{},"
            "\"requires-python\":null,\"dist-info-metadata\":true,\"yanked\":false},"
            "{\"filename\":\"../a-3.whl\",\"url\":\"https://f.test/x\"},"
            "{\"filename\":\"a-4.whl\",\"url\":\"ftp://f.test/a-4.whl\"},{\"filename\":\"a-5\"}]}",
            &e),
        0);
    assert_int_equal(p.files.n, 2);
    assert_true(str_is(p.files.v[0].url, "https://i.test/f/a-1.whl") && p.files.v[0].size == 77);
    assert_true(digest_is_set(&p.files.v[0].digest) && p.files.v[0].has_metadata);
    assert_true(digest_is_set(&p.files.v[0].metadata_digest) && p.files.v[0].yanked);
    assert_true(str_is(p.files.v[0].yanked_reason, "broken"));
    assert_true(str_is(p.files.v[0].uploaded, "2025-01-02T03:04:05.6Z"));
    assert_false(p.files.v[1].uploaded.len);
    assert_true(str_is(p.files.v[0].requires_python, ">=3.8"));
    assert_true(!digest_is_set(&p.files.v[1].digest) && p.files.v[1].has_metadata);
    assert_true(!digest_is_set(&p.files.v[1].metadata_digest) && !p.files.v[1].yanked);
}

static void html_pages(void **state)
{
    CLEANUP(simple_clear) struct simple_page p = {0};
    struct err e = {0};

    assert_int_equal(
        parse(&p, "text/html",
              "<!DOCTYPE html><html><head><meta name=\"pypi:repository-version\" content=\"1.3\">"
              "</head><body><h1>Links<a href='/whl/a-1.0%2Bcu124-py3-none-any.whl#sha256=" HEX "'"
              " data-requires-python='&gt;=3.8' data-core-metadata='sha256=" HEX "'>a</a><br>"
              "<a href=a-2.whl data-yanked data-dist-info-metadata=true>b<a data-yanked='why'"
              " href='a-3.whl' data-core-metadata=false>c</a><a>d</a><a href='..'>up</a>",
              &e),
        0);
    assert_int_equal(p.files.n, 3);
    assert_true(str_is(p.files.v[0].name, "a-1.0+cu124-py3-none-any.whl"));
    assert_true(str_is(p.files.v[0].url, "https://i.test/whl/a-1.0%2Bcu124-py3-none-any.whl"));
    assert_true(digest_is_set(&p.files.v[0].digest) && p.files.v[0].has_metadata);
    assert_true(digest_is_set(&p.files.v[0].metadata_digest) && !p.files.v[0].yanked);
    assert_true(str_is(p.files.v[0].requires_python, ">=3.8"));
    assert_true(p.files.v[1].yanked && !p.files.v[1].yanked_reason.len);
    assert_true(p.files.v[1].has_metadata && !p.files.v[2].has_metadata);
    assert_true(str_is(p.files.v[2].yanked_reason, "why"));
    assert_true(str_is(p.files.v[2].url, "https://i.test/simple/a/a-3.whl"));
}

static void a_base_moves_links(void **state)
{
    CLEANUP(simple_clear) struct simple_page p = {0};
    struct err e = {0};

    assert_int_equal(parse(&p, "text/html", "<base href='https://f.test/d/'><a href=x.whl>x", &e),
                     0);
    assert_int_equal(p.files.n, 1);
    assert_true(str_is(p.files.v[0].url, "https://f.test/d/x.whl"));
}

static void a_page_without_a_type_tells_by_its_first_byte(void **state)
{
    CLEANUP(simple_clear) struct simple_page json = {0}, html = {0}, none = {0};
    struct err e = {0};

    assert_int_equal(parse(&json, "", " {\"files\":[{\"filename\":\"a\",\"url\":\"a\"}]}", &e), 0);
    assert_int_equal(json.files.n, 1);
    assert_int_equal(parse(&html, "", "<a href=x>x</a>", &e), 0);
    assert_int_equal(html.files.n, 1);
    assert_int_equal(parse(&none, "text/html", "", &e), 0);
    assert_int_equal(none.files.n, 0);
}

static void a_page_on_a_disk_may_link_to_files(void **state)
{
    CLEANUP(simple_clear) struct simple_page p = {0};
    struct err e = {0};

    assert_int_equal(simple_parse(&p, STR("<a href='file:///f/a-1.whl'>a<a href=../a-2.whl>b"),
                                  STR(""), STR("file:///simple/a/"), &e),
                     0);
    assert_int_equal(p.files.n, 2);
    assert_true(str_is(p.files.v[1].url, "file:///simple/a-2.whl"));
}

static void pages_that_are_refused(void **state)
{
    static const char *const cases[][3] = {
        {JSON, "{\"meta\":{\"api-version\":\"2.0\"},\"files\":[]}", "version \"2.0\""},
        {JSON, "{\"meta\":{}}", "no list of files"},
        {JSON, "{\"files\":{}}", "no list of files"},
        {JSON, "<a>", ""},
        {"text/html", "<meta name='pypi:repository-version' content='2.0'>", "version \"2.0\""},
        {"application/vnd.pypi.simple.v2+json", "{\"files\":[]}", "answers in"},
        {"image/png", "x", "answers in"},
        {"text/html", "<a href=a-1.whl>a<a href='file:///etc/a-2.whl'>b",
         "links \"a-2.whl\" to a file of this machine"},
        {"text/html", "<a href='FILE://localhost/etc/a-2.whl'>b", "to a file of this machine"},
        {"text/html", "<base href='file:///etc/'><a href=a-2.whl>b", "to a file of this machine"},
        {JSON, "{\"files\":[{\"filename\":\"a-2.whl\",\"url\":\"file:///etc/passwd\"}]}",
         "to a file of this machine"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(simple_clear) struct simple_page p = {0};
        CLEANUP(err_clear) struct err e = {0};

        assert_int_equal(parse(&p, cases[i][0], cases[i][1], &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_non_null(strstr(e.msg, cases[i][2]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_pages),
        cmocka_unit_test(html_pages),
        cmocka_unit_test(a_base_moves_links),
        cmocka_unit_test(a_page_without_a_type_tells_by_its_first_byte),
        cmocka_unit_test(a_page_on_a_disk_may_link_to_files),
        cmocka_unit_test(pages_that_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
