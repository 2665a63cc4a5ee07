/* look/elf_pass.h - an ELF file whose bytes pass once and in order, as out of a layer: what
 * elf_read() and fatbin_read() would have said of it.
 *
 * What they need lies anywhere in a file, so some parts are kept until it has passed, in a scratch
 * file that is written over by the next one: the beginning (symbol names and version needs), small
 * segments, the dynamic section, what that points at, and the end (section headers). A linker may
 * lay a file out such that a part has gone by when it turns out to matter. Where that is the names
 * of sections (seen in unstripped files), none are listed, and all device code counts as embedded;
 * else it is an error, and nothing is guessed.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/fd.h"
#include "fatbin.h"

struct pass_range {
    uint64_t from, to;
};
struct pass_ranges VEC_OF(struct pass_range);

struct elf_pass {
    struct sink sink;
    struct blob_reader reader;
    int scratch; /* descriptor of a file that nobody else uses meanwhile; borrowed */
    uint64_t at; /* bytes that have passed */
    struct pass_ranges wanted, kept;
    bool no_sections;         /* the file is read as if it had none */
    unsigned step;            /* how much of the file's plan is known */
    struct fatbin_scan *scan; /* owned; NULL: nobody asks for device code */
    struct fatbin_spots spots;
    struct fatbin_list code;
};

/* The file has `size` bytes. Without `code` its device code is not looked for. `what` is borrowed
 * until the end. */
void elf_pass_begin(struct elf_pass *p, int scratch, uint64_t size, bool code, const char *what);
/* After the last byte. ERR_INPUT for a damaged file and for one whose parts came in another order;
 * ERR_SYSTEM when the scratch file fails. */
int elf_pass_end(struct elf_pass *p, struct elf *elf, struct fatbin_list *code,
                 struct err *e) MUST_CHECK;
void elf_pass_clear(struct elf_pass *p);
