/* oci/registries.c: which repository of which host a reference means. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "oci/registries.h"

static int find(void *ctx, struct registry_how *how, struct err *e)
{
    unsigned *asked = ctx;

    ++*asked;
    return 0;
}

static void a_reference_names_host_and_repository(void **state)
{
    static const char *const cases[][2] = {
        {"localhost:5000/team/x:1.0", "localhost:5000/team/x"},
        {"ghcr.io/o/n", "ghcr.io/o/n"},
        {"x", "docker.io/library/x"},
        {"o/x:2", "docker.io/o/x"},
        {"docker.io/x", "docker.io/library/x"},
        {"[::1]:5000/x", "[::1]:5000/x"},
        {"ghcr.io/x@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
         "ghcr.io/x"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(registries_clear) struct registries *all = NULL;
        struct registry *r = NULL, *again = NULL;
        struct err e = {0};
        unsigned asked = 0;

        registries_open(&all, find, &asked);
        assert_int_equal(registries_get(&r, all, str_of(cases[i][0]), &e), 0);
        assert_string_equal(registry_name(r), cases[i][1]);
        assert_int_equal(registries_get(&again, all, str_of(cases[i][1]), &e), 0);
        assert_ptr_equal(r, again);
        assert_int_equal(asked, 1);
    }
}

static void what_is_no_reference_is_refused(void **state)
{
    CLEANUP(registries_clear) struct registries *all = NULL;
    CLEANUP(err_clear) struct err e = {0};
    struct registry *r = NULL;
    unsigned asked = 0;

    registries_open(&all, find, &asked);
    assert_int_equal(registries_get(&r, all, STR("ghcr.io/UP"), &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_int_equal(asked, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reference_names_host_and_repository),
        cmocka_unit_test(what_is_no_reference_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
