/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "doc/emit.h"
#include "doc/toml.h"
#include "faults.h"

static void what_is_read(void **state)
{
    static const struct {
        const char *toml, *json;
    } cases[] = {
        {"", "{}"},
        {"\xef\xbb\xbf# a comment\r\n", "{}"}, /* a byte order mark */
        {"a = [1_000, +7, -7, 0, 0xdead_BEEF, 0o17, 0b101]",
         "{\"a\":[1000,7,-7,0,3735928559,15,5]}"}, /* as JSON writes them */
        {"a = [1.50, -0.0, 6e23, 1_0.2_5E+07, 1e-1]", "{\"a\":[1.50,-0.0,6e23,10.25e07,1e-1]}"},
        {"a = 9223372036854775807\nb = -9223372036854775808",
         "{\"a\":9223372036854775807,\"b\":-9223372036854775808}"},
        {"a = [inf, -inf, +nan]", "{\"a\":[\"inf\",\"-inf\",\"nan\"]}"},
        {"a = [true, false]", "{\"a\":[true,false]}"},
        {"a = [1979-05-27, 07:32:00.5, 1979-05-27 07:32:00, 1979-05-27t07:32:00z,"
         "1979-05-27T07:32:00-07:00]",
         "{\"a\":[\"1979-05-27\",\"07:32:00.5\",\"1979-05-27 07:32:00\",\"1979-05-27t07:32:00z\","
         "\"1979-05-27T07:32:00-07:00\"]}"},
        {"a = \"\\t\\u00e9\\U0001F600\\\"\" # \\", "{\"a\":\"\\t\xc3\xa9\xf0\x9f\x98\x80\\\"\"}"},
        {"a = 'C:\\x\\'", "{\"a\":\"C:\\\\x\\\\\"}"},
        {"a = \"\"\"\r\nx\r\n  y\\  \n\n   z\"\"\"\"\"\n", "{\"a\":\"x\\n  yz\\\"\\\"\"}"},
        {"a = '''\n'x\\'''''", "{\"a\":\"'x\\\\''\"}"},
        {"a = \"\"", "{\"a\":\"\"}"},
        {"a.\"b c\" . 'd' = 1\na.e = 2\n3.14 = 3\n\"\" = 4",
         "{\"a\":{\"b c\":{\"d\":1},\"e\":2},\"3\":{\"14\":3},\"\":4}"},
        {"[a.b]\nc = 1\n[ a ]\nd = 2\n[a.b.e]\n", "{\"a\":{\"b\":{\"c\":1,\"e\":{}},\"d\":2}}"},
        {"[[a]]\nb = 1\n[a.c]\nd = 2\n[[a]]\n[[a.e]]\n[[a.e]]\nf = 3",
         "{\"a\":[{\"b\":1,\"c\":{\"d\":2}},{\"e\":[{},{\"f\":3}]}]}"},
        {"a = {b = 1, c.d = [ {e = 2}, # comment\n {} ,\n], f = {}}",
         "{\"a\":{\"b\":1,\"c\":{\"d\":[{\"e\":2},{}]},\"f\":{}}}"},
        {"[a]\nb.c = 1\n[a.b.d]\ne = 2\n", "{\"a\":{\"b\":{\"c\":1,\"d\":{\"e\":2}}}}"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(doc_clear) struct doc doc = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf out = {0}, faults = {0};

        if (toml_parse(&doc, str_of(cases[i].toml), "x.toml", &e) < 0)
            fail_msg("%s: %s", cases[i].toml, faults_text(&faults, &e));
        emit_json(&out, doc.root, EMIT_COMPACT);
        assert_string_equal(out.p, cases[i].json);
    }
}

static void only_text_in_quotes_is_quoted(void **state)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err e = {0};

    assert_int_equal(
        toml_parse(&doc, STR("a = '1979-05-27'\nb = 1979-05-27\nc = inf\n"), "x.toml", &e), 0);
    assert_true(node_get(doc.root, "a")->quoted);
    assert_false(node_get(doc.root, "b")->quoted);
    assert_false(node_get(doc.root, "c")->quoted);
}

