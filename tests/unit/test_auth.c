/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/auth.h"

static const char *header_for(const struct auth *auth, const char *url)
{
    struct err e = {0};
    struct url u;
    const char *header;

    assert_int_equal(url_parse(&u, str_of(url), &e), 0);
    header = auth_header(auth, &u);
    return header ? header : "none";
}

static void a_credential_is_for_one_origin(void **state)
{
    CLEANUP(auth_clear) struct auth auth = {0};
    static const char *const cases[][2] = {
        {"https://i.test/simple/", "Authorization: Basic bWU6c2VjcmV0"},
        {"https://I.TEST:443/other", "Authorization: Basic bWU6c2VjcmV0"},
        {"http://i.test/simple/", "none"}, /* another scheme, in the clear */
        {"https://i.test:8443/simple/", "none"},
        {"https://i.test.evil.test/simple/", "none"},
        {"https://x.i.test/simple/", "none"},
        {"https://evil.test/i.test/", "none"},
    };

    auth_add(&auth, STR("https://i.test/simple/"), STR("me"), STR("secret"));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_string_equal(header_for(&auth, cases[i][0]), cases[i][1]);
}

static void the_longest_path_decides(void **state)
{
    CLEANUP(auth_clear) struct auth auth = {0};

    auth_add(&auth, STR("https://git.test/api/projects/1/"), (struct str){0}, STR("one"));
    auth_add(&auth, STR("https://git.test/api/projects/22/"), (struct str){0}, STR("two"));
    assert_string_equal(header_for(&auth, "https://git.test/api/projects/1/simple/x/"),
                        "Authorization: Bearer one");
    assert_string_equal(header_for(&auth, "https://git.test/api/projects/22/simple/x/"),
                        "Authorization: Bearer two");
    assert_string_equal(header_for(&auth, "https://git.test/"), "Authorization: Bearer one");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_credential_is_for_one_origin),
        cmocka_unit_test(the_longest_path_decides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
