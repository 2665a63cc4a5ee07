/* SPDX-License-Identifier: Apache-2.0 */
#include "packers.h"

#include "../base/thread.h"
#include "../base/vec.h"

/* Plain bytes that a block is handed over with, at least: a piece may be a small file. */
enum { BATCH = 1024 * 1024 };

struct block {
    struct buf plain, packed;
    struct VEC_OF(size_t) cuts;   /* ends of pieces in `plain` */
    struct VEC_OF(uint64_t) ends; /* the same in `packed` */
    bool done;                    /* packed, or failed */
    struct err err;
};

/* Blocks are numbered as they come; number i lies in ring[i % ring_n]. */
struct packers {
    const struct packing *how;
    struct sink *to;
    void *tool; /* the writer's own */
    struct VEC_OF(uint64_t) ends;
    uint64_t written; /* bytes */
    size_t pieces, gathered;
    size_t oldest;  /* the first that is not written; the writer's alone */
    size_t filling; /* the one that is gathered; those before it are handed over */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t next; /* of those handed over, the first that nobody has taken */
    bool closing;
    struct block *ring;
    unsigned ring_n, threads;
    pthread_t thread[];
};

static struct block *block_at(const struct packers *p, size_t i)
{
    return &p->ring[i % p->ring_n];
}

static void block_pack(const struct packers *p, void *tool, struct block *b)
{
    size_t from = 0;

    for (size_t i = 0; i < b->cuts.n; i++) {
        struct str piece = str_sub(buf_view(&b->plain), from, b->cuts.v[i] - from);

        if (p->how->pack(tool, &b->packed, piece, &b->err) < 0)
            return;
        vec_add(&b->ends, b->packed.len);
        from = b->cuts.v[i];
    }
}

static void *work(void *arg)
{
    struct packers *p = arg;
    void *tool = p->how->open();

    pthread_mutex_lock(&p->lock);
    for (;;) {
        struct block *b;

        while (p->next == p->filling && !p->closing)
            pthread_cond_wait(&p->changed, &p->lock);
        if (p->closing)
            break;
        b = block_at(p, p->next++);
        pthread_mutex_unlock(&p->lock);
        block_pack(p, tool, b);
        pthread_mutex_lock(&p->lock);
        b->done = true;
        pthread_cond_broadcast(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
    p->how->free(tool);
    return NULL;
}

/* Wait for the oldest block, or pack it here when nobody has begun, and write it. */
static int retire(struct packers *p, struct err *e)
{
    struct block *b = block_at(p, p->oldest);
    bool mine;

    pthread_mutex_lock(&p->lock);
    mine = p->next == p->oldest;
    p->next += mine;
    while (!mine && !b->done)
        pthread_cond_wait(&p->changed, &p->lock);
    pthread_mutex_unlock(&p->lock);
    if (mine)
        block_pack(p, p->tool, b);
    if (err_is_set(&b->err))
        return err_join(e, &b->err);
    if (sink_write(p->to, b->packed.p, b->packed.len, e) < 0)
        return -1;
    for (size_t i = 0; i < b->ends.n; i++)
        vec_add(&p->ends, p->written + b->ends.v[i]);
    p->written += b->packed.len;
    buf_reset(&b->plain);
    buf_reset(&b->packed);
    b->cuts.n = b->ends.n = 0;
    b->done = false;
    p->oldest++;
    return 0;
}

/* Hand the block over, and have room for the next. */
static int hand_over(struct packers *p, struct err *e)
{
    pthread_mutex_lock(&p->lock);
    p->filling++;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return p->filling - p->oldest < p->ring_n ? 0 : retire(p, e);
}

struct packers *packers_open(const struct packing *how, unsigned threads, struct sink *to)
{
    struct packers *p = xcalloc(1, sizeof *p + threads * sizeof p->thread[0]);

    p->how = how;
    p->to = to;
    p->tool = how->open();
    p->ring_n = threads + 2; /* one is gathered, one waits to be written */
    p->ring = xcalloc(p->ring_n, sizeof *p->ring);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    while (p->threads < threads && thread_start(&p->thread[p->threads], work, p))
        p->threads++;
    return p;
}

void packers_add(struct packers *p, const void *bytes, size_t len)
{
    buf_add(&block_at(p, p->filling)->plain, bytes, len);
    p->gathered += len;
}

size_t packers_gathered(const struct packers *p)
{
    return p->gathered;
}

int packers_cut(struct packers *p, struct err *e)
{
    struct block *b = block_at(p, p->filling);

    if (!p->gathered)
        return 0;
    vec_add(&b->cuts, b->plain.len);
    p->gathered = 0;
    p->pieces++;
    return b->plain.len < BATCH ? 0 : hand_over(p, e);
}

size_t packers_count(const struct packers *p)
{
    return p->pieces;
}

int packers_finish(struct packers *p, struct err *e)
{
    if (hand_over(p, e) < 0)
        return -1;
    while (p->oldest < p->filling)
        if (retire(p, e) < 0)
            return -1;
    return 0;
}

uint64_t packers_end(const struct packers *p, size_t i)
{
    return p->ends.v[i];
}

void packers_clear(struct packers **packers)
{
    struct packers *p = *packers;

    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    while (p->threads)
        pthread_join(p->thread[--p->threads], NULL);
    for (unsigned i = 0; i < p->ring_n; i++) {
        buf_clear(&p->ring[i].plain);
        buf_clear(&p->ring[i].packed);
        vec_clear(&p->ring[i].cuts);
        vec_clear(&p->ring[i].ends);
        err_clear(&p->ring[i].err);
    }
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    p->how->free(p->tool);
    free(p->ring);
    vec_clear(&p->ends);
    free(p);
    *packers = NULL;
}
