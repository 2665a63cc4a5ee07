/* tests/unit/test_zip.c - zips that are fit to be wheels, and many that are not. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "base/vec.h"
#include "io/inflate.h"
#include "io/zip.h"

/* One entry of a zip to be made, and what is wrong with it. */
struct part {
    const char *name, *text;
    bool deflate, descriptor, zip64;
    uint32_t mode;               /* Unix mode; 0: none */
    uint16_t flags;              /* or-ed to both headers */
    uint16_t method;             /* in both headers; 0: as it is */
    const char *local_name;      /* another name in the local header */
    uint32_t local_crc_xor;      /* another CRC there */
    uint32_t local_size_add;     /* other sizes there */
    size_t gap;                  /* bytes of nothing before it */
    bool again;                  /* the directory points at the entry before */
    uint16_t extra, local_extra; /* an extra field of this kind there, of 20 bytes */
    uint32_t attributes;         /* or-ed to the mode */
    uint16_t needs;              /* version of the format; 0: 2.0 */
};

static void le(struct buf *b, uint64_t n, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        buf_putc(b, (char)(n >> (8 * i) & 255));
}

/* A zip64 one says 4 GiB less a byte twice, so that it changes nothing. */
static void add_extra(struct buf *b, uint16_t kind)
{
    if (!kind)
        return;
    le(b, kind, 2);
    le(b, 16, 2);
    le(b, UINT32_MAX, 8);
    le(b, UINT32_MAX, 8);
}

static struct buf squeeze(const char *text)
{
    struct buf out = {0};
    z_stream z = {0};
    size_t room = strlen(text) + 100;

    deflateInit2(&z, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    z.next_in = (Bytef *)(uintptr_t)text;
    z.avail_in = (uInt)strlen(text);
    z.next_out = (Bytef *)buf_room(&out, room);
    z.avail_out = (uInt)room;
    deflate(&z, Z_FINISH);
    out.len = z.total_out;
    deflateEnd(&z);
    return out;
}

/* Append the local header and content to `out` and the directory's record to `directory`. */
static void add_part(struct buf *out, struct buf *directory, const struct part *p, uint64_t *last)
{
    struct buf data = {0}, packed = {0};
    uint32_t crc = (uint32_t)crc32_z(0, (const Bytef *)p->text, strlen(p->text));
    uint64_t size = strlen(p->text), at;
    uint16_t flags = (uint16_t)(p->flags | (p->descriptor ? 8 : 0));
    uint16_t method = p->method ? p->method : p->deflate ? 8 : 0;
    const char *local = p->local_name ? p->local_name : p->name;

    buf_puts(&data, p->text);
    packed = p->deflate ? squeeze(p->text) : data;
    for (size_t i = 0; i < p->gap; i++)
        buf_putc(out, 0);
    at = out->len;
    le(out, 0x04034b50, 4);
    le(out, p->zip64 ? 45 : 20, 2);
    le(out, flags, 2);
    le(out, method, 2);
    le(out, 0x21 | 0x5a21u << 16, 4); /* 2025-01-01 */
    le(out, p->descriptor ? 0 : crc ^ p->local_crc_xor, 4);
    le(out, p->descriptor ? 0 : p->zip64 ? UINT32_MAX : packed.len + p->local_size_add, 4);
    le(out, p->descriptor ? 0 : p->zip64 ? UINT32_MAX : size + p->local_size_add, 4);
    le(out, strlen(local), 2);
    le(out, (p->zip64 ? 20u : 0) + (p->local_extra ? 20u : 0), 2);
    buf_puts(out, local);
    add_extra(out, p->local_extra);
    if (p->zip64) {
        le(out, 1, 2);
        le(out, 16, 2);
        le(out, size, 8);
        le(out, packed.len, 8);
    }
    buf_str(out, buf_view(&packed));
    if (p->descriptor) {
        le(out, 0x08074b50, 4);
        le(out, crc, 4);
        le(out, packed.len, 4);
        le(out, size, 4);
    }
    le(directory, 0x02014b50, 4);
    le(directory, 3u << 8 | 20, 2);
    le(directory, p->needs ? p->needs : 20, 2);
    le(directory, flags, 2);
    le(directory, method, 2);
    le(directory, 0x21 | 0x5a21u << 16, 4);
    le(directory, crc, 4);
    le(directory, packed.len, 4);
    le(directory, size, 4);
    le(directory, strlen(p->name), 2);
    le(directory, p->extra ? 20 : 0, 2);
    le(directory, 0, 2);
    le(directory, 0, 2);
    le(directory, 0, 2);
    le(directory, (uint64_t)p->mode << 16 | p->attributes, 4);
    le(directory, p->again ? *last : at, 4);
    buf_puts(directory, p->name);
    add_extra(directory, p->extra);
    *last = at;
    if (p->deflate)
        buf_clear(&packed);
    buf_clear(&data);
}

static struct buf make(const struct part *parts, size_t n)
{
    struct buf out = {0}, directory = {0};
    uint64_t at, last = 0;

