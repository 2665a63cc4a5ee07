/* oci/layout.h - an OCI image layout: a folder of blobs and an index.json that names some of them.
 * OCI image-spec 1.1, image-layout.md.
 *
 * Many threads and processes may write into one layout at once: a blob appears whole or not at all,
 * and index.json is changed under a lock (the file ".lock") and replaced by rename. What others put
 * into index.json stays; only the entry of the same tag is replaced. An index.json that cannot be
 * read is left as it is, and is an error. After a power cut it names only blobs that are whole:
 * their folder is synced before.
 *
 * Whoever writes into a layout, or reads an image in it, uses it: by a shared lock on its file
 * "oci-layout" no blob that he found there is removed by layout_gc.h until he is done.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../store/blob_file.h"
#include "place.h"

/* Make the folder, or join the layout that is there. A folder that holds other things and is no
 * layout is ERR_INPUT. Blobs that are there already are held against their names as `files` says;
 * a wrong one is told as a warning and written anew. Its events are told when the lock is waited
 * for, too; events and memo are borrowed. */
int layout_open(struct place **out, const char *dir, const struct blob_files *files,
                struct err *e) MUST_CHECK;

/* Use the layout `dir`, which is there, until fd_clear(). Waits for who removes things from it. */
int layout_use(struct fd *out, const char *dir, const struct events *events,
               struct err *e) MUST_CHECK;

/* DIR of "oci:DIR" or "DIR"; borrowed. */
const char *layout_dir(const char *text);
/* "<dir>/blobs/sha256/<hex>", owned. */
char *layout_blob_path(const char *dir, const struct digest *digest);

/* May an image get that name in the layout `dir`, which is there? ERR_INPUT where another recipe's
 * image has it and name->replace is false: that has another title, or another recipe is noted
 * beside it. Putting the image asks again. */
int layout_check_name(const char *dir, const struct image_name *name, struct err *e) MUST_CHECK;

/* Give the index entry of an image its annotations: the tag and the full name. The texts go into
 * `arena`. ERR_INPUT for a name or tag outside the grammar. */
int layout_annotate(struct descriptor *d, const struct image_name *name, struct arena *arena,
                    struct err *e) MUST_CHECK;
