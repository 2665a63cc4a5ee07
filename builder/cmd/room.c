/* SPDX-License-Identifier: Apache-2.0 */
#include "room.h"

#include "progress.h"

static void add_need(struct buf *out, const struct room_need *need)
{
    buf_puts(out, out->len ? " and " : "");
    progress_size(out, need->bytes);
    buf_fmt(out, " in %s", need->path);
}

static int check_disk(const struct room_need *needs, size_t n, size_t first, struct err *e)
{
    CLEANUP(buf_clear) struct buf wants = {0}, free = {0};
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        if (needs[i].have.disk != needs[first].have.disk || !needs[i].bytes)
            continue;
        if (__builtin_add_overflow(sum, needs[i].bytes, &sum))
            sum = UINT64_MAX;
        add_need(&wants, &needs[i]);
    }
    if (sum <= needs[first].have.free)
        return 0;
    progress_size(&free, needs[first].have.free);
    return err_set(e, ERR_SYSTEM,
                   "this build needs %s, and that disk has %s free; make room, or name other "
                   "places with --store DIR and -o DEST",
                   wants.p, free.p);
}

int room_check(const struct room_need *needs, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (needs[i].have.known && check_disk(needs, n, i, e) < 0)
            return -1;
    return 0;
}
