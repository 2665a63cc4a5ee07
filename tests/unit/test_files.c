/* tests/unit/test_files.c - the top layer: what is copied where, whose it is, and what is refused.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assemble/files.h"
#include "io/crypto.h"
#include "mkfolder.h"
#include "mktree.h"
#include "plan/scan.h"

enum { COPIES_MAX = 3, DATE = 1700000000 };

static const struct mkfolder_item items[] = {
    {"ctx/one.txt", .text = "one"},
    {"ctx/data/a/x", .text = "x"},
    {"ctx/data/link", .link = "/etc/passwd"},
    {"ctx/data/lib64/y", .text = "y"},
    {"ctx/now", .link = "data"},
    {"ctx/out", .link = "../secret"},
    {"ctx/away/link", .link = "/usr/lib"},
    {"secret/file", .text = "secret"},
    {0},
};

struct copy {
    const char *from, *to;
    uint32_t uid;
};

#define FROM(path, to)  \
    {                   \
        (path), (to), 0 \
    }

/* A system as the layers below give it. */
static void system_make(struct tree *t)
{
    mktree_dir(t, "etc", 0755, 1);
    mktree_file(t, "etc/passwd", 0644, 1, STR("root:x:0:0:root:/root:/bin/bash\n"));
    mktree_dir(t, "tmp", 01777, 1);
    mktree_dir(t, "usr", 0755, 1);
    mktree_dir(t, "usr/bin", 0755, 1);
    mktree_dir(t, "usr/lib64", 0755, 1);
    mktree_link(t, "bin", "usr/bin", 1);
    mktree_link(t, "lib64", "usr/lib64", 1);
    tree_sort(t);
}

static int scan(struct lock *lock, const struct copy *copies, const char *dir, struct err *e)
{
    for (size_t i = 0; i < COPIES_MAX && copies[i].from; i++) {
        struct lock_copy *c = vec_push(&lock->copies);

        c->from = str_of(copies[i].from);
        c->to = str_of(copies[i].to);
        c->uid = c->gid = copies[i].uid;
        if (scan_files(c, &lock->doc.arena, dir, &(struct scan_rules){0}, e) < 0)
            return -1;
    }
    return 0;
}

static void list(struct buf *out, const struct tree *t, const struct spool *spool)
{
    const struct entry *entry;

    vec_each(entry, &t->entries) {
        char bytes[16] = "";
        struct err e = {0};

        if (entry->type == ENTRY_FILE)
            assert_int_equal(fd_pread_all(spool->input.fd.n, bytes, entry->content.size,
                                          entry->content.offset, "spool", &e),
                             0);
        buf_fmt(out, "%c %o %u %s", "fdlh"[entry->type], entry -> mode, entry -> uid,
                entry -> path.p);
        if (entry->type == ENTRY_SYMLINK)
            buf_fmt(out, " -> %s", entry->link.p);
        buf_fmt(out, "%s%s\n", bytes[0] ? " " : "", bytes);
        assert_int_equal(entry->mtime, DATE);
    }
}

static int files(struct buf *out, const struct lock *lock, const char *dir, struct err *e)
{
    CLEANUP(tree_clear) struct tree t = {0}, system = {0};
    struct spool spool = {0};
    int result;

    system_make(&system);
    spool_open(&spool, "/tmp");
    result = files_build(&t, lock, dir, &spool, &system, e);
    if (result == 0)
        list(out, &t, &spool);
    spool_clear(&spool);
    return result;
}

static void files_land_where_the_recipe_says(void **state)
{
    static const struct {
        struct copy copies[COPIES_MAX];
        const char *tree;
    } cases[] = {
        {{FROM("one.txt", "/srv/")}, "d 755 0 srv\nf 644 0 srv/one.txt one\n"},
        {{FROM("one.txt", "/srv/two")}, "d 755 0 srv\nf 644 0 srv/two one\n"},
        {{{"one.txt", "/tmp/x/", 1000}},
         "d 1777 0 tmp\nd 755 1000 tmp/x\nf 644 1000 tmp/x/one.txt one\n"},
        {{FROM("./data//../data/a", "/a")}, "d 755 0 a\nf 644 0 a/x x\n"},
        {{FROM("now", "/srv/")}, "d 755 0 srv\nl 777 0 srv/now -> data\n"}, /* a link is a link */
        {{FROM("now/a/x", "/x")}, "f 644 0 x x\n"}, /* but what lies behind it can be named */
        {{FROM("now/a/", "/a/")}, "d 755 0 a\nf 644 0 a/x x\n"},
        /* The system's links stay, and so do those that came with other files. */
        {{FROM("one.txt", "/bin/")}, "d 755 0 usr\nd 755 0 usr/bin\nf 644 0 usr/bin/one.txt one\n"},
        {{{"one.txt", "/bin/", 7}}, "d 755 0 usr\nd 755 7 usr/bin\nf 644 7 usr/bin/one.txt one\n"},
        {{FROM("data/lib64", "/lib64/")},
         "d 755 0 usr\nd 755 0 usr/lib64\nf 644 0 usr/lib64/y y\n"},
        {{FROM("data", "/")},
         "d 755 0 a\nf 644 0 a/x x\nl 777 0 link -> /etc/passwd\nd 755 0 usr\nd 755 0 usr/lib64\n"
         "f 644 0 usr/lib64/y y\n"},
        {{FROM("away", "/srv"), FROM("one.txt", "/srv/link/")},
         "d 755 0 srv\nl 777 0 srv/link -> /usr/lib\nd 755 0 usr\nd 755 0 usr/lib\n"
         "f 644 0 usr/lib/one.txt one\n"},
        {{FROM("one.txt", "/etc/passwd")}, "d 755 0 etc\nf 644 0 etc/passwd one\n"},
    };
    CLEANUP(mkfolder_clear) struct mkfolder f = {0};
    CLEANUP(free_clear) char *dir = NULL;

    mkfolder(&f, items);
    dir = path_join(f.path, "ctx");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(lock_clear) struct lock lock = {.created = DATE, .workdir = STR("/")};
        CLEANUP(buf_clear) struct buf out = {0};
        struct err e = {0};

        if (scan(&lock, cases[i].copies, dir, &e) < 0 || files(&out, &lock, dir, &e) < 0)
            fail_msg("%zu: %s", i, e.msg);
        assert_string_equal(out.p, cases[i].tree);
    }
}

