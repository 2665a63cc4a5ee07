/* SPDX-License-Identifier: Apache-2.0 */
#include "elf_library.h"

#include "elf_parts.h"

enum { NOTES_MAX = 64 * 1024 /* bytes of all of a file */ };

static int read_soname(struct elf_library *out, struct arena *a, const struct elf_segments *s,
                       struct blob_reader *in, struct err *e)
{
    CLEANUP(elf_dynamic_clear) struct elf_dynamic d = {0};
    const Elf64_Phdr *p = elf_segment(s, PT_DYNAMIC);
    char room[ELF_NAME_ROOM];
    uint64_t strings, left;
    struct str name;

    if (!p)
        return 0;
    if (elf_dynamic_read(&d, in, p, e) < 0)
        return -1;
    if (!d.has_soname)
        return 0;
    if (elf_address(&strings, &left, s, in, d.strings, e) < 0)
        return -1;
    if (d.soname >= left)
        return elf_damaged(in, "its name lies outside the dynamic strings", e);
    if (elf_name(&name, room, in, strings + d.soname, left - d.soname, e) < 0)
        return -1;
    out->soname = arena_str(a, name);
    return 0;
}

/* ---- notes ---- */

static size_t aligned(size_t size, uint64_t align)
{
    return (size + align - 1) & ~(align - 1);
}

static void note_os(struct elf_library *out, const char *desc, size_t len)
{
    uint32_t v[4];

    if (len != sizeof v || out->os_version)
        return;
    memcpy(v, desc, sizeof v);
    out->os_version = v[0] << 24 | (v[1] & 255) << 16 | (v[2] & 255) << 8 | (v[3] & 255);
}

/* x86-64 psABI, "program property": type and size, the data padded to 8. */
static void note_isa(struct elf_library *out, const char *desc, size_t len)
{
    uint32_t property[3]; /* type, size, and the bits if it is the one */

    for (size_t at = 0; at + sizeof property <= len;) {
        memcpy(property, desc + at, sizeof property);
        if (property[0] == GNU_PROPERTY_X86_ISA_1_NEEDED && property[1] == 4 && property[2])
            out->isa = 31 - (uint32_t)__builtin_clz(property[2]);
        if (aligned(property[1], 8) > len - at)
            return;
        at += 8 + aligned(property[1], 8);
    }
}

/* The notes of one segment: head, name, content, each padded. */
static void take_notes(struct elf_library *out, const char *notes, size_t len, uint64_t align)
{
    Elf64_Nhdr head;

    for (size_t at = 0; at + sizeof head + 4 <= len;) {
        memcpy(&head, notes + at, sizeof head);
        if (head.n_namesz > len || head.n_descsz > len)
            return;
        size_t desc = aligned(sizeof head + head.n_namesz, align);
        size_t size = desc + aligned(head.n_descsz, align);
        if (desc > len - at || head.n_descsz > len - at - desc)
            return;
        if (head.n_namesz == 4 && memcmp(notes + at + sizeof head, ELF_NOTE_GNU, 4) == 0) {
            if (head.n_type == NT_GNU_ABI_TAG)
                note_os(out, notes + at + desc, head.n_descsz);
            if (head.n_type == NT_GNU_PROPERTY_TYPE_0 && align == 8)
                note_isa(out, notes + at + desc, head.n_descsz);
        }
        if (size > len - at)
            return;
        at += size;
    }
}

static int read_notes(struct elf_library *out, const struct elf_segments *s, struct blob_reader *in,
                      struct err *e)
{
    CLEANUP(free_clear) char *notes = xmalloc(NOTES_MAX);
    size_t room = NOTES_MAX; /* segments may overlap */
    const Elf64_Phdr *p;

    vec_each(p, &s->all) {
        size_t len = p->p_filesz < room ? (size_t)p->p_filesz : room;

        if (p->p_type != PT_NOTE || p->p_align < 4)
            continue;
        if (blob_reader_read(in, notes, len, p->p_offset, e) < 0)
            return -1;
        take_notes(out, notes, len, p->p_align == 8 ? 8 : 4);
        room -= len;
    }
    return 0;
}

bool elf_library_read(struct elf_library *out, struct arena *a, struct blob_reader *in)
{
    CLEANUP(elf_segments_clear) struct elf_segments s = {0};
    CLEANUP(err_clear) struct err none = {0}; /* what cannot be read is no library, or unsaid */
    Elf64_Ehdr head;

    *out = (struct elf_library){0};
    if (blob_reader_read(in, &head, sizeof head, 0, &none) < 0 || !elf_is_read(&head) ||
        head.e_machine != EM_X86_64 || head.e_type != ET_DYN ||
        elf_segments_read(&s, in, &head, &none) < 0)
        return false;
    (void)!read_soname(out, a, &s, in, &none);
    (void)!read_notes(out, &s, in, &none);
    return true;
}
