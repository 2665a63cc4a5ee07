/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/tag.h"

static void tags_of_the_field(void **state)
{
    static const char *const cases[][3] = {
        /* as written, the repository, in our own form */
        {"2.6.0-cuda12.4-cudnn9-runtime", "", "2.6.0-cuda12.4-cudnn9-runtime"},
        {"pytorch/pytorch:2.6.0-cuda12.4-cudnn9-devel", "pytorch/pytorch",
         "2.6.0-cuda12.4-cudnn9-devel"},
        {"reg.test:5000/a/b:2.5.1-cu124-cudnn9-runtime", "reg.test:5000/a/b",
         "2.5.1-cuda12.4-cudnn9-runtime"},
        {"x:2.6.0-cuda124@sha256:00", "x", "2.6.0-cuda12.4-runtime"},
        {"2.6.0", "", "2.6.0-runtime"},
        {"pytorch/pytorch:2.6.0-cpu-runtime", "pytorch/pytorch", "2.6.0-cpu-runtime"},
        {"2.6.0-runtime-cudnn9.1-cu118", "", "2.6.0-cuda11.8-cudnn9.1-runtime"},
    };
    CLEANUP(arena_clear) struct arena a = {0};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf text = {0};
        struct err e = {0};
        struct tag t;

        assert_int_equal(tag_parse(&t, &a, str_of(cases[i][0]), &e), 0);
        assert_true(str_is(t.repository, cases[i][1]));
        tag_print(&text, &t);
        assert_string_equal(text.p, cases[i][2]);
    }
}

static void what_is_no_tag(void **state)
{
    static const char *const cases[][2] = {
        {"", "\"\""},
        {"latest", "\"latest\""},
        {"2.6-cuda12.4", "\"2.6\""},
        {"2.6.0-cuda", "\"cuda\""},
        {"2.6.0-cpu12", "\"cpu12\""},
        {"2.6.0-cpu-cuda12.4", "\"cuda12.4\""},
        {"2.6.0-cuda12.4-cuda12.6", "\"cuda12.6\""},
        {"2.6.0-cudnn-runtime", "\"cudnn\""},
        {"2.6.0-runtime-devel", "\"devel\""},
        {"2.6.0-ubuntu", "\"ubuntu\""},
        {"x@md5:2.6.0", "\"md5:2.6.0\""},
    };
    CLEANUP(arena_clear) struct arena a = {0};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(err_clear) struct err e = {0};
        struct tag t;

        assert_int_equal(tag_parse(&t, &a, str_of(cases[i][0]), &e), -1);
        assert_int_equal(e.kind, ERR_USAGE);
        assert_non_null(strstr(e.msg, cases[i][1]));
    }
}

static void tags_that_were_never_published(void **state)
{
    static const char *const cases[][2] = {
        {"2.6.0-cuda12.1-cudnn8-devel",
         "2.6.0-cuda12.1-cudnn8-devel: PyTorch 2.6.0 was published for CUDA 11.8, 12.4, 12.6; "
         "nearest: 2.6.0-cuda12.4-cudnn9-devel or 2.5.1-cuda12.1-cudnn9-devel"},
        {"2.6.0-cuda11.8-cudnn8-runtime",
         "2.6.0-cuda11.8-cudnn8-runtime: PyTorch 2.6.0 for CUDA 11.8 has cuDNN 9.1.0.70; nearest: "
         "2.6.0-cuda12.4-cudnn9-runtime or 2.7.1-cuda11.8-cudnn9-runtime"},
        {"2.6.0-cpu-cudnn9-runtime", "2.6.0-cpu-cudnn9-runtime: a build for the CPU has no cuDNN; "
                                     "nearest: 2.6.0-cpu-runtime"},
        {"2.6.0-cpu-devel",
         "2.6.0-cpu-devel: devel adds a CUDA toolkit, and cpu has none; nearest: "
         "2.6.0-cpu-compile"},
    };
    CLEANUP(catalog_clear) struct catalog c = {0};
    CLEANUP(arena_clear) struct arena a = {0};
    struct err none = {0};

    assert_int_equal(catalog_open(&c, NULL, &none), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(err_clear) struct err e = {0};
        struct tag t;

        assert_int_equal(tag_parse(&t, &a, str_of(cases[i][0]), &e), 0);
        assert_int_equal(tag_check(&t, &c, &e), -1);
        assert_int_equal(e.kind, ERR_UNSAT);
        assert_string_equal(e.msg, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags_of_the_field),
        cmocka_unit_test(what_is_no_tag),
        cmocka_unit_test(tags_that_were_never_published),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
