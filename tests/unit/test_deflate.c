/* SPDX-License-Identifier: Apache-2.0 */
#include "io/deflate.h"

#include "io/crypto.h"
#include "io/tar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#define ZLIB_CONST /* next_in points at const bytes */
#include <zlib.h>

/* xorshift32: the same numbers everywhere. */
static uint32_t draw(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void add_byte(struct buf *b, uint32_t byte)
{
    buf_putc(b, (char)(byte & 255));
}

/* ---- inputs ---- */

static void make_random(struct buf *b, size_t len)
{
    uint32_t seed = 2463534242;

    while (b->len < len)
        add_byte(b, draw(&seed) >> 8);
}

static void make_equal(struct buf *b, size_t len)
{
    memset(buf_room(b, len), 'e', len);
    b->len += len;
}

/* Words that repeat, some much more often than others, in lines. */
static void make_text(struct buf *b, size_t len)
{
    uint32_t seed = 88172645;

    while (b->len < len) {
        uint32_t word = draw(&seed) % 1024, letters;

        word = word * (draw(&seed) % 1024) / 1024;
        letters = word * 2654435761u | 1;
        for (uint32_t i = 0; i < 2 + word % 9; i++)
            add_byte(b, 'a' + draw(&letters) % 26);
        add_byte(b, draw(&seed) % 12 ? ' ' : '\n');
    }
    b->len = len;
}

/* What a group looks like: text, numbers in little endian, zeros, noise, the same again. */
static void make_mixed(struct buf *b, size_t len)
{
    uint32_t seed = 521288629;

    while (b->len < len) {
        size_t n = 512 + draw(&seed) % 65536, from;

        switch (draw(&seed) % 5) {
        case 0:
            make_text(b, b->len + n);
            break;
        case 1:
            make_equal(b, n / 4);
            break;
        case 2:
            for (uint32_t at = draw(&seed); n; n--, at += n % 7 ? 8 : 24)
                buf_add(b, (unsigned char[]){at & 255, at >> 8 & 255, at >> 16 & 255, 0}, 4);
            break;
        case 3:
            for (; n; n -= n < 4 ? n : 4)
                add_byte(b, draw(&seed) >> 8);
            break;
        default:
            from = b->len ? draw(&seed) % b->len : 0;
            n = n < b->len - from ? n : b->len - from;
            buf_room(b, n);
            buf_add(b, b->p + from, n);
        }
    }
    b->len = len;
}

/* Four bytes that recur everywhere and never go on alike: chains at their longest. */
static void make_chains(struct buf *b, size_t len)
{
    uint32_t seed = 362436069;

    while (b->len < len) {
        buf_puts(b, "aaaaa");
        for (uint32_t n = draw(&seed) % 3; n; n--)
            add_byte(b, draw(&seed) >> 8);
    }
    b->len = len;
}

static void make_period(struct buf *b, size_t len, size_t period)
{
    make_random(b, period < len ? period : len);
    buf_room(b, len); /* so that the bytes read below stay where they are */
    while (b->len < len)
        buf_putc(b, b->p[b->len - period]);
}

/* Byte counts like Fibonacci's numbers want codes of more than 15 bits. */
static void make_steep(struct buf *b, size_t len)
{
    size_t counts[24] = {1, 1}, left = 0;
    uint32_t seed = 5783321;

    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        counts[i] = i < 2 ? 1 : counts[i - 1] + counts[i - 2];
        left += counts[i];
    }
    for (; left && b->len < len; left--) { /* drawn without putting back */
        size_t at = draw(&seed) % left, i = 0;

        while (at >= counts[i])
            at -= counts[i++];
        counts[i]--;
        add_byte(b, (uint32_t)i);
    }
}

