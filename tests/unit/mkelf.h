/* mkelf.h - a small 64-bit shared library, made by hand: every table at a place the test knows. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <elf.h>
#include "base/buf.h"
#include "base/str.h"

struct mkelf {
    const char *soname, *rpath, *runpath, *interpreter; /* NULL: none */
    const char *needed[4];
    const char *need_library, *need_versions[4]; /* the second one is weak */
    const char *other_library, *other_version;   /* one more need, if any */
    const char *defines[4];
    const char *section; /* a section of this name holds `content` */
    struct str content;
    bool no_sections, emptied; /* emptied: .dynamic takes no room, as in a file of debug symbols */
};

enum { MKELF_BASE = 0x400000, MKELF_HEADS = sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr) };

static inline uint32_t mkelf_string(struct buf *strings, const char *s)
{
    uint32_t at = (uint32_t)strings->len;

    buf_add(strings, s, strlen(s) + 1);
    return at;
}

static inline void mkelf_dyn(struct buf *out, Elf64_Sxword tag, uint64_t value)
{
    Elf64_Dyn d = {.d_tag = tag, .d_un = {value}};

    buf_add(out, &d, sizeof d);
}

static inline void mkelf_needs(struct buf *out, const struct mkelf *m, struct buf *strings)
{
    Elf64_Verneed need = {.vn_version = 1, .vn_aux = sizeof need};

    while (need.vn_cnt < 4 && m->need_versions[need.vn_cnt])
        need.vn_cnt++;
    need.vn_file = mkelf_string(strings, m->need_library);
    if (m->other_library)
        need.vn_next = (uint32_t)(sizeof need + need.vn_cnt * sizeof(Elf64_Vernaux));
    buf_add(out, &need, sizeof need);
    for (unsigned i = 0; i < need.vn_cnt; i++) {
        Elf64_Vernaux aux = {.vna_flags = i == 1 ? VER_FLG_WEAK : 0,
                             .vna_name = mkelf_string(strings, m->need_versions[i]),
                             .vna_next = i + 1 < need.vn_cnt ? sizeof aux : 0};
        buf_add(out, &aux, sizeof aux);
    }
    if (m->other_library) {
        Elf64_Verneed other = {.vn_version = 1,
                               .vn_cnt = 1,
                               .vn_file = mkelf_string(strings, m->other_library),
                               .vn_aux = sizeof other};
        Elf64_Vernaux aux = {.vna_name = mkelf_string(strings, m->other_version)};
        buf_add(out, &other, sizeof other);
        buf_add(out, &aux, sizeof aux);
    }
}

static inline size_t mkelf_defines(struct buf *out, const struct mkelf *m, struct buf *strings)
{
    size_t n = 0;

    while (n < 4 && m->defines[n])
        n++;
    for (size_t i = 0; i < n; i++) {
        Elf64_Verdef def = {.vd_version = 1, .vd_cnt = 1, .vd_aux = sizeof def};
        Elf64_Verdaux aux = {.vda_name = mkelf_string(strings, m->defines[i])};

        def.vd_next = i + 1 < n ? sizeof def + sizeof aux : 0;
        buf_add(out, &def, sizeof def);
        buf_add(out, &aux, sizeof aux);
    }
    return n;
}

static inline void mkelf_sections(struct buf *out, const struct mkelf *m, uint64_t content_at,
                                  uint64_t dynamic_at, uint64_t dynamic_size)
{
    static const char names[] = "\0.names\0.dynamic\0";
    Elf64_Shdr none = {0}, name_table = {.sh_name = 1, .sh_type = SHT_STRTAB};
    Elf64_Shdr dynamic = {.sh_name = 8,
                          .sh_type = m->emptied ? SHT_NOBITS : SHT_DYNAMIC,
                          .sh_offset = dynamic_at,
                          .sh_size = dynamic_size};
    Elf64_Shdr section = {.sh_name = sizeof names - 1,
                          .sh_type = SHT_PROGBITS,
                          .sh_offset = content_at,
                          .sh_size = m->content.len};
    Elf64_Ehdr *head;
    uint64_t names_at = out->len;

    buf_add(out, names, sizeof names - 1);
    buf_add(out, m->section ? m->section : "", strlen(m->section ? m->section : "") + 1);
    name_table.sh_offset = names_at;
    name_table.sh_size = out->len - names_at;
    head = (Elf64_Ehdr *)(void *)out->p;
    head->e_shoff = out->len;
    head->e_shnum = m->section ? 4 : 3;
    head->e_shstrndx = 1;
    head->e_shentsize = sizeof none;
    buf_add(out, &none, sizeof none);
    buf_add(out, &name_table, sizeof name_table);
    buf_add(out, &dynamic, sizeof dynamic);
    if (m->section)
        buf_add(out, &section, sizeof section);
}

