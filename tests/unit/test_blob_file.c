/* SPDX-License-Identifier: Apache-2.0 */
#include "oci_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "store/blob_file.h"

enum { SIZE = BLOB_FILE_SMALL + 1 };

struct world {
    char *dir, *from, *to;
    struct memo *memo;
    struct blob_files files;
    struct digest digest;
    char *bytes;
};

static void fill(struct world *w, const char *path, char last)
{
    CLEANUP(err_clear) struct err e = {0};

    memset(w->bytes, 'x', SIZE);
    w->bytes[SIZE - 1] = last;
    assert_ok(fs_write(path, (struct str){w->bytes, SIZE}, &e), &e);
}

/* A file that is known to be right, and may only be read. */
static int open_world(void **state)
{
    struct world *w = xcalloc(1, sizeof *w);
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(free_clear) char *memory = NULL;
    enum blob_file what;
    void *dir;

    make_folder(&dir);
    w->dir = dir;
    w->from = path_join(w->dir, "from");
    w->to = path_join(w->dir, "to");
    w->bytes = xmalloc(SIZE);
    memory = path_join(w->dir, "memory");
    assert_ok(memo_open(&w->memo, memory, &e), &e);
    w->files.memo = w->memo;
    fill(w, w->from, 'a');
    hash_bytes(&w->digest, w->bytes, SIZE);
    assert_int_equal(chmod(w->from, 0444), 0);
    assert_ok(blob_file_check(&what, &w->files, w->from, &w->digest, SIZE, &e), &e);
    assert_int_equal(what, BLOB_RIGHT);
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    void *dir = w->dir;

    memo_clear(&w->memo);
    free(w->from);
    free(w->to);
    free(w->bytes);
    free(w);
    return remove_folder(&dir);
}

static bool share(const struct world *w, const char *to)
{
    CLEANUP(err_clear) struct err e = {0};
    bool shared = false;

    assert_ok(blob_file_share(&shared, &w->files, to, &w->digest, SIZE, &e), &e);
    return shared;
}

static bool is_known(const struct world *w, const char *path)
{
    return blob_file_known(&w->files, path, &w->digest, SIZE);
}

static void what_is_known_is_shared(void **state)
{
    const struct world *w = *state;
    CLEANUP(free_clear) char *third = path_join(w->dir, "third"), *text = NULL;
    struct stat from, to;

    assert_true(share(w, w->to));
    assert_int_equal(stat(w->from, &from), 0);
    assert_int_equal(stat(w->to, &to), 0);
    assert_int_equal(to.st_size, SIZE);
    assert_int_equal(to.st_mode & 0777, 0444);
    text = read_text(w->dir, "to");
    assert_memory_equal(text, w->bytes, SIZE);
    assert_true(is_known(w, w->from)); /* though a link changed its time of change */
    assert_true(is_known(w, w->to));
    assert_true(share(w, w->to)); /* once more is nothing */
    assert_int_equal(unlink(w->from), 0);
    assert_true(is_known(w, w->to) || from.st_ino == to.st_ino); /* the link's end changed it */
    fill((struct world *)(uintptr_t)w, third, 'b');
    assert_false(is_known(w, third));
}

static void it_replaces_what_is_wrong(void **state)
{
    struct world *w = *state;

    fill(w, w->to, 'b');
    assert_false(is_known(w, w->to));
    assert_true(share(w, w->to));
    assert_true(is_known(w, w->to));
}

static void what_changed_is_not_shared(void **state)
{
    struct world *w = *state;
    const struct timespec was[] = {{1, 0}, {1, 0}};

    assert_int_equal(chmod(w->from, 0644), 0);
    fill(w, w->from, 'b');
    assert_false(share(w, w->to));
    assert_false(fs_exists(w->to));
    assert_int_equal(utimensat(AT_FDCWD, w->from, was, 0), 0);
    assert_false(share(w, w->to));
    assert_int_equal(unlink(w->from), 0);
    assert_false(share(w, w->to));
    assert_int_equal(symlink("/etc/passwd", w->from), 0);
    assert_false(share(w, w->to));
}

static void what_may_be_written_to_is_not_linked(void **state)
{
    struct world *w = *state;
    CLEANUP(err_clear) struct err e = {0};
    struct stat from, to;
    enum blob_file what;

    assert_int_equal(chmod(w->from, 0644), 0);
    assert_ok(blob_file_check(&what, &w->files, w->from, &w->digest, SIZE, &e), &e);
    if (!share(w, w->to))
        return;
    assert_int_equal(stat(w->from, &from), 0); /* a clone, then */
    assert_int_equal(stat(w->to, &to), 0);
    assert_int_not_equal(from.st_ino, to.st_ino);
}

static void damage_through_one_name_is_seen_through_the_other(void **state)
{
    struct world *w = *state;
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(fd_clear) struct fd fd = {0};
    enum blob_file what;
    struct stat from, to;

    assert_true(share(w, w->to));
    assert_int_equal(stat(w->from, &from), 0);
    assert_int_equal(stat(w->to, &to), 0);
    if (from.st_ino != to.st_ino)
        return; /* a clone: there is no other name */
    assert_int_equal(chmod(w->from, 0644), 0);
    assert_ok(fd_open(&fd, w->from, O_WRONLY, 0, &e), &e);
    assert_ok(fd_pwrite_all(fd.n, "b", 1, 0, "from", &e), &e);
    assert_ok(blob_file_check(&what, &w->files, w->to, &w->digest, SIZE, &e), &e);
    assert_int_equal(what, BLOB_WRONG);
}

static void an_audit_and_a_small_file_share_nothing(void **state)
{
    struct world *w = *state;
    CLEANUP(err_clear) struct err e = {0};
    bool shared = true;

    assert_ok(blob_file_share(&shared, &w->files, w->to, &w->digest, BLOB_FILE_SMALL, &e), &e);
    assert_false(shared);
    w->files.again = true;
    assert_false(share(w, w->to));
    w->files = (struct blob_files){0};
    assert_false(share(w, w->to));
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)
    const struct CMUnitTest tests[] = {
        CASE(what_is_known_is_shared),
        CASE(it_replaces_what_is_wrong),
        CASE(what_changed_is_not_shared),
        CASE(what_may_be_written_to_is_not_linked),
        CASE(damage_through_one_name_is_seen_through_the_other),
        CASE(an_audit_and_a_small_file_share_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