/* What fixed/1 is for: tar headers of neighbours. */
static void make_headers(struct buf *b, size_t len)
{
    CLEANUP(err_clear) struct err e = {0};
    uint32_t seed = 6362436;

    while (b->len < len) {
        char path[128];

        snprintf(path, sizeof path, "usr/lib/python3.11/site-packages/p%u/module_%u.py",
                 (unsigned)(b->len / 8192), draw(&seed) % 1000);
        assert_int_equal(tar_header(b,
                                    &(struct entry){.path = str_of(path),
                                                    .mode = 0644,
                                                    .mtime = 1700000000,
                                                    .content.size = draw(&seed) % 100000},
                                    &e),
                         0);
    }
    b->len = len;
}

/* ---- what must hold ---- */

static void assert_inflates(struct str packed, struct str want)
{
    char *got = xmalloc(want.len + 1);
    z_stream z = {0};

    assert_int_equal(inflateInit2(&z, -15), Z_OK);
    z.next_in = (const Bytef *)packed.p;
    z.avail_in = (uInt)packed.len;
    z.next_out = (Bytef *)got;
    z.avail_out = (uInt)want.len + 1;
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.avail_in, 0);
    assert_int_equal(z.total_out, want.len);
    assert_true(!want.len || !memcmp(got, want.p, want.len));
    inflateEnd(&z);
    free(got);
}

static size_t zlib_size(struct str bytes, int level, int strategy)
{
    size_t room = bytes.len + bytes.len / 8 + 1024;
    unsigned char *out = xmalloc(room);
    z_stream z = {0};

    assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, -15, 8, strategy), Z_OK);
    z.next_in = (const Bytef *)bytes.p;
    z.avail_in = (uInt)bytes.len;
    z.next_out = out;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    room = z.total_out;
    deflateEnd(&z);
    free(out);
    return room;
}

/* Both encoders give `bytes` back, append, and stay within stored blocks' size. */
static void assert_round_trip(struct deflater *d, struct str bytes)
{
    CLEANUP(buf_clear) struct buf out = {0};

    buf_puts(&out, "before");
    deflate_1(d, &out, bytes.p, bytes.len);
    assert_memory_equal(out.p, "before", 6);
    assert_int_equal(out.p[out.len], 0);
    assert_inflates(str_sub(buf_view(&out), 6, out.len), bytes);
    assert_true(out.len - 6 <= bytes.len + 6 * (bytes.len / 1024 + 1));
    buf_reset(&out);
    deflate_fixed1(&out, bytes.p, bytes.len);
    assert_int_equal(out.p[out.len], 0);
    assert_inflates(buf_view(&out), bytes);
    assert_true(out.len <= bytes.len + bytes.len / 8 + 3);
}

/* Parts one behind the other are one stream. */
static void parts_make_one_stream(void **state)
{
    static const size_t lens[] = {0, 1, 100000, 3, 0, 70000};
    CLEANUP(deflater_clear) struct deflater *d = deflater_open();
    CLEANUP(buf_clear) struct buf in = {0}, out = {0};
    size_t at = 0;

    make_mixed(&in, 170004);
    for (size_t i = 0; i < ARRAY_LEN(lens); at += lens[i++])
        deflate_1_part(d, &out, in.p + at, lens[i]);
    assert_int_equal(at, in.len);
    buf_add(&out, deflate_1_end, sizeof deflate_1_end);
    assert_inflates(buf_view(&out), buf_view(&in));
}

static void (*const makers[])(struct buf *, size_t) = {
    make_random, make_equal, make_text, make_mixed, make_chains, make_steep, make_headers};

static void every_input_comes_back(void **state)
{
    static const size_t lens[] = {1000, 32767, 32768, 32769, 65535, 65536, 65537, 200000};
    CLEANUP(deflater_clear) struct deflater *d = deflater_open();

    for (size_t i = 0; i < ARRAY_LEN(makers); i++)
        for (size_t k = 0; k < ARRAY_LEN(lens); k++) {
            CLEANUP(buf_clear) struct buf in = {0};

            makers[i](&in, lens[k]);
            assert_round_trip(d, buf_view(&in));
        }
}

