/* base/fs.h - the disk: publish by rename or link, locks, folders.
 *
 * A file is written without a name where the file system can (O_TMPFILE), else under a
 * temporary one, and appears under its own name only when whole. So a killed run leaves no
 * half file that anybody could take for a whole one.
 *
 * A power cut may take from a folder every name that was not synced since. So what names other
 * files is written when their folder is synced: blobs, their folder, then index.json, then the
 * lock.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "event.h"
#include "fd.h"
#include "vec.h"

/* mkdir -p, mode 0777 less the umask; an existing folder is fine. */
int fs_mkdirs(const char *path, struct err *e) MUST_CHECK;
/* The same, and the folders made are on the disk, with their names. */
int fs_mkdirs_synced(const char *path, struct err *e) MUST_CHECK;
/* The same, but where the folder above may only be read nothing is made, and that is fine. */
int fs_mkdirs_where_writable(const char *path, struct err *e) MUST_CHECK;
/* fs_mkdirs for the folder that `path` stands in. */
int fs_mkdirs_for(const char *path, struct err *e) MUST_CHECK;
/* The absolute path of what is there, without links in it. Owned. */
int fs_absolute(char **out, const char *path, struct err *e) MUST_CHECK;
/* The names in a folder are on the disk, as far as its file system can promise that. */
int fs_sync_dir(const char *dir, struct err *e) MUST_CHECK;
/* What cannot be looked at, other than for want of rights, counts as there: whoever opens it learns
 * why. */
bool fs_exists(const char *path);
/* The disk below `path`, or below the nearest folder above that is there. */
struct fs_room {
    bool known;
    uint64_t disk; /* the same for all paths on it */
    uint64_t free; /* bytes that we may write */
};
void fs_room(struct fs_room *out, const char *path);
/* Size of a regular file; false when there is none. */
bool fs_file_size(const char *path, uint64_t *size);

/* A whole file of at most `limit` bytes. A folder, a missing file, a larger one: an error that
 * says so. Missing and unreadable files are ERR_INPUT here: the user named them. */
int fs_read(struct buf *out, const char *path, uint64_t limit, struct err *e) MUST_CHECK;
/* Write, sync and rename over `path`, and sync its folder: readers see the old text or the new one,
 * also after a power cut, and the new one once this has returned. */
int fs_write(const char *path, struct str text, struct err *e) MUST_CHECK;

/* A file that is being written into folder `dir` and has no final name yet. */
struct fs_temp {
    struct fd fd;
    char *dir;  /* owned */
    char *name; /* owned; path of the temporary file, NULL when it has none (O_TMPFILE) */
};
/* Untouched on failure. */
int fs_temp_open(struct fs_temp *t, const char *dir, struct err *e) MUST_CHECK;
/* Sync the data and give the file the path `path` (same file system). If something stands there
 * already, `replace` says whether it is replaced or stays (then this file is dropped). Clears t.
 * The name itself is on the disk only after fs_sync_dir. */
int fs_temp_publish(struct fs_temp *t, const char *path, bool replace, struct err *e) MUST_CHECK;
/* The same for bytes that a power cut may tear, because whoever reads them finds that out. */
int fs_temp_publish_unsynced(struct fs_temp *t, const char *path, bool replace,
                             struct err *e) MUST_CHECK;
void fs_temp_clear(struct fs_temp *t); /* drops what is not published */
/* A blob: nobody writes to it any more, as far as its file system knows rights. */
void fs_make_read_only(int fd);
/* Give the open file `fd` one more name, over what stands there; its folder is synced by the
 * caller. False where that cannot be: another file system, or no rights to do so. */
bool fs_link(int fd, const char *path);
/* Fill the file with the bytes of `from`, sharing them on the disk. False where its file system
 * cannot. */
bool fs_temp_clone(struct fs_temp *t, int from);
/* Is `path` a temporary file that a killed run left? Its process is gone and it is over an hour old
 * (the process may live where we cannot see it). */
bool fs_temp_is_abandoned(const char *path);

/* An exclusive lock on a file that stays empty, made if missing. Waits for who holds it; says so
 * after a second, and ends when cancelled. `events` may be NULL. Freed by fd_clear. */
int fs_lock(struct fd *out, const char *path, const struct events *events,
            struct err *e) MUST_CHECK;

/* The same for those who only use what the lock guards: many hold it so at once, and nobody beside
 * one that fs_lock() gave. A file that may only be read will do. Where there is nothing to lock (it
 * is not there and cannot be made, its file system has no locks) they go on without, and *out stays
 * closed. */
int fs_lock_shared(struct fd *out, const char *path, const struct events *events,
                   struct err *e) MUST_CHECK;

/* Names in a folder, sorted by byte, without "." and "..". */
int fs_list(struct names *out, const char *dir, struct err *e) MUST_CHECK;
/* The same of one that is open; `what` names it in errors. */
int fs_list_at(struct names *out, int dir, const char *what, struct err *e) MUST_CHECK;
/* Remove a file; a missing one is fine. */
int fs_remove(const char *path, struct err *e) MUST_CHECK;
