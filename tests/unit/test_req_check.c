/* tests/unit/test_req_check.c - lines of requirement files against what the recipe says. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fs.h"
#include "base/path.h"
#include "faults.h"
#include "plan/req_check.h"

#define WHL "https://download.pytorch.org/whl/"
#define MINE "pytorch: \"2.6.0\"\ncuda: \"12.4\"\n"
#define AT_TORCH "pytorch: \"2.6.0\" at x.yaml:1:10"
#define AT_CUDA "cuda: \"12.4\" at x.yaml:2:7"

static int setup(void **state)
{
    char dir[] = "/tmp/test_req_check.XXXXXX";

    *state = mkdtemp(dir) ? xstrdup(dir) : NULL;
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    CLEANUP(free_clear) char *file = path_join(*state, "r.txt");
    int result = unlink(file) < 0 || rmdir(*state) < 0;

    free(*state);
    return result;
}

/* What is said of `lines` as a requirements file of `recipe`; "" when nothing, then `note` gets the
 * note. */
static void check(struct buf *out, struct buf *note, const char *dir, const char *recipe,
                  const char *lines)
{
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(free_clear) char *file = path_join(dir, "r.txt");
    CLEANUP(catalog_clear) struct catalog catalog = {0};
    CLEANUP(recipe_clear) struct recipe r = {0};
    CLEANUP(requirements_clear) struct requirements reqs = {0};
    CLEANUP(arena_clear) struct arena a = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(choices_clear) struct choices choices = {0};
    struct torch_index torch;

    buf_fmt(&text, "%s%s", recipe, strstr(recipe, "pip:") ? "" : "pip: [{requirements: r.txt}]\n");
    assert_int_equal(fs_write(file, str_of(lines), &e), 0);
    assert_int_equal(catalog_open(&catalog, NULL, &e), 0);
    assert_int_equal(recipe_parse(&r, buf_view(&text), "x.yaml", &e), 0);
    torch_index_choose(&torch, &a, &catalog, &r);
    assert_int_equal(requirements_open(&reqs, &r, torch.local, NULL, dir, &e), 0);
    buf_reset(out);
    buf_puts(out, "");
    if (req_check(&reqs, &r, &torch, STR("3.11"), &e) < 0)
        (void)faults_text(out, &e);
    else
        req_note(&reqs, &choices);
    buf_str(note, choices.options);
}

static void lines_that_say_the_same(void **state)
{
    static const char *const cases[][2] = {
        {MINE, "torch==2.6.0\n"},
        {MINE, "torch==2.6.0+cu124\ntorchvision==0.21.0+cu124\n"},
        {MINE, "torch>=2.0,!=2.6.0+cu118\nTorch==2.6.*\ntorch===2.6.0\n"},
        {MINE, "torch==2.5.1 ; sys_platform == 'darwin'\n"},
        {MINE, "other==1.0+cu118\ntorchvision==0.21.0+mine.1\n"},
        {MINE, "torch @ https://h.test/torch-2.5.1-py3-none-any.whl\n"}, /* the solver's to weigh */
        {"pytorch: \"2.6.0\"\n", "torch==2.6.0+cu124\n"},                /* PyPI's build */
        {"pytorch: \"2.6.0\"\ncuda: \"12.6.3\"\n", "torch==2.6.0+cu126\n"},
        {"pytorch: \"2.6.0\"\ncuda: cpu\n", "torch==2.6.0+CPU\n"},
        /* who has an index of his own knows its labels */
        {"pytorch: \"2.6.0\"\nindexes: [\"https://h.test/\"]\n", "torch==2.6.0+rocm6.2\n"},
        {MINE, "-i https://pypi.org/simple\n--index-url=https://pypi.org/simple/\n"
               "--extra-index-url https://pypi.org/simple\n"},
        {MINE "indexes: [\"https://me@h.test/simple\"]\n", "-i https://h.test/simple/\n"},
        {MINE,
         "--extra-index-url " WHL "cu124\n-i " WHL "cu124/\n-f " WHL "cu124/torch_stable.html\n"},
        {MINE, "-f " WHL "torch_stable.html\ntorch==2.6.0+cu124\n"},
        {"pytorch: \"2.6.0\"\nindexes: [\"" WHL "cu126\"]\n", "--extra-index-url " WHL "cu126\n"},
    };
    CLEANUP(buf_clear) struct buf got = {0}, note = {0};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check(&got, &note, *state, cases[i][0], cases[i][1]);
        if (got.len)
            fail_msg("%s: %s", cases[i][1], got.p);
    }
}

