/* SPDX-License-Identifier: Apache-2.0 */
#include "io/gzip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <zlib.h>

#include "io/deflate.h"

static void head_says_nothing_about_this_machine(void **state)
{
    const unsigned char want[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff};

    assert_int_equal(sizeof gzip_head, sizeof want);
    assert_memory_equal(gzip_head, want, sizeof want);
}

static void tail_is_little_endian_and_wraps_at_4_gib(void **state)
{
    static const struct {
        uint32_t crc;
        uint64_t size;
        unsigned char want[GZIP_TAIL];
    } cases[] = {
        {0, 0, {0}},
        {0x01020304, 0x0a0b0c0d, {4, 3, 2, 1, 0x0d, 0x0c, 0x0b, 0x0a}},
        {0xffffffff, 0xffffffff, {255, 255, 255, 255, 255, 255, 255, 255}},
        {1, 0x100000002, {1, 0, 0, 0, 2, 0, 0, 0}},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned char tail[GZIP_TAIL];

        gzip_tail(tail, cases[i].crc, cases[i].size);
        assert_memory_equal(tail, cases[i].want, GZIP_TAIL);
    }
}

static void add_member(struct buf *out, struct str text)
{
    unsigned char tail[GZIP_TAIL];

    buf_add(out, gzip_head, GZIP_HEAD);
    deflate_fixed1(out, text.p, text.len);
    gzip_tail(tail, (uint32_t)crc32(0, (const Bytef *)text.p, (uInt)text.len), text.len);
    buf_add(out, tail, GZIP_TAIL);
}

static void framed_members_are_what_zlib_reads(void **state)
{
    CLEANUP(buf_clear) struct buf file = {0};
    z_stream z = {0};
    char text[64];

    add_member(&file, STR("one and "));
    add_member(&file, STR(""));
    add_member(&file, STR("two"));
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    z.next_in = (Bytef *)file.p;
    z.avail_in = (uInt)file.len;
    z.next_out = (Bytef *)text;
    z.avail_out = sizeof text;
    for (int member = 0; member < 3; member++) {
        assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
        if (member < 2)
            assert_int_equal(inflateReset(&z), Z_OK);
    }
    assert_int_equal(z.avail_in, 0);
    assert_int_equal(sizeof text - z.avail_out, 11);
    assert_memory_equal(text, "one and two", 11);
    inflateEnd(&z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_says_nothing_about_this_machine),
        cmocka_unit_test(tail_is_little_endian_and_wraps_at_4_gib),
        cmocka_unit_test(framed_members_are_what_zlib_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
