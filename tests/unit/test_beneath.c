/* tests/unit/test_beneath.c - paths that must stay in a folder. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beneath.h"
#include "mkfolder.h"

static const struct mkfolder_item items[] = {
    {"top/a/file", .text = "inside"},
    {"top/b/file", .text = "b"},
    {"top/in", .link = "a"},
    {"top/in2", .link = "./b/../in"},
    {"top/a/up", .link = "../b"},
    {"top/out", .link = ".."},
    {"top/out2", .link = "a/../../secret"},
    {"top/abs", .link = "/etc"},
    {"top/loop", .link = "loop"},
    {"top/gone", .link = "nowhere"},
    {"secret/file", .text = "outside"},
    {0},
};

static void links_are_followed_inside_alone(void **state)
{
    static const struct {
        const char *path, *all, *but_last; /* NULL: it leads out */
    } cases[] = {
        {"", "", ""},
        {".", "", ""},
        {"a", "a", "a"},
        {"./a//file", "a/file", "a/file"},
        {"a/..", "", ""},
        {"a/../b/file", "b/file", "b/file"},
        {"in", "a", "in"},
        {"in/", "a", "a"},
        {"in/.", "a", "a"},
        {"in/file", "a/file", "a/file"},
        {"in2/up/file", "b/file", "b/file"},
        {"in/../b", "b", "b"},
        {"gone", "nowhere", "gone"},
        {"not/there", "not/there", "not/there"},
        {"..", NULL, NULL},
        {"../top/a", NULL, NULL},
        {"a/../../secret/file", NULL, NULL},
        {"out", NULL, "out"},
        {"out/secret", NULL, NULL},
        {"out/top/a/file", NULL, NULL},
        {"out2", NULL, "out2"},
        {"abs", NULL, "abs"},
        {"abs/passwd", NULL, NULL},
        {"loop", NULL, "loop"},
    };
    CLEANUP(mkfolder_clear) struct mkfolder f = {0};
    int root;

    mkfolder(&f, items);
    root = openat(f.fd, "top", O_PATH | O_DIRECTORY);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf all = {0}, but_last = {0};

        assert_int_equal(beneath_resolve(&all, root, str_of(cases[i].path), true),
                         cases[i].all != NULL);
        assert_int_equal(beneath_resolve(&but_last, root, str_of(cases[i].path), false),
                         cases[i].but_last != NULL);
        if (cases[i].all)
            assert_string_equal(all.p, cases[i].all);
        if (cases[i].but_last)
            assert_string_equal(but_last.p, cases[i].but_last);
    }
    close(root);
}

static void nothing_is_followed_when_opened(void **state)
{
    static const struct {
        const char *path;
        bool opens;
    } cases[] = {
        {"", true},
        {"a", true},
        {"a/file", true},
        {"in", false},
        {"in/file", false},
        {"a/gone", false},
        {"..", false},
        {"../secret/file", false},
        {"a/../b/file", false},
    };
    CLEANUP(mkfolder_clear) struct mkfolder f = {0};
    int root;

    mkfolder(&f, items);
    root = openat(f.fd, "top", O_PATH | O_DIRECTORY);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(fd_clear) struct fd fd = {0};
        CLEANUP(err_clear) struct err e = {0};

        assert_int_equal(beneath_open(&fd, root, str_of(cases[i].path), O_RDONLY, "it", &e),
                         cases[i].opens ? 0 : -1);
        assert_int_equal(fd.open, cases[i].opens);
    }
    close(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_are_followed_inside_alone),
        cmocka_unit_test(nothing_is_followed_when_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
