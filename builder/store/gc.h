/* store/gc.h - what a store holds, and removing what nothing needs.
 *
 * What a store's folders hold under names that we give is ours: blobs, partial downloads, what was
 * found out, the list of locks, unpacked layers and roots of sealed builds, temporary files that a
 * killed run left. All else is counted and
 * never touched, and no link is followed.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/digest.h"
#include "../base/event.h"
#include "../base/vec.h"
#include "../base/walk.h"

enum gc_kind {
    GC_BLOBS, /* wheels, debs, archives, pages by digest, and what of a layer is in none of them */
    GC_PARTIAL,  /* downloads that were cut, or are under way */
    GC_MEMORY,   /* what was found out about bytes that were seen, and pages */
    GC_LOCKS,    /* store/roots.h */
    GC_UNPACKED, /* store/unpacked.h */
    GC_TEMPORARY,
    GC_OTHER, /* not ours, the lock file, and the folders themselves */
    GC_KINDS,
};

struct gc_rules {
    const struct digest *needed; /* blobs, sorted by digest_cmp(); borrowed */
    size_t needed_n;
    /* 0: of blobs and partial downloads all go that nobody needs, and all that is unpacked. Else
     * only those from before this time, in seconds since 1970, and with them what was found out or
     * unpacked and not used since. */
    int64_t before;
    bool remove;                 /* else they are only counted */
    const struct events *events; /* ERR_INTERRUPTED where they say so; may be NULL */
};

struct gc_result {
    struct walk_use all, kinds[GC_KINDS]; /* before anything is removed */
    struct walk_use unneeded;             /* of that, what goes; `real` is what becomes free */
};

/* With rules->remove the caller has fs_lock() on cas_lock_path(), so that nobody uses the store. */
int gc_store(struct gc_result *out, const char *store, const struct gc_rules *rules,
             struct err *e) MUST_CHECK;
