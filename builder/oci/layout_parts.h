/* oci/layout_parts.h - what the files layout*.c share; nobody else includes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "layout.h"

/* index.json: what it says, and as a tree with members that we do not know, to be written again. */
struct layout_index {
    struct buf text;
    struct image_index index;
    struct doc doc;
};
/* What cannot be read is never written over. */
int layout_read_index(struct layout_index *out, const char *dir, struct err *e) MUST_CHECK;
void layout_index_clear(struct layout_index *i);
/* Its list of manifests, which is there. */
struct node *layout_index_list(struct doc *doc);

/* For changing index.json. */
int layout_lock(struct fd *lock, const char *dir, const struct events *events,
                struct err *e) MUST_CHECK;
