/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "doc/emit.h"
#include "doc/json.h"
#include "faults.h"

static void what_is_read_is_written_the_same(void **state)
{
    static const struct {
        struct str text;
        const char *out;
    } cases[] = {
        {STR_INIT("{\"b\":1,\"a\":[true,false,null]}"), "{\"b\":1,\"a\":[true,false,null]}"},
        {STR_INIT(" [ ] "), "[]"},
        {STR_INIT("{}"), "{}"},
        {STR_INIT("[9223372036854775807,-9223372036854775808]"),
         "[9223372036854775807,-9223372036854775808]"},
        {STR_INIT("[0.1,1.10,2.5e-3,1e3,0.30000000000000004]"),
         "[0.1,1.10,2.5e-3,1e3,0.30000000000000004]"},
        {STR_INIT("[99999999999999999999,-0,1E+2]"),
         "[99999999999999999999,-0,1E+2]"}, /* as written */
        {STR_INIT("[\"a\\/b\\u0041\\n\\r\\t\\\"\\\\\"]"), "[\"a/bA\\n\\u000d\\t\\\"\\\\\"]"},
        {STR_INIT("[\"\xc3\xa9\\ud83d\\ude00\"]"), "[\"\xc3\xa9\xf0\x9f\x98\x80\"]"},
        {STR_INIT("[\"a\\u0000b\"]"), "[\"a\\u0000b\"]"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(doc_clear) struct doc doc = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf out = {0};

        assert_int_equal(json_parse(&doc, cases[i].text, 1000, "x.json", &e), 0);
        emit_json(&out, doc.root, EMIT_COMPACT);
        assert_string_equal(out.p, cases[i].out);
    }
}

static void what_is_no_json_is_refused(void **state)
{
    static const struct {
        struct str text;
        const char *fault;
    } cases[] = {
        {STR_INIT(""), "x.json:1:1: no valid JSON: the text ends too early"},
        {STR_INIT("{\"a\":1,\n \"a\":2}"), "x.json:2:2: no valid JSON: the key \"a\" stands twice"},
        {STR_INIT("{\"a\":1,\"b\":{\"c\":1,\"d\":1,\"c\":1},\"a\":2}"),
         "x.json:1:25: no valid JSON: the key \"c\" stands twice"},
        {STR_INIT("{\"a\":1,\"\\u0061\":2}"),
         "x.json:1:8: no valid JSON: the key \"a\" stands twice"},
        {STR_INIT("{\"a\":1,}"), "x.json:1:8: no valid JSON: a key in double quotes is missing"},
        {STR_INIT("{\"a\":1"), "x.json:1:7: no valid JSON: the text ends too early"},
        {STR_INIT("{\"a\" 1}"), "x.json:1:6: no valid JSON: \":\" is missing"},
        {STR_INIT("[1 2]"), "x.json:1:4: no valid JSON: a comma or \"]\" is missing"},
        {STR_INIT("{\"a\":1 2}"), "x.json:1:8: no valid JSON: a comma or \"}\" is missing"},
        {STR_INIT("[1] x"), "x.json:1:5: no valid JSON: text after the end"},
        {STR_INIT("[1]]"), "x.json:1:4: no valid JSON: text after the end"},
        {STR_INIT("\"scalar\""), "x.json:1:1: no valid JSON: a map or a list is wanted"},
        {STR_INIT("null"), "x.json:1:1: no valid JSON: a map or a list is wanted"},
        {STR_INIT("[\n\t007]"), "x.json:2:2: no valid JSON: not a valid value"},
        {STR_INIT("[1.]"), "x.json:1:2: no valid JSON: not a valid value"},
        {STR_INIT("[\"\xff\"]"), "x.json:1:3: no valid JSON: a byte that is not UTF-8"},
        {STR_INIT("[\"\xc3\xa9\", \"\\ud800\"]"), "x.json:1:8: no valid JSON: not a valid escape"},
        {STR_INIT("[\"ab\\x\"]"), "x.json:1:5: no valid JSON: not a valid escape"},
        {STR_INIT("[\"a\0b\"]"),
         "x.json:1:4: no valid JSON: a control character in a text, which must be escaped"},
        {STR_INIT("[\0]"), "x.json:1:2: no valid JSON: not a valid value"},
        {STR_INIT("{\"a\\u0000\":1}"), "x.json:1:2: no valid JSON: a NUL in a key"},
        {STR_INIT("{'a':1}"), "x.json:1:2: no valid JSON: a key in double quotes is missing"},
        {STR_INIT("[NaN]"), "x.json:1:2: no valid JSON: not a valid value"},
        {STR_INIT("[\"a]"), "x.json:1:5: no valid JSON: the text ends too early"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(doc_clear) struct doc doc = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf faults = {0};

        assert_int_equal(json_parse(&doc, cases[i].text, 1000, "x.json", &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_null(doc.root);
        if (strcmp(faults_text(&faults, &e), cases[i].fault) != 0)
            fail_msg("case %zu: %s", i, faults.p);
    }
}

static void every_value_knows_its_place(void **state)
{
    static const struct {
        const char *key;
        unsigned key_line, key_col, line, col;
    } cases[] = {
        {"a", 1, 2, 1, 7}, {"\xc3\xa9", 2, 2, 2, 7}, {"list", 3, 2, 4, 1}, {"z", 6, 1, 6, 5}};
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err e = {0};
    const struct node *list;

    assert_int_equal(json_parse(&doc,
                                STR("{\"a\": 1,\n \"\xc3\xa9\" :true,\n \"list\":\n[\n"
                                    "\t\"\xe2\x82\xac\", null],\n\"z\":\"\"}"),
                                1000, "x.json", &e),
                     0);
    assert_true(doc.root->pos.line == 1 && doc.root->pos.col == 1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct node *n = node_get(doc.root, cases[i].key);

        assert_non_null(n);
        assert_string_equal(n->pos.file, "x.json");
        if (n->key_pos.line != cases[i].key_line || n->key_pos.col != cases[i].key_col ||
            n->pos.line != cases[i].line || n->pos.col != cases[i].col)
            fail_msg("%s: %u:%u %u:%u", cases[i].key, n->key_pos.line, n->key_pos.col, n->pos.line,
                     n->pos.col);
    }
    list = node_get(doc.root, "list");
    assert_true(list->child->pos.line == 5 && list->child->pos.col == 2);
    assert_true(list->last->pos.line == 5 && list->last->pos.col == 7);
}

/* One key more than all others: found without comparing each with each. */
static void many_keys_are_read(void **state)
{
    CLEANUP(buf_clear) struct buf text = {0};

    buf_putc(&text, '{');
    for (unsigned i = 0; i < 200000; i++)
        buf_fmt(&text, "\"%u\":0,", i);
    for (unsigned twice = 0; twice < 2; twice++) {
        CLEANUP(doc_clear) struct doc doc = {0};
        CLEANUP(err_clear) struct err e = {0};
        size_t len = text.len;

        buf_puts(&text, twice ? "\"77\":0}" : "\"x\":0}");
        assert_int_equal(json_parse(&doc, buf_view(&text), 1 << 30, "x", &e), twice ? -1 : 0);
        if (twice)
            assert_string_equal(e.msg, "no valid JSON: the key \"77\" stands twice");
        text.len = len;
    }
}

static int parse_nested(unsigned levels, const char *inner, struct err *e)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(buf_clear) struct buf text = {0};

    for (unsigned i = 0; i < levels; i++)
        buf_puts(&text, i % 2 ? "{\"a\":" : "[");
    buf_puts(&text, inner);
    for (unsigned i = levels; i-- > 0;)
        buf_putc(&text, i % 2 ? '}' : ']');
    return json_parse(&doc, buf_view(&text), 1 << 20, "x.json", e);
}

static void depth_is_limited(void **state)
{
    CLEANUP(err_clear) struct err e = {0};

    assert_int_equal(parse_nested(63, "1", &e), 0);
    assert_int_equal(parse_nested(64, "1", &e), 0);
    assert_int_equal(parse_nested(65, "", &e), -1);
    assert_string_equal(e.msg, "no valid JSON: lists and maps are nested deeper than 64 levels");
    assert_int_equal(e.col, 193);
    err_clear(&e);
    assert_int_equal(parse_nested(66, "1", &e), -1);
    err_clear(&e);
    assert_int_equal(parse_nested(200000, "1", &e), -1); /* and no stack is used up */
}

static void size_is_limited(void **state)
{
    struct str text = STR("[1,2,3]");

    for (uint64_t limit = text.len - 1; limit <= text.len + 1; limit++) {
        CLEANUP(doc_clear) struct doc doc = {0};
        CLEANUP(err_clear) struct err e = {0};

        assert_int_equal(json_parse(&doc, text, limit, "x.json", &e), limit < text.len ? -1 : 0);
        if (limit < text.len)
            assert_string_equal(e.msg, "x.json is larger than 6 bytes, the most allowed here");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_written_the_same),
        cmocka_unit_test(what_is_no_json_is_refused),
        cmocka_unit_test(every_value_knows_its_place),
        cmocka_unit_test(many_keys_are_read),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(size_is_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
