/* tests/unit/test_rebuilt.c - what a wheel that is built again differs in. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "cmd/rebuilt.h"
#include "mkwheel.h"

static void wheels_have_lists_and_lists_differ(void **state)
{
    static const struct mkwheel_file wheels[][6] = {
        {{.path = "b.py", .text = "b"}, {.path = "a.py", .text = "a"}, {0}},
        {{.path = "a.py", .text = "a"}, {.path = "b.py", .text = "b"}, {0}},
        {{.path = "a.py", .text = "a"}, {.path = "b.py", .text = "c"}, {0}},
        {{.path = "a.py", .text = "1"},
         {.path = "b.py", .text = "2"},
         {.path = "c", .text = ""},
         {.path = "d", .text = ""},
         {0}},
        {{.path = "a.py", .text = "a"}, {0}},
    };
    static const struct {
        unsigned lock, now;
        const char *words;
    } cases[] = {
        {0, 1, ""},
        {0, 2, "b.py differs"},
        {0, 3, "only the new one has c, d; a.py, b.py differ"},
        {3, 4, "only the lock has b.py, c, d; a.py differs"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_clear) struct arena arena = {0};
        CLEANUP(buf_clear) struct buf words = {0};
        struct strs lists[2];

        for (int k = 0; k < 2; k++) {
            CLEANUP(zip_clear) struct zip zip = {0};
            CLEANUP(err_clear) struct err e = {0};
            struct input in = {0};

            mkwheel(&in, "demo", "1.0", wheels[k ? cases[i].now : cases[i].lock]);
            assert_int_equal(zip_open(&zip, &in, &e), 0);
            lists[k] = rebuilt_list(&arena, &zip);
            fd_clear(&in.fd);
        }
        rebuilt_differ(&words, &lists[0], &lists[1]);
        if (!str_is(buf_view(&words), cases[i].words))
            fail_msg("%zu: %s", i, words.p);
    }
}

static void of_many_files_the_first_are_named(void **state)
{
    CLEANUP(buf_clear) struct buf words = {0};
    struct str lines[] = {STR("00000000 a"), STR("00000000 b"), STR("00000000 c"),
                          STR("00000000 d"), STR("00000000 e")};
    const struct strs some = {lines, 5, 5}, none = {0};

    rebuilt_differ(&words, &some, &none);
    assert_string_equal(words.p, "only the lock has a, b, c and 2 more");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wheels_have_lists_and_lists_differ),
        cmocka_unit_test(of_many_files_the_first_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
