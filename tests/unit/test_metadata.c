/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pkg/pypi/metadata.h"

static int parse(struct metadata *m, const char *text, struct err *e)
{
    return metadata_parse(m, str_of(text), "x.whl", e);
}

static void fields_that_count_are_read(void **state)
{
    CLEANUP(metadata_clear) struct metadata m = {0};
    struct err e = {0};

    assert_int_equal(parse(&m,
                           "Metadata-Version: 2.1\r\nname: Foo.Bar\r\nVersion: 1.0\r\n"
                           "Requires-Python: >=3.8,\r\n <4\r\nRequires-Dist: a>=1\r\n"
                           "no field at all\r\nREQUIRES-DIST: b[x]; extra == 'Y_z'\r\n"
                           "Provides-Extra: Y_z\r\n\r\nRequires-Dist: in-the-description\r\n",
                           &e),
                     0);
    assert_true(str_is(m.name, "Foo.Bar") && str_is(m.version, "1.0"));
    assert_true(str_is(m.requires_python, ">=3.8, <4"));
    assert_int_equal(m.requires.n, 2);
    assert_true(str_is(m.requires.v[1].name, "b") && marker_has_extra(m.requires.v[1].marker));
    assert_int_equal(m.extras.n, 1);
    assert_true(str_is(m.extras.v[0], "y-z"));
}

static void faults_name_the_wheel(void **state)
{
    static const char *const cases[][2] = {
        {"Version: 1\n", "x.whl: METADATA without Name"},
        {"Name: a\n\nVersion: 1\n", "x.whl: METADATA without Version"},
        {"", "x.whl: METADATA without Name"},
        {"Name: a\nVersion: 1\nRequires-Dist: b (>=1\n",
         "x.whl: requirement \"b (>=1\": a parenthesis without its end at byte 6"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(metadata_clear) struct metadata m = {0};
        CLEANUP(err_clear) struct err e = {0};

        assert_int_equal(parse(&m, cases[i][0], &e), -1);
        assert_string_equal(e.msg, cases[i][1]);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_int_equal(m.requires.n, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_that_count_are_read),
        cmocka_unit_test(faults_name_the_wheel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
