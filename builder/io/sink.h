/* io/sink.h - where bytes go. A stage is a sink that passes on to the next one.
 *
 * sink_write() takes all bytes or fails. sink_finish() commits down the chain and is called once,
 * after the last write; a sink that is cleared without it abandons what it was given.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/err.h"

struct sink {
    int (*write)(struct sink *self, const void *bytes, size_t len, struct err *e);
    int (*finish)(struct sink *self, struct err *e); /* NULL: nothing to commit */
};

static inline int sink_write(struct sink *s, const void *bytes, size_t len, struct err *e)
{
    return len ? s->write(s, bytes, len, e) : 0;
}

static inline int sink_finish(struct sink *s, struct err *e)
{
    return s->finish ? s->finish(s, e) : 0;
}
