/* SPDX-License-Identifier: Apache-2.0 */
#include "delta_part.h"

enum { CHUNK = 64 * 1024 };

int delta_take(struct source *from, uint64_t len, struct sink *to, struct err *e)
{
    CLEANUP(free_clear) char *chunk = xmalloc(CHUNK);
    size_t got;

    while (len) {
        if (source_read(from, chunk, len < CHUNK ? (size_t)len : CHUNK, &got, e) < 0 ||
            (to && sink_write(to, chunk, got, e) < 0))
            return -1;
        if (!got)
            return err_set(e, ERR_INPUT, "%s ends early", from->name);
        len -= got;
    }
    return 0;
}

int delta_pass(struct source *from, uint64_t len, struct err *e)
{
    uint64_t skipped;

    if (!len)
        return 0;
    if (!source_skip(from, len, &skipped))
        return delta_take(from, len, NULL, e);
    return skipped == len ? 0 : err_set(e, ERR_INPUT, "%s ends early", from->name);
}
