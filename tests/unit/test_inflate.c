/* tests/unit/test_inflate.c - a stream must end where it says, and hold what it says. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "mkdeb.h"

#include "inflate_judge.h"
#include "io/bits.h"
#include "io/deflate.h"
#include "io/huffman.h"
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
    struct drip *in = xcalloc(1, sizeof *in);
    CLEANUP(source_clear) struct source *source = &in->source;

    source_init(source, drip_read, NULL, NULL);
    in->rest = packed;
    to->sink.write = copy->sink.write = buf_write;
    return inflate_exact(inflater, source, packed.len, size, crc, &to->sink, &copy->sink, "x", e);
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

/* ---- codes that not every decoder takes ---- */

static uint32_t next_random(uint32_t *x)
{
    *x = *x * 1664525 + 1013904223;
    return *x >> 8;
}

enum { LITLENS = 288, DISTS = 32, ORDERS = 19, ALL = LITLENS + DISTS };

/* A dynamic block: lengths of its codes in the order of the symbols, and what is said of them. */
struct block {
    uint8_t len[ALL], order_len[ORDERS];
    unsigned litlens, dists;
};

/* A complete code for about `wanted` of `n` symbols. */
static void complete(uint8_t *len, unsigned n, unsigned wanted, unsigned limit, uint32_t *x)
{
    uint32_t count[HUFFMAN_SYMBOLS] = {0};

    for (unsigned i = 0; i < wanted; i++)
        count[next_random(x) % n] = 1 + next_random(x) % (1u << next_random(x) % 14);
    huffman_lengths(len, count, n, limit);
}

/* Most blocks get a fault or two, so that their codes are nearly right. */
static void spoil(struct block *b, uint32_t *x)
{
    unsigned all = b->litlens + b->dists;

    switch (next_random(x) % 12) {
    case 0:
        b->len[next_random(x) % all] ^= 1;
        break;
    case 1:
        b->len[next_random(x) % all] = (uint8_t)(next_random(x) % 16);
        break;
    case 2:
        b->len[256] = 0;
        break;
    case 3:
        memset(b->len + b->litlens, 0, b->dists);
        break;
    case 4:
        memset(b->len + b->litlens, 0, b->dists);
        b->len[b->litlens + next_random(x) % b->dists] = (uint8_t)(1 + next_random(x) % 2);
        break;
    case 5:
        memset(b->len, 0, b->litlens);
        b->len[256] = (uint8_t)(1 + next_random(x) % 2);
        break;
    case 6:
        b->order_len[next_random(x) % ORDERS] ^= (uint8_t)(1 + next_random(x) % 3);
        break;
    case 7:
        memset(b->order_len, 0, ORDERS);
        b->order_len[next_random(x) % ORDERS] = 1;
        break;
    }
}

/* The lengths as a header has them, each run at times as a repeat; then symbols at random, those
 * that have codes, and at times some bits of nothing. */
