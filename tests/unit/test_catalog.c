/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>

#include "base/dotted.h"
#include "base/fs.h"
#include "base/path.h"
#include "doc/field.h"
#include "faults.h"
#include "model/catalog.h"

static void open_built_in(struct catalog *c)
{
    CLEANUP(err_clear) struct err e = {0};

    if (catalog_open(c, NULL, &e) < 0)
        fail_msg("%s", e.msg);
}

static void builds_are_found(void **state)
{
    static const struct {
        const char *pytorch, *cuda, *toolkit, *cudnn, *nccl, *archs;
        bool pypi, archs_unconfirmed, cudnn_unconfirmed;
    } cases[] = {
        {"2.0.0", "11.7", "11.7.1", "8.5.0.96", "2.14.3", "3.7 5.0 6.0 7.0 7.5 8.0 8.6", true,
         false, false},
        {"2.5.1", "12.4", "12.4.1", "9.1.0.70", "2.21.5", "5.0 6.0 7.0 7.5 8.0 8.6 9.0", true,
         false, false},
        {"2.6.0", "12.4", "12.4.1", "9.1.0.70", "2.21.5", "5.0 6.0 7.0 7.5 8.0 8.6 9.0", true,
         false, false},
        {"2.6.0", "12.6", "12.6.3", "9.5.1.17", "2.21.5", "5.0 6.0 7.0 7.5 8.0 8.6 9.0", false,
         true, false},
        {"2.11.0", "12.9", "12.9.1", "9.19.0.56", "2.28.9", "7.5 8.0 9.0 10.0 12.0", false, true,
         true},
        {"2.15.0", "13.2", "13.2.2", "9.26.0.51", "2.30.7", "7.5 8.0 8.6 9.0 10.0 12.0", true,
         false, false},
    };
    CLEANUP(catalog_clear) struct catalog c = {0};

    open_built_in(&c);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct catalog_build b = {0};

        assert_true(catalog_has(&c, str_of(cases[i].pytorch)));
        assert_true(catalog_build(&c, str_of(cases[i].pytorch), str_of(cases[i].cuda), &b));
        assert_true(str_is(b.cuda, cases[i].cuda));
        assert_true(str_is(b.toolkit, cases[i].toolkit));
        assert_true(str_is(b.cudnn, cases[i].cudnn));
        assert_true(str_is(b.nccl, cases[i].nccl));
        assert_true(str_is(b.archs, cases[i].archs));
        assert_int_equal(b.pypi, cases[i].pypi);
        assert_int_equal(b.archs_unconfirmed, cases[i].archs_unconfirmed);
        assert_int_equal(b.cudnn_unconfirmed, cases[i].cudnn_unconfirmed);
        if (!cases[i].pypi)
            continue;
        b = (struct catalog_build){0}; /* no CUDA asked for is PyPI's */
        assert_true(catalog_build(&c, str_of(cases[i].pytorch), STR(""), &b));
        assert_true(str_is(b.cuda, cases[i].cuda) && b.pypi);
    }
}

static void what_is_not_known_is_not_guessed(void **state)
{
    CLEANUP(catalog_clear) struct catalog c = {0};
    struct catalog_build b = {.cuda = STR("untouched")};

    open_built_in(&c);
    assert_false(catalog_has(&c, STR("2.99.0")));
    assert_false(catalog_has(&c, STR("2.6")));
    assert_false(catalog_build(&c, STR("2.99.0"), STR("12.4"), &b));
    assert_false(catalog_build(&c, STR("2.6.0"), STR("12.1"), &b));
    assert_true(str_is(b.cuda, "untouched"));
    assert_int_equal(catalog_driver(&c, STR("12.7.0")).len, 0); /* there is no 12.7 */
    assert_int_equal(catalog_driver(&c, STR("13.2.2")).len, 0); /* not confirmed */
    assert_int_equal(catalog_driver(&c, STR("")).len, 0);
    assert_int_equal(catalog_family_driver(&c, STR("14.0")).len, 0);
}

