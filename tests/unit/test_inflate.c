/* tests/unit/test_inflate.c - a stream must end where it says, and hold what it says. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/deflate.h"
#include "io/inflate.h"

struct buf_sink {
    struct sink sink;
    struct buf bytes;
};

static int buf_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    buf_add(&((struct buf_sink *)self)->bytes, bytes, len);
    return 0;
}

/* A source that gives a few bytes at a time. */
struct drip {
    struct source source;
    struct str rest;
};

static int drip_read(struct source *self, void *to, size_t len, size_t *got, struct err *e)
{
    struct drip *d = (struct drip *)self;
    size_t n = len < 3 ? len : 3;

    *got = n < d->rest.len ? n : d->rest.len;
    if (*got)
        memcpy(to, d->rest.p, *got);
    d->rest = str_sub(d->rest, *got, d->rest.len);
    return 0;
}

static int run(struct str packed, uint64_t size, uint32_t crc, struct buf_sink *to,
               struct buf_sink *copy, struct err *e)
{
    CLEANUP(inflater_clear) struct inflater *inflater = inflater_open();
    struct drip in = {{drip_read}, packed};

    to->sink.write = copy->sink.write = buf_write;
    return inflate_exact(inflater, &in.source, packed.len, size, crc, &to->sink, &copy->sink, "x",
                         e);
}

static void a_sound_stream_comes_out_and_is_copied(void **state)
{
    static const size_t sizes[] = {0, 1, 1000, 262143, 262144, 262145, 700000};

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        CLEANUP(deflater_clear) struct deflater *d = deflater_open();
        CLEANUP(buf_clear) struct buf plain = {0}, packed = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct buf_sink to = {0}, copy = {0};

        for (size_t k = 0; k < sizes[i]; k++)
            buf_putc(&plain, (char)(k * k >> 7));
        deflate_1(d, &packed, plain.p, plain.len);
        if (run(buf_view(&packed), plain.len, crc32_add(0, plain.p, plain.len), &to, &copy, &e) < 0)
            fail_msg("%zu: %s", sizes[i], e.msg);
        assert_true(str_eq(buf_view(&to.bytes), buf_view(&plain)));
        assert_true(str_eq(buf_view(&copy.bytes), buf_view(&packed)));
        buf_clear(&to.bytes);
        buf_clear(&copy.bytes);
    }
}

static void lies_are_refused(void **state)
{
    static const char text[] = "the same words, the same words, the same words again";
    static const struct {
        const char *why;
        int cut, size_add, crc_xor;
        const char *behind;
    } cases[] = {
        {"cut", 1, 0, 0, ""},
        {"cut to nothing", 1000, 0, 0, ""},
        {"too small", 0, -1, 0, ""},
        {"too large", 0, 1, 0, ""},
        {"wrong CRC", 0, 0, 1, ""},
        {"one byte behind", 0, 0, 0, "x"},
        {"eight bytes behind", 0, 0, 0, "xxxxxxxx"},
        {"a second stream behind", 0, 0, 0, "\003"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(deflater_clear) struct deflater *d = deflater_open();
        CLEANUP(buf_clear) struct buf packed = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct buf_sink to = {0}, copy = {0};
        size_t len = sizeof text - 1;

        deflate_1(d, &packed, text, len);
        packed.len -= (size_t)cases[i].cut < packed.len ? (size_t)cases[i].cut : packed.len;
        buf_puts(&packed, cases[i].behind);
        if (run(buf_view(&packed), len + (size_t)cases[i].size_add,
                crc32_add(0, text, len) ^ (uint32_t)cases[i].crc_xor, &to, &copy, &e) == 0)
            fail_msg("%s is taken", cases[i].why);
        assert_int_equal(e.kind, ERR_INTEGRITY);
        buf_clear(&to.bytes);
        buf_clear(&copy.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_stream_comes_out_and_is_copied),
        cmocka_unit_test(lies_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
