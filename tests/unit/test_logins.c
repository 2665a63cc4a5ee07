/* cmd/logins.c: who the files of Docker and podman say that the user is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/fs.h"
#include "base/path.h"
#include "cmd/logins.h"
#include "peer.h"

#define ME "\"auth\": \"bWU6c2VjOnJldA==\"" /* me:sec:ret */
#define YOU "\"username\": \"you\", \"password\": \"p\""

/* "user secret", with "!" for an identity token; "-" for nobody. */
static int ask(struct buf *out, const char *folder, const char *config, const char *auth,
               const char *host, const char *repository, struct err *e)
{
    CLEANUP(login_clear) struct login login = {0};
    CLEANUP(buf_clear) struct buf docker = {0}, runtime = {0}, home = {0}, path = {0};
    CLEANUP(buf_clear) struct buf dirs = {0};
    char *environment[4];

    buf_fmt(&docker, "DOCKER_CONFIG=%s/docker", folder);
    buf_fmt(&runtime, "XDG_RUNTIME_DIR=%s", folder);
    buf_fmt(&home, "HOME=%s", folder);
    environment[0] = docker.p;
    environment[1] = runtime.p;
    environment[2] = home.p;
    environment[3] = NULL;
    buf_fmt(&path, "%s/docker", folder);
    buf_fmt(&dirs, "%s/containers", folder);
    assert_int_equal(fs_mkdirs(path.p, e), 0);
    assert_int_equal(fs_mkdirs(dirs.p, e), 0);
    buf_puts(&path, "/config.json");
    buf_puts(&dirs, "/auth.json");
    if (config)
        assert_int_equal(fs_write(path.p, str_of(config), e), 0);
    if (auth)
        assert_int_equal(fs_write(dirs.p, str_of(auth), e), 0);
    if (logins_find(&login, environment, str_of(host), str_of(repository), NULL, e) < 0)
        return -1;
    buf_fmt(out, "%s%s %s", login.identity ? "!" : "", login.secret ? login.user : "-",
            login.secret ? login.secret : "");
    return 0;
}

static void the_nearest_entry_counts(void **state)
{
    static const struct {
        const char *config, *auth, *host, *repository, *found;
    } cases[] = {
        {NULL, NULL, "a.test", "x", "- "},
        {"{}", "{\"auths\": {}}", "a.test", "x", "- "},
        {"[]", "{\"auths\": null}", "a.test", "x", "- "},
        {"{\"auths\": [1]}", "{\"auths\": \"x\"}", "a.test", "x", "- "},
        {"{\"auths\": {\"a.test\": null}}", "{\"auths\": {\"a.test\": \"x\"}}", "a.test", "x",
         "- "},
        {"{\"credsStore\": null, \"auths\": {\"a.test\": {" ME "}}}", NULL, "a.test", "x",
         "me sec:ret"},
        {"{\"credHelpers\": {\"a.test\": \"\"}, \"credsStore\": \"none\", \"auths\": "
         "{\"a.test\": {" ME "}}}",
         NULL, "a.test", "x", "me sec:ret"},
        {"{\"auths\": {\"a.test\": {" ME "}}}", NULL, "a.test", "x", "me sec:ret"},
        {"{\"auths\": {\"a.test\": {" YOU "}}}", NULL, "a.test", "x", "you p"},
        {"{\"auths\": {\"a.test\": {" ME "}}}", NULL, "a.test:5000", "x", "- "},
        {"{\"auths\": {\"a.test\": {" ME "}}}", NULL, "b.a.test", "x", "- "},
        {"{\"auths\": {\"https://a.test/v1/\": {" ME "}}}", NULL, "a.test", "x", "me sec:ret"},
        {"{\"auths\": {\"https://index.docker.io/v1/\": {" ME "}}}", NULL, "docker.io", "library/x",
         "me sec:ret"},
        {"{\"auths\": {\"a.test\": {}}}", "{\"auths\": {\"a.test\": {" YOU "}}}", "a.test", "x",
         "you p"},
        {"{\"auths\": {\"a.test\": {" ME "}}}", "{\"auths\": {\"a.test\": {" YOU "}}}", "a.test",
         "x", "me sec:ret"},
        {NULL, "{\"auths\": {\"a.test\": {" YOU "}, \"a.test/x\": {" ME "}}}", "a.test", "x/y",
         "me sec:ret"},
        {NULL, "{\"auths\": {\"a.test\": {" YOU "}, \"a.test/x\": {" ME "}}}", "a.test", "xx",
         "you p"},
        {NULL, "{\"auths\": {\"a.test/x/y\": {" ME "}, \"a.test/x\": {" YOU "}}}", "a.test", "x/y",
         "me sec:ret"},
        {"{\"auths\": {\"a.test\": {" ME ", \"identitytoken\": \"t\"}}}", NULL, "a.test", "x",
         "!me t"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *folder = scratch_make();
        struct buf found = {0};
        struct err e = {0};

        if (ask(&found, folder, cases[i].config, cases[i].auth, cases[i].host, cases[i].repository,
                &e) < 0)
            fail_msg("case %zu: %s", i, e.msg);
        assert_string_equal(found.p, cases[i].found);
        buf_clear(&found);
        scratch_remove(folder);
    }
}

static void what_is_wrong_is_told_without_secrets(void **state)
{
    static const struct {
        const char *config, *words;
        enum err_kind kind;
    } cases[] = {
        {"{\"auths\": {\"a.test\": {\"auth\": \"?secret\"}}}", "is not base64", ERR_INPUT},
        {"{\"auths\": {\"a.test\": {\"auth\": \"c2VjcmV0\"}}}", "is not user:password", ERR_INPUT},
        {"{\"auths\": ", "config.json", ERR_INPUT},
        {"", "the text ends too early", ERR_INPUT},
        {"null", "a map or a list is wanted", ERR_INPUT},
        {"\xef\xbb\xbf{}", "it begins with a byte order mark", ERR_INPUT},
        {"{\"auths\": {\"a.test\": {" ME "}, \"a.test\": {" YOU "}}}", "stands twice", ERR_INPUT},
        {"{\"credsStore\": \"../x\"}", "is not the name of a credential helper", ERR_INPUT},
        {"{\"credsStore\": \"that-nobody-has\"}",
         "docker-credential-that-nobody-has, which your configuration names for a.test",
         ERR_SYSTEM},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *folder = scratch_make();
        struct buf found = {0};
        struct err e = {0};

        assert_int_equal(ask(&found, folder, cases[i].config, NULL, "a.test", "x", &e), -1);
        if (!strstr(e.msg, cases[i].words) && !(e.file && strstr(e.file, cases[i].words)))
            fail_msg("\"%s\" lacks \"%s\"", e.msg, cases[i].words);
        assert_int_equal(e.kind, cases[i].kind);
        assert_null(strstr(e.msg, "secret"));
        err_clear(&e);
        buf_clear(&found);
        scratch_remove(folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_entry_counts),
        cmocka_unit_test(what_is_wrong_is_told_without_secrets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
