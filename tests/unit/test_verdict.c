/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/path.h"
#include "host/probe.h"
#include "host/verdict.h"
#include "model/tag.h"
#include "catalog_fixture.h"
#include "table.h"

/* What a tag's build needs, or "cuda=12.4 archs=8.0 9.0+PTX": a build that the catalog has not.
 * Before that may stand "compat=580.65.06", "cudnn=9.13.0" and "read": what the image itself holds.
 */
static void facts_of(struct facts *f, struct arena *a, struct str image)
{
    struct catalog_build b;
    struct err e = {0};
    struct str compat = {0}, cudnn = {0};
    bool read = str_skip(&image, STR("read "));
    struct tag t;

    if (str_skip(&image, STR("compat=")))
        assert_true(str_cut(&image, STR(" "), &compat));
    if (str_skip(&image, STR("cudnn=")))
        assert_true(str_cut(&image, STR(" "), &cudnn));
    if (str_skip(&image, STR("cuda="))) {
        *f = (struct facts){.pytorch = STR("2.6.0"), .compat = compat, .cudnn = cudnn};
        assert_true(str_cut(&image, STR(" archs="), &f->cuda));
        f->archs = image;
        f->driver_min = catalog_family_driver(&catalog, f->cuda);
        assert_true(f->driver_min.len || str_is(f->cuda, "14.0")); /* a family of tomorrow */
        return;
    }
    assert_int_equal(tag_parse(&t, a, image, &e), 0);
    assert_true(catalog_build(&catalog, t.pytorch, t.cuda, &b));
    facts_of_build(f, &catalog, t.pytorch, &b);
    f->compat = compat;
    f->archs_read = read;
    if (cudnn.len)
        f->cudnn = cudnn;
}

/* "runs-with-limits<TAB>ptx-only,...<TAB>rule of the first" for one image on one host, whose GPUs
 * stand between ";". */
static void verdict_of(struct buf *out, struct str image, struct str driver, struct str gpus)
{
    CLEANUP(judgement_clear) struct judgement j = {0};
    CLEANUP(arena_clear) struct arena a = {0};
    struct host h = {.has_driver = true, .driver = driver};
    struct catalog_gpu g;
    struct str gpu;
    struct facts f;

    facts_of(&f, &a, image);
    while (str_item(&gpus, ';', &gpu)) {
        if (!catalog_gpu(&catalog, gpu, &g))
            fail_msg("\"" STR_FMT "\" is not a GPU", STR_ARG(gpu));
        vec_add(&h.gpus, g);
    }
    judge(&j, &f, &h, &catalog);
    buf_fmt(out, "%s\t", verdict_name(j.verdict));
    for (size_t i = 0; i < j.reasons.n; i++) {
        const struct reason *r = &j.reasons.v[i];

        buf_fmt(out, "%s%s", i ? "," : "", r->code);
        assert_true(r->sentence.len > 20 && r->rule[0] && r->verdict <= j.verdict);
        if (h.driver.len && str_starts(str_of(r->code), STR("driver-")))
            assert_true(str_find_str(r->sentence, driver) < r->sentence.len);
    }
    buf_fmt(out, "%s\t%s", j.reasons.n ? "" : "-", j.reasons.n ? j.reasons.v[0].rule : "-");
    vec_clear(&h.gpus);
}

static void hosts_and_images(void **state)
{
    struct table t;
    unsigned rows = 0, wrong = 0;

    table_open(&t, "tests/unit/data/verdicts.txt");
    while (table_next(&t)) {
        CLEANUP(buf_clear) struct buf got = {0}, want = {0};

        assert_int_equal(t.n, 6);
        verdict_of(&got, t.field[0], t.field[1], t.field[2]);
        buf_fmt(&want, STR_FMT "\t" STR_FMT "\t" STR_FMT, STR_ARG(t.field[3]), STR_ARG(t.field[4]),
                STR_ARG(t.field[5]));
        if (!str_eq(buf_view(&got), buf_view(&want)))
            print_error("line %u: %s, not %s\n", t.line, got.p, want.p), wrong++;
        rows++;
    }
    table_clear(&t);
    assert_int_equal(wrong, 0);
    assert_true(rows >= 60);
}

