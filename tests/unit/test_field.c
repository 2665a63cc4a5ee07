/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/digest.h"
#include "doc/field.h"
#include "doc/yaml.h"
#include "faults.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void parse(struct doc *doc, const char *yaml)
{
    CLEANUP(err_clear) struct err e = {0};

    if (yaml_parse(doc, str_of(yaml), "x.yaml", &e) < 0)
        fail_msg("%s", e.msg);
}

static void members_are_read_as_asked(void **state)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct fields f;
    struct str text;
    uint64_t number;
    bool yes = false;
    struct digest digest = {0};

    parse(&doc,
          "text: 1.10\nnumber: 42\nyes: true\nmap: {a: b}\nlist: [a]\nhash: sha256:" HEX "\n");
    f = fields_of(doc.root, "test", &e);
    assert_true(field_str(&f, "text", &text));
    assert_true(str_is(text, "1.10"));
    assert_true(field_u64(&f, "number", &number, 42));
    assert_int_equal(number, 42);
    assert_true(field_bool(&f, "yes", &yes));
    assert_true(yes);
    assert_non_null(field_need_map(&f, "map"));
    assert_non_null(field_need_list(&f, "list"));
    assert_true(field_digest(&f, "hash", &digest));
    assert_true(digest_is_set(&digest));
    assert_false(err_is_set(&e));
}

static void a_missing_member_leaves_the_value_alone(void **state)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct str text = STR("default");
    uint64_t number = 7;
    bool yes = true;
    struct fields f, none = {NULL, "test", &e};

    parse(&doc, "a: 1\n");
    f = fields_of(doc.root, "test", &e);
    assert_false(field_str(&f, "x", &text));
    assert_false(field_u64(&f, "x", &number, 9));
    assert_false(field_bool(&f, "x", &yes));
    assert_null(field_map(&f, "x"));
    assert_null(field_list(&f, "x"));
    assert_false(field_need_str(&none, "x", &text)); /* no map: that was told already */
    assert_true(str_is(text, "default") && number == 7 && yes);
    assert_false(err_is_set(&e));
}

static void every_fault_is_told(void **state)
{
    static const char *const known[] = {"text", "number", "yes", "map", "list", "hash", NULL};
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf faults = {0};
    struct fields f;
    struct str text;
    uint64_t number = 7;
    bool yes;
    struct digest digest;

    parse(&doc, "text: [x]\nnumber: 43\nyes: on\nmap: x\nlist: {}\nhash: sha256:00\nnumbr: 1\n"
                "something: 2\n");
    f = fields_of(doc.root, "test", &e);
    fields_only(&f, known);
    assert_false(field_str(&f, "text", &text));
    assert_false(field_u64(&f, "number", &number, 42));
    assert_int_equal(number, 7);
    assert_false(field_u64(&f, "yes", &number, 42));
    assert_false(field_u64(&f, "list", &number, 42));
    assert_false(field_bool(&f, "yes", &yes));
    assert_null(field_map(&f, "map"));
    assert_null(field_list(&f, "list"));
    assert_false(field_digest(&f, "hash", &digest));
    assert_false(field_need_str(&f, "missing", &text));
    assert_false(field_need_u64(&f, "missing", &number, 1));
    assert_null(field_need_map(&f, "missing"));
    assert_null(field_need_list(&f, "missing"));
    assert_string_equal(
        faults_text(&faults, &e),
        "x.yaml:7:1: unknown key \"numbr\" (did you mean \"number\"?)\n"
        "x.yaml:8:1: unknown key \"something\"; known keys: text number yes map list hash\n"
        "x.yaml:1:7: text: text is wanted here, not a list\n"
        "x.yaml:2:9: number: 43 is more than 42, the most allowed\n"
        "x.yaml:3:6: yes: a whole number is wanted here, not \"on\"\n"
        "x.yaml:5:7: list: a whole number is wanted here, not a map\n"
        "x.yaml:3:6: yes: true or false is wanted here, not text\n"
        "x.yaml:4:6: map: a map is wanted here, not text\n"
        "x.yaml:5:7: list: a list is wanted here, not a map\n"
        "x.yaml:6:7: hash: \"sha256:\" and 64 hex digits are wanted here\n"
        "x.yaml:1:1: test: \"missing\" is missing\n"
        "x.yaml:1:1: test: \"missing\" is missing\n"
        "x.yaml:1:1: test: \"missing\" is missing\n"
        "x.yaml:1:1: test: \"missing\" is missing");
}

static void whole_numbers_are_digits(void **state)
{
    static const char *const cases[] = {"-1",   "1.0",   "1e3", "0x10", "18446744073709551616",
                                        "\"\"", "\" 1\""};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(doc_clear) struct doc doc = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf yaml = {0};
        struct fields f;
        uint64_t number;

        buf_fmt(&yaml, "n: %s\n", cases[i]);
        parse(&doc, yaml.p);
        f = fields_of(doc.root, "test", &e);
        assert_false(field_u64(&f, "n", &number, UINT64_MAX));
        assert_true(err_is_set(&e));
    }
}

static void another_thing_than_a_map_is_a_fault(void **state)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf faults = {0};
    struct fields f;
    struct str text;

    parse(&doc, "[a]\n");
    f = fields_of(doc.root, "recipe", &e);
    assert_false(field_need_str(&f, "a", &text)); /* one fault is enough */
    assert_string_equal(faults_text(&faults, &e),
                        "x.yaml:1:1: recipe: a map of keys and values is wanted here, not a list");
}

static void the_nearest_word_is_suggested(void **state)
{
    static const char *const known[] = {"runtime", "compile", "devel", NULL};
    static const char *const cases[][2] = {
        {"runtim", " (did you mean \"runtime\"?)"},
        {"rutnime", " (did you mean \"runtime\"?)"}, /* two edits */
        {"compiler", " (did you mean \"compile\"?)"},
        {"dev", " (did you mean \"devel\"?)"},
        {"de", ""}, /* three */
        {"banana", ""},
        {"", ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf out = {0};

        fields_suggest(&out, str_of(cases[i][0]), known);
        assert_string_equal(out.p ? out.p : "", cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_read_as_asked),
        cmocka_unit_test(a_missing_member_leaves_the_value_alone),
        cmocka_unit_test(every_fault_is_told),
        cmocka_unit_test(whole_numbers_are_digits),
        cmocka_unit_test(another_thing_than_a_map_is_a_fault),
        cmocka_unit_test(the_nearest_word_is_suggested),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
