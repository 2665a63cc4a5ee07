/* base/dotted.c: versions that are numbers between dots. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/dotted.h"

static void the_first_numbers_are_cut(void **state)
{
    static const struct {
        const char *version;
        unsigned n;
        const char *want;
    } cases[] = {
        {"12.4.1", 1, "12"},
        {"12.4.1", 2, "12.4"},
        {"12.4.1", 3, "12.4.1"},
        {"12.4.1", 4, "12.4.1"},
        {"8.7.0.84", 3, "8.7.0"},
        {"12", 2, "12"},
        {"", 2, ""},
        {"12.", 2, "12."},
        {"12.4.1", 0, ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_true(str_is(dotted_first(str_of(cases[i].version), cases[i].n), cases[i].want));
}

static void what_stands_in_front_is_taken(void **state)
{
    static const char *const cases[][2] = {
        {"2.6.0+cu124", "2.6.0"},
        {"2.6.0-1~deb12", "2.6.0"},
        {"2.36.", "2.36"},
        {"9.0a+PTX", "9.0"},
        {"12..3", "12"},
        {".5", ""},
        {"x1", ""},
        {"", ""},
        {"12.4", "12.4"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_true(str_is(dotted_prefix(str_of(cases[i][0])), cases[i][1]));
}

static void numbers_are_counted_and_bounded(void **state)
{
    static const struct {
        const char *version;
        unsigned count;
        uint32_t numbers[3];
    } cases[] = {
        {"12.4.1", 3, {12, 4, 1}},
        {"550.54", 2, {550, 54, 0}},
        {"3", 1, {3, 0, 0}},
        {"007.01", 2, {7, 1, 0}},
        {"4294967295.0", 2, {UINT32_MAX, 0, 0}},
    };
    static const char *const bad[] = {"",        ".",     "1.",   ".1",   "1..2",
                                      "1.2.3.4", "1.2rc", "1. 2", "-1.2", "4294967296.0"};
    uint32_t numbers[3];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(dotted_numbers(numbers, 3, str_of(cases[i].version)), cases[i].count);
        assert_memory_equal(numbers, cases[i].numbers, sizeof numbers);
        assert_true(dotted_is(str_of(cases[i].version), cases[i].count, 3));
        assert_false(dotted_is(str_of(cases[i].version), cases[i].count + 1, 4));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(dotted_numbers(numbers, 3, str_of(bad[i])), 0);
        assert_false(dotted_is(str_of(bad[i]), 0, 3));
    }
}

static void numbers_compare_as_numbers(void **state)
{
    static const struct {
        const char *a, *b;
        int order;
    } cases[] = {
        {"535.247.01", "550.54.14", -1},
        {"9.1", "10.0", -1},
        {"12.4", "12.4.0", 0},
        {"12.4.1", "12.4", 1},
        {"", "", 0},
        {"", "1", -1},
        {"12.04", "12.4", 0},
        {"12.x", "12.0", 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(dotted_compare(str_of(cases[i].a), str_of(cases[i].b)), cases[i].order);
        assert_int_equal(dotted_compare(str_of(cases[i].b), str_of(cases[i].a)), -cases[i].order);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_numbers_are_cut),
        cmocka_unit_test(what_stands_in_front_is_taken),
        cmocka_unit_test(numbers_are_counted_and_bounded),
        cmocka_unit_test(numbers_compare_as_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
