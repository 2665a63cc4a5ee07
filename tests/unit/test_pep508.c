/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "pkg/pypi/pep508.h"
#include "table.h"

#define DATA "tests/unit/data/pypi/"

static const struct marker_env env = {STR_INIT("3.11.2"), STR_INIT("x86_64")};

/* name TAB extras TAB specifiers TAB url */
static void describe(struct buf *out, const struct requirement *r)
{
    CLEANUP(buf_clear) struct buf specs = {0};
    struct strs sorted = {0};
    struct str rest, part;

    buf_fmt(out, STR_FMT "\t", STR_ARG(r->name));
    for (size_t i = 0; i < r->extras.n; i++)
        buf_fmt(out, "%s" STR_FMT, i ? "," : "", STR_ARG(r->extras.v[i]));
    specifiers_print(&specs, &r->specifiers);
    for (rest = buf_view(&specs); str_item(&rest, ',', &part);)
        vec_add(&sorted, part);
    vec_sort(&sorted, str_compare);
    for (size_t i = 0; i < sorted.n; i++)
        buf_fmt(out, "%s" STR_FMT, i ? "," : "\t", STR_ARG(sorted.v[i]));
    buf_fmt(out, "%s" STR_FMT, sorted.n ? "\t" : "\t\t", STR_ARG(r->url));
    vec_clear(&sorted);
}

static void requirements_read_as_packaging_does(void **state)
{
    CLEANUP(table_clear) struct table t;
    unsigned wrong = 0;

    for (table_open(&t, DATA "requirement.txt"); table_next(&t);) {
        CLEANUP(arena_clear) struct arena a = {0};
        CLEANUP(requirement_clear) struct requirement r = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf got = {0}, want = {0};

        for (size_t i = 1; i < t.n; i++)
            buf_fmt(&want, "%s" STR_FMT, i > 1 ? "\t" : "", STR_ARG(t.field[i]));
        if (requirement_parse(&r, &a, t.field[0], &e) < 0)
            buf_puts(&got, "-");
        else
            describe(&got, &r);
        if (!str_eq(buf_view(&got), buf_view(&want)) && ++wrong)
            print_error("line %u: \"" STR_FMT "\" gives %s (%s)\n", t.line, STR_ARG(t.field[0]),
                        got.p, e.msg ? e.msg : "no error");
    }
    assert_true(t.line > 60);
    assert_int_equal(wrong, 0);
}

static const char *judge(struct str marker, struct str extra)
{
    CLEANUP(arena_clear) struct arena a = {0};
    CLEANUP(requirement_clear) struct requirement r = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    bool yes;

    buf_fmt(&text, "x; " STR_FMT, STR_ARG(marker));
    if (requirement_parse(&r, &a, buf_view(&text), &e) < 0)
        return "-";
    if (marker_eval(r.marker, &env, extra, &yes, &e) < 0)
        return "!";
    return yes ? "yes" : "no";
}

static void markers_evaluate_as_packaging_does(void **state)
{
    CLEANUP(table_clear) struct table t;
    unsigned wrong = 0;

    for (table_open(&t, DATA "marker.txt"); table_next(&t);) {
        const char *got = judge(t.field[0], t.field[1]);

        if (!str_is(t.field[2], got) && ++wrong)
            print_error("line %u: \"" STR_FMT "\" with extra \"" STR_FMT "\" gives %s\n", t.line,
                        STR_ARG(t.field[0]), STR_ARG(t.field[1]), got);
    }
    assert_true(t.line > 1000);
    assert_int_equal(wrong, 0);
}

static void names_are_normalised(void **state)
{
    static const char *const cases[][2] = {
        {"Foo.Bar_baz", "foo-bar-baz"}, {"a--_.b", "a-b"}, {"PyYAML", "pyyaml"}, {"x", "x"}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf b = {0};

        pep503_normalise(&b, str_of(cases[i][0]));
        assert_string_equal(b.p, cases[i][1]);
    }
}

