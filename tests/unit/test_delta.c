/* SPDX-License-Identifier: Apache-2.0 */
#include "oci_fixture.h"
#include "io/decompress.h"
#include "io/gunzip.h"
#include "out/delta_frames.h"
#include "out/delta_pack.h"
#include "out/delta_runs.h"
#include "out/delta_split.h"

enum { BLOCK = 512 };

/* Bytes that repeat nowhere. */
static void noise(struct buf *out, size_t len, uint32_t seed)
{
    uint64_t x = seed * 2654435761u + 1;

    for (size_t i = 0; i < len; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        buf_putc(out, (char)(x >> 56));
    }
}

/* ---- runs ---- */

struct told {
    struct delta_piece piece;
    struct delta_runs runs;
    struct buf frames;
    struct delta_cursor cursor;
};

static void told_clear(struct told *t)
{
    vec_clear(&t->runs);
    buf_clear(&t->frames);
}

static struct delta_blocks *blocks_of(const char *dir, struct str old)
{
    struct delta_blocks *b = delta_blocks_open(dir);
    CLEANUP(source_clear) struct source *from = source_bytes(old, "old");
    CLEANUP(err_clear) struct err e = {0};

    assert_ok(delta_blocks_add(b, 0, 0, from, old.len, &e), &e);
    return b;
}

static void find(struct told *t, const struct delta_blocks *b, struct str bytes, uint64_t at)
{
    struct zstd_packer *z = zstd_packer_open();
    CLEANUP(err_clear) struct err e = {0};

    assert_ok(delta_runs_find(&t->piece, &t->runs, &t->frames, b, &t->cursor, bytes, at, z, &e),
              &e);
    zstd_packer_free(z);
}

/* "1:0+512 0:10", and what it is near behind "~". */
static void show(struct buf *out, const struct told *t)
{
    buf_puts(out, "");
    for (size_t i = t->piece.run; i < t->piece.run + t->piece.runs; i++) {
        const struct delta_run *r = &t->runs.v[i];

        buf_puts(out, out->len ? " " : "");
        if (r->layer)
            buf_fmt(out, "%u:%llu+%llu", r->layer, (unsigned long long)r->at,
                    (unsigned long long)r->size);
        else
            buf_fmt(out, "0:%llu", (unsigned long long)r->size);
    }
    buf_puts(out, t->piece.nears ? " ~" : "");
}

/* What the runs say, made again. */
static void put_together(struct buf *out, const struct told *t, struct str old)
{
    CLEANUP(buf_clear) struct buf near = {0}, literal = {0};
    CLEANUP(err_clear) struct err e = {0};
    size_t at = 0;

    for (size_t i = t->piece.near; i < t->piece.near + t->piece.nears; i++)
        buf_str(&near, str_sub(old, t->runs.v[i].at, t->runs.v[i].size));
    if (t->piece.literal)
        assert_ok(zstd_unpack_near(buf_room(&literal, t->piece.literal), t->piece.literal,
                                   buf_view(&t->frames), buf_view(&near), &e),
                  &e);
    for (size_t i = t->piece.run; i < t->piece.run + t->piece.runs; i++) {
        const struct delta_run *r = &t->runs.v[i];

        if (r->layer)
            buf_str(out, str_sub(old, r->at, r->size));
        else
            buf_add(out, literal.p + at, r->size);
        at += r->layer ? 0 : r->size;
    }
}

static void check_told(const struct told *t, struct str old, struct str bytes, const char *want)
{
    CLEANUP(buf_clear) struct buf text = {0}, again = {0};

    show(&text, t);
    assert_string_equal(text.p, want);
    put_together(&again, t, old);
    assert_true(str_eq(buf_view(&again), bytes));
    assert_int_equal(t->piece.plain, bytes.len);
}