static void drivers_are_those_of_the_release_notes(void **state)
{
    static const char *const cases[][3] = {
        /* toolkit, shipped with, oldest of the family */
        {"11.8.0", "520.61.05", "450.80.02"}, {"12.1.1", "530.30.02", "525.60.13"},
        {"12.4.0", "550.54.14", "525.60.13"}, {"12.4.1", "550.54.15", "525.60.13"},
        {"12.6.3", "560.35.05", "525.60.13"}, {"13.0.0", "580.65.06", "580.65.06"},
    };
    CLEANUP(catalog_clear) struct catalog c = {0};

    open_built_in(&c);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_true(str_is(catalog_driver(&c, str_of(cases[i][0])), cases[i][1]));
        assert_true(str_is(catalog_family_driver(&c, str_of(cases[i][0])), cases[i][2]));
    }
}

static void a_branch_has_an_oldest_and_a_newest_release(void **state)
{
    CLEANUP(catalog_clear) struct catalog c = {0};
    struct str oldest = {0}, newest = {0};

    open_built_in(&c);
    assert_true(catalog_branch_ends(&c, STR("580"), &oldest, &newest));
    assert_true(str_is(oldest, "580.65.06") && str_is(newest, "580.126.20"));
    assert_false(catalog_branch_ends(&c, STR("58"), &oldest, &newest));
    assert_true(str_is(newest, "580.126.20"));
}

/* Which CUDA libraries have machine code, by the tables of cuobjdump. */
static void libraries_have_code_for_what_was_read(void **state)
{
    static const struct {
        const char *cuda, *gpu;
        bool want;
    } cases[] = {{"12.6", "RTX 4090", true},  {"12.6", "H100", true},
                 {"12.6", "RTX 5090", false}, {"12.8", "RTX 5090", true},
                 {"12.6", "GTX 1080", true},  {"13.2", "T4", true},
                 {"13.2", "V100", false},     {"11.8", "RTX 4090", false}};
    CLEANUP(catalog_clear) struct catalog c = {0};

    open_built_in(&c);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct catalog_gpu gpu;

        assert_true(catalog_gpu(&c, str_of(cases[i].gpu), &gpu));
        if (catalog_libraries_have_code(&c, str_of(cases[i].cuda), &gpu) != cases[i].want)
            fail_msg("%s on %s", cases[i].cuda, cases[i].gpu);
    }
}

/* Judge a recipe by the built-in catalog; the faults as text. */
static void check(struct buf *faults, const char *yaml, const char *python)
{
    CLEANUP(catalog_clear) struct catalog c = {0};
    CLEANUP(recipe_clear) struct recipe r = {0};
    CLEANUP(err_clear) struct err e = {0};

    open_built_in(&c);
    if (recipe_parse(&r, str_of(yaml), "x.yaml", &e) < 0)
        fail_msg("%s: %s", yaml, e.msg);
    if (catalog_check(&c, &r, str_of(python), &e) < 0)
        assert_int_equal(e.kind, ERR_UNSAT);
    else
        assert_false(err_is_set(&e));
    faults_text(faults, &e);
}

static void what_exists_is_let_through(void **state)
{
    static const char *const cases[] = {
        "pytorch: 2.6.0\n",
        "pytorch: 2.6.0\ncuda: 12.4\ncudnn: 9\n",
        "pytorch: 2.6.0\ncuda: 12.4.1\ncudnn: 9.1\npython: 3.11\n",
        "pytorch: 2.6.0\ncuda: cu124\ncudnn: 9.1.0.70\n",
        "pytorch: 2.0.1\ncuda: 11.7\ncudnn: 8\n",
        "pytorch: 2.15.0\ncuda: 13.2\ncudnn: 9\n",
        "pytorch: 2.6.0\ncuda: cu118\ncudnn: 9\n", /* not on PyPI */
        "pytorch: 2.6.0\ncuda: cpu\n",
        "pytorch: 2.99.0\ncuda: 15.0\ncudnn: 12\n", /* not known: the index will tell */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf faults = {0};

        check(&faults, cases[i], "3.11");
        assert_string_equal(faults.p, "");
    }
}