static void places_are_told(void **state)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err e = {0};
    const struct node *list, *x;

    assert_int_equal(toml_parse(&doc,
                                STR("a = 'x'\n\n[[list]]\n  \"\xc3\xa9\" = {k = 1}\n[[list]]\n"
                                    "  s = '''\n\n''' # x\n  t = 2\n"),
                                "x.toml", &e),
                     0);
    list = node_get(doc.root, "list");
    assert_int_equal(list->key_pos.line, 3);
    assert_int_equal(list->key_pos.col, 3);
    assert_int_equal(list->child->pos.line, 3);
    x = list->child->child;
    assert_int_equal(x->key_pos.col, 3);
    assert_int_equal(x->pos.col, 9); /* in characters */
    assert_int_equal(x->child->pos.col, 14);
    assert_int_equal(list->last->key_pos.line, 0); /* an item has no key */
    assert_int_equal(list->last->pos.line, 5);
    assert_int_equal(node_get(list->last, "t")->pos.line, 9);
    assert_string_equal(list->pos.file, "x.toml");
}

static void what_is_refused_has_its_place(void **state)
{
    static const struct {
        struct str toml;
        const char *fault;
    } cases[] = {
        {STR_INIT("a = 1\nb = 2\na = 3\n"),
         "x.toml:3:1: key \"a\" stands here twice; the first is on line 1"},
        {STR_INIT("[a]\n[b]\n[a]\n"),
         "x.toml:3:2: key \"a\" stands here twice; the first is on line 1"},
        {STR_INIT("a.b = 1\n[a]\n"),
         "x.toml:2:2: key \"a\" stands here twice; the first is on line 1"},
        {STR_INIT("[[a]]\n[a]\n"),
         "x.toml:2:2: key \"a\" stands here twice; the first is on line 1"},
        {STR_INIT("a = []\n[[a]]\n"),
         "x.toml:2:3: key \"a\" stands here twice; the first is on line 1"},
        {STR_INIT("a = {b = 1}\n[a.c]\n"),
         "x.toml:2:2: \"a\" has its value on line 1, and no table goes into it"},
        {STR_INIT("a = {b = 1}\na.c = 2\n"),
         "x.toml:2:1: \"a\" is there since line 1, and no dotted key adds to it"},
        {STR_INIT("[a.b.c]\n[a]\nb.d = 1\n"),
         "x.toml:3:1: \"b\" is there since line 1, and no dotted key adds to it"},
        {STR_INIT("a = {b = 1, b = 2}"),
         "x.toml:1:13: key \"b\" stands here twice; the first is on line 1"},
        {STR_INIT("a = 1 b = 2"), "x.toml:1:7: a new line must begin behind the value"},
        {STR_INIT("[a] b = 2"), "x.toml:1:5: a new line must begin behind the name of a table"},
        {STR_INIT("a = text"), "x.toml:1:5: \"text\" is no value; text stands in quotes"},
        {STR_INIT("a = 007"), "x.toml:1:5: \"007\" is no value; text stands in quotes"},
        {STR_INIT("a = 9223372036854775808"),
         "x.toml:1:5: \"9223372036854775808\" is no value; text stands in quotes"},
        {STR_INIT("a = 0x8000000000000000"),
         "x.toml:1:5: \"0x8000000000000000\" is no value; text stands in quotes"},
        {STR_INIT("a = 1__0"), "x.toml:1:5: \"1__0\" is no value; text stands in quotes"},
        {STR_INIT("a = 1."), "x.toml:1:5: \"1.\" is no value; text stands in quotes"},
        {STR_INIT("a = 2025-02-29"),
         "x.toml:1:5: \"2025-02-29\" is no date or time, as 1979-05-27, 07:32:00 or "
         "1979-05-27T07:32:00Z are"},
        {STR_INIT("a = 24:00:00"),
         "x.toml:1:5: \"24:00:00\" is no date or time, as 1979-05-27, 07:32:00 or "
         "1979-05-27T07:32:00Z are"},
        {STR_INIT("a ="), "x.toml:1:4: a value is missing here"},
        {STR_INIT("a"), "x.toml:1:2: \"=\" is missing behind the key"},
        {STR_INIT("= 1"), "x.toml:1:1: a key is missing here: letters, digits, \"_\" and \"-\", or "
                          "text in quotes"},
        {STR_INIT("[a\n"), "x.toml:1:3: \"]\" is missing behind the name"},
        {STR_INIT("[[a]\n"), "x.toml:1:4: \"]]\" is missing behind the name"},
        {STR_INIT("a = [1 2]"), "x.toml:1:8: neither \",\" nor \"]\" stands behind the item"},
        {STR_INIT("a = [1,\n"), "x.toml:1:5: a list begins here and never ends"},
        {STR_INIT("a = {b = 1,}"), "x.toml:1:12: a key is missing here: letters, digits, \"_\" and "
                                   "\"-\", or text in quotes"},
        {STR_INIT("a = {b = 1\n}"), "x.toml:1:11: neither \",\" nor \"}\" stands behind the value"},
        {STR_INIT("a = \"x\nb = 1"), "x.toml:1:5: a quote opens here and is never closed; text of "
                                     "several lines stands between three quotes"},
        {STR_INIT("a = '''x''"), "x.toml:1:5: a quote opens here and is never closed"},
        {STR_INIT("a = \"\\x41\""),
         "x.toml:1:6: \"\\\" stands before b, t, n, f, r, u, U, a quote or another \"\\\"; text in "
         "single quotes has no escapes"},
        {STR_INIT("a = \"\\u12\""),
         "x.toml:1:6: an escape of 4 hex digits begins here and has fewer"},
        {STR_INIT("a = \"\\ud800\""), "x.toml:1:6: U+D800 is no character"},
        {STR_INIT("a = \"x\0y\""),
         "x.toml:1:7: a control character (0x00), which no TOML text has"},
        {STR_INIT("# \x1b[0m"), "x.toml:1:3: a control character (0x1b), which no TOML text has"},
        {STR_INIT("a = 1\r# x"), "x.toml:1:6: a new line must begin behind the value"},
        {STR_INIT("a = 1\nb = '\xff'"), "x.toml:2:6: not UTF-8 text"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(doc_clear) struct doc doc = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf faults = {0};

        assert_int_equal(toml_parse(&doc, cases[i].toml, "x.toml", &e), -1);
        assert_null(doc.root);
        assert_string_equal(faults_text(&faults, &e), cases[i].fault);
    }
}

/* Each with what it is that has no end. */
static void a_document_has_bounds(void **state)
{
    static const struct {
        const char *head, *more, *fault;
        size_t times;
    } cases[] = {
        {"a = ", "[", "x.toml:1:68: nested deeper than 64 levels", 100},
        {"a = ", "{b=", "x.toml:1:194: nested deeper than 64 levels", 100},
        {"a", ".a", "x.toml:1:127: nested deeper than 64 levels", 100},
        {"a = [", "1,", "x.toml:1:2097154: more than 1048576 values", 1 << 20},
        {"#", "################", "x.toml: larger than 16 MiB, the most allowed", 1 << 20},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(doc_clear) struct doc doc = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf text = {0}, faults = {0};

        buf_puts(&text, cases[i].head);
        for (size_t n = 0; n < cases[i].times; n++)
            buf_puts(&text, cases[i].more);
        assert_int_equal(toml_parse(&doc, buf_view(&text), "x.toml", &e), -1);
        assert_string_equal(faults_text(&faults, &e), cases[i].fault);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read),          cmocka_unit_test(only_text_in_quotes_is_quoted),
        cmocka_unit_test(places_are_told),       cmocka_unit_test(what_is_refused_has_its_place),
        cmocka_unit_test(a_document_has_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
