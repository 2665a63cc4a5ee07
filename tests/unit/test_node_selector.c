/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/dotted.h"
#include "doc/yaml.h"
#include "host/deploy.h"
#include "catalog_fixture.h"

/* ---- a scheduler that reads what is written ---- */

struct labels { /* a node's, as gpu-feature-discovery sets them */
    struct str major, minor, revision, compute_major, compute_minor;
};

static void label_node(struct labels *out, struct str driver, struct str cc)
{
    *out = (struct labels){.compute_minor = cc};
    str_cut(&out->compute_minor, STR("."), &out->compute_major);
    assert_true(str_item(&driver, '.', &out->major));
    assert_true(str_item(&driver, '.', &out->minor));
    str_item(&driver, '.', &out->revision); /* else it is empty */
}

static struct str label_of(const struct labels *l, struct str key)
{
    if (str_is(key, "nvidia.com/cuda.driver-version.major"))
        return l->major;
    if (str_is(key, "nvidia.com/cuda.driver-version.minor"))
        return l->minor;
    if (str_is(key, "nvidia.com/cuda.driver-version.revision"))
        return l->revision;
    if (str_is(key, "nvidia.com/gpu.compute.major"))
        return l->compute_major;
    assert_true(str_is(key, "nvidia.com/gpu.compute.minor"));
    return l->compute_minor;
}

/* k8s.io/apimachinery, labels.Requirement.Matches: In compares texts, Gt and Lt whole numbers, and
 * a label that is no number is neither greater nor less. */
static bool test_holds(const struct node *test, const struct labels *l)
{
    struct str label = label_of(l, node_text_of(test, "key")), op = node_text_of(test, "operator");
    const struct node *values = node_get(test, "values"), *v;
    uint32_t have, bound;

    if (str_is(op, "In")) {
        node_each(v, values)
            if (str_eq(v->text, label))
                return true;
        return false;
    }
    assert_int_equal(values->count, 1);
    assert_true(values->child->quoted && str_u32(values->child->text, &bound));
    if (!str_u32(label, &have))
        return false;
    assert_true(str_is(op, "Gt") || str_is(op, "Lt"));
    return str_is(op, "Gt") ? have > bound : have < bound;
}

static bool term_holds(const struct node *term, const struct labels *l)
{
    const struct node *tests = node_get(term, "matchExpressions"), *test;

    assert_true(tests->count > 0);
    node_each(test, tests)
        if (!test_holds(test, l))
            return false;
    return true;
}

static bool is_chosen(const struct node *terms, const struct labels *l)
{
    const struct node *term;

    node_each(term, terms)
        if (term_holds(term, l))
            return true;
    return false;
}

static const struct node *terms_in(const struct doc *job)
{
    static const char *const path[] = {"spec",
                                       "template",
                                       "spec",
                                       "affinity",
                                       "nodeAffinity",
                                       "requiredDuringSchedulingIgnoredDuringExecution",
                                       "nodeSelectorTerms"};
    const struct node *n = job->root;

    for (size_t i = 0; i < ARRAY_LEN(path); i++)
        n = node_get(n, path[i]);
    assert_non_null(n);
    return n;
}

/* The Job of such an image. */
static void read_job(struct doc *out, const struct facts *f)
{
    static const struct strs none = {0};
    static const struct image_health health = {0};
    struct deploy_image image = {.repository = STR("example.org/x"),
                                 .architecture = STR("amd64"),
                                 .facts = f,
                                 .entrypoint = &none,
                                 .cmd = &none,
                                 .ports = &none,
                                 .volumes = &none,
                                 .health = &health};
    CLEANUP(deploy_clear) struct deploy d = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    struct err e = {0};

    assert_int_equal(deploy_open(&d, &image, NULL, &catalog, &e), 0);
    deploy_k8s(&text, &d);
    assert_int_equal(yaml_parse(out, buf_view(&text), "job", &e), 0);
}

/* ---- against judge() ---- */

static bool runs(const struct facts *f, struct str driver, struct catalog_gpu *gpu)
{
    CLEANUP(judgement_clear) struct judgement j = {0};
    struct host h = {.has_driver = true, .driver = driver, .gpus = {.v = gpu, .n = 1}};

    judge(&j, f, &h, &catalog);
    return j.verdict != VERDICT_NO;
}

