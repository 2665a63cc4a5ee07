/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "pkg/deb/control.h"

static void fields_are_found_whatever_their_case(void **state)
{
    CLEANUP(control_clear) struct control c = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct str text = STR("\n\n# a comment\nPackage: a\nDescription: one\n two\n .\n\tthree  \n"
                          "Empty:\n\nPackage:b\r\nVersion: 1\r\n");
    bool more;

    assert_int_equal(control_next(&c, &text, &more, "test", &e), 0);
    assert_true(more);
    assert_int_equal(c.fields.n, 3);
    assert_true(str_is(control_get(&c, "pACKAGE"), "a"));
    assert_true(str_is(control_get(&c, "description"), "one\n two\n .\n\tthree"));
    assert_int_equal(control_get(&c, "Empty").len, 0);
    assert_int_equal(control_get(&c, "Absent").len, 0);
    assert_int_equal(control_next(&c, &text, &more, "test", &e), 0);
    assert_true(more && str_is(control_get(&c, "Package"), "b"));
    assert_true(str_is(control_get(&c, "Version"), "1"));
    assert_int_equal(control_next(&c, &text, &more, "test", &e), 0);
    assert_false(more);
}

static void what_is_no_paragraph_is_refused(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"Package a\n", "no \"Field: value\" line"}, {": a\n", "no \"Field: value\" line"},
        {"-x: a\n", "no \"Field: value\" line"},     {"a b: a\n", "no \"Field: value\" line"},
        {" continued\n", "before any field"},        {"A: 1\nB: 2\na: 3\n", "twice"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(control_clear) struct control c = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct str text = str_of(cases[i].text);
        bool more;
        assert_int_equal(control_next(&c, &text, &more, "the-file", &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_non_null(strstr(e.msg, cases[i].says));
        assert_non_null(strstr(e.msg, "the-file"));
    }
}

static void a_paragraph_ends_at_a_mebibyte(void **state)
{
    for (int over = 0; over < 2; over++) {
        CLEANUP(buf_clear) struct buf b = {0};
        CLEANUP(control_clear) struct control c = {0};
        CLEANUP(err_clear) struct err e = {0};
        buf_puts(&b, "A: ");
        size_t len = (1 << 20) - 3 + (size_t)over;
        memset(buf_room(&b, len), 'x', len);
        b.len += len;
        struct str text = buf_view(&b);
        bool more;
        assert_int_equal(control_next(&c, &text, &more, "test", &e), over ? -1 : 0);
    }
}

/* A list in a normal form: groups between ", ", alternatives between " | ". */
static void put_relations(struct buf *out, const struct relations *list)
{
    static const char *const ops[] = {"", "<<", "<=", "=", ">=", ">>"};

    for (size_t i = 0; i < list->n; i++)
        for (size_t j = 0; j < list->v[i].n; j++) {
            const struct relation *r = &list->v[i].v[j];
            buf_puts(out, j ? " | " : i ? ", " : "");
            buf_fmt(out, STR_FMT "%s" STR_FMT, STR_ARG(r->name), r->arch.len ? ":" : "",
                    STR_ARG(r->arch));
            if (r->op != DEBVER_ANY)
                buf_fmt(out, " (%s " STR_FMT ")", ops[r->op], STR_ARG(r->version));
        }
}

static void relations_parse_to_groups(void **state)
{
    static const struct {
        const char *text, *parsed;
    } cases[] = {
        {"", ""},
        {"a", "a"},
        {"a, b | c,d|e", "a, b | c, d | e"},
        {" a(>=1.0) ,\n b ( << 2:1-1 )", "a (>= 1.0), b (<< 2:1-1)"},
        {"python3:any (>= 3.11~), libc6:amd64", "python3:any (>= 3.11~), libc6:amd64"},
        {"a (= 1),", "a (= 1)"},
        {"a [amd64] | b [arm64], c [!amd64], d [!arm64 !i386]", "a, d"},
        {"a [linux-any], b [any-amd64], c [hurd-any]", "a, b"},
        {"a <!nocheck>, b <stage1>, c <!x !y> <z>, d <x> <y>", "a, c"},
        {"g++-12, libstdc++6, x.y", "g++-12, libstdc++6, x.y"},
        {"a (> 1), b (< 1)", "a (>= 1), b (<= 1)"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_clear) struct arena a = {0};
        CLEANUP(relations_clear) struct relations list = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf out = {0};
        assert_int_equal(relations_parse(&list, &a, str_of(cases[i].text), STR("amd64"), &e), 0);
        put_relations(&out, &list);
        assert_string_equal(out.len ? out.p : "", cases[i].parsed);
    }
}

static void malformed_relations_are_refused(void **state)
{
    static const char *const cases[] = {"a (1)", "a (>= )",    "a (>= 1", "a |",      "| a",
                                        "a b",   "a (!= 1)",   "(= 1)",   "a [amd64", "a <x",
                                        "a b c", "a (>= 1) x", "a/b",     "a (=> 1)"};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_clear) struct arena a = {0};
        CLEANUP(relations_clear) struct relations list = {0};
        CLEANUP(err_clear) struct err e = {0};
        if (relations_parse(&list, &a, str_of(cases[i]), STR("amd64"), &e) == 0)
            fail_msg("\"%s\" was taken", cases[i]);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_int_equal(list.n, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_whatever_their_case),
        cmocka_unit_test(what_is_no_paragraph_is_refused),
        cmocka_unit_test(a_paragraph_ends_at_a_mebibyte),
        cmocka_unit_test(relations_parse_to_groups),
        cmocka_unit_test(malformed_relations_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
