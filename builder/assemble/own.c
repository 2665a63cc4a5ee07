/* SPDX-License-Identifier: Apache-2.0 */
#include "own.h"

#include "../base/path.h"

static const struct lock_folder *own_folder(const struct lock *lock, struct str path)
{
    CLEANUP(buf_clear) struct buf absolute = {0};

    buf_fmt(&absolute, "/" STR_FMT, STR_ARG(path));
    return lock_folder_of(lock, buf_view(&absolute));
}

/* The download whose folder `path` is, or is in. */
static const struct artifact_place *place_of(const struct lock *lock,
                                             const struct artifact_place *only, struct str path)
{
    CLEANUP(buf_clear) struct buf absolute = {0};
    const struct artifact_place *place;

    buf_fmt(&absolute, "/" STR_FMT, STR_ARG(path));
    place = lock_place_of(lock, buf_view(&absolute));
    return !only || only == place ? place : NULL;
}

int own_parents(struct tree *t, const struct lock *lock, const struct artifact_place *place,
                struct str path, int64_t mtime, struct err *e)
{
    for (size_t i = 0; i < path.len; i++) {
        struct entry entry = {.path = str_sub(path, 0, i), .type = ENTRY_DIR, .mtime = mtime};
        const struct lock_folder *own = path.p[i] == '/' ? own_folder(lock, entry.path) : NULL;
        const struct artifact_place *at =
            path.p[i] == '/' ? place_of(lock, place, entry.path) : NULL;

        if ((!own && !at) || tree_get(t, entry.path) || tree_follow(t, entry.path))
            continue;
        entry.mode = at ? 0755 : 0775;
        entry.uid = at ? at->uid : own->uid;
        entry.gid = at ? at->gid : 0;
        own_share(lock, &entry);
        if (tree_parents(t, entry.path, mtime, e) < 0 || tree_add(t, &entry, false, e) < 0)
            return -1;
    }
    return 0;
}

void own_share(const struct lock *lock, struct entry *entry)
{
    const struct lock_folder *own = own_folder(lock, entry->path);
    bool users = own ? own->uid == entry->uid : lock->user.name.len && lock->user.uid == entry->uid;

    if (lock->folders.n && users && !entry->gid && entry->type != ENTRY_SYMLINK)
        entry->mode |= (entry->mode & 0700) >> 3;
}
