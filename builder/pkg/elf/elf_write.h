/* pkg/elf/elf_write.h - the structures of a 64-bit ELF file as bytes, low byte first, whatever
 * machine writes them: gABI 4.1, chapters 4 and 5. Where they lie is the caller's matter. Each
 * appends to *out.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <elf.h>

#include "../../base/buf.h"

/* e_ident, e_version and the sizes of headers are those of such a file, whatever `head` says. */
void elf_put_head(struct buf *out, const Elf64_Ehdr *head);
void elf_put_segment(struct buf *out, const Elf64_Phdr *segment);
void elf_put_section(struct buf *out, const Elf64_Shdr *section);
void elf_put_symbol(struct buf *out, const Elf64_Sym *symbol);
void elf_put_dynamic(struct buf *out, uint64_t tag, uint64_t value);
/* DT_HASH of symbols numbered from 1, with as many buckets as names; at least one. */
void elf_put_hash(struct buf *out, const struct str *names, uint32_t n);
