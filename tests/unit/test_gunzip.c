/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "io/deflate.h"
#include "io/gunzip.h"
#include "io/gzip.h"
#include "io/inflate.h"

/* A source that gives at most `step` bytes at once. */
struct slow {
    struct source source;
    struct str rest;
    size_t step;
};

static int slow_read(struct source *self, void *to, size_t len, size_t *got, struct err *e)
{
    struct slow *s = (struct slow *)self;

    *got = s->step < len ? s->step : len;
    *got = *got < s->rest.len ? *got : s->rest.len;
    memcpy(to, s->rest.p, *got);
    s->rest = str_sub(s->rest, *got, s->rest.len);
    return 0;
}

static struct source *slow(struct str rest, size_t step)
{
    struct slow *s = xcalloc(1, sizeof *s);

    source_init(&s->source, slow_read, NULL, NULL);
    s->source.name = "x.gz";
    s->rest = rest;
    s->step = step;
    return &s->source;
}

enum { EXTRA = 4, NAME = 8, COMMENT = 16, HEADER_CRC = 2 };

/* One member; `flags` of RFC 1952 bring their fields. */
static void member(struct buf *out, struct str plain, unsigned flags)
{
    unsigned char head[GZIP_HEAD], tail[GZIP_TAIL];
    struct deflater *d = deflater_open();

    memcpy(head, gzip_head, sizeof head);
    head[3] = (unsigned char)flags;
    buf_add(out, head, sizeof head);
    if (flags & EXTRA)
        buf_add(out, "\x05\0abcde", 7);
    if (flags & NAME)
        buf_add(out, "a name", 7);
    if (flags & COMMENT)
        buf_add(out, "", 1);
    if (flags & HEADER_CRC)
        buf_add(out, "zz", 2);
    deflate_1(d, out, plain.p, plain.len);
    gzip_tail(tail, crc32_add(0, plain.p, plain.len), plain.len);
    buf_add(out, tail, sizeof tail);
    deflater_clear(&d);
}

static int gunzip_all(struct buf *out, struct str in, size_t step, size_t chunk, struct err *e)
{
    CLEANUP(source_clear) struct source *g = gunzip(slow(in, step));
    CLEANUP(free_clear) char *bytes = xmalloc(chunk);
    size_t got = 1;

    while (got) {
        if (source_read(g, bytes, chunk, &got, e) < 0)
            return -1;
        buf_add(out, bytes, got);
    }
    return 0;
}

/* Text that deflate makes smaller, but not by much. */
static void letters(struct buf *out, size_t n)
{
    uint32_t x = 1;

    for (size_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        buf_putc(out, (char)('a' + (x >> 24) % 7));
    }
}

static void members_of_all_kinds_are_taken(void **state)
{
    CLEANUP(buf_clear) struct buf big = {0};

    letters(&big, 700000);
    static const unsigned flags[] = {
        0, EXTRA, NAME, COMMENT, HEADER_CRC, EXTRA | NAME | COMMENT | HEADER_CRC, NAME, 0};
    static const size_t steps[] = {1, 2, 7, 4096, 1 << 20}, chunks[] = {1, 100, 256 * 1024};

    for (size_t s = 0; s < ARRAY_LEN(steps); s++)
        for (size_t c = 0; c < ARRAY_LEN(chunks); c++) {
            CLEANUP(buf_clear) struct buf in = {0}, want = {0}, got = {0};
            CLEANUP(err_clear) struct err e = {0};
            size_t most = steps[s] * chunks[c] < 64 ? 3000 : big.len;

            for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
                struct str part = str_sub(buf_view(&big), 0, i == 3 ? 0 : i == 7 ? most : 1000 * i);

                member(&in, part, flags[i]);
                buf_str(&want, part);
            }
            buf_add(&in, "\0\0\0", 4); /* a tape's padding */
            if (gunzip_all(&got, buf_view(&in), steps[s], chunks[c], &e) < 0)
                fail_msg("step %zu, chunk %zu: %s", steps[s], chunks[c], e.msg);
            assert_int_equal(got.len, want.len);
            assert_memory_equal(got.p, want.p, want.len);
        }
}

static void what_is_cut_or_changed_is_told(void **state)
{
    CLEANUP(buf_clear) struct buf plain = {0}, in = {0};
    size_t silent = 0;

    letters(&plain, 300);
    member(&in, buf_view(&plain), NAME);
    member(&in, STR("end"), 0);
    for (size_t i = 0; i < in.len; i++) {
        CLEANUP(buf_clear) struct buf got = {0};
        CLEANUP(err_clear) struct err e = {0};
        bool between = i == in.len - 23; /* a whole member and nothing more */

        if ((gunzip_all(&got, str_sub(buf_view(&in), 0, i), 64, 100, &e) < 0) == between)
            fail_msg("cut at %zu of %zu: %s", i, in.len, between ? e.msg : "nothing is said");
        assert_true(between || e.kind == ERR_INTEGRITY);
    }
    for (size_t i = 0; i < in.len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            CLEANUP(buf_clear) struct buf got = {0};
            CLEANUP(err_clear) struct err e = {0};

            in.p[i] = (char)(in.p[i] ^ (1 << bit));
            if (gunzip_all(&got, buf_view(&in), 64, 100, &e) == 0)
                silent++;
            in.p[i] = (char)(in.p[i] ^ (1 << bit));
        }
    /* Time, level and system of both headers mean nothing, the name neither, nor do the flag for
     * text and the bits behind the last block; all else is told. */
    assert_in_range(silent, 1, (2 * (4 + 1 + 1) + 6) * 8 + 2 + 2 * 7);
}

static void what_is_no_gzip_is_told(void **state)
{
    static const char *const cases[] = {"", "x", "\x1f", "\x1f\x8b", "\x1f\x8b\x07\0\0\0\0\0\0\0"};
    CLEANUP(buf_clear) struct buf more = {0};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf got = {0};
        CLEANUP(err_clear) struct err e = {0};

        assert_int_equal(gunzip_all(&got, str_of(cases[i]), 64, 100, &e), -1);
        assert_int_equal(e.kind, ERR_INTEGRITY);
    }
    member(&more, STR("a"), 0);
    buf_puts(&more, "garbage");
    CLEANUP(buf_clear) struct buf got = {0};
    CLEANUP(err_clear) struct err e = {0};
    assert_int_equal(gunzip_all(&got, buf_view(&more), 64, 100, &e), -1);
    assert_string_equal(e.msg, "x.gz is damaged: what follows is not a gzip member");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_of_all_kinds_are_taken),
        cmocka_unit_test(what_is_cut_or_changed_is_told),
        cmocka_unit_test(what_is_no_gzip_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