static void every_short_length_comes_back(void **state)
{
    CLEANUP(deflater_clear) struct deflater *d = deflater_open();
    CLEANUP(buf_clear) struct buf random = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(buf_clear) struct buf equal = {0};

    make_random(&random, 600);
    make_text(&text, 600);
    make_equal(&equal, 600);
    assert_round_trip(d, (struct str){0});
    for (size_t len = 0; len <= 600; len++) {
        assert_round_trip(d, str_sub(buf_view(&random), 0, len));
        assert_round_trip(d, str_sub(buf_view(&text), 0, len));
        assert_round_trip(d, str_sub(buf_view(&equal), 0, len));
    }
}

/* Every period has matches of its own distance; each length of match occurs among the tails. */
static void every_kind_of_period_comes_back(void **state)
{
    static const size_t periods[] = {1,     2,     3,     4,     5,     7,     8,     9,    15,
                                     100,   257,   258,   259,   513,   4095,  4096,  4097, 8193,
                                     12289, 16385, 24577, 32766, 32767, 32768, 32769, 40000};
    CLEANUP(deflater_clear) struct deflater *d = deflater_open();

    for (size_t i = 0; i < ARRAY_LEN(periods); i++)
        for (size_t tail = 2; tail < 9; tail++) {
            CLEANUP(buf_clear) struct buf in = {0};

            make_period(&in, periods[i] * 2 + tail * tail * tail, periods[i]);
            assert_round_trip(d, buf_view(&in));
        }
}

static void the_window_reaches_32768_bytes_and_no_farther(void **state)
{
    static const struct {
        size_t distance, low, high;
    } cases[] = {{32768, 32768, 33200}, {32769, 65536, 66200}};
    CLEANUP(deflater_clear) struct deflater *d = deflater_open();

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf in = {0};
        CLEANUP(buf_clear) struct buf out = {0};

        make_period(&in, 2 * 32768, cases[i].distance);
        deflate_1(d, &out, in.p, in.len);
        assert_in_range(out.len, cases[i].low, cases[i].high);
    }
}

static void the_largest_input_comes_back(void **state)
{
    CLEANUP(deflater_clear) struct deflater *d = deflater_open();
    CLEANUP(buf_clear) struct buf in = {0};
    CLEANUP(buf_clear) struct buf out = {0};

    make_mixed(&in, 4 << 20);
    make_equal(&in, DEFLATE_INPUT_MAX - in.len - 70000);
    make_text(&in, DEFLATE_INPUT_MAX);
    assert_int_equal(in.len, DEFLATE_INPUT_MAX);
    deflate_1(d, &out, in.p, in.len);
    assert_inflates(buf_view(&out), buf_view(&in));
}

/* Quadratic work would take minutes. */
static void hard_inputs_take_time_in_proportion_to_their_length(void **state)
{
    static const size_t periods[] = {1, 2, 3, 131, 1021};
    CLEANUP(deflater_clear) struct deflater *d = deflater_open();
    CLEANUP(buf_clear) struct buf out = {0};
    CLEANUP(buf_clear) struct buf chains = {0};
    clock_t start = clock();

    make_chains(&chains, 1 << 20);
    deflate_1(d, &out, chains.p, chains.len);
    for (size_t i = 0; i < ARRAY_LEN(periods); i++) {
        CLEANUP(buf_clear) struct buf in = {0};

        make_period(&in, 2 << 20, periods[i]);
        deflate_1(d, &out, in.p, in.len);
        deflate_fixed1(&out, in.p, in.len);
    }
    assert_true(clock() - start < 30 * CLOCKS_PER_SEC);
}

