/* oci/layout.h - an OCI image layout: a folder of blobs and an index.json that names some of them.
 * OCI image-spec 1.1, image-layout.md.
 *
 * Many threads and processes may write into one layout at once: a blob appears whole or not at all,
 * and index.json is changed under a lock (the file ".lock") and replaced by rename. What others put
 * into index.json stays; only the entry of the same tag is replaced. An index.json that cannot be
 * read is left as it is, and is an error. After a power cut it names only blobs that are whole:
 * their folder is synced before.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/event.h"
#include "place.h"

/* Make the folder, or join the layout that is there. A folder that holds other things and is no
 * layout is ERR_INPUT. `events`: borrowed, may be NULL; told when the lock is waited for. */
int layout_open(struct place **out, const char *dir, const struct events *events,
                struct err *e) MUST_CHECK;

/* Read every blob that the manifest tagged `tag` reaches and compare sizes and digests;
 * ERR_INTEGRITY names the first that is wrong or missing. `tag` NULL: all entries of index.json. */
int layout_check(const char *dir, const char *tag, struct err *e) MUST_CHECK;

/* "<dir>/blobs/sha256/<hex>", owned. */
char *layout_blob_path(const char *dir, const struct digest *digest);

/* Give the index entry of an image its annotations: the tag and the full name. The texts go into
 * `arena`. ERR_INPUT for a name or tag outside the grammar. */
int layout_annotate(struct descriptor *d, const struct image_name *name, struct arena *arena,
                    struct err *e) MUST_CHECK;
