/* seal/root.h - the folder that a sealed build sees as "/": layers of images, one on the other.
 *
 * Each layer is unpacked once into the store, on a thread of its own, and held against its diff_id;
 * a root is made of hard links to the files of its layers, so that roots share them on the disk.
 * Both are kept (store/unpacked.h) and used read-only.
 *
 * OCI image-spec 1.1, layer.md, as oci/rootfs.h reads it: whiteouts and opaque folders are
 * honoured, and what a layer puts below a path that is a link or a file replaces that by a folder.
 * As an ordinary user can have it: all belongs to whoever runs us; the owner may read every file
 * and enter every folder; set-user-id and set-group-id are dropped, and so are times, capabilities,
 * devices, sockets and pipes. Nothing is written outside the folder, and no link of a layer is
 * followed.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/vec.h"
#include "../io/source.h"
#include "../store/cas.h"

/* Where the build's own things are mounted in a root; the folder is made in each. */
#define SEAL_TOP "/seal"

struct seal_layer {
    struct digest diff_id;
    uint64_t size;    /* bytes of its tar; 0: not known */
    const char *name; /* for messages and progress; borrowed */
    /* Its bytes from the first to the last: gzip, zstd or a plain tar. Called at most once for each
     * layer, from any thread, and only when the store has not unpacked it. */
    int (*open)(struct source **out, void *ctx, struct err *e);
    void *ctx;
};
struct seal_layers VEC_OF(struct seal_layer); /* bottom first */

struct seal_root {
    char *path;        /* owned: of the folder */
    struct digest key; /* of the diff_ids, in order */
};

/* What decides a root, without making it. */
void seal_root_key(struct digest *out, const struct seal_layers *layers);
/* Make it, or take it from the store; it stays as long as `cas` is open. ERR_INTEGRITY when a layer
 * is not what its diff_id says, ERR_INPUT when it is no layer, or a hard link in it leads to
 * no file of it or of a lower layer; ERR_SYSTEM when there is not room for it. */
int seal_root_open(struct seal_root *out, const struct cas *cas, const struct seal_layers *layers,
                   unsigned threads, const struct events *events, struct err *e) MUST_CHECK;
void seal_root_clear(struct seal_root *r);
