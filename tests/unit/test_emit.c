/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "doc/emit.h"
#include "doc/json.h"

static void compact_has_no_white_space(void **state)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(buf_clear) struct buf out = {0};
    struct node *map = node_new_map(&doc), *list = node_new_list(&doc);

    node_put_str(&doc, map, "z", STR("a b"));
    node_put_u64(&doc, map, "a", UINT64_MAX);
    node_put_bool(&doc, map, "yes", true);
    node_put(&doc, map, "list", list);
    node_add_str(&doc, list, STR("x"));
    emit_json(&out, map, EMIT_COMPACT);
    assert_string_equal(out.p,
                        "{\"z\":\"a b\",\"a\":18446744073709551615,\"yes\":true,\"list\":[\"x\"]}");
}

static void strings_escape_only_what_json_demands(void **state)
{
    static const struct {
        struct str text;
        const char *out;
    } cases[] = {
        {STR_INIT(""), "\"\""},
        {STR_INIT("a\"b\\c/d"), "\"a\\\"b\\\\c/d\""},
        {STR_INIT("\n\t\r\b\0\x1f\x7f"), "\"\\n\\t\\u000d\\u0008\\u0000\\u001f\x7f\""},
        {STR_INIT("\xc3\xa9<>&'"), "\"\xc3\xa9<>&'\""},
        {STR_INIT("\xc2\x9b\xe2\x80\xae"), "\"\xc2\x9b\xe2\x80\xae\""}, /* locks keep their bytes */
        {STR_INIT("a\xff\xe2\x82"), "\"a\\\\xff\\\\xe2\\\\x82\""},      /* no UTF-8: as text */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf out = {0};

        emit_json_string(&out, cases[i].text);
        assert_string_equal(out.p, cases[i].out);
    }
}

static void lines_keep_short_groups_together(void **state)
{
    static const char text[] = "{\n"
                               "  \"schema\": 1,\n"
                               "  \"empty\": [],\n"
                               "  \"none\": {},\n"
                               "  \"flat\": [\"a\", 1, null, true, [], {}],\n"
                               "  \"artifacts\": [\n"
                               "    {\"name\": \"torch\", \"size\": 1},\n"
                               "    {\n"
                               "      \"name\": \"numpy\",\n"
                               "      \"tags\": [\"x\"]\n"
                               "    }\n"
                               "  ]\n"
                               "}\n";
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf out = {0};

    assert_int_equal(json_parse(&doc, str_of(text), 1000, "x.json", &e), 0);
    emit_json(&out, doc.root, EMIT_LINES);
    assert_string_equal(out.p, text);
}

/* Length of the longest line where {"k": ["xxx…"]} stands with other members. */
static size_t longest_line(size_t letters, bool comma)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(buf_clear) struct buf out = {0}, word = {0};
    struct node *map = node_new_map(&doc), *list = node_new_list(&doc);
    struct str rest, line;
    size_t longest = 0;

    for (size_t i = 0; i < letters; i++)
        buf_putc(&word, 'x');
    node_put(&doc, map, "k", list);
    node_add_str(&doc, list, buf_view(&word));
    if (comma)
        node_put(&doc, map, "last", node_new_map(&doc));
    node_put(&doc, map, "nested", node_new_list(&doc));
    node_add(&doc, node_put(&doc, map, "deep", node_new_list(&doc)), node_new_map(&doc));
    emit_json(&out, map, EMIT_LINES);
    for (rest = buf_view(&out); str_line(&rest, &line);)
        longest = line.len > longest ? line.len : longest;
    return longest;
}

static void a_hundred_columns_are_the_limit(void **state)
{
    /* `  "k": ["` and `"],` are 12 columns beside the letters. */
    assert_int_equal(longest_line(88, true), 100);
    assert_true(longest_line(89, true) < 100); /* broken up */
}

static void both_styles_hold_the_same(void **state)
{
    struct str text = STR("{\"a\":[{\"b\":[1,2,[3]]},\"\",null],\"c\":{\"d\":{\"e\":0.5}}}");
    CLEANUP(doc_clear) struct doc once = {0}, twice = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf lines = {0}, compact = {0};

    assert_int_equal(json_parse(&once, text, 1000, "x", &e), 0);
    emit_json(&lines, once.root, EMIT_LINES);
    assert_int_equal(json_parse(&twice, buf_view(&lines), 1000, "x", &e), 0);
    emit_json(&compact, twice.root, EMIT_COMPACT);
    assert_true(str_eq(buf_view(&compact), text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compact_has_no_white_space),
        cmocka_unit_test(strings_escape_only_what_json_demands),
        cmocka_unit_test(lines_keep_short_groups_together),
        cmocka_unit_test(a_hundred_columns_are_the_limit),
        cmocka_unit_test(both_styles_hold_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
