/* assemble/download.h - the layer of one download: the file itself, or what is in the archive that
 * it is.
 *
 * Archives are tars, compressed or not, and zips. What is in one stays below its folder: a path, a
 * link or a hard link that leads out of it is ERR_INPUT, and so is what is neither file, folder nor
 * link. Owner and modes are the recipe's, times the archive's. A layer of the same file at the same
 * place is the same bytes whatever else the image has, unless a link of the system is on its way.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../io/spool.h"
#include "../model/lock.h"
#include "layer/tree.h"

/* The text that names all the layer is made from: like layer_key(), but of the system only what its
 * bytes hang on, which only the skeleton tells. */
void download_key(struct buf *out, const struct lock *lock, size_t layer,
                  const struct tree *skeleton);
/* `file`: the download's, which must stay open as long as the tree; what a compressed archive holds
 * goes into `spool`. `skeleton`: the system below. The tree comes out sorted. */
int download_build(struct tree *out, const struct lock *lock, const struct artifact *download,
                   const struct input *file, struct spool *spool, const struct tree *skeleton,
                   struct err *e) MUST_CHECK;
