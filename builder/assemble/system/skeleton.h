/* assemble/system/skeleton.h - what the top layer must know of the system below it, as a small
 * tree: the account files, the folders that are not plain 0755 root, the links that lead to
 * folders, and the folders above all these. Where the recipe has certificates of its own, also the
 * system's: the bundles that programs read, and the names of its links by hash.
 *
 * It is remembered beside the system layers, so that files can be added to an image whose packages
 * need not be unpacked again.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../doc/node.h"
#include "../../io/inflate.h"
#include "../layer/tree.h"

/* `system` is a whole, sorted system tree. The result stands on its own. */
int skeleton_of(struct tree *out, const struct tree *system, bool certificates,
                struct inflater *inflater, struct err *e) MUST_CHECK;
/* Bundle `i` of those that systems have, relative; NULL behind the last. Debian's is the first. */
const char *skeleton_bundle(size_t i);
bool skeleton_is_bundle(struct str path);
void skeleton_print(struct buf *out, const struct tree *skeleton);
int skeleton_parse(struct tree *out, struct str text, struct err *e) MUST_CHECK;
