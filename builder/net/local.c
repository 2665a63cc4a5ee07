/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "../base/fd.h"
#include "http_parts.h"
#include "url.h"

static int file_body(struct exchange *x, int fd, const char *path, uint64_t size)
{
    CLEANUP(free_clear) char *chunk = xmalloc(RECEIVE_BUFFER);
    struct http_request *r = x->r;
    uint64_t end = r->to && r->to < size ? r->to : size;

    if (r->last)
        x->at = r->last < size ? size - r->last : 0;
    if (x->at && x->at >= end)
        return exchange_fault(x, ERR_NET, "the file ends before the range that was asked for");
    r->status = is_ranged(r, x->at) ? 206 : 200;
    r->total = size;
    if (r->begin && r->begin(r->ctx, r, x->at, &x->fault) < 0)
        return -1;
    while (x->at < end) {
        size_t n = end - x->at < RECEIVE_BUFFER ? (size_t)(end - x->at) : RECEIVE_BUFFER;

        if (events_cancelled(x->http->o.events))
            return 0; /* the run is told right after */
        if (fd_pread_all(fd, chunk, n, x->at, path, &x->fault) < 0 ||
            exchange_body(x, chunk, n) < 0)
            return -1;
    }
    return 0;
}

int local_get(struct exchange *x, const struct url *u)
{
    CLEANUP(buf_clear) struct buf path = {0};
    CLEANUP(fd_clear) struct fd fd = {0};
    struct stat st;

    x->r->got = 0;
    if (url_decode(&path, u->path, &x->fault) < 0)
        return -1;
    fd.n = open(path.len ? path.p : "/", O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    fd.open = fd.n >= 0;
    if (!fd.open) {
        x->r->status = errno == ENOENT || errno == ENOTDIR ? 404 : 403;
        return exchange_fault(x, ERR_NET, strerror(errno));
    }
    if (fstat(fd.n, &st) < 0 || !S_ISREG(st.st_mode)) {
        x->r->status = 404;
        return exchange_fault(x, ERR_NET, "it is not a file");
    }
    return file_body(x, fd.n, path.p, (uint64_t)st.st_size);
}
