/* tests/unit/test_toolkit.c - which CUDA toolkit a devel image gets: the catalog's rows and what is
 * decided by them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "faults.h"
#include "plan/toolkit/toolkit.h"

#define PARTS                                                                             \
    "nvcc, cudart, cccl, cublas, cufft, cufile, cupti, curand, cusolver, cusparse, npp, " \
    "nvfatbin, "                                                                          \
    "nvjitlink, nvjpeg, nvml, nvrtc, nvtx, profiler-api, binutils"

/* A plan and what it was made from. */
struct planned {
    struct toolkit_plan plan;
    struct arena arena;
    struct recipe recipe;
    struct catalog catalog;
    struct baselayer base;
    struct err e;
};

static void planned_clear(struct planned *p)
{
    toolkit_plan_clear(&p->plan);
    recipe_clear(&p->recipe);
    catalog_clear(&p->catalog);
    baselayer_clear(&p->base);
    arena_clear(&p->arena);
    err_clear(&p->e);
}

/* `lines` follow PyTorch's and the variant's. */
static int plan(struct planned *p, const char *pytorch, const char *lines, const char *base)
{
    CLEANUP(buf_clear) struct buf yaml = {0};
    struct pos pos = {0};

    buf_fmt(&yaml, "pytorch: \"%s\"\nvariant: devel\n%s", pytorch, lines);
    if (recipe_parse(&p->recipe, buf_view(&yaml), "x.yaml", &p->e) < 0 ||
        catalog_open(&p->catalog, NULL, &p->e) < 0 ||
        baselayer_open(&p->base, str_of(base), ".", &pos, &p->e) < 0)
        fail_msg("%s", p->e.msg);
    return toolkit_plan_open(&p->plan, &p->arena, &p->recipe, &p->catalog, &p->base, &p->e);
}

