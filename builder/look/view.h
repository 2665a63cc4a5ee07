/* look/view.h - bytes that can be read at any place: a file, a part of one, or memory. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/err.h"

struct view {
    /* Exactly `len` bytes at `offset`, both inside `size`: view_read() has checked. */
    int (*read)(struct view *self, void *to, size_t len, uint64_t offset, struct err *e);
    uint64_t size;
    const char *what; /* for messages; borrowed */
};

/* Exactly `len` bytes; ERR_INPUT when they do not lie inside the view. */
int view_read(struct view *v, void *to, size_t len, uint64_t offset, struct err *e) MUST_CHECK;
/* True when `len` bytes at `offset` lie inside. */
bool view_has(const struct view *v, uint64_t offset, uint64_t len);

/* Memory; borrowed. */
struct view_bytes {
    struct view view;
    struct str bytes;
};
void view_bytes_init(struct view_bytes *v, struct str bytes, const char *what);

/* `size` bytes of an open file at `offset`, read with pread: many views may share a descriptor. */
struct view_file {
    struct view view;
    int fd; /* borrowed */
    uint64_t offset;
};
void view_file_init(struct view_file *v, int fd, uint64_t offset, uint64_t size, const char *what);