static void without_a_driver(void **state)
{
    CLEANUP(judgement_clear) struct judgement none = {0}, cpu = {0}, open = {0};
    struct host h = {.has_driver = true}, unknown = {0};
    struct catalog_build b;
    struct facts f, no_cuda = {.pytorch = STR("2.6.0")};

    assert_true(catalog_build(&catalog, STR("2.6.0"), STR("12.4"), &b));
    facts_of_build(&f, &catalog, STR("2.6.0"), &b);
    judge(&none, &f, &h, &catalog);
    assert_int_equal(none.verdict, VERDICT_NO);
    assert_string_equal(none.reasons.v[0].code, "no-driver");
    judge(&cpu, &no_cuda, &h, &catalog); /* a CPU build asks for none */
    assert_int_equal(cpu.verdict, VERDICT_RUNS);
    judge(&open, &f, &unknown, &catalog); /* nothing is known: nothing is said */
    assert_int_equal(open.verdict, VERDICT_RUNS);
}

static void gpus_that_nobody_sees(void **state)
{
    CLEANUP(judgement_clear) struct judgement none = {0}, strange = {0}, named = {0};
    struct host h = {.has_driver = true, .driver = STR("580.65.06"), .asked = true}, said = h;
    struct facts f, better;
    struct catalog_build b;

    assert_true(catalog_build(&catalog, STR("2.6.0"), STR("12.4"), &b));
    facts_of_build(&f, &catalog, STR("2.6.0"), &b);
    judge(&none, &f, &h, &catalog);
    assert_int_equal(none.verdict, VERDICT_NO);
    assert_string_equal(none.reasons.v[0].code, "no-gpu");
    assert_false(newest_that_runs(&better, &h, &catalog));
    vec_add(&h.unknown, STR("NVIDIA Of Tomorrow"));
    judge(&strange, &f, &h, &catalog);
    assert_int_equal(strange.verdict, VERDICT_LIMITS);
    assert_string_equal(strange.reasons.v[0].code, "gpu-not-known");
    assert_false(newest_that_runs(&better, &h, &catalog));
    vec_clear(&h.unknown);
    said.asked = false; /* --driver alone: nothing is said of GPUs */
    judge(&named, &f, &said, &catalog);
    assert_int_equal(named.verdict, VERDICT_RUNS);
    assert_true(newest_that_runs(&better, &said, &catalog)); /* for the driver, then */
}

static void the_processor_counts(void **state)
{
    static const struct {
        const char *image, *machine, *gpu;
        bool runs;
    } cases[] = {
        {"amd64", "amd64", "NVIDIA B200", true},   {"amd64", "arm64", "NVIDIA B200", false},
        {"amd64", "", "NVIDIA B200", true}, /* nobody says */
        {"arm64", "arm64", "NVIDIA B200", true},   {"arm64", "amd64", "NVIDIA B200", false},
        {"arm64", "", "NVIDIA GB200", true},       {"amd64", "", "NVIDIA GB200", false},
        {"amd64", "amd64", "NVIDIA GB200", false}, /* it is sold with an arm64 processor alone */
        {"", "arm64", "NVIDIA GB200", true},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(judgement_clear) struct judgement gpu = {0}, cpu = {0};
        struct host h = {.arch = str_of(cases[i].machine)};
        struct facts no_cuda = {.arch = str_of(cases[i].image)}, f = no_cuda;
        struct catalog_gpu g;

        assert_true(catalog_gpu(&catalog, str_of(cases[i].gpu), &g));
        vec_add(&h.gpus, g);
        f.cuda = STR("13.0");
        f.archs = STR("10.0");
        judge(&gpu, &f, &h, &catalog);
        judge(&cpu, &no_cuda, &h, &catalog);
        if (gpu.verdict != (cases[i].runs ? VERDICT_RUNS : VERDICT_NO) ||
            cpu.verdict != gpu.verdict)
            fail_msg("case %zu", i);
        if (!cases[i].runs)
            assert_string_equal(gpu.reasons.v[0].code, "other-architecture");
        vec_clear(&h.gpus);
    }
}