static void what_only_moved_is_told_by_where_it_was(void **state)
{
    static const struct {
        size_t cut, put; /* of OLD's ten blocks: from there so many bytes are new */
        bool insert;
        const char *want;
    } rows[] = {
        {0, 0, true, "1:0+5120"},
        {1024, 512, true, "1:0+1024 0:512 1:1024+4096"},
        {1024, 5120, true, "1:0+1024 0:5120 1:1024+4096"},
        {1000, 100, false, "1:0+1000 0:100 1:1100+4020"}, /* grown to both sides */
        {0, 512, false, "0:512 1:512+4608"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(buf_clear) struct buf old = {0}, new = {0};
        CLEANUP(told_clear) struct told t = {0};
        CLEANUP(delta_blocks_clear) struct delta_blocks *b = NULL;
        size_t cut = rows[i].cut;

        noise(&old, (size_t)10 * BLOCK, 1);
        b = blocks_of(*state, buf_view(&old));
        buf_add(&new, old.p, cut);
        noise(&new, rows[i].put, 2);
        cut += rows[i].insert ? 0 : rows[i].put;
        buf_add(&new, old.p + cut, old.len - cut);
        find(&t, b, buf_view(&new), 0);
        check_told(&t, buf_view(&old), buf_view(&new), rows[i].want);
    }
}

static void a_piece_goes_on_where_the_last_one_ended(void **state)
{
    CLEANUP(buf_clear) struct buf old = {0};
    CLEANUP(told_clear) struct told t = {0};
    CLEANUP(delta_blocks_clear) struct delta_blocks *b = NULL;

    noise(&old, (size_t)10 * BLOCK, 1);
    b = blocks_of(*state, buf_view(&old));
    find(&t, b, str_sub(buf_view(&old), 0, 700), 0); /* ends inside a block */
    check_told(&t, buf_view(&old), str_sub(buf_view(&old), 0, 700), "1:0+700");
    t.piece = (struct delta_piece){0};
    find(&t, b, str_sub(buf_view(&old), 700, 3000), 700);
    check_told(&t, buf_view(&old), str_sub(buf_view(&old), 700, 3000), "1:700+3000");
}

static void what_changed_is_packed_near_what_it_was(void **state)
{
    CLEANUP(buf_clear) struct buf old = {0}, new = {0};
    CLEANUP(told_clear) struct told t = {0};
    CLEANUP(delta_blocks_clear) struct delta_blocks *b = NULL;

    noise(&old, (size_t)10 * BLOCK, 1);
    b = blocks_of(*state, buf_view(&old));
    buf_add(&new, old.p, 1024);
    for (size_t i = 1024; i < 4096; i++) /* a byte of each block and more is another */
        buf_putc(&new, (char)(i % 200 ? old.p[i] : old.p[i] + 1));
    buf_add(&new, old.p + 4096, 1024);
    find(&t, b, buf_view(&new), 0);
    check_told(&t, buf_view(&old), buf_view(&new), "1:0+1200 0:2801 1:4001+1119 ~");
    assert_in_range(t.piece.packed, 1, 600);
}

static void two_stretches_of_a_layer_are_no_run(void **state)
{
    CLEANUP(buf_clear) struct buf old = {0};
    CLEANUP(told_clear) struct told t = {0};
    CLEANUP(delta_blocks_clear) struct delta_blocks *b = delta_blocks_open(*state);
    CLEANUP(source_clear) struct source *from = NULL;
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf text = {0};

    noise(&old, (size_t)4 * BLOCK, 1);
    from = source_bytes(buf_view(&old), "old");
    assert_ok(delta_blocks_add(b, 0, 0, from, 1024, &e), &e);
    assert_ok(delta_blocks_add(b, 0, 4096, from, 512, &e), &e);
    assert_ok(delta_blocks_add(b, 3, 4608, from, 512, &e), &e);
    find(&t, b, buf_view(&old), 0);
    show(&text, &t);
    assert_string_equal(text.p, "1:0+1024 1:4096+512 4:4608+512");
}

/* ---- pieces ---- */

static void members_and_their_ends(void **state)
{
    CLEANUP(buf_clear) struct buf plain = {0}, blob = {0};
    CLEANUP(deflater_clear) struct deflater *d = deflater_open();
    CLEANUP(source_clear) struct source *from = NULL;
    CLEANUP(err_clear) struct err e = {0};
    struct gunzip_ends ends = {0};
    size_t first;

    noise(&plain, 300000, 1);
    delta_member(&blob, DELTA_DEFLATE1, d, str_sub(buf_view(&plain), 0, 299000));
    first = blob.len;
    delta_member(&blob, DELTA_FIXED1, d, str_sub(buf_view(&plain), 299000, 1000));
    delta_member(&blob, DELTA_DEFLATE1, d, STR(""));
    buf_add(&blob, "\0\0\0", 3);
    from = gunzip_watched(source_bytes(buf_view(&blob), "x"), &ends, 3);
    assert_ok(source_drain(from, &e), &e);
    assert_int_equal(ends.n, 3);
    assert_int_equal(ends.v[0].packed, first);
    assert_int_equal(ends.v[0].plain, 299000);
    assert_int_equal(ends.v[1].plain, 300000);
    assert_int_equal(ends.v[2].plain, 300000);
    assert_int_equal(ends.v[2].packed, blob.len - 3);
    vec_clear(&ends);
}

/* 9 bytes each: what would be noted of each is many times that. */
static void of_too_many_parts_one_more_is_noted(void **state)
{
    static const unsigned char empty[] = {0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 1, 0, 0};
    CLEANUP(buf_clear) struct buf frames = {0}, members = {0};
    CLEANUP(deflater_clear) struct deflater *d = deflater_open();

    for (size_t i = 0; i < 1000; i++) {
        buf_add(&frames, empty, sizeof empty);
        delta_member(&members, DELTA_FIXED1, d, STR(""));
    }
    for (size_t max = 998; max < 1002; max++) {
        const size_t want = max < 1000 ? max + 1 : 1000;
        CLEANUP(source_clear) struct source *from = source_bytes(buf_view(&frames), "x");
        CLEANUP(source_clear) struct source *plain = NULL;
        CLEANUP(err_clear) struct err e = {0};
        struct delta_parts parts = {0};
        struct gunzip_ends ends = {0};

        assert_ok(delta_frames_find(&parts, from, frames.len, 0, max, &e), &e);
        assert_int_equal(parts.n, want);
        plain = gunzip_watched(source_bytes(buf_view(&members), "x"), &ends, max);
        assert_ok(source_drain(plain, &e), &e);
        assert_int_equal(ends.n, want);
        vec_clear(&parts);
        vec_clear(&ends);
    }
}

static void frames_near_other_bytes(void **state)
{
    CLEANUP(buf_clear) struct buf near = {0}, same = {0}, frame = {0}, out = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct zstd_packer *z = zstd_packer_open();
    struct str none = {0};

    noise(&near, 300000, 1);
    noise(&same, 300000, 1);
    assert_ok(zstd_pack_near(z, &frame, buf_view(&same), buf_view(&near), &e), &e);
    assert_in_range(frame.len, 1, 200);
    assert_ok(
        zstd_unpack_near(buf_room(&out, near.len), near.len, buf_view(&frame), buf_view(&near), &e),
        &e);
    assert_memory_equal(out.p, near.p, near.len);
    assert_int_equal(zstd_unpack_near(out.p, near.len, buf_view(&frame), none, &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
    err_clear(&e);
    assert_int_equal(zstd_unpack_near(out.p, near.len - 1, buf_view(&frame), buf_view(&near), &e),
                     -1);
    err_clear(&e);
    buf_reset(&frame);
    assert_ok(zstd_pack_near(z, &frame, STR("a"), none, &e), &e);
    assert_int_equal(zstd_unpack_near(out.p, 2, buf_view(&frame), none, &e), -1);
    zstd_packer_free(z);
}

/* ---- the file ---- */

static void fill(struct delta *d)
{
    struct delta_layer *l = vec_push(&d->layers);

    d->old.manifest.bytes[0] = d->old.config.bytes[1] = d->manifest.bytes[2] = 1;
    vec_push(&d->old.layers)->size = 1000;
    d->old.layers.v[0].digest.bytes[3] = 1;
    vec_push(&d->old.diff_ids)->bytes[4] = 1;
    vec_add(&d->documents, ((struct delta_document){.digest = {{5}}, .size = 9, .packed = 4}));
    *l = (struct delta_layer){.digest = {{6}}, .diff_id = {{7}}, .size = 500, .plain = 2148};
    vec_add(&l->pieces,
            ((struct delta_piece){
                .kind = DELTA_COPY, .at = 3, .packed = 40, .plain_at = 512, .plain = 512}));
    vec_add(&l->pieces, ((struct delta_piece){.kind = DELTA_RAW, .packed = 5, .plain = 100}));
    vec_add(&l->pieces,
            ((struct delta_piece){
                .kind = DELTA_DEFLATE1, .packed = 6, .runs = 2, .near = 2, .nears = 1}));
    vec_add(&d->runs, ((struct delta_run){1, 512, 1024}));
    vec_add(&d->runs, ((struct delta_run){0, 0, 512}));
    vec_add(&d->runs, ((struct delta_run){1, 0, 99}));
}

/* A file in `dir`, with a body and a sum. */
static char *write_file(const char *dir, const struct delta *d, size_t body)
{
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(err_clear) struct err e = {0};
    char *path = path_join(dir, "x.delta");
    struct digest sum;

    assert_ok(delta_begin_write(d, &text, &e), &e);
    noise(&text, body, 1);
    hash_bytes(&sum, text.p, text.len);
    buf_add(&text, sum.bytes, sizeof sum.bytes);
    assert_ok(fs_write(path, buf_view(&text), &e), &e);
    return path;
}

static void what_is_written_is_read(void **state)
{
    CLEANUP(delta_clear) struct delta d = {0}, got = {0};
    CLEANUP(free_clear) char *path = NULL;
    CLEANUP(err_clear) struct err e = {0};
    const struct delta_piece *p;

    fill(&d);
    path = write_file(*state, &d, 4 + 5 + 6);
    assert_ok(delta_open(&got, path, &e), &e);
    p = got.layers.v[0].pieces.v;
    assert_int_equal(got.layers.v[0].pieces.n, 3);
    assert_int_equal(p[0].plain_at, 512);
    assert_int_equal(p[1].at, got.documents.v[0].at + 4);
    assert_int_equal(p[2].at, p[1].at + 5);
    assert_int_equal(p[2].plain, 1536);
    assert_int_equal(p[2].literal, 512);
    assert_int_equal(got.runs.v[p[2].near].size, 99);
    assert_true(delta_layer(&got, &d.layers.v[0].digest) == &got.layers.v[0]);
    assert_null(delta_document(&got, &d.manifest));
}

static void a_body_is_as_long_as_the_head_says(void **state)
{
    for (size_t i = 0; i < 2; i++) {
        CLEANUP(delta_clear) struct delta d = {0}, got = {0};
        CLEANUP(free_clear) char *path = NULL;
        CLEANUP(err_clear) struct err e = {0};

        fill(&d);
        path = write_file(*state, &d, i ? 16 : 14);
        assert_int_equal(delta_open(&got, path, &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_non_null(strstr(e.msg, i ? "longer than its head says" : "shorter than its head"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_only_moved_is_told_by_where_it_was, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_piece_goes_on_where_the_last_one_ended, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(what_changed_is_packed_near_what_it_was, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(two_stretches_of_a_layer_are_no_run, make_folder,
                                        remove_folder),
        cmocka_unit_test(members_and_their_ends),
        cmocka_unit_test(of_too_many_parts_one_more_is_noted),
        cmocka_unit_test(frames_near_other_bytes),
        cmocka_unit_test_setup_teardown(what_is_written_is_read, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_body_is_as_long_as_the_head_says, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
