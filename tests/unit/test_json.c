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
         "[0.1,1.1,0.0025,1000.0,0.30000000000000004]"}, /* shortest that reads back */
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
        const char *fault; /* how it begins; jansson's own words follow */
    } cases[] = {
        {STR_INIT(""), "x.json:1:1: no valid JSON: "},
        {STR_INIT("{\"a\":1,\n \"a\":2}"), "x.json:2:4: no valid JSON: duplicate object key"},
        {STR_INIT("{\"a\":1,}"), "x.json:1:8: no valid JSON: "},
        {STR_INIT("[1] x"), "x.json:1:5: no valid JSON: end of file expected"},
        {STR_INIT("\"scalar\""), "x.json:1:8: no valid JSON: '[' or '{' expected"},
        {STR_INIT("[007]"), "x.json:1:2: no valid JSON: "},
        {STR_INIT("[1.]"), "x.json:1:3: no valid JSON: "},
        {STR_INIT("[99999999999999999999]"), "x.json:1:21: no valid JSON: too big integer"},
        {STR_INIT("[1e999]"), "x.json:1:6: no valid JSON: real number overflow"},
        {STR_INIT("[\"\xff\"]"), "x.json:1:2: no valid JSON: unable to decode byte 0xff"},
        {STR_INIT("[\"\\ud800\"]"), "x.json:1:9: no valid JSON: invalid Unicode"},
        {STR_INIT("[\"a\0b\"]"), "x.json:1:3: no valid JSON: "},
        {STR_INIT("{\"a\\u0000\":1}"), "x.json:1:10: no valid JSON: NUL byte in object key"},
        {STR_INIT("{'a':1}"), "x.json:1:2: no valid JSON: "},
        {STR_INIT("[NaN]"), "x.json:1:4: no valid JSON: "},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(doc_clear) struct doc doc = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf faults = {0};

        assert_int_equal(json_parse(&doc, cases[i].text, 1000, "x.json", &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_null(doc.root);
        if (!str_starts(str_of(faults_text(&faults, &e)), str_of(cases[i].fault)))
            fail_msg("case %zu: %s", i, faults.p);
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
    assert_string_equal(e.msg, "nested deeper than 64 levels");
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
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(size_is_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
