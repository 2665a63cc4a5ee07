/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "pkg/pypi/wheeltag.h"
#include "table.h"

static void rank(struct buf *out, struct str file, const struct wheel_target *target)
{
    struct wheel_name name;
    unsigned n;

    if (!wheel_name_parse(&name, file)) {
        buf_puts(out, "-");
        return;
    }
    n = wheel_rank(&name, target);
    if (n == UINT_MAX)
        buf_puts(out, "none");
    else
        buf_fmt(out, "%u", n);
}

static void wheels_rank_as_packaging_orders_tags(void **state)
{
    CLEANUP(table_clear) struct table t;
    unsigned wrong = 0;

    for (table_open(&t, "tests/unit/data/pypi/wheel.txt"); table_next(&t);) {
        struct wheel_target target = {3, 0, 2, 0, STR("x86_64")};
        CLEANUP(buf_clear) struct buf got = {0};

        assert_true(str_u32(t.field[1], &target.python_minor));
        assert_true(str_u32(t.field[2], &target.glibc_minor));
        rank(&got, t.field[0], &target);
        if (!str_eq(buf_view(&got), t.field[3]) && ++wrong)
            print_error("line %u: " STR_FMT " gives %s\n", t.line, STR_ARG(t.field[0]), got.p);
    }
    assert_true(t.line > 500);
    assert_int_equal(wrong, 0);
}

static void parts_of_a_name(void **state)
{
    struct wheel_name w;

    assert_true(wheel_name_parse(&w, STR("torch-2.6.0+cu124-1a-cp311-cp311-linux_x86_64.whl")));
    assert_true(str_is(w.dist, "torch") && str_is(w.version, "2.6.0+cu124"));
    assert_true(str_is(w.build, "1a") && str_is(w.python, "cp311"));
    assert_true(str_is(w.abi, "cp311") && str_is(w.platform, "linux_x86_64"));
}

static void build_tags_order_by_number_then_text(void **state)
{
    static const char *const ordered[] = {"",   "0", "1",  "1a",
                                          "1b", "2", "10", "99999999999999999999999"};

    for (size_t i = 0; i < ARRAY_LEN(ordered); i++)
        for (size_t j = 0; j < ARRAY_LEN(ordered); j++) {
            int c = wheel_build_cmp(str_of(ordered[i]), str_of(ordered[j]));

            assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
        }
    assert_int_equal(wheel_build_cmp(STR("01"), STR("1")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wheels_rank_as_packaging_orders_tags),
        cmocka_unit_test(parts_of_a_name),
        cmocka_unit_test(build_tags_order_by_number_then_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
