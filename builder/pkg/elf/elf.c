/* SPDX-License-Identifier: Apache-2.0 */
#include "elf.h"

#include "elf_parts.h"

enum {
    SECTIONS_MAX = 65536,
    VERSIONS_MAX = 65536, /* records of needs, and of definitions */
    NAMES_MAX = 4 << 20,  /* bytes of the section names' table */
    TEXTS_MAX = 4 << 20,  /* bytes of all names that are kept */
    TEXTS_RATIO = 4,      /* and not more than so many times the file's size */
};

struct reader {
    struct blob_reader *in;
    struct elf *elf;
    struct elf_segments segments;
    uint64_t strings, strings_size; /* place of the dynamic strings in the file */
    size_t kept;                    /* bytes of names so far */
    uint64_t records;               /* versions so far */
};

static int damaged(struct reader *r, const char *why, struct err *e)
{
    return elf_damaged(r->in, why, e);
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

/* Many may point at one long name. */
static int keep_text(struct str *out, struct reader *r, struct str text, struct err *e)
{
    r->kept += text.len + 1;
    if (r->kept > TEXTS_MAX || r->kept / TEXTS_RATIO > r->in->size)
        return damaged(r, "too many names", e);
    *out = arena_str(&r->elf->arena, text);
    return 0;
}

static int read_text(struct str *out, struct reader *r, uint64_t offset, uint64_t limit,
                     struct err *e)
{
    char room[ELF_NAME_ROOM];
    struct str text;

    return elf_name(&text, room, r->in, offset, limit, e) < 0 ? -1 : keep_text(out, r, text, e);
}

static int dynamic_text(struct str *out, struct reader *r, uint64_t index, struct err *e)
{
    if (index >= r->strings_size)
        return damaged(r, "a name lies outside the dynamic strings", e);
    return read_text(out, r, r->strings + index, r->strings_size - index, e);
}

static int read_section_headers(Elf64_Shdr *out, uint64_t count, struct reader *r,
                                const Elf64_Ehdr *head, struct err *e)
{
    if (!blob_reader_has(r->in, head->e_shoff, count * sizeof *out))
        return damaged(r, "section headers outside the file", e);
    return blob_reader_read(r->in, out, count * sizeof *out, head->e_shoff, e);
}

static int name_section(struct elf_section *s, struct reader *r, struct str names, uint32_t index,
                        struct err *e)
{
    const char *end = index < names.len ? memchr(names.p + index, 0, names.len - index) : NULL;

    if (!end || end - (names.p + index) >= ELF_NAME_ROOM)
        return damaged(r, "a section's name does not end", e);
    return keep_text(&s->name, r, (struct str){names.p + index, (size_t)(end - (names.p + index))},
                     e);
}

static int read_sections(struct reader *r, const Elf64_Ehdr *head, struct err *e)
{
    CLEANUP(buf_clear) struct buf names = {0};
    CLEANUP(free_clear) Elf64_Shdr *headers = NULL;
    Elf64_Shdr first;
    const Elf64_Shdr *table;
    uint64_t count = head->e_shnum;
    uint32_t names_index = head->e_shstrndx;

    if (!head->e_shoff)
        return 0;
    if (head->e_shentsize != sizeof first)
        return damaged(r, "section headers of an unknown size", e);
    if (read_section_headers(&first, 1, r, head, e) < 0)
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
    headers = xmalloc(count * sizeof *headers);
    if (read_section_headers(headers, count, r, head, e) < 0)
        return -1;
    table = &headers[names_index];
    if (table->sh_size > NAMES_MAX || !blob_reader_has(r->in, table->sh_offset, table->sh_size))
        return damaged(r, "the section names lie outside the file", e);
    if (table->sh_size && blob_reader_read(r->in, buf_room(&names, table->sh_size), table->sh_size,
                                           table->sh_offset, e) < 0)
        return -1;
    names.len = table->sh_size;
    for (uint64_t i = 1; i < count; i++) {
        struct elf_section *s = vec_push(&r->elf->sections);

        s->offset = headers[i].sh_offset;
        s->size = headers[i].sh_size;
        s->empty = headers[i].sh_type == SHT_NOBITS || headers[i].sh_type == SHT_NULL;
        if (name_section(s, r, buf_view(&names), headers[i].sh_name, e) < 0)
            return -1;
        if (!s->empty && !blob_reader_has(r->in, s->offset, s->size))
            return damaged(r, "a section lies outside the file", e);
    }
    return 0;
}

/* Each record has bytes of its own in honest files, so a small file cannot have many. */
static int read_record(struct reader *r, void *to, size_t len, uint64_t offset, struct err *e)
{
    if (++r->records > VERSIONS_MAX || r->records > r->in->size / ELF_VERSION_RECORD)
        return damaged(r, "too many versions", e);
    return blob_reader_read(r->in, to, len, offset, e);
}

/* DT_VERNEED: libraries, each with the versions that are wanted of it. */
static int read_needs(struct reader *r, uint64_t address, uint64_t count, struct err *e)
{
    uint64_t at, left;

    if (elf_address(&at, &left, &r->segments, r->in, address, e) < 0)
        return -1;
    for (uint64_t i = 0; i < count; i++) {
        Elf64_Verneed need;
        struct str library;
        uint64_t aux_at;

        if (left < sizeof need)
            return damaged(r, "version needs outside their segment", e);
        if (read_record(r, &need, sizeof need, at, e) < 0 ||
            dynamic_text(&library, r, need.vn_file, e) < 0)
            return -1;
        aux_at = need.vn_aux;
        for (unsigned j = 0; j < need.vn_cnt; j++) {
            Elf64_Vernaux aux;
            struct elf_need *n;

            if (aux_at > left || left - aux_at < sizeof aux)
                return damaged(r, "version needs outside their segment", e);
            n = vec_push(&r->elf->needs);
            n->library = library;
            if (read_record(r, &aux, sizeof aux, at + aux_at, e) < 0 ||
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

    if (elf_address(&at, &left, &r->segments, r->in, address, e) < 0)
        return -1;
    for (uint64_t i = 0; i < count; i++) {
        Elf64_Verdef def;
        Elf64_Verdaux aux;
        struct str name;

        if (left < sizeof def)
            return damaged(r, "version definitions outside their segment", e);
        if (read_record(r, &def, sizeof def, at, e) < 0)
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

static int read_dynamic(struct reader *r, const Elf64_Phdr *p, struct err *e)
{
    CLEANUP(elf_dynamic_clear) struct elf_dynamic d = {0};
    struct elf *elf = r->elf;
    uint64_t left;

    if (elf_dynamic_read(&d, r->in, p, e) < 0)
        return -1;
    elf->dynamic = true;
    if (!d.strings)
        return d.needed.n || d.has_soname ? damaged(r, "there are no dynamic strings", e) : 0;
    if (elf_address(&r->strings, &left, &r->segments, r->in, d.strings, e) < 0)
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

static int read_elf64(struct reader *r, bool sections, struct err *e)
{
    Elf64_Ehdr head;
    const Elf64_Phdr *p;
    const struct elf_section *s;

    if (blob_reader_read(r->in, &head, sizeof head, 0, e) < 0 ||
        elf_segments_read(&r->segments, r->in, &head, e) < 0 ||
        (sections && read_sections(r, &head, e) < 0))
        return -1;
    s = elf_section(r->elf, STR(".dynamic"));
    if (s && s->empty)
        return 0;
    p = elf_segment(&r->segments, PT_INTERP);
    if (p && read_text(&r->elf->interpreter, r, p->p_offset, p->p_filesz, e) < 0)
        return -1;
    p = elf_segment(&r->segments, PT_DYNAMIC);
    return p ? read_dynamic(r, p, e) : 0;
}

static void reader_clear(struct reader *r)
{
    elf_segments_clear(&r->segments);
}

static int read_elf(struct elf *out, struct blob_reader *in, bool sections, struct err *e)
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
    if (elf.bits == 64 && little && read_elf64(&r, sections, e) < 0)
        return -1;
    MOVE(out, &elf);
    return 0;
}

int elf_read(struct elf *out, struct blob_reader *in, struct err *e)
{
    return read_elf(out, in, true, e);
}

int elf_read_loaded(struct elf *out, struct blob_reader *in, struct err *e)
{
    return read_elf(out, in, false, e);
}
