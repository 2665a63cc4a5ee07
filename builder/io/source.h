/* io/source.h - where bytes come from, in order, once. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/err.h"
#include "sink.h"

struct source {
    /* Up to `len` bytes (len > 0) into `to`; *got = 0 means the end. */
    int (*read)(struct source *self, void *to, size_t len, size_t *got, struct err *e);
};

static inline int source_read(struct source *s, void *to, size_t len, size_t *got, struct err *e)
{
    return s->read(s, to, len, got, e);
}

/* Everything that is left, into `out`; more than `limit` bytes is ERR_INPUT. `what` names it. */
int source_read_all(struct source *s, struct buf *out, uint64_t limit, const char *what,
                    struct err *e) MUST_CHECK;
/* Everything that is left, into `to`, without finishing it; *copied may be NULL. */
int source_copy(struct source *s, struct sink *to, uint64_t *copied, struct err *e) MUST_CHECK;

/* Memory as a source; the bytes are borrowed. */
struct source_bytes {
    struct source source;
    struct str rest;
};
void source_bytes_init(struct source_bytes *s, struct str bytes);

/* A range of a file as a source, read with pread: many may share one descriptor, also from several
 * threads. `what` names the file in errors; borrowed. */
struct source_file {
    struct source source;
    int fd; /* borrowed */
    uint64_t offset, left;
    const char *what;
};
void source_file_init(struct source_file *s, int fd, uint64_t offset, uint64_t len,
                      const char *what);
