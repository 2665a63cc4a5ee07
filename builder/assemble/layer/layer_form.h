/* assemble/layer/layer_form.h - what a layer's tar becomes where it is not gzip of many members
 * (assemble/layer/layer.h): a stage that takes the tar's bytes and passes on the blob's.
 *
 * "gzip,single" is one member: parts of FORM_PART plain bytes by "deflate/1", one behind the other.
 * "zstd" is one frame. "zstd:chunked" (oci/chunked.h) begins a frame with each file's bytes and
 * with what stands between them, and another one after FORM_FRAME bytes of either. So the blob is
 * a pure function of the tar and, for zstd, of the library's version.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../io/entry.h"
#include "../../io/sink.h"
#include "../../model/compression.h"
#include "../../oci/chunked.h"

enum {
    FORM_PART = 1024 * 1024,
    FORM_FRAME = 4 * 1024 * 1024,
    FORM_THREADS_MAX = 4,            /* of one layer; more wait for what inflates */
    FORM_TOC_MAX = 50 * 1024 * 1024, /* plain bytes of a table that every podman takes */
};

struct layer_form {
    struct sink sink; /* the tar's bytes; finish writes what is left, and does not finish `to` */
    /* The tar's headers of `entry` have passed and its bytes come next; NULL: they have passed.
     * Called for each entry, also for those without bytes. */
    int (*mark)(struct layer_form *self, const struct entry *entry, struct err *e);
    void (*free)(struct layer_form *self);
    struct chunked chunked; /* after finish */
    const char *no_toc;     /* after finish: why there is no table of contents, where one belongs */
};

/* How many of `threads` compress one layer (io/packers.h), and the tool of those that deflate: a
 * struct deflater. */
unsigned layer_form_threads(unsigned threads);
void *layer_deflater_open(void);
void layer_deflater_free(void *tool);

/* COMPRESSION_GZIP has none. */
int layer_form_open(struct layer_form **out, enum compression how, struct sink *to,
                    unsigned threads, struct err *e) MUST_CHECK;
int layer_form_mark(struct layer_form *f, const struct entry *entry, struct err *e) MUST_CHECK;
void layer_form_clear(struct layer_form **f);

/* Append the name of what compresses layers of that kind, as locks record it. */
void layer_encoder(struct buf *out, enum compression how);
