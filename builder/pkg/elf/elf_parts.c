/* SPDX-License-Identifier: Apache-2.0 */
#include "elf_parts.h"

enum { NAME_FIRST = 256 }; /* bytes; most names are shorter */

int elf_damaged(const struct blob_reader *in, const char *why, struct err *e)
{
    return err_set(e, ERR_INPUT, "%s: damaged ELF file: %s", in->what, why);
}

bool elf_is_read(const Elf64_Ehdr *head)
{
    return memcmp(head->e_ident, ELFMAG, SELFMAG) == 0 && head->e_ident[EI_CLASS] == ELFCLASS64 &&
           head->e_ident[EI_DATA] == ELFDATA2LSB;
}

/* ---- segments ---- */

void elf_segments_clear(struct elf_segments *s)
{
    vec_clear(&s->all);
    vec_clear(&s->loads);
}

static int order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_address(const void *a, const void *b)
{
    const Elf64_Phdr *x = a, *y = b;
    int by = order(x->p_vaddr, y->p_vaddr);

    if (!by)
        by = order(x->p_filesz, y->p_filesz);
    return by ? by : order(x->p_offset, y->p_offset);
}

int elf_segments_read(struct elf_segments *out, struct blob_reader *in, const Elf64_Ehdr *head,
                      struct err *e)
{
    CLEANUP(elf_segments_clear) struct elf_segments s = {0};
    size_t size = head->e_phnum * sizeof(Elf64_Phdr);
    const Elf64_Phdr *p;

    if (head->e_phnum && head->e_phentsize != sizeof(Elf64_Phdr))
        return elf_damaged(in, "program headers of an unknown size", e);
    if (head->e_phnum > ELF_SEGMENTS_MAX)
        return elf_damaged(in, "too many program headers", e);
    if (head->e_phnum && !blob_reader_has(in, head->e_phoff, size))
        return elf_damaged(in, "program headers outside the file", e);
    for (unsigned i = 0; i < head->e_phnum; i++)
        (void)vec_push(&s.all);
    if (size && blob_reader_read(in, s.all.v, size, head->e_phoff, e) < 0)
        return -1;
    vec_each(p, &s.all)
        if (p->p_type == PT_LOAD && p->p_filesz)
            vec_add(&s.loads, *p);
    vec_sort(&s.loads, by_address);
    MOVE(out, &s);
    return 0;
}

const Elf64_Phdr *elf_segment(const struct elf_segments *s, uint32_t type)
{
    const Elf64_Phdr *p;

    vec_each(p, &s->all)
        if (p->p_type == type)
            return p;
    return NULL;
}

int elf_address(uint64_t *offset, uint64_t *left, const struct elf_segments *s,
                const struct blob_reader *in, uint64_t address, struct err *e)
{
    size_t from = 0, to = s->loads.n; /* the last that begins at or below it is in [from - 1, to) */

    while (from < to) {
        size_t middle = from + (to - from) / 2;

        if (s->loads.v[middle].p_vaddr <= address)
            from = middle + 1;
        else
            to = middle;
    }
    const Elf64_Phdr *p = from ? &s->loads.v[from - 1] : NULL;
    if (!p || address - p->p_vaddr >= p->p_filesz)
        return elf_damaged(in, "an address lies in no segment", e);
    if (!blob_reader_has(in, p->p_offset, p->p_filesz))
        return elf_damaged(in, "a segment lies outside the file", e);
    *offset = p->p_offset + (address - p->p_vaddr);
    *left = p->p_filesz - (address - p->p_vaddr);
    return 0;
}

/* ---- the dynamic section ---- */

void elf_dynamic_clear(struct elf_dynamic *d)
{
    vec_clear(&d->needed);
}

static void take_entry(struct elf_dynamic *d, const Elf64_Dyn *entry)
{
    uint64_t value = entry->d_un.d_val;

    switch (entry->d_tag) {
    case DT_NEEDED:
        vec_add(&d->needed, value);
        break;
    case DT_STRTAB:
        d->strings = value;
        break;
    case DT_STRSZ:
        d->strings_size = value;
        break;
    case DT_SONAME:
        d->soname = value, d->has_soname = true;
        break;
    case DT_RPATH:
        d->rpath = value, d->has_rpath = true;
        break;
    case DT_RUNPATH:
        d->runpath = value, d->has_runpath = true;
        break;
    case DT_VERNEED:
        d->needs = value;
        break;
    case DT_VERNEEDNUM:
        d->needs_n = value;
        break;
    case DT_VERDEF:
        d->defines = value;
        break;
    case DT_VERDEFNUM:
        d->defines_n = value;
        break;
    default:
        break; /* hundreds of tags say nothing about what must be there */
    }
}

uint64_t elf_dynamic_size(const Elf64_Phdr *p)
{
    uint64_t entries = p->p_filesz / sizeof(Elf64_Dyn);

    return (entries < ELF_DYNAMIC_MAX ? entries : ELF_DYNAMIC_MAX) * sizeof(Elf64_Dyn);
}

int elf_dynamic_read(struct elf_dynamic *out, struct blob_reader *in, const Elf64_Phdr *p,
                     struct err *e)
{
    CLEANUP(elf_dynamic_clear) struct elf_dynamic d = {0};
    size_t size = elf_dynamic_size(p), n = size / sizeof(Elf64_Dyn), i = 0;
    CLEANUP(free_clear) Elf64_Dyn *entries = xmalloc(size + 1);

    if (!blob_reader_has(in, p->p_offset, p->p_filesz))
        return elf_damaged(in, "the dynamic section lies outside the file", e);
    if (blob_reader_read(in, entries, size, p->p_offset, e) < 0)
        return -1;
    for (; i < n && entries[i].d_tag != DT_NULL; i++)
        take_entry(&d, &entries[i]);
    if (i == ELF_DYNAMIC_MAX)
        return elf_damaged(in, "too many dynamic entries", e);
    MOVE(out, &d);
    return 0;
}

/* ---- names ---- */

int elf_name(struct str *out, char room[ELF_NAME_ROOM], struct blob_reader *in, uint64_t offset,
             uint64_t limit, struct err *e)
{
    size_t want = limit < ELF_NAME_ROOM ? (size_t)limit : ELF_NAME_ROOM;
    size_t have = 0;

    while (have < want) {
        size_t more = have ? want - have : want < NAME_FIRST ? want : NAME_FIRST;
        const char *end;

        if (blob_reader_read(in, room + have, more, offset + have, e) < 0)
            return -1;
        have += more;
        end = memchr(room, 0, have);
        if (end) {
            *out = (struct str){room, (size_t)(end - room)};
            return 0;
        }
    }
    return elf_damaged(in, "a name does not end", e);
}
