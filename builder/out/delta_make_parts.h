/* out/delta_make_parts.h - what the files delta_make*.c share; nobody else includes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../io/crypto.h"
#include "delta_make.h"
#include "delta_runs.h"
#include "delta_split.h"

/* A layer that OLD lacks. */
struct new_layer {
    struct delta_split split;
    enum delta_form form;
};

struct old_part {
    struct digest digest;
    uint32_t layer; /* position in OLD */
    const struct delta_part *part;
};

struct making {
    const struct delta_making *how;
    struct delta delta;
    struct spool spool;                     /* what registries have */
    struct VEC_OF(struct delta_split) olds; /* that NEW lacks */
    struct VEC_OF(struct new_layer) news;
    struct VEC_OF(struct old_part) parts; /* of `olds`, by digest */
    size_t parts_n, pieces_n;             /* of both; of all layers before */
    struct delta_blocks *blocks;
    struct deflater *deflater;
    struct zstd_packer *zstd;
    struct fs_temp body; /* documents, frames and raw pieces, in their order */
    uint64_t body_size;
    struct hash hash;
};

/* The body's next bytes. */
int delta_body_add(struct making *m, struct str bytes, struct err *e) MUST_CHECK;
/* NEW's manifest and config, and the locks that travel with it. */
int delta_documents_add(struct making *m, struct err *e) MUST_CHECK;
