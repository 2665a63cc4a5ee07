/* look/linkage.h - what the loader must know of one layer: its programs and libraries, its links,
 * what it deletes, and its ld.so.cache. Small enough to be remembered, so that an image is proven
 * without reading its layers again.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../pkg/elf/ldcache.h"
#include "proof.h"

struct linkage_entry {
    struct str path;
    enum entry_type type;
    struct str link;
    struct scanned *elf; /* NULL: a link, or a whiteout */
};

struct linkage {
    struct doc doc;                              /* owns the texts */
    struct VEC_OF(struct linkage_entry) entries; /* in the layer's order */
    struct VEC_OF(struct scanned *) elfs;
    struct ldcache_libs cache; /* of the ld.so.cache that the layer brings */
};

/* A text that linkage_parse() reads. `layer` was scanned as a whole of it. */
int linkage_print(struct buf *out, const struct layer_scan *layer, struct err *e) MUST_CHECK;
/* ERR_INPUT for a text of another version, or a damaged one. */
int linkage_parse(struct linkage *out, struct str text, struct err *e) MUST_CHECK;
void linkage_clear(struct linkage *l);

/* Put the layer on top of the ones below; it must outlive `fs`. */
int linkage_put(struct rootfs *fs, const struct linkage *layer, struct err *e) MUST_CHECK;