static void write_block(struct buf *out, const struct block *b, uint32_t *x)
{
    static const uint8_t order[] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                    11, 4,  12, 3, 13, 2, 14, 1, 15};
    uint16_t order_code[ORDERS], code[ALL];
    unsigned all = b->litlens + b->dists, at = 0;
    struct bits bits = {.out = out};

    huffman_codes(order_code, b->order_len, ORDERS);
    huffman_codes(code, b->len, b->litlens);
    bits_begin(&bits, 1 << 16);
    bits_put(&bits, 1 | 2 << 1, 3);
    bits_put(&bits, b->litlens - 257, 5);
    bits_put(&bits, b->dists - 1, 5);
    bits_put(&bits, ORDERS - 4, 4);
    for (unsigned i = 0; i < ORDERS; i++)
        bits_put(&bits, b->order_len[order[i]], 3);
    while (at < all) {
        unsigned len = b->len[at], run = 1, extra = next_random(x) % 4;

        while (at + run < all && b->len[at + run] == len)
            run++;
        if (next_random(x) % 400 == 0)
            len = 16; /* perhaps the first, perhaps beyond the last */
        if (len == 16 || (at && b->len[at - 1] == len && run >= 3 && b->order_len[16])) {
            extra = len == 16 || run > 6 ? 3 : run - 3;
            bits_put(&bits, order_code[16] | extra << b->order_len[16], b->order_len[16] + 2u);
            at += extra + 3;
        } else if (!len && run >= 11 && b->order_len[18]) {
            run = run < 138 ? run : 138;
            bits_put(&bits, order_code[18] | (run - 11) << b->order_len[18], b->order_len[18] + 7u);
            at += run;
        } else {
            bits_put(&bits, order_code[len], b->order_len[len]);
            at++;
        }
    }
    for (unsigned i = next_random(x) % 300; i; i--) {
        unsigned symbol = next_random(x) % (i % 5 ? 256 : b->litlens);

        if (symbol != 256 && b->len[symbol])
            bits_put(&bits, code[symbol], b->len[symbol]);
        if (symbol > 256 || next_random(x) % 50 == 0)
            bits_put(&bits, next_random(x) % (1u << 12), 12);
    }
    bits_put(&bits, code[256], b->len[256]);
    bits_align(&bits);
    bits_end(&bits);
    for (unsigned i = next_random(x) % 80; i; i--)
        buf_putc(out, (char)next_random(x));
}

static void our_decoder_takes_what_zlib_takes(void **state)
{
    enum { BLOCKS = 20000 };
    struct engine *engine = engine_open();
    uint32_t x = 7;
    unsigned taken_n = 0;

    for (unsigned i = 0; i < BLOCKS; i++) {
        CLEANUP(buf_clear) struct buf packed = {0};
        struct block b = {.litlens = 257 + next_random(&x) % (i % 16 ? 30 : 32),
                          .dists = 1 + next_random(&x) % (i % 16 ? 30 : 32)};
        uint32_t lengths[ORDERS] = {0};
        bool taken;

        complete(b.len, b.litlens, 1 + next_random(&x) % 300, 15, &x);
        if (!b.len[256])
            continue;
        if (b.dists > 1)
            complete(b.len + b.litlens, b.dists, 1 + next_random(&x) % 40, 15, &x);
        for (unsigned k = 0; k < ORDERS; k++)
            lengths[k] = next_random(&x) % 30 + 1;
        huffman_lengths(b.order_len, lengths, ORDERS, 7);
        spoil(&b, &x);
        write_block(&packed, &b, &x);
        if (!judges_agree(engine, buf_view(&packed), &taken))
            fail_msg("block %u: %s by zlib alone", i, taken ? "taken" : "refused");
        taken_n += taken;
    }
    assert_in_range(taken_n, BLOCKS / 100, BLOCKS / 2); /* both kinds occur */
    engine_free(engine);
}

/* The same of real streams in which a bit is wrong: these get far into the fast loop. */
static void our_decoder_breaks_where_zlib_does(void **state)
{
    CLEANUP(deflater_clear) struct deflater *d = deflater_open();
    struct engine *engine = engine_open();
    uint32_t x = 11;

    for (unsigned kinds = 2; kinds < 14; kinds++) {
        CLEANUP(buf_clear) struct buf plain = {0}, packed = {0};

        for (unsigned i = 0; i < 3000; i++)
            buf_putc(&plain, (char)(next_random(&x) % kinds * 37));
        deflate_1(d, &packed, plain.p, plain.len);
        for (unsigned i = 0; i < 500; i++) {
            size_t at = next_random(&x) % packed.len;
            char was = packed.p[at];
            bool taken;

            packed.p[at] = (char)(was ^ 1 << next_random(&x) % 8);
            if (!judges_agree(engine, buf_view(&packed), &taken))
                fail_msg("byte %zu: %s by zlib alone", at, taken ? "taken" : "refused");
            packed.p[at] = was;
        }
    }
    engine_free(engine);
}

/* A literal code of 256 and one more, each of two bits: half of the codes mean nothing. ISA-L, for
 * one, takes it. */
