/* model/finding.c: which of what the load proof found is told, and how. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "look/proof.h"
#include "model/finding.h"

#define SITE "/opt/venv/lib/python3.11/site-packages/"

static void add_wheel(struct lock *lock, const char *name, bool requested)
{
    struct artifact *a = vec_push(&lock->artifacts);

    *a = (struct artifact){.eco = ECO_WHEEL, .name = str_of(name), .requested = requested};
}

static void fill(struct lock *lock)
{
    add_wheel(lock, "numpy", false);
    add_wheel(lock, "onnxruntime-gpu", true);
    add_wheel(lock, "scipy", true);
    lock->built = true;
}

/* The sentences are those of look/proof.c. */
static void rank_follows_from_the_sentence(void **state)
{
    static const struct {
        const char *words;
        enum finding_rank rank;
        const char *file, *owner, *what;
    } cases[] = {
        {SITE "numpy/m.so (numpy) needs libz.so.1, which is not in the image", FINDING_IMPORT,
         SITE "numpy/m.so", "numpy", "needs libz.so.1, which is not in the image"},
        {FINDING_PLUGIN SITE "onnxruntime/capi/libp.so (onnxruntime_gpu) needs libcublas.so.13, "
                             "which is not in the image",
         FINDING_REQUESTED, SITE "onnxruntime/capi/libp.so", "onnxruntime_gpu",
         "needs libcublas.so.13, which is not in the image"},
        {FINDING_PLUGIN SITE "numpy/libp.so (numpy) needs libx.so, which is not in the image",
         FINDING_OTHER, SITE "numpy/libp.so", "numpy", "needs libx.so, which is not in the image"},
        {FINDING_PLUGIN "/opt/libp.so needs libx.so, which is not in the image", FINDING_OTHER,
         "/opt/libp.so", "", "needs libx.so, which is not in the image"},
        {SITE "scipy/m.so (scipy) takes libgfortran.so.5 from /a, others beside it from /b",
         FINDING_OTHER, SITE "scipy/m.so", "scipy",
         "takes libgfortran.so.5 from /a, others beside it from /b"},
        {"/usr/bin/x is started by /lib/ld.so, which is not in the image", FINDING_IMPORT,
         "/usr/bin/x", "", "is started by /lib/ld.so, which is not in the image"},
        {"what no envbuild wrote", FINDING_IMPORT, "what no envbuild wrote", "", ""},
    };
    struct lock lock = {0};

    fill(&lock);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct finding f;

        finding_read(&f, &lock, str_of(cases[i].words));
        assert_int_equal(f.rank, cases[i].rank);
        assert_true(str_is(f.file, cases[i].file) && str_is(f.owner, cases[i].owner));
        assert_true(str_is(f.what, cases[i].what));
    }
    lock_clear(&lock);
}

/* What the load proof says today is read back: of each kind who asks, and for what. */
static void the_words_of_the_proof_are_read_back(void **state)
{
    struct lock lock = {0};

    fill(&lock);
    for (unsigned kind = PROOF_MISSING; kind <= PROOF_TWO_FILES; kind++) {
        const struct proof_finding said = {.kind = (enum proof_kind)kind,
                                           .file = STR("/a b/libx.so"),
                                           .owner = STR("numpy"),
                                           .name = STR("liby.so"),
                                           .version = STR("Y_1"),
                                           .found = STR("/y"),
                                           .other = STR("/z")};
        CLEANUP(buf_clear) struct buf words = {0};
        struct finding f;

        proof_words(&words, &said);
        finding_read(&f, &lock, buf_view(&words));
        assert_true(str_is(f.file, "/a b/libx.so") && str_is(f.owner, "numpy"));
        assert_true(str_find_str(f.what, STR("liby.so")) < f.what.len);
        assert_int_equal(f.rank, kind == PROOF_TWO_FILES ? FINDING_OTHER : FINDING_IMPORT);
    }
    lock_clear(&lock);
}

/* 38 of one kind do not hide the one that matters. */
static void what_matters_comes_first_and_alone(void **state)
{
    CLEANUP(names_clear) struct names lines = {0};
    CLEANUP(buf_clear) struct buf all = {0};
    struct lock lock = {0};

    fill(&lock);
    for (int i = 0; i < 38; i++)
        vec_add(&lock.findings,
                STR(SITE "scipy/m.so (scipy) takes liba.so from /a, others beside it from /b"));
    for (int i = 0; i < 2; i++)
        vec_add(&lock.findings,
                STR(FINDING_PLUGIN SITE "onnxruntime/libp.so (onnxruntime_gpu) needs "
                                        "libcublas.so.13, which is not in the image"));
    findings_summary(&lines, &lock, "x.yaml");
    assert_int_equal(lines.n, 2);
    assert_string_equal(lines.v[0],
                        "onnxruntime_gpu: libp.so needs libcublas.so.13, which is not in "
                        "the image; 1 more of its plug-ins lack something; it is met "
                        "only where that plug-in is asked for");
    assert_string_equal(lines.v[1], "38 more notes on how libraries load; `envbuild explain "
                                    "--findings x.yaml` lists all");
    findings_print(&all, &lock);
    assert_true(
        str_starts(buf_view(&all), STR("plug-ins of packages that the recipe names\n  only")));
    lock_clear(&lock);
}

static void nothing_found_says_nothing(void **state)
{
    CLEANUP(names_clear) struct names lines = {0};
    struct lock lock = {0};

    fill(&lock);
    findings_summary(&lines, &lock, "x.yaml");
    assert_int_equal(lines.n, 0);
    lock_clear(&lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rank_follows_from_the_sentence),
        cmocka_unit_test(the_words_of_the_proof_are_read_back),
        cmocka_unit_test(what_matters_comes_first_and_alone),
        cmocka_unit_test(nothing_found_says_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
