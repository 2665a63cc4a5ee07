/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <utime.h>

#include "base/path.h"
#include "peer.h"
#include "store/cas.h"

static char *folder;
static struct cas *cas;

static int begin(void **state)
{
    struct err e = {0};

    folder = scratch_make();
    return cas_open(&cas, folder, NULL, &e);
}

static int end(void **state)
{
    cas_clear(&cas);
    scratch_remove(folder);
    return 0;
}

static struct digest digest_of(const char *text)
{
    struct digest d;

    hash_bytes(&d, text, strlen(text));
    return d;
}

/* Files in a folder of the store, whatever their names. */
static size_t files_in(const char *name)
{
    char *dir = path_join(folder, name);
    struct names names = {0};
    struct err e = {0};
    size_t n;

    assert_int_equal(fs_list(&names, dir, &e), 0);
    n = names.n;
    names_clear(&names);
    free(dir);
    return n;
}

static void check_blob(const char *text)
{
    struct digest d = digest_of(text);
    struct input in = {0};
    struct err e = {0};
    char bytes[64] = "";

    assert_true(cas_has(cas, &d, 0));
    assert_true(cas_has(cas, &d, strlen(text)));
    assert_false(cas_has(cas, &d, strlen(text) + 1));
    assert_int_equal(cas_input(&in, cas, &d, "x", &e), 0);
    assert_int_equal(in.size, strlen(text));
    assert_int_equal(fd_pread_all(in.fd.n, bytes, strlen(text), 0, "x", &e), 0);
    assert_string_equal(bytes, text);
    cas_input_clear(&in);
}

static void what_is_put_can_be_read(void **state)
{
    struct digest got, expect = digest_of("hello");
    struct cas_put put = {0};
    struct err e = {0};

    assert_int_equal(cas_put_bytes(cas, STR("hello"), &got, &e), 0);
    assert_true(digest_eq(&got, &expect));
    check_blob("hello");
    assert_int_equal(cas_put_bytes(cas, STR("hello"), NULL, &e), 0); /* again */
    assert_int_equal(cas_put_open(&put, cas, &expect, 5, &e), 0);
    assert_int_equal(sink_write(&put.sink, "hel", 3, &e), 0);
    assert_int_equal(sink_write(&put.sink, "lo", 2, &e), 0);
    assert_int_equal(sink_finish(&put.sink, &e), 0);
    assert_int_equal(put.size, 5);
    cas_put_clear(&put);
    cas_put_clear(&put);
}

static void a_blob_that_is_not_there_is_an_error(void **state)
{
    struct digest d = digest_of("never");
    struct input in = {0};
    struct err e = {0};

    assert_false(cas_has(cas, &d, 0));
    assert_int_equal(cas_input(&in, cas, &d, "never", &e), -1);
    assert_int_equal(e.kind, ERR_SYSTEM);
    err_clear(&e);
}

static void wrong_bytes_are_not_published(void **state)
{
    struct digest expect = digest_of("right"), wrong = digest_of("wrong");
    size_t before = files_in("blobs/sha256");
    struct cas_put put = {0};
    struct err e = {0};

    assert_int_equal(cas_put_open(&put, cas, &expect, 100, &e), 0);
    assert_int_equal(sink_write(&put.sink, "wrong", 5, &e), 0);
    assert_int_equal(sink_finish(&put.sink, &e), -1);
    assert_int_equal(e.kind, ERR_INTEGRITY);
    assert_non_null(strstr(e.msg, "expected sha256:"));
    cas_put_clear(&put);
    assert_false(cas_has(cas, &expect, 0));
    assert_false(cas_has(cas, &wrong, 0));
    assert_int_equal(files_in("blobs/sha256"), before);
    err_clear(&e);
}

static void a_limit_holds_at_its_edge(void **state)
{
    for (uint64_t limit = 4; limit <= 6; limit++) {
        struct cas_put put = {0};
        struct err e = {0};

        assert_int_equal(cas_put_open(&put, cas, NULL, limit, &e), 0);
        assert_int_equal(sink_write(&put.sink, "12345", 5, &e), limit < 5 ? -1 : 0);
        cas_put_clear(&put);
        err_clear(&e);
    }
}

static void what_is_not_finished_leaves_nothing(void **state)
{
    size_t before = files_in("blobs/sha256");
    struct cas_put put = {0};
    struct err e = {0};

    assert_int_equal(cas_put_open(&put, cas, NULL, 100, &e), 0);
    assert_int_equal(sink_write(&put.sink, "half", 4, &e), 0);
    cas_put_clear(&put);
    assert_int_equal(files_in("blobs/sha256"), before);
}

