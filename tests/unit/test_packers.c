/* tests/unit/test_packers.c - pieces packed by many threads come out in order, and as one would do
 * it; libzstd gives the same bytes to any number of threads; CRC-64 is Go's. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "io/crc64.h"
#include "io/decompress.h"
#include "io/packers.h"
#include "io/zstd.h"

struct buf_sink {
    struct sink sink;
    struct buf bytes;
    size_t limit; /* 0, or writes beyond it fail */
};

static int buf_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    struct buf_sink *b = (struct buf_sink *)self;

    buf_add(&b->bytes, bytes, len);
    return b->limit && b->bytes.len > b->limit ? err_set(e, ERR_SYSTEM, "full") : 0;
}

static void fill(struct buf *out, size_t len)
{
    for (unsigned i = 0; out->len < len; i++)
        buf_fmt(out, "%u ", i * 2654435761u >> (i / 1000 % 24));
    out->len = len;
}

/* "length:bytes" of each piece; a piece that begins with "!" fails. */
static void *tool_open(void)
{
    return xcalloc(1, 1);
}

static int tool_pack(void *tool, struct buf *out, struct str piece, struct err *e)
{
    if (piece.p[0] == '!')
        return err_set(e, ERR_INPUT, "piece of %zu", piece.len);
    buf_fmt(out, "%zu:", piece.len);
    buf_str(out, piece);
    return 0;
}

static const struct packing packing = {tool_open, tool_pack, free};

static void pieces_come_out_in_order(void **state)
{
    static const unsigned threads[] = {0, 1, 2, 5};
    CLEANUP(buf_clear) struct buf first = {0}, in = {0};
    struct err e = {0};

    fill(&in, 12 << 20);
    for (size_t t = 0; t < ARRAY_LEN(threads); t++) {
        struct buf_sink out = {.sink = {buf_write, NULL}};
        struct packers *p = packers_open(&packing, threads[t], &out.sink);
        size_t n = 0, at = 0, plain = 0;

        for (size_t size = 1; at + size <= in.len; size = (size * 3 + n) % 3000000 + 1) {
            packers_add(p, in.p + at, size / 2);
            packers_add(p, in.p + at + size / 2, size - size / 2);
            assert_int_equal(packers_gathered(p), size);
            assert_int_equal(packers_cut(p, &e), 0);
            assert_int_equal(packers_cut(p, &e), 0); /* nothing is no piece */
            assert_int_equal(packers_count(p), ++n);
            at += size;
        }
        assert_int_equal(packers_finish(p, &e), 0);
        for (size_t i = 0, from = 0; i < n; i++) {
            char *end;
            size_t len = strtoull(out.bytes.p + from, &end, 10);

            assert_int_equal(end + 1 + len - out.bytes.p, packers_end(p, i));
            assert_memory_equal(end + 1, in.p + plain, len);
            plain += len;
            from = packers_end(p, i);
        }
        assert_int_equal(plain, at);
        assert_int_equal(packers_end(p, n - 1), out.bytes.len);
        packers_clear(&p);
        if (t)
            assert_true(str_eq(buf_view(&first), buf_view(&out.bytes)));
        else
            MOVE(&first, &out.bytes);
        buf_clear(&out.bytes);
    }
}

static void nothing_gives_nothing(void **state)
{
    struct buf_sink out = {.sink = {buf_write, NULL}};
    struct packers *p = packers_open(&packing, 2, &out.sink);
    struct err e = {0};

    assert_int_equal(packers_cut(p, &e), 0);
    assert_int_equal(packers_finish(p, &e), 0);
    assert_int_equal(out.bytes.len, 0);
    packers_clear(&p);
    packers_clear(&p);
}

static void a_failure_ends_it(void **state)
{
    for (int fault = 0; fault < 3; fault++) /* of a piece, of where it goes, of nothing: dropped */
        for (unsigned threads = 0; threads < 4; threads++) {
            struct buf_sink out = {.sink = {buf_write, NULL}, .limit = fault == 1 ? 3 << 20 : 0};
            struct packers *p = packers_open(&packing, threads, &out.sink);
            CLEANUP(buf_clear) struct buf in = {0};
            CLEANUP(err_clear) struct err e = {0};
            int result = 0;

            fill(&in, 1 << 20);
            for (int i = 0; i < 12 && result == 0; i++) {
                packers_add(p, i == 7 && fault == 0 ? "!" : "x", 1);
                packers_add(p, in.p, in.len);
                result = packers_cut(p, &e);
            }
            if (result == 0 && fault < 2)
                result = packers_finish(p, &e);
            assert_int_equal(result, fault < 2 ? -1 : 0);
            if (fault == 0)
                assert_string_equal(e.msg, "piece of 1048577");
            packers_clear(&p);
            buf_clear(&out.bytes);
        }
}

