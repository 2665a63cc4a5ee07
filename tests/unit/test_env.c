/* tests/unit/test_env.c - what `$NAME` in a recipe's `env` becomes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan/env.h"

static const char *const lines[] = {"PATH=/opt/venv/bin:/usr/bin", "A=1", "EMPTY=", "AB=2"};

static void env_make(struct strs *env)
{
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        vec_add(env, str_of(lines[i]));
}

static void names_become_values(void **state)
{
    static const char *const cases[][2] = {
        {"/opt/mine:$PATH", "/opt/mine:/opt/venv/bin:/usr/bin"},
        {"${A}B$AB", "1B2"}, /* the longest name is meant */
        {"$A$A-${EMPTY}-", "11--"},
        {"$$A $$$A", "$A $1"},
        {"no dollar", "no dollar"},
        {"5$ $5 $", "5$ $5 $"}, /* before what is no name it stays */
        {"", ""},
    };
    struct strs env = {0};

    env_make(&env);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf out = {0};
        struct err e = {0};

        if (env_expand(&out, str_of(cases[i][0]), &env, &e) < 0)
            fail_msg("%s: %s", cases[i][0], e.msg);
        assert_true(str_is(buf_view(&out), cases[i][1]));
    }
    vec_clear(&env);
}

static void what_is_no_variable_is_refused(void **state)
{
    static const char *const cases[][2] = {
        {"$B", "the image has no variable \"$B\"; it has PATH, A, EMPTY, AB; write \"$$\" "
               "for a dollar"},
        {"${A", "\"${A\" has a \"${\" that is not \"${NAME}\"; write \"$$\" for a dollar"},
        {"${}", "\"${}\" has a \"${\" that is not \"${NAME}\"; write \"$$\" for a dollar"},
        {"${A:-x}", "\"${A:-x}\" has a \"${\" that is not \"${NAME}\"; write \"$$\" for a dollar"},
    };
    struct strs env = {0};

    env_make(&env);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf out = {0};
        struct err e = {0};

        assert_int_equal(env_expand(&out, str_of(cases[i][0]), &env, &e), -1);
        assert_string_equal(e.msg, cases[i][1]);
        err_clear(&e);
    }
    vec_clear(&env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_become_values),
        cmocka_unit_test(what_is_no_variable_is_refused),
    };

    return cmocka_run_group_tests_name("env", tests, NULL, NULL);
}
