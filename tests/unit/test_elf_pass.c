/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>
#include "mkelf.h"
#include "pkg/elf/elf_pass.h"

enum { MIB = 1 << 20, HOLE = 40 * MIB };

static const struct mkelf library = {
    .soname = "libone.so.1",
    .interpreter = "/lib64/ld-linux-x86-64.so.2",
    .needed = {"libtwo.so.2"},
    .need_library = "libc.so.6",
    .need_versions = {"GLIBC_2.17", "GLIBC_2.34"},
    .defines = {"libone.so.1", "ONE_1.0"},
    .section = ".nv_fatbin",
    .content = {"0123456789", 10},
};

/* Counts what elf_pass reads of what it kept. */
struct counted {
    struct elf_pass pass;
    int (*read)(struct blob_reader *self, void *to, size_t len, uint64_t offset, struct err *e);
    size_t reads;
};

static int counted_read(struct blob_reader *self, void *to, size_t len, uint64_t offset,
                        struct err *e)
{
    struct counted *c = (struct counted *)((char *)self - offsetof(struct counted, pass) -
                                           offsetof(struct elf_pass, reader));

    c->reads++;
    return c->read(self, to, len, offset, e);
}

/* Let the bytes pass, `hole` zeros behind the first `at` of them, `step` at a time. */
static int pass(struct counted *c, struct elf *elf, struct str bytes, size_t at, uint64_t hole,
                size_t step, struct err *e)
{
    static const char zeros[MIB];
    int scratch = memfd_create("scratch", MFD_CLOEXEC), rc = 0;

    assert_true(scratch >= 0);
    elf_pass_begin(&c->pass, scratch, bytes.len + hole, "the-file");
    c->read = c->pass.reader.read;
    c->pass.reader.read = counted_read;
    for (size_t i = 0; rc == 0 && i < bytes.len;) {
        size_t n = i < at && at - i < step ? at - i : step < bytes.len - i ? step : bytes.len - i;

        for (uint64_t left = i == at ? hole : 0; rc == 0 && left; left -= left < MIB ? left : MIB)
            rc = sink_write(&c->pass.sink, zeros, left < MIB ? left : MIB, e);
        if (rc == 0)
            rc = sink_write(&c->pass.sink, bytes.p + i, n, e);
        i += n;
    }
    if (rc == 0)
        rc = elf_pass_end(&c->pass, elf, e);
    elf_pass_clear(&c->pass);
    close(scratch);
    return rc;
}

static void however_many_bytes_come_at_once(void **state)
{
    static const size_t steps[] = {1, 7, 64, 4096, MIB};
    CLEANUP(buf_clear) struct buf bytes = {0};

    mkelf(&bytes, &library);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        CLEANUP(elf_clear) struct elf elf = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct counted c = {0};

        if (pass(&c, &elf, buf_view(&bytes), 0, 0, steps[i], &e) < 0)
            fail_msg("%s", e.msg);
        assert_true(str_is(elf.soname, "libone.so.1") && str_is(elf.needed.v[0], "libtwo.so.2"));
        assert_true(elf.needs.n == 2 && elf.defines.n == 2 && elf.sections.n == 3);
    }
}

/* `hole` bytes between the content and the dynamic section, as device code in a CUDA library. */
static size_t spread(struct buf *bytes, uint64_t hole)
{
    Elf64_Ehdr head;
    Elf64_Phdr p[2];
    Elf64_Shdr s;

    memcpy(&head, bytes->p, sizeof head);
    memcpy(p, bytes->p + head.e_phoff, sizeof p);
    size_t at = p[1].p_offset, sections = head.e_shoff;
    for (unsigned i = 1; i < head.e_shnum; i++) {
        memcpy(&s, bytes->p + sections + i * sizeof s, sizeof s);
        if (s.sh_offset >= at)
            s.sh_offset += hole;
        memcpy(bytes->p + sections + i * sizeof s, &s, sizeof s);
    }
    p[0].p_filesz += hole;
    p[1].p_offset += hole;
    head.e_shoff += hole;
    memcpy(bytes->p, &head, sizeof head);
    memcpy(bytes->p + head.e_phoff, p, sizeof p);
    return at;
}

