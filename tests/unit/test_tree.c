/* tests/unit/test_tree.c - trees: adding, links, order, differences. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assemble/layer/tree.h"

static int add(struct tree *t, const char *path, enum entry_type type, const char *link,
               bool replace, struct err *e)
{
    return tree_add(
        t, &(struct entry){.path = str_of(path), .type = type, .mode = 0644, .link = str_of(link)},
        replace, e);
}

static void folders_merge_and_files_do_not(void **state)
{
    CLEANUP(tree_clear) struct tree t = {0};
    CLEANUP(err_clear) struct err e = {0};

    tree_dir(&t, "a", 0755, 1);
    assert_int_equal(add(&t, "a", ENTRY_DIR, NULL, false, &e), 0);
    assert_int_equal(tree_get(&t, STR("a"))->mode, 0644);
    assert_int_equal(add(&t, "a", ENTRY_FILE, NULL, false, &e), -1);
    assert_string_equal(e.msg, "/a is there twice");
    err_clear(&e);
    assert_int_equal(add(&t, "a", ENTRY_FILE, NULL, true, &e), 0);
    assert_int_equal(t.entries.n, 1);
}

static void unsafe_paths_are_refused(void **state)
{
    static const char *const paths[] = {"", "/a", "a/", "a//b", ".", "a/./b", "..", "a/../b"};

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        CLEANUP(tree_clear) struct tree t = {0};
        CLEANUP(err_clear) struct err e = {0};

        assert_int_equal(add(&t, paths[i], ENTRY_FILE, NULL, false, &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
    }
}

static void links_are_followed_as_the_kernel_does(void **state)
{
    static const struct {
        const char *path, *resolved; /* folder part only; NULL: an error */
        const char *followed;        /* the entry it ends at; NULL: none */
    } cases[] = {
        {"bin/sh", "usr/bin/sh", "usr/bin/dash"},
        {"usr/bin/sh", "usr/bin/sh", "usr/bin/dash"},
        {"lib/x", "usr/lib/x", NULL},
        {"abs/sh", "usr/bin/sh", "usr/bin/dash"},
        {"chain/sh", "usr/bin/sh", "usr/bin/dash"},
        {"bin", "bin", "usr/bin"},
        {"up/bin/sh", "usr/bin/sh", "usr/bin/dash"},
        {"loop/x", NULL, NULL},
        {"climb/x", NULL, NULL},
        {"not/there", "not/there", NULL},
    };
    CLEANUP(tree_clear) struct tree t = {0};

    tree_dir(&t, "usr", 0755, 1);
    tree_dir(&t, "usr/bin", 0755, 1);
    tree_dir(&t, "usr/lib", 0755, 1);
    tree_file(&t, "usr/bin/dash", 0755, 1, STR("dash"));
    tree_link(&t, "usr/bin/sh", "dash", 1);
    tree_link(&t, "bin", "usr/bin", 1);
    tree_link(&t, "lib", "usr/lib", 1);
    tree_link(&t, "abs", "/usr/bin", 1);
    tree_link(&t, "chain", "abs", 1);
    tree_link(&t, "up", "usr/bin/../..", 1);
    tree_link(&t, "loop", "loop2", 1);
    tree_link(&t, "loop2", "loop", 1);
    tree_link(&t, "climb", "../..", 1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf out = {0};
        CLEANUP(err_clear) struct err e = {0};
        const struct entry *end = tree_follow(&t, str_of(cases[i].path));
        int result = tree_resolve(&t, &out, str_of(cases[i].path), &e);

        assert_int_equal(result, cases[i].resolved ? 0 : -1);
        if (cases[i].resolved)
            assert_string_equal(out.p, cases[i].resolved);
        if (!cases[i].followed)
            assert_null(end);
        else
            assert_string_equal(end->path.p, cases[i].followed);
    }
}

static void order_is_by_byte_and_parents_come_first(void **state)
{
    static const char *const sorted[] = {"a", "a-b", "a/b", "a/b/c", "a0", "b"};
    CLEANUP(tree_clear) struct tree t = {0};

    tree_file(&t, "b", 0644, 9, STR(""));
    tree_file(&t, "a/b/c", 0644, 5, STR(""));
    tree_file(&t, "a-b", 0644, 1, STR(""));
    tree_file(&t, "a0", 0644, 1, STR(""));
    tree_parents(&t, STR("a/b/c"), 3);
    tree_sort(&t);
    assert_int_equal(t.entries.n, ARRAY_LEN(sorted));
    for (size_t i = 0; i < ARRAY_LEN(sorted); i++)
        assert_string_equal(t.entries.v[i].path.p, sorted[i]);
    assert_ptr_equal(tree_get(&t, STR("a/b/c")), &t.entries.v[3]);
    assert_int_equal(tree_newest(&t), 9);
}

/* A hardlink stands after its target, whichever of the names the package called the file. */
static void hardlinks_follow_their_file(void **state)
{
    CLEANUP(tree_clear) struct tree t = {0};
    CLEANUP(err_clear) struct err e = {0};

    tree_file(&t, "m", 0755, 1, STR("bytes"));
    assert_int_equal(add(&t, "a", ENTRY_HARDLINK, "m", false, &e), 0);
    assert_int_equal(add(&t, "z", ENTRY_HARDLINK, "m", false, &e), 0);
    tree_sort(&t);
    assert_int_equal(t.entries.v[0].type, ENTRY_FILE);
    assert_int_equal(t.entries.v[0].content.size, 5);
    for (size_t i = 1; i < 3; i++) {
        assert_int_equal(t.entries.v[i].type, ENTRY_HARDLINK);
        assert_string_equal(t.entries.v[i].link.p, "a");
    }
}

static void a_difference_is_what_is_new_with_its_folders(void **state)
{
    CLEANUP(tree_clear) struct tree lower = {0}, upper = {0}, diff = {0}, bad = {0};
    CLEANUP(err_clear) struct err e = {0};

    tree_dir(&lower, "etc", 0755, 1);
    tree_file(&lower, "etc/same", 0644, 1, STR("x"));
    tree_file(&lower, "etc/status", 0644, 1, STR("one"));
    tree_dir(&upper, "etc", 0755, 1);
    tree_file(&upper, "etc/same", 0644, 1, STR("x"));
    tree_file(&upper, "etc/status", 0644, 1, STR("two"));
    tree_dir(&upper, "opt", 0700, 1);
    tree_file(&upper, "opt/new", 0644, 1, STR("n"));
    assert_int_equal(tree_diff(&diff, &lower, &upper, &e), 0);
    assert_int_equal(diff.entries.n, 4);
    assert_null(tree_get(&diff, STR("etc/same")));
    assert_int_equal(tree_get(&diff, STR("opt"))->mode, 0700);
    assert_int_equal(tree_diff(&bad, &upper, &lower, &e), -1); /* something would be deleted */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_merge_and_files_do_not),
        cmocka_unit_test(unsafe_paths_are_refused),
        cmocka_unit_test(links_are_followed_as_the_kernel_does),
        cmocka_unit_test(order_is_by_byte_and_parents_come_first),
        cmocka_unit_test(hardlinks_follow_their_file),
        cmocka_unit_test(a_difference_is_what_is_new_with_its_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
