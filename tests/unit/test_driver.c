/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/driver.h"

static void drivers_as_machines_write_them(void **state)
{
    static const struct {
        const char *text, *version, *arch; /* version: NULL when it is none */
    } cases[] = {
        {"550.54.15", "550.54.15", ""},
        {" 550.54.15\n", "550.54.15", ""},
        {"551.61", "551.61", ""},
        {"550", "550", ""},
        {"550.54.15-0ubuntu1", "550.54.15", ""},
        {"550.163.01-1~bpo12+1", "550.163.01", ""},
        {"3:550.54.15-1.el9", "550.54.15", ""},
        {"575.57.08-open", "575.57.08", ""},
        {"Driver Version: 550.54.15", "550.54.15", ""},
        {"NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.161.08  Mon Mar 4", "535.161.08",
         "amd64"},
        {"NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  580.95.05  Release Build",
         "580.95.05", "arm64"},
        {"R550", NULL, NULL},
        {"latest", NULL, NULL},
        {"550.54.15x", NULL, NULL},
        {"32.0.15.6094", NULL, NULL}, /* Windows' own number of it */
        {"for aarch64", NULL, NULL},
        {"-550.54.15", NULL, NULL},
        {"x:550.54.15", NULL, NULL},
        {"", NULL, NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct driver d = {0};
        bool read = driver_read(&d, str_of(cases[i].text));

        if (read != (cases[i].version != NULL) ||
            (read && (!str_is(d.version, cases[i].version) || !str_is(d.arch, cases[i].arch))))
            fail_msg("%s: " STR_FMT " " STR_FMT, cases[i].text, STR_ARG(d.version),
                     STR_ARG(d.arch));
    }
}

static void what_is_no_driver_is_told(void **state)
{
    static const char *const cases[][2] = {
        {"latest", "\"latest\" is not a version such as 550.54.15"},
        {"R535", "\"R535\" is a branch, and its releases differ in what they run; name the whole "
                 "version, as nvidia-smi prints it"},
        {"Rx", "\"Rx\" is not a version such as 550.54.15"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf words = {0};

        driver_words(&words, str_of(cases[i][0]));
        assert_string_equal(words.p, cases[i][1]);
    }
}

static void branches(void **state)
{
    struct str branch = {0};

    assert_true(driver_branch(&branch, STR(" r580 ")) && str_is(branch, "580"));
    assert_true(driver_branch(&branch, STR("R550")) && str_is(branch, "550"));
    assert_false(driver_branch(&branch, STR("550")));
    assert_false(driver_branch(&branch, STR("R")));
    assert_false(driver_branch(&branch, STR("R550.54")));
}

static void processors_have_two_names(void **state)
{
    assert_true(str_is(driver_arch(STR("x86_64")), "amd64"));
    assert_true(str_is(driver_arch(STR("AArch64")), "arm64"));
    assert_true(str_is(driver_arch(STR("sbsa")), "arm64"));
    assert_int_equal(driver_arch(STR("riscv64")).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drivers_as_machines_write_them),
        cmocka_unit_test(what_is_no_driver_is_told),
        cmocka_unit_test(branches),
        cmocka_unit_test(processors_have_two_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
