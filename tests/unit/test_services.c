/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/fs.h"
#include "base/path.h"
#include "plan/services.h"

#define P "pytorch: 2.6.0\nuser: {name: me}\n"
#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ me@laptop"

static char top[32] = "/tmp/test_services.XXXXXX";

static int make_top(void **state)
{
    return mkdtemp(top) ? 0 : -1;
}

static int remove_top(void **state)
{
    CLEANUP(buf_clear) struct buf remove = {0};

    buf_fmt(&remove, "rm -rf %s", top);
    return system(remove.p);
}

static void put_file(const char *name, const char *text)
{
    CLEANUP(free_clear) char *path = path_join(top, name);
    struct err e = {0};

    assert_int_equal(fs_write(path, str_of(text), &e), 0);
}

static void parse(struct recipe *r, const char *yaml)
{
    CLEANUP(err_clear) struct err e = {0};

    if (recipe_parse(r, str_of(yaml), "x.yaml", &e) < 0)
        fail_msg("%s: %s", yaml, e.msg);
}

static void join(struct buf *out, struct str word)
{
    buf_fmt(out, "%s" STR_FMT, out->len ? " " : "", STR_ARG(word));
}

static void packages_join_those_that_the_recipe_names(void **state)
{
    static const char *const cases[][2] = {
        {P, ""},
        {P "services: {jupyter: {}}\n", "tini"},
        {P "services: {ssh: {}}\n", "tini openssh-server"},
        {P "services: {ssh: {}}\napt: [tini=0.19*, openssh-server/stable]\n", ""},
        {P "services: {ssh: {}}\napt: [tini-static, openssh-client]\n", "tini openssh-server"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(recipe_clear) struct recipe r = {0};
        CLEANUP(buf_clear) struct buf words = {0};
        struct deb_wants wants = {0};

        parse(&r, cases[i][0]);
        services_debs(&wants, &r);
        for (size_t k = 0; k < wants.n; k++)
            join(&words, wants.v[k].text);
        assert_string_equal(words.p ? words.p : "", cases[i][1]);
        vec_clear(&wants);
    }
}

static void they_are_the_command_and_are_asked(void **state)
{
    static const struct {
        const char *yaml, *cmd, *ports, *health;
    } cases[] = {
        {P, "", "", ""},
        {P "services: {jupyter: {port: 9000}}\n",
         "/usr/bin/tini -s -- /usr/local/bin/envbuild-services", "9000/tcp",
         "/usr/local/bin/envbuild-services probe"},
        {P "services: {ssh: {}, jupyter: {}}\nhealthcheck: off\n",
         "/usr/bin/tini -s -- /usr/local/bin/envbuild-services", "8888/tcp 2222/tcp", ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(recipe_clear) struct recipe r = {0};
        CLEANUP(lock_clear) struct lock lock = {0};
        CLEANUP(buf_clear) struct buf cmd = {0}, ports = {0}, health = {0};

        parse(&r, cases[i].yaml);
        services_set(&lock, &r);
        for (size_t k = 0; k < lock.cmd.n; k++)
            join(&cmd, lock.cmd.v[k]);
        for (size_t k = 0; k < lock.ports.n; k++)
            join(&ports, lock.ports.v[k]);
        for (size_t k = 0; k < lock.health.command.n; k++)
            join(&health, lock.health.command.v[k]);
        assert_string_equal(cmd.p ? cmd.p : "", cases[i].cmd);
        assert_string_equal(ports.p ? ports.p : "", cases[i].ports);
        assert_string_equal(health.p ? health.p : "", cases[i].health);
        /* a start takes minutes where thirty start at once, and Kubernetes ends who is found ill */
        assert_int_equal(lock.health.start_period, lock.health.command.n ? 600 : 0);
        assert_int_equal(lock.health.timeout, lock.health.command.n ? 30 : 0);
    }
}

static void files_are_made_for_the_image(void **state)
{
    CLEANUP(recipe_clear) struct recipe r = {0};
    CLEANUP(lock_clear) struct lock lock = {0};
    struct err e = {0};

    put_file("a.pub", "# mine\r\n" KEY "\r\n\n");
    put_file("b.pub", "from=\"10.0.0.0/8\",command=\"x y\" ecdsa-sha2-nistp256 AAAAE2Vj\n"
                      "sk-ssh-ed25519@openssh.com AAAAGnNr");
    parse(&r, P "services: {ssh: {authorized_keys: [a.pub, b.pub, a.pub]}}\n");
    assert_int_equal(services_take(&lock, &r, top, &e), 0);
    assert_int_equal(lock.copies.n, 3);
    assert_true(str_is(lock.copies.v[0].to, LOCK_SERVICES));
    assert_true(lock.copies.v[0].files.v[0].executable);
    assert_true(str_starts(lock.copies.v[0].text, STR("#!/opt/venv/bin/python3 -I\n")));
    assert_true(
        str_is(lock.copies.v[1].text,
               "{\n  \"user\": \"me\",\n  \"ssh\": {\n    \"port\": 2222,\n    \"keys\": [\n"
               "      \"" KEY "\",\n"
               "      \"from=\\\"10.0.0.0/8\\\",command=\\\"x y\\\" ecdsa-sha2-nistp256 "
               "AAAAE2Vj\",\n"
               "      \"sk-ssh-ed25519@openssh.com AAAAGnNr\",\n"
               "      \"" KEY "\"\n    ]\n  }\n}\n"));
    assert_int_equal(lock.inputs.n, 2); /* each file once */
    assert_true(str_is(lock.inputs.v[1].path, "b.pub"));
    assert_true(str_is(lock.inputs.v[1].use, "services"));
}

static void nothing_is_there_without_them(void **state)
{
    CLEANUP(recipe_clear) struct recipe r = {0};
    CLEANUP(lock_clear) struct lock lock = {0};
    struct err e = {0};

    parse(&r, P);
    assert_int_equal(services_take(&lock, &r, top, &e), 0);
    assert_int_equal(lock.copies.n + lock.inputs.n, 0);
}

static void only_public_keys_are_taken(void **state)
{
    static const char *const cases[][2] = {
        {"-----BEGIN OPENSSH PRIVATE KEY-----\n",
         "\"k.pub\" is a private key, which is nobody's but yours; name the file of the public "
         "one, which ends in .pub"},
        {KEY "\nhello\n", "\"k.pub\" has a line that is no public key: \"hello\"; one a line is "
                          "wanted, as in ~/.ssh/id_ed25519.pub"},
        {"ssh-dss AAAAB3Nz old\n", "\"k.pub\" has a line that is no public key: \"ssh-dss AAAAB3Nz "
                                   "old\"; one a line is wanted, as in ~/.ssh/id_ed25519.pub"},
        {"ssh-rsa\n", "\"k.pub\" has a line that is no public key: \"ssh-rsa\"; one a line is "
                      "wanted, as in ~/.ssh/id_ed25519.pub"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(recipe_clear) struct recipe r = {0};
        CLEANUP(lock_clear) struct lock lock = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf want = {0};

        buf_fmt(&want, "services: ssh: %s", cases[i][1]);
        put_file("k.pub", cases[i][0]);
        parse(&r, P "services: {ssh: {authorized_keys: [k.pub]}}\n");
        assert_int_equal(services_take(&lock, &r, top, &e), -1);
        assert_string_equal(e.msg, want.p);
        assert_int_equal(e.line, 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packages_join_those_that_the_recipe_names),
        cmocka_unit_test(they_are_the_command_and_are_asked),
        cmocka_unit_test(files_are_made_for_the_image),
        cmocka_unit_test(nothing_is_there_without_them),
        cmocka_unit_test(only_public_keys_are_taken),
    };

    return cmocka_run_group_tests(tests, make_top, remove_top);
}
