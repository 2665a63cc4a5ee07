/* assemble/assemble.h - the layers of a lock, made and put into a place. Obeys the lock: no clock,
 * no network handle; what is not in the store is asked for through `fetch`.
 *
 * A layer that the place has is left alone. One that the store remembers is joined from its
 * segments. The others are made: wheels by copying, debs through a scratch file, several at once,
 * the largest first. Which of these happened never shows in a byte.
 *
 * What the lock says of a layer is a claim: it is held against what the store saw, or against what
 * is made, and never becomes memory.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/event.h"
#include "../model/lock.h"
#include "../oci/layer_cache.h"
#include "../oci/place.h"
#include "../oci/stored.h"
#include "../store/blob_file.h"
#include "../store/cas.h"
#include "../store/memo.h"
#include "layer/layer.h"

/* Bring these artifacts into the store; `ready` is told each, on the calling thread. */
struct fetcher {
    int (*fetch)(void *ctx, const struct artifact *artifacts, size_t n,
                 int (*ready)(void *ctx, size_t index, struct err *e), void *ready_ctx,
                 struct err *e);
    void *ctx;
};

struct modules VEC_OF(const struct entry *);

/* Who compiles Python's modules for layers of bytecode; only asked where one has to be made. */
struct compiler {
    /* Could it? Asked before anything is fetched. */
    int (*begin)(void *ctx, struct err *e);
    /* By the lock's own Python, on the calling thread; `key` names the layers. `each` is told what
     * comes of a module, and its path in the image; of one that does not compile nothing. */
    int (*compile)(void *ctx, const struct lock *lock, const struct digest *key,
                   const struct modules *modules,
                   int (*each)(void *ctx, const struct entry *module, struct str path,
                               struct str bytes, struct err *e),
                   void *each_ctx, struct err *e);
    void *ctx;
};

/* Who looks at the layers that are made for the first time, each on a thread of its own. */
struct watcher {
    bool (*knows)(void *ctx, const struct digest *layer); /* then it is not made anew for that */
    struct layer_watch *(*open)(void *ctx, struct err *e);
    /* The layer is whole, and this is its digest. */
    int (*done)(void *ctx, struct layer_watch *watch, const struct seen *layer, struct err *e);
    void (*close)(void *ctx, struct layer_watch *watch); /* after done() and after a failure */
    void *ctx;
};

/* What an audit read. */
struct audit {
    size_t blobs, damaged; /* of the store: artifacts that were there, and those to be had again */
    size_t layers;         /* made again, or read whole, each with its diff_id */
};

/* The layers that a place did not have. */
struct fresh {
    size_t layers;
    uint64_t bytes;
};

struct assembly {
    struct cas *cas;
    struct memo *memo;
    struct memo *metadata; /* of wheels */
    struct place *place;
    struct fetcher fetcher;
    struct compiler compiler;       /* all NULL for a lock without bytecode */
    const struct stored *image;     /* of a lock that stands on an image; else NULL */
    struct layer_caches *caches;    /* asked for layers that the lock knows, and what is made is
                                       left there; may be NULL */
    const struct stored *beside;    /* one that may have the same system layers; may be NULL */
    const char *dir;                /* of the recipe: where its local files are */
    const char *scratch_dir;        /* on a disk with room for the unpacked debs */
    const struct blob_files *files; /* where the place finds blobs that it may share */
    unsigned jobs;                  /* threads, at least 1 */
    const struct watcher *watcher;  /* asked of a lock that was never built; NULL: nobody looks */
    const struct events *events;
    /* NULL, or: believe nothing that is remembered. All that the store has of the lock is read
     * again, and every layer is made again from it. Filled in. */
    struct audit *audit;
    struct fresh *fresh; /* NULL, or filled in */
    /* NULL, or asked before the first byte: is there room for these in the store's folder and in
     * the place? Bytes; a layer that was never built counts with its artifacts' size. */
    int (*room)(void *ctx, uint64_t store, uint64_t place, struct err *e);
    void *room_ctx;
};

/* Put all layers of `lock` into the place and fill in their digests and sizes, lock->encoder and
 * lock->uncovered. Digests that the lock has already are held against what was made:
 * ERR_INTEGRITY. Does not set lock->built: that is for who writes the manifest. */
int assemble_layers(struct lock *lock, const struct assembly *in, struct err *e) MUST_CHECK;
/* One sentence for each pair of wheels that share paths and differ there. */
void overlap_warn(const struct lock *lock, const struct events *events);
