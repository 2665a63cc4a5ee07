/* SPDX-License-Identifier: Apache-2.0 */
#include "mkdeb.h"
#include <archive.h>
#include <archive_entry.h>
#include "io/unpack.h"

/* `bytes` squeezed by the filter of that name ("xz", "gzip", "zstd"), or as they are when NULL. */
static void squeeze(struct buf *out, const char *filter, struct str bytes)
{
    size_t room = bytes.len + 65536, used = 0;

    if (!filter) {
        buf_str(out, bytes);
        return;
    }
    struct archive *a = archive_write_new();
    struct archive_entry *entry = archive_entry_new();

    archive_write_add_filter_by_name(a, filter);
    archive_write_set_format_raw(a);
    assert_int_equal(archive_write_open_memory(a, buf_room(out, room), room, &used), ARCHIVE_OK);
    archive_entry_set_filetype(entry, AE_IFREG);
    assert_int_equal(archive_write_header(a, entry), ARCHIVE_OK);
    assert_int_equal(archive_write_data(a, bytes.p, bytes.len), (la_ssize_t)bytes.len);
    archive_write_close(a);
    archive_entry_free(entry);
    archive_write_free(a);
    out->len += used;
}

static int plain(struct buf *out, struct str packed, uint64_t limit, struct err *e)
{
    CLEANUP(decompress_clear) struct decompressor *d = NULL;
    struct source_bytes in;

    source_bytes_init(&in, packed);
    if (decompress_open(&d, &in.source, limit, "x", e) < 0)
        return -1;
    return source_read_all(decompress_source(d), out, limit + 1, "x", e);
}

static void text_comes_back_from_each_compression(void **state)
{
    static const char *const filters[] = {"xz", "gzip", "zstd", NULL};
    CLEANUP(buf_clear) struct buf text = {0};

    for (int i = 0; i < 30000; i++)
        buf_fmt(&text, "line %d\n", i);
    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        CLEANUP(buf_clear) struct buf packed = {0};
        CLEANUP(buf_clear) struct buf out = {0};
        CLEANUP(err_clear) struct err e = {0};
        squeeze(&packed, filters[i], buf_view(&text));
        assert_int_equal(plain(&out, buf_view(&packed), text.len, &e), 0);
        assert_true(str_eq(buf_view(&out), buf_view(&text)));
    }
}

static void nothing_comes_back_as_nothing(void **state)
{
    CLEANUP(buf_clear) struct buf out = {0};
    CLEANUP(err_clear) struct err e = {0};

    assert_int_equal(plain(&out, STR(""), 10, &e), 0);
    assert_int_equal(out.len, 0);
}

static void more_than_the_limit_is_refused(void **state)
{
    CLEANUP(buf_clear) struct buf packed = {0};
    CLEANUP(buf_clear) struct buf out = {0};
    CLEANUP(err_clear) struct err e = {0};

    squeeze(&packed, "xz", STR("0123456789"));
    assert_int_equal(plain(&out, buf_view(&packed), 9, &e), -1);
    assert_string_equal(e.msg, "x unpacks to more than 9 bytes, the most allowed");
}

static void a_cut_stream_is_refused(void **state)
{
    static const char *const filters[] = {"xz", "gzip", "zstd"};
    CLEANUP(buf_clear) struct buf text = {0};

    for (int i = 0; i < 9999; i++)
        buf_fmt(&text, "%d,", i * i);
    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        CLEANUP(buf_clear) struct buf packed = {0};
        CLEANUP(buf_clear) struct buf out = {0};
        CLEANUP(err_clear) struct err e = {0};
        squeeze(&packed, filters[i], buf_view(&text));
        assert_int_equal(plain(&out, str_sub(buf_view(&packed), 0, packed.len / 2), 1 << 20, &e),
                         -1);
        assert_int_equal(e.kind, ERR_INPUT);
    }
}

static int failing_read(struct source *self, void *to, size_t len, size_t *got, struct err *e)
{
    return err_set(e, ERR_NET, "the line broke");
}

static void a_fault_of_the_source_stays_what_it_is(void **state)
{
    CLEANUP(decompress_clear) struct decompressor *d = NULL;
    CLEANUP(err_clear) struct err e = {0};
    struct source in = {failing_read};

    assert_int_equal(decompress_open(&d, &in, 10, "x", &e), -1);
    assert_int_equal(e.kind, ERR_NET);
    assert_string_equal(e.msg, "the line broke");
}

static int describe(void *ctx, const struct unpacked *u, struct source *data, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};
    struct buf *out = ctx;

    if (u->entry.type == ENTRY_FILE && source_read_all(data, &text, 99, "data", e) < 0)
        return -1;
    buf_fmt(out, "%c " STR_FMT " %o " STR_FMT ":" STR_FMT " " STR_FMT " %s\n",
            "fdlh"[u->entry.type], STR_ARG(u->entry.path), u -> entry.mode, STR_ARG(u->uname),
            STR_ARG(u->gname), STR_ARG(u->entry.link), text.p ? text.p : "");
    return 0;
}

