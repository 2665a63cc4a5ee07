/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "look/fatbin.h"
#include "mkelf.h"
#include "mkfatbin.h"

static const struct mkfatbin_entry some[] = {
    {FATBIN_CUBIN, 80, 0x2011, 400},    {FATBIN_CUBIN, 90, 0x11, 1000},
    {FATBIN_CUBIN, 90, 0x102011, 72},   {FATBIN_PTX, 90, 0x8011, 8},
    {FATBIN_CUBIN, 100, 0x1208011, 24}, {8, 80, 0x11, 0},
};

/* "PLACE KIND SM[a|f] ENTRIES/COMPRESSED" of each line, by spaces. */
static void print_codes(struct buf *out, const struct fatbin_list *list)
{
    const struct fatbin_code *c;

    vec_each(c, &list->codes) {
        buf_fmt(out, "%s%c%u:%u", out->len ? " " : "", "LRE"[c->place], c -> kind, c -> sm);
        if (c->suffix)
            buf_putc(out, c->suffix);
        buf_fmt(out, "x%zu/%zu", c->entries, c->compressed);
    }
}

static void assert_codes(const struct fatbin_list *list, const char *expect)
{
    CLEANUP(buf_clear) struct buf text = {0};

    print_codes(&text, list);
    assert_string_equal(text.p ? text.p : "", expect);
}

/* The bytes in pieces of `piece`. */
static void scan(struct fatbin_list *list, struct str bytes, size_t piece, enum fatbin_place place)
{
    CLEANUP(free_clear) struct fatbin_scan *s = xmalloc(sizeof *s);
    CLEANUP(err_clear) struct err e = {0};

    fatbin_scan_init(s, list, place);
    for (size_t at = 0; at < bytes.len; at += piece) {
        struct str part = str_sub(bytes, at, piece);

        assert_int_equal(sink_write(&s->sink, part.p, part.len, &e), 0);
    }
    assert_int_equal(sink_finish(&s->sink, &e), 0);
}

static void entries_are_listed_by_gpu_and_kind(void **state)
{
    CLEANUP(buf_clear) struct buf bytes = {0};
    CLEANUP(fatbin_list_clear) struct fatbin_list list = {0};

    mkfatbin(&bytes, some, ARRAY_LEN(some));
    scan(&list, buf_view(&bytes), bytes.len, FATBIN_LINKED);
    assert_codes(&list, "L1:90x1/1 L2:80x1/1 L2:90x1/0 L2:90ax1/1 L2:100fx1/1 L8:80x1/0");
    assert_int_equal(list.fatbins, 1);
    assert_int_equal(list.broken + list.stray, 0);
    assert_int_equal(list.codes.v[1].bytes, 400);
}

static void pieces_of_any_size_give_the_same(void **state)
{
    CLEANUP(buf_clear) struct buf bytes = {0};
    static const size_t sizes[] = {1, 2, 3, 7, 16, 47, 48, 49, 63, 64, 65, 1000, 65536, 70000};

    buf_puts(&bytes, "P\xed"
                     "U and more"); /* half of the magic number */
    mkfatbin(&bytes, some, ARRAY_LEN(some));
    for (size_t i = 0; i < 70000; i++)
        buf_putc(&bytes, (char)i);
    mkfatbin(&bytes, some, 2);
    mkfatbin(&bytes, some, 1);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        CLEANUP(fatbin_list_clear) struct fatbin_list list = {0};

        scan(&list, buf_view(&bytes), sizes[i], FATBIN_EMBEDDED);
        assert_codes(&list, "E1:90x1/1 E2:80x3/3 E2:90x2/0 E2:90ax1/1 E2:100fx1/1 E8:80x1/0");
        assert_int_equal(list.fatbins, 3);
        assert_int_equal(list.broken, 0);
    }
}

