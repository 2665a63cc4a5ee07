/* tests/unit/test_ignore.c - patterns of a .dockerignore against paths, by what Docker's
 * documentation says and moby/patternmatcher's own table has. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan/ignore.h"

static void patterns_match_as_docker_says(void **state)
{
    static const struct {
        const char *lines, *path;
        enum ignored want;
    } cases[] = {
        /* docs.docker.com, "dockerignore files" */
        {"*/temp*", "somedir/temporary.txt", IGNORE_OWN},
        {"*/temp*", "somedir/temp/x", IGNORE_OWN},
        {"*/temp*", "temp", IGNORE_NOT},
        {"*/temp*", "a/b/temp", IGNORE_NOT},
        {"*/*/temp*", "somedir/subdir/temporary.txt", IGNORE_OWN},
        {"temp?", "tempa", IGNORE_OWN},
        {"temp?", "temp", IGNORE_NOT},
        {"temp?", "temp\xc3\xa9", IGNORE_OWN},
        {"temp??", "temp\xc3\xa9", IGNORE_NOT},
        {"**/*.go", "a/b/c.go", IGNORE_OWN},
        {"**/*.go", "c.go", IGNORE_OWN},
        {"/foo/bar", "foo/bar", IGNORE_OWN},
        {"foo/bar/", "foo/bar/x", IGNORE_OWN},
        {"*.md\n!README.md", "a.md", IGNORE_OWN},
        {"*.md\n!README.md", "README.md", IGNORE_BACK},
        {"*.md\n!README*.md\nREADME-secret.md", "README-secret.md", IGNORE_OWN},
        {"*.md\nREADME-secret.md\n!README*.md", "README-secret.md", IGNORE_BACK},
        {"# *\n\n  a  \r\n", "a", IGNORE_OWN},
        {"# *\n", "a", IGNORE_NOT},
        {"\xef\xbb\xbf"
         "a",
         "a", IGNORE_OWN},
        {" #a", "#a", IGNORE_OWN}, /* a comment has its "#" first */
        /* moby/patternmatcher */
        {"**", "file", IGNORE_OWN},
        {"**", "dir/file", IGNORE_OWN},
        {"**/", "file", IGNORE_OWN},
        {"**/**", "dir/file", IGNORE_OWN},
        {"dir/**", "dir/file", IGNORE_OWN},
        {"dir/**", "dir/dir2/file", IGNORE_OWN},
        {"dir/**", "dir", IGNORE_NOT},
        {"**/dir", "dir", IGNORE_OWN},
        {"**/dir", "dir/file", IGNORE_OWN},
        {"**/dir2/*", "dir/dir2/file", IGNORE_OWN},
        {"**/dir2/**", "dir/dir2/dir2/file", IGNORE_OWN},
        {"**file", "dir/afile", IGNORE_OWN},
        {"**/file", "dir/afile", IGNORE_NOT},
        {"**/*.txt", "dir/file.text", IGNORE_NOT},
        {"a**/*.txt", "a/file.txt", IGNORE_OWN},
        {"a**/*.txt", "a/dir/dir/file.txt", IGNORE_OWN},
        {"a**/*.txt", "b/file.txt", IGNORE_NOT},
        {"a/*.txt", "a/file.txt", IGNORE_OWN},
        {"a/*.txt", "a/dir/file.txt", IGNORE_NOT},
        {"a[b-d]e", "ace", IGNORE_OWN},
        {"a[b-d]e", "aae", IGNORE_NOT},
        {"a[^b-d]e", "aze", IGNORE_OWN},
        {"a[^b-d]e", "ace", IGNORE_NOT},
        {"a\\*", "a*", IGNORE_OWN},
        {"a\\**", "a*b", IGNORE_OWN},
        {"a\\*", "ab", IGNORE_NOT},
        {"a.b", "axb", IGNORE_NOT},
        {".*", ".foo", IGNORE_OWN},
        {"abc.def", "abcdef", IGNORE_NOT},
        {"**/foo/bar", "foo/bar", IGNORE_OWN},
        {"**/foo/bar", "dir/foo/bar", IGNORE_OWN},
        {"abc/**", "abc/def/ghi", IGNORE_OWN},
        {"**/.foo", "bar.foo", IGNORE_NOT},
        {"./a/../b", "b", IGNORE_OWN},
        {"a*b*a", "aXbYa", IGNORE_OWN},
        {"*", "anything/below", IGNORE_OWN},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(ignore_clear) struct ignore g = {0};
        struct err e = {0};

        if (ignore_add_lines(&g, str_of(cases[i].lines), ".dockerignore", &e) < 0)
            fail_msg("%s: %s", cases[i].lines, e.msg);
        if (ignore_find(&g, str_of(cases[i].path)) != cases[i].want)
            fail_msg("\"%s\" against \"%s\"", cases[i].lines, cases[i].path);
    }
}

static void what_nobody_means_is_built_in(void **state)
{
    static const char *const out[] = {".git",
                                      ".git/config",
                                      "a/.env",
                                      "a/__pycache__",
                                      "b/.ipynb_checkpoints/x",
                                      "keys/id_ed25519",
                                      "home/.ssh/config",
                                      ".netrc"};
    static const char *const in[] = {".github/x", ".env.example", "id_rsa.pub", "a.env", "git"};
    CLEANUP(ignore_clear) struct ignore g = {0};
    struct err e = {0};

    ignore_add_built_in(&g);
    for (size_t i = 0; i < ARRAY_LEN(out); i++)
        assert_int_equal(ignore_find(&g, str_of(out[i])), IGNORE_BUILT_IN);
    for (size_t i = 0; i < ARRAY_LEN(in); i++)
        assert_int_equal(ignore_find(&g, str_of(in[i])), IGNORE_NOT);
    assert_int_equal(ignore_add(&g, STR("!a/.env"), &e), 0);
    assert_int_equal(ignore_find(&g, STR("a/.env")), IGNORE_BACK);
    assert_int_equal(ignore_find(&g, STR("b/.env")), IGNORE_BUILT_IN);
}

static void patterns_that_are_none_are_refused(void **state)
{
    static const char *const cases[] = {"!", "a[", "a[b", "a[z-a]", "a\\", "../x", "[]", "!/"};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(ignore_clear) struct ignore g = {0};
        struct err e = {0};

        if (ignore_add_lines(&g, str_of(cases[i]), ".dockerignore", &e) == 0)
            fail_msg("\"%s\" was taken", cases[i]);
        assert_non_null(strstr(e.msg, ".dockerignore:1: "));
        err_clear(&e);
    }
}

/* A matcher that goes back and tries again would need longer than anybody waits. */
static void many_stars_take_no_time(void **state)
{
    CLEANUP(ignore_clear) struct ignore g = {0};
    CLEANUP(buf_clear) struct buf pattern = {0}, path = {0};
    struct err e = {0};

    for (size_t i = 0; i < 60; i++)
        buf_puts(&pattern, "a*");
    buf_puts(&pattern, "/**/b");
    for (size_t i = 0; i < 2000; i++)
        buf_putc(&path, i % 250 ? 'a' : '/');
    assert_int_equal(ignore_add(&g, buf_view(&pattern), &e), 0);
    assert_int_equal(ignore_find(&g, str_sub(buf_view(&path), 1, path.len)), IGNORE_NOT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_as_docker_says),
        cmocka_unit_test(what_nobody_means_is_built_in),
        cmocka_unit_test(patterns_that_are_none_are_refused),
        cmocka_unit_test(many_stars_take_no_time),
    };

    return cmocka_run_group_tests_name("ignore", tests, NULL, NULL);
}
