/* tests/unit/test_locale.c - which locales an image's variables ask for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/locale.h"

static void variables_ask_for_locales(void **state)
{
    static const char *const cases[][2] = {
        {"LANG=en_US.UTF-8", "en_US.UTF-8"},
        {"LC_ALL=de_DE@euro", "de_DE@euro"},
        {"LC_TIME=de_DE", "de_DE"},
        {"LANG=C", ""},
        {"LANG=POSIX", ""},
        {"LANG=C.UTF-8", ""},
        {"LC_ALL=C.utf8", ""},
        {"LANG=", ""},
        {"LANG", ""},
        {"LANGUAGE=de_DE:en_US", ""}, /* of messages, in any locale */
        {"SLANG=en_US.UTF-8", ""},
        {"LANG=$MINE", ""}, /* known only when it is made */
        {"LANG=../../etc", ""},
        {"LANG=/usr/share/own", ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (!str_is(locale_asked(str_of(cases[i][0])), cases[i][1]))
            fail_msg("%s", cases[i][0]);
}

static void each_locale_is_asked_for_once(void **state)
{
    struct str lines[] = {STR("LC_ALL=fr_FR.UTF-8"), STR("PATH=/bin"), STR("LANG=de_DE.UTF-8"),
                          STR("LC_TIME=fr_FR.UTF-8")};
    const struct strs env = {.v = lines, .n = ARRAY_LEN(lines)};
    struct strs list = {0};

    locale_list(&list, &env);
    assert_int_equal(list.n, 2);
    assert_true(str_is(list.v[0], "fr_FR.UTF-8") && str_is(list.v[1], "de_DE.UTF-8"));
    vec_clear(&list);
}

/* As glibc's own tools name them. */
static void folders_have_the_codeset_in_its_short_form(void **state)
{
    static const char *const cases[][2] = {
        {"en_US.UTF-8", "en_US.utf8"},
        {"en_US.utf8", "en_US.utf8"},
        {"en_US", "en_US"},
        {"de_DE@euro", "de_DE@euro"},
        {"en_US.ISO-8859-15", "en_US.iso885915"},
        {"ja_JP.EUC-JP", "ja_JP.eucjp"},
        {"fr_FR.8859-1", "fr_FR.iso88591"},
        {"sr_RS.UTF-8@latin", "sr_RS.utf8@latin"},
        {"be_BY.CP1251@x.y", "be_BY.cp1251@x.y"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf out = {0};

        locale_folder(&out, str_of(cases[i][0]));
        assert_string_equal(out.p, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_ask_for_locales),
        cmocka_unit_test(each_locale_is_asked_for_once),
        cmocka_unit_test(folders_have_the_codeset_in_its_short_form),
    };

    return cmocka_run_group_tests_name("locale", tests, NULL, NULL);
}
