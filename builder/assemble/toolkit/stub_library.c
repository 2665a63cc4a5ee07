/* SPDX-License-Identifier: Apache-2.0 */
#include "stub_library.h"

#include <assert.h>

#include "../../pkg/elf/elf_write.h"

enum {
    PAGE = 4096,
    SEGMENTS = 4,
    HEADS = sizeof(Elf64_Ehdr) + SEGMENTS * sizeof(Elf64_Phdr),
    CODE_ALIGN = 16,
    CODE_RESULT = 6, /* bytes of the function that returns a number */
    CODE_TEXT = 8,   /* bytes of the function that returns a text; it comes CODE_ALIGN behind */
    DYNAMIC_ENTRIES = 7,
};

static const char sentence[] = "a stub to link programs with; at run time the NVIDIA driver's "
                               "library must be found in its place";

/* Sections in their order in the file; the numbers are those of the section headers. */
enum { NONE, HASH, SYMBOLS, STRINGS, CONSTANTS, CODE, DYNAMIC, SECTION_NAMES, SECTIONS };
static const struct section {
    const char *name;
    uint32_t type;
    uint64_t flags;
    uint32_t link, info; /* info of .dynsym: the first that is not local */
    uint64_t align, entry;
} sections[SECTIONS] = {
    [HASH] = {".hash", SHT_HASH, SHF_ALLOC, SYMBOLS, 0, 8, 4},
    [SYMBOLS] = {".dynsym", SHT_DYNSYM, SHF_ALLOC, STRINGS, 1, 8, sizeof(Elf64_Sym)},
    [STRINGS] = {".dynstr", SHT_STRTAB, SHF_ALLOC, 0, 0, 1, 0},
    [CONSTANTS] = {".rodata", SHT_PROGBITS, SHF_ALLOC, 0, 0, 1, 0},
    [CODE] = {".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0, 0, CODE_ALIGN, 0},
    [DYNAMIC] = {".dynamic", SHT_DYNAMIC, SHF_ALLOC | SHF_WRITE, STRINGS, 0, 8, sizeof(Elf64_Dyn)},
    [SECTION_NAMES] = {".shstrtab", SHT_STRTAB, 0, 0, 0, 1, 0},
};

/* Where each section lies. What is read only is mapped at its place in the file; the dynamic
 * section, which loaders write to, a page further on. */
struct layout {
    struct {
        uint64_t offset, address, size;
    } at[SECTIONS];
    uint64_t headers; /* offset of the section headers */
};

static uint64_t aligned(uint64_t size, uint64_t align)
{
    return (size + align - 1) & ~(align - 1);
}

static void lay_out(struct layout *l, struct str soname, const struct strs *names)
{
    uint64_t end = HEADS;

    l->at[HASH].size = 4 * (2 + names->n + names->n + 1);
    l->at[SYMBOLS].size = (names->n + 1) * sizeof(Elf64_Sym);
    l->at[STRINGS].size = 1 + soname.len + 1;
    for (size_t i = 0; i < names->n; i++)
        l->at[STRINGS].size += names->v[i].len + 1;
    l->at[CONSTANTS].size = sizeof sentence;
    l->at[CODE].size = CODE_ALIGN + CODE_TEXT;
    l->at[DYNAMIC].size = DYNAMIC_ENTRIES * sizeof(Elf64_Dyn);
    l->at[SECTION_NAMES].size = 1;
    for (size_t i = HASH; i < SECTIONS; i++)
        l->at[SECTION_NAMES].size += strlen(sections[i].name) + 1;
    for (size_t i = HASH; i < SECTIONS; i++) {
        l->at[i].offset = aligned(end, sections[i].align);
        end = l->at[i].offset + l->at[i].size;
        if (sections[i].flags & SHF_ALLOC)
            l->at[i].address = l->at[i].offset + (i == DYNAMIC ? PAGE : 0);
    }
    l->headers = aligned(end, 8);
}

static void pad(struct buf *out, uint64_t offset, char with)
{
    while (out->len < offset)
        buf_putc(out, with);
}

/* Up to the place of a section; the one before it must have come out as long as planned. */
static void begin(struct buf *out, const struct layout *l, size_t section)
{
    assert(section == HASH ? out->len == HEADS
                           : out->len == l->at[section - 1].offset + l->at[section - 1].size);
    pad(out, l->at[section].offset, 0);
}

static void put_segments(struct buf *out, const struct layout *l)
{
    uint64_t read_only = l->at[CODE].offset + l->at[CODE].size, size = l->at[DYNAMIC].size;
    uint64_t offset = l->at[DYNAMIC].offset, address = l->at[DYNAMIC].address;
    const Elf64_Phdr segments[SEGMENTS] = {
        {PT_LOAD, PF_R | PF_X, 0, 0, 0, read_only, read_only, PAGE},
        {PT_LOAD, PF_R | PF_W, offset, address, address, size, size, PAGE},
        {PT_DYNAMIC, PF_R | PF_W, offset, address, address, size, size, 8},
        {PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 0, CODE_ALIGN},
    };

    for (size_t i = 0; i < SEGMENTS; i++)
        elf_put_segment(out, &segments[i]);
}

static bool is_in(const struct strs *list, const struct str *name)
{
    return list && list->n && bsearch(name, list->v, list->n, sizeof *name, str_compare);
}

static void put_symbols(struct buf *out, const struct layout *l, const struct strs *names,
                        const struct strs *texts)
{
    Elf64_Sym symbol = {0};

    elf_put_symbol(out, &symbol); /* the first one is none */
    symbol.st_name = 1;
    symbol.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
    symbol.st_other = STV_DEFAULT;
    symbol.st_shndx = CODE;
    for (size_t i = 0; i < names->n; i++) {
        bool text = is_in(texts, &names->v[i]);

        symbol.st_value = l->at[CODE].address + (text ? CODE_ALIGN : 0);
        symbol.st_size = text ? CODE_TEXT : CODE_RESULT;
        elf_put_symbol(out, &symbol);
        symbol.st_name += (uint32_t)names->v[i].len + 1;
    }
}

/* The names of symbols in their order, then the SONAME. */
static void put_strings(struct buf *out, struct str soname, const struct strs *names)
{
    buf_putc(out, '\0');
    for (size_t i = 0; i < names->n; i++) {
        buf_str(out, names->v[i]);
        buf_putc(out, '\0');
    }
    buf_str(out, soname);
    buf_putc(out, '\0');
}

static void put_code(struct buf *out, const struct layout *l, int32_t result)
{
    uint64_t text = l->at[CODE].address + CODE_ALIGN;

    buf_number(out, 0xb8, 1); /* mov $result, %eax; ret */
    buf_number(out, (uint32_t)result, 4);
    buf_number(out, 0xc3, 1);
    pad(out, l->at[CODE].offset + CODE_ALIGN, (char)0xcc);
    buf_number(out, 0x058d48, 3); /* lea sentence(%rip), %rax; ret */
    buf_number(out, l->at[CONSTANTS].address - (text + 7), 4);
    buf_number(out, 0xc3, 1);
}

static void put_dynamic(struct buf *out, const struct layout *l, struct str soname)
{
    elf_put_dynamic(out, DT_SONAME, l->at[STRINGS].size - soname.len - 1);
    elf_put_dynamic(out, DT_HASH, l->at[HASH].address);
    elf_put_dynamic(out, DT_STRTAB, l->at[STRINGS].address);
    elf_put_dynamic(out, DT_SYMTAB, l->at[SYMBOLS].address);
    elf_put_dynamic(out, DT_STRSZ, l->at[STRINGS].size);
    elf_put_dynamic(out, DT_SYMENT, sizeof(Elf64_Sym));
    elf_put_dynamic(out, DT_NULL, 0);
}

static void put_section_names(struct buf *out)
{
    buf_putc(out, '\0');
    for (size_t i = HASH; i < SECTIONS; i++)
        buf_add(out, sections[i].name, strlen(sections[i].name) + 1);
}

static void put_section_headers(struct buf *out, const struct layout *l)
{
    uint32_t name = 1;

    elf_put_section(out, &(Elf64_Shdr){0});
    for (size_t i = HASH; i < SECTIONS; i++) {
        const struct section *s = &sections[i];

        elf_put_section(out, &(Elf64_Shdr){
                                 .sh_name = name,
                                 .sh_type = s->type,
                                 .sh_flags = s->flags,
                                 .sh_addr = l->at[i].address,
                                 .sh_offset = l->at[i].offset,
                                 .sh_size = l->at[i].size,
                                 .sh_link = s->link,
                                 .sh_info = s->info,
                                 .sh_addralign = s->align,
                                 .sh_entsize = s->entry,
                             });
        name += (uint32_t)strlen(s->name) + 1;
    }
}

static bool is_identifier(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!c_alnum(name.p[i]) && name.p[i] != '_')
            return false;
    return name.len && name.len <= STUB_NAME_MAX && !c_digit(name.p[0]);
}

