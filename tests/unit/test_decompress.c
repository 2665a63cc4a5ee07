/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>

#include "io/decompress.h"

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
    CLEANUP(source_clear) struct source *d = decompress(source_bytes(packed, "x"));

    d->limit = limit;
    return source_read_all(d, out, UINT64_MAX, e);
}

static void text_comes_back_from_each_compression(void **state)
{
    static const char *const filters[] = {"xz", "gzip", "zstd", "bzip2", NULL};
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
    static const char *const filters[] = {"xz", "gzip", "zstd", "bzip2", NULL};

    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        CLEANUP(buf_clear) struct buf packed = {0}, out = {0};
        CLEANUP(err_clear) struct err e = {0};

        squeeze(&packed, filters[i], STR(""));
        if (plain(&out, buf_view(&packed), 10, &e) < 0)
            fail_msg("%s", e.msg);
        assert_int_equal(out.len, 0);
    }
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
    static const char *const filters[] = {"xz", "gzip", "zstd", "bzip2"};
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
        assert_int_equal(e.kind, i == 1 ? ERR_INTEGRITY : ERR_INPUT); /* gzip has a CRC */
    }
}

static int failing_read(struct source *self, void *to, size_t len, size_t *got, struct err *e)
{
    return err_set(e, ERR_NET, "the line broke");
}

static void a_fault_of_the_source_stays_what_it_is(void **state)
{
    struct source *in = xcalloc(1, sizeof *in);
    CLEANUP(source_clear) struct source *d = NULL;
    char byte;
    size_t got;

    source_init(in, failing_read, NULL, NULL);
    d = decompress(in);
    for (int i = 0; i < 2; i++) { /* and so the next time */
        CLEANUP(err_clear) struct err e = {0};

        assert_int_equal(source_read(d, &byte, 1, &got, &e), -1);
        assert_int_equal(e.kind, ERR_NET);
        assert_string_equal(e.msg, "the line broke");
    }
}

static void more_than_a_thousand_times_is_refused(void **state)
{
    static const char *const filters[] = {"zstd", "gzip"};
    CLEANUP(buf_clear) struct buf zeros = {0};
    enum { BIG = 200 * 1024 * 1024 };

    memset(buf_room(&zeros, BIG), 0, BIG);
    for (size_t i = 0; i < ARRAY_LEN(filters); i++)
        for (int big = 0; big < 2; big++) {
            CLEANUP(buf_clear) struct buf packed = {0}, out = {0};
            CLEANUP(err_clear) struct err e = {0};

            zeros.len = big ? BIG : SOURCE_FREE; /* so much is always allowed */
            squeeze(&packed, filters[i], buf_view(&zeros));
            assert_true(packed.len < zeros.len / SOURCE_RATIO);
            assert_int_equal(plain(&out, buf_view(&packed), UINT64_MAX, &e), big ? -1 : 0);
            if (big)
                assert_string_equal(e.msg, "x unpacks to more than 1000 times its size");
        }
}

/* RFC 8878: frames to be skipped may stand anywhere, and more than one of data. */
static void zstd_frames_of_all_kinds_are_taken(void **state)
{
    static const char skip[] = "\x5a\x2a\x4d\x18\4\0\0\0abcd";
    CLEANUP(buf_clear) struct buf one = {0}, two = {0}, packed = {0}, out = {0};
    CLEANUP(err_clear) struct err e = {0};

    squeeze(&one, "zstd", STR("one "));
    squeeze(&two, "zstd", STR("two"));
    buf_add(&packed, skip, 12);
    buf_str(&packed, buf_view(&one));
    buf_add(&packed, skip, 12);
    buf_str(&packed, buf_view(&two));
    buf_add(&packed, skip, 12);
    if (plain(&out, buf_view(&packed), 100, &e) < 0)
        fail_msg("%s", e.msg);
    assert_string_equal(out.p, "one two");
}

static void what_was_packed_twice_is_unpacked_once(void **state)
{
    static const char *const filters[] = {"gzip", "xz", "zstd", "bzip2"};

    for (size_t i = 0; i < ARRAY_LEN(filters); i++)
        for (size_t k = 0; k < ARRAY_LEN(filters); k++) {
            CLEANUP(buf_clear) struct buf inner = {0}, packed = {0}, out = {0};
            CLEANUP(err_clear) struct err e = {0};

            squeeze(&inner, filters[i], STR("text"));
            squeeze(&packed, filters[k], buf_view(&inner));
            if (plain(&out, buf_view(&packed), 1000, &e) < 0)
                fail_msg("%s", e.msg);
            assert_true(str_eq(buf_view(&out), buf_view(&inner)));
        }
}

static void zeros_behind_gzip_are_padding(void **state)
{
    CLEANUP(buf_clear) struct buf packed = {0}, out = {0};
    CLEANUP(err_clear) struct err e = {0};

    squeeze(&packed, "gzip", STR("text"));
    buf_add(&packed, "\0\0\0\0\0\0\0\0\0\0", 10);
    assert_int_equal(plain(&out, buf_view(&packed), 4, &e), 0);
    assert_string_equal(out.p, "text");
}

static bool say_stop(void *ctx)
{
    return (*(int *)ctx)-- <= 0;
}

static void who_is_interrupted_stops(void **state)
{
    CLEANUP(buf_clear) struct buf zeros = {0}, packed = {0}, out = {0};
    CLEANUP(err_clear) struct err e = {0};
    int reads = 20;
    struct events events = {.cancelled = say_stop, .ctx = &reads};
    struct source *in;
    CLEANUP(source_clear) struct source *d = NULL;

    memset(buf_room(&zeros, SOURCE_FREE), 0, SOURCE_FREE);
    zeros.len = SOURCE_FREE;
    squeeze(&packed, "zstd", buf_view(&zeros));
    in = source_bytes(buf_view(&packed), "x");
    in->events = &events;
    d = decompress(in);
    assert_int_equal(source_read_all(d, &out, UINT64_MAX, &e), -1);
    assert_int_equal(e.kind, ERR_INTERRUPTED);
    assert_true(out.len < SOURCE_FREE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_comes_back_from_each_compression),
        cmocka_unit_test(nothing_comes_back_as_nothing),
        cmocka_unit_test(more_than_the_limit_is_refused),
        cmocka_unit_test(more_than_a_thousand_times_is_refused),
        cmocka_unit_test(a_cut_stream_is_refused),
        cmocka_unit_test(a_fault_of_the_source_stays_what_it_is),
        cmocka_unit_test(zstd_frames_of_all_kinds_are_taken),
        cmocka_unit_test(what_was_packed_twice_is_unpacked_once),
        cmocka_unit_test(zeros_behind_gzip_are_padding),
        cmocka_unit_test(who_is_interrupted_stops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