static void the_section_decides_the_place(void **state)
{
    static const struct {
        const char *section, *codes;
    } cases[] = {
        {".nv_fatbin", "L2:80x1/1"},
        {"__nv_relfatbin", "R2:80x1/1"},
        {".rodata", "E2:80x1/1"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf content = {0}, bytes = {0};
        CLEANUP(elf_clear) struct elf elf = {0};
        CLEANUP(fatbin_list_clear) struct fatbin_list list = {0}, blind = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct blob_reader_bytes blob;

        mkfatbin(&content, some, 1);
        mkelf(&bytes, &(struct mkelf){.soname = "libx.so",
                                      .section = cases[i].section,
                                      .content = buf_view(&content)});
        blob_reader_bytes_init(&blob, buf_view(&bytes), "the-file");
        assert_int_equal(elf_read(&elf, &blob.reader, &e), 0);
        assert_int_equal(fatbin_read(&list, &blob.reader, &elf, &e), 0);
        assert_codes(&list, cases[i].codes);
        assert_int_equal(list.broken + list.stray, 0);
        assert_int_equal(fatbin_read(&blind, &blob.reader, NULL, &e), 0);
        assert_codes(&blind, "E2:80x1/1");
    }
}

static void chance_finds_of_the_magic_number_are_no_code(void **state)
{
    CLEANUP(buf_clear) struct buf bytes = {0};
    CLEANUP(fatbin_list_clear) struct fatbin_list list = {0}, section = {0};

    /* As in the text of libnvJitLink.so.12 and of libtriton.so; then one at the very end. */
    buf_add(&bytes, "\x81\x3f\x50\xed\x55\xba\x75\x2e\x48\x8b\x46\x10\x48\x89\x07\x0f", 16);
    buf_add(&bytes, "\x50\xed\x55\xba\x01\x00\x00\x00\x48\x39\xd0\x0f\x94\xc0\x5d\xc3", 16);
    mkfatbin(&bytes, some, 1);
    buf_add(&bytes, "\x50\xed\x55\xba", 4);
    scan(&list, buf_view(&bytes), bytes.len, FATBIN_EMBEDDED);
    assert_codes(&list, "E2:80x1/1");
    assert_int_equal(list.broken + list.stray, 0);
    /* In a section that holds nothing else they are damage. */
    scan(&section, buf_view(&bytes), bytes.len, FATBIN_LINKED);
    assert_codes(&section, "L2:80x1/1");
    assert_int_equal(section.broken, 3);
    assert_true(section.stray > 0);
}

static void zeros_between_fatbins_are_padding(void **state)
{
    CLEANUP(buf_clear) struct buf bytes = {0};
    CLEANUP(fatbin_list_clear) struct fatbin_list list = {0};

    mkfatbin(&bytes, some, 1);
    buf_add(&bytes, "\0\0\0\0\0\0\0\0", 8);
    mkfatbin(&bytes, some, 1);
    buf_add(&bytes, "\0x\0", 3);
    scan(&list, buf_view(&bytes), bytes.len, FATBIN_LINKED);
    assert_codes(&list, "L2:80x2/2");
    assert_int_equal(list.broken, 0);
    assert_int_equal(list.stray, 1);
}

/* Wherever it is cut, what was whole before counts, and the rest is called broken. */
static void a_fatbin_that_ends_early_is_broken(void **state)
{
    CLEANUP(buf_clear) struct buf bytes = {0};

    mkfatbin(&bytes, some, 2);
    for (size_t cut = 1; cut < bytes.len; cut++) {
        CLEANUP(fatbin_list_clear) struct fatbin_list list = {0};

        scan(&list, str_sub(buf_view(&bytes), 0, cut), bytes.len, FATBIN_LINKED);
        assert_true(cut < 4 || list.broken == 1);
        assert_true(list.codes.n <= 2);
    }
}

static void entries_that_make_no_sense_are_broken(void **state)
{
    enum { SECOND = 16 + 64 + 400 };
    static const struct {
        size_t at, bytes;
        uint64_t value;
    } cases[] = {
        {SECOND, 2, 0},               /* kind */
        {SECOND, 2, 0xffff},          /* kind */
        {SECOND + 4, 4, 0},           /* size of the header */
        {SECOND + 4, 4, 0xffffffff},  /* size of the header */
        {SECOND + 8, 8, 1001},        /* payload beyond the fatbin */
        {SECOND + 8, 8, UINT64_MAX},  /* payload */
        {SECOND + 28, 4, 0},          /* architecture */
        {SECOND + 28, 4, 0xffffffff}, /* architecture */
        {8, 8, 64 + 400 + 47},        /* fatbin */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf bytes = {0};
        CLEANUP(fatbin_list_clear) struct fatbin_list list = {0};

        mkfatbin(&bytes, some, 2);
        for (size_t j = 0; j < cases[i].bytes; j++)
            bytes.p[cases[i].at + j] = (char)(cases[i].value >> 8 * j);
        mkfatbin(&bytes, some + 2, 1);
        scan(&list, buf_view(&bytes), bytes.len, FATBIN_EMBEDDED);
        assert_int_equal(list.broken, 1);
        assert_codes(&list, "E2:80x1/1 E2:90ax1/1"); /* the next fatbin is found again */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_listed_by_gpu_and_kind),
        cmocka_unit_test(pieces_of_any_size_give_the_same),
        cmocka_unit_test(the_section_decides_the_place),
        cmocka_unit_test(chance_finds_of_the_magic_number_are_no_code),
        cmocka_unit_test(zeros_between_fatbins_are_padding),
        cmocka_unit_test(a_fatbin_that_ends_early_is_broken),
        cmocka_unit_test(entries_that_make_no_sense_are_broken),
    };
    return cmocka_run_group_tests_name("fatbin", tests, NULL, NULL);
}
