/* Locks: what reads prints, and that reads back and prints the same bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>
#include "model/lock.h"

static int read_text(struct lock *out, struct str text, struct err *e)
{
    char path[64];
    int fd = memfd_create("lock", MFD_CLOEXEC), result;

    assert(fd >= 0 && write(fd, text.p, text.len) == (ssize_t)text.len);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    result = lock_read(out, path, e);
    close(fd);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(lock_clear) struct lock lock = {0}, again = {0};
    CLEANUP(buf_clear) struct buf once = {0}, twice = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct digest a, b;

    if (read_text(&lock, (struct str){(const char *)data, size}, &e) < 0) {
        assert(err_is_set(&e));
        return 0;
    }
    lock_print(&once, &lock);
    if (read_text(&again, buf_view(&once), &e) < 0) {
        fprintf(stderr, "%s\n", e.msg);
        abort();
    }
    lock_print(&twice, &again);
    assert(str_eq(buf_view(&once), buf_view(&twice)));
    lock_digest(&a, &lock);
    lock_digest(&b, &again);
    assert(digest_eq(&a, &b));
    return 0;
}
