/* io/blob_reader.h - bytes that can be read at any place: a file, a part of one, or memory. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/err.h"

struct blob_reader {
    /* Exactly `len` bytes at `offset`, both inside `size`: blob_reader_read() has checked. */
    int (*read)(struct blob_reader *self, void *to, size_t len, uint64_t offset, struct err *e);
    uint64_t size;
    const char *what; /* for messages; borrowed */
};

/* Exactly `len` bytes; ERR_INPUT when they do not lie inside. */
int blob_reader_read(struct blob_reader *r, void *to, size_t len, uint64_t offset,
                     struct err *e) MUST_CHECK;
/* True when `len` bytes at `offset` lie inside. */
bool blob_reader_has(const struct blob_reader *r, uint64_t offset, uint64_t len);

/* Memory; borrowed. */
struct blob_reader_bytes {
    struct blob_reader reader;
    struct str bytes;
};
void blob_reader_bytes_init(struct blob_reader_bytes *b, struct str bytes, const char *what);

/* `size` bytes of an open file at `offset`, read with pread: many readers may share a descriptor.
 */
struct blob_reader_file {
    struct blob_reader reader;
    int fd; /* borrowed */
    uint64_t offset;
};
void blob_reader_file_init(struct blob_reader_file *b, int fd, uint64_t offset, uint64_t size,
                           const char *what);
