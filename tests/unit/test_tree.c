/* tests/unit/test_tree.c - trees: adding, links, order, differences. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mktree.h"

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

    mktree_dir(&t, "a", 0755, 1);
    assert_int_equal(add(&t, "a", ENTRY_DIR, NULL, false, &e), 0);
    assert_int_equal(tree_get(&t, STR("a"))->mode, 0644);
    assert_int_equal(add(&t, "b", ENTRY_FILE, NULL, false, &e), 0);
    assert_int_equal(add(&t, "b", ENTRY_SYMLINK, "a", true, &e), 0);
    assert_int_equal(tree_get(&t, STR("b"))->type, ENTRY_SYMLINK);
    assert_int_equal(add(&t, "b", ENTRY_FILE, NULL, false, &e), -1);
    assert_string_equal(e.msg, "/b is there twice");
    assert_int_equal(t.entries.n, 2);
}

/* Wherever the other of the two stands: in the tree, or in the layers below. */
static void what_cannot_both_be_is_refused(void **state)
{
    static const struct {
        const char *there;
        enum entry_type type;
        const char *path;
        enum entry_type other;
        const char *says;
    } cases[] = {
        {"a", ENTRY_FILE, "a", ENTRY_DIR,
         "/a would be a folder and is a file already; leave one of the two out"},
        {"a", ENTRY_SYMLINK, "a", ENTRY_DIR,
         "/a would be a folder and is a link already; leave one of the two out"},
        {"a", ENTRY_DIR, "a", ENTRY_FILE,
         "/a would be a file and is a folder already; leave one of the two out"},
        {"a", ENTRY_DIR, "a", ENTRY_SYMLINK,
         "/a would be a link and is a folder already; leave one of the two out"},
        {"a", ENTRY_FILE, "a/b", ENTRY_FILE,
         "/a/b needs a folder where /a is a file; leave one of the two out"},
        {"a", ENTRY_FILE, "a/b/c/d", ENTRY_DIR,
         "/a/b/c/d needs a folder where /a is a file; leave one of the two out"},
        {"a", ENTRY_SYMLINK, "a/b", ENTRY_SYMLINK,
         "/a/b needs a folder where /a is a link; leave one of the two out"},
    };

    for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
        CLEANUP(tree_clear) struct tree t = {0}, below = {0};
        CLEANUP(err_clear) struct err e = {0};
        size_t k = i / 2;

        t.below = i % 2 ? &below : NULL;
        assert_int_equal(add(i % 2 ? &below : &t, cases[k].there, cases[k].type,
                             cases[k].type == ENTRY_SYMLINK ? "x" : NULL, false, &e),
                         0);
        assert_int_equal(add(&t, cases[k].path, cases[k].other,
                             cases[k].other == ENTRY_SYMLINK ? "x" : NULL, true, &e),
                         -1);
        assert_string_equal(e.msg, cases[k].says);
    }
}

static void unfit_entries_are_refused(void **state)
{
    static const char *const paths[] = {"",   "/a",    "a/",    "a//b",           ".",
                                        "..", "a/./b", ".wh.a", "a/.wh..wh..opq", "a/../b"};
    CLEANUP(tree_clear) struct tree t = {0};
    CLEANUP(buf_clear) struct buf longest = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct entry entry = {.path = STR("a\0b"), .type = ENTRY_FILE};

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        CLEANUP(err_clear) struct err why = {0};

        assert_int_equal(add(&t, paths[i], ENTRY_FILE, NULL, false, &why), -1);
        assert_int_equal(why.kind, ERR_INPUT);
    }
    assert_int_equal(tree_add(&t, &entry, false, &e), -1);
    entry.path = STR("a");
    entry.mode = 0100644;
    assert_int_equal(tree_add(&t, &entry, false, &e), -1);
    entry.mode = 0644;
    entry.mtime = -1;
    assert_int_equal(tree_add(&t, &entry, false, &e), -1);
    entry.mtime = 0;
    entry.type = ENTRY_SYMLINK; /* to nothing */
    assert_int_equal(tree_add(&t, &entry, false, &e), -1);
    entry.type = ENTRY_HARDLINK;
    entry.link = STR("b");
    assert_int_equal(tree_add(&t, &entry, false, &e), -1);
    while (longest.len < 4095)
        buf_puts(&longest, longest.len % 2 ? "/" : "a");
    buf_putc(&longest, 'a');
    mktree_parents(&t, longest.p, 1);
    err_clear(&e);
    assert_int_equal(add(&t, longest.p, ENTRY_FILE, NULL, false, &e), 0);
    buf_putc(&longest, 'a');
    assert_int_equal(tree_parents(&t, buf_view(&longest), 1, &e), -1);
    assert_non_null(strstr(e.msg, "is too long: 4096 bytes at most"));
}

