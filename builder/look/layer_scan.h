/* look/layer_scan.h - what the files of one layer tell, noted as they pass, once and in order.
 *
 * Of every entry name, size and attributes are kept; of a program or library what pkg/elf/elf.h and
 * look/fatbin.h say of it; and the text of the few files that tell what else is in an image: whose
 * packages there are, which system, which PyTorch. Nothing is unpacked and nothing runs.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/arena.h"
#include "../io/tar_read.h"
#include "../pkg/elf/elf_pass.h"
#include "fatbin.h"

/* A program or library. */
struct scanned {
    struct elf elf; /* without its sections; all-zero when there is a fault */
    struct fatbin_list code;
    struct str fault; /* why it could not be read; empty: it was */
    struct str owner; /* whose package it is, where that is remembered with it (linkage.h) */
};

struct layer_scan_entry {
    struct entry entry; /* content.size only */
    bool special;       /* a device, a socket, a pipe */
    struct str text;    /* what was kept of a file */
    struct scanned *elf;
};

struct layer_scan {
    struct VEC_OF(struct layer_scan_entry) entries; /* in the layer's order */
    struct VEC_OF(struct scanned *) elfs;
    struct arena arena, elf_arena;
    /* Of the file that is passing: */
    struct sink sink;
    int scratch;
    size_t current; /* its position in entries */
    uint64_t at;
    char head[4];
    uint64_t text_max; /* bytes of it that are kept as text */
    bool is_elf;
    struct elf_pass pass;
    struct fatbin_scan *scan; /* owned; NULL: nobody asks for device code */
    struct fatbin_spots spots;
    struct fatbin_list found;
    struct buf text;
    struct buf what;
};

/* `scratch`: descriptor of a file that no other scan uses; borrowed. Without `code` device code
 * is not looked for. Where one pass cannot tell a file's sections, all of it counts as embedded. */
void layer_scan_open(struct layer_scan *g, int scratch, bool code);
void layer_scan_clear(struct layer_scan *g);
/* Forget the entries; what they say of programs stays. */
void layer_scan_drop_entries(struct layer_scan *g);

/* One more entry, all of it copied. For a file whose bytes matter *data is a sink for all of them,
 * in order, then layer_scan_end(); else it is NULL, and so it becomes when the first bytes tell
 * that nothing else matters: layer_scan_wants(). */
void layer_scan_begin(struct layer_scan *g, const struct entry *entry, bool special,
                      struct sink **data);
bool layer_scan_wants(const struct layer_scan *g);
int layer_scan_end(struct layer_scan *g, struct err *e) MUST_CHECK;

/* All of an entry, as tar_walk() and layer_read() hand it over. */
int layer_scan_take(void *scan, const struct tar_entry *entry, struct source *data,
                    struct err *e) MUST_CHECK;
