/* cmd/credentials.c: where a recipe's index gets its user, password or token from. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "cmd/credentials.h"

static const char *header_for(const struct auth *auth, const char *url)
{
    struct err e = {0};
    struct url u;
    const char *header;

    assert_int_equal(url_parse(&u, str_of(url), &e), 0);
    header = auth_header(auth, &u);
    return header ? header : "none";
}

/* The credentials for one index of a recipe; `env` are two variables, `keyring` a command's words.
 */
static int ask(struct auth *out, const char *address, const char *name, const char *const env[2],
               const char *keyring, struct err *e)
{
    CLEANUP(recipe_clear) struct recipe r = {0};
    struct config config = {0};
    char *environment[3] = {0};
    struct session s = {.environment = environment, .netrc = NULL};
    struct str words = str_of(keyring), word;
    int result;

    for (size_t i = 0; i < 2 && env[i]; i++)
        environment[i] = (char *)(uintptr_t)env[i];
    while (str_item(&words, '|', &word))
        vec_add(&config.keyring, word);
    if (name)
        *vec_push(&r.indexes) =
            (struct recipe_index){.url = {.text = str_of(address)}, .name = {.text = str_of(name)}};
    result = credentials_of(out, &r, name ? NULL : address, &config, &s, e);
    vec_clear(&config.keyring);
    return result;
}

#define BASIC_ME_SECRET "Authorization: Basic bWU6c2VjcmV0"
#define KEYRING "sh|-c|[ \"$1 $2 $3\" = 'get https://i.test/simple/ me' ] && echo secret; echo x|k"

static void every_way_gives_a_header(void **state)
{
    static const struct {
        const char *address, *name, *env[2], *keyring, *header;
    } cases[] = {
        {"https://i.test/simple/", "", {0}, NULL, "none"},
        {"https://me:secret@i.test/simple/", "", {0}, NULL, BASIC_ME_SECRET},
        {"https://m%65:s%65cret@i.test/simple/", "", {0}, NULL, BASIC_ME_SECRET},
        {"https://me@i.test/simple/", "", {0}, NULL, "none"},
        /* By the environment: a dash is an underscore there. */
        {"https://i.test/simple/",
         "my-corp2",
         {"ENVBUILD_INDEX_MY_CORP2_USERNAME=me", "ENVBUILD_INDEX_MY_CORP2_PASSWORD=secret"},
         NULL,
         BASIC_ME_SECRET},
        {"https://me@i.test/simple/",
         "c",
         {"ENVBUILD_INDEX_C_PASSWORD=secret"},
         NULL,
         BASIC_ME_SECRET},
        {"https://you:wrong@i.test/simple/",
         "c",
         {"ENVBUILD_INDEX_C_USERNAME=me", "ENVBUILD_INDEX_C_PASSWORD=secret"},
         NULL,
         BASIC_ME_SECRET},
        {"https://i.test/simple/",
         "c",
         {"ENVBUILD_INDEX_C_TOKEN=t0ken"},
         NULL,
         "Authorization: Bearer t0ken"},
        {"https://me@i.test/simple/",
         "c",
         {"ENVBUILD_INDEX_C_TOKEN=secret"},
         NULL,
         BASIC_ME_SECRET},
        {"https://i.test/simple/", /* "__token__", as PyPI names it */
         "c",
         {"ENVBUILD_INDEX_C_PASSWORD=secret"},
         NULL,
         "Authorization: Basic X190b2tlbl9fOnNlY3JldA=="},
        {"https://i.test/simple/", "c", {"ENVBUILD_INDEX_CC_TOKEN=t0ken"}, NULL, "none"},
        /* By the keyring, which is asked only for a password that is not known. */
        {"https://me@i.test/simple/", "", {0}, KEYRING, BASIC_ME_SECRET},
        {"https://me:secret@i.test/simple/", "", {0}, "false", BASIC_ME_SECRET},
        {"https://i.test/simple/", "", {0}, "no-such-program-here", "none"},
        {"https://me@i.test/simple/", "", {0}, "sh|-c|echo secret; exit 1", "none"},
        {"https://me@i.test/simple/", "", {0}, "true", "none"},
        {"https://i.test/simple/", "c", {"ENVBUILD_INDEX_C_USERNAME=me"}, KEYRING, BASIC_ME_SECRET},
        /* On the command line. */
        {"https://me:secret@i.test/simple/", NULL, {0}, NULL, BASIC_ME_SECRET},
        {"https://me@i.test/simple/", NULL, {0}, KEYRING, BASIC_ME_SECRET},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(auth_clear) struct auth auth = {0};
        CLEANUP(err_clear) struct err e = {0};
        const char *header;

        if (ask(&auth, cases[i].address, cases[i].name, cases[i].env, cases[i].keyring, &e) < 0)
            fail_msg("case %zu: %s", i, e.msg);
        header = header_for(&auth, "https://i.test/simple/numpy/");
        if (strcmp(header, cases[i].header) != 0)
            fail_msg("case %zu: %s", i, header);
        assert_string_equal(header_for(&auth, "https://other.test/simple/"), "none");
    }
}

static void a_download_has_variables_of_its_own(void **state)
{
    CLEANUP(recipe_clear) struct recipe r = {0};
    CLEANUP(auth_clear) struct auth auth = {0};
    CLEANUP(err_clear) struct err e = {0};
    char token[] = "ENVBUILD_DOWNLOAD_A_SET_TAR_GZ_TOKEN=t0ken";
    char other[] = "ENVBUILD_INDEX_A_SET_TAR_GZ_TOKEN=wrong", *environment[] = {other, token, NULL};
    struct session s = {.environment = environment, .netrc = NULL};
    const struct config config = {0};

    *vec_push(&r.downloads) =
        (struct recipe_download){.url = {.text = STR("https://d.test/x/a-set.tar.gz")},
                                 .name = {.text = STR("a-set.tar.gz")}};
    assert_int_equal(credentials_of(&auth, &r, NULL, &config, &s, &e), 0);
    assert_string_equal(header_for(&auth, "https://d.test/x/a-set.tar.gz"),
                        "Authorization: Bearer t0ken");
    assert_string_equal(header_for(&auth, "https://other.test/x/a-set.tar.gz"), "none");
}

static void a_keyring_that_cannot_answer_is_told(void **state)
{
    static const char *const cases[][2] = {
        {"no-such-program-here",
         "cannot start the keyring \"no-such-program-here\": No such file or directory"},
        {"yes", "the keyring \"yes\" printed more than 65536 bytes, and was ended"},
    };
    const char *const none[2] = {0};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(auth_clear) struct auth auth = {0};
        CLEANUP(err_clear) struct err e = {0};

        assert_int_equal(ask(&auth, "https://me@i.test/", "", none, cases[i][0], &e), -1);
        assert_int_equal(e.kind, ERR_SYSTEM);
        assert_string_equal(e.msg, cases[i][1]);
        assert_int_equal(auth.entries.n, 0);
    }
}

static void a_bad_index_of_the_command_line_is_told(void **state)
{
    const char *const none[2] = {0};
    CLEANUP(auth_clear) struct auth auth = {0};
    CLEANUP(err_clear) struct err e = {0};

    assert_int_equal(ask(&auth, "i.test", NULL, none, NULL, &e), -1);
    assert_true(str_starts(str_of(e.msg), STR("--index: \"i.test\" is not a usable address")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_gives_a_header),
        cmocka_unit_test(a_download_has_variables_of_its_own),
        cmocka_unit_test(a_keyring_that_cannot_answer_is_told),
        cmocka_unit_test(a_bad_index_of_the_command_line_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
