/* out/delta_runs.h - which plain bytes of OLD stand in a piece of NEW's tar.
 *
 * A tar is made of blocks of 512 bytes, so those of OLD are found by their hash wherever they went;
 * a run grows from a block to both sides as far as the bytes are the same. What is left is packed
 * near the bytes of OLD that would come next.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../io/source.h"
#include "../io/zstd.h"
#include "delta.h"

/* Plain bytes of OLD that runs may be taken from, in a scratch file. */
struct delta_blocks; /* opaque */
struct delta_blocks *delta_blocks_open(const char *dir);
void delta_blocks_clear(struct delta_blocks **b);
/* The next `size` bytes of the tar of OLD's layer, of which they begin at `at`. Those that continue
 * what was added last are one region with it. */
int delta_blocks_add(struct delta_blocks *b, uint32_t layer, uint64_t at, struct source *from,
                     uint64_t size, struct err *e) MUST_CHECK;

/* Where in OLD a reader of NEW's tar is. All-zero: nowhere. */
struct delta_cursor {
    bool known;
    uint64_t at; /* in the scratch file */
};
/* To the begin of the `i`th layer that was added, or the last. */
struct delta_cursor delta_cursor_at(const struct delta_blocks *b, uint32_t layer);

/* Tell `bytes`, which begin at `at` of NEW's tar, by runs: piece->plain, literal, packed, run and
 * near; what is literal is appended to `frames` as one frame. */
int delta_runs_find(struct delta_piece *piece, struct delta_runs *runs, struct buf *frames,
                    const struct delta_blocks *b, struct delta_cursor *cursor, struct str bytes,
                    uint64_t at, struct zstd_packer *z, struct err *e) MUST_CHECK;