static void what_is_far_apart_is_found(void **state)
{
    CLEANUP(buf_clear) struct buf bytes = {0};
    CLEANUP(elf_clear) struct elf elf = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct counted c = {0};
    size_t at;

    mkelf(&bytes, &library);
    at = spread(&bytes, HOLE);
    if (pass(&c, &elf, buf_view(&bytes), at, HOLE, MIB, &e) < 0)
        fail_msg("%s", e.msg);
    assert_true(str_is(elf.soname, "libone.so.1") && elf.needs.n == 2);
    assert_true(elf.sections.n == 3 && elf_section(&elf, STR(".nv_fatbin"))->size == 10);
}

static void without_the_names_of_sections_there_are_none(void **state)
{
    CLEANUP(buf_clear) struct buf bytes = {0};
    CLEANUP(elf_clear) struct elf elf = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct counted c = {0};
    Elf64_Shdr names;
    Elf64_Ehdr head;
    size_t at;

    mkelf(&bytes, &library);
    at = spread(&bytes, HOLE);
    memcpy(&head, bytes.p, sizeof head);
    memcpy(&names, bytes.p + head.e_shoff - HOLE + sizeof names, sizeof names);
    names.sh_offset = HOLE / 2; /* in the middle of what nobody keeps */
    memcpy(bytes.p + head.e_shoff - HOLE + sizeof names, &names, sizeof names);
    if (pass(&c, &elf, buf_view(&bytes), at, HOLE, MIB, &e) < 0)
        fail_msg("%s", e.msg);
    assert_true(str_is(elf.soname, "libone.so.1") && elf.sections.n == 0);
}

static void what_has_gone_by_is_an_error(void **state)
{
    CLEANUP(buf_clear) struct buf bytes = {0};
    CLEANUP(elf_clear) struct elf elf = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct counted c = {0};
    struct mkelf m = library;
    Elf64_Phdr p[2];
    Elf64_Dyn strings;
    size_t at;

    m.no_sections = true;
    m.interpreter = NULL;
    m.need_library = NULL;
    m.defines[0] = NULL;
    mkelf(&bytes, &m);
    at = bytes.len - 5 * sizeof strings; /* needed, soname, strings, their size, the end */
    memcpy(p, bytes.p + sizeof(Elf64_Ehdr), sizeof p);
    p[0].p_filesz += HOLE;
    p[1].p_offset += HOLE;
    memcpy(bytes.p + sizeof(Elf64_Ehdr), p, sizeof p);
    memcpy(&strings, bytes.p + at + 2 * sizeof strings, sizeof strings);
    assert_int_equal(strings.d_tag, DT_STRTAB);
    strings.d_un.d_ptr = MKELF_BASE + 25 * MIB; /* behind what is kept of the first segment */
    memcpy(bytes.p + at + 2 * sizeof strings, &strings, sizeof strings);
    assert_int_equal(pass(&c, &elf, buf_view(&bytes), at, HOLE, MIB, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.msg, "the-file: laid out so that it cannot be read in one pass"));
    assert_false(elf.dynamic);
}

/* Each was compared with all others, by reading it, whenever one was looked at. */
static void many_program_headers_are_read_once(void **state)
{
    for (unsigned count = 700; count <= 1171; count += 157) {
        CLEANUP(buf_clear) struct buf bytes = {0};
        CLEANUP(elf_clear) struct elf elf = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct counted c = {0};
        Elf64_Ehdr head;

        mkelf(&bytes, &library);
        memcpy(&head, bytes.p, sizeof head);
        head.e_phoff = bytes.len;
        head.e_phnum = (Elf64_Half)count;
        for (unsigned i = 0; i < count; i++) {
            Elf64_Phdr p = {.p_type = PT_LOAD, .p_offset = i, .p_vaddr = MKELF_BASE + i};

            p.p_filesz = bytes.len / 2;
            if (i < 2)
                memcpy(&p, bytes.p + sizeof head + i * sizeof p, sizeof p);
            buf_add(&bytes, &p, sizeof p);
        }
        memcpy(bytes.p, &head, sizeof head);
        (void)!pass(&c, &elf, buf_view(&bytes), 0, 0, 512, &e);
        if (count > 1170)
            assert_non_null(strstr(e.msg, "too many program headers"));
        assert_true(c.reads < 60);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(however_many_bytes_come_at_once),
        cmocka_unit_test(what_is_far_apart_is_found),
        cmocka_unit_test(without_the_names_of_sections_there_are_none),
        cmocka_unit_test(what_has_gone_by_is_an_error),
        cmocka_unit_test(many_program_headers_are_read_once),
    };
    return cmocka_run_group_tests_name("elf_pass", tests, NULL, NULL);
}
