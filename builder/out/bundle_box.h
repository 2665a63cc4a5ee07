/* out/bundle_box.h - the files of a bundle, one after the other: in a folder, or in a tar of one.
 *
 * The last of them says that all are there. A folder without it is incomplete; a tar has its own
 * name once it is whole, and not before.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/fs.h"

struct box {
    const char *path; /* borrowed; the folder, or the tar */
    bool tar;
    struct buf folder; /* its name, with nothing that a shell or a page would take for its own */
    int64_t mtime;     /* of a tar's entries: seconds since 1970 */
    struct fs_temp temp;
    uint64_t at;   /* where the next byte of the tar goes */
    uint64_t head; /* where the header of the file that is open goes, once that is known */
    struct fd fd;  /* the file that is open, in a folder */
    char *open;    /* owned; its path */
    uint64_t size; /* its bytes so far */
};

/* A name that ends in ".tar" is one. The folder is made, or one that an earlier bundle is in:
 * `last` and then the files that begin with `large` are removed from it. ERR_INPUT where it holds
 * other things. */
int box_open(struct box *b, const char *path, int64_t mtime, const char *last, const char *large,
             struct err *e) MUST_CHECK;
bool box_is_tar(const char *path);
int box_put(struct box *b, const char *name, struct str text, struct err *e) MUST_CHECK;
/* A large file, which gets its name at its end; it goes by `name` until then. At most 8 GiB. */
int box_begin(struct box *b, const char *name, struct err *e) MUST_CHECK;
int box_write(struct box *b, const void *bytes, size_t len, struct err *e) MUST_CHECK;
int box_end(struct box *b, const char *name, struct err *e) MUST_CHECK;
/* The last one, when all others are on the disk. */
int box_close(struct box *b, const char *name, struct str text, struct err *e) MUST_CHECK;
void box_clear(struct box *b);
