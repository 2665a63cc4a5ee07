/* io/spool.h - a scratch file without a name, for bytes that cannot be read in place.
 *
 * What comes out of an xz stream can only be had in order; importers put it here, and entries refer
 * to it as CONTENT_RANGE. Safe for many threads: each put reserves its range first. Nothing is left
 * behind, not even by a killed run where the file system has O_TMPFILE. The file is made for the
 * first bytes: who has none needs no disk to write on.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <pthread.h>
#include "../base/arena.h"
#include "../base/fs.h"
#include "entry.h"
#include "source.h"

struct spool {
    struct input input;   /* its digest stays zero, its size is not kept up to date */
    struct fs_temp temp;  /* owned; input.fd is its descriptor, not a second one */
    char *dir;            /* owned */
    pthread_mutex_t lock; /* while the file is made */
    uint64_t used;        /* bytes reserved so far; atomic */
};

/* `dir` is on the disk that has room for the plain bytes of all packages. The spool must stay where
 * it is (no MOVE) and open for as long as contents refer to it. */
void spool_open(struct spool *s, const char *dir);
void spool_clear(struct spool *s);

/* Take exactly `size` bytes from `from`; ERR_INPUT when it ends early. */
int spool_put(struct content *out, struct spool *s, struct source *from, uint64_t size,
              struct err *e) MUST_CHECK;
/* The same, but small contents go into `a` as CONTENT_BYTES. */
int spool_keep(struct content *out, struct spool *s, struct arena *a, struct source *from,
               uint64_t size, struct err *e) MUST_CHECK;
