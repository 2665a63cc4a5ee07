/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/fs.h"
#include "pkg/deb/debver.h"

static void versions_compare_as_dpkg_compares_them(void **state)
{
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(err_clear) struct err e = {0};
    unsigned n = 0;

    assert_int_equal(fs_read(&text, "tests/unit/data/debver.txt", 1 << 20, &e), 0);
    for (struct str rest = buf_view(&text), line, a, b, relation; str_line(&rest, &line);) {
        if (line.p[0] == '#')
            continue;
        assert_true(str_word(&line, &a) && str_word(&line, &relation) && str_word(&line, &b));
        int want = relation.p[0] == '<' ? -1 : relation.p[0] == '>';
        if (debver_cmp(a, b) != want || debver_cmp(b, a) != -want)
            fail_msg("dpkg says " STR_FMT " " STR_FMT " " STR_FMT, STR_ARG(a), STR_ARG(relation),
                     STR_ARG(b));
        assert_int_equal(debver_cmp(a, a), 0);
        n++;
    }
    assert_true(n > 300);
}

static void a_version_is_told_from_other_text(void **state)
{
    static const char *const good[] = {"1",        "1.0-1", "2:1.0-1", "1.0~rc1+b2",
                                       "1-2-3-4a", "0:1",   "1:1:2-3"};
    static const char *const bad[] = {"",       "a1",  "-1", "1.0-", ":1",  "x:1",
                                      "1 0",    "1_0", "1:", "1/2",  "1\n", "99999999999:1",
                                      "1.0-1:2"};

    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(debver_valid(str_of(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (debver_valid(str_of(bad[i])))
            fail_msg("\"%s\" is not a version", bad[i]);
}

static void relations_hold_or_not(void **state)
{
    static const struct {
        const char *have, *op, *want;
        bool holds;
    } cases[] = {
        {"1.0", "<<", "1.1", true},  {"1.0", "<<", "1.0", false}, {"1.0", "<=", "1.0", true},
        {"1.0", "=", "1.0-0", true}, {"1.0", "=", "1.1", false},  {"1.1", ">=", "1.0", true},
        {"1.0", ">=", "1.1", false}, {"1.0", ">>", "1.0", false}, {"1.1", ">>", "1.0", true},
        {"1.0", "<", "1.0", true}, /* the old form means "or equal" */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum debver_op op;
        assert_true(debver_op_parse(&op, str_of(cases[i].op)));
        assert_int_equal(debver_satisfies(str_of(cases[i].have), op, str_of(cases[i].want)),
                         cases[i].holds);
    }
    assert_true(debver_satisfies(STR(""), DEBVER_ANY, STR("")));
}

static void unknown_operators_are_refused(void **state)
{
    static const char *const bad[] = {"", "==", "=<", "!=", "<>", "><"};
    enum debver_op op = DEBVER_ANY;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(debver_op_parse(&op, str_of(bad[i])));
    assert_int_equal(op, DEBVER_ANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_compare_as_dpkg_compares_them),
        cmocka_unit_test(a_version_is_told_from_other_text),
        cmocka_unit_test(relations_hold_or_not),
        cmocka_unit_test(unknown_operators_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
