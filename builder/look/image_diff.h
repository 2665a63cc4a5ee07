/* look/image_diff.h - what differs between two images: packages, files, layers, and what a pull of
 * the second transfers where the first is.
 *
 * Files are told apart by kind, size, rights, owner and target, and those that an inspection keeps
 * by their text; the bytes of others are not compared, and people are told so.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "inspect.h"

struct image_package_change {
    const struct package *old, *now; /* NULL: it is new, or gone */
};

enum image_file_change { FILE_NEW, FILE_GONE, FILE_OTHER };
struct image_file {
    enum image_file_change change;
    struct str path;
};

struct image_diff {
    struct VEC_OF(struct image_package_change) packages;
    struct VEC_OF(struct image_file) files; /* sorted by path */
    size_t layers, same_layers;             /* of the second */
    uint64_t pull;                          /* bytes of its layers that the first has not */
};

/* Borrows from both. */
void image_diff(struct image_diff *out, const struct inspection *old, const struct inspection *now);
void image_diff_clear(struct image_diff *d);
void image_diff_print(struct buf *out, const struct image_diff *d);
void image_diff_put(struct doc *doc, struct node *root, const struct image_diff *d);
