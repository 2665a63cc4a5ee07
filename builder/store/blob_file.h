/* store/blob_file.h - does a file outside the store hold the bytes that its name, a digest, says?
 *
 * A small file is read each time. A large one is read once for each content: that its bytes were
 * seen is remembered with its device, inode, size and times of change, so that a file which was
 * written to, put in its place or brought back is read again, and one that is untouched is not.
 *
 * Where a large one stands is remembered as well, so that another place on the same disk takes it
 * over without a copy. What shares bytes so may only be read, whatever its name.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <sys/stat.h>

#include "../base/event.h"
#include "memo.h"

enum { BLOB_FILE_SMALL = 1024 * 1024 }; /* bytes */

struct blob_files {
    const struct memo *memo;     /* where it is remembered; NULL: all are read each time */
    bool again;                  /* read all, whatever is remembered */
    const struct events *events; /* ERR_INTERRUPTED where they say so; may be NULL */
};

enum blob_file { BLOB_ABSENT, BLOB_RIGHT, BLOB_WRONG };

/* BLOB_WRONG: other bytes, another size, or no regular file. */
int blob_file_check(enum blob_file *out, const struct blob_files *how, const char *path,
                    const struct digest *digest, uint64_t size, struct err *e) MUST_CHECK;
/* The same without reading what is large: is it known to be right? */
bool blob_file_known(const struct blob_files *how, const char *path, const struct digest *digest,
                     uint64_t size);
/* Is such a file known elsewhere, and right? Then `path` becomes one with the same bytes on the
 * disk, instead of what stands there: a clone where the file system can, else a link. *shared
 * false: it has to be written. The folder is synced by the caller. */
int blob_file_share(bool *shared, const struct blob_files *how, const char *path,
                    const struct digest *digest, uint64_t size, struct err *e) MUST_CHECK;
/* The file that was written as `written` tells, and is published as `path`, has the bytes that were
 * seen. Where that cannot be remembered the file is read again some day. */
void blob_file_remember(const struct blob_files *how, const char *path, const struct stat *written,
                        const struct seen *seen);