static void a_driver_that_cannot_be_read_is_not_none(void **state)
{
    CLEANUP(judgement_clear) struct judgement j = {0};
    struct host h = {.has_driver = true, .hidden = true, .asked = true};
    struct facts f = {.pytorch = STR("2.6.0"), .cuda = STR("12.4")}, better;

    judge(&j, &f, &h, &catalog);
    assert_int_equal(j.verdict, VERDICT_LIMITS);
    assert_int_equal(j.reasons.n, 1);
    assert_string_equal(j.reasons.v[0].code, "driver-not-readable");
    assert_false(newest_that_runs(&better, &h, &catalog));
}

static void what_would_run(void **state)
{
    static const struct {
        const char *driver, *gpu, *pytorch, *cuda;
    } cases[] = {
        {"470.82.01", "RTX 3090", "2.7.1", "11.8"},   /* with limits */
        {"515.65.01", "RTX 3090", "2.0.1", "11.7"},   /* PyPI's; that for 11.8 has limits */
        {"535.104.05", "RTX 4090", "2.13.0", "12.6"}, /* no PTX of PyTorch's is needed */
        {"550.54.15", "RTX 4090", "2.13.0", "12.6"},  {"560.35.03", "RTX 4090", "2.13.0", "12.6"},
        {"570.124.06", "RTX 5090", "2.11.0", "12.8"}, /* not PyPI's of that release */
        {"595.58.03", "RTX 5090", "2.15.0", "13.2"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct host h = {.has_driver = true, .driver = str_of(cases[i].driver)};
        struct catalog_gpu g;
        struct facts f;

        assert_true(catalog_gpu(&catalog, str_of(cases[i].gpu), &g));
        vec_add(&h.gpus, g);
        assert_true(newest_that_runs(&f, &h, &catalog));
        assert_true(str_is(f.pytorch, cases[i].pytorch) && str_is(f.cuda, cases[i].cuda));
        vec_clear(&h.gpus);
    }
}

static void put(const char *dir, const char *name, const char *text)
{
    CLEANUP(free_clear) char *path = path_join(dir, name);
    struct err e = {0};

    assert_int_equal(fs_mkdirs_for(path, &e), 0);
    assert_int_equal(fs_write(path, str_of(text), &e), 0);
}

static void drivers_are_found(void **state)
{
    static const struct {
        const char *file, *text, *driver;
    } cases[] = {
        {"none", "", ""},
        {"sys/module/nvidia/version", "550.54.15\n", "550.54.15"},
        {"proc/driver/nvidia/version",
         "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC "
         "2023\n"
         "GCC version:  gcc version 11.4.0\n",
         "535.104.05"},
        {"proc/driver/nvidia/version",
         "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\n",
         "580.65.06"},
        {"sys/module/nvidia/version", "no version\n", ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char dir[] = "/tmp/test_verdict.XXXXXX";
        CLEANUP(probe_clear) struct probe p = {0};
        CLEANUP(buf_clear) struct buf remove = {0};

        assert_non_null(mkdtemp(dir));
        put(dir, cases[i].file, cases[i].text);
        probe_host(&p, dir, NULL);
        assert_true(str_is(p.driver, cases[i].driver));
        buf_fmt(&remove, "rm -rf %s", dir);
        assert_int_equal(system(remove.p), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_and_images),
        cmocka_unit_test(without_a_driver),
        cmocka_unit_test(gpus_that_nobody_sees),
        cmocka_unit_test(the_processor_counts),
        cmocka_unit_test(a_driver_that_cannot_be_read_is_not_none),
        cmocka_unit_test(what_would_run),
        cmocka_unit_test(drivers_are_found),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