static void sizes_are_near_those_of_zlib(void **state)
{
    static const size_t pieces[] = {512, 1024, 2560, 4096, 8192};
    CLEANUP(deflater_clear) struct deflater *d = deflater_open();
    CLEANUP(buf_clear) struct buf headers = {0};

    for (size_t i = 0; i < ARRAY_LEN(makers); i++) {
        CLEANUP(buf_clear) struct buf in = {0};
        CLEANUP(buf_clear) struct buf out = {0};

        makers[i](&in, 1 << 18);
        deflate_1(d, &out, in.p, in.len);
        assert_true(out.len * 100 <= zlib_size(buf_view(&in), 6, Z_DEFAULT_STRATEGY) * 102 + 1000);
    }
    make_headers(&headers, 8192);
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        struct str piece = str_sub(buf_view(&headers), 0, pieces[i]);
        CLEANUP(buf_clear) struct buf out = {0};

        deflate_fixed1(&out, piece.p, piece.len);
        assert_true(out.len * 100 <= zlib_size(piece, 1, Z_FIXED) * 103);
    }
}

/* ---- the bytes themselves ---- */

static void small_outputs_are_these_bytes(void **state)
{
    static const struct {
        struct str in, fixed, dynamic;
    } cases[] = {
        {STR_INIT(""), STR_INIT("\x03\x00"), STR_INIT("\x03\x00")},
        {STR_INIT("a"), STR_INIT("\x4b\x04\x00"), STR_INIT("\x4b\x04\x00")},
        {STR_INIT("\xff"), STR_INIT("\xfb\x0f\x00"), STR_INIT("\xfb\x0f\x00")},
        {STR_INIT("aaaaaaaaaa"), STR_INIT("\x4b\x84\x03\x00"), STR_INIT("\x4b\x84\x03\x00")},
        {STR_INIT("abcabcabcx"), STR_INIT("\x4b\x4c\x4a\x86\xa0\x0a\x00"),
         STR_INIT("\x4b\x4c\x4a\x86\xa0\x0a\x00")},
    };
    CLEANUP(deflater_clear) struct deflater *d = deflater_open();

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf out = {0};

        deflate_fixed1(&out, cases[i].in.p, cases[i].in.len);
        assert_int_equal(out.len, cases[i].fixed.len);
        assert_memory_equal(out.p, cases[i].fixed.p, out.len);
        assert_inflates(buf_view(&out), cases[i].in);
        buf_reset(&out);
        deflate_1(d, &out, cases[i].in.p, cases[i].in.len);
        assert_int_equal(out.len, cases[i].dynamic.len);
        assert_memory_equal(out.p, cases[i].dynamic.p, out.len);
    }
}

static void assert_sha256(struct str bytes, const char *want)
{
    struct digest digest;
    char hex[DIGEST_HEX + 1];

    hash_bytes(&digest, bytes.p, bytes.len);
    digest_hex(&digest, hex);
    assert_string_equal(hex, want);
}

