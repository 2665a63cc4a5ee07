/* cmd/config.c: mirrors and the keyring's command, and what is refused. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fs.h"
#include "cmd/config.h"
#include "faults.h"

static char path[] = "/tmp/envbuild-config-XXXXXX";

static int make_file(void **state)
{
    int fd = mkstemp(path);

    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    return unlink(path);
}

static int read_text(struct config *c, const char *text, struct err *e)
{
    if (fs_write(path, str_of(text), e) < 0)
        return -1;
    return config_read(c, path, e);
}

/* "prefix=mirror mirror;prefix=mirror|word word" */
static void print(struct buf *out, const struct config *c)
{
    buf_puts(out, "");
    for (size_t i = 0; i < c->rules.n; i++) {
        buf_fmt(out, "%s" STR_FMT "=", i ? ";" : "", STR_ARG(c->rules.v[i].prefix));
        for (size_t j = 0; j < c->rules.v[i].mirrors.n; j++)
            buf_fmt(out, "%s" STR_FMT, j ? " " : "", STR_ARG(c->rules.v[i].mirrors.v[j]));
    }
    for (size_t i = 0; i < c->keyring.n; i++)
        buf_fmt(out, "%s" STR_FMT, i ? " " : "|", STR_ARG(c->keyring.v[i]));
    for (size_t i = 0; i < c->caches.n; i++)
        buf_fmt(out, "+" STR_FMT, STR_ARG(c->caches.v[i]));
}

static void what_is_set_is_read(void **state)
{
    static const char *const cases[][2] = {
        {"keyring: keyring\n", "|keyring"},
        {"keyring: my-tool  -q\n", "|my-tool -q"},
        {"keyring: [\"/opt/my tool\", -q]\n", "|/opt/my tool -q"},
        {"mirrors: {\"https://a.test\": \"http://m.test/x\"}\n",
         "https://a.test/=http://m.test/x/"},
        {"mirrors:\n  https://a.test/simple/: [http://m.test/, file:///srv/m]\n"
         "  http://b.test: http://m.test/b/\n",
         "https://a.test/simple/=http://m.test/ file:///srv/m/;http://b.test/=http://m.test/b/"},
        {"mirrors: {}\n", ""},
        {"caches: [\"docker://a.test/x\", \"docker://b.test/y\"]\n",
         "+docker://a.test/x+docker://b.test/y"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(config_clear) struct config c = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf out = {0};

        if (read_text(&c, cases[i][0], &e) < 0)
            fail_msg("%s: %s", cases[i][0], e.msg);
        print(&out, &c);
        assert_string_equal(out.p, cases[i][1]);
    }
}

static void registries_are_found_by_their_host(void **state)
{
    static const struct {
        const char *text, *host;
        struct config_registry want;
    } cases[] = {
        {"registries: {\"a.test:5000\": {insecure: true}}\n", "a.test:5000", {.insecure = true}},
        {"registries: {\"a.test:5000\": {insecure: true}}\n", "a.test", {.insecure = false}},
        {"registries: {a.test: {upload: put}}\n", "a.test", {.upload = REGISTRY_PUT}},
        {"registries: {a.test: {upload: patch}}\n", "A.test", {.upload = REGISTRY_PATCH}},
        {"registries: {a.test: {chunk: 95MB}}\n",
         "a.test",
         {.upload = REGISTRY_CHUNKS, .chunk = 95000000}},
        {"registries: {a.test: {upload: chunks, chunk: 8MiB}}\n",
         "a.test",
         {.upload = REGISTRY_CHUNKS, .chunk = 8 << 20}},
        {"keyring: x\n", "europe-docker.pkg.dev", {.upload = REGISTRY_PUT}},
        {"registries: {europe-docker.pkg.dev: {upload: patch}}\n",
         "europe-docker.pkg.dev",
         {.upload = REGISTRY_PATCH}},
        {"keyring: x\n", "x.jfrog.io", {.upload = REGISTRY_PATCH}},
        {"registries: {x.jfrog.io: {insecure: true}}\n",
         "x.jfrog.io",
         {.insecure = true, .upload = REGISTRY_PATCH}},
        {"keyring: x\n", "1.dkr.ecr.eu-west-1.amazonaws.com", {.chunk_min = 5 << 20}},
        {"keyring: x\n", "ghcr.io", {.upload_max_ms = 600000}},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(config_clear) struct config c = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct config_registry r;

        if (read_text(&c, cases[i].text, &e) < 0)
            fail_msg("%s: %s", cases[i].text, e.msg);
        config_registry(&r, &c, str_of(cases[i].host));
        assert_int_equal(r.insecure, cases[i].want.insecure);
        assert_int_equal(r.upload, cases[i].want.upload);
        assert_int_equal(r.chunk, cases[i].want.chunk);
        assert_int_equal(r.chunk_min, cases[i].want.chunk_min);
        assert_int_equal(r.upload_max_ms, cases[i].want.upload_max_ms);
    }
}

static void no_file_is_an_empty_configuration(void **state)
{
    static const char *const none[] = {NULL, "/tmp/envbuild-no-such-folder/config.yaml"};

    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        CLEANUP(config_clear) struct config c = {0};
        CLEANUP(err_clear) struct err e = {0};

        assert_int_equal(config_read(&c, none[i], &e), 0);
        assert_true(!c.rules.n && !c.keyring.n);
    }
}

