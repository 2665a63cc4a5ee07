/* SPDX-License-Identifier: Apache-2.0 */
#include "../base/pool.h"
#include "registry.h"

int registry_ask_many(void *questions, size_t n, size_t size,
                      int (*ask)(void *question, struct err *e), struct err *e)
{
    enum { AT_ONCE = 8 };
    CLEANUP(pool_clear) struct pool *pool = NULL;
    char *at = questions;

    if (n && ask(at, e) < 0)
        return -1;
    if (n < 2)
        return 0;
    pool = pool_open(n - 1 < AT_ONCE ? (unsigned)(n - 1) : AT_ONCE);
    for (size_t i = 1; i < n; i++)
        pool_add(pool, 1, (unsigned)i, ask, at + i * size);
    return pool_wait(pool, e);
}
