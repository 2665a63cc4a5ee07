/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include "base/fd.h"
#include "pkg/elf/elf.h"
#include "mkelf.h"

static int read_bytes(struct elf *elf, const struct buf *bytes, struct err *e)
{
    struct blob_reader_bytes blob;

    blob_reader_bytes_init(&blob, buf_view(bytes), "the-file");
    return elf_read(elf, &blob.reader, e);
}

static const struct mkelf library = {
    .soname = "libone.so.1",
    .runpath = "$ORIGIN/../lib",
    .interpreter = "/lib64/ld-linux-x86-64.so.2",
    .needed = {"libtwo.so.2", "libc.so.6"},
    .need_library = "libc.so.6",
    .need_versions = {"GLIBC_2.17", "GLIBC_2.34"},
    .other_library = "libstdc++.so.6",
    .other_version = "CXXABI_1.3",
    .defines = {"libone.so.1", "ONE_1.0", "ONE_1.1"},
    .section = ".nv_fatbin",
    .content = {"0123456789", 10},
};

static void check_library(const struct elf *elf, bool sections)
{
    assert_true(elf->bits == 64 && elf->little && elf->dynamic);
    assert_int_equal(elf->machine, ELF_MACHINE_X86_64);
    assert_true(str_is(elf->interpreter, "/lib64/ld-linux-x86-64.so.2"));
    assert_true(str_is(elf->soname, "libone.so.1"));
    assert_true(str_is(elf->runpath, "$ORIGIN/../lib"));
    assert_int_equal(elf->rpath.len, 0);
    assert_int_equal(elf->needed.n, 2);
    assert_true(str_is(elf->needed.v[0], "libtwo.so.2") && str_is(elf->needed.v[1], "libc.so.6"));
    assert_int_equal(elf->needs.n, 3);
    assert_true(str_is(elf->needs.v[0].library, "libc.so.6"));
    assert_true(str_is(elf->needs.v[0].version, "GLIBC_2.17") && !elf->needs.v[0].weak);
    assert_true(str_is(elf->needs.v[1].version, "GLIBC_2.34") && elf->needs.v[1].weak);
    assert_true(str_is(elf->needs.v[2].library, "libstdc++.so.6"));
    assert_true(str_is(elf->needs.v[2].version, "CXXABI_1.3"));
    assert_int_equal(elf->defines.n, 3);
    assert_true(str_is(elf->defines.v[2], "ONE_1.1"));
    assert_int_equal(elf->sections.n, sections ? 3 : 0);
}

static void what_the_loader_reads_is_read(void **state)
{
    for (int sections = 0; sections < 2; sections++) {
        CLEANUP(buf_clear) struct buf bytes = {0};
        CLEANUP(elf_clear) struct elf elf = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct mkelf m = library;

        m.no_sections = !sections;
        mkelf(&bytes, &m);
        assert_int_equal(read_bytes(&elf, &bytes, &e), 0);
        check_library(&elf, sections);
    }
}

static void sections_are_found_by_name(void **state)
{
    CLEANUP(buf_clear) struct buf bytes = {0};
    CLEANUP(elf_clear) struct elf elf = {0};
    CLEANUP(err_clear) struct err e = {0};
    const struct elf_section *s;

    mkelf(&bytes, &library);
    assert_int_equal(read_bytes(&elf, &bytes, &e), 0);
    s = elf_section(&elf, STR(".nv_fatbin"));
    assert_non_null(s);
    assert_int_equal(s->size, 10);
    assert_memory_equal(bytes.p + s->offset, "0123456789", 10);
    assert_null(elf_section(&elf, STR(".nv_fat")));
}

static void a_file_of_debug_symbols_needs_nothing(void **state)
{
    CLEANUP(buf_clear) struct buf bytes = {0};
    CLEANUP(elf_clear) struct elf elf = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct mkelf m = library;

    m.emptied = true;
    mkelf(&bytes, &m);
    assert_int_equal(read_bytes(&elf, &bytes, &e), 0);
    assert_false(elf.dynamic);
    assert_int_equal(elf.needed.n, 0);
}

static void of_other_classes_the_machine_is_read(void **state)
{
    static const struct {
        unsigned char class, data, machine[2];
        unsigned bits, is;
    } cases[] = {
        {ELFCLASS32, ELFDATA2LSB, {3, 0}, 32, EM_386},
        {ELFCLASS32, ELFDATA2MSB, {0, 20}, 32, EM_PPC},
        {ELFCLASS64, ELFDATA2MSB, {0, 22}, 64, EM_S390},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf bytes = {0};
        CLEANUP(elf_clear) struct elf elf = {0};
        CLEANUP(err_clear) struct err e = {0};

        mkelf(&bytes, &library);
        bytes.p[EI_CLASS] = (char)cases[i].class;
        bytes.p[EI_DATA] = (char)cases[i].data;
        memcpy(bytes.p + 18, cases[i].machine, 2);
        assert_int_equal(read_bytes(&elf, &bytes, &e), 0);
        assert_int_equal(elf.bits, cases[i].bits);
        assert_int_equal(elf.machine, cases[i].is);
        assert_false(elf.dynamic);
    }
}

