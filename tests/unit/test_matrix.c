/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "doc/emit.h"
#include "doc/yaml.h"
#include "faults.h"
#include "model/matrix.h"

/* The names of the cells, or the faults, a line each. */
static void cells(struct buf *out, const char *yaml, const char *of)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(arena_clear) struct arena arena = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct strs names = {0};

    if (yaml_parse(&doc, str_of(yaml), "x.yaml", &e) < 0)
        fail_msg("%s: %s", yaml, faults_text(out, &e));
    assert_true(matrix_is(&doc));
    if (matrix_cells(&names, &arena, &doc, str_of(of), &e) < 0)
        faults_text(out, &e);
    for (size_t i = 0; i < names.n; i++)
        buf_fmt(out, "%s" STR_FMT, i ? "\n" : "", STR_ARG(names.v[i]));
    vec_clear(&names);
}

#define TWO_BY_TWO "matrix: {pytorch: [2.6.0, 2.7.1], variant: [runtime, devel]"

static void each_combination_that_nothing_excludes_is_a_cell(void **state)
{
    static const struct {
        const char *yaml, *of, *cells;
    } rows[] = {
        {TWO_BY_TWO "}\n", "",
         "pytorch=2.6.0,variant=runtime\npytorch=2.6.0,variant=devel\n"
         "pytorch=2.7.1,variant=runtime\npytorch=2.7.1,variant=devel"},
        {TWO_BY_TWO ", exclude: [{pytorch: 2.6.0, variant: devel}]}\n", "",
         "pytorch=2.6.0,variant=runtime\npytorch=2.7.1,variant=runtime\n"
         "pytorch=2.7.1,variant=devel"},
        {TWO_BY_TWO ", exclude: [{variant: devel}]}\n", "",
         "pytorch=2.6.0,variant=runtime\npytorch=2.7.1,variant=runtime"},
        {TWO_BY_TWO "}\n", "variant=devel",
         "pytorch=2.6.0,variant=devel\npytorch=2.7.1,variant=devel"},
        {TWO_BY_TWO "}\n", "variant=devel,pytorch=2.7.1", "pytorch=2.7.1,variant=devel"},
        {"matrix: {compression: [gzip, zstd]}\n", "", "compression=gzip\ncompression=zstd"},
        {"matrix: {exclude: [], slim: [true, false]}\n", "", "slim=true\nslim=false"},
        {"matrix: {python: [3.10, 3.1]}\n", "", "python=3.10\npython=3.1"}, /* as written */
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CLEANUP(buf_clear) struct buf found = {0};

        cells(&found, rows[i].yaml, rows[i].of);
        assert_string_equal(found.p, rows[i].cells);
    }
}

static void faults_name_the_place(void **state)
{
    static const struct {
        const char *yaml, *of, *faults;
    } rows[] = {
        {"matrix: []\n", "",
         "x.yaml:1:9: matrix: a map of keys and values is wanted here, not a list"},
        {"matrix: {varient: [a]}\n", "",
         "x.yaml:1:10: unknown key \"varient\" (did you mean \"variant\"?)"},
        {"matrix: {variant: devel}\n", "",
         "x.yaml:1:19: matrix: variant wants a list of values, not text"},
        {"matrix: {variant: []}\n", "",
         "x.yaml:1:19: matrix: variant wants a list of values, not an empty one"},
        {"matrix: {base: [a/b, a, a, [c]]}\n", "",
         "x.yaml:1:17: matrix: a value of base is a text of letters, digits, \".\", \"_\" and "
         "\"-\", which becomes part of a lock's file name\n"
         "x.yaml:1:25: matrix: base has \"a\" twice\n"
         "x.yaml:1:28: matrix: a value of base is a text of letters, digits, \".\", \"_\" and "
         "\"-\", which becomes part of a lock's file name"},
        {"variant: devel\nmatrix: {variant: [runtime]}\n", "",
         "x.yaml:1:1: variant: it stands in `matrix` as well; leave out one of them"},
        {TWO_BY_TWO ", exclude: [{variant: devl}, {cuda: 12.4}, x]}\n", "",
         "x.yaml:1:82: matrix: exclude wants one of the values of variant; write it as it stands "
         "there\n"
         "x.yaml:1:90: matrix: exclude names \"cuda\", which is no key of `matrix`\n"
         "x.yaml:1:103: matrix: an item of exclude is a map such as {variant: devel}"},
        {"matrix: {variant: [devel], exclude: [{variant: devel}]}\n", "",
         "x.yaml:1:9: matrix: exclude leaves no cell"},
        {TWO_BY_TWO "}\n", "variant=devl",
         "x.yaml:1:9: matrix: no cell has \"variant=devl\"; write a cell as in "
         "\"pytorch=2.6.0,variant=runtime\""},
        {TWO_BY_TWO ", exclude: [{pytorch: 2.6.0, variant: runtime}]}\n",
         "variant=runtime,pytorch=2.6.0",
         "x.yaml:1:9: matrix: exclude leaves out \"variant=runtime,pytorch=2.6.0\"; write a cell "
         "as "
         "in \"pytorch=2.6.0,variant=devel\""},
        {"matrix: {pytorch: [1,2,3,4,5,6,7,8,9], cuda: [1,2,3,4,5,6,7,8,9], cudnn: [1,2,3,4]}\n",
         "", "x.yaml:1:9: matrix: more than 256 cells"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CLEANUP(buf_clear) struct buf found = {0};

        cells(&found, rows[i].yaml, rows[i].of);
        assert_string_equal(found.p, rows[i].faults);
    }
}

static void a_cell_is_the_recipe_with_its_values(void **state)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf text = {0};

    assert_int_equal(yaml_parse(&doc, STR("name: a\n" TWO_BY_TWO "}\npip: [b]\n"), "x.yaml", &e),
                     0);
    matrix_take(&doc, STR("pytorch=2.7.1,variant=devel"));
    assert_false(matrix_is(&doc));
    emit_json(&text, doc.root, EMIT_COMPACT);
    assert_string_equal(text.p, "{\"name\":\"a\",\"pip\":[\"b\"],\"pytorch\":\"2.7.1\","
                                "\"variant\":\"devel\"}");
    assert_int_equal(node_get(doc.root, "variant")->pos.line, 2); /* for messages */
    assert_int_equal(node_get(doc.root, "variant")->pos.col, 54);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_combination_that_nothing_excludes_is_a_cell),
        cmocka_unit_test(faults_name_the_place),
        cmocka_unit_test(a_cell_is_the_recipe_with_its_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