static int walk(struct buf *out, struct str tar, struct err *e)
{
    struct source_bytes in;

    source_bytes_init(&in, tar);
    return untar(&in.source, "t", describe, out, e);
}

static void a_tar_is_walked_in_order(void **state)
{
    static const struct mk entries[] = {
        MK_DIR("./", 0755),
        MK_DIR("./a/", 01777),
        MK_OWNED("./a/f", 04755, "hello", "root", "staff"),
        MK_LINK("./a/l", "../f"),
        MK_HARD("./a/h", "./a/f"),
    };
    CLEANUP(buf_clear) struct buf tar = {0};
    CLEANUP(buf_clear) struct buf out = {0};
    CLEANUP(err_clear) struct err e = {0};

    for (size_t i = 0; i < ARRAY_LEN(entries); i++)
        mk_tar(&tar, &entries[i]);
    mk_tar_end(&tar);
    assert_int_equal(walk(&out, buf_view(&tar), &e), 0);
    assert_string_equal(out.p, "d  755 root:root  \n"
                               "d a 1777 root:root  \n"
                               "f a/f 4755 root:staff  hello\n"
                               "l a/l 777 root:root ../f \n"
                               "h a/h 644 root:root a/f \n");
}

static void unsafe_entries_are_refused(void **state)
{
    static const struct {
        struct mk entry;
        const char *says;
    } cases[] = {
        {MK_FILE("/etc/passwd", 0644, "x"), "t: \"/etc/passwd\" is not a safe path"},
        {MK_FILE("./../x", 0644, "x"), "t: \"./../x\" is not a safe path"},
        {MK_FILE("./a//b", 0644, "x"), "t: \"./a//b\" is not a safe path"},
        {MK_FILE("./a/./b", 0644, "x"), "t: \"./a/./b\" is not a safe path"},
        {MK_OTHER("./null", '3'), "t: \"./null\": neither file, folder nor link; only these may "
                                  "enter an image"},
        {MK_OTHER("./pipe", '6'), "t: \"./pipe\": neither file, folder nor link; only these may "
                                  "enter an image"},
        {MK_HARD("./h", "../x"), "t: \"./h\": a hard link to \"../x\" leads outside"},
        {MK_HARD("./h", "/etc/shadow"), "t: \"./h\": a hard link to \"/etc/shadow\" leads outside"},
        {MK_LINK("./l", ""), "t: \"./l\": a symbolic link without a usable target"},
        {MK_FILE(".", 0644, "x"), "t: the root is not a folder"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf tar = {0};
        CLEANUP(buf_clear) struct buf out = {0};
        CLEANUP(err_clear) struct err e = {0};
        mk_tar(&tar, &cases[i].entry);
        mk_tar_end(&tar);
        assert_int_equal(walk(&out, buf_view(&tar), &e), -1);
        assert_string_equal(e.msg, cases[i].says);
        assert_int_equal(e.kind, ERR_INPUT);
    }
}

static void a_cut_tar_is_refused(void **state)
{
    CLEANUP(buf_clear) struct buf tar = {0};
    CLEANUP(buf_clear) struct buf out = {0};
    CLEANUP(err_clear) struct err e = {0};

    mk_tar(&tar, &(struct mk)MK_FILE("./f", 0644, "hello"));
    assert_int_equal(walk(&out, str_sub(buf_view(&tar), 0, 514), &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
}

static void a_bomb_is_refused(void **state)
{
    enum { BIG = 200 * 1024 * 1024 };
    CLEANUP(buf_clear) struct buf tar = {0};
    CLEANUP(buf_clear) struct buf packed = {0};
    CLEANUP(buf_clear) struct buf out = {0};
    CLEANUP(err_clear) struct err e = {0};
    char size[13];

    mk_tar(&tar, &(struct mk)MK_FILE("./f", 0644, NULL));
    snprintf(size, sizeof size, "%011o", BIG);
    memcpy(tar.p + 124, size, 12);
    memset(tar.p + 148, ' ', 8);
    unsigned sum = 0;
    for (int i = 0; i < 512; i++)
        sum += (unsigned char)tar.p[i];
    snprintf(tar.p + 148, 8, "%06o", sum);
    memset(buf_room(&tar, BIG), 0, BIG);
    tar.len += BIG;
    mk_tar_end(&tar);
    squeeze(&packed, "zstd", buf_view(&tar));
    assert_true(packed.len < BIG / 1000);
    assert_int_equal(walk(&out, buf_view(&packed), &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_comes_back_from_each_compression),
        cmocka_unit_test(nothing_comes_back_as_nothing),
        cmocka_unit_test(more_than_the_limit_is_refused),
        cmocka_unit_test(a_cut_stream_is_refused),
        cmocka_unit_test(a_fault_of_the_source_stays_what_it_is),
        cmocka_unit_test(a_tar_is_walked_in_order),
        cmocka_unit_test(unsafe_entries_are_refused),
        cmocka_unit_test(a_cut_tar_is_refused),
        cmocka_unit_test(a_bomb_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
