/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "doc/json.h"
#include "doc/pull.h"

/* Everything as text, "key=value;" in its order; maps and lists in their signs. */
static void write_value(struct pull *p, struct buf *out)
{
    struct str text;
    bool yes;

    if (pull_map(p)) {
        buf_putc(out, '{');
        while (pull_key(p, &text)) {
            buf_fmt(out, STR_FMT "=", STR_ARG(text));
            write_value(p, out);
        }
        buf_putc(out, '}');
    } else if (pull_list(p)) {
        buf_putc(out, '[');
        while (pull_item(p))
            write_value(p, out);
        buf_putc(out, ']');
    } else if (pull_kind(p) == NODE_STRING) {
        if (pull_text(p, &text))
            buf_fmt(out, STR_FMT ";", STR_ARG(text));
    } else if (pull_kind(p) == NODE_NUMBER) {
        if (pull_number(p, &text))
            buf_fmt(out, STR_FMT ";", STR_ARG(text));
    } else if (pull_kind(p) == NODE_BOOL) {
        if (pull_bool(p, &yes))
            buf_puts(out, yes ? "true;" : "false;");
    } else {
        pull_skip(p);
        buf_puts(out, "null;");
    }
}

static void values_come_in_their_order(void **state)
{
    static const char *const cases[][2] = {
        {"{}", "{}"},
        {" [ ] ", "[]"},
        {"{\"a\" : [1, -2.5e+3, {\"b\":[]}, true,false,null] ,\"a\":\"x\"}",
         "{a=[1;-2.5e+3;{b=[]}true;false;null;]a=x;}"},
        {"[\"\\\"\\\\\\/\\n\\u00e9\\ud83d\\ude00\"]", "[\"\\/\n\xc3\xa9\xf0\x9f\x98\x80;]"},
        {"[\"\xc3\xa9\xf0\x9f\x98\x80\"]", "[\xc3\xa9\xf0\x9f\x98\x80;]"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_clear) struct arena a = {0};
        CLEANUP(buf_clear) struct buf got = {0};
        struct pull p;

        pull_open(&p, str_of(cases[i][0]), &a);
        write_value(&p, &got);
        assert_true(pull_done(&p));
        assert_string_equal(got.p, cases[i][1]);
    }
}

static bool is_taken(struct str text, bool skipped)
{
    CLEANUP(arena_clear) struct arena a = {0};
    CLEANUP(buf_clear) struct buf unused = {0};
    struct pull p;

    pull_open(&p, text, &a);
    if (skipped)
        pull_skip(&p);
    else
        write_value(&p, &unused);
    return pull_done(&p);
}

static void what_is_no_json_is_refused(void **state)
{
    static const char *const cases[] = {
        "",         "{",        "}",          "[1",    "[1 2]",     "[,1]",   "[1,]",
        "{\"a\"}",  "{\"a\":}", "{\"a\":1,}", "{1:2}", "{\"a\" 1}", "[01]",   "[1.]",
        "[.5]",     "[-]",      "[1e]",       "[tru]", "[nul]",     "[True]", "[\"a]",
        "[\"\t\"]", "[] []",    "[1]]",       "['a']", "[\"a\\",    "[--1]",  "[]x",
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(doc_clear) struct doc doc = {0};
        CLEANUP(err_clear) struct err e = {0};

        if (is_taken(str_of(cases[i]), true) || is_taken(str_of(cases[i]), false))
            fail_msg("taken: %s", cases[i]);
        assert_int_equal(json_parse(&doc, str_of(cases[i]), 1000, "x", &e), -1);
    }
}

static void bad_texts_are_refused(void **state)
{
    static const char *const cases[] = {
        "[\"\\x\"]",
        "[\"\\u12g4\"]",
        "[\"\\ud83d\"]",
        "[\"\\ude00\"]",
        "[\"\\ud83d\\u0041\"]",
        "[\"\xff\"]",
        "[\"\xc0\x80\"]",
        "[\"\xe0\x80\x80\"]",
        "[\"\xed\xa0\x80\"]",
        "[\"\xf4\x90\x80\x80\"]",
        "[\"\xc3\"]",
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (is_taken(str_of(cases[i]), false) || is_taken(str_of(cases[i]), true))
            fail_msg("taken: case %zu", i);
}

static void nesting_has_a_limit(void **state)
{
    CLEANUP(buf_clear) struct buf b = {0};

    for (int i = 0; i < 64; i++)
        buf_putc(&b, '[');
    for (int i = 0; i < 64; i++)
        buf_putc(&b, ']');
    assert_true(is_taken(buf_view(&b), true));
    buf_reset(&b);
    for (int i = 0; i < 100000; i++)
        buf_putc(&b, '[');
    assert_false(is_taken(buf_view(&b), true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_in_their_order),
        cmocka_unit_test(what_is_no_json_is_refused),
        cmocka_unit_test(bad_texts_are_refused),
        cmocka_unit_test(nesting_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