/* If one of these changes, the encoder needs a new number: see io/deflate.h. */
static void outputs_never_change(void **state)
{
    static const struct {
        void (*make)(struct buf *, size_t);
        const char *in, *fixed, *dynamic;
    } cases[] = {
        {make_random, "77a53e1698b1037bff1ed38af54c45a4b25c94ce0a583a3c9afafad8b3627ca4",
         "593a0c6ddb57aae3483c1fbaf7b14beffaa8378b51af299df7a2fef07e343a0f",
         "51ee3fd68d1ec16e2ae8301734d8cd9936ccaf12c2274412c9a39210176d51f5"},
        {make_equal, "27fecc148f50dda18ec89755d83bb5700b91bffc747ce99f5e5d07e16ed6cf1d",
         "abc4afd12268c1d18a5fd2ea1ee0c3efded59b83744bbbc2cd135045f2768df5",
         "431e98dcc2b338abc5f820d844a1878f16f4f8bca5d134f9c45c43b69dd39cca"},
        {make_text, "efe6783825905467eb1f6de5762ee48e2f37b9adfb48e36930b0a6152846e6a8",
         "0d9d359729562fe2ef1df7b1e48060615092fc4d3f0277264750afd12d4f98c3",
         "a182d9f5af3a8f7c54152bce24eedf268a5aeb1dfad36386c6f1b132254a5305"},
        {make_mixed, "9733ffea6df1effa33908845f0a15bd3e9bfde26fa9a6f98a23dc688516c53d8",
         "533793421d3e853ff40624f8828fc86bfbc7d76016cf2fd0fab176caeb8b99c0",
         "f368766529575c96c132fc60b1f42404787111f2d0f2dbc92d97bf16df448b31"},
        {make_chains, "9ba51a4025aafd955a85041723f79bc8c26d35ac1ef0ced064fd5108a80843e2",
         "072e43a5abfcd3b4e285a55de5ab121d76a6d3127d2a75acb30f3e43c8c62f9b",
         "9f5278b9c47aec19a56f20403feaf7250eeed671558db01b121b3748a1229ebe"},
        {make_steep, "cf088957480d99cd446cbcecff1a6a349a796b21a33bfeacc9fa3cc01ee3a819",
         "9ec7f0e87621eaccfeb0a7d58b8441e32853853d94f14f8124ce3374df017365",
         "10530b63fb2990413a7b92051734aee24790cd31712448adb8cc02b6b7d79643"},
        {make_headers, "0207b28a715e8779b450a55d389ed77e7cc54af15b7a555b20715c5e7aa220a4",
         "02f277951e3d8625bd3bddd6b5a086df238611888cfb777801dd9f6b42bbcf32",
         "af0e4dac3748f3dca1136c6be9f3f3bf7425e24c2be209c36445296f5f11d324"},
    };
    CLEANUP(deflater_clear) struct deflater *d = deflater_open();

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf in = {0};
        CLEANUP(buf_clear) struct buf out = {0};

        cases[i].make(&in, 300000);
        assert_sha256(buf_view(&in), cases[i].in);
        deflate_fixed1(&out, in.p, 5000);
        assert_sha256(buf_view(&out), cases[i].fixed);
        buf_reset(&out);
        deflate_1(d, &out, in.p, in.len);
        assert_sha256(buf_view(&out), cases[i].dynamic);
    }
}

static void earlier_inputs_leave_no_trace(void **state)
{
    CLEANUP(deflater_clear) struct deflater *used = deflater_open();
    CLEANUP(buf_clear) struct buf in = {0};

    make_mixed(&in, 300000);
    for (size_t i = 0; i < ARRAY_LEN(makers); i++) {
        CLEANUP(deflater_clear) struct deflater *fresh = deflater_open();
        CLEANUP(buf_clear) struct buf other = {0};
        CLEANUP(buf_clear) struct buf first = {0};
        CLEANUP(buf_clear) struct buf again = {0};

        makers[i](&other, 150000 + i);
        deflate_1(used, &again, other.p, other.len);
        buf_reset(&again);
        deflate_1(used, &again, in.p, in.len);
        deflate_1(fresh, &first, in.p, in.len);
        assert_int_equal(first.len, again.len);
        assert_memory_equal(first.p, again.p, first.len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_make_one_stream),
        cmocka_unit_test(every_input_comes_back),
        cmocka_unit_test(every_short_length_comes_back),
        cmocka_unit_test(every_kind_of_period_comes_back),
        cmocka_unit_test(the_window_reaches_32768_bytes_and_no_farther),
        cmocka_unit_test(the_largest_input_comes_back),
        cmocka_unit_test(hard_inputs_take_time_in_proportion_to_their_length),
        cmocka_unit_test(sizes_are_near_those_of_zlib),
        cmocka_unit_test(small_outputs_are_these_bytes),
        cmocka_unit_test(outputs_never_change),
        cmocka_unit_test(earlier_inputs_leave_no_trace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