static void what_prints_parses_back(void **state)
{
    static const char *const cases[][2] = {
        {"Foo[b,a] (>=1 , <2) ; python_version<'3' and(os_name=='a'or extra == 'X_y')",
         "Foo[a,b]>=1,<2; python_version < \"3\" and (os_name == \"a\" or extra == \"x-y\")"},
        {"foo @ https://x.org/f.whl ; 'a\"b' not  in os.name",
         "foo @ https://x.org/f.whl ; 'a\"b' not in os_name"},
        {"foo", "foo"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_clear) struct arena a = {0};
        CLEANUP(requirement_clear) struct requirement r = {0}, again = {0};
        CLEANUP(buf_clear) struct buf b = {0}, c = {0};
        struct err e = {0};

        assert_int_equal(requirement_parse(&r, &a, str_of(cases[i][0]), &e), 0);
        requirement_print(&b, &r, true);
        assert_string_equal(b.p, cases[i][1]);
        assert_int_equal(requirement_parse(&again, &a, buf_view(&b), &e), 0);
        requirement_print(&c, &again, true);
        assert_string_equal(c.p, b.p);
    }
}

static void faults_say_what_and_where(void **state)
{
    static const char *const cases[][2] = {
        {"foo[a", "requirement \"foo[a\": extras without \"]\" at byte 5"},
        {"foo ~=1", "requirement \"foo ~=1\": \"~=1\" is not a version specifier (such as >=1.0, "
                    "==2.4.* or ~=3.1)"},
        {"foo; python == '3'",
         "requirement \"foo; python == '3'\": not a marker variable or quoted string at byte 5"},
        {"", "requirement \"\": no name at byte 0"},
        {"foo @ https://x.test/\x1b[2J", "a requirement with a control character in it"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_clear) struct arena a = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct requirement r = {0};

        assert_int_equal(requirement_parse(&r, &a, str_of(cases[i][0]), &e), -1);
        assert_string_equal(e.msg, cases[i][1]);
        assert_int_equal(e.kind, ERR_INPUT);
    }
}

/* Parentheses are read by recursion, so their depth has a limit. */
static int parse_nested(unsigned depth)
{
    CLEANUP(arena_clear) struct arena a = {0};
    CLEANUP(requirement_clear) struct requirement r = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf b = {0};

    buf_puts(&b, "x; ");
    for (unsigned i = 0; i < depth; i++)
        buf_puts(&b, "(");
    buf_puts(&b, "os_name == 'a'");
    for (unsigned i = 0; i < depth; i++)
        buf_puts(&b, ")");
    return requirement_parse(&r, &a, buf_view(&b), &e);
}

static void nesting_has_a_limit(void **state)
{
    assert_int_equal(parse_nested(100), 0);
    assert_int_equal(parse_nested(101), -1);
    assert_int_equal(parse_nested(100000), -1);
}

/* PEP 751 and what uv and Poetry write. */
static void markers_ask_what_was_chosen(void **state)
{
    static const struct {
        const char *marker;
        int holds; /* -1: it cannot be evaluated */
    } cases[] = {
        {"extra == 'Gpu_1'", 1},
        {"extra == 'cpu'", 0},
        {"extra != 'cpu' and 'dev' != extra", 1},
        {"'gpu.1' in extras", 1},
        {"'cpu' not in extras", 1},
        {"'gpu-1' in dependency_groups", 0},
        {"'dev' in dependency_groups and python_version >= '3.11'", 1},
        {"extras == 'gpu-1'", -1},
        {"dependency_groups in 'dev'", -1},
    };
    struct str extras[] = {STR("gpu-1"), STR("x")}, groups[] = {STR("dev")};
    const struct strs chosen[] = {{extras, ARRAY_LEN(extras), 0}, {groups, ARRAY_LEN(groups), 0}};
    const struct marker_choice choice = {&chosen[0], &chosen[1]};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_clear) struct arena a = {0};
        CLEANUP(requirement_clear) struct requirement r = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct str text = str_of(arena_fmt(&a, "x; %s", cases[i].marker));
        bool holds;
        int got;

        assert_int_equal(requirement_parse(&r, &a, text, &e), 0);
        got = marker_eval_chosen(r.marker, &env, &choice, &holds, &e) < 0 ? -1 : holds;
        if (got != cases[i].holds)
            fail_msg("%s: %d", cases[i].marker, got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(markers_ask_what_was_chosen),
        cmocka_unit_test(requirements_read_as_packaging_does),
        cmocka_unit_test(markers_evaluate_as_packaging_does),
        cmocka_unit_test(names_are_normalised),
        cmocka_unit_test(what_prints_parses_back),
        cmocka_unit_test(faults_say_what_and_where),
        cmocka_unit_test(nesting_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