static void a_toolkit_comes_from_where_the_catalog_says(void **state)
{
    static const struct {
        const char *pytorch, *lines, *base, *from, *cuda, *release;
    } cases[] = {
        {"2.6.0", "cuda: \"11.8\"\n", "debian-12", "nvidia", "11.8", "11.8.0"},
        {"2.6.0", "", "debian-12", "nvidia", "12.4", "12.4.1"}, /* PyPI's build */
        {"2.6.0", "cuda: \"12.6\"\n", "ubuntu-22.04", "nvidia", "12.6", "12.6.3"},
        {"2.11.0", "", "debian-12", "pypi", "13.0", "13.0.2"},
        {"2.11.0", "toolkit: {from: nvidia}\n", "debian-12", "nvidia", "13.0", "13.0.2"},
        {"2.6.0", "toolkit: {from: apt}\n", "debian-13", "apt", "12.4", "12.4.1"},
        {"2.6.0", "cuda: \"11.8\"\ntoolkit: {from: apt}\n", "debian-12", "apt", "11.8", "11.8.0"},
        /* A release that the catalog does not know, with its toolkit named in full. */
        {"2.99.0", "cuda: \"12.8.1\"\n", "debian-12", "nvidia", "12.8", "12.8.1"},
        {"2.99.0", "cuda: \"14.0.1\"\ntoolkit: {from: nvidia}\n", "debian-12", "nvidia", "14.0",
         "14.0.1"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(planned_clear) struct planned p = {0};

        if (plan(&p, cases[i].pytorch, cases[i].lines, cases[i].base) < 0)
            fail_msg("case %zu: %s", i, p.e.msg);
        assert_true(p.plan.wanted && p.plan.items.n > 5);
        assert_true(str_is(p.plan.from, cases[i].from));
        assert_true(str_is(p.plan.cuda, cases[i].cuda));
        assert_true(str_is(p.plan.release, cases[i].release));
    }
}

static void other_variants_have_none(void **state)
{
    CLEANUP(planned_clear) struct planned p = {0};

    assert_int_equal(recipe_parse(&p.recipe, STR("pytorch: 2.6.0\nvariant: compile\n"), "x", &p.e),
                     0);
    assert_int_equal(toolkit_plan_open(&p.plan, &p.arena, &p.recipe, &p.catalog, &p.base, &p.e), 0);
    assert_false(p.plan.wanted);
    assert_int_equal(p.plan.items.n + p.plan.from.len + p.plan.release.len, 0);
}

/* 0: the base's own gcc; else the major beside it; -1: refused. */
static void nvcc_gets_a_gcc_that_it_takes(void **state)
{
    static const char *const releases[][2] = {{"2.6.0", "11.8"},  {"2.5.1", "12.1"},
                                              {"2.6.0", "12.4"},  {"2.6.0", "12.6"},
                                              {"2.10.0", "12.8"}, {"2.12.0", "13.2"}};
    static const struct {
        const char *base;
        int gcc[6];
    } cases[] = {
        {"debian-12", {11, 0, 0, 0, 0, 0}},
        {"debian-13", {-1, 12, 13, 13, 0, 0}},
        {"ubuntu-22.04", {0, 0, 0, 0, 0, 0}},
        {"ubuntu-24.04", {11, 12, 0, 0, 0, 0}},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t j = 0; j < ARRAY_LEN(releases); j++) {
            CLEANUP(planned_clear) struct planned p = {0};
            CLEANUP(buf_clear) struct buf cuda = {0};

            buf_fmt(&cuda, "cuda: \"%s\"\n", releases[j][1]);
            if (plan(&p, releases[j][0], cuda.p, cases[i].base) < 0) {
                assert_int_equal(cases[i].gcc[j], -1);
                assert_int_equal(p.e.kind, ERR_UNSAT);
                assert_string_equal(
                    p.e.msg, "variant: nvcc of CUDA 11.8 takes gcc up to 11, and debian-13 has 14, "
                             "13, 12; base: debian-12 or ubuntu-22.04 or ubuntu-24.04 has one");
                continue;
            }
            if ((int)p.plan.gcc != cases[i].gcc[j])
                fail_msg("%s, CUDA %s: gcc %u", cases[i].base, releases[j][1], p.plan.gcc);
        }
}

static void what_cannot_be_had_is_told_with_what_can(void **state)
{
    static const struct {
        const char *pytorch, *lines, *base, *says;
    } cases[] = {
        {"2.6.0", "cuda: \"12.6\"\ntoolkit: {from: apt}\n", "debian-13",
         "x.yaml:4:17: toolkit: debian-13 has the toolkit of CUDA 12.4.1, and this PyTorch is "
         "built for 12.6; leave `from` out, or take a build for that CUDA"},
        {"2.6.0", "toolkit: {from: apt}\n", "ubuntu-24.04",
         "x.yaml:3:17: toolkit: ubuntu-24.04 has no CUDA toolkit of its own; base: debian-12 has "
         "that of "
         "CUDA 11.8.0, debian-13 has that of CUDA 12.4.1"},
        {"2.6.0", "toolkit: {from: apt, parts: [nvcc]}\n", "debian-13",
         "x.yaml:3:30: toolkit: debian-13's package of the toolkit is a whole; parts can be chosen "
         "from pypi and nvidia"},
        {"2.6.0", "toolkit: {from: pypi}\n", "debian-13",
         "x.yaml:3:17: toolkit: the wheels of CUDA 12.4 have no nvcc, those since CUDA 13 do; "
         "from: nvidia or apt has it"},
        {"2.6.0", "cuda: \"12.6\"\ntoolkit: {from: pypi}\n", "debian-13",
         "x.yaml:4:17: toolkit: the wheels of CUDA 12.6 have no nvcc, those since CUDA 13 do; "
         "from: nvidia has it"},
        {"2.6.0", "toolkit: [nvvc, cublas, Thrust]\n", "debian-12",
         "x.yaml:3:11: toolkit: \"nvvc\" is not a part (did you mean \"nvcc\"?); parts: " PARTS "\n"
         "x.yaml:3:25: toolkit: \"Thrust\" is not a part; parts: " PARTS},
        {"2.99.0", "cuda: \"12.4\"\n", "debian-12",
         "x.yaml:2:10: variant: with which CUDA toolkit PyTorch 2.99.0 was made is not in the "
         "catalog; name it in full, as in cuda: \"13.2.1\""},
        {"2.99.0", "", "debian-12",
         "x.yaml:2:10: variant: with which CUDA toolkit PyTorch 2.99.0 was made is not in the "
         "catalog; name it in full, as in cuda: \"13.2.1\""},
        {"2.99.0", "cuda: \"14.0.1\"\n", "debian-12",
         "x.yaml:2:10: variant: where the toolkit of CUDA 14.0 comes from is not in the catalog; "
         "say it, as in toolkit: {from: nvidia}"},
        {"2.99.0", "cuda: \"11.6.1\"\n", "debian-12",
         "x.yaml:2:10: variant: which gcc nvcc of CUDA 11.6 takes is not in the catalog"},
        /* All of it in one run. */
        {"2.6.0", "cuda: \"11.8\"\ntoolkit: {from: apt, parts: [nvc]}\n", "debian-13",
         "x.yaml:4:17: toolkit: debian-13 has the toolkit of CUDA 12.4.1, and this PyTorch is "
         "built for 11.8; base: debian-12 has that of CUDA 11.8.0\n"
         "x.yaml:4:30: toolkit: debian-13's package of the toolkit is a whole; parts can be chosen "
         "from pypi and nvidia\n"
         "x.yaml:4:30: toolkit: \"nvc\" is not a part (did you mean \"nvcc\"?); parts: " PARTS "\n"
         "x.yaml:2:10: variant: nvcc of CUDA 11.8 takes gcc up to 11, and debian-13 has 14, 13, "
         "12; "
         "base: debian-12 or ubuntu-22.04 or ubuntu-24.04 has one"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(planned_clear) struct planned p = {0};
        CLEANUP(buf_clear) struct buf faults = {0};

        assert_int_equal(plan(&p, cases[i].pytorch, cases[i].lines, cases[i].base), -1);
        assert_string_equal(faults_text(&faults, &p.e), cases[i].says);
        assert_false(p.plan.wanted);
    }
}

static void parts_are_what_their_provider_calls_them(void **state)
{
    static const struct {
        const char *pytorch, *lines, *items;
    } cases[] = {
        {"2.6.0", "toolkit: [nvcc, cudart]\n",
         "cuda_nvcc [cuda_crt] [libnvvm] [libnvptxcompiler] cuda_cudart [cuda_culibos] "},
        {"2.6.0", "toolkit: [cublas, nvtx, cublas]\n", "libcublas cuda_nvtx "}, /* once */
        {"2.11.0", "toolkit: [nvcc, cudart]\n", "nvcc crt nvvm nvptxcompiler cudart culibos "},
        {"2.11.0", "toolkit: {from: nvidia, parts: [nvml]}\n", "cuda_nvml_dev "},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(planned_clear) struct planned p = {0};
        CLEANUP(buf_clear) struct buf items = {0};

        assert_int_equal(plan(&p, cases[i].pytorch, cases[i].lines, "debian-12"), 0);
        for (size_t j = 0; j < p.plan.items.n; j++)
            buf_fmt(&items, STR_FMT " ", STR_ARG(p.plan.items.v[j]));
        assert_string_equal(items.p, cases[i].items);
    }
}

static void the_catalogs_rows_are_whole(void **state)
{
    static const struct {
        const char *cuda, *from;
        uint32_t gcc;
    } cases[] = {
        {"11.6", "nvidia", 0}, /* older than any row */
        {"11.7", "nvidia", 11},
        {"11.8", "nvidia", 11},
        {"12.0", "nvidia", 12},
        {"12.4", "nvidia", 13},
        {"12.7", "nvidia", 13},
        {"12.8", "nvidia", 14},
        {"13.0", "pypi", 15},
        {"13.9", "pypi", 15},
        {"13.10", "pypi", 15},
        {"14.0", "", 15},
        {"", "", 0},
    };
    CLEANUP(catalog_clear) struct catalog c = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct strs parts = {0};

    assert_int_equal(catalog_open(&c, NULL, &e), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_true(str_is(catalog_toolkit_from(&c, str_of(cases[i].cuda)), cases[i].from));
        if (cases[i].cuda[0])
            assert_int_equal(catalog_toolkit_gcc(&c, str_of(cases[i].cuda)), cases[i].gcc);
    }
    catalog_toolkit_parts(&c, &parts);
    assert_int_equal(parts.n, 19);
    for (size_t i = 0; i < parts.n; i++)
        for (int j = 0; j < 2; j++) {
            struct strs items = {0};

            catalog_toolkit_items(&c, parts.v[i], j ? "pypi" : "nvidia", &items);
            assert_true(items.n > 0);
            vec_clear(&items);
        }
    vec_clear(&parts);
}

static void a_toolkit_stands_where_nvidias_own_does(void **state)
{
    CLEANUP(arena_clear) struct arena a = {0};

    assert_true(str_is(toolkit_root(&a, STR("12.4.1")), "/usr/local/cuda-12.4"));
    assert_true(str_is(toolkit_root(&a, STR("13.10.0")), "/usr/local/cuda-13.10"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_toolkit_comes_from_where_the_catalog_says),
        cmocka_unit_test(other_variants_have_none),
        cmocka_unit_test(nvcc_gets_a_gcc_that_it_takes),
        cmocka_unit_test(what_cannot_be_had_is_told_with_what_can),
        cmocka_unit_test(parts_are_what_their_provider_calls_them),
        cmocka_unit_test(the_catalogs_rows_are_whole),
        cmocka_unit_test(a_toolkit_stands_where_nvidias_own_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
