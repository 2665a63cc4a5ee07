/* tests/unit/test_torch_index.c - when PyTorch's own index is asked, and for what. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "plan/pypi/torch_index.h"

static void builds_that_pypi_lacks(void **state)
{
    static const char *const cases[][4] = {
        /* recipe, index, label, whether xformers is bound there */
        {"pytorch: 2.6.0\n", "", "", ""},
        {"pytorch: 2.6.0\ncuda: 12.4\n", "", "", ""}, /* PyPI's */
        {"pytorch: 2.6.0\ncuda: 11.8\n", "https://download.pytorch.org/whl/cu118/", "cu118", "yes"},
        {"pytorch: 2.6.0\ncuda: 12.6.3\n", "https://download.pytorch.org/whl/cu126/", "cu126",
         "yes"},
        {"pytorch: 2.12.1\ncuda: cu132\n", "https://download.pytorch.org/whl/cu132/", "cu132",
         "yes"},
        {"pytorch: 2.6.0\ncuda: cpu\n", "https://download.pytorch.org/whl/cpu/", "cpu", "yes"},
        {"pytorch: 2.99.0\ncuda: cpu\n", "https://download.pytorch.org/whl/cpu/", "cpu", "yes"},
        {"pytorch: 2.99.0\ncuda: 15.0\n", "", "", ""}, /* PyPI's may be that */
        /* an index of the recipe's */
        {"pytorch: 2.6.0\ncuda: 11.8\nindexes: [http://h/]\n",
         "https://download.pytorch.org/whl/cu118/", "cu118", "yes"},
        {"pytorch: 2.6.0\ncuda: 11.8\nindexes: [{url: http://h/, only: [XFormers]}]\n",
         "https://download.pytorch.org/whl/cu118/", "cu118", ""},
        {"pytorch: 2.6.0\ncuda: cpu\nindexes: [{url: http://h/, only: [a, Torch]}]\n", "", "", ""},
    };
    CLEANUP(catalog_clear) struct catalog catalog = {0};
    struct err e = {0};

    assert_int_equal(catalog_open(&catalog, NULL, &e), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(recipe_clear) struct recipe r = {0};
        CLEANUP(arena_clear) struct arena a = {0};
        struct torch_index t;
        bool xformers = false;

        assert_int_equal(recipe_parse(&r, str_of(cases[i][0]), "x.yaml", &e), 0);
        torch_index_choose(&t, &a, &catalog, &r);
        if (!str_is(t.place.url, cases[i][1]) || !str_is(t.local, cases[i][2]))
            fail_msg("%s: " STR_FMT " " STR_FMT, cases[i][0], STR_ARG(t.place.url),
                     STR_ARG(t.local));
        for (size_t k = 0; k < t.place.only_n; k++)
            xformers |= str_is(t.place.only[k], "xformers");
        assert_int_equal(xformers, cases[i][3][0] != 0);
        assert_int_equal(t.place.owns, t.place.url.len != 0);
    }
}

static void the_label_of_every_build(void **state)
{
    static const char *const cases[][2] = {
        {"pytorch: 2.6.0\n", "cu124"}, /* PyPI's */
        {"pytorch: 2.6.0\ncuda: 12.4.1\n", "cu124"},
        {"pytorch: 2.6.0\ncuda: 11.8\n", "cu118"},
        {"pytorch: 2.6.0\ncuda: cpu\n", "cpu"},
        {"pytorch: 2.99.0\n", ""},
        {"pytorch: 2.99.0\ncuda: 15.0\n", "cu150"},
        {"pytorch: 2.6.0\nindexes: [{url: http://h/, only: [torch]}]\n", ""},
        {"pytorch: 2.6.0\ncuda: 11.8\nindexes: [{url: http://h/, only: [torch]}]\n", "cu118"},
    };
    CLEANUP(catalog_clear) struct catalog catalog = {0};
    struct err e = {0};

    assert_int_equal(catalog_open(&catalog, NULL, &e), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(recipe_clear) struct recipe r = {0};
        CLEANUP(arena_clear) struct arena a = {0};
        struct torch_index t;

        assert_int_equal(recipe_parse(&r, str_of(cases[i][0]), "x.yaml", &e), 0);
        torch_index_choose(&t, &a, &catalog, &r);
        if (!str_is(t.build, cases[i][1]))
            fail_msg("%s: " STR_FMT, cases[i][0], STR_ARG(t.build));
    }
}

/* A lock's torch is of PyTorch's index: so is what PyPI has too, if it is the same build. */
static void pypis_build_from_the_index(void **state)
{
    static const char *const cases[][3] = {
        {"pytorch: 2.6.0\n", TORCH_INDEX_URL "cu124", TORCH_INDEX_URL "cu124/"},
        {"pytorch: 2.6.0\ncuda: 12.4.1\n", TORCH_INDEX_URL "cu124/", TORCH_INDEX_URL "cu124/"},
        {"pytorch: 2.6.0\n", TORCH_INDEX_URL "cu126", ""},
        {"pytorch: 2.6.0\n", "https://pypi.org/simple", ""},
        {"pytorch: 2.6.0\nindexes: [{url: http://h/, only: [torch]}]\n", TORCH_INDEX_URL "cu124",
         ""},
    };
    CLEANUP(catalog_clear) struct catalog catalog = {0};
    struct err e = {0};

    assert_int_equal(catalog_open(&catalog, NULL, &e), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(recipe_clear) struct recipe r = {0};
        CLEANUP(arena_clear) struct arena a = {0};
        struct torch_index t;

        assert_int_equal(recipe_parse(&r, str_of(cases[i][0]), "x.yaml", &e), 0);
        torch_index_choose(&t, &a, &catalog, &r);
        torch_index_prefer(&t, &a, &r, str_of(cases[i][1]));
        if (!str_is(t.place.url, cases[i][2]))
            fail_msg("%s: " STR_FMT, cases[i][0], STR_ARG(t.place.url));
        assert_int_equal(t.local.len, t.place.url.len ? strlen("cu124") : 0);
    }
}

static void what_is_of_torchs_build(void **state)
{
    assert_true(torch_index_binds(STR("torch")) && torch_index_binds(STR("torchvision")) &&
                torch_index_binds(STR("torchaudio")));
    assert_false(torch_index_binds(STR("numpy")) || torch_index_binds(STR("triton")) ||
                 torch_index_binds(STR("nvidia-nccl-cu11")) ||
                 torch_index_binds(STR("torchmetrics")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_that_pypi_lacks),
        cmocka_unit_test(the_label_of_every_build),
        cmocka_unit_test(pypis_build_from_the_index),
        cmocka_unit_test(what_is_of_torchs_build),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
