/* io/source.h - where bytes come from, in order, once.
 *
 * Sources stand on each other: a file, what decompresses it, what hashes that. Each owns the one
 * below, so that source_clear() of the topmost ends the chain. Makers take what they are given and
 * never fail: what is wrong with the bytes is told by the read that meets it. A read that has
 * failed fails in the same words ever after.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "entry.h"
#include "sink.h"

struct source {
    /* Up to `len` bytes (len > 0) into `to`; *got = 0 means the end. Only source_read() calls it.
     */
    int (*read)(struct source *self, void *to, size_t len, size_t *got, struct err *e);
    /* Pass over up to `len` bytes without reading them; NULL: there is no way around reading. Only
     * source_skip() calls it. */
    uint64_t (*skip)(struct source *self, uint64_t len);
    void (*free)(struct source *self); /* what it owns besides `below`; NULL: nothing */
    struct source *below;              /* owned; NULL: it stands on none */
    const char *name;                  /* for messages; borrowed */
    uint64_t limit;                    /* bytes that it may give */
    bool unpacks; /* ... and at most SOURCE_RATIO for each that `below` gave, beyond SOURCE_FREE */
    uint64_t produced;           /* bytes that it has given, or passed over */
    const struct events *events; /* asked at each read: ERR_INTERRUPTED; borrowed */
    bool ended;
    struct err fault; /* what a read failed with */
};

enum { SOURCE_RATIO = 1000, SOURCE_FREE = 64 * 1024 * 1024 };

/* For makers: `s` is the beginning of a larger struct. It goes by the name and the events of
 * `below`, where there is one. */
void source_init(struct source *s,
                 int (*read)(struct source *self, void *to, size_t len, size_t *got, struct err *e),
                 void (*free)(struct source *self), struct source *below);
/* All of the chain; NULL is fine. */
void source_free(struct source *s);
void source_clear(struct source **s);

int source_read(struct source *s, void *to, size_t len, size_t *got, struct err *e) MUST_CHECK;
/* The same until `len` bytes are there; less only at the end. */
int source_read_full(struct source *s, void *to, size_t len, size_t *got, struct err *e) MUST_CHECK;
/* How many of `len` bytes were passed over: less only at the end. False: they must be read. */
bool source_skip(struct source *s, uint64_t len, uint64_t *skipped);
/* Everything that is left, into `out`; more than `limit` bytes is ERR_INPUT. */
int source_read_all(struct source *s, struct buf *out, uint64_t limit, struct err *e) MUST_CHECK;
/* Everything that is left, into `to`, without finishing it; *copied may be NULL. */
int source_copy(struct source *s, struct sink *to, uint64_t *copied, struct err *e) MUST_CHECK;
/* Everything that is left, to nowhere. */
int source_drain(struct source *s, struct err *e) MUST_CHECK;

/* Memory; the bytes are borrowed. */
struct source *source_bytes(struct str bytes, const char *name);
/* A range of a file, read with pread: many may share one descriptor, also from several threads.
 * It is borrowed. A file that is shorter is ERR_INPUT. */
struct source *source_file(int fd, uint64_t offset, uint64_t len, const char *name);
/* The same, and the descriptor becomes the source's. */
struct source *source_file_take(struct fd *fd, uint64_t offset, uint64_t len, const char *name);
/* A range of an input, by its name and its events. */
struct source *source_input(const struct input *in, uint64_t offset, uint64_t len);
