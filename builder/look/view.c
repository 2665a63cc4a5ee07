/* SPDX-License-Identifier: Apache-2.0 */
#include "view.h"

#include "../base/fd.h"

bool view_has(const struct view *v, uint64_t offset, uint64_t len)
{
    return offset <= v->size && len <= v->size - offset;
}

int view_read(struct view *v, void *to, size_t len, uint64_t offset, struct err *e)
{
    if (!view_has(v, offset, len))
        return err_set(e, ERR_INPUT, "%s: %zu bytes at %llu lie outside its %llu bytes", v->what,
                       len, (unsigned long long)offset, (unsigned long long)v->size);
    return len ? v->read(v, to, len, offset, e) : 0;
}

static int bytes_read(struct view *self, void *to, size_t len, uint64_t offset, struct err *e)
{
    struct view_bytes *v = (struct view_bytes *)self;

    memcpy(to, v->bytes.p + offset, len);
    return 0;
}

void view_bytes_init(struct view_bytes *v, struct str bytes, const char *what)
{
    *v = (struct view_bytes){{bytes_read, bytes.len, what}, bytes};
}

static int file_read(struct view *self, void *to, size_t len, uint64_t offset, struct err *e)
{
    struct view_file *v = (struct view_file *)self;

    return fd_pread_all(v->fd, to, len, v->offset + offset, self->what, e);
}

void view_file_init(struct view_file *v, int fd, uint64_t offset, uint64_t size, const char *what)
{
    *v = (struct view_file){{file_read, size, what}, fd, offset};
}