static void what_is_no_elf_file_is_refused(void **state)
{
    static const struct str cases[] = {
        STR_INIT(""),
        STR_INIT("\x7f"
                 "ELF"),
        STR_INIT("#!/bin/sh\nexec true true true\n"),
        STR_INIT("\x7f"
                 "ELF\x03\x01\x01 0123456789 0123456789 0123456789"),
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf bytes = {0};
        CLEANUP(elf_clear) struct elf elf = {0};
        CLEANUP(err_clear) struct err e = {0};

        buf_str(&bytes, cases[i]);
        assert_int_equal(read_bytes(&elf, &bytes, &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_non_null(strstr(e.msg, "the-file"));
    }
}

static void set64(struct buf *b, size_t at, uint64_t value)
{
    memcpy(b->p + at, &value, sizeof value);
}

/* Each damage at a place of its own, and the words that tell it from the others. */
static void damage_is_named(void **state)
{
    enum { SEGMENTS = sizeof(Elf64_Ehdr), DYNAMIC = SEGMENTS + sizeof(Elf64_Phdr) };
    static const struct {
        size_t at;
        uint64_t value;
        const char *says;
    } cases[] = {
        {offsetof(Elf64_Ehdr, e_phoff), UINT64_MAX - 8, "program headers outside the file"},
        {offsetof(Elf64_Ehdr, e_phoff), 1 << 20, "program headers outside the file"},
        {offsetof(Elf64_Ehdr, e_shoff), UINT64_MAX - 8, "section headers outside the file"},
        {offsetof(Elf64_Ehdr, e_shoff), 1 << 20, "section headers outside the file"},
        {SEGMENTS + offsetof(Elf64_Phdr, p_filesz), UINT64_MAX, "segment lies outside"},
        {SEGMENTS + offsetof(Elf64_Phdr, p_vaddr), UINT64_MAX, "lies in no segment"},
        {DYNAMIC + offsetof(Elf64_Phdr, p_offset), UINT64_MAX, "dynamic section lies outside"},
        {DYNAMIC + offsetof(Elf64_Phdr, p_filesz), UINT64_MAX, "dynamic section lies outside"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf bytes = {0};
        CLEANUP(elf_clear) struct elf elf = {0};
        CLEANUP(err_clear) struct err e = {0};

        mkelf(&bytes, &library);
        set64(&bytes, cases[i].at, cases[i].value);
        assert_int_equal(read_bytes(&elf, &bytes, &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        if (!strstr(e.msg, cases[i].says))
            fail_msg("case %zu: \"%s\" does not say \"%s\"", i, e.msg, cases[i].says);
        assert_false(elf.dynamic);
    }
}

static void a_damaged_file_is_read_or_refused_never_more(void **state)
{
    CLEANUP(buf_clear) struct buf whole = {0};
    size_t refused = 0;

    mkelf(&whole, &library);
    for (size_t cut = 0; cut < whole.len; cut++) {
        CLEANUP(buf_clear) struct buf bytes = {0};
        CLEANUP(elf_clear) struct elf elf = {0};
        CLEANUP(err_clear) struct err e = {0};

        buf_add(&bytes, whole.p, cut);
        assert_int_equal(read_bytes(&elf, &bytes, &e), -1); /* the last section header is cut */
    }
    for (size_t at = 0; at < whole.len; at++) {
        CLEANUP(buf_clear) struct buf bytes = {0};
        CLEANUP(elf_clear) struct elf elf = {0};
        CLEANUP(err_clear) struct err e = {0};

        buf_str(&bytes, buf_view(&whole));
        bytes.p[at] = (char)0xff;
        if (read_bytes(&elf, &bytes, &e) < 0) {
            assert_int_equal(e.kind, ERR_INPUT);
            refused++;
        }
    }
    assert_true(refused > 100);
}

/* One long name that every section points at, behind `size` bytes of nothing. */
static void many_sections(struct buf *bytes, uint16_t count, size_t size)
{
    Elf64_Shdr none = {0}, names = {.sh_type = SHT_STRTAB, .sh_size = 4000};
    Elf64_Ehdr *head;
    struct mkelf m = {.no_sections = true};

    mkelf(bytes, &m);
    memset(buf_room(bytes, size), 0, size);
    bytes->len += size;
    names.sh_offset = bytes->len;
    for (size_t i = 0; i < names.sh_size; i++)
        buf_putc(bytes, i + 1 < names.sh_size ? 'x' : 0);
    head = (Elf64_Ehdr *)(void *)bytes->p;
    head->e_shoff = bytes->len;
    head->e_shnum = count;
    head->e_shstrndx = 1;
    head->e_shentsize = sizeof none;
    buf_add(bytes, &none, sizeof none);
    for (unsigned i = 1; i < count; i++)
        buf_add(bytes, &names, sizeof names);
}

static void names_are_bounded(void **state)
{
    static const struct {
        uint16_t count;
        size_t size;
        int rc;
    } cases[] = {
        {1049, 1 << 20, 0}, /* 1048 times 4000 bytes are just below 4 MiB */
        {1050, 1 << 20, -1},
        {5, 0, 0}, /* 16000 bytes of a file of 4848 */
        {6, 0, -1},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf bytes = {0};
        CLEANUP(elf_clear) struct elf elf = {0};
        CLEANUP(err_clear) struct err e = {0};

        many_sections(&bytes, cases[i].count, cases[i].size);
        assert_int_equal(read_bytes(&elf, &bytes, &e), cases[i].rc);
        if (cases[i].rc)
            assert_non_null(strstr(e.msg, "too many names"));
    }
}

/* ---- hostile counts ---- */

/* A file of nothing but program headers, all over each other, a dynamic section, and `needs`. */
static void many_segments(struct buf *out, unsigned count, struct str needs)
{
    enum { BASE = 0x10000000 };
    static const char strings[] = "\0name";
    uint64_t dynamic_at = sizeof(Elf64_Ehdr) + count * sizeof(Elf64_Phdr);
    uint64_t strings_at = dynamic_at + 6 * sizeof(Elf64_Dyn),
             needs_at = strings_at + sizeof strings;
    Elf64_Ehdr head = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                       .e_type = ET_DYN,
                       .e_machine = EM_X86_64,
                       .e_phoff = sizeof head,
                       .e_phentsize = sizeof(Elf64_Phdr),
                       .e_phnum = (Elf64_Half)count};

    buf_add(out, &head, sizeof head);
    for (unsigned i = 0; i + 1 < count; i++) {
        Elf64_Phdr p = {.p_type = PT_LOAD, .p_offset = count - i, .p_vaddr = BASE + count - i};

        p.p_filesz = needs_at + needs.len - count;
        buf_add(out, &p, sizeof p);
    }
    buf_add(out,
            &(Elf64_Phdr){
                .p_type = PT_DYNAMIC, .p_offset = dynamic_at, .p_filesz = 6 * sizeof(Elf64_Dyn)},
            sizeof(Elf64_Phdr));
    mkelf_dyn(out, DT_STRTAB, BASE + strings_at);
    mkelf_dyn(out, DT_STRSZ, sizeof strings);
    mkelf_dyn(out, DT_SONAME, 1);
    mkelf_dyn(out, DT_VERNEED, BASE + needs_at);
    mkelf_dyn(out, DT_VERNEEDNUM, needs.len ? 1 : 0);
    mkelf_dyn(out, DT_NULL, 0);
    buf_add(out, strings, sizeof strings);
    buf_str(out, needs);
}

/* A blob_reader that counts. */
struct counted {
    struct blob_reader reader;
    struct str bytes;
    size_t reads;
};

static int counted_read(struct blob_reader *self, void *to, size_t len, uint64_t offset,
                        struct err *e)
{
    struct counted *c = (struct counted *)self;

    c->reads++;
    memcpy(to, c->bytes.p + offset, len);
    return 0;
}

static void program_headers_are_bounded_and_read_at_once(void **state)
{
    static const unsigned counts[] = {2, 700, 1170, 1171};

    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        CLEANUP(buf_clear) struct buf bytes = {0};
        CLEANUP(elf_clear) struct elf elf = {0};
        CLEANUP(err_clear) struct err e = {0};

        many_segments(&bytes, counts[i], STR(""));
        struct counted c = {{counted_read, bytes.len, "the-file"}, buf_view(&bytes), 0};
        if (counts[i] > 1170) {
            assert_int_equal(elf_read(&elf, &c.reader, &e), -1);
            assert_non_null(strstr(e.msg, "too many program headers"));
        } else {
            assert_int_equal(elf_read(&elf, &c.reader, &e), 0);
            assert_true(str_is(elf.soname, "name"));
        }
        assert_true(c.reads < 10);
    }
}

static void dynamic_entries_are_bounded(void **state)
{
    for (int over = 0; over < 2; over++) {
        CLEANUP(buf_clear) struct buf bytes = {0};
        CLEANUP(elf_clear) struct elf elf = {0};
        CLEANUP(err_clear) struct err e = {0};
        const Elf64_Dyn unknown = {0x6ffffff0, {0}};
        Elf64_Phdr dynamic = {.p_type = PT_DYNAMIC};
        Elf64_Ehdr head;

        many_segments(&bytes, 1, STR(""));
        dynamic.p_offset = bytes.len;
        for (int n = 0; n < 65535 + over; n++)
            buf_add(&bytes, &unknown, sizeof unknown);
        buf_add(&bytes, &(Elf64_Dyn){0}, sizeof unknown);
        dynamic.p_filesz = bytes.len - dynamic.p_offset;
        memcpy(bytes.p + sizeof head, &dynamic, sizeof dynamic);
        assert_int_equal(read_bytes(&elf, &bytes, &e), over ? -1 : 0);
        if (over)
            assert_non_null(strstr(e.msg, "too many dynamic entries"));
    }
}

/* Records of 16 bytes, one every `step`: those that overlap could be more than the file has room
 * for. */
static void versions_are_bounded_by_the_files_size(void **state)
{
    for (uint32_t step = 4; step <= 16; step += 12) {
        CLEANUP(buf_clear) struct buf bytes = {0}, needs = {0};
        CLEANUP(elf_clear) struct elf elf = {0};
        CLEANUP(err_clear) struct err e = {0};
        Elf64_Verneed need = {.vn_cnt = 1000, .vn_aux = sizeof need};

        buf_add(&needs, &need, sizeof need);
        for (unsigned i = 0; i < 1000 * step / 4 + 3; i++)
            buf_number(&needs, step == 4 ? 4 : i % 4 == 3 ? step : 0, 4);
        many_segments(&bytes, 2, buf_view(&needs));
        assert_int_equal(read_bytes(&elf, &bytes, &e), step == 4 ? -1 : 0);
        if (step == 4)
            assert_non_null(strstr(e.msg, "too many versions"));
        else
            assert_int_equal(elf.needs.n, 1000);
    }
}

static void of_segments_that_overlap_the_last_one_counts(void **state)
{
    CLEANUP(buf_clear) struct buf bytes = {0};
    CLEANUP(elf_clear) struct elf elf = {0};
    CLEANUP(err_clear) struct err e = {0};
    Elf64_Phdr p;

    many_segments(&bytes, 4, STR("")); /* three of them lie over the strings */
    memcpy(&p, bytes.p + sizeof(Elf64_Ehdr), sizeof p);
    p.p_offset--; /* the one that begins last: its bytes come one byte later */
    memcpy(bytes.p + sizeof(Elf64_Ehdr), &p, sizeof p);
    assert_int_equal(read_bytes(&elf, &bytes, &e), 0);
    assert_int_equal(elf.soname.len, 0); /* the zero before "name" */
}

static void this_program_needs_the_c_library(void **state)
{
    CLEANUP(fd_clear) struct fd fd = {0};
    CLEANUP(elf_clear) struct elf elf = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct blob_reader_file blob;
    uint64_t size;
    bool libc = false, version = false;

    assert_int_equal(fd_open(&fd, "/proc/self/exe", O_RDONLY, 0, &e), 0);
    assert_int_equal(fd_size(fd.n, &size, "exe", &e), 0);
    blob_reader_file_init(&blob, fd.n, 0, size, "exe");
    assert_int_equal(elf_read(&elf, &blob.reader, &e), 0);
    for (size_t i = 0; i < elf.needed.n; i++)
        libc = libc || str_is(elf.needed.v[i], "libc.so.6");
    for (size_t i = 0; i < elf.needs.n; i++)
        version = version || str_starts(elf.needs.v[i].version, STR("GLIBC_2."));
    assert_true(libc && version);
    assert_non_null(elf_section(&elf, STR(".text")));
    assert_true(elf.interpreter.len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_loader_reads_is_read),
        cmocka_unit_test(sections_are_found_by_name),
        cmocka_unit_test(a_file_of_debug_symbols_needs_nothing),
        cmocka_unit_test(of_other_classes_the_machine_is_read),
        cmocka_unit_test(what_is_no_elf_file_is_refused),
        cmocka_unit_test(damage_is_named),
        cmocka_unit_test(a_damaged_file_is_read_or_refused_never_more),
        cmocka_unit_test(names_are_bounded),
        cmocka_unit_test(program_headers_are_bounded_and_read_at_once),
        cmocka_unit_test(dynamic_entries_are_bounded),
        cmocka_unit_test(versions_are_bounded_by_the_files_size),
        cmocka_unit_test(of_segments_that_overlap_the_last_one_counts),
        cmocka_unit_test(this_program_needs_the_c_library),
    };
    return cmocka_run_group_tests_name("elf", tests, NULL, NULL);
}
