/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

#include "thread.h"
#include "vec.h"

struct job {
    uint64_t weight;
    unsigned order;
    int (*run)(void *ctx, struct err *e);
    void *ctx;
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct VEC_OF(struct job) waiting;
    unsigned running, threads;
    bool closing, stopped;
    struct err fault; /* of the failed job with the lowest order */
    unsigned fault_order;
    pthread_t thread[];
};

/* The waiting job of the largest weight, the oldest on a tie. */
static struct job take(struct pool *p)
{
    size_t best = 0;
    struct job job;

    for (size_t i = 1; i < p->waiting.n; i++)
        if (p->waiting.v[i].weight > p->waiting.v[best].weight)
            best = i;
    job = p->waiting.v[best];
    memmove(&p->waiting.v[best], &p->waiting.v[best + 1],
            (p->waiting.n - best - 1) * sizeof p->waiting.v[0]);
    p->waiting.n--;
    return job;
}

/* Run one job; the lock is held before and after. */
static void run_next(struct pool *p)
{
    struct job job = take(p);
    struct err e = {0};
    int result;

    p->running++;
    pthread_mutex_unlock(&p->lock);
    result = job.run(job.ctx, &e);
    pthread_mutex_lock(&p->lock);
    p->running--;
    if (result < 0) {
        if (!err_is_set(&p->fault) || job.order < p->fault_order) {
            err_clear(&p->fault);
            MOVE(&p->fault, &e);
            p->fault_order = job.order;
        }
        p->stopped = true;
        p->waiting.n = 0;
    }
    err_clear(&e);
    pthread_cond_broadcast(&p->changed);
}

static void *work(void *arg)
{
    struct pool *p = arg;

    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->waiting.n && !p->closing)
            pthread_cond_wait(&p->changed, &p->lock);
        if (!p->waiting.n)
            break;
        run_next(p);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

struct pool *pool_open(unsigned threads)
{
    struct pool *p;

    if (!threads)
        threads = 1;
    p = xcalloc(1, sizeof *p + threads * sizeof p->thread[0]);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    while (p->threads < threads && thread_start(&p->thread[p->threads], work, p))
        p->threads++;
    return p;
}

void pool_add(struct pool *p, uint64_t weight, unsigned order, int (*run)(void *ctx, struct err *e),
              void *ctx)
{
    pthread_mutex_lock(&p->lock);
    if (!p->stopped)
        vec_add(&p->waiting, ((struct job){weight, order, run, ctx}));
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

int pool_wait(struct pool *p, struct err *e)
{
    int result = 0;

    pthread_mutex_lock(&p->lock);
    while (p->waiting.n && !p->threads)
        run_next(p);
    while (p->waiting.n || p->running)
        pthread_cond_wait(&p->changed, &p->lock);
    if (err_is_set(&p->fault)) {
        err_join(e, &p->fault);
        result = -1;
    }
    pthread_mutex_unlock(&p->lock);
    return result;
}

void pool_stop(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    p->stopped = true;
    p->waiting.n = 0;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

bool pool_failed(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    bool failed = err_is_set(&p->fault);
    pthread_mutex_unlock(&p->lock);
    return failed;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    pool_stop(p);
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->threads; i++)
        pthread_join(p->thread[i], NULL);
    err_clear(&p->fault);
    vec_clear(&p->waiting);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

void pool_clear(struct pool **pool)
{
    pool_free(*pool);
    *pool = NULL;
}
