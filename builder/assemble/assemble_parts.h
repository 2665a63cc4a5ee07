/* assemble/assemble_parts.h - what the files assemble*.c share; nobody else includes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/pool.h"
#include "assemble.h"
#include "import/wheel_paths.h"
#include "layer/layer_record.h"
#include "system/system_layers.h"

enum how { HOW_PRESENT, HOW_JOIN, HOW_MAKE, HOW_TAKE };

/* One layer on its way. */
struct making {
    struct assembler *all;
    struct lock_layer *layer;
    size_t index;
    enum how how;
    struct layer_cache *cache; /* HOW_TAKE: who has it; NULL: the base image */
    struct content taken;      /* ... as it lies in all->taken, for an archive */
    bool has_record;
    bool diff_id_seen; /* the store remembers it, and the lock's is the same */
    bool doubted;      /* the store remembers another layer than the lock says */
    bool shared;       /* the place lacked it, and took it over from elsewhere on its disk */
    bool watched;      /* made although it is known, because somebody has to see it */
    bool asked;        /* the place may have it */
    struct layer_record record;
    struct slim_counts slim; /* what is left out while it is made */
    struct buf key;
    struct buf alone;     /* of a download, once the system below is there: download_key() */
    bool read;            /* its wheels are read for their paths, though it is not made */
    size_t waiting;       /* of its artifacts, not yet in the store; main thread only */
    _Atomic unsigned due; /* of a download: its file, and the system below */
};

struct assembler {
    struct lock *lock;
    const struct assembly *in;
    struct pool *pool;
    struct making *makings; /* one a layer */
    struct tree venv;       /* its outline, which wheels are laid into */
    struct system_layers system;
    bool need_system;
    struct wheel_paths *paths; /* one an artifact; NULL when the lock tells which wheels overlap */
    bool only_stored;          /* ... which is asked of wheels that are in the store alone */
    /* Of the system, to be unpacked: all, and those without the toolkit. The trees that need not
     * wait for it and the last part are waited for before the rest is made. */
    _Atomic size_t parts_left, below_left, stages_left;
    struct VEC_OF(size_t) want; /* positions in lock->artifacts of what is fetched */
    bool *wanted;               /* by position: is it in `want`? */
    struct spool files;         /* the recipe's own files */
    struct spool taken;         /* layers from caches: an archive cannot give back what was wrong */
};

/* assemble_layer.c: one layer, by itself. `ctx` of those that a pool runs is a struct making. */
/* What lock and store have of it; whether the place is asked for it. What they say otherwise of
 * one layer is ERR_INTEGRITY. */
int making_recall(struct assembler *a, struct making *m, struct err *e) MUST_CHECK;
/* Then, how it comes into the place, if no cache has what would be made. */
int making_decide(struct assembler *a, struct making *m, struct err *e) MUST_CHECK;
/* Would it have to be made, and the lock knows it? */
bool making_may_be_cached(const struct making *m);
/* Is it made in the store, and the place gets it from there? */
bool making_is_stored_first(const struct making *m);
/* From what the store remembers of it. */
int making_join(void *ctx, struct err *e) MUST_CHECK;
/* From the base image or a cache, byte for byte. */
int making_take(void *ctx, struct err *e) MUST_CHECK;
/* What a cache has, into the place or, for an archive, the spool. Where that fails a warning is
 * told, and it is HOW_MAKE. */
int making_try_cache(void *ctx, struct err *e) MUST_CHECK;
/* Its bytes, of its record. */
int making_bytes(void *ctx, struct sink *to, struct err *e) MUST_CHECK;
/* Of its kind: the artifacts are in the store; for the last three the system is built. */
int making_wheels(void *ctx, struct err *e) MUST_CHECK;
int making_system(void *ctx, struct err *e) MUST_CHECK;
int making_files(void *ctx, struct err *e) MUST_CHECK;
int making_download(void *ctx, struct err *e) MUST_CHECK;
/* A layer of wheels that need not be made: read them for their paths. */
int making_paths(void *ctx, struct err *e) MUST_CHECK;
/* A wheel's files into `t`, as its layer has them; `input`, which is opened, stays until the tree
 * goes. `slim` has its layer's rules. */
int making_import(struct tree *t, struct assembler *a, size_t artifact, struct input *input,
                  struct slim_counts *slim, struct inflater *inflater, struct err *e) MUST_CHECK;
/* The lock's rules that concern wheels of this layer; they were made of published ones, so the
 * recipe's own project stays whole. */
void making_rules(struct slim_counts *out, const struct lock *lock, const struct lock_layer *l);
/* Write a tree as this layer, wherever that goes. */
int making_write(struct making *m, const struct tree *tree, struct err *e) MUST_CHECK;
/* assemble_cache.c: leave what was made in the caches. That it cannot be is no fault. */
int cache_leave(struct assembler *a, struct err *e) MUST_CHECK;
/* assemble_bytecode.c: is it a layer of bytecode that has to be made? */
bool making_is_compiled(const struct making *m);
/* Is the file with that path in the image compiled? */
bool bytecode_is_of(const struct lock *lock, struct str path);
/* All of those, compiled at once: their wheels are in the store, and what each leaves out is known.
 */
int bytecode_make(struct assembler *a, struct err *e) MUST_CHECK;
/* assemble_overlap.c: from the paths of all wheels: into a lock that was not built, else it must
 * say the same. Neither where a->only_stored. */
int overlap_find(struct assembler *a, struct err *e) MUST_CHECK;
/* Is a layer made again, for an edit, that may hide a module whose bytecode lies below it? */
bool overlap_may_hide(const struct assembler *a);
/* What of `inputs` is damaged is removed from the store, and *e then says so. */
void making_throw_out(const struct cas *cas, const struct input *inputs, size_t n, struct err *e);
