/* SPDX-License-Identifier: Apache-2.0 */
#include "elf.h"

#include <elf.h>

enum {
    SEGMENTS_MAX = 4096,
    SECTIONS_MAX = 65536,
    DYNAMIC_MAX = 65536, /* entries */
    VERSIONS_MAX = 65536,
    NAME_MAX_BYTES = 4096,
    NAMES_MAX = 4 << 20, /* bytes of the section names' table */
    TEXTS_MAX = 4 << 20, /* bytes of all names that are kept */
    PATH_BYTES = 256,    /* most strings are shorter; read so many first */
};

struct reader {
    struct blob_reader *in;
    struct elf *elf;
    struct VEC_OF(Elf64_Phdr) segments;
    uint64_t strings, strings_size; /* place of the dynamic strings in the file */
    size_t kept;                    /* bytes of names so far */
};

static int damaged(struct reader *r, const char *why, struct err *e)
{
    return err_set(e, ERR_INPUT, "%s: damaged ELF file: %s", r->in->what, why);
}

bool elf_is(struct str head)
{
    return head.len >= SELFMAG && memcmp(head.p, ELFMAG, SELFMAG) == 0;
}

const struct elf_section *elf_section(const struct elf *elf, struct str name)
{
    const struct elf_section *s;

    vec_each(s, &elf->sections)
        if (str_eq(s->name, name))
            return s;
    return NULL;
}

void elf_clear(struct elf *elf)
{
    vec_clear(&elf->needed);
    vec_clear(&elf->needs);
    vec_clear(&elf->defines);
    vec_clear(&elf->sections);
    arena_clear(&elf->arena);
    *elf = (struct elf){0};
}

static int keep_text(struct str *out, struct reader *r, struct str text, struct err *e)
{
    r->kept += text.len + 1;
    if (r->kept > TEXTS_MAX) /* many may point at one long name */
        return damaged(r, "too many names", e);
    *out = arena_str(&r->elf->arena, text);
    return 0;
}

/* A text that ends in NUL, at most `limit` bytes with it. */
static int read_text(struct str *out, struct reader *r, uint64_t offset, uint64_t limit,
                     struct err *e)
{
    char text[NAME_MAX_BYTES];
    size_t want = limit < sizeof text ? (size_t)limit : sizeof text;
    size_t have = 0;

    while (have < want) {
        size_t more = have ? want - have : want < PATH_BYTES ? want : PATH_BYTES;
        const char *end;

        if (blob_reader_read(r->in, text + have, more, offset + have, e) < 0)
            return -1;
        have += more;
        end = memchr(text, 0, have);
        if (end)
            return keep_text(out, r, (struct str){text, (size_t)(end - text)}, e);
    }
    return damaged(r, "a name does not end", e);
}

static int dynamic_text(struct str *out, struct reader *r, uint64_t index, struct err *e)
{
    if (index >= r->strings_size)
        return damaged(r, "a name lies outside the dynamic strings", e);
    return read_text(out, r, r->strings + index, r->strings_size - index, e);
}

/* Where the bytes of a memory address lie in the file, and how many follow there. */
static int place_of(uint64_t *offset, uint64_t *left, struct reader *r, uint64_t address,
                    struct err *e)
{
    const Elf64_Phdr *p;

    vec_each(p, &r->segments) {
        if (p->p_type != PT_LOAD || address < p->p_vaddr || address - p->p_vaddr >= p->p_filesz)
            continue;
        if (!blob_reader_has(r->in, p->p_offset, p->p_filesz))
            return damaged(r, "a segment lies outside the file", e);
        *offset = p->p_offset + (address - p->p_vaddr);
        *left = p->p_filesz - (address - p->p_vaddr);
        return 0;
    }
    return damaged(r, "an address lies in no segment", e);
}

