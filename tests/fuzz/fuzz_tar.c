/* Tars of all kinds: what gets through is safe and whole, and what comes next does not hang on how
 * much of a file was read, or in which steps. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include "base/path.h"
#include "io/tar_read.h"

enum { MOST = 1 << 20 }; /* bytes of a file that are read: holes may be huge */

static void check_entry(const struct tar_entry *t)
{
    const struct entry *entry = &t->entry;

    assert(entry->path.len ? path_is_safe(entry->path) : entry->type == ENTRY_DIR);
    assert(entry->type != ENTRY_HARDLINK || path_is_safe(entry->link));
    assert(entry->type != ENTRY_SYMLINK || entry->link.len);
    assert(entry->type == ENTRY_FILE || !entry->content.size);
    assert(!t->special || (entry->type == ENTRY_FILE && !entry->content.size));
    assert(entry->mode <= 07777 && entry->uid <= INT32_MAX && entry->gid <= INT32_MAX);
    assert(entry->mtime >= 0 && entry->content.size <= INT64_MAX);
}

/* All of the file, or the first MOST bytes. */
static int take(struct tar_reader *t, uint64_t size, size_t step, uint64_t *sum, struct err *e)
{
    CLEANUP(free_clear) unsigned char *bytes = xmalloc(step);
    uint64_t total = 0;
    size_t got = 1;

    while (got && total < MOST) {
        if (source_read(tar_data(t), bytes, step, &got, e) < 0)
            return -1;
        for (size_t i = 0; i < got; i++)
            *sum = *sum * 31 + bytes[i];
        total += got;
    }
    assert(got ? total <= size : total == size);
    return 0;
}

/* The entries as a text; with a step of 0 no file is read. */
static int walk(struct buf *out, struct str bytes, enum tar_kind kind, size_t step)
{
    CLEANUP(tar_clear) struct tar_reader *t = tar_open(source_bytes(bytes, "fuzz"), kind);
    CLEANUP(err_clear) struct err e = {0};
    const struct tar_entry *entry;
    uint64_t sum = 0;

    do {
        if (tar_next(t, &entry, &e) < 0 ||
            (entry && step && take(t, entry->entry.content.size, step, &sum, &e) < 0)) {
            assert(e.kind == ERR_INPUT);
            return -1;
        }
        if (!entry)
            break;
        check_entry(entry);
        buf_fmt(out, "%d %o %u %u %lld %llu ", entry->entry.type, entry->entry.mode,
                entry->entry.uid, entry->entry.gid, (long long)entry->entry.mtime,
                (unsigned long long)entry->entry.content.size);
        buf_str(out, entry->entry.path);
        buf_str(out, entry->entry.link);
        buf_putc(out, '\n');
    } while (entry);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const size_t steps[] = {1000, 300000};
    const struct str tar = {(const char *)bytes, len};

    for (enum tar_kind kind = TAR_PACKAGE; kind <= TAR_ARCHIVE; kind++) {
        CLEANUP(buf_clear) struct buf none = {0};
        int result = walk(&none, tar, kind, 0);

        for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
            CLEANUP(buf_clear) struct buf all = {0};
            int other = walk(&all, tar, kind, steps[i]);

            assert(other < 0 || result == 0); /* what holes give may be too much */
            assert(other < 0 || str_eq(buf_view(&all), buf_view(&none)));
            assert(str_starts(buf_view(&none), buf_view(&all)));
        }
    }
    return 0;
}