static void what_cannot_be_is_refused_with_what_exists(void **state)
{
    static const char *const cases[][2] = {
        {"pytorch: 2.6.0\ncuda: 12.1\n", "x.yaml:2:7: cuda: \"12.1\" has no PyTorch 2.6.0 build; "
                                         "published builds: 11.8, 12.4, 12.6 "
                                         "(on PyPI: 12.4)"},
        {"pytorch: 2.6.0\ncuda: cu118\ncudnn: 8\n", /* that build's cuDNN, not PyPI's */
         "x.yaml:3:8: cudnn: \"8\" does not come with PyTorch 2.6.0 for CUDA 11.8, which has cuDNN "
         "9.1.0.70"},
        {"pytorch: 2.6.0\ncuda: 12.4.0\n",
         "x.yaml:2:7: cuda: \"12.4.0\" is not what PyTorch 2.6.0 was built with: its CUDA 12.4 is "
         "12.4.1"},
        {"pytorch: 2.6.0\ncudnn: 8\n", /* PyPI's build is meant */
         "x.yaml:2:8: cudnn: \"8\" does not come with PyTorch 2.6.0 for CUDA 12.4, which has cuDNN "
         "9.1.0.70"},
        {"pytorch: 2.6.0\ncuda: 12.4\ncudnn: 9.5\n",
         "x.yaml:3:8: cudnn: \"9.5\" does not come with PyTorch 2.6.0 for CUDA 12.4, which has "
         "cuDNN "
         "9.1.0.70"},
        {"pytorch: 2.6.0\ncuda: 12.4\ncudnn: 9.1.0.7\n", /* a part of a number is none */
         "x.yaml:3:8: cudnn: \"9.1.0.7\" does not come with PyTorch 2.6.0 for CUDA 12.4, which has "
         "cuDNN 9.1.0.70"},
        {"pytorch: 2.12.1\ncuda: 12.9\ncudnn: 8\n",
         "x.yaml:3:8: cudnn: \"8\" does not come with PyTorch 2.12.1 for CUDA 12.9, which has "
         "cuDNN "
         "9.20.0.48 (not confirmed)"},
        {"pytorch: 2.6.0\npython: 3.12\n", "x.yaml:2:9: python: \"3.12\" is not in debian-12, "
                                           "whose Python is 3.11; base: ubuntu-24.04 has it"},
        /* The two tags of many public Dockerfiles that never existed. */
        {"pytorch: 2.6.0\ncuda: 12.1\ncudnn: 8\n",
         "x.yaml:2:7: cuda: \"12.1\" has no PyTorch 2.6.0 build; published builds: 11.8, 12.4, "
         "12.6 "
         "(on PyPI: 12.4)\n"
         "x.yaml:3:8: cudnn: \"8\" comes with no build of PyTorch 2.6.0; its builds have cuDNN "
         "9.1.0.70, 9.5.1.17"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf faults = {0};

        check(&faults, cases[i][0], "3.11");
        assert_string_equal(faults.p, cases[i][1]);
    }
}

static void a_python_without_wheels_is_refused(void **state)
{
    CLEANUP(buf_clear) struct buf faults = {0};

    check(&faults, "pytorch: 2.15.0\n", "3.10");
    assert_string_equal(faults.p,
                        "x.yaml:1:10: pytorch: \"2.15.0\" has no wheel for Python 3.10, the "
                        "one in debian-12; it has wheels for Python 3.11, 3.12, 3.13, 3.14, "
                        "3.15");
}

/* ---- the tables themselves ---- */

static void check_build(const struct node *build, struct err *e)
{
    static const char *const known[] = {"toolkit", "cudnn", "nccl", "archs", "unconfirmed", NULL};
    struct fields f = fields_of(build, "build", e);
    struct str text, toolkit = {0};
    const struct node *n;

    fields_only(&f, known);
    field_need_str(&f, "cudnn", &text);
    if (field_need_str(&f, "toolkit", &toolkit) &&
        !(str_starts(toolkit, build->key) && toolkit.p[build->key.len] == '.'))
        err_at(e, &build->pos, "toolkit is not of this CUDA");
    node_each(n, field_list(&f, "unconfirmed")) {
        bool named = false;

        for (const char *const *k = known; *k; k++)
            named |= str_is(n->text, *k);
        if (!named)
            err_at(e, &n->pos, "no field \"" STR_FMT "\"", STR_ARG(n->text));
    }
}

static void every_row_is_whole(void **state)
{
    static const char *const known[] = {"python", "pypi", "triton", "source", "builds", NULL};
    CLEANUP(catalog_clear) struct catalog c = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf faults = {0};
    const struct node *r, *b, *n;
    size_t releases = 0, builds = 0;

    open_built_in(&c);
    node_each(r, node_get(c.pytorch.root, "releases")) {
        struct fields f = fields_of(r, "release", &e);
        struct str pypi = {0};

        releases++;
        fields_only(&f, known);
        field_need_list(&f, "python");
        if (field_need_str(&f, "pypi", &pypi) && !node_get_str(node_get(r, "builds"), pypi))
            err_at(&e, &r->pos, "PyPI's build is not in the list");
        node_each(b, field_need_map(&f, "builds")) {
            builds++;
            check_build(b, &e);
            n = node_get_str(node_get(c.cuda.root, "toolkits"), node_get(b, "toolkit")->text);
            if (!n)
                err_at(&e, &b->pos, "cuda.yaml lacks its toolkit");
        }
    }
    assert_string_equal(faults_text(&faults, &e), "");
    assert_true(releases >= 28 && builds >= 76);
}

/* Each list in the order of versions, without repeats. */
static void check_order(const struct node *list, bool keys)
{
    const struct node *n;

    node_each(n, list) {
        if (n->next &&
            dotted_compare(keys ? n->key : n->text, keys ? n->next->key : n->next->text) >= 0)
            fail_msg(STR_FMT " is not before the next", STR_ARG(keys ? n->key : n->text));
    }
}

static void versions_are_sorted_and_architectures_known(void **state)
{
    CLEANUP(catalog_clear) struct catalog c = {0};
    const struct node *r, *b, *n;

    open_built_in(&c);
    check_order(node_get(c.pytorch.root, "releases"), true);
    check_order(node_get(c.cuda.root, "families"), true);
    check_order(node_get(c.cuda.root, "toolkits"), true);
    check_order(node_get(c.cuda.root, "branches"), true);
    check_order(node_get(node_get(c.cuda.root, "forward"), "packages"), true);
    check_order(node_get(c.gpu.root, "architectures"), true);
    node_each(n, node_get(node_get(c.cuda.root, "forward"), "packages"))
        check_order(n, false);
    node_each(r, node_get(c.pytorch.root, "releases")) {
        check_order(node_get(r, "python"), false);
        node_each(n, node_get(r, "python")) { /* without gaps: shown as first to last */
            struct str this = n->text, next = n->next ? n->next->text : n->text;
            uint32_t a = 0, then = 0;

            assert_true(str_skip(&this, STR("3.")) && str_u32(this, &a));
            assert_true(str_skip(&next, STR("3.")) && str_u32(next, &then));
            assert_true(!n->next || then == a + 1);
        }
        check_order(node_get(r, "builds"), true);
        node_each(b, node_get(r, "builds")) {
            struct str archs = node_text_of(b, "archs"), word;

            while (str_word(&archs, &word)) {
                struct catalog_arch a;

                str_drop(&word, STR("+PTX"));
                if (!catalog_arch(&c, word, &a))
                    fail_msg(STR_FMT " " STR_FMT ": \"" STR_FMT "\" is not an architecture",
                             STR_ARG(r->key), STR_ARG(b->key), STR_ARG(word));
                /* The toolkit must be able to make that code. */
                if ((a.toolkit_first.len && dotted_compare(b->key, a.toolkit_first) < 0) ||
                    (a.toolkit_last.len && dotted_compare(b->key, a.toolkit_last) > 0))
                    fail_msg(STR_FMT ": CUDA " STR_FMT " makes no code for " STR_FMT,
                             STR_ARG(r->key), STR_ARG(b->key), STR_ARG(word));
            }
        }
    }
}

/* The driver that a toolkit shipped with knows that CUDA, and is not older than its family's. */
static void toolkits_branches_and_families_agree(void **state)
{
    CLEANUP(catalog_clear) struct catalog c = {0};
    const struct node *t;

    open_built_in(&c);
    node_each(t, node_get(c.cuda.root, "toolkits")) {
        struct str driver = catalog_driver(&c, t->key), cuda;

        if (!driver.len)
            continue;
        cuda = catalog_cuda_of_driver(&c, driver);
        if (!str_starts(t->key, cuda) || t->key.p[cuda.len] != '.')
            fail_msg(STR_FMT ": driver " STR_FMT " is of " STR_FMT, STR_ARG(t->key),
                     STR_ARG(driver), STR_ARG(cuda));
        assert_true(dotted_compare(catalog_family_driver(&c, t->key), driver) <= 0);
    }
}

static void drivers_compare_number_by_number(void **state)
{
    static const char *const cases[][2] = {
        {"535.247.01", "550.54.14"},
        {"570.86.10", "570.124.06"},
        {"525.60.13", "525.85.12"},
        {"535", "535.54.03"},
        {"9.1", "10"},
        {"450.80.02", "450.80.12"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str a = str_of(cases[i][0]), b = str_of(cases[i][1]);

        assert_true(dotted_compare(a, b) < 0);
        assert_true(dotted_compare(b, a) > 0);
        assert_true(dotted_compare(a, a) == 0);
    }
}

static void drivers_know_the_cuda_of_their_branch(void **state)
{
    static const char *const cases[][2] = {
        {"440.33", ""},         {"450.51.05", "11.0"},  {"460.32.03", "11.2"},
        {"470.256.02", "11.4"}, {"510.108.03", "11.6"}, {"515.43.04", "11.7"},
        {"520.61.05", "11.8"},  {"525.60.13", "12.0"},  {"525.147.05", "12.0"},
        {"530.30.02", "12.1"},  {"535.54.03", "12.2"},  {"535.247.01", "12.2"},
        {"545.29.06", "12.3"},  {"550.40.07", "12.4"},  {"550.163.01", "12.4"},
        {"555.58.02", "12.5"},  {"560.35.03", "12.6"},  {"565.57.01", "12.6"},
        {"570.26", "12.8"},     {"570.211.01", "12.8"}, {"575.57.08", "12.9"},
        {"580.65.06", "13.0"},  {"590.48.01", "13.1"},  {"595.58.03", "13.2"},
        {"610.43.02", "13.3"},  {"615.36.01", "13.4"},  {"700.1", "13.4"},
    };
    CLEANUP(catalog_clear) struct catalog c = {0};

    open_built_in(&c);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str cuda = catalog_cuda_of_driver(&c, str_of(cases[i][0]));

        if (!str_is(cuda, cases[i][1]))
            fail_msg("%s: " STR_FMT, cases[i][0], STR_ARG(cuda));
    }
}

static void forward_compatibility_is_the_vendors_table(void **state)
{
    static const struct {
        const char *cuda, *driver, *class;
        enum catalog_forward want;
    } cases[] = {
        {"13.0", "535.247.01", "datacenter", FORWARD_YES},
        {"13.0.2", "570.124.06", "datacenter", FORWARD_YES},
        {"13.0", "570.124.06", "jetson", FORWARD_YES},
        {"13.0", "570.124.06", "workstation", FORWARD_SELECTED},
        {"13.0", "570.124.06", "geforce", FORWARD_NO},
        {"13.0", "570.124.06", "titan", FORWARD_NO},
        {"13.0", "570.124.06", "", FORWARD_UNKNOWN},
        {"13.0", "580.65.06", "datacenter", FORWARD_NEEDLESS},
        {"13.0", "595.58.03", "geforce", FORWARD_NEEDLESS},
        {"12.9", "580.65.06", "datacenter", FORWARD_NEEDLESS},
        {"12.9", "570.124.06", "datacenter", FORWARD_YES},
        {"12.4.1", "535.54.03", "datacenter", FORWARD_YES},
        {"13.0", "550.54.14", "datacenter", FORWARD_UNKNOWN}, /* no longer on the page */
        {"13.0", "470.256.02", "datacenter", FORWARD_UNKNOWN},
        {"11.8", "470.256.02", "datacenter", FORWARD_UNKNOWN},
        {"13.4", "610.43.02", "datacenter", FORWARD_YES},
        {"13.4", "615.36.01", "datacenter", FORWARD_NEEDLESS},
    };
    CLEANUP(catalog_clear) struct catalog c = {0};

    open_built_in(&c);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum catalog_forward got = catalog_forward(&c, str_of(cases[i].cuda),
                                                   str_of(cases[i].driver), str_of(cases[i].class));

        if (got != cases[i].want)
            fail_msg("%s on %s %s: %d", cases[i].cuda, cases[i].driver, cases[i].class, got);
    }
}

