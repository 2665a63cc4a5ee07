/* pkg/elf/elf_pass.h - an ELF file whose bytes pass once and in order, as out of a layer: what
 * elf_read() would have said of it.
 *
 * What it needs lies anywhere in a file, so some parts are kept until it has passed, in a scratch
 * file that is written over by the next one: the beginning (symbol names and version needs), small
 * segments, the dynamic section, what that points at, and the end (section headers). A linker may
 * lay a file out such that a part has gone by when it turns out to matter. Where that is the names
 * of sections (seen in unstripped files), none are listed; else it is an error, and nothing is
 * guessed.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../io/sink.h"
#include "elf.h"

enum elf_step { ELF_STEP_HEAD, ELF_STEP_SEGMENTS, ELF_STEP_DYNAMIC, ELF_STEP_DONE };

struct elf_range {
    uint64_t from, to;
};
struct elf_ranges VEC_OF(struct elf_range);

struct elf_pass {
    struct sink sink;
    struct blob_reader reader; /* of what is kept */
    int scratch;               /* descriptor of a file that nobody else uses meanwhile; borrowed */
    uint64_t at;               /* bytes that have passed */
    uint64_t kept;             /* what is wanted below here is in the scratch file */
    struct elf_ranges wanted;  /* sorted, none touches another */
    enum elf_step step;        /* the next one: each tells what to keep for those after it */
    uint64_t ready;            /* it can be made once so many bytes have passed */
};

/* The file has `size` bytes. `what` is borrowed until the end. */
void elf_pass_begin(struct elf_pass *p, int scratch, uint64_t size, const char *what);
/* After the last byte. ERR_INPUT for a damaged file and for one whose parts came in another order;
 * ERR_SYSTEM when the scratch file fails. */
int elf_pass_end(struct elf_pass *p, struct elf *elf, struct err *e) MUST_CHECK;
void elf_pass_clear(struct elf_pass *p);