    for (size_t i = 0; i < n; i++)
        add_part(&out, &directory, &parts[i], &last);
    at = out.len;
    buf_str(&out, buf_view(&directory));
    le(&out, 0x06054b50, 4);
    le(&out, 0, 4);
    le(&out, n, 2);
    le(&out, n, 2);
    le(&out, directory.len, 4);
    le(&out, at, 4);
    le(&out, 0, 2);
    buf_clear(&directory);
    return out;
}

static void open_bytes(struct input *in, struct str bytes)
{
    in->name = "x.whl";
    in->fd = (struct fd){memfd_create("zip", MFD_CLOEXEC), true};
    in->size = bytes.len;
    assert_int_equal(write(in->fd.n, bytes.p, bytes.len), (ssize_t)bytes.len);
}

static int try_open(struct str bytes, struct err *e)
{
    CLEANUP(zip_clear) struct zip zip = {0};
    struct input in = {0};
    int result;

    open_bytes(&in, bytes);
    result = zip_open(&zip, &in, e);
    fd_clear(&in.fd);
    return result;
}

static const struct part good[] = {
    {.name = "a/", .text = "", .mode = 040755},
    {.name = "a/plain.txt", .text = "plain", .mode = 0100644},
    {.name = "a/run", .text = "echo echo echo echo echo", .deflate = true, .mode = 0100755},
    {.name = "a/later", .text = "later later later later", .deflate = true, .descriptor = true},
    {.name = "a/wide", .text = "wide wide wide wide", .deflate = true, .zip64 = true},
    {.name = "a/gr\xc3\xbc\xc3\x9f", .text = "hi", .flags = 1 << 11},
    {.name = "a/more", .text = "more", .extra = 0x5455, .local_extra = 0x7855},
    {.name = "x-1.dist-info/METADATA", .text = "Name: x\n", .deflate = true},
};

static void good_zips_are_read(void **state)
{
    CLEANUP(zip_clear) struct zip zip = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(inflater_clear) struct inflater *inflater = inflater_open();
    struct buf bytes = make(good, ARRAY_LEN(good));
    struct input in = {0};

    open_bytes(&in, buf_view(&bytes));
    if (zip_open(&zip, &in, &e) < 0)
        fail_msg("%s", e.msg);
    assert_int_equal(zip.entries.n, ARRAY_LEN(good));
    for (size_t i = 0; i < zip.entries.n; i++) {
        CLEANUP(buf_clear) struct buf text = {0};
        const struct zip_entry *z = zip_find(&zip, str_of(good[i].name));

        assert_non_null(z);
        assert_int_equal(z->directory, i == 0);
        assert_int_equal(z->executable, i == 0 || i == 2);
        assert_int_equal(z->mtime, 1735689662); /* 2025-01-01T00:01:02Z */
        if (content_read(inflater, &z->content, &text, 1000, "x", &e) < 0)
            fail_msg("%s", e.msg);
        assert_string_equal(text.p ? text.p : "", good[i].text);
    }
    assert_null(zip_find(&zip, STR("nothere")));
    fd_clear(&in.fd);
    buf_clear(&bytes);
}

static void one_member_is_found_by_ranges(void **state)
{
    CLEANUP(err_clear) struct err e = {0};
    struct buf bytes = make(good, ARRAY_LEN(good));
    struct str all = buf_view(&bytes), directory;
    struct zip_directory d;
    struct zip_member m;

    assert_int_equal(zip_locate(&d, str_sub(all, all.len - 10, 10), all.len, &e), 1);
    assert_int_equal(zip_locate(&d, str_sub(all, all.len - 41, 41), all.len, &e), 1);
    assert_int_equal(zip_locate(&d, str_sub(all, all.len - 42, 42), all.len, &e), 0);
    directory = str_sub(all, d.offset, d.size);
    assert_int_equal(zip_find_member(&m, &d, directory, STR(".dist-info/METADATA"), &e), 0);
    assert_int_equal(m.size, 8);
    assert_true(m.deflated);
    assert_int_equal(zip_find_member(&m, &d, directory, STR(".dist-info/RECORD"), &e), -1);
    buf_clear(&bytes);
}

static void bad_zips_are_refused(void **state)
{
    static const struct {
        const char *why;
        struct part parts[2];
        const char *says;
    } cases[] = {
        {"absolute", {{.name = "/etc/x", .text = "x"}}, "is not a safe name"},
        {"climbs", {{.name = "a/../x", .text = "x"}}, "is not a safe name"},
        {"backslash", {{.name = "a\\x", .text = "x"}}, "is not a safe name"},
        {"control", {{.name = "a\nx", .text = "x"}}, "is not a safe name"},
        {"twice", {{.name = "a", .text = "x"}, {.name = "a", .text = "x"}}, "twice"},
        {"file and folder", {{.name = "a", .text = "x"}, {.name = "a/", .text = ""}}, "twice"},
        {"encrypted", {{.name = "a", .text = "x", .flags = 1}}, "encrypted"},
        {"bzip2", {{.name = "a", .text = "x", .method = 12}}, "compressed"},
        {"symlink", {{.name = "a", .text = "x", .mode = 0120777}}, "neither file"},
        {"full folder", {{.name = "a/", .text = "x"}}, "folder with content"},
        {"other local name", {{.name = "a", .text = "x", .local_name = "b"}}, "local header"},
        {"other local CRC", {{.name = "a", .text = "x", .local_crc_xor = 1}}, "local header"},
        {"other local size", {{.name = "a", .text = "x", .local_size_add = 1}}, "local header"},
        {"gap", {{.name = "a", .text = "x"}, {.name = "b", .text = "y", .gap = 1}}, "gap"},
        {"prefix", {{.name = "a", .text = "x", .gap = 3}}, "gap"},
        {"not ASCII", {{.name = "gr\xfc\xdf", .text = "x"}}, "no flag says that it is UTF-8"},
        {"no flag", {{.name = "gr\xc3\xbc", .text = "x"}}, "no flag says that it is UTF-8"},
        {"not UTF-8", {{.name = "gr\xfc", .text = "x", .flags = 1 << 11}}, "is not UTF-8"},
        {"overlong", {{.name = "a\xc0\xaf", .text = "x", .flags = 1 << 11}}, "is not UTF-8"},
        {"surrogate", {{.name = "a\xed\xa0\x80", .text = "x", .flags = 1 << 11}}, "is not UTF-8"},
        {"too high", {{.name = "\xf4\x90\x80\x80", .text = "x", .flags = 1 << 11}}, "not UTF-8"},
        {"cut", {{.name = "a\xe2\x82", .text = "x", .flags = 1 << 11}}, "is not UTF-8"},
        {"two names", {{.name = "a", .text = "x", .extra = 0x7075}}, "second name"},
        {"two names here", {{.name = "a", .text = "x", .local_extra = 0x7075}}, "second name"},
        {"two zip64",
         {{.name = "a", .text = "x", .zip64 = true, .local_extra = 1}},
         "local header"},
        {"later", {{.name = "a", .text = "x", .needs = 64}}, "needs a later version"},
        {"patch", {{.name = "a", .text = "x", .flags = 1 << 5}}, "a patch"},
        {"folder by mode", {{.name = "a", .text = "x", .mode = 040755}}, "a folder by its attr"},
        {"folder by DOS", {{.name = "a", .text = "x", .attributes = 16}}, "a folder by its attr"},
        {"overlap",
         {{.name = "a", .text = "x"}, {.name = "b", .text = "y", .again = true}},
         "overlaps"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(err_clear) struct err e = {0};
        struct buf bytes = make(cases[i].parts, cases[i].parts[1].name ? 2 : 1);

        if (try_open(buf_view(&bytes), &e) == 0)
            fail_msg("%s is taken", cases[i].why);
        assert_int_equal(e.kind, ERR_INPUT);
        if (!strstr(e.msg, cases[i].says))
            fail_msg("%s: %s", cases[i].why, e.msg);
        buf_clear(&bytes);
    }
}

static void a_comment_hides_no_other_zip(void **state)
{
    static const struct part outer[] = {{.name = "a", .text = "seen by us"}},
                             inner[] = {{.name = "a", .text = "seen by others"}};
    struct buf bytes = make(outer, 1), hidden = make(inner, 1);

    bytes.len -= 2;
    le(&bytes, 5, 2);
    buf_puts(&bytes, "words");
    {
        CLEANUP(err_clear) struct err e = {0};

        if (try_open(buf_view(&bytes), &e) < 0)
            fail_msg("%s", e.msg);
    }
    bytes.len -= 7;
    le(&bytes, hidden.len + 1, 2);
    buf_str(&bytes, buf_view(&hidden));
    buf_puts(&bytes, "!"); /* so that the inner end record is not the file's end */
    for (int i = 0; i < 2; i++) {
        CLEANUP(err_clear) struct err e = {0};

        assert_int_equal(try_open(buf_view(&bytes), &e), -1);
        assert_non_null(strstr(e.msg, i ? "not where" : "more than one"));
        bytes.len--; /* now it is, and what stands before it does not belong to it */
        bytes.p[bytes.len - hidden.len - 2]--;
    }
    buf_clear(&hidden);
    buf_clear(&bytes);
}

/* Some readers heed a zip64 record also where the end record has no need of it. */
static void zip64_records_say_what_the_end_record_says(void **state)
{
    static const struct {
        const char *why;
        uint64_t size_add, narrow; /* narrow: the end record tells the numbers too */
        bool locator, good;
    } cases[] = {
        {"wide", 0, false, true, true},
        {"both", 0, true, true, true},
        {"both, and they differ", 1, true, true, false},
        {"wide without a locator", 0, false, false, false},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(err_clear) struct err e = {0};
        static const struct part parts[] = {{.name = "a", .text = "x"}};
        struct buf bytes = make(parts, 1);
        char end[22];
        uint32_t size, offset;
        uint64_t at = bytes.len - sizeof end;

        memcpy(end, bytes.p + at, sizeof end);
        memcpy(&size, end + 12, 4);
        memcpy(&offset, end + 16, 4);
        bytes.len = at;
        le(&bytes, 0x06064b50, 4);
        le(&bytes, 44, 8);
        le(&bytes, 45 | 45u << 16, 4);
        le(&bytes, 0, 8);
        le(&bytes, 1, 8);
        le(&bytes, 1, 8);
        le(&bytes, size + cases[i].size_add, 8);
        le(&bytes, offset, 8);
        le(&bytes, cases[i].locator ? 0x07064b50 : 0, 4);
        le(&bytes, 0, 4);
        le(&bytes, at, 8);
        le(&bytes, 1, 4);
        if (!cases[i].narrow)
            memset(end + 12, 0xff, 8);
        buf_add(&bytes, end, sizeof end);
        if ((try_open(buf_view(&bytes), &e) == 0) != cases[i].good)
            fail_msg("%s: %s", cases[i].why, cases[i].good ? e.msg : "is taken");
        buf_clear(&bytes);
    }
}

static void two_members_of_a_kind_are_refused_by_ranges(void **state)
{
    static const struct part parts[] = {{.name = "x-1.dist-info/METADATA", .text = "a"},
                                        {.name = "y-1.dist-info/METADATA", .text = "b"}};
    CLEANUP(err_clear) struct err e = {0};
    struct buf bytes = make(parts, 2);
    struct zip_directory d;
    struct zip_member m;

    assert_int_equal(zip_locate(&d, buf_view(&bytes), bytes.len, &e), 0);
    assert_int_equal(zip_find_member(&m, &d, str_sub(buf_view(&bytes), d.offset, d.size),
                                     STR(".dist-info/METADATA"), &e),
                     -1);
    assert_string_equal(e.msg, "more than one *.dist-info/METADATA in it");
    buf_clear(&bytes);
}

/* No cut, and no changed byte of the framing, may crash; a cut is always refused. */
static void cuts_and_flips_never_crash(void **state)
{
    struct buf bytes = make(good, ARRAY_LEN(good));
    size_t len = bytes.len;

    for (size_t i = 0; i < len; i++) {
        CLEANUP(err_clear) struct err e = {0};

        if (try_open(str_sub(buf_view(&bytes), 0, i), &e) == 0)
            fail_msg("cut at %zu is taken", i);
    }
    for (size_t i = 0; i < len; i++) {
        CLEANUP(err_clear) struct err e = {0};

        bytes.p[i] ^= 0x55;
        if (try_open(buf_view(&bytes), &e) < 0)
            assert_true(err_is_set(&e));
        bytes.p[i] ^= 0x55;
    }
    buf_putc(&bytes, 'x');
    CLEANUP(err_clear) struct err e = {0};
    assert_int_equal(try_open(buf_view(&bytes), &e), -1); /* something behind the end */
    buf_clear(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_zips_are_read),
        cmocka_unit_test(one_member_is_found_by_ranges),
        cmocka_unit_test(bad_zips_are_refused),
        cmocka_unit_test(a_comment_hides_no_other_zip),
        cmocka_unit_test(zip64_records_say_what_the_end_record_says),
        cmocka_unit_test(two_members_of_a_kind_are_refused_by_ranges),
        cmocka_unit_test(cuts_and_flips_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