static void another_catalog_must_be_one(void **state)
{
    static const char *const cases[][2] = {
        {"catalog: 2\nreleases: {}\n", "catalog schema 2 is not known; this envbuild reads 1"},
        {"releases: {}\n", "catalog: \"catalog\" is missing"},
        {"catalog: 1\n", "catalog: \"releases\" is missing"},
        {"catalog: 1\nreleases: []\n", "releases: a map is wanted here, not a list"},
        {"[]\n", "catalog: a map of keys and values is wanted here, not a list"},
    };
    char dir[] = "/tmp/test_catalog.XXXXXX";
    CLEANUP(free_clear) char *path = NULL;
    CLEANUP(err_clear) struct err e = {0};

    assert_non_null(mkdtemp(dir));
    path = path_join(dir, "pytorch.yaml");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(catalog_clear) struct catalog c = {0};

        assert_int_equal(fs_write(path, str_of(cases[i][0]), &e), 0);
        assert_int_equal(catalog_open(&c, dir, &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_string_equal(e.msg, cases[i][1]);
        assert_string_equal(e.file, path);
        err_clear(&e);
    }
    assert_int_equal(fs_remove(path, &e), 0);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_are_found),
        cmocka_unit_test(what_is_not_known_is_not_guessed),
        cmocka_unit_test(drivers_are_those_of_the_release_notes),
        cmocka_unit_test(what_exists_is_let_through),
        cmocka_unit_test(what_cannot_be_is_refused_with_what_exists),
        cmocka_unit_test(a_python_without_wheels_is_refused),
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(versions_are_sorted_and_architectures_known),
        cmocka_unit_test(toolkits_branches_and_families_agree),
        cmocka_unit_test(drivers_compare_number_by_number),
        cmocka_unit_test(drivers_know_the_cuda_of_their_branch),
        cmocka_unit_test(forward_compatibility_is_the_vendors_table),
        cmocka_unit_test(a_branch_has_an_oldest_and_a_newest_release),
        cmocka_unit_test(libraries_have_code_for_what_was_read),
        cmocka_unit_test(another_catalog_must_be_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
