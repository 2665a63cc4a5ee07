/* SPDX-License-Identifier: Apache-2.0 */
#include "system_fixture.h"

/* As iputils-ping of Debian 12 and Ubuntu 22.04 has it. */
static const char ping_postinst[] =
    "#!/bin/sh\n\nset -e\n\n"
    "PROGRAM=$(dpkg-divert --truename /bin/ping)\n\n"
    "if [ \"$1\" = configure ]; then\n"
    "    if command -v setcap > /dev/null; then\n"
    "        if setcap cap_net_raw+ep $PROGRAM; then\n"
    "            chmod u-s $PROGRAM\n"
    "        else\n"
    "            echo \"Setcap failed on $PROGRAM, falling back to setuid\" >&2\n"
    "            chmod u+s $PROGRAM\n"
    "        fi\n"
    "    else\n"
    "        echo \"Setcap is not installed, falling back to setuid\" >&2\n"
    "        chmod u+s $PROGRAM\n"
    "    fi\n"
    "fi\n\n\n\nexit 0\n";

static void setcap_makes_capabilities(void **state)
{
    static const struct mk ping[] = {MK_FILE("./bin/ping", 0755, "ping"), MK_END};
    static const char other[] = "setcap cap_net_raw+ep /bin/ping\nchmod u+s /bin/ping\n";
    static const struct {
        const char *package, *postinst;
        bool setcap;
        unsigned format;
        uint32_t mode;
        bool caps, covered;
    } cases[] = {
        {"iputils-ping", ping_postinst, true, 2, 0755, true, true},
        {"iputils-ping", ping_postinst, false, 2, 04755, false, true},
        {"iputils-ping", ping_postinst, true, 1, 04755, false, true}, /* as its locks have it */
        {"iputils-ping", NULL, true, 1, 04755, false, true},
        {"iputils-ping", NULL, true, 2, 0755, false, true}, /* as of Debian 13 */
        {"iputils-ping", other, true, 2, 0755, false, false},
        {"other", ping_postinst, true, 2, 0755, false, false},
    };
    static const unsigned char net_raw[20] = {1, 0, 0, 2, 0, 0x20};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(world_clear) struct world w;
        const struct entry *entry;

        world_open(&w);
        w.format = cases[i].format;
        add(&w, cases[i].package, plain_fields, cases[i].postinst, ping);
        if (cases[i].setcap)
            add(&w, "libcap2-bin", plain_fields, NULL, no_files);
        assert_int_equal(build(&w), 0);
        entry = tree_get(&w.tree, STR("usr/bin/ping"));
        assert_non_null(entry);
        if (entry->mode != cases[i].mode || (entry->caps.len > 0) != cases[i].caps ||
            (w.uncovered.n == 0) != cases[i].covered)
            fail_msg("case %zu: mode %o, %zu bytes of capabilities, %zu uncovered", i, entry->mode,
                     entry->caps.len, w.uncovered.n);
        if (cases[i].caps)
            assert_memory_equal(entry->caps.p, net_raw, sizeof net_raw);
    }
}

/* Of Debian 12's. A script of a format 1 lock stays without a rule. */
static void scripts_with_capabilities_are_covered_since_format_2(void **state)
{
    static const struct mk files[] = {MK_FILE("./usr/bin/mtr-packet", 0755, "mtr"), MK_END};
    static const char postinst[] =
        "if [ \"$1\" = configure ]; then\n"
        "    if command -v setcap > /dev/null; then\n"
        "        if ! setcap cap_net_raw+ep /usr/bin/mtr-packet; then\n"
        "            echo \"Setcap failed on /usr/bin/mtr-packet, falling back to setuid\" >&2\n"
        "            chmod u+s /usr/bin/mtr-packet\n"
        "        fi\n"
        "    else\n"
        "        echo \"Setcap is not installed, falling back to setuid\" >&2\n"
        "        chmod u+s /usr/bin/mtr-packet\n"
        "    fi\n"
        "fi\n";

    for (unsigned format = 1; format <= 2; format++) {
        CLEANUP(world_clear) struct world w;

        world_open(&w);
        w.format = format;
        add(&w, "mtr-tiny", plain_fields, postinst, files);
        assert_int_equal(build(&w), 0);
        assert_int_equal(w.uncovered.n, format < 2 ? 1 : 0);
        assert_int_equal(tree_get(&w.tree, STR("usr/bin/mtr-packet"))->mode,
                         format < 2 ? 0755 : 04755);
    }
}

#define L "./usr/lib/locale/"

