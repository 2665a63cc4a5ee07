/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "oci/ref.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void references_are_cut_into_their_parts(void **state)
{
    static const struct {
        const char *text, *host, *path, *tag, *full;
    } cases[] = {
        {"pytorch", NULL, "pytorch", NULL, "docker.io/library/pytorch:latest"},
        {"pytorch:2.6.0-cuda12.4", NULL, "pytorch", "2.6.0-cuda12.4",
         "docker.io/library/pytorch:2.6.0-cuda12.4"},
        {"org/a_b__c-d---e.f", NULL, "org/a_b__c-d---e.f", NULL,
         "docker.io/org/a_b__c-d---e.f:latest"},
        {"localhost:5000", NULL, "localhost", "5000", "docker.io/library/localhost:5000"},
        {"localhost:5000/x", "localhost:5000", "x", NULL, "localhost:5000/x:latest"},
        {"localhost/x:_T.-", "localhost", "x", "_T.-", "localhost/x:_T.-"},
        {"[::1]:5000/x", "[::1]:5000", "x", NULL, "[::1]:5000/x:latest"},
        {"ghcr.io/o/r:1@sha256:" HEX, "ghcr.io", "o/r", "1", "ghcr.io/o/r:1@sha256:" HEX},
        {"r@sha256:" HEX, NULL, "r", NULL, "docker.io/library/r@sha256:" HEX},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(ref_clear) struct ref ref = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf full = {0};

        assert_int_equal(ref_parse(&ref, str_of(cases[i].text), &e), 0);
        assert_string_equal(ref.path, cases[i].path);
        assert_int_equal(!ref.host, !cases[i].host);
        if (ref.host)
            assert_string_equal(ref.host, cases[i].host);
        assert_int_equal(!ref.tag, !cases[i].tag);
        if (ref.tag)
            assert_string_equal(ref.tag, cases[i].tag);
        ref_print_full(&ref, &full);
        assert_string_equal(full.p, cases[i].full);
    }
}

static void a_registry_alone_is_no_image(void **state)
{
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {
        {"localhost:5000", false}, {"localhost", false},          {"ghcr.io", false},
        {"registry.x:v1", false},  {"localhost:5000/x", true},    {"team/pytorch.2", true},
        {"pytorch:2.6", true},     {"docker.io/localhost", true},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(ref_clear) struct ref ref = {0};
        CLEANUP(err_clear) struct err e = {0};

        assert_int_equal(ref_parse_stored(&ref, str_of(cases[i].text), &e), cases[i].ok ? 0 : -1);
        assert_int_equal(err_is_set(&e), !cases[i].ok);
    }
}

static void what_is_no_reference_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        ":tag",
        "Upper",
        "a//b",
        "/a",
        "a/",
        "a..b",
        "a___b",
        "-a",
        "a-",
        "a.",
        "a:",
        "a:-x",
        "a:.x",
        "a:b/c:d:e",
        "a@",
        "a@sha256:1",
        "a@md5:" HEX,
        "a@sha256:0000000000000000000000000000000000000000000000000000000000000000",
        "a b",
        "a:t t",
        "ho_st.x:1/a",
        "host:99999/a",
        "host:/a",
        "host.:5/a",
        "[::g]/a",
        "[]:1/a",
        "a@sha256:ABCDEF" HEX,
        "../a",
        "a/../b",
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ref ref = {0};
        CLEANUP(err_clear) struct err e = {0};

        if (ref_parse(&ref, str_of(cases[i]), &e) == 0)
            fail_msg("\"%s\" was taken for a reference", cases[i]);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_null(ref.path);
    }
}

static void lengths_end_where_the_spec_ends_them(void **state)
{
    char text[REF_NAME_MAX + 2];

    memset(text, 'a', sizeof text);
    assert_true(ref_tag_ok((struct str){text, REF_TAG_MAX - 1}));
    assert_true(ref_tag_ok((struct str){text, REF_TAG_MAX}));
    assert_false(ref_tag_ok((struct str){text, REF_TAG_MAX + 1}));
    assert_true(ref_path_ok((struct str){text, REF_NAME_MAX}));
    assert_false(ref_path_ok((struct str){text, REF_NAME_MAX + 1}));
}

static void layout_names_follow_the_annotation_grammar(void **state)
{
    static const char *const good[] = {"1.0", "a:1", "ghcr.io/o/r:1--2", "a@b+c", "v_1"};
    static const char *const bad[] = {"", ".1", "1.", "a..b", "a//b", "/a", "a/", "a b", "a---b"};

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(ref_name_ok(str_of(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(ref_name_ok(str_of(bad[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_are_cut_into_their_parts),
        cmocka_unit_test(a_registry_alone_is_no_image),
        cmocka_unit_test(what_is_no_reference_is_refused),
        cmocka_unit_test(lengths_end_where_the_spec_ends_them),
        cmocka_unit_test(layout_names_follow_the_annotation_grammar),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
