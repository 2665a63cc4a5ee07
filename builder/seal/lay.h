/* seal/lay.h - entries of a tar as files below a folder, which no link leads out of.
 *
 * All belongs to whoever runs us. The owner may read every file and enter every folder; set-user-id
 * and set-group-id are dropped, and so are capabilities. Links are made as they are and never
 * followed: a path that goes through one, or through a file, replaces that by a folder.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../io/source.h"

/* What a hard link of a layer to a file of a lower one is until layers are laid on each other: a
 * file of this and its name, whose text is where it leads. */
#define LAY_LINK ".wh..wh.link."

struct lay {
    const char *top; /* for messages; borrowed */
    bool layer;
    struct fd fd;
    struct fd at; /* the folder that most entries stand in, `folder` */
    struct buf folder;
    char *chunk;    /* owned */
    uint64_t since; /* bytes, since the disk was looked at */
};

/* `layer`: whiteouts become empty files under their own names, and times are dropped; else no name
 * means anything, and files keep their times. */
int lay_open(struct lay *l, const char *top, bool layer, struct err *e) MUST_CHECK;
/* `data` are a file's bytes. ERR_INPUT for a hard link that does not lead to a file laid before,
 * but a layer's may become LAY_LINK. ERR_SYSTEM when next to nothing is left on the disk. */
int lay_put(struct lay *l, const struct entry *entry, struct source *data,
            struct err *e) MUST_CHECK;
void lay_clear(struct lay *l);

/* Is next to nothing left on the disk that `folder` is on? */
bool lay_disk_is_full(const char *folder);
/* ".wh.name" */
bool lay_is_whiteout(const char *name);
/* Take away what stands there, a folder with all that is in it. `top` names the whole in errors. */
int lay_clear_name(int dir, const char *name, const char *top, struct err *e) MUST_CHECK;
/* Open the folder `name`, made if missing; what is none is replaced. */
int lay_enter(struct fd *out, int dir, const char *name, const char *top, struct err *e) MUST_CHECK;
/* The folder that `path` stands in, made where it is missing, and its name there (owned). */
int lay_enter_parents(struct fd *out, char **name, int top_fd, struct str path, const char *top,
                      struct err *e) MUST_CHECK;
