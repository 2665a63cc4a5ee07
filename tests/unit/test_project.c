/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pkg/pypi/project.h"

struct given {
    const char *file, *python;
    bool yanked;
};

static void select_from(struct project *p, const struct given *files, size_t n, bool sources)
{
    const struct wheel_target target = {3, 11, 2, 36, STR("x86_64")};
    struct err e = {0};

    p->name = STR("foo-bar");
    for (size_t i = 0; i < n; i++) {
        struct simple_file *f = vec_push(&p->page.files);

        f->name = str_of(files[i].file);
        f->url = STR("https://x.test/f");
        f->requires_python = str_of(files[i].python);
        f->yanked = files[i].yanked;
    }
    assert_int_equal(project_select(p, &target, STR("3.11.2"), STR("from"), sources, &e), 0);
}

static void the_best_wheel_of_each_version_newest_first(void **state)
{
    static const struct given files[] = {
        {"foo_bar-1.9-py3-none-any.whl", "", false},
        {"foo_bar-1.10-py3-none-any.whl", "", false},
        {"foo_bar-1.10-cp311-cp311-manylinux_2_28_x86_64.whl", "", false},
        {"foo_bar-1.10-2-cp311-cp311-manylinux_2_28_x86_64.whl", "", false},
        {"foo_bar-1.10-cp312-cp312-manylinux_2_28_x86_64.whl", "", false},
        {"foo_bar-1.10.tar.gz", "", false},
        {"foo_bar-1.8-1-py3-none-any.whl", "", true},
        {"foo_bar-1.8-py3-none-any.whl", "", false},
        {"foo_bar-1.7.0-py3-none-any.whl", "not a specifier", true},
        {"other-9-py3-none-any.whl", "", false},
        {"readme.txt", "", false},
    };
    static const char *const want[] = {
        "foo_bar-1.10-2-cp311-cp311-manylinux_2_28_x86_64.whl", "foo_bar-1.9-py3-none-any.whl",
        "foo_bar-1.8-py3-none-any.whl", "foo_bar-1.7.0-py3-none-any.whl"};
    CLEANUP(project_clear) struct project p = {0};

    select_from(&p, files, ARRAY_LEN(files), false);
    assert_int_equal(p.candidates.n, ARRAY_LEN(want));
    assert_int_equal(p.page.files.n, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_true(str_is(p.candidates.v[i].file->name, want[i]));
    assert_true(p.candidates.v[3].file->yanked && str_is(p.candidates.v[3].version.text, "1.7.0"));
    assert_true(str_is(p.candidates.v[0].from, "from"));
    assert_int_equal(p.left_out.n, 0);
}

static void what_is_left_out_and_why(void **state)
{
    static const struct given files[] = {
        {"foo-bar-5.tar.gz", "", false},
        {"foo.bar-4.zip", ">=3.12", false},
        {"foo_bar-3-cp312-cp312-manylinux_2_28_x86_64.whl", ">=3.12", false},
        {"foo_bar-2-cp311-cp311-win_amd64.whl", "", false},
        {"foo_bar-2.tar.gz", "", false},
        {"foo_bar-1-py3-none-any.whl", ">=3.11.5", false},
    };
    static const enum left_out_why want[] = {LEFT_SDIST_ONLY, LEFT_PYTHON_REFUSED,
                                             LEFT_PYTHON_REFUSED, LEFT_NO_TAG, LEFT_PYTHON_REFUSED};
    CLEANUP(project_clear) struct project p = {0};

    select_from(&p, files, ARRAY_LEN(files), false);
    assert_int_equal(p.candidates.n, 0);
    assert_int_equal(p.left_out.n, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_int_equal(p.left_out.v[i].why, want[i]);
    /* What pip would build: not where Python is refused. */
    assert_true(str_is(p.left_out.v[0].sdist->name, "foo-bar-5.tar.gz"));
    assert_null(p.left_out.v[1].sdist);
    assert_null(p.left_out.v[2].sdist);
    assert_true(str_is(p.left_out.v[3].sdist->name, "foo_bar-2.tar.gz"));
    assert_true(str_is(p.left_out.v[4].requires_python, ">=3.11.5"));
}

/* As pip has it: by version, and of a version the wheel where one fits. */
static void what_may_be_built_stands_in_its_place(void **state)
{
    static const struct given files[] = {
        {"foo_bar-6.tar.bz2", "", false},
        {"foo-bar-5.tar.gz", "", false},
        {"foo.bar-4.zip", ">=3.12", false},
        {"foo_bar-3-cp312-cp312-manylinux_2_28_x86_64.whl", "", false},
        {"foo_bar-3.zip", "", false},
        {"foo_bar-2-py3-none-any.whl", "", false},
        {"foo_bar-2.tar.gz", "", false},
        {"foo_bar-1.tar.gz", "", true},
    };
    static const char *const want[] = {"foo-bar-5.tar.gz", "foo_bar-3.zip",
                                       "foo_bar-2-py3-none-any.whl", "foo_bar-1.tar.gz"};
    CLEANUP(project_clear) struct project p = {0};

    select_from(&p, files, ARRAY_LEN(files), true);
    assert_int_equal(p.candidates.n, ARRAY_LEN(want));
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        assert_true(str_is(p.candidates.v[i].file->name, want[i]));
        assert_int_equal(p.candidates.v[i].source, i != 2);
    }
    /* Of a form that is not built here it is told, as ever. */
    assert_int_equal(p.left_out.n, 2);
    assert_true(str_is(p.left_out.v[0].sdist->name, "foo_bar-6.tar.bz2"));
    assert_int_equal(p.left_out.v[1].why, LEFT_PYTHON_REFUSED);
}

static void files_of_a_project_are_told_by_their_names(void **state)
{
    static const struct {
        const char *file;
        bool has;
    } rows[] = {
        {"foo_bar-1.0-py3-none-any.whl", true},
        {"Foo.Bar-1.0.tar.gz", true},
        {"foo-bar-1.0.zip", true},
        {"foo-bar1.0cxx11abiTRUE", false}, /* a folder of extensions */
        {"foo-bar", false},
        {"foo-bar-1.0.txt", false},
        {"foo_bar_more-1.0-py3-none-any.whl", false},
        {"foo_bar-more-1.0.tar.gz", false},
        {"foo_bar-x.tar.gz", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (project_has(STR("foo-bar"), str_of(rows[i].file)) != rows[i].has)
            fail_msg("%s", rows[i].file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_a_project_are_told_by_their_names),
        cmocka_unit_test(the_best_wheel_of_each_version_newest_first),
        cmocka_unit_test(what_is_left_out_and_why),
        cmocka_unit_test(what_may_be_built_stands_in_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
