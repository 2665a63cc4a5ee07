/* SPDX-License-Identifier: Apache-2.0 */
#include "elf_write.h"

static void put_16(struct buf *out, uint16_t n)
{
    buf_number(out, n, sizeof n);
}

static void put_32(struct buf *out, uint32_t n)
{
    buf_number(out, n, sizeof n);
}

static void put_64(struct buf *out, uint64_t n)
{
    buf_number(out, n, sizeof n);
}

void elf_put_head(struct buf *out, const Elf64_Ehdr *head)
{
    static const unsigned char ident[EI_NIDENT] = {ELFMAG0,    ELFMAG1,     ELFMAG2,   ELFMAG3,
                                                   ELFCLASS64, ELFDATA2LSB, EV_CURRENT};

    buf_add(out, ident, sizeof ident);
    put_16(out, head->e_type);
    put_16(out, head->e_machine);
    put_32(out, EV_CURRENT);
    put_64(out, head->e_entry);
    put_64(out, head->e_phoff);
    put_64(out, head->e_shoff);
    put_32(out, head->e_flags);
    put_16(out, sizeof(Elf64_Ehdr));
    put_16(out, sizeof(Elf64_Phdr));
    put_16(out, head->e_phnum);
    put_16(out, sizeof(Elf64_Shdr));
    put_16(out, head->e_shnum);
    put_16(out, head->e_shstrndx);
}

void elf_put_segment(struct buf *out, const Elf64_Phdr *segment)
{
    put_32(out, segment->p_type);
    put_32(out, segment->p_flags);
    put_64(out, segment->p_offset);
    put_64(out, segment->p_vaddr);
    put_64(out, segment->p_paddr);
    put_64(out, segment->p_filesz);
    put_64(out, segment->p_memsz);
    put_64(out, segment->p_align);
}

void elf_put_section(struct buf *out, const Elf64_Shdr *section)
{
    put_32(out, section->sh_name);
    put_32(out, section->sh_type);
    put_64(out, section->sh_flags);
    put_64(out, section->sh_addr);
    put_64(out, section->sh_offset);
    put_64(out, section->sh_size);
    put_32(out, section->sh_link);
    put_32(out, section->sh_info);
    put_64(out, section->sh_addralign);
    put_64(out, section->sh_entsize);
}

void elf_put_symbol(struct buf *out, const Elf64_Sym *symbol)
{
    put_32(out, symbol->st_name);
    buf_putc(out, (char)symbol->st_info);
    buf_putc(out, (char)symbol->st_other);
    put_16(out, symbol->st_shndx);
    put_64(out, symbol->st_value);
    put_64(out, symbol->st_size);
}

void elf_put_dynamic(struct buf *out, uint64_t tag, uint64_t value)
{
    put_64(out, tag);
    put_64(out, value);
}

/* gABI 4.1, figure 5-13. */
static uint32_t hash_of(struct str name)
{
    uint32_t h = 0;

    for (size_t i = 0; i < name.len; i++) {
        h = (h << 4) + (unsigned char)name.p[i];
        h ^= (h & 0xf0000000u) >> 24;
        h &= 0x0fffffffu;
    }
    return h;
}

void elf_put_hash(struct buf *out, const struct str *names, uint32_t n)
{
    CLEANUP(free_clear) uint32_t *buckets = xcalloc(n, sizeof *buckets);
    CLEANUP(free_clear) uint32_t *chains = xcalloc(n + 1, sizeof *chains);

    for (uint32_t i = n; i > 0; i--) {
        uint32_t *bucket = &buckets[hash_of(names[i - 1]) % n];

        chains[i] = *bucket;
        *bucket = i;
    }
    put_32(out, n);
    put_32(out, n + 1);
    for (uint32_t i = 0; i < n; i++)
        put_32(out, buckets[i]);
    for (uint32_t i = 0; i <= n; i++)
        put_32(out, chains[i]);
}
