/* SPDX-License-Identifier: Apache-2.0 */
#include "fd.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

int fd_open(struct fd *out, const char *path, int flags, mode_t mode, struct err *e)
{
    int n;

    do
        n = open(path, flags | O_CLOEXEC, mode);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(e, "cannot open %s", path);
    *out = (struct fd){n, true};
    return 0;
}

void fd_clear(struct fd *fd)
{
    if (fd->open)
        close(fd->n); /* what must be on disk was synced before; see fs.h */
    *fd = (struct fd){0};
}

int fd_write_all(int fd, const void *bytes, size_t len, const char *what, struct err *e)
{
    const char *p = bytes;

    while (len) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, "cannot write %s", what);
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

ssize_t fd_write_unsignalled(int fd, const void *bytes, size_t len)
{
    const struct timespec now = {0};
    sigset_t sigpipe, before;
    ssize_t n;
    int error;

    /* Held back in this thread, and taken off again if this write raised it. */
    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
    n = write(fd, bytes, len);
    error = errno;
    /* Also after a short write: the reader may have left in the middle of it. */
    if (!sigismember(&before, SIGPIPE))
        sigtimedwait(&sigpipe, NULL, &now);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return n;
}

int fd_pwrite_all(int fd, const void *bytes, size_t len, uint64_t offset, const char *what,
                  struct err *e)
{
    const char *p = bytes;

    while (len) {
        ssize_t n = pwrite(fd, p, len, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, "cannot write %s", what);
        p += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

int fd_pread_all(int fd, void *bytes, size_t len, uint64_t offset, const char *what, struct err *e)
{
    char *p = bytes;

    while (len) {
        ssize_t n = pread(fd, p, len, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, "cannot read %s", what);
        if (n == 0)
            return err_set(e, ERR_INPUT, "%s ends early", what);
        p += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

int fd_read_some(int fd, void *bytes, size_t len, size_t *got, const char *what, struct err *e)
{
    ssize_t n;

    do
        n = read(fd, bytes, len);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(e, "cannot read %s", what);
    *got = (size_t)n;
    return 0;
}

int fd_pread_some(int fd, void *bytes, size_t len, uint64_t offset, size_t *got, const char *what,
                  struct err *e)
{
    ssize_t n;

    do
        n = pread(fd, bytes, len, (off_t)offset);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(e, "cannot read %s", what);
    *got = (size_t)n;
    return 0;
}

int fd_size(int fd, uint64_t *size, const char *what, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_errno(e, "cannot read %s", what);
    *size = (uint64_t)st.st_size;
    return 0;
}
