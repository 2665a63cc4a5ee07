/* base/fd.h - file descriptors as values: all-zero is "none", because 0 is a real descriptor. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <sys/types.h>
#include "err.h"

struct fd {
    int n;
    bool open;
};

/* O_CLOEXEC is always added. The error names the path. */
int fd_open(struct fd *out, const char *path, int flags, mode_t mode, struct err *e) MUST_CHECK;
void fd_clear(struct fd *fd);

/* All of it or an error; `what` names the file in the message. */
int fd_write_all(int fd, const void *bytes, size_t len, const char *what, struct err *e) MUST_CHECK;
/* write(2), errors and short writes included, to a pipe whose reader may be gone: EPIPE then, and
 * no SIGPIPE. What the process does about signals is left alone. */
ssize_t fd_write_unsignalled(int fd, const void *bytes, size_t len);
int fd_pwrite_all(int fd, const void *bytes, size_t len, uint64_t offset, const char *what,
                  struct err *e) MUST_CHECK;
/* Exactly `len` bytes; a shorter file is ERR_INPUT "ends early". */
int fd_pread_all(int fd, void *bytes, size_t len, uint64_t offset, const char *what,
                 struct err *e) MUST_CHECK;
/* Up to `len` bytes at the current offset, 0 at the end. */
int fd_read_some(int fd, void *bytes, size_t len, size_t *got, const char *what,
                 struct err *e) MUST_CHECK;
/* The same at `offset`, for a descriptor that several readers share. */
int fd_pread_some(int fd, void *bytes, size_t len, uint64_t offset, size_t *got, const char *what,
                  struct err *e) MUST_CHECK;
int fd_size(int fd, uint64_t *size, const char *what, struct err *e) MUST_CHECK;
