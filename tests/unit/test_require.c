/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/dotted.h"
#include "host/verdict.h"
#include "model/require.h"
#include "catalog_fixture.h"

/* As images of nvidia/cuda have it: a CUDA, or older branches on some brands. */
#define LIST                                                                              \
    "cuda>=12.8 brand=unknown,driver>=535,driver<536 brand=tesla,driver>=535,driver<536 " \
    "brand=nvidia,driver>=550,driver<551 brand=quadrortx,driver>=550,driver<551"

static void expressions(void **state)
{
    static const struct {
        const char *text, *driver, *gpu; /* NULL: none is visible */
        enum require_answer want;
        const char *first;
    } cases[] = {
        {LIST, "570.86.10", "RTX 4090", REQUIRE_MET, ""},
        {LIST, "550.54.15", "RTX 4090", REQUIRE_UNMET, "cuda>=12.8"}, /* no line of a GeForce */
        {LIST, "550.54.15", "A100", REQUIRE_MET, ""},
        {LIST, "550.54.15", "Quadro RTX 6000", REQUIRE_MET, ""},
        {LIST, "535.104.05", "Quadro RTX 6000", REQUIRE_UNMET, "cuda>=12.8"},
        {LIST, "535.104.05", "T4", REQUIRE_MET, ""},
        {LIST, "545.23.06", "T4", REQUIRE_UNMET, "cuda>=12.8"},
        {LIST, "550.54.15", "8.9", REQUIRE_MET, ""}, /* its brand is not known */
        {LIST, "550.54.15", NULL, REQUIRE_MET, ""},
        /* operators, and numbers that compare as numbers */
        {"driver>=525.60.13", "525.60.13", NULL, REQUIRE_MET, ""},
        {"driver>525.60.13", "525.60.13", NULL, REQUIRE_UNMET, "driver>525.60.13"},
        {"driver<=550", "550.54", NULL, REQUIRE_UNMET, "driver<=550"},
        {"driver!=550.54.15", "550.54.15", NULL, REQUIRE_UNMET, "driver!=550.54.15"},
        {"driver=550.54", "550.54.0", NULL, REQUIRE_MET, ""},
        {"arch>=8.0,arch<9", NULL, "RTX 4090", REQUIRE_MET, ""},
        {"arch>=8.0,arch<9", NULL, "H100", REQUIRE_UNMET, "arch>=8.0,arch<9"},
        {"brand!=geforce,brand!=geforcertx", NULL, "A100", REQUIRE_MET, ""},
        {"brand!=tesla", NULL, "T4", REQUIRE_MET, ""}, /* newer drivers call it NVIDIA */
        {"Brand=TESLA", NULL, "T4", REQUIRE_MET, ""},  /* of any case */
        /* several variables */
        {"cuda>=12.0\ndriver>=560", "550.54.15", NULL, REQUIRE_UNMET, "driver>=560"},
        {"cuda>=12.0\ndriver>=550", "550.54.15", NULL, REQUIRE_MET, ""},
        /* blanks and commas too many; nothing asked */
        {" cuda>=99  driver>=500, ", "550.54.15", NULL, REQUIRE_MET, ""},
        {"", "550.54.15", NULL, REQUIRE_MET, ""},
        /* what cannot be read refuses, unless an alternative before it holds */
        {"color=red", "550.54.15", NULL, REQUIRE_WRONG, "color=red"},
        {"driver>=new", "550.54.15", NULL, REQUIRE_WRONG, "driver>=new"},
        {"driver=>550", "550.54.15", NULL, REQUIRE_WRONG, "driver=>550"},
        {"driver", "550.54.15", NULL, REQUIRE_WRONG, "driver"},
        {"brand>=tesla", NULL, "T4", REQUIRE_WRONG, "brand>=tesla"},
        {"driver>=550 color=red", "550.54.15", NULL, REQUIRE_MET, ""},
        {"driver>=560 color=red", "550.54.15", NULL, REQUIRE_WRONG, "color=red"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct catalog_gpu gpu;
        struct str first = {0};
        enum require_answer got;

        assert_true(!cases[i].gpu || catalog_gpu(&catalog, str_of(cases[i].gpu), &gpu));
        got = require_judge(str_of(cases[i].text),
                            str_of(cases[i].driver ? cases[i].driver : "550.54.15"),
                            cases[i].gpu ? &gpu : NULL, &catalog, &first);
        if (got != cases[i].want || !str_is(first, cases[i].first))
            fail_msg("%zu: %d \"" STR_FMT "\"", i, got, STR_ARG(first));
    }
}

static void variables(void **state)
{
    static const char *const cases[][2] = {
        {"A=1 NVIDIA_REQUIRE_CUDA=cuda>=12.0", "cuda>=12.0"},
        {"NVIDIA_REQUIRE_CUDA=cuda>=12.0 NVIDIA_REQUIRE_DRIVER=driver>=1", "cuda>=12.0\ndriver>=1"},
        {"NVIDIA_REQUIRE_CUDA=cuda>=12.0 CUDA_VERSION=12.8.1", "cuda>=12.0"},
        {"CUDA_VERSION=12.8.1", "cuda>=12.8"}, /* images of nvidia-docker 1 */
        {"CUDA_VERSION=12.8.1 NVIDIA_DISABLE_REQUIRE=true", ""},
        {"NVIDIA_REQUIRE_CUDA=cuda>=12.0 NVIDIA_DISABLE_REQUIRE=1", ""},
        {"NVIDIA_REQUIRE_CUDA=cuda>=12.0 NVIDIA_DISABLE_REQUIRE=no", "cuda>=12.0"},
        {"NVIDIA_REQUIRE_JETPACK=csv-mounts=all NVIDIA_REQUIRE_CUDA=", ""},
        {"CUDA_VERSION=new", ""},
        {"", ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_clear) struct arena a = {0};
        struct str rest = str_of(cases[i][0]), word, got;
        struct strs env = {0};

        while (str_word(&rest, &word))
            vec_add(&env, word);
        got = require_of_env(&a, &env);
        if (!str_is(got, cases[i][1]))
            fail_msg("%s: \"" STR_FMT "\"", cases[i][0], STR_ARG(got));
        vec_clear(&env);
    }
}

/* ---- what judge() says and what the tools do ---- */

struct walk {
    struct facts f;
    struct strs drivers, archs;
    size_t met, unmet;
};

static bool is_told(const struct judgement *j, const char *code)
{
    for (size_t i = 0; i < j->reasons.n; i++)
        if (strcmp(j->reasons.v[i].code, code) == 0)
            return true;
    return false;
}

/* The tools know nothing of code and of which driver drives what; all else is one answer. */
static void compare(struct walk *w, struct str driver, struct catalog_gpu *gpu)
{
    CLEANUP(judgement_clear) struct judgement j = {0}, asked = {0};
    struct host h = {.has_driver = true, .driver = driver, .gpus = {.v = gpu, .n = 1}};
    struct facts silent = w->f;
    struct str first = {0};
    bool met = require_judge(w->f.require, driver, gpu, &catalog, &first) == REQUIRE_MET;

    silent.require = (struct str){0};
    judge(&j, &silent, &h, &catalog);
    if (is_told(&j, "driver-older-than-gpu") || is_told(&j, "driver-dropped-gpu"))
        return;
    if (met != (j.verdict != VERDICT_NO))
        fail_msg(STR_FMT " (" STR_FMT ", compat " STR_FMT ") on " STR_FMT ", " STR_FMT ": %s",
                 STR_ARG(w->f.cuda), STR_ARG(w->f.require), STR_ARG(w->f.compat), STR_ARG(driver),
                 STR_ARG(gpu->class), j.reasons.n ? j.reasons.v[0].code : "runs");
    judge(&asked, &w->f, &h, &catalog);
    assert_int_equal(asked.verdict, j.verdict);
    met ? w->met++ : w->unmet++;
}

/* One GPU of each capability that the build has machine code for, of each class. */
static void compare_build(struct walk *w, struct str compat)
{
    static const char *const classes[] = {"geforce", "titan", "workstation", "datacenter"};
    CLEANUP(buf_clear) struct buf text = {0};

    w->f.compat = compat;
    require_print(&text, &catalog, w->f.driver_min, compat);
    w->f.require = buf_view(&text);
    for (size_t d = 0; d < w->drivers.n; d++)
        for (size_t i = 0; i < w->archs.n * ARRAY_LEN(classes); i++) {
            struct catalog_gpu gpu;
            struct str by;

            assert_true(catalog_gpu(&catalog, w->archs.v[i / ARRAY_LEN(classes)], &gpu));
            gpu.class = str_of(classes[i % ARRAY_LEN(classes)]);
            if (!gpu.arm64 && catalog_code(w->f.archs, &gpu, &by) == CODE_MACHINE)
                compare(w, w->drivers.v[d], &gpu);
        }
}

static void what_images_ask_is_what_they_need(void **state)
{
    static const char *const compats[] = {"", "535.54.03", "550.54.15", "580.65.06", "610.43.02"};
    static const char *const more[] = {"390.157",   "525.60.12", "535.247.01",
                                       "565.57.01", "580.65.05", "620.1"};
    struct strs releases = {0}, builds = {0}, cudas = {0}, archs = {0};
    CLEANUP(arena_clear) struct arena a = {0};
    struct walk w = {0};

    catalog_drivers(&catalog, &w.drivers);
    catalog_branches(&catalog, &w.drivers);
    for (size_t i = 0; i < ARRAY_LEN(more); i++)
        vec_add(&w.drivers, str_of(more[i]));
    catalog_archs(&catalog, &w.archs);
    catalog_releases(&catalog, &releases);
    for (size_t i = 0; i < releases.n; i++) {
        builds.n = 0;
        catalog_builds(&catalog, releases.v[i], &builds);
        for (size_t k = 0; k < builds.n; k++) {
            struct catalog_build b;
            size_t most;

            assert_true(catalog_build(&catalog, releases.v[i], builds.v[k], &b));
            if (!strs_add_once(&archs, str_of(arena_fmt(&a, STR_FMT " " STR_FMT, STR_ARG(b.cuda),
                                                        STR_ARG(b.archs)))))
                continue; /* another release's, which differs in nothing that counts here */
            facts_of_build(&w.f, &catalog, releases.v[i], &b);
            /* what packages bring hangs on the CUDA alone */
            most = strs_add_once(&cudas, b.cuda) ? ARRAY_LEN(compats) : 1;
            for (size_t n = 0; n < most; n++)
                compare_build(&w, str_of(compats[n]));
        }
    }
    assert_true(w.met > 1000 && w.unmet > 1000);
    vec_clear(&cudas);
    vec_clear(&archs);
    vec_clear(&builds);
    vec_clear(&releases);
    vec_clear(&w.archs);
    vec_clear(&w.drivers);
}

static void what_is_not_met_is_told_with_a_remedy(void **state)
{
    static const struct {
        const char *require, *gpu, *code, *words;
    } cases[] = {
        {LIST, "RTX 4090", "require-not-met", "NVIDIA_DISABLE_REQUIRE=1"},
        {LIST, "RTX 4090", "require-not-met", "so does driver 570.86.10"},
        {LIST, "A100", "ptx-newer-than-driver", "550.54.15"},
        {"color=red", "A100", "require-not-read", "\"color=red\""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(judgement_clear) struct judgement j = {0};
        struct catalog_gpu gpu;
        struct host h = {
            .has_driver = true, .driver = STR("550.54.15"), .gpus = {.v = &gpu, .n = 1}};
        struct catalog_build b;
        struct facts f;

        assert_true(catalog_gpu(&catalog, str_of(cases[i].gpu), &gpu));
        assert_true(catalog_build(&catalog, STR("2.8.0"), STR("12.8"), &b));
        facts_of_build(&f, &catalog, STR("2.8.0"), &b);
        f.require = str_of(cases[i].require);
        judge(&j, &f, &h, &catalog);
        assert_string_equal(j.reasons.v[0].code, cases[i].code);
        if (str_find_str(j.reasons.v[0].sentence, str_of(cases[i].words)) ==
            j.reasons.v[0].sentence.len)
            fail_msg(STR_FMT, STR_ARG(j.reasons.v[0].sentence));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions),
        cmocka_unit_test(variables),
        cmocka_unit_test(what_images_ask_is_what_they_need),
        cmocka_unit_test(what_is_not_met_is_told_with_a_remedy),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
