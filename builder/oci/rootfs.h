/* oci/rootfs.h - what the layers of an image make together, as a list of names: OCI image-spec 1.1,
 * layer.md, with whiteouts and opaque folders honoured.
 *
 * Layers are read as streams and checked against their digest and diff_id; of a file only the text
 * that the caller asks for is kept.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/arena.h"
#include "../base/map.h"
#include "../io/entry.h"
#include "../io/tar_read.h"
#include "stored.h"

struct rootfs_node {
    struct str path;      /* relative, as in a tar entry */
    enum entry_type type; /* ENTRY_HARDLINK never: it is what it links to */
    bool special;         /* a device, a socket, a pipe */
    bool linked;          /* a hard link to a file that is counted elsewhere */
    bool gone;            /* deleted by a later layer: as if it were not here */
    uint32_t mode, uid, gid;
    int64_t mtime;
    struct str link;  /* of a symbolic link */
    struct str caps;  /* as in struct entry */
    struct str text;  /* what was kept of a file */
    const void *note; /* the caller's own; hard links to a file share it */
    uint64_t size;    /* bytes of a file */
    size_t layer;
    /* For rootfs.c alone: what is in a folder, as a list, and the layer that nothing below it is
     * older than. */
    struct rootfs_node *below, *next, **at;
    size_t oldest;
};

struct rootfs {
    struct arena arena;
    struct VEC_OF(struct rootfs_node *) nodes; /* in the order of the layers */
    struct map index;                          /* path to node */
    struct rootfs_node *root;                  /* the folder that all are below; no node */
    size_t layers;                             /* read so far */
};

/* For who reads layers on his own: put one more entry of the current layer; `text` is copied. */
int rootfs_put(struct rootfs *r, const struct entry *entry, bool special, struct str text,
               const void *note, struct err *e) MUST_CHECK;
/* What follows belongs to the next layer. */
void rootfs_next(struct rootfs *r);

/* Append to `text` what shall be kept of the file `path`, if anything. */
typedef int (*rootfs_keep)(void *ctx, struct str path, uint64_t size, struct source *data,
                           struct buf *text, struct err *e);

/* Put one more layer on top, a tar that is not compressed; takes it. */
int rootfs_add(struct rootfs *r, struct source *tar, rootfs_keep keep, void *ctx,
               struct err *e) MUST_CHECK;
/* All layers of an image, each held against its digest and its diff_id. */
int rootfs_read(struct rootfs *out, const struct stored *image, rootfs_keep keep, void *ctx,
                struct err *e) MUST_CHECK;
void rootfs_clear(struct rootfs *r);

/* The very entry; NULL when absent. */
const struct rootfs_node *rootfs_get(const struct rootfs *r, struct str path);
/* With all links followed, the last one too; NULL when it leads nowhere. An absolute path may be
 * given. The root itself is never found. */
const struct rootfs_node *rootfs_follow(const struct rootfs *r, struct str path);
