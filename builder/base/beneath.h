/* base/beneath.h - paths that must stay in a folder, whatever links in it say. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "buf.h"
#include "fd.h"

/* Write what `path`, relative to the open folder `root`, comes to once ".." and symbolic links are
 * followed; empty is `root` itself. A link that is the last part is followed when `last`, or when a
 * "/" stands behind it. What is not there is no fault. False when it leads out of `root`, be it for
 * a part of the way or by an absolute link, or when links lead to one another without end. */
bool beneath_resolve(struct buf *out, int root, struct str path, bool last);
/* Open what such a path names, following no link at all; ".." is ERR_INPUT. `what` names it in
 * errors. */
int beneath_open(struct fd *out, int root, struct str path, int flags, const char *what,
                 struct err *e) MUST_CHECK;