static int read_segments(struct reader *r, const Elf64_Ehdr *head, struct err *e)
{
    if (!head->e_phnum)
        return 0;
    if (head->e_phentsize != sizeof(Elf64_Phdr))
        return damaged(r, "program headers of an unknown size", e);
    if (head->e_phnum > SEGMENTS_MAX)
        return damaged(r, "too many program headers", e);
    if (!blob_reader_has(r->in, head->e_phoff, head->e_phnum * sizeof(Elf64_Phdr)))
        return damaged(r, "program headers outside the file", e);
    for (unsigned i = 0; i < head->e_phnum; i++) {
        Elf64_Phdr p;

        if (blob_reader_read(r->in, &p, sizeof p, head->e_phoff + i * sizeof p, e) < 0)
            return -1;
        vec_add(&r->segments, p);
    }
    return 0;
}

static const Elf64_Phdr *segment(const struct reader *r, uint32_t type)
{
    const Elf64_Phdr *p;

    vec_each(p, &r->segments)
        if (p->p_type == type)
            return p;
    return NULL;
}

static int read_section_header(Elf64_Shdr *out, struct reader *r, const Elf64_Ehdr *head,
                               uint64_t index, struct err *e)
{
    if (!blob_reader_has(r->in, head->e_shoff, (index + 1) * sizeof *out))
        return damaged(r, "section headers outside the file", e);
    return blob_reader_read(r->in, out, sizeof *out, head->e_shoff + index * sizeof *out, e);
}

static int name_section(struct elf_section *s, struct reader *r, struct str names, uint32_t index,
                        struct err *e)
{
    const char *end = index < names.len ? memchr(names.p + index, 0, names.len - index) : NULL;

    if (!end || end - (names.p + index) >= NAME_MAX_BYTES)
        return damaged(r, "a section's name does not end", e);
    return keep_text(&s->name, r, (struct str){names.p + index, (size_t)(end - (names.p + index))},
                     e);
}

static int read_sections(struct reader *r, const Elf64_Ehdr *head, struct err *e)
{
    CLEANUP(buf_clear) struct buf names = {0};
    Elf64_Shdr first, header;
    uint64_t count = head->e_shnum;
    uint32_t names_index = head->e_shstrndx;

    if (!head->e_shoff)
        return 0;
    if (head->e_shentsize != sizeof header)
        return damaged(r, "section headers of an unknown size", e);
    if (read_section_header(&first, r, head, 0, e) < 0)
        return -1;
    if (!count) /* numbers too large for the file header stand in the first section header */
        count = first.sh_size;
    if (names_index == SHN_XINDEX)
        names_index = first.sh_link;
    if (count > SECTIONS_MAX)
        return damaged(r, "too many sections", e);
    if (!names_index)
        return 0; /* nothing to find them by */
    if (names_index >= count)
        return damaged(r, "the section names lie in no section", e);
    if (read_section_header(&header, r, head, names_index, e) < 0)
        return -1;
    if (header.sh_size > NAMES_MAX || !blob_reader_has(r->in, header.sh_offset, header.sh_size))
        return damaged(r, "the section names lie outside the file", e);
    if (header.sh_size && blob_reader_read(r->in, buf_room(&names, header.sh_size), header.sh_size,
                                           header.sh_offset, e) < 0)
        return -1;
    names.len = header.sh_size;
    for (uint64_t i = 1; i < count; i++) {
        struct elf_section *s;

        if (read_section_header(&header, r, head, i, e) < 0)
            return -1;
        s = vec_push(&r->elf->sections);
        s->offset = header.sh_offset;
        s->size = header.sh_size;
        s->empty = header.sh_type == SHT_NOBITS || header.sh_type == SHT_NULL;
        if (name_section(s, r, buf_view(&names), header.sh_name, e) < 0)
            return -1;
        if (!s->empty && !blob_reader_has(r->in, s->offset, s->size))
            return damaged(r, "a section lies outside the file", e);
    }
    return 0;
}

