/* net/challenge.c: what a WWW-Authenticate line says. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "net/challenge.h"

static void challenges_are_taken_apart(void **state)
{
    static const struct {
        const char *text, *printed;
    } cases[] = {
        {"Basic", "basic"},
        {"Bearer "
         "realm=\"https://a.test/token\",service=\"a.test\",scope=\"repository:x/y:pull,push\"",
         "bearer realm=\"https://a.test/token\", service=\"a.test\", "
         "scope=\"repository:x/y:pull,push\""},
        {"BEARER Realm = x , SERVICE=\"a, b\"", "bearer realm=\"x\", service=\"a, b\""},
        {"Basic realm=\"a \\\"b\\\" \\c\"", "basic realm=\"a \\\"b\\\" c\""},
        {"Basic realm=\"a\", Bearer realm=\"b\",x=1",
         "basic realm=\"a\", bearer realm=\"b\", x=\"1\""},
        {"Negotiate, Basic realm=\"a\"", "negotiate, basic realm=\"a\""},
        {"Negotiate YWJj==, Bearer realm=\"b\"", "negotiate YWJj==, bearer realm=\"b\""},
        {",, Basic realm=\"\" ,", "basic realm=\"\""},
        {"Bearer realm=\"a\",realm=\"b\"", "bearer realm=\"a\""},
        {"Bearer realm=", "bearer realm="}, /* a token68, by the grammar */
        {"", ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(challenges_clear) struct challenges c = {0};
        CLEANUP(buf_clear) struct buf text = {0};

        buf_puts(&text, "");
        if (!challenges_parse(&c, str_of(cases[i].text)))
            fail_msg("\"%s\" is not taken", cases[i].text);
        challenges_print(&text, &c);
        assert_string_equal(text.p, cases[i].printed);
    }
}

static void what_is_none_is_refused(void **state)
{
    static const char *const cases[] = {
        "realm=x",
        "Bearer realm=\"x",
        "Bearer realm=\"x\\",
        "Bearer realm x",
        "Bearer a=1 b=2",
        "\"Bearer\"",
        "Bearer realm=\"x\"y",
        "Bearer (",
        "Bearer realm=\"\n\"",
        "Basic a=b=c",
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct challenges c = {0};

        if (challenges_parse(&c, str_of(cases[i])))
            fail_msg("\"%s\" is taken", cases[i]);
        assert_null(c.list.v);
    }
}

static void schemes_and_values_are_found(void **state)
{
    CLEANUP(challenges_clear) struct challenges c = {0};
    const struct challenge *bearer;

    assert_true(challenges_parse(&c, STR("Basic realm=a, BEARER realm=\"b\", service=c")));
    bearer = challenges_find(&c, "bearer");
    assert_non_null(bearer);
    assert_true(str_is(challenge_get(bearer, "realm"), "b"));
    assert_true(str_is(challenge_get(bearer, "service"), "c"));
    assert_int_equal(challenge_get(bearer, "scope").len, 0);
    assert_null(challenges_find(&c, "digest"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(challenges_are_taken_apart),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(schemes_and_values_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
