/* SPDX-License-Identifier: Apache-2.0 */
#include "blob_reader.h"

#include "../base/fd.h"

bool blob_reader_has(const struct blob_reader *r, uint64_t offset, uint64_t len)
{
    return offset <= r->size && len <= r->size - offset;
}

int blob_reader_read(struct blob_reader *r, void *to, size_t len, uint64_t offset, struct err *e)
{
    if (!blob_reader_has(r, offset, len))
        return err_set(e, ERR_INPUT, "%s: %zu bytes at %llu lie outside its %llu bytes", r->what,
                       len, (unsigned long long)offset, (unsigned long long)r->size);
    return len ? r->read(r, to, len, offset, e) : 0;
}

static int bytes_read(struct blob_reader *self, void *to, size_t len, uint64_t offset,
                      struct err *e)
{
    struct blob_reader_bytes *b = (struct blob_reader_bytes *)self;

    memcpy(to, b->bytes.p + offset, len);
    return 0;
}

void blob_reader_bytes_init(struct blob_reader_bytes *b, struct str bytes, const char *what)
{
    *b = (struct blob_reader_bytes){{bytes_read, bytes.len, what}, bytes};
}

static int file_read(struct blob_reader *self, void *to, size_t len, uint64_t offset, struct err *e)
{
    struct blob_reader_file *b = (struct blob_reader_file *)self;

    return fd_pread_all(b->fd, to, len, b->offset + offset, self->what, e);
}

void blob_reader_file_init(struct blob_reader_file *b, int fd, uint64_t offset, uint64_t size,
                           const char *what)
{
    *b = (struct blob_reader_file){{file_read, size, what}, fd, offset};
}
