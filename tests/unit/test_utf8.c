/* base/utf8.c: what is a character, and what a terminal is shown of one. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/utf8.h"

static void every_character_reads_back(void **state)
{
    for (uint32_t c = 0; c < 0x110000; c += c < 0x10000 ? 1 : 251) {
        CLEANUP(buf_clear) struct buf b = {0};
        size_t n;

        if (c >= 0xd800 && c < 0xe000)
            continue;
        utf8_put(&b, c);
        n = utf8_length(buf_view(&b));
        if (n != b.len || utf8_code(buf_view(&b), n) != c)
            fail_msg("U+%04X", c);
        assert_int_equal(utf8_valid(buf_view(&b)), n);
    }
}

static void what_is_no_character_ends_the_valid_part(void **state)
{
    static const struct {
        struct str text;
        size_t valid;
    } cases[] = {
        {STR_INIT(""), 0},
        {STR_INIT("0123456789abcdef"), 16},
        {STR_INIT("0123456789\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), 19},
        {STR_INIT("01234567\xff"), 8},
        {STR_INIT("0123456\x80"), 7},
        {STR_INIT("a\xc0\x80"), 1},         /* too long a form */
        {STR_INIT("a\xe0\x9f\xbf"), 1},     /* the same of three bytes */
        {STR_INIT("a\xf0\x8f\xbf\xbf"), 1}, /* and of four */
        {STR_INIT("a\xed\xa0\x80"), 1},     /* a surrogate */
        {STR_INIT("a\xf4\x90\x80\x80"), 1}, /* beyond U+10FFFF */
        {STR_INIT("a\xf5\x80\x80\x80"), 1},
        {STR_INIT("a\xe2\x82"), 1}, /* cut short */
        {STR_INIT("a\xe2\x82z"), 1},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (utf8_valid(cases[i].text) != cases[i].valid)
            fail_msg("case %zu: %zu", i, utf8_valid(cases[i].text));
}

static void utf_16_in_both_orders(void **state)
{
    static const struct {
        struct str text;
        bool big;
        const char *out;
        bool whole;
    } cases[] = {
        {STR_INIT(""), false, "", true},
        {STR_INIT("a\0\xac\x20"), false, "a\xe2\x82\xac", true},
        {STR_INIT("\0a\x20\xac"), true, "a\xe2\x82\xac", true},
        {STR_INIT("\x3d\xd8\0\xde"), false, "\xf0\x9f\x98\x80", true},
        {STR_INIT("\xdb\xff\xdf\xff"), true, "\xf4\x8f\xbf\xbf", true},
        {STR_INIT("a\0b"), false, "a", false},               /* half a unit */
        {STR_INIT("a\0\x3d\xd8"), false, "a", false},        /* the first half alone */
        {STR_INIT("a\0\x3d\xd8z\0"), false, "a", false},     /* no second half behind it */
        {STR_INIT("a\0\0\xde\x3d\xd8"), false, "a", false},  /* the second half first */
        {STR_INIT("\0a\xd8\x3d\xd8\x3d"), true, "a", false}, /* two first halves */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf b = {0};

        buf_puts(&b, "");
        if (utf8_from_utf16(&b, cases[i].text, cases[i].big) != cases[i].whole ||
            !str_is(buf_view(&b), cases[i].out))
            fail_msg("case %zu: %s", i, b.p);
    }
}

static void what_a_terminal_obeys_is_escaped(void **state)
{
    static const struct {
        struct str text;
        const char *line, *lines, *json;
    } cases[] = {
        {STR_INIT("plain \\ \xc3\xa9 \xe2\x82\xac"), "plain \\ \xc3\xa9 \xe2\x82\xac",
         "plain \\ \xc3\xa9 \xe2\x82\xac", "plain \\ \xc3\xa9 \xe2\x82\xac"},
        {STR_INIT("a\x1b[31mb"), "a\\x1b[31mb", "a\\x1b[31mb", "a\\u001b[31mb"},
        {STR_INIT("a\n\tb\r"), "a\\n\\tb\\r", "a\n\tb\\r", "a\n\tb\\u000d"},
        {STR_INIT("\0\a\x7f"), "\\x00\\x07\\x7f", "\\x00\\x07\\x7f", "\\u0000\\u0007\\u007f"},
        {STR_INIT("\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0"), "\\u0080\\u009b\\u009f\xc2\xa0",
         "\\u0080\\u009b\\u009f\xc2\xa0", "\\u0080\\u009b\\u009f\xc2\xa0"},
        {STR_INIT("\xe2\x80\xa9\xe2\x80\xaa\xe2\x80\xae\xe2\x80\xaf"),
         "\xe2\x80\xa9\\u202a\\u202e\xe2\x80\xaf", "\xe2\x80\xa9\\u202a\\u202e\xe2\x80\xaf",
         "\xe2\x80\xa9\\u202a\\u202e\xe2\x80\xaf"},
        {STR_INIT("\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa"),
         "\xe2\x81\xa5\\u2066\\u2069\xe2\x81\xaa", "\xe2\x81\xa5\\u2066\\u2069\xe2\x81\xaa",
         "\xe2\x81\xa5\\u2066\\u2069\xe2\x81\xaa"},
        {STR_INIT("a\xff\x9b"
                  "b\xe2\x82"),
         "a\\xff\\x9bb\\xe2\\x82", "a\\xff\\x9bb\\xe2\\x82", "a\\\\xff\\\\x9bb\\\\xe2\\\\x82"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *want[] = {cases[i].line, cases[i].lines, cases[i].json};

        for (enum utf8_show how = SHOW_LINE; how <= SHOW_JSON; how++) {
            CLEANUP(buf_clear) struct buf out = {0};

            utf8_show(&out, cases[i].text, how);
            assert_string_equal(out.p, want[how]);
        }
    }
}

static void a_prefix_ends_between_characters(void **state)
{
    struct str text = STR("a\xc3\xa9\xe2\x82\xac\xff"
                          "b");
    static const size_t want[] = {0, 1, 3, 6, 7, 8, 8};

    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_int_equal(utf8_prefix(text, i), want[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_reads_back),
        cmocka_unit_test(what_is_no_character_ends_the_valid_part),
        cmocka_unit_test(utf_16_in_both_orders),
        cmocka_unit_test(what_a_terminal_obeys_is_escaped),
        cmocka_unit_test(a_prefix_ends_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
