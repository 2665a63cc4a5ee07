/* assemble/layer/layer.h - a tree becomes a layer: a tar and its compressed form in one pass
 * (formats 1, 2).
 *
 * OCI image-spec 1.1 layer.md, RFC 1952. Other forms than gzip are in layer_form.h. Of gzip the
 * blob is a chain of gzip members. A file of LAYER_COPY_MIN bytes or more that lies deflated in a
 * wheel is one member whose deflate bytes are copied; everything else (headers, padding, smaller
 * files, plain data) is gathered into members of at most LAYER_GROUP plain bytes, compressed by
 * "fixed/1" where they hold headers and padding alone, else by "deflate/1". So the blob is a pure
 * function of the tree. These numbers belong to the format and never change in it.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/event.h"
#include "../../io/crypto.h"
#include "layer_form.h"
#include "segments.h"
#include "tree.h"

enum { LAYER_COPY_MIN = 64 * 1024, LAYER_GROUP = 1024 * 1024 };

/* Somebody who looks at the files of a layer while their bytes pass anyway. */
struct layer_watch {
    /* The next entry, in the layer's order. *data, NULL before, may become a sink for the bytes of
     * a file: all of them, then end(). */
    void (*begin)(struct layer_watch *self, const struct entry *entry, struct sink **data);
    int (*end)(struct layer_watch *self, struct err *e);
};

struct layer_output {
    struct sink *blob; /* the compressed bytes; NULL when only the digests are wanted */
    /* Where `blob` is new and hashes all that it is given, so that nothing is hashed twice; else
     * NULL. */
    const struct hash *blob_hash;
    struct sink *literals;     /* what segments_literal() counts; NULL when not kept */
    struct segments *segments; /* NULL when not kept */
    /* Known already: copied members are not inflated, and files are not held against their hashes.
     */
    bool skip_diff_id;
    struct layer_watch *watch; /* NULL: nobody looks; not with skip_diff_id */
    const char *name;          /* of the layer, for events and errors */
    enum compression compression;
    unsigned threads; /* that may compress, besides the caller; of gzip a big file alone */
};

struct layer_result {
    struct seen digest, diff_id; /* diff_id stays all-zero when skipped */
    uint64_t size;               /* compressed bytes */
    uint64_t tar_size;           /* uncompressed bytes */
    struct chunked chunked;
};

/* `tree` is sorted. The sinks are not finished here. A file that does not hash as its content says
 * is ERR_INTEGRITY. */
int layer_write(struct layer_result *out, const struct tree *tree, const struct layer_output *to,
                const struct events *events, struct err *e) MUST_CHECK;
/* Bytes that layer_write will report as the total of its EVENT_BEGIN. */
uint64_t layer_weight(const struct tree *tree);