static void faults_are_told_with_their_places(void **state)
{
    static const char *const cases[][2] = {
        {"miror: {}\n", ":1:1: unknown key \"miror\" (did you mean \"mirrors\"?)"},
        {"caches: docker://a.test/x\n", ":1:9: caches: a list is wanted here, not text"},
        {"caches: [a.test/x]\n",
         ":1:10: caches: a repository is wanted here, as docker://HOST/NAME"},
        {"keyring: []\n", ":1:10: keyring: a program is wanted here, such as keyring"},
        {"keyring: {}\n", ":1:10: keyring: a program is wanted here, such as keyring"},
        {"keyring: [[a]]\n", ":1:11: keyring: a word is wanted here, not a list"},
        {"mirrors: [a]\n", ":1:10: mirrors: a map is wanted here, not a list"},
        {"mirrors: {\"https://a.test\": {}}\n",
         ":1:29: mirrors: an address is wanted here, not a map"},
        {"mirrors: {\"https://a.test\": [[x]]}\n",
         ":1:30: mirrors: an address is wanted here, not a list"},
        {"mirrors: {\"https://a.test/?x\": \"http://m.test\"}\n",
         ":1:11: mirrors: an address without query and fragment is wanted here"},
        {"mirrors: {\"https://a.test\": \"http://m.test/#x\"}\n",
         ":1:29: mirrors: an address without query and fragment is wanted here"},
        {"mirrors: {\"https://a.test\": ftp://m.test}\n",
         ":1:29: mirrors: \"ftp://m.test\" is not a usable address: it begins with none of "
         "https://, "
         "http://, file://"},
        {"registries: {a.test: x}\n",
         ":1:22: registry: a map of keys and values is wanted here, not "
         "text"},
        {"registries: {\"a b\": {}}\n",
         ":1:14: registries: \"a b\" is not a host name with an optional port"},
        {"registries: {a.test: {insecur: true}}\n",
         ":1:23: unknown key \"insecur\" (did you mean \"insecure\"?)"},
        {"registries: {a.test: {upload: pot}}\n",
         ":1:31: upload: \"pot\" is none of patch, put and chunks (did you mean \"put\"?)"},
        {"registries: {a.test: {chunk: big}}\n",
         ":1:30: chunk: \"big\" is not a size; write it as 95MB"},
        {"registries: {a.test: {chunk: 0}}\n",
         ":1:30: chunk: \"0\" is not a size; write it as 95MB"},
        {"[]\n", ":1:1: configuration: a map of keys and values is wanted here, not a list"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(config_clear) struct config c = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf text = {0};

        assert_int_equal(read_text(&c, cases[i][0], &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_true(!c.rules.n && !c.keyring.n);
        assert_string_equal(faults_text(&text, &e) + strlen(path), cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_set_is_read),
        cmocka_unit_test(registries_are_found_by_their_host),
        cmocka_unit_test(no_file_is_an_empty_configuration),
        cmocka_unit_test(faults_are_told_with_their_places),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
