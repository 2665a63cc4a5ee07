/* pkg/elf/elf.h - what a program or library in ELF form says about itself: gABI 4.1 (chapters 4 and
 * 5), the LSB core specification's symbol versioning for version needs and definitions.
 *
 * Names and versions are taken the loader's way, through the program headers, so a file without
 * section headers has them too. Sections are listed where there are any. Nothing is held but what
 * is returned and one table at a time.
 *
 * Facts lie anywhere in a file (the dynamic section of a CUDA library comes behind gigabytes of
 * device code, its strings before), so elf_read() wants a blob_reader, not a source. Where a file
 * comes once and in order, such as out of a layer, elf_pass.h says the same.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/arena.h"
#include "../../base/vec.h"
#include "../../io/blob_reader.h"

enum { ELF_MACHINE_X86_64 = 62, ELF_MACHINE_AARCH64 = 183, ELF_MACHINE_CUDA = 190 };

struct elf_section {
    struct str name;
    uint64_t offset, size; /* where its bytes lie in the file */
    bool empty;            /* it takes room in memory only (SHT_NOBITS) */
};

/* "GLIBC_2.17 of libc.so.6 must be there". */
struct elf_need {
    struct str library, version;
    bool weak; /* the loader only warns when it is not */
};

struct elf {
    struct arena arena;     /* owns every text below */
    unsigned bits;          /* 32 or 64 */
    bool little;            /* low byte first */
    uint16_t type, machine; /* e_type, e_machine */
    bool dynamic;           /* it has a dynamic section; else nothing below but sections is set */
    struct str interpreter; /* of a program: "/lib64/ld-linux-x86-64.so.2" */
    struct str soname, rpath, runpath; /* empty when it has none */
    struct strs needed;                /* as the loader would load them */
    struct VEC_OF(struct elf_need) needs;
    struct strs defines; /* versions that it defines; the first is its own name */
    struct VEC_OF(
        struct elf_section) sections; /* in their order, without the first, which is none */
};

/* True when the bytes begin as an ELF file does; four are enough. */
bool elf_is(struct str head);

/* ERR_INPUT naming what is wrong for a file that is damaged or that goes beyond what is sane: 1170
 * program headers, 65536 sections, dynamic entries, versions; 4096 bytes a name; 4 MiB of names and
 * 4 times the file's size. So n bytes cost n log n. Of files that are not 64-bit with the low byte
 * first only bits, little, type and machine are read. A file of debug symbols, whose dynamic
 * section was emptied, reads as not dynamic. */
int elf_read(struct elf *out, struct blob_reader *in, struct err *e) MUST_CHECK;
/* The same of a file whose section headers are damaged or lost: what the loader sees. */
int elf_read_loaded(struct elf *out, struct blob_reader *in, struct err *e) MUST_CHECK;
void elf_clear(struct elf *elf);

/* The first section of that name; NULL when there is none. */
const struct elf_section *elf_section(const struct elf *elf, struct str name);