/* DT_VERNEED: libraries, each with the versions that are wanted of it. */
static int read_needs(struct reader *r, uint64_t address, uint64_t count, struct err *e)
{
    uint64_t at, left;

    if (count > VERSIONS_MAX)
        return damaged(r, "too many version needs", e);
    if (place_of(&at, &left, r, address, e) < 0)
        return -1;
    for (uint64_t i = 0; i < count; i++) {
        Elf64_Verneed need;
        struct str library;
        uint64_t aux_at;

        if (left < sizeof need)
            return damaged(r, "version needs outside their segment", e);
        if (blob_reader_read(r->in, &need, sizeof need, at, e) < 0 ||
            dynamic_text(&library, r, need.vn_file, e) < 0)
            return -1;
        aux_at = need.vn_aux;
        for (unsigned j = 0; j < need.vn_cnt; j++) {
            Elf64_Vernaux aux;
            struct elf_need *n;

            if (aux_at > left || left - aux_at < sizeof aux)
                return damaged(r, "version needs outside their segment", e);
            if (r->elf->needs.n >= VERSIONS_MAX)
                return damaged(r, "too many version needs", e);
            n = vec_push(&r->elf->needs);
            n->library = library;
            if (blob_reader_read(r->in, &aux, sizeof aux, at + aux_at, e) < 0 ||
                dynamic_text(&n->version, r, aux.vna_name, e) < 0)
                return -1;
            n->weak = aux.vna_flags & VER_FLG_WEAK;
            if (!aux.vna_next)
                break;
            aux_at += aux.vna_next;
        }
        if (!need.vn_next)
            break;
        if (need.vn_next > left)
            return damaged(r, "version needs outside their segment", e);
        at += need.vn_next;
        left -= need.vn_next;
    }
    return 0;
}

/* DT_VERDEF: each definition's first name; the others are its parents, defined on their own. */
static int read_defines(struct reader *r, uint64_t address, uint64_t count, struct err *e)
{
    uint64_t at, left;

    if (count > VERSIONS_MAX)
        return damaged(r, "too many version definitions", e);
    if (place_of(&at, &left, r, address, e) < 0)
        return -1;
    for (uint64_t i = 0; i < count; i++) {
        Elf64_Verdef def;
        Elf64_Verdaux aux;
        struct str name;

        if (left < sizeof def)
            return damaged(r, "version definitions outside their segment", e);
        if (blob_reader_read(r->in, &def, sizeof def, at, e) < 0)
            return -1;
        if (def.vd_aux > left || left - def.vd_aux < sizeof aux)
            return damaged(r, "version definitions outside their segment", e);
        if (blob_reader_read(r->in, &aux, sizeof aux, at + def.vd_aux, e) < 0 ||
            dynamic_text(&name, r, aux.vda_name, e) < 0)
            return -1;
        vec_add(&r->elf->defines, name);
        if (!def.vd_next)
            break;
        if (def.vd_next > left)
            return damaged(r, "version definitions outside their segment", e);
        at += def.vd_next;
        left -= def.vd_next;
    }
    return 0;
}

/* What of the dynamic section matters here; 0 where there is none. */
struct dynamic {
    struct VEC_OF(uint64_t) needed;
    uint64_t strings, strings_size, soname, rpath, runpath, needs, needs_n, defines, defines_n;
    bool has_soname, has_rpath, has_runpath, ended;
};

static void dynamic_clear(struct dynamic *d)
{
    vec_clear(&d->needed);
}