static void collect_drivers(struct strs *out)
{
    static const char *const more[] = {
        "340.29",    "384.59",    "418.39",    "450.36",     "450.36.06", "450.80.1",
        "450.80.02", "455.23.04", "470.82.01", "515.43.04",  "525.60",    "525.60.11",
        "525.60.12", "525.61",    "526.0",     "569.99.99",  "570.05",    "570.5.01",
        "575.10",    "580.65",    "580.65.05", "580.126.20", "581.0",     "615.10",
        "600.05.06", "600.05.08", "600.5.9",   "700.1.2",    "1000.20.30"};

    catalog_drivers(&catalog, out);
    for (size_t i = 0; i < ARRAY_LEN(more); i++)
        vec_add(out, str_of(more[i]));
}

/* Each driver with one GPU; how often it is chosen. Of a GPU whose driver branches are known the
 * answers are the same; of one that is newer than all, where the driver is, too; of others none is
 * chosen that does not run. */
static size_t compare_gpu(const struct facts *f, const struct node *terms,
                          const struct strs *drivers, struct str cc)
{
    struct catalog_arch arch;
    struct catalog_gpu gpu;
    bool known = catalog_arch(&catalog, cc, &arch) && arch.branch_first.len;
    bool newest = dotted_compare(cc, STR("12.1")) > 0;
    size_t chosen = 0;

    assert_true(host_gpu(&gpu, &catalog, STR(""), cc));
    gpu.arm64 = false; /* the processor has a label of its own */
    for (size_t i = 0; i < drivers->n; i++) {
        struct str driver = drivers->v[i];
        bool want = runs(f, driver, &gpu), match;
        struct labels l;

        label_node(&l, driver, cc);
        match = is_chosen(terms, &l);
        chosen += match;
        if (match != want &&
            (match || known || (newest && dotted_compare(driver, STR("615")) >= 0)))
            fail_msg("PyTorch " STR_FMT ", CUDA " STR_FMT ", archs " STR_FMT ": driver " STR_FMT
                     " with " STR_FMT " %s, and the terms say %s",
                     STR_ARG(f->pytorch), STR_ARG(f->cuda), STR_ARG(f->archs), STR_ARG(driver),
                     STR_ARG(cc), want ? "runs" : "does not run", match ? "yes" : "no");
    }
    return chosen;
}

static size_t compare_all(const struct facts *f)
{
    static const char *const others[] = {"2.1",  "4.0",  "5.1",  "7.1",  "7.3",  "8.1", "9.1",
                                         "10.1", "11.1", "12.2", "12.9", "13.0", "14.7"};
    CLEANUP(doc_clear) struct doc job = {0};
    struct strs drivers = {0}, ccs = {0};
    size_t chosen = 0;

    read_job(&job, f);
    collect_drivers(&drivers);
    catalog_archs(&catalog, &ccs);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        vec_add(&ccs, str_of(others[i]));
    for (size_t k = 0; k < ccs.n; k++)
        chosen += compare_gpu(f, terms_in(&job), &drivers, ccs.v[k]);
    vec_clear(&ccs);
    vec_clear(&drivers);
    return chosen;
}

static void nodes_are_chosen_as_every_build_is_judged(void **state)
{
    struct strs releases = {0}, builds = {0};
    struct catalog_build b;
    struct facts f;

    catalog_releases(&catalog, &releases);
    for (size_t i = 0; i < releases.n; i++) {
        builds.n = 0;
        catalog_builds(&catalog, releases.v[i], &builds);
        for (size_t k = 0; k < builds.n; k++) {
            assert_true(catalog_build(&catalog, releases.v[i], builds.v[k], &b));
            facts_of_build(&f, &catalog, releases.v[i], &b);
            assert_true(compare_all(&f) > 0);
        }
    }
    vec_clear(&builds);
    vec_clear(&releases);
}