/* Locales share files: links lead to theirs, and a file is there whatever it was. */
static const struct mk compiled[] = {
    MK_DIR(L "de_AT.utf8/", 0755),
    MK_FILE(L "de_AT.utf8/LC_CTYPE", 0644, "types"),
    MK_DIR(L "de_DE.utf8/", 0755),
    MK_LINK(L "de_DE.utf8/LC_CTYPE", "../de_AT.utf8/LC_CTYPE"),
    MK_FILE(L "de_DE.utf8/LC_TIME", 0644, "Montag"),
    MK_DIR(L "de_DE.utf8/LC_MESSAGES/", 0755),
    MK_LINK(L "de_DE.utf8/LC_MESSAGES/SYS_LC_MESSAGES", "../../sv_FI/LC_MESSAGES"),
    MK_DIR(L "sv_FI/", 0755),
    MK_LINK(L "sv_FI/LC_MESSAGES", "../xx/LC_MESSAGES"),
    MK_DIR(L "xx/", 0755),
    MK_FILE(L "xx/LC_MESSAGES", 0644, "yes"),
    MK_HARD(L "xx/LC_NAME", L "xx/LC_MESSAGES"),
    MK_LINK(L "xx/LC_CTYPE", "../C.utf8/LC_CTYPE"),
    MK_DIR(L "away/", 0755),
    MK_LINK(L "away/LC_TIME", "../../../../../../etc/passwd"),
    MK_DIR(L "loop/", 0755),
    MK_LINK(L "loop/LC_TIME", "LC_TIME"),
    MK_DIR(L "gone/", 0755),
    MK_LINK(L "gone/LC_TIME", "../nowhere/LC_TIME"),
    MK_END};

static int build_locales(struct world *w, const char *postinst, const char *const *names,
                         const char *lang)
{
    static const struct mk sources[] = {
        MK_FILE("./usr/share/i18n/SUPPORTED", 0644,
                "# all\nde_AT.UTF-8 UTF-8\nde_DE.UTF-8 UTF-8\nde_DE ISO-8859-1\nxx UTF-8 \n"),
        MK_DIR(L "C.utf8/", 0755), MK_FILE(L "C.utf8/LC_CTYPE", 0644, "all types"), MK_END};
    struct system_locales locales = {.lang = str_of(lang)};
    int result;

    world_open(w);
    add(w, "locales-all", plain_fields, NULL, compiled);
    w->n--;
    MOVE(&w->compiled, &w->packages[0]);
    locales.from = &w->compiled;
    add(w, "locales", plain_fields, postinst, sources);
    for (; *names; names++)
        vec_add(&locales.names, str_of(*names));
    w->locales = &locales;
    result = build(w);
    w->locales = NULL;
    vec_clear(&locales.names);
    return result;
}

static void chosen_locales_are_whole(void **state)
{
    static const char *const names[] = {"de_DE.UTF-8", "xx.UTF-8", NULL};
    CLEANUP(world_clear) struct world w;

    assert_int_equal(build_locales(&w, NULL, names, "de_DE.UTF-8"), 0);
    expect(&w, "usr/lib/locale/de_DE.utf8/LC_CTYPE", "types");
    expect(&w, "usr/lib/locale/de_DE.utf8/LC_TIME", "Montag");
    expect(&w, "usr/lib/locale/de_DE.utf8/LC_MESSAGES/SYS_LC_MESSAGES", "yes");
    expect(&w, "usr/lib/locale/xx/LC_NAME", "yes");
    expect(&w, "usr/lib/locale/xx/LC_CTYPE", "all types");
    assert_null(tree_get(&w.tree, STR("usr/lib/locale/de_AT.utf8")));
    assert_null(tree_get(&w.tree, STR("usr/lib/locale/sv_FI")));
    expect(&w, "etc/locale.gen",
           "# de_AT.UTF-8 UTF-8\nde_DE.UTF-8 UTF-8\n# de_DE ISO-8859-1\nxx UTF-8\n");
    expect(&w, "etc/default/locale", "#  File generated by update-locale\nLANG=de_DE.UTF-8\n");
    assert_null(tree_get(&w.tree, STR("var/lib/dpkg/info/locales-all.list")));
}

static void the_default_locale_is_where_the_release_has_it(void **state)
{
    static const char *const none[] = {NULL};
    CLEANUP(world_clear) struct world w;

    assert_int_equal(build_locales(&w, "EE=\"/etc/locale.conf\"\n", none, ""), 0);
    expect(&w, "etc/locale.conf", "#  File generated by update-locale\n");
    expect_link(&w, "etc/default/locale", "../locale.conf");
    expect(&w, "etc/locale.gen",
           "# de_AT.UTF-8 UTF-8\n# de_DE.UTF-8 UTF-8\n# de_DE ISO-8859-1\n# xx UTF-8\n");
}

static void locales_that_cannot_be_are_refused(void **state)
{
    static const char *const cases[][2] = {
        {"tlh_QO.UTF-8",
         "env: the locale \"tlh_QO.UTF-8\" is none of those of locales-all 1.0, such "
         "as en_US.UTF-8"},
        {"de_DE@euro",
         "env: the locale \"de_DE@euro\" is none of those of locales-all 1.0, such as "
         "en_US.UTF-8"},
        {"away", "/usr/lib/locale/away/LC_TIME leads to no file of locales-all or of the system"},
        {"loop", "/usr/lib/locale/loop/LC_TIME leads to no file of locales-all or of the system"},
        {"gone", "/usr/lib/locale/gone/LC_TIME leads to no file of locales-all or of the system"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *const names[] = {cases[i][0], NULL};
        CLEANUP(world_clear) struct world w;

        assert_int_equal(build_locales(&w, NULL, names, ""), -1);
        assert_string_equal(w.e.msg, cases[i][1]);
    }
}
#undef L

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setcap_makes_capabilities),
        cmocka_unit_test(scripts_with_capabilities_are_covered_since_format_2),
        cmocka_unit_test(chosen_locales_are_whole),
        cmocka_unit_test(the_default_locale_is_where_the_release_has_it),
        cmocka_unit_test(locales_that_cannot_be_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
