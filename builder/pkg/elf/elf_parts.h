/* pkg/elf/elf_parts.h - what the files elf*.c share; nobody else includes it: the parts of a 64-bit
 * ELF file, low byte first: headers, where addresses lie, the dynamic section, names. gABI 4.1,
 * chapters 4 and 5.
 *
 * What can fail says ERR_INPUT for a damaged file, or what the blob_reader says. Every part is read
 * once and has a limit, so n bytes cost n log n.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <elf.h>

#include "../../base/vec.h"
#include "../../io/blob_reader.h"

enum {
    ELF_SEGMENTS_MAX = 1170, /* program headers: 64 KiB, as many as Linux takes */
    ELF_DYNAMIC_MAX = 65536, /* entries of the dynamic section */
    ELF_NAME_ROOM = 4096,    /* bytes of a name with its NUL */
    ELF_VERSION_RECORD = sizeof(Elf64_Vernaux), /* the smallest */
};

int elf_damaged(const struct blob_reader *in, const char *why, struct err *e);

/* Is it the header of a file that is read in full? */
bool elf_is_read(const Elf64_Ehdr *head);

struct elf_segments {
    struct VEC_OF(Elf64_Phdr) all;   /* in the file's order */
    struct VEC_OF(Elf64_Phdr) loads; /* those that bring bytes into memory, by address */
};
int elf_segments_read(struct elf_segments *out, struct blob_reader *in, const Elf64_Ehdr *head,
                      struct err *e) MUST_CHECK;
void elf_segments_clear(struct elf_segments *s);
/* The first of its type; NULL when there is none. */
const Elf64_Phdr *elf_segment(const struct elf_segments *s, uint32_t type);

/* Where the byte of a memory address lies in the file, and how many of its segment are there from
 * it on. Segments do not overlap; where they do, the one that begins last counts. */
int elf_address(uint64_t *offset, uint64_t *left, const struct elf_segments *s,
                const struct blob_reader *in, uint64_t address, struct err *e) MUST_CHECK;

/* What of the dynamic section matters; 0 where there is none. Names are places among its strings,
 * the others addresses, sizes and counts. */
struct elf_dynamic {
    struct VEC_OF(uint64_t) needed;
    uint64_t strings, strings_size, soname, rpath, runpath, needs, needs_n, defines, defines_n;
    bool has_soname, has_rpath, has_runpath;
};
/* `p` is the PT_DYNAMIC. Of it elf_dynamic_size() bytes are read. */
int elf_dynamic_read(struct elf_dynamic *out, struct blob_reader *in, const Elf64_Phdr *p,
                     struct err *e) MUST_CHECK;
uint64_t elf_dynamic_size(const Elf64_Phdr *p);
void elf_dynamic_clear(struct elf_dynamic *d);

/* The name at `offset`, which ends in NUL within `limit` bytes. *out lies in `room`. */
int elf_name(struct str *out, char room[ELF_NAME_ROOM], struct blob_reader *in, uint64_t offset,
             uint64_t limit, struct err *e) MUST_CHECK;
