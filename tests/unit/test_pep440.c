/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "pkg/pypi/pep440.h"
#include "table.h"

#define DATA "tests/unit/data/pypi/"

static void versions_parse_and_print_as_packaging_does(void **state)
{
    CLEANUP(table_clear) struct table t;
    unsigned wrong = 0;

    for (table_open(&t, DATA "version.txt"); table_next(&t);) {
        CLEANUP(buf_clear) struct buf got = {0};
        struct pep440 v;

        if (!pep440_parse(&v, t.field[0])) {
            buf_puts(&got, "-");
        } else {
            pep440_print(&got, &v);
            buf_puts(&got, pep440_is_pre(&v) ? " pre" : " final");
        }
        if (!str_eq(buf_view(&got), t.field[1]) && ++wrong)
            print_error("line %u: \"" STR_FMT "\" gives %s\n", t.line, STR_ARG(t.field[0]), got.p);
    }
    assert_true(t.line > 300);
    assert_int_equal(wrong, 0);
}

static void versions_sort_as_packaging_does(void **state)
{
    CLEANUP(table_clear) struct table t;
    unsigned wrong = 0;

    for (table_open(&t, DATA "order.txt"); table_next(&t);) {
        struct pep440 a, b;
        int c;

        assert_true(pep440_parse(&a, t.field[0]) && pep440_parse(&b, t.field[2]));
        c = pep440_cmp(&a, &b);
        assert_true((c < 0) == (pep440_cmp(&b, &a) > 0));
        if (!str_is(t.field[1], c < 0 ? "<" : c > 0 ? ">" : "=") && ++wrong)
            print_error("line %u: " STR_FMT " %d " STR_FMT "\n", t.line, STR_ARG(t.field[0]), c,
                        STR_ARG(t.field[2]));
    }
    assert_true(t.line > 1000);
    assert_int_equal(wrong, 0);
}

static const char *judge(struct str set_text, struct str version)
{
    CLEANUP(specifiers_clear) struct specifiers set = {0};
    struct pep440 v;
    struct str bad;
    bool fits, pre;

    if (!specifiers_parse(&set, set_text, &bad))
        return "-";
    assert_true(pep440_parse(&v, version));
    fits = specifiers_match(&set, &v);
    pre = specifiers_want_pre(&set);
    return fits ? (pre ? "yes!" : "yes") : pre ? "no!" : "no";
}

static void specifiers_match_as_packaging_does(void **state)
{
    CLEANUP(table_clear) struct table t;
    unsigned wrong = 0;

    for (table_open(&t, DATA "specifier.txt"); table_next(&t);) {
        const char *got = judge(t.field[0], t.field[1]);

        if (!str_is(t.field[2], got) && ++wrong)
            print_error("line %u: \"" STR_FMT "\" on " STR_FMT " gives %s\n", t.line,
                        STR_ARG(t.field[0]), STR_ARG(t.field[1]), got);
    }
    assert_true(t.line > 2000);
    assert_int_equal(wrong, 0);
}

static void the_part_at_fault_is_named(void **state)
{
    static const char *const cases[][2] = {
        {">=1, 1.0 ,<2", "1.0"}, {"~=1", "~=1"}, {"==1.0,>=2.*", ">=2.*"}, {"=1", "=1"}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct specifiers set = {0};
        struct str bad = {0};

        assert_false(specifiers_parse(&set, str_of(cases[i][0]), &bad));
        assert_true(str_is(bad, cases[i][1]));
        assert_int_equal(set.n, 0);
    }
}

static void numbers_beyond_the_limits_are_refused(void **state)
{
    struct pep440 v;

    assert_true(pep440_parse(&v, STR("18446744073709551615")));
    assert_false(pep440_parse(&v, STR("18446744073709551616")));
    assert_false(pep440_parse(&v, STR("1.0.post18446744073709551616")));
    assert_true(pep440_parse(&v, STR("1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16")));
    assert_false(pep440_parse(&v, STR("1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_parse_and_print_as_packaging_does),
        cmocka_unit_test(versions_sort_as_packaging_does),
        cmocka_unit_test(specifiers_match_as_packaging_does),
        cmocka_unit_test(the_part_at_fault_is_named),
        cmocka_unit_test(numbers_beyond_the_limits_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
