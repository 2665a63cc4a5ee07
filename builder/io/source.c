/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include "../base/fd.h"

enum { CHUNK = 128 * 1024 };

int source_read_all(struct source *s, struct buf *out, uint64_t limit, const char *what,
                    struct err *e)
{
    size_t start = out->len, got;

    do {
        if (source_read(s, buf_room(out, CHUNK), CHUNK, &got, e) < 0)
            return -1;
        out->len += got;
        if (out->len - start > limit)
            return err_set(e, ERR_INPUT, "%s is larger than %llu bytes, the most allowed", what,
                           (unsigned long long)limit);
    } while (got);
    buf_room(out, 0);
    return 0;
}

int source_copy(struct source *s, struct sink *to, uint64_t *copied, struct err *e)
{
    CLEANUP(free_clear) char *chunk = xmalloc(CHUNK);
    uint64_t sum = 0;
    size_t got;

    for (;;) {
        if (source_read(s, chunk, CHUNK, &got, e) < 0)
            return -1;
        if (!got)
            break;
        if (sink_write(to, chunk, got, e) < 0)
            return -1;
        sum += got;
    }
    if (copied)
        *copied = sum;
    return 0;
}

static int bytes_read(struct source *self, void *to, size_t len, size_t *got, struct err *e)
{
    struct source_bytes *s = (struct source_bytes *)self;

    *got = len < s->rest.len ? len : s->rest.len;
    if (*got)
        memcpy(to, s->rest.p, *got);
    s->rest = str_sub(s->rest, *got, s->rest.len);
    return 0;
}

void source_bytes_init(struct source_bytes *s, struct str bytes)
{
    *s = (struct source_bytes){{bytes_read}, bytes};
}

static int file_read(struct source *self, void *to, size_t len, size_t *got, struct err *e)
{
    struct source_file *s = (struct source_file *)self;
    size_t n = len < s->left ? len : (size_t)s->left;

    if (n && fd_pread_all(s->fd, to, n, s->offset, s->what, e) < 0)
        return -1;
    s->offset += n;
    s->left -= n;
    *got = n;
    return 0;
}

void source_file_init(struct source_file *s, int fd, uint64_t offset, uint64_t len,
                      const char *what)
{
    *s = (struct source_file){{file_read}, fd, offset, len, what};
}