static void a_killed_writer_leaves_nothing_that_counts(void **state)
{
    struct digest half = digest_of("half");
    int ready[2];
    pid_t child;
    char c;

    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        struct cas_put put = {0};
        struct err e = {0};

        if (cas_put_open(&put, cas, NULL, 100, &e) < 0 ||
            sink_write(&put.sink, "half", 4, &e) < 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_false(cas_has(cas, &half, 0));
    close(ready[0]);
    close(ready[1]);
}

enum { ROUNDS = 50 };

static void *put_many(void *ctx)
{
    for (int i = 0; i < ROUNDS; i++) {
        struct err e = {0};
        char text[32];

        snprintf(text, sizeof text, "shared %d", i);
        if (cas_put_bytes(cas, str_of(text), NULL, &e) < 0)
            return ctx;
    }
    return NULL;
}

static void threads_and_processes_share_a_store(void **state)
{
    pthread_t threads[4];
    pid_t children[2];
    int status;

    for (size_t i = 0; i < ARRAY_LEN(children); i++) {
        children[i] = fork();
        if (children[i] == 0)
            _exit(put_many(&children) ? 1 : 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_many, threads), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *failed = NULL;

        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    for (size_t i = 0; i < ARRAY_LEN(children); i++) {
        waitpid(children[i], &status, 0);
        assert_int_equal(status, 0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        char text[32];

        snprintf(text, sizeof text, "shared %d", i);
        check_blob(text);
    }
}

static void a_partial_file_goes_on_after_a_kill(void **state)
{
    struct digest d = digest_of("first second");
    struct cas_partial p = {0};
    enum cas_claim claim;
    struct err e = {0};
    int ready[2];
    pid_t child;
    char c;

    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        if (cas_partial_open(&p, &claim, cas, &d, &e) < 0 || claim != CAS_MINE ||
            cas_partial_write(&p, "first ", 6, &e) < 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    assert_int_equal(cas_partial_open(&p, &claim, cas, &d, &e), 0);
    assert_int_equal(claim, CAS_BUSY);
    assert_null(p.path);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);

    assert_int_equal(cas_partial_open(&p, &claim, cas, &d, &e), 0);
    assert_int_equal(claim, CAS_MINE);
    assert_int_equal(p.size, 6);
    assert_int_equal(cas_partial_write(&p, "second", 6, &e), 0);
    assert_int_equal(cas_partial_finish(&p, NULL, &e), 0);
    assert_null(p.path);
    check_blob("first second");
    assert_int_equal(cas_partial_open(&p, &claim, cas, &d, &e), 0);
    assert_int_equal(claim, CAS_HERE);
    close(ready[0]);
    close(ready[1]);
}

static void a_partial_file_with_wrong_bytes_is_dropped(void **state)
{
    struct digest d = digest_of("abcdef"), got, bad = digest_of("abcxef");
    struct cas_partial p = {0};
    enum cas_claim claim;
    struct err e = {0};

    assert_int_equal(cas_partial_open(&p, &claim, cas, &d, &e), 0);
    assert_int_equal(cas_partial_write(&p, "abcxef", 6, &e), 0);
    assert_int_equal(cas_partial_finish(&p, &got, &e), -1);
    assert_int_equal(e.kind, ERR_INTEGRITY);
    assert_true(digest_eq(&got, &bad));
    err_clear(&e);
    assert_int_equal(p.size, 0);
    assert_int_equal(cas_partial_write(&p, "abcdxx", 6, &e), 0);
    assert_int_equal(cas_partial_cut(&p, 4, &e), 0);
    assert_int_equal(cas_partial_write(&p, "ef", 2, &e), 0);
    assert_int_equal(cas_partial_finish(&p, NULL, &e), 0);
    check_blob("abcdef");
    assert_int_equal(files_in("partial"), 0);
}

static void sweeping_takes_only_what_the_dead_left(void **state)
{
    static const struct {
        const char *name;
        bool old, gone;
    } cases[] = {
        {".envbuild-2147483646-0-0", true, true},
        {".envbuild-2147483645-0-0", false, false}, /* too young */
        {".envbuild-1-0-0", true, false},           /* its process lives */
        {".envbuild-x-0-0", true, false},
        {"other", true, false},
    };
    size_t removed = 0;
    struct err e = {0};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct utimbuf old = {1000000000, 1000000000};
        struct buf path = {0};

        buf_fmt(&path, "%s/blobs/sha256/%s", folder, cases[i].name);
        assert_int_equal(fs_write(path.p, STR("x"), &e), 0);
        if (cases[i].old)
            utime(path.p, &old);
        buf_clear(&path);
    }
    assert_int_equal(cas_sweep(cas, &removed, &e), 0);
    assert_int_equal(removed, 1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf path = {0};

        buf_fmt(&path, "%s/blobs/sha256/%s", folder, cases[i].name);
        assert_int_equal(fs_exists(path.p), !cases[i].gone);
        unlink(path.p);
        buf_clear(&path);
    }
}

static void write_over(const struct digest *d, struct str text)
{
    char *path = cas_path(cas, d);
    struct err e = {0};

    assert_int_equal(fs_write(path, text, &e), 0);
    free(path);
}

/* By a fault of the disk, or by hand. */
static void a_damaged_blob_is_replaced_by_putting_it(void **state)
{
    const struct str damaged[] = {STR("cu"), STR("cup"), STR(""), STR("cut!")};
    struct digest d = digest_of("cut");
    struct err e = {0};

    for (size_t i = 0; i < ARRAY_LEN(damaged); i++) {
        write_over(&d, damaged[i]);
        assert_int_equal(cas_put_bytes(cas, STR("cut"), NULL, &e), 0);
        check_blob("cut");
    }
}

static void checking_reads_and_removes_what_is_damaged(void **state)
{
    struct digest d = digest_of("checked"), absent = digest_of("absent");
    struct err e = {0};
    bool right;

    assert_int_equal(cas_check(cas, &absent, &right, &e), 0);
    assert_false(right);
    assert_int_equal(cas_put_bytes(cas, STR("checked"), NULL, &e), 0);
    assert_int_equal(cas_check(cas, &d, &right, &e), 0);
    assert_true(right);
    write_over(&d, STR("chocked"));
    assert_int_equal(cas_check(cas, &d, &right, &e), 0);
    assert_false(right);
    assert_false(cas_has(cas, &d, 0));
}

static void only_a_handle_that_saw_the_bytes_says_so(void **state)
{
    struct digest d = digest_of("seen or not"), got;
    struct cas *other = NULL;
    struct seen seen;
    struct err e = {0};
    bool right;

    assert_int_equal(cas_open(&other, folder, NULL, &e), 0);
    assert_false(cas_saw(cas, &d, &seen));
    assert_int_equal(cas_put_bytes(cas, STR("seen or not"), &got, &e), 0);
    assert_true(cas_saw(cas, &d, &seen));
    assert_true(digest_eq(seen_digest(&seen), &d));
    assert_true(cas_has(other, &d, 0));
    assert_false(cas_saw(other, &d, &seen)); /* its name is no evidence */
    assert_int_equal(cas_check(other, &d, &right, &e), 0);
    assert_true(cas_saw(other, &d, &seen));
    cas_clear(&other);
}

static void a_full_disk_is_said_with_its_place(void **state)
{
    struct cas_put put = {0};
    struct err e = {0};

    assert_int_equal(cas_put_open(&put, cas, NULL, 100, &e), 0);
    fd_clear(&put.temp.fd);
    assert_int_equal(fd_open(&put.temp.fd, "/dev/full", O_WRONLY, 0, &e), 0);
    assert_int_equal(sink_write(&put.sink, "x", 1, &e), -1);
    assert_int_equal(e.kind, ERR_SYSTEM);
    assert_non_null(strstr(e.msg, folder));
    assert_non_null(strstr(e.msg, "No space left"));
    err_clear(&e);
    cas_put_clear(&put);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_can_be_read),
        cmocka_unit_test(a_blob_that_is_not_there_is_an_error),
        cmocka_unit_test(wrong_bytes_are_not_published),
        cmocka_unit_test(a_limit_holds_at_its_edge),
        cmocka_unit_test(what_is_not_finished_leaves_nothing),
        cmocka_unit_test(a_killed_writer_leaves_nothing_that_counts),
        cmocka_unit_test(threads_and_processes_share_a_store),
        cmocka_unit_test(a_partial_file_goes_on_after_a_kill),
        cmocka_unit_test(a_partial_file_with_wrong_bytes_is_dropped),
        cmocka_unit_test(sweeping_takes_only_what_the_dead_left),
        cmocka_unit_test(a_damaged_blob_is_replaced_by_putting_it),
        cmocka_unit_test(checking_reads_and_removes_what_is_damaged),
        cmocka_unit_test(only_a_handle_that_saw_the_bytes_says_so),
        cmocka_unit_test(a_full_disk_is_said_with_its_place),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
