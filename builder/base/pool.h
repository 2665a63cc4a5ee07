/* base/pool.h - worker threads that run jobs, the largest first.
 *
 * Which thread runs what, and when, never reaches an output: a job writes only into its own result.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "err.h"

struct pool; /* opaque; pool_open to pool_free */

/* `threads` at least 1. Where fewer can be started, fewer work; where none can, pool_wait does. */
struct pool *pool_open(unsigned threads);
/* Queue a job. Jobs of larger `weight` start first. `run` fills *e when it fails; after the first
 * failure, jobs that have not begun are dropped. `order` decides which error is reported when
 * several fail: the lowest. Safe from any thread, also from inside a job. */
void pool_add(struct pool *pool, uint64_t weight, unsigned order,
              int (*run)(void *ctx, struct err *e), void *ctx);
/* Wait until every job is done or dropped; 0, or -1 with the error of the lowest order. */
int pool_wait(struct pool *pool, struct err *e) MUST_CHECK;
/* Drop what has not begun: pool_wait then returns soon. */
void pool_stop(struct pool *pool);
bool pool_failed(struct pool *pool);
void pool_free(struct pool *pool); /* waits for running jobs; drops the others */
void pool_clear(struct pool **pool);