static void lines_that_say_otherwise(void **state)
{
    static const char *const cases[][3] = {
        {MINE, "torch==2.5.1\n",
         "r.txt:1:1: \"torch==2.5.1\" contradicts " AT_TORCH "; change one of them"},
        {MINE, "torch>=2.0,<2.5 ; python_version > '3.8'\n",
         "r.txt:1:1: \"torch>=2.0,<2.5 ; python_version > '3.8'\" contradicts " AT_TORCH
         "; change one of them"},
        {MINE, "numpy\ntorch==2.1.0+cu118\n",
         "r.txt:2:1: \"torch==2.1.0+cu118\" contradicts " AT_TORCH " and " AT_CUDA
         "; change one of them"},
        {MINE, "torch==2.6.0+cu118\ntorchaudio==2.6.0+cpu\n",
         "r.txt:1:1: \"torch==2.6.0+cu118\" contradicts " AT_CUDA "; change one of them\n"
         "r.txt:2:1: \"torchaudio==2.6.0+cpu\" contradicts " AT_CUDA "; change one of them"},
        {MINE "pip: [\"torch==2.6.0+cu126\"]\n", "",
         "x.yaml:3:7: \"torch==2.6.0+cu126\" contradicts " AT_CUDA "; change one of them"},
        {MINE "pip: []\nconstraints: [\"torch<2.6\"]\n", "",
         "x.yaml:4:15: \"torch<2.6\" contradicts " AT_TORCH "; change one of them"},
        {"pytorch: \"2.6.0\"\n", "torch==2.6.0+cu118\n",
         "r.txt:1:1: \"torch==2.6.0+cu118\" contradicts the recipe, which has no `cuda` and so "
         "PyPI's build, cu124 (name it there: cuda: \"11.8\"); change one of them"},
        {MINE, "-i https://x.test/simple\n",
         "r.txt:1:1: \"--index-url\": name the index under `indexes` in the recipe"},
        {MINE "indexes: [\"https://h.test/simple\"]\n", "-i https://pypi.org/simple\n",
         "r.txt:1:1: \"--index-url\": name the index under `indexes` in the recipe"},
        {MINE, "-f wheels\n",
         "r.txt:1:1: \"--find-links\": name the folder under `find_links` in the recipe"},
        {MINE, "--extra-index-url " WHL "cu126\n",
         "r.txt:1:1: \"--extra-index-url " WHL "cu126\" contradicts " AT_CUDA
         "; change one of them"},
        {MINE, "-f " WHL "torch_stable.html\ntorch==2.6.0\n",
         "r.txt:1:1: \"--find-links " WHL "torch_stable.html\" has every build, and `cuda` in the "
         "recipe decides which one (cu124); leave the line out"},
        {"pytorch: \"2.99.0\"\n", "-i " WHL "cu124\n",
         "r.txt:1:1: \"--index-url " WHL "cu124\" names a build, and `cuda` in the recipe decides "
         "which one; name it there"},
        {"pytorch: \"2.6.0\"\ncuda: \"11.8\"\n", "-f " WHL "torch_stable.html\n",
         "r.txt:1:1: \"--find-links " WHL "torch_stable.html\" has every build, and `cuda` in the "
         "recipe decides which one (cu118); leave the line out"},
        {MINE, "-i " WHL "nightly/cu124\n",
         "r.txt:1:1: \"--index-url\": name the index under `indexes` in the recipe"},
    };
    CLEANUP(buf_clear) struct buf got = {0}, note = {0};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check(&got, &note, *state, cases[i][0], cases[i][1]);
        assert_string_equal(got.p, cases[i][2]);
    }
}

static void one_note_names_what_was_taken(void **state)
{
    CLEANUP(buf_clear) struct buf got = {0}, note = {0};

    check(&got, &note, *state, MINE, "--no-cache-dir\n-i https://pypi.org/simple\nx\n");
    assert_string_equal(note.p, "r.txt:1 --no-cache-dir, r.txt:2 --index-url: pip's options that "
                                "change nothing; the recipe decides");
    buf_reset(&note);
    check(&got, &note, *state, MINE, "x\n");
    assert_int_equal(note.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_that_say_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_that_say_otherwise, setup, teardown),
        cmocka_unit_test_setup_teardown(one_note_names_what_was_taken, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