static void what_leads_out_is_refused(void **state)
{
    static const char *const froms[] = {
        "..",       "../secret/file", "data/../../secret", "out",
        "out/file", "data/link",      "data/../out/",      "data/a/../../../secret/file"};
    CLEANUP(mkfolder_clear) struct mkfolder f = {0};
    CLEANUP(free_clear) char *dir = NULL;

    mkfolder(&f, items);
    dir = path_join(f.path, "ctx");
    for (size_t i = 0; i < ARRAY_LEN(froms); i++) {
        CLEANUP(lock_clear) struct lock lock = {.created = DATE, .workdir = STR("/")};
        CLEANUP(err_clear) struct err e = {0};
        struct copy copies[COPIES_MAX] = {FROM(froms[i], "/x")};

        assert_int_equal(scan(&lock, copies, dir, &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_non_null(strstr(e.msg, "leads out of the recipe's folder"));
    }
}

/* A lock may come from anybody. */
static void a_lock_that_leads_out_is_refused_too(void **state)
{
    static const struct {
        const char *from, *path, *says;
    } cases[] = {
        {"../secret/file", "", "files: \"../secret/file\" leads out of the recipe's folder"},
        {"out/file", "", "files: \"out/file\" leads out of the recipe's folder"},
        {"data", "../../secret/file",
         "files: cannot open data/../../secret/file: it leads out of its folder"},
        {"data", "../../out/file",
         "files: cannot open data/../../out/file: it leads out of its folder"},
    };
    CLEANUP(mkfolder_clear) struct mkfolder f = {0};
    CLEANUP(free_clear) char *dir = NULL;

    mkfolder(&f, items);
    dir = path_join(f.path, "ctx");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(lock_clear) struct lock lock = {.created = DATE, .workdir = STR("/")};
        CLEANUP(buf_clear) struct buf out = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct lock_copy *c = vec_push(&lock.copies);
        struct lock_file file = {.path = str_of(cases[i].path), .size = 6};

        c->from = str_of(cases[i].from);
        c->to = STR("/a/b/c/d");
        hash_bytes(&file.digest, "secret", 6);
        vec_add(&c->files, file);
        assert_int_equal(files(&out, &lock, dir, &e), -1);
        assert_string_equal(e.msg, cases[i].says);
    }
}

static void what_changed_or_does_not_fit_is_refused(void **state)
{
    static const struct {
        struct copy copies[COPIES_MAX];
        const char *write, *text; /* after the lock was written */
        const char *says;
    } cases[] = {
        {{FROM("one.txt", "/x")}, "one.txt", "two", "files: one.txt changed since"},
        {{FROM("one.txt", "/x")}, "one.txt", "longer", "files: one.txt changed since"},
        {{FROM("data/", "/x/")}, "data/a/x", "X", "files: data/a/x changed since"},
        {{FROM("one.txt", "/usr")},
         NULL,
         NULL,
         "files: /usr would be a file and is a folder already; leave one of the two out"},
        {{FROM("one.txt", "/etc/passwd/x")},
         NULL,
         NULL,
         "files: /etc/passwd/x needs a folder where /etc/passwd is a file; leave one of the two "
         "out"},
        {{FROM("data", "/etc/passwd")}, NULL, NULL, "files: /etc/passwd/a needs a folder where "},
        {{FROM("one.txt", "/a"), FROM("data", "/")},
         NULL,
         NULL,
         "files: /a would be a folder and is a file already; leave one of the two out"},
        {{FROM("one.txt", "/srv/.wh.x")},
         NULL,
         NULL,
         "files: path \"srv/.wh.x\" would be read as a deletion: in a layer no name may start with "
         "\".wh.\""},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(mkfolder_clear) struct mkfolder f = {0};
        CLEANUP(free_clear) char *dir = NULL;
        CLEANUP(lock_clear) struct lock lock = {.created = DATE, .workdir = STR("/")};
        CLEANUP(buf_clear) struct buf out = {0};
        CLEANUP(err_clear) struct err e = {0};

        mkfolder(&f, items);
        dir = path_join(f.path, "ctx");
        assert_int_equal(scan(&lock, cases[i].copies, dir, &e), 0);
        if (cases[i].write) {
            CLEANUP(free_clear) char *path = path_join(dir, cases[i].write);

            assert_int_equal(fs_write(path, str_of(cases[i].text), &e), 0);
        }
        assert_int_equal(files(&out, &lock, dir, &e), -1);
        if (strncmp(e.msg, cases[i].says, strlen(cases[i].says)) != 0)
            fail_msg("%zu: %s", i, e.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_land_where_the_recipe_says),
        cmocka_unit_test(what_leads_out_is_refused),
        cmocka_unit_test(a_lock_that_leads_out_is_refused_too),
        cmocka_unit_test(what_changed_or_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