static void dynamic_entry(struct dynamic *d, const Elf64_Dyn *entry)
{
    uint64_t value = entry->d_un.d_val;

    switch (entry->d_tag) {
    case DT_NULL:
        d->ended = true;
        break;
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

static int collect_dynamic(struct dynamic *d, struct reader *r, const Elf64_Phdr *p, struct err *e)
{
    for (uint64_t i = 0; !d->ended && i < p->p_filesz / sizeof(Elf64_Dyn); i++) {
        Elf64_Dyn entry;

        if (i >= DYNAMIC_MAX)
            return damaged(r, "too many dynamic entries", e);
        if (blob_reader_read(r->in, &entry, sizeof entry, p->p_offset + i * sizeof entry, e) < 0)
            return -1;
        dynamic_entry(d, &entry);
    }
    return 0;
}

static int read_dynamic(struct reader *r, const Elf64_Phdr *p, struct err *e)
{
    CLEANUP(dynamic_clear) struct dynamic d = {0};
    struct elf *elf = r->elf;
    uint64_t left;

    if (!blob_reader_has(r->in, p->p_offset, p->p_filesz))
        return damaged(r, "the dynamic section lies outside the file", e);
    if (collect_dynamic(&d, r, p, e) < 0)
        return -1;
    elf->dynamic = true;
    if (!d.strings)
        return d.needed.n || d.has_soname ? damaged(r, "there are no dynamic strings", e) : 0;
    if (place_of(&r->strings, &left, r, d.strings, e) < 0)
        return -1;
    if (d.strings_size > left)
        return damaged(r, "the dynamic strings lie outside their segment", e);
    r->strings_size = d.strings_size;
    for (size_t i = 0; i < d.needed.n; i++) {
        struct str name;

        if (dynamic_text(&name, r, d.needed.v[i], e) < 0)
            return -1;
        vec_add(&elf->needed, name);
    }
    if ((d.has_soname && dynamic_text(&elf->soname, r, d.soname, e) < 0) ||
        (d.has_rpath && dynamic_text(&elf->rpath, r, d.rpath, e) < 0) ||
        (d.has_runpath && dynamic_text(&elf->runpath, r, d.runpath, e) < 0))
        return -1;
    if (d.needs && d.needs_n && read_needs(r, d.needs, d.needs_n, e) < 0)
        return -1;
    if (d.defines && d.defines_n && read_defines(r, d.defines, d.defines_n, e) < 0)
        return -1;
    return 0;
}

static int read_elf64(struct reader *r, struct err *e)
{
    Elf64_Ehdr head;
    const Elf64_Phdr *p;
    const struct elf_section *s;

    if (blob_reader_read(r->in, &head, sizeof head, 0, e) < 0)
        return -1;
    if (read_segments(r, &head, e) < 0 || read_sections(r, &head, e) < 0)
        return -1;
    s = elf_section(r->elf, STR(".dynamic"));
    if (s && s->empty)
        return 0;
    p = segment(r, PT_INTERP);
    if (p && read_text(&r->elf->interpreter, r, p->p_offset, p->p_filesz, e) < 0)
        return -1;
    p = segment(r, PT_DYNAMIC);
    return p ? read_dynamic(r, p, e) : 0;
}

static void reader_clear(struct reader *r)
{
    vec_clear(&r->segments);
}

int elf_read(struct elf *out, struct blob_reader *in, struct err *e)
{
    CLEANUP(elf_clear) struct elf elf = {0};
    CLEANUP(reader_clear) struct reader r = {.in = in, .elf = &elf};
    unsigned char head[20]; /* identity, type and machine: the same in both classes */
    bool little;

    if (!blob_reader_has(in, 0, sizeof head))
        return err_set(e, ERR_INPUT, "%s: no ELF file", in->what);
    if (blob_reader_read(in, head, sizeof head, 0, e) < 0)
        return -1;
    if (!elf_is((struct str){(const char *)head, sizeof head}))
        return err_set(e, ERR_INPUT, "%s: no ELF file", in->what);
    if ((head[EI_CLASS] != ELFCLASS32 && head[EI_CLASS] != ELFCLASS64) ||
        (head[EI_DATA] != ELFDATA2LSB && head[EI_DATA] != ELFDATA2MSB))
        return damaged(&r, "neither 32 nor 64 bits, or no byte order", e);
    little = head[EI_DATA] == ELFDATA2LSB;
    elf.bits = head[EI_CLASS] == ELFCLASS64 ? 64 : 32;
    elf.little = little;
    elf.type = (uint16_t)(head[16 + !little] | head[16 + little] << 8);
    elf.machine = (uint16_t)(head[18 + !little] | head[18 + little] << 8);
    if (elf.bits == 64 && little && read_elf64(&r, e) < 0)
        return -1;
    MOVE(out, &elf);
    return 0;
}