static void zstd_of(struct buf *out, struct str in, unsigned threads, size_t step)
{
    struct buf_sink to = {.sink = {buf_write, NULL}};
    CLEANUP(zstd_sink_clear) struct zstd_sink *z = NULL;
    struct err e = {0};

    assert_int_equal(zstd_sink_open(&z, &to.sink, threads, &e), 0);
    for (size_t i = 0; i < in.len; i += step)
        assert_int_equal(
            sink_write(zstd_sink_of(z), in.p + i, in.len - i < step ? in.len - i : step, &e), 0);
    assert_int_equal(sink_finish(zstd_sink_of(z), &e), 0);
    MOVE(out, &to.bytes);
}

static void assert_unpacks(struct str packed, struct str plain)
{
    CLEANUP(source_clear) struct source *s = decompress(source_bytes(packed, "zstd"));
    CLEANUP(buf_clear) struct buf out = {0};
    struct err e = {0};

    s->limit = UINT64_MAX;
    if (source_read_all(s, &out, UINT64_MAX, &e) < 0)
        fail_msg("%s", e.msg);
    assert_true(str_eq(buf_view(&out), plain));
}

static void one_frame_is_the_same_for_any_number_of_threads(void **state)
{
    static const size_t lens[] = {0, 1, 400000, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, 30 << 20};
    CLEANUP(buf_clear) struct buf in = {0};

    fill(&in, 30 << 20);
    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        struct str plain = {in.p, lens[i]};
        CLEANUP(buf_clear) struct buf one = {0}, three = {0}, eight = {0};

        zstd_of(&one, plain, 1, 1 << 16);
        zstd_of(&three, plain, 3, 10 << 20);
        zstd_of(&eight, plain, 8, 4999);
        assert_true(str_eq(buf_view(&one), buf_view(&three)));
        assert_true(str_eq(buf_view(&one), buf_view(&eight)));
        assert_unpacks(buf_view(&one), plain);
    }
}

static void frames_and_frames_to_skip_are_read_as_one(void **state)
{
    struct zstd_packer *z = zstd_packer_open();
    CLEANUP(buf_clear) struct buf out = {0}, again = {0}, in = {0};
    struct err e = {0};

    fill(&in, 5 << 20);
    zstd_skippable(&out, STR("first"));
    assert_int_equal(zstd_pack(z, &out, (struct str){in.p, 1}, &e), 0);
    assert_int_equal(zstd_pack(z, &out, (struct str){in.p + 1, 3 << 20}, &e), 0);
    zstd_skippable(&out, STR("\x28\xb5\x2f\xfd looks like a frame"));
    zstd_skippable(&out, STR(""));
    assert_int_equal(
        zstd_pack(z, &out, (struct str){in.p + 1 + (3 << 20), in.len - 1 - (3 << 20)}, &e), 0);
    zstd_skippable(&out, STR("last"));
    assert_unpacks(buf_view(&out), buf_view(&in));
    /* What a packer did before does not show. */
    assert_int_equal(zstd_pack(z, &again, (struct str){in.p, 1}, &e), 0);
    assert_memory_equal(out.p + 13, again.p, again.len);
    zstd_packer_free(z);
}

static void the_encoder_has_its_version(void **state)
{
    CLEANUP(buf_clear) struct buf name = {0};
    unsigned a, b, c;
    char rest;

    zstd_encoder(&name);
    assert_int_equal(sscanf(name.p, "zstd/%u.%u.%u/3%c", &a, &b, &c, &rest), 3);
}

static void crc64_is_that_of_go(void **state)
{
    /* crc64.Checksum(data, crc64.MakeTable(crc64.ISO)) */
    static const struct {
        const char *text;
        uint64_t crc;
    } cases[] = {
        {"", 0},
        {"a", 0x3420000000000000},
        {"abcdefghij", 0x7f5b6e21b002d367},
        {"the quick brown fox jumps over it all", 0x687e339acf84084d},
    };
    struct crc64 c;

    crc64_open(&c);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        c.value = 0;
        crc64_add(&c, cases[i].text, strlen(cases[i].text));
        assert_true(c.value == cases[i].crc);
    }
    for (size_t cut = 0; cut <= 37; cut++) { /* in any two steps */
        static const char text[] = "the quick brown fox jumps over it all";
        uint64_t whole;

        c.value = 0;
        crc64_add(&c, text, 37);
        whole = c.value;
        c.value = 0;
        crc64_add(&c, text, cut);
        crc64_add(&c, text + cut, 37 - cut);
        assert_true(c.value == whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_come_out_in_order),
        cmocka_unit_test(nothing_gives_nothing),
        cmocka_unit_test(a_failure_ends_it),
        cmocka_unit_test(one_frame_is_the_same_for_any_number_of_threads),
        cmocka_unit_test(frames_and_frames_to_skip_are_read_as_one),
        cmocka_unit_test(the_encoder_has_its_version),
        cmocka_unit_test(crc64_is_that_of_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
