/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct entry file(struct str path)
{
    return (struct entry){.path = path, .mode = 0644, .mtime = 1700000000};
}

static void assert_refused(const struct entry *entry, const char *word)
{
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf out = {0};

    assert_int_equal(tar_header(&out, entry, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    assert_non_null(strstr(e.msg, word));
    assert_int_equal(out.len, 0);
}

static void make(struct buf *out, const struct entry *entry)
{
    CLEANUP(err_clear) struct err e = {0};

    buf_reset(out);
    assert_int_equal(tar_header(out, entry, &e), 0);
    assert_int_equal(out->len % TAR_BLOCK, 0);
}

static void assert_checksum(const char *block)
{
    unsigned sum = 0;

    for (int i = 0; i < TAR_BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : (unsigned char)block[i];
    assert_int_equal(strtoul(block + 148, NULL, 8), sum);
    assert_memory_equal(block + 154, "\0 ", 2);
}

static struct str text_of(const char *field, size_t width)
{
    return (struct str){field, strnlen(field, width)};
}

/* The path that a reader of ustar alone sees. */
static void ustar_path(struct buf *out, const char *block)
{
    buf_reset(out);
    buf_str(out, text_of(block + 345, 155));
    if (out->len)
        buf_putc(out, '/');
    buf_str(out, text_of(block, 100));
}

static void a_file_is_one_block_of_known_bytes(void **state)
{
    struct entry entry = file(STR("usr/bin/x"));
    CLEANUP(buf_clear) struct buf out = {0};
    char want[TAR_BLOCK] = "usr/bin/x";

    entry.mode = 04755;
    entry.uid = 7;
    entry.gid = 2097151;
    entry.content.size = 0xdeadbeef;
    memcpy(want + 100, "0004755", 8);
    memcpy(want + 108, "0000007", 8);
    memcpy(want + 116, "7777777", 8);
    memcpy(want + 124, "33653337357", 12);
    memcpy(want + 136, "14524770400", 12);
    memcpy(want + 148, "011167\0 ", 8);
    want[156] = '0';
    memcpy(want + 257, "ustar\00000", 8);
    memcpy(want + 329, "0000000", 8);
    memcpy(want + 337, "0000000", 8);
    make(&out, &entry);
    assert_int_equal(out.len, TAR_BLOCK);
    assert_checksum(out.p);
    assert_memory_equal(out.p, want, TAR_BLOCK);
}

static void types_have_their_flag_and_only_files_have_a_size(void **state)
{
    static const struct {
        enum entry_type type;
        char flag;
        const char *name, *link, *size;
    } cases[] = {
        {ENTRY_FILE, '0', "a/b", "", "00000000012"},
        {ENTRY_DIR, '5', "a/b/", "", "00000000000"},
        {ENTRY_SYMLINK, '2', "a/b", "../c", "00000000000"},
        {ENTRY_HARDLINK, '1', "a/b", "a/c", "00000000000"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct entry entry = file(STR("a/b"));
        CLEANUP(buf_clear) struct buf out = {0};

        entry.type = cases[i].type;
        entry.link = str_of(cases[i].link);
        entry.content.size = 10;
        make(&out, &entry);
        assert_int_equal(out.len, TAR_BLOCK);
        assert_checksum(out.p);
        assert_int_equal(out.p[156], cases[i].flag);
        assert_string_equal(out.p, cases[i].name);
        assert_string_equal(out.p + 124, cases[i].size);
        assert_string_equal(out.p + 157, cases[i].link);
        assert_string_equal(out.p + 265, ""); /* no names of users */
        assert_string_equal(out.p + 297, "");
    }
}

/* A path of parts of `parts[i]` letters each. */
static void path_of(struct buf *out, const size_t *parts)
{
    buf_reset(out);
    for (; *parts; parts++) {
        if (out->len)
            buf_putc(out, '/');
        memset(buf_room(out, *parts), 'x', *parts);
        out->len += *parts;
    }
    buf_room(out, 0);
}

static void paths_are_split_where_ustar_allows_and_else_need_pax(void **state)
{
    static const struct {
        size_t parts[8];
        bool dir, pax;
    } cases[] = {
        {{99}, true, false},
        {{100}, false, false},
        {{100}, true, true},
        {{101}, false, true},
        {{1, 98}, false, false},
        {{1, 99}, false, false},
        {{1, 100}, false, false},
        {{1, 100}, true, true},
        {{1, 99}, true, false},
        {{1, 101}, false, true},
        {{50, 50}, false, false},
        {{77, 77, 100}, false, false}, /* 155 + 1 + 100 */
        {{77, 77, 100}, true, true},
        {{77, 77, 99}, true, false},
        {{77, 77, 101}, false, true},
        {{78, 77, 100}, false, true},
        {{77, 77}, true, false}, /* the last slash is byte 155 */
        {{77, 78}, true, false},
        {{156, 1}, false, true},
        {{155, 1}, false, false},
        {{155, 1}, true, false},
        {{50, 50, 50, 50}, false, false},
        {{50, 50, 50, 50, 50}, false, true}, /* 101 bytes behind the last place to split */
        {{255, 255, 255}, true, true},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf path = {0};
        CLEANUP(buf_clear) struct buf seen = {0};
        CLEANUP(buf_clear) struct buf out = {0};
        struct entry entry;

        path_of(&path, cases[i].parts);
        entry = file(buf_view(&path));
        entry.type = cases[i].dir ? ENTRY_DIR : ENTRY_FILE;
        make(&out, &entry);
        assert_int_equal(out.len > TAR_BLOCK, cases[i].pax);
        if (cases[i].dir)
            buf_putc(&path, '/');
        if (cases[i].pax) {
            assert_true(str_find_str(buf_view(&out), buf_view(&path)) < out.len);
        } else {
            ustar_path(&seen, out.p);
            assert_string_equal(seen.p, path.p);
        }
    }
}

static void pax_has_a_constant_name_and_only_what_does_not_fit(void **state)
{
    struct entry entry = file(STR("a"));
    CLEANUP(buf_clear) struct buf out = {0};

    entry.uid = 2097152;
    entry.gid = 4294967295;
    entry.content.size = 1ull << 33;
    make(&out, &entry);
    assert_int_equal(out.len, 3 * TAR_BLOCK);
    assert_string_equal(out.p, "././@PaxHeader");
    assert_int_equal(out.p[156], 'x');
    assert_string_equal(out.p + 136, "00000000000");
    assert_checksum(out.p);
    assert_string_equal(out.p + TAR_BLOCK,
                        "18 gid=4294967295\n19 size=8589934592\n15 uid=2097152\n");
    for (size_t i = TAR_BLOCK + strlen(out.p + TAR_BLOCK); i < 2 * TAR_BLOCK; i++)
        assert_int_equal(out.p[i], 0);
    /* The header itself says the same numbers, in base 256. */
    assert_checksum(out.p + 2 * TAR_BLOCK);
    assert_memory_equal(out.p + 2 * TAR_BLOCK + 108, "\x80\0\0\0\0\x20\0\0", 8);
    assert_memory_equal(out.p + 2 * TAR_BLOCK + 116, "\x80\0\0\0\xff\xff\xff\xff", 8);
    assert_memory_equal(out.p + 2 * TAR_BLOCK + 124, "\x80\0\0\0\0\0\0\2\0\0\0\0", 12);
}

static void numbers_need_pax_from_their_edge_on(void **state)
{
    static const struct {
        uint64_t size;
        uint32_t uid, gid;
        const char *records;
    } cases[] = {
        {(1ull << 33) - 1, 2097151, 2097151, NULL},
        {1ull << 33, 0, 0, "19 size=8589934592\n"},
        {0, 2097152, 0, "15 uid=2097152\n"},
        {0, 0, 2097152, "15 gid=2097152\n"},
        {UINT64_MAX, 0, 0, "29 size=18446744073709551615\n"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct entry entry = file(STR("a"));
        CLEANUP(buf_clear) struct buf out = {0};

        entry.content.size = cases[i].size;
        entry.uid = cases[i].uid;
        entry.gid = cases[i].gid;
        make(&out, &entry);
        assert_int_equal(out.len, cases[i].records ? 3 * TAR_BLOCK : TAR_BLOCK);
        if (cases[i].records)
            assert_string_equal(out.p + TAR_BLOCK, cases[i].records);
    }
}

static void links_need_pax_beyond_100_bytes(void **state)
{
    static const enum entry_type types[] = {ENTRY_SYMLINK, ENTRY_HARDLINK};
    char link[256];

    memset(link, 'l', sizeof link);
    for (size_t len = 99; len <= 101; len++)
        for (size_t i = 0; i < ARRAY_LEN(types); i++) {
            struct entry entry = file(STR("a"));
            CLEANUP(buf_clear) struct buf out = {0};

            entry.type = types[i];
            entry.link = (struct str){link, len};
            make(&out, &entry);
            assert_int_equal(out.len, len > 100 ? 3 * TAR_BLOCK : TAR_BLOCK);
            if (len > 100)
                assert_memory_equal(out.p + TAR_BLOCK, "115 linkpath=l", 14);
            else
                assert_int_equal(text_of(out.p + 157, 100).len, len);
        }
}

/* LEN counts its own digits: the edges are where that adds one. */
static void capabilities_are_the_first_pax_record(void **state)
{
    static const char caps[20] = {1, 0, 0, 2, 0, 0x20};
    struct entry entry = file(STR("usr/bin/ping"));
    CLEANUP(buf_clear) struct buf out = {0}, want = {0};

    entry.caps = (struct str){caps, sizeof caps};
    entry.uid = 4000000;
    make(&out, &entry);
    buf_puts(&want, "57 SCHILY.xattr.security.capability=");
    buf_add(&want, caps, sizeof caps);
    buf_puts(&want, "\n15 uid=4000000\n");
    assert_int_equal(out.len, 3 * TAR_BLOCK);
    assert_int_equal(out.p[156], 'x');
    assert_int_equal(strtoul(out.p + 124, NULL, 8), want.len);
    assert_memory_equal(out.p + TAR_BLOCK, want.p, want.len);

    entry.type = ENTRY_DIR; /* only files have some */
    entry.uid = 0;
    make(&out, &entry);
    assert_int_equal(out.len, TAR_BLOCK);
}

static void pax_lengths_count_themselves(void **state)
{
    for (size_t len = 101; len <= 1010; len++) {
        struct entry entry = file(STR("a"));
        CLEANUP(buf_clear) struct buf link = {0};
        CLEANUP(buf_clear) struct buf out = {0};
        struct str record;

        memset(buf_room(&link, len), 'l', len);
        link.len = len;
        entry.type = ENTRY_SYMLINK;
        entry.link = buf_view(&link);
        make(&out, &entry);
        record = (struct str){out.p + TAR_BLOCK, strtoul(out.p + 124, NULL, 8)};
        assert_int_equal(strtoul(record.p, NULL, 10), record.len);
        assert_int_equal(record.p[record.len - 1], '\n');
        assert_int_equal(out.len, 2 * TAR_BLOCK + record.len + tar_padding(record.len));
    }
}

static void names_beyond_ascii_stay_as_they_are(void **state)
{
    struct entry entry = file(STR("d/\xc3\xa9\xff"));
    CLEANUP(buf_clear) struct buf out = {0};

    make(&out, &entry);
    assert_int_equal(out.len, TAR_BLOCK);
    assert_string_equal(out.p, "d/\xc3\xa9\xff");
    assert_checksum(out.p); /* bytes count as unsigned */
}

static void unsafe_paths_are_refused(void **state)
{
    static const struct str paths[] = {
        STR_INIT(""),         STR_INIT("/a"),       STR_INIT("a/"),          STR_INIT("a//b"),
        STR_INIT("."),        STR_INIT("./a"),      STR_INIT("a/../b"),      STR_INIT(".."),
        STR_INIT("a\0b"),     STR_INIT(".wh.a"),    STR_INIT("a/.wh..opq"),  STR_INIT(".wh."),
        STR_INIT("a/.wh./b"), STR_INIT(".wh..wh."), STR_INIT("a/b/.wh.c/d"),
    };

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct entry entry = file(paths[i]);

        assert_refused(&entry, "path");
        entry = file(STR("fine"));
        entry.type = ENTRY_HARDLINK;
        entry.link = paths[i];
        assert_refused(&entry, "hard link target");
    }
}

static void names_that_only_look_like_deletions_pass(void **state)
{
    static const struct str paths[] = {STR_INIT(".wh"), STR_INIT("a.wh.b"), STR_INIT("a/.whx")};

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct entry entry = file(paths[i]);
        CLEANUP(buf_clear) struct buf out = {0};

        make(&out, &entry);
    }
}

static void symlinks_may_point_anywhere_but_not_at_nothing(void **state)
{
    struct entry entry = file(STR("a"));
    CLEANUP(buf_clear) struct buf out = {0};
    char link[4097];

    entry.type = ENTRY_SYMLINK;
    entry.link = STR("/../.wh.x//");
    make(&out, &entry);
    assert_string_equal(out.p + 157, "/../.wh.x//");
    entry.link = STR("");
    assert_refused(&entry, "target");
    entry.link = STR("b\0c");
    assert_refused(&entry, "target");
    memset(link, 'l', sizeof link);
    entry.link = (struct str){link, 4096};
    make(&out, &entry);
    entry.link.len = 4097;
    assert_refused(&entry, "target");
}

static void times_outside_the_field_are_refused(void **state)
{
    struct entry entry = file(STR("a"));
    CLEANUP(buf_clear) struct buf out = {0};

    entry.mtime = 8589934591;
    make(&out, &entry);
    assert_string_equal(out.p + 136, "77777777777");
    entry.mtime = 8589934592;
    assert_refused(&entry, "time 8589934592");
    entry.mtime = -1;
    assert_refused(&entry, "time -1");
}

static void padding_and_end_are_zero_blocks(void **state)
{
    static const uint64_t cases[][2] = {{0, 0},   {1, 511},   {511, 1},
                                        {512, 0}, {513, 511}, {UINT64_MAX, 1}};
    CLEANUP(buf_clear) struct buf out = {0};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(tar_padding(cases[i][0]), cases[i][1]);
    buf_puts(&out, "x");
    tar_end(&out);
    assert_int_equal(out.len, 1025);
    for (size_t i = 1; i < out.len; i++)
        assert_int_equal(out.p[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_one_block_of_known_bytes),
        cmocka_unit_test(types_have_their_flag_and_only_files_have_a_size),
        cmocka_unit_test(paths_are_split_where_ustar_allows_and_else_need_pax),
        cmocka_unit_test(pax_has_a_constant_name_and_only_what_does_not_fit),
        cmocka_unit_test(numbers_need_pax_from_their_edge_on),
        cmocka_unit_test(links_need_pax_beyond_100_bytes),
        cmocka_unit_test(capabilities_are_the_first_pax_record),
        cmocka_unit_test(pax_lengths_count_themselves),
        cmocka_unit_test(names_beyond_ascii_stay_as_they_are),
        cmocka_unit_test(unsafe_paths_are_refused),
        cmocka_unit_test(names_that_only_look_like_deletions_pass),
        cmocka_unit_test(symlinks_may_point_anywhere_but_not_at_nothing),
        cmocka_unit_test(times_outside_the_field_are_refused),
        cmocka_unit_test(padding_and_end_are_zero_blocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
