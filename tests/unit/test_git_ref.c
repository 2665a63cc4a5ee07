/* tests/unit/test_git_ref.c - addresses of git repositories, as pip writes them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pkg/pypi/git_ref.h"

static void an_address_has_a_repository_a_ref_and_a_folder(void **state)
{
    static const char *const cases[][4] = {
        {"git+https://h.test/x.git", "https://h.test/x.git", "", ""},
        {"git+https://h.test/x.git@v1.0", "https://h.test/x.git", "v1.0", ""},
        {"git+https://h.test/x@feature/y", "https://h.test/x", "feature/y", ""},
        {"git+https://h.test/x.git#subdirectory=a/b", "https://h.test/x.git", "", "a/b"},
        {"git+https://h.test/x@main#egg=x&subdirectory=a/", "https://h.test/x", "main", "a"},
        {"git+ssh://git@h.test/u/x.git", "ssh://git@h.test/u/x.git", "", ""},
        {"git+ssh://git@h.test:22/u/x.git@main", "ssh://git@h.test:22/u/x.git", "main", ""},
        {"git+git://127.0.0.1:9418/x@refs/pull/1/head", "git://127.0.0.1:9418/x",
         "refs/pull/1/head", ""},
        {"git+file:///srv/x@0123456789012345678901234567890123456789", "file:///srv/x",
         "0123456789012345678901234567890123456789", ""},
        {"git+http://u@h.test/a@b/x@c", "http://u@h.test/a@b/x", "c", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct git_ref r = {0};
        struct err e = {0};

        assert_true(git_ref_is(str_of(cases[i][0])));
        if (git_ref_parse(&r, str_of(cases[i][0]), &e) < 0)
            fail_msg("%s", e.msg);
        assert_true(str_is(r.url, cases[i][1]));
        assert_true(str_is(r.ref, cases[i][2]));
        assert_true(str_is(r.folder, cases[i][3]));
    }
}

static void what_could_run_or_leak_is_refused(void **state)
{
    static const char *const cases[][2] = {
        {"git+ext::sh -c x", "is not the address"},
        {"git+ext://h/x", "is not the address"},
        {"https://h.test/x", "is not the address"},
        {"git+https://h.test", "is not the address"},
        {"git+https:///x", "is not the address"},
        {"git+file://h.test/x", "is not the address"},
        {"git+./x", "is not the address"},
        {"git+ssh://-oProxyCommand=x/y", "is not the address"},
        {"git+ssh://-l@h.test/y", "is not the address"},
        {"git+ssh://git@-h.test/y", "is not the address"},
        {"git+https://h.test/x\\y", "is not the address"},
        {"git+https://u:secret@h.test/x", "a password in it"},
        {"git+https://h.test/x@", "is not a branch"},
        {"git+https://h.test/x@--upload-pack=x", "is not a branch"},
        {"git+https://h.test/x@a..b", "is not a branch"},
        {"git+https://h.test/x@a:b", "is not a branch"},
        {"git+https://h.test/x@main^{tree}", "is not a branch"},
        {"git+https://h.test/x#subdirectory=../y", "is not a folder of the repository"},
        {"git+https://h.test/x#subdirectory=/y", "is not a folder of the repository"},
        {"git+https://h.test/x#sha256=00", "only subdirectory=FOLDER is known"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct git_ref r = {0};
        struct err e = {0};

        if (git_ref_parse(&r, str_of(cases[i][0]), &e) == 0)
            fail_msg("%s is taken", cases[i][0]);
        if (e.kind != ERR_INPUT || !strstr(e.msg, cases[i][1]) || strstr(e.msg, "secret"))
            fail_msg("%s: %s", cases[i][0], e.msg);
        err_clear(&e);
    }
}

static void files_of_this_machine_are_for_the_recipe_alone(void **state)
{
    assert_true(git_ref_may_fetch(STR("file:///x"), true));
    assert_false(git_ref_may_fetch(STR("file:///x"), false));
    assert_false(git_ref_may_fetch(STR("/x"), true));
    assert_false(git_ref_may_fetch(STR("ext::x"), true));
    assert_true(git_ref_may_fetch(STR("https://h.test/x"), false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_a_repository_a_ref_and_a_folder),
        cmocka_unit_test(what_could_run_or_leak_is_refused),
        cmocka_unit_test(files_of_this_machine_are_for_the_recipe_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