static int check(struct str soname, const struct strs *names, struct err *e)
{
    if (!soname.len || soname.len > STUB_NAME_MAX || str_has(soname, '/') || str_has(soname, '\0'))
        return err_set(e, ERR_INPUT, "\"" STR_FMT "\" is not a name of a library", STR_ARG(soname));
    if (!names->n || names->n > STUB_SYMBOLS_MAX)
        return err_set(e, ERR_INPUT, STR_FMT ": a stub has 1 to %d functions, not %zu",
                       STR_ARG(soname), STUB_SYMBOLS_MAX, names->n);
    for (size_t i = 0; i < names->n; i++) {
        struct str name = names->v[i];
        if (!is_identifier(name))
            return err_set(e, ERR_INPUT, STR_FMT ": \"" STR_FMT "\" is not a name of a function",
                           STR_ARG(soname), STR_ARG(name));
        if (i && str_cmp(names->v[i - 1], name) >= 0)
            return err_set(e, ERR_INPUT, STR_FMT ": \"" STR_FMT "\" is there twice or out of order",
                           STR_ARG(soname), STR_ARG(name));
    }
    return 0;
}

int stub_library(struct buf *out, struct str soname, const struct strs *names,
                 const struct strs *texts, int32_t result, struct err *e)
{
    struct layout l = {0};

    if (check(soname, names, e) < 0)
        return -1;
    lay_out(&l, soname, names);
    buf_reset(out);
    elf_put_head(out, &(Elf64_Ehdr){
                          .e_type = ET_DYN,
                          .e_machine = EM_X86_64,
                          .e_phoff = sizeof(Elf64_Ehdr),
                          .e_shoff = l.headers,
                          .e_phnum = SEGMENTS,
                          .e_shnum = SECTIONS,
                          .e_shstrndx = SECTION_NAMES,
                      });
    put_segments(out, &l);
    begin(out, &l, HASH);
    elf_put_hash(out, names->v, (uint32_t)names->n);
    begin(out, &l, SYMBOLS);
    put_symbols(out, &l, names, texts);
    begin(out, &l, STRINGS);
    put_strings(out, soname, names);
    begin(out, &l, CONSTANTS);
    buf_add(out, sentence, sizeof sentence);
    begin(out, &l, CODE);
    put_code(out, &l, result);
    begin(out, &l, DYNAMIC);
    put_dynamic(out, &l, soname);
    begin(out, &l, SECTION_NAMES);
    put_section_names(out);
    pad(out, l.headers, 0);
    put_section_headers(out, &l);
    return 0;
}