/* File offset and address differ by MKELF_BASE. */
static inline void mkelf(struct buf *out, const struct mkelf *m)
{
    struct buf strings = {0}, needs = {0}, defines = {0}, dynamic = {0};
    uint64_t interpreter_at = MKELF_HEADS, needs_at, defines_at, strings_at, dynamic_at, content_at;
    size_t interpreter_len = m->interpreter ? strlen(m->interpreter) + 1 : 0, defines_n;

    buf_putc(&strings, 0);
    if (m->need_library)
        mkelf_needs(&needs, m, &strings);
    defines_n = mkelf_defines(&defines, m, &strings);
    needs_at = interpreter_at + interpreter_len;
    defines_at = needs_at + needs.len;
    for (size_t i = 0; i < 4 && m->needed[i]; i++)
        mkelf_dyn(&dynamic, DT_NEEDED, mkelf_string(&strings, m->needed[i]));
    if (m->soname)
        mkelf_dyn(&dynamic, DT_SONAME, mkelf_string(&strings, m->soname));
    if (m->rpath)
        mkelf_dyn(&dynamic, DT_RPATH, mkelf_string(&strings, m->rpath));
    if (m->runpath)
        mkelf_dyn(&dynamic, DT_RUNPATH, mkelf_string(&strings, m->runpath));
    strings_at = defines_at + defines.len;
    mkelf_dyn(&dynamic, DT_STRTAB, MKELF_BASE + strings_at);
    mkelf_dyn(&dynamic, DT_STRSZ, strings.len);
    if (needs.len) {
        mkelf_dyn(&dynamic, DT_VERNEED, MKELF_BASE + needs_at);
        mkelf_dyn(&dynamic, DT_VERNEEDNUM, m->other_library ? 2 : 1);
    }
    if (defines.len) {
        mkelf_dyn(&dynamic, DT_VERDEF, MKELF_BASE + defines_at);
        mkelf_dyn(&dynamic, DT_VERDEFNUM, defines_n);
    }
    mkelf_dyn(&dynamic, DT_NULL, 0);
    content_at = strings_at + strings.len;
    dynamic_at = content_at + m->content.len;

    Elf64_Ehdr head = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                       .e_type = ET_DYN,
                       .e_machine = EM_X86_64,
                       .e_version = EV_CURRENT,
                       .e_phoff = sizeof head,
                       .e_ehsize = sizeof head,
                       .e_phentsize = sizeof(Elf64_Phdr),
                       .e_phnum = 3};
    Elf64_Phdr segments[3] = {
        {.p_type = PT_LOAD, .p_vaddr = MKELF_BASE, .p_filesz = dynamic_at + dynamic.len},
        {.p_type = PT_DYNAMIC,
         .p_offset = dynamic_at,
         .p_vaddr = MKELF_BASE + dynamic_at,
         .p_filesz = dynamic.len},
        {.p_type = m->interpreter ? PT_INTERP : PT_NULL,
         .p_offset = interpreter_at,
         .p_filesz = interpreter_len},
    };
    buf_add(out, &head, sizeof head);
    buf_add(out, segments, sizeof segments);
    buf_add(out, m->interpreter, interpreter_len);
    buf_str(out, buf_view(&needs));
    buf_str(out, buf_view(&defines));
    buf_str(out, buf_view(&strings));
    buf_str(out, m->content);
    buf_str(out, buf_view(&dynamic));
    if (!m->no_sections)
        mkelf_sections(out, m, content_at, dynamic_at, dynamic.len);
    buf_clear(&strings);
    buf_clear(&needs);
    buf_clear(&defines);
    buf_clear(&dynamic);
}