static void nodes_are_chosen_as_stranger_images_are_judged(void **state)
{
    static const struct {
        const char *cuda, *driver, *archs;
    } cases[] = {
        {"12.4", "525.60.13", "9.0a"},             /* that one capability alone */
        {"12.4", "525.60.13", "8.0 9.0a+PTX"},     /* whose PTX is for it alone, too */
        {"12.9", "525.60.13", "10.0f 12.0f+PTX"},  /* families */
        {"12.8", "525.60.13", "8.0+PTX"},          /* PTX for all that came later */
        {"13.2", "580.65.06", "7.5 8.6+PTX"},      /* that older drivers cannot compile */
        {"13.9", "580.65.06", "8.0 9.0+PTX"},      /* nor any that is known */
        {"12.4", "525.60.13", ""},                 /* not known: the toolkit decides */
        {"13.0", "580.65.06", ""},                 /* which dropped Volta */
        {"14.0", "", "9.0 12.0"},                  /* a family whose driver nobody knows */
        {"11.0", "450.36", "7.0 8.0"},             /* a driver of two numbers */
        {"12.4", "525.60.0", "8.6"},               /* a revision that asks for nothing */
        {"12.4", "600.5.7", "8.6"},                /* a minor number that may be "05" */
        {"12.4", "525.60.13", "8.9 8.6 5.2 99.9"}, /* in no order */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct facts f = {.pytorch = STR("2.6.0"),
                          .cuda = str_of(cases[i].cuda),
                          .driver_min = str_of(cases[i].driver),
                          .archs = str_of(cases[i].archs)};

        compare_all(&f);
    }
}

/* What the labels cannot tell: that this GPU takes the driver that the image brings. */
static void forward_compatibility_is_not_counted_on(void **state)
{
    CLEANUP(doc_clear) struct doc job = {0};
    CLEANUP(judgement_clear) struct judgement j = {0};
    struct facts f = {.pytorch = STR("2.9.0"),
                      .cuda = STR("13.0"),
                      .driver_min = STR("580.65.06"),
                      .archs = STR("8.0 9.0"),
                      .compat = STR("580.65.06")};
    struct host h = {.has_driver = true, .driver = STR("535.104.05")};
    struct catalog_gpu gpu;
    struct labels l;

    assert_true(catalog_gpu(&catalog, STR("H100"), &gpu));
    h.gpus.v = &gpu;
    h.gpus.n = 1;
    judge(&j, &f, &h, &catalog);
    assert_int_equal(j.verdict, VERDICT_LIMITS);
    read_job(&job, &f);
    label_node(&l, h.driver, gpu.cc);
    assert_false(is_chosen(terms_in(&job), &l));
    label_node(&l, STR("580.65.06"), gpu.cc);
    assert_true(is_chosen(terms_in(&job), &l));
}

static void terms_are_few(void **state)
{
    static const struct {
        const char *cuda, *driver, *archs;
        size_t most;
    } cases[] = {
        {"12.4", "525.60.13", "5.0 6.0 7.0 7.5 8.0 8.6 9.0", 5},
        {"12.8", "525.60.13", "7.5 8.0 8.6 9.0 10.0 12.0+PTX", 16},
        {"13.0", "580.65.06", "7.5 8.0 8.6 9.0 10.0 12.0", 12},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(node_selector_clear) struct node_selector w = {0};
        struct facts f = {.pytorch = STR("2.6.0"),
                          .cuda = str_of(cases[i].cuda),
                          .driver_min = str_of(cases[i].driver),
                          .archs = str_of(cases[i].archs)};

        node_selector_for(&w, &f, &catalog);
        if (!w.terms.n || w.terms.n > cases[i].most)
            fail_msg("%s: %zu terms", cases[i].archs, w.terms.n);
    }
}

static void versions_are_two_or_three_numbers(void **state)
{
    static const struct {
        const char *text;
        bool is;
    } cases[] = {
        {"525.60.13", true}, {"450.36", true},         {"580.65.06", true}, {"525", false},
        {"", false},         {"525.60.13.1", false},   {"525.60.x", false}, {"525.60.13\n", false},
        {"99999.1", false},  {"1.99999999999", false}, {"-1.2", false},     {"525..13", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (node_selector_takes(str_of(cases[i].text)) != cases[i].is)
            fail_msg("\"%s\"", cases[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_are_chosen_as_every_build_is_judged),
        cmocka_unit_test(nodes_are_chosen_as_stranger_images_are_judged),
        cmocka_unit_test(forward_compatibility_is_not_counted_on),
        cmocka_unit_test(terms_are_few),
        cmocka_unit_test(versions_are_two_or_three_numbers),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
