/* look/scan_memo.h - what the files of a layer tell, as a text that is remembered by the layer's
 * digest. Not JSON: names in a layer are any bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../store/blob_file.h"
#include "layer_scan.h"

/* What is remembered, and by which a file of a layer is known to be what its name says. */
struct scan_memory {
    const struct memo *memo; /* NULL: nothing is */
    struct blob_files files;
};

/* Everything that layer_scan.h keeps of a layer, as text. */
void scan_print(struct buf *out, const struct layer_scan *layer);
/* The same from it; `out` was opened and has nothing yet. ERR_INPUT: the text is no such one. */
int scan_parse(struct layer_scan *out, struct str text, struct err *e) MUST_CHECK;

/* *found is false when nothing of use is remembered. */
int scan_recall(struct layer_scan *out, bool *found, const struct scan_memory *memory,
                const struct digest *layer, struct err *e) MUST_CHECK;
/* What cannot be remembered is read again. */
void scan_remember(const struct scan_memory *memory, const struct layer_scan *layer,
                   const struct seen *digest);
/* The layer is in use, so that what `memo` has of it stays. */
void scan_keep(const struct memo *memo, const struct digest *layer);