/* A folder that is made has the attributes that it has below. */
static void folders_are_as_below(void **state)
{
    CLEANUP(tree_clear) struct tree below = {0}, t = {.below = &below};

    mktree_dir(&below, "tmp", 01777, 1);
    mktree_parents(&t, "tmp/a/b", 7);
    assert_int_equal(tree_get(&t, STR("tmp"))->mode, 01777);
    assert_int_equal(tree_get(&t, STR("tmp"))->mtime, 7);
    assert_int_equal(tree_get(&t, STR("tmp/a"))->mode, 0755);
    assert_null(tree_get(&t, STR("tmp/a/b")));
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

    mktree_dir(&t, "usr", 0755, 1);
    mktree_dir(&t, "usr/bin", 0755, 1);
    mktree_dir(&t, "usr/lib", 0755, 1);
    mktree_file(&t, "usr/bin/dash", 0755, 1, STR("dash"));
    mktree_link(&t, "usr/bin/sh", "dash", 1);
    mktree_link(&t, "bin", "usr/bin", 1);
    mktree_link(&t, "lib", "usr/lib", 1);
    mktree_link(&t, "abs", "/usr/bin", 1);
    mktree_link(&t, "chain", "abs", 1);
    mktree_link(&t, "up", "usr/bin/../..", 1);
    mktree_link(&t, "loop", "loop2", 1);
    mktree_link(&t, "loop2", "loop", 1);
    mktree_link(&t, "climb", "../..", 1);
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

    mktree_file(&t, "b", 0644, 9, STR(""));
    mktree_file(&t, "a/b/c", 0644, 5, STR(""));
    mktree_file(&t, "a-b", 0644, 1, STR(""));
    mktree_file(&t, "a0", 0644, 1, STR(""));
    mktree_parents(&t, "a/b/c", 3);
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

    mktree_file(&t, "m", 0755, 1, STR("bytes"));
    assert_int_equal(add(&t, "a", ENTRY_HARDLINK, "m", false, &e), 0);
    assert_int_equal(add(&t, "z", ENTRY_HARDLINK, "m", false, &e), 0);
    tree_get(&t, STR("m"))->caps = STR("capabilities");
    tree_sort(&t);
    assert_true(str_is(t.entries.v[0].caps, "capabilities"));
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

    mktree_dir(&lower, "etc", 0755, 1);
    mktree_file(&lower, "etc/same", 0644, 1, STR("x"));
    mktree_file(&lower, "etc/status", 0644, 1, STR("one"));
    mktree_dir(&upper, "etc", 0755, 1);
    mktree_file(&upper, "etc/same", 0644, 1, STR("x"));
    mktree_file(&upper, "etc/status", 0644, 1, STR("two"));
    mktree_dir(&upper, "opt", 0700, 1);
    mktree_file(&upper, "opt/new", 0644, 1, STR("n"));
    mktree_file(&lower, "ping", 0755, 1, STR("p"));
    mktree_file(&upper, "ping", 0755, 1, STR("p"));
    tree_get(&upper, STR("ping"))->caps = STR("capabilities");
    assert_int_equal(tree_diff(&diff, &lower, &upper, &e), 0);
    assert_int_equal(diff.entries.n, 5);
    assert_true(str_is(tree_get(&diff, STR("ping"))->caps, "capabilities"));
    assert_null(tree_get(&diff, STR("etc/same")));
    assert_int_equal(tree_get(&diff, STR("opt"))->mode, 0700);
    assert_int_equal(tree_diff(&bad, &upper, &lower, &e), -1); /* something would be deleted */
}

/* What others put into a folder makes it newer, and is no difference. */
static void a_difference_without_dates_hangs_on_nothing_else(void **state)
{
    for (int64_t date = 1; date < 3; date++) {
        CLEANUP(tree_clear) struct tree lower = {0}, upper = {0}, diff = {0};
        CLEANUP(err_clear) struct err e = {0};

        mktree_dir(&lower, "etc", 0755, 50 * date);
        mktree_file(&lower, "etc/old", 0644, 50 * date, STR("x"));
        mktree_dir(&lower, "usr", 0755, 50);
        mktree_dir(&lower, "usr/own", 0755, 50);
        mktree_dir(&upper, "etc", 0755, 60 * date);
        mktree_file(&upper, "etc/old", 0644, 50 * date, STR("x"));
        mktree_file(&upper, "etc/new", 0644, 7, STR("n"));
        mktree_dir(&upper, "usr", 0755, 60 * date);
        mktree_dir(&upper, "usr/own", 0700, 60 * date);
        mktree_dir(&upper, "usr/more", 0755, 40);
        mktree_file(&upper, "usr/more/new", 0644, 30, STR("n"));
        assert_int_equal(tree_diff_undated(&diff, &lower, &upper, &e), 0);
        assert_int_equal(diff.entries.n, 6);
        assert_null(tree_get(&diff, STR("etc/old")));
        assert_int_equal(tree_get(&diff, STR("etc"))->mtime, 7);
        assert_int_equal(tree_get(&diff, STR("usr"))->mtime, 40);
        assert_int_equal(tree_get(&diff, STR("usr/more"))->mtime, 40); /* its own */
        assert_int_equal(tree_get(&diff, STR("usr/own"))->mode, 0700);
        assert_int_equal(tree_lay(&lower, &diff, &e), 0);
        assert_int_equal(tree_get(&lower, STR("etc"))->mtime, 7);
        assert_non_null(tree_get(&lower, STR("usr/more/new")));
        assert_non_null(tree_get(&lower, STR("etc/old")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_merge_and_files_do_not),
        cmocka_unit_test(what_cannot_both_be_is_refused),
        cmocka_unit_test(unfit_entries_are_refused),
        cmocka_unit_test(folders_are_as_below),
        cmocka_unit_test(links_are_followed_as_the_kernel_does),
        cmocka_unit_test(order_is_by_byte_and_parents_come_first),
        cmocka_unit_test(hardlinks_follow_their_file),
        cmocka_unit_test(a_difference_is_what_is_new_with_its_folders),
        cmocka_unit_test(a_difference_without_dates_hangs_on_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
