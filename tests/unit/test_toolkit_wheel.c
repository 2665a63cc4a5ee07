/* SPDX-License-Identifier: Apache-2.0 */
#include "mkwheel.h"
#include "assemble/toolkit/toolkit_wheel.h"

static int read_wheel(struct toolkit_wheel *w, const struct mkwheel_file *files, const char *name,
                      struct err *e)
{
    struct input in;
    int result;

    mkwheel(&in, "nvidia_x", "1.0", files);
    result = toolkit_wheel_read(w, &in, str_of(name), STR("1.0"), e);
    fd_clear(&in.fd); /* the record stands for itself */
    return result;
}

static void files_below_nvidia_are_listed_with_their_digests(void **state)
{
    static const struct mkwheel_file files[] = {
        {"nvidia/cu13/lib/libx.so.13", "elf", NULL, 0},
        {"nvidia/__init__.py", "", NULL, 0},
        {"other/x.py", "x", NULL, 0},
        {"nvidia/cu13/bin/nvcc", "nvcc", NULL, 0},
        {"nvidia_x-1.0.data/data/nvidia/elsewhere", "x", NULL, 0},
        {NULL, NULL, NULL, 0},
    };
    static const char *const want[] = {"nvidia/__init__.py", "nvidia/cu13/bin/nvcc",
                                       "nvidia/cu13/lib/libx.so.13"};
    CLEANUP(toolkit_wheel_clear) struct toolkit_wheel w = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct digest digest;

    if (read_wheel(&w, files, "nvidia-x", &e) < 0)
        fail_msg("%s", e.msg);
    assert_int_equal(w.files.n, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_true(str_is(w.files.v[i].path, want[i]));
    hash_bytes(&digest, "nvcc", 4);
    assert_true(digest_eq(&digest, &w.files.v[1].digest));
    assert_int_equal(w.files.v[1].size, 4);
    assert_int_equal(w.newest, 1699920000); /* 2023-11-14 */
    assert_int_equal(w.headers.n, 0);
}

/* Those that declare what the driver's libraries have, right below an include folder. */
static void the_drivers_headers_are_read(void **state)
{
    static const struct mkwheel_file files[] = {
        {"nvidia/cu13/include/cuda.h", "CUresult cuInit(unsigned flags);", NULL, 0},
        {"nvidia/cu13/include/crt/cuda.h", "another", NULL, 0},
        {"nvidia/cu13/include/cuda_runtime.h", "another", NULL, 0},
        {"nvidia/cu13/nvml.h", "another", NULL, 0},
        {"nvidia/nvml_dev/include/nvml.h", "nvmlReturn_t nvmlInit_v2(void);", NULL, 0},
        {NULL, NULL, NULL, 0},
    };
    CLEANUP(toolkit_wheel_clear) struct toolkit_wheel w = {0};
    CLEANUP(err_clear) struct err e = {0};

    assert_int_equal(read_wheel(&w, files, "nvidia-x", &e), 0);
    assert_int_equal(w.headers.n, 2);
    assert_true(str_is(w.headers.v[0].name, "cuda.h"));
    assert_true(str_is(w.headers.v[0].text, "CUresult cuInit(unsigned flags);"));
    assert_true(str_is(w.headers.v[1].name, "nvml.h"));
}

/* RECORD may have other hashes than SHA-256: then no digest is equal to it. */
static void another_hash_is_equal_to_none(void **state)
{
    static const struct mkwheel_file files[] = {
        {"nvidia/a", "a",
         "sha512=H0D8ktokFpR1CXnubPWC8tXX0o4YM13gWrxU0FYOD1MChgxlK_CNVgJSql50IQVG82n7u84MEs_"
         "Hlzmscr6v9Q",
         0},
        {NULL, NULL, NULL, 0},
    };
    CLEANUP(toolkit_wheel_clear) struct toolkit_wheel w = {0};
    CLEANUP(err_clear) struct err e = {0};

    if (read_wheel(&w, files, "nvidia-x", &e) < 0)
        fail_msg("%s", e.msg);
    assert_false(digest_is_set(&w.files.v[0].digest));
}

static void another_projects_wheel_is_refused(void **state)
{
    static const struct mkwheel_file files[] = {{"nvidia/a", "a", NULL, 0}, {NULL, NULL, NULL, 0}};
    CLEANUP(toolkit_wheel_clear) struct toolkit_wheel w = {0};
    CLEANUP(err_clear) struct err e = {0};

    assert_int_equal(read_wheel(&w, files, "nvidia-y", &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_int_equal(w.files.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_below_nvidia_are_listed_with_their_digests),
        cmocka_unit_test(the_drivers_headers_are_read),
        cmocka_unit_test(another_hash_is_equal_to_none),
        cmocka_unit_test(another_projects_wheel_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
