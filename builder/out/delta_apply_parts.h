/* out/delta_apply_parts.h - what the files delta_apply*.c share; nobody else includes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../io/spool.h"
#include "delta_apply.h"

/* Plain bytes of OLD that runs want, and where they are kept. */
struct need {
    uint32_t layer;
    uint64_t at, size;
    struct content kept;
};

struct applying {
    const struct delta_applying *how;
    struct place *to;
    bool packed;                    /* blobs are made of blobs, else tars of tars */
    struct image_manifest manifest; /* NEW's */
    struct image_config config;
    struct buf manifest_text, config_text;
    struct buf own_manifest; /* what the place gets, where it is not NEW's */
    struct spool spool;
    struct VEC_OF(struct need) needs; /* by layer and place; they do not touch */
    _Atomic uint64_t read;
};

/* ERR_INPUT: it is none that `envbuild delta` made; it needs another image than this. */
int delta_lies(const struct applying *a, const char *what, struct err *e);
int delta_not_old(const struct delta *d, const struct stored *from, struct err *e);

/* NEW's manifest and config. */
int delta_read_new(struct applying *a, struct err *e) MUST_CHECK;
/* The locks that travel with NEW, into the place. */
int delta_put_locks(struct applying *a, struct err *e) MUST_CHECK;

/* What a layer needs of OLD is noted, then that of all is kept, then each can be made. */
void delta_needs_add(struct applying *a, const struct delta_layer *l);
int delta_needs_keep(struct applying *a, struct err *e) MUST_CHECK;
int delta_layer_make(struct applying *a, const struct delta_layer *l, struct sink *to,
                     struct err *e) MUST_CHECK;
