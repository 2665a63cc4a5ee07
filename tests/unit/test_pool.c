/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

#include "base/pool.h"
#include "base/vec.h"
#include "io/crypto.h"

/* Stands before libc's: how many threads may still be started. */
static unsigned threads_left;

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    void *found = dlsym(RTLD_NEXT, "pthread_create");

    if (!threads_left)
        return EAGAIN;
    threads_left--;
    memcpy(&real, &found, sizeof real);
    return real(thread, attr, run, arg);
}

enum { JOBS = 50 };

struct work {
    struct pool *pool;
    _Atomic unsigned sum;
    struct VEC_OF(unsigned) order; /* only for pools that run one job at a time */
};

struct job {
    struct work *work;
    unsigned n;
};

static int add(void *ctx, struct err *e)
{
    struct job *j = ctx;

    j->work->sum += j->n;
    return 0;
}

static void jobs_are_done_by_as_many_threads_as_there_are(void **state)
{
    for (unsigned threads = 0; threads < 4; threads++) {
        struct work w = {0};
        struct job jobs[JOBS];
        struct err e = {0};

        threads_left = threads;
        w.pool = pool_open(4);
        for (unsigned i = 0; i < JOBS; i++) {
            jobs[i] = (struct job){&w, i};
            pool_add(w.pool, i, i, add, &jobs[i]);
        }
        assert_int_equal(pool_wait(w.pool, &e), 0);
        assert_int_equal(w.sum, JOBS * (JOBS - 1) / 2);
        assert_int_equal(threads_left, 0);
        pool_clear(&w.pool);
    }
}

static int note(void *ctx, struct err *e)
{
    struct job *j = ctx;

    vec_add(&j->work->order, j->n);
    return 0;
}

static int note_and_add(void *ctx, struct err *e)
{
    static struct job last = {.n = 99};
    struct job *j = ctx;

    last.work = j->work;
    pool_add(j->work->pool, 0, 0, note, &last);
    return note(ctx, e);
}

static void without_threads_the_largest_is_first_and_jobs_may_add_jobs(void **state)
{
    struct work w = {0};
    struct job jobs[] = {{&w, 1}, {&w, 3}, {&w, 2}};
    struct err e = {0};

    threads_left = 0;
    w.pool = pool_open(2);
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
        pool_add(w.pool, jobs[i].n, 0, jobs[i].n == 3 ? note_and_add : note, &jobs[i]);
    assert_int_equal(pool_wait(w.pool, &e), 0);
    assert_int_equal(w.order.n, 4);
    assert_int_equal(w.order.v[0], 3);
    assert_int_equal(w.order.v[1], 2);
    assert_int_equal(w.order.v[2], 1);
    assert_int_equal(w.order.v[3], 99);
    vec_clear(&w.order);
    pool_clear(&w.pool);
}

static int refuse(void *ctx, struct err *e)
{
    return err_set(e, ERR_INPUT, "no");
}

static void without_threads_a_failure_drops_the_rest(void **state)
{
    struct work w = {0};
    struct job job = {&w, 1};
    struct err e = {0};

    threads_left = 0;
    w.pool = pool_open(2);
    pool_add(w.pool, 1, 0, note, &job);
    pool_add(w.pool, 2, 1, refuse, NULL);
    assert_true(!pool_failed(w.pool));
    assert_int_equal(pool_wait(w.pool, &e), -1);
    assert_string_equal(e.msg, "no");
    assert_int_equal(w.order.n, 0);
    err_clear(&e);
    pool_clear(&w.pool);
}

static void hashing_beside_gives_the_same_without_a_thread(void **state)
{
    enum { SIZE = 3000001 }; /* several slots, the last not full */
    char *bytes = xcalloc(1, SIZE);
    struct digest want;
    struct seen got;

    bytes[SIZE / 2] = 1;
    hash_bytes(&want, bytes, SIZE);
    for (unsigned threads = 0; threads < 2; threads++) {
        struct hash_thread *t;
        struct err e = {0};
        uint64_t size;

        threads_left = threads;
        t = hash_thread_open();
        for (size_t at = 0; at < SIZE; at += 100000)
            assert_int_equal(sink_write(hash_thread_sink(t), bytes + at,
                                        SIZE - at < 100000 ? SIZE - at : 100000, &e),
                             0);
        hash_thread_finish(&t, &got, &size);
        assert_true(digest_eq(&want, seen_digest(&got)));
        assert_int_equal(size, SIZE);
        threads_left = threads;
        t = hash_thread_open();
        hash_thread_clear(&t);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_are_done_by_as_many_threads_as_there_are),
        cmocka_unit_test(without_threads_the_largest_is_first_and_jobs_may_add_jobs),
        cmocka_unit_test(without_threads_a_failure_drops_the_rest),
        cmocka_unit_test(hashing_beside_gives_the_same_without_a_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