static void a_code_with_holes_is_refused(void **state)
{
    struct block b = {
        .litlens = 257, .dists = 1, .order_len = {[0] = 2, [1] = 2, [2] = 2, [18] = 2}};
    CLEANUP(buf_clear) struct buf packed = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct buf_sink to = {0}, copy = {0};
    struct engine *engine = engine_open();
    uint32_t x = 1;
    bool taken = true;

    b.len['a'] = b.len[256] = 2;
    write_block(&packed, &b, &x);
    assert_true(judges_agree(engine, buf_view(&packed), &taken));
    assert_false(taken);
    assert_int_equal(run(buf_view(&packed), 0, 0, &to, &copy, &e), -1);
    assert_string_equal(e.msg, "x is damaged: its compressed data is broken");
    buf_clear(&to.bytes);
    buf_clear(&copy.bytes);
    engine_free(engine);
}

/* Whatever stands behind the head is not looked at. */
static void the_head_of_any_content(void **state)
{
    static const size_t heads[] = {0, 1, 8, 70000, 262144, 299999, 300000, 300001, 1 << 20};
    enum { SIZE = 300000 };
    CLEANUP(inflater_clear) struct inflater *inflater = inflater_open();
    CLEANUP(deflater_clear) struct deflater *d = deflater_open();
    CLEANUP(buf_clear) struct buf plain = {0}, packed = {0};
    struct input ranges = {.name = "x"}, deflated = {.name = "x"};
    struct content contents[3];
    uint32_t x = 3;

    for (size_t k = 0; k < SIZE; k++)
        buf_putc(&plain, (char)(next_random(&x) % 100));
    deflate_1(d, &packed, plain.p, plain.len);
    mk_input(&ranges, "x", buf_view(&plain));
    mk_input(&deflated, "x", buf_view(&packed));
    contents[0] = (struct content){CONTENT_BYTES, .size = SIZE, .bytes = plain.p};
    contents[1] =
        (struct content){CONTENT_RANGE, .size = SIZE, .input = &ranges, .has_crc = true, .crc = 1};
    contents[2] = (struct content){CONTENT_DEFLATE, .size = SIZE, .input = &deflated,
                                   .packed = packed.len, .crc = 1};
    for (size_t i = 0; i < ARRAY_LEN(contents); i++)
        for (size_t k = 0; k < ARRAY_LEN(heads); k++) {
            CLEANUP(buf_clear) struct buf head = {0};
            struct err e = {0};

            buf_puts(&head, "before");
            assert_int_equal(content_head(inflater, &contents[i], &head, heads[k], "x", &e), 0);
            assert_true(str_eq(str_sub(buf_view(&head), 6, head.len),
                               str_sub(buf_view(&plain), 0, heads[k] < SIZE ? heads[k] : SIZE)));
        }
    fd_clear(&ranges.fd);
    fd_clear(&deflated.fd);
}

static void no_head_of_what_is_no_stream(void **state)
{
    const struct {
        struct str packed;
        const char *says;
    } cases[] = {
        {STR("\a"), "x is damaged: its compressed data is broken"},
        {STR("\0\1\0\xfe\xff#"), "x is damaged: it ends early"},
        {STR(""), "x is damaged: it ends early"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(inflater_clear) struct inflater *inflater = inflater_open();
        CLEANUP(buf_clear) struct buf head = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct input in = {.name = "x"};
        struct content content = {CONTENT_DEFLATE, .size = 100, .input = &in,
                                  .packed = cases[i].packed.len};

        mk_input(&in, "x", cases[i].packed);
        assert_int_equal(content_head(inflater, &content, &head, 8, "x", &e), -1);
        assert_string_equal(e.msg, cases[i].says);
        assert_int_equal(e.kind, ERR_INTEGRITY);
        fd_clear(&in.fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_stream_comes_out_and_is_copied),
        cmocka_unit_test(lies_are_refused),
        cmocka_unit_test(our_decoder_takes_what_zlib_takes),
        cmocka_unit_test(our_decoder_breaks_where_zlib_does),
        cmocka_unit_test(a_code_with_holes_is_refused),
        cmocka_unit_test(the_head_of_any_content),
        cmocka_unit_test(no_head_of_what_is_no_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
