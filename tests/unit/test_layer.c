/* tests/unit/test_layer.c - a tree becomes a layer: right bytes, the same bytes, and joined again.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "assemble/layer/layer.h"
#include "assemble/layer/layer_record.h"
#include "io/crypto.h"
#include "io/tar_read.h"
#include "mktree.h"

enum { BIG = 3 * 1024 * 1024 };

/* A file in memory that holds `plain` as one raw deflate stream between other bytes. */
struct wheel {
    struct input input;
    struct content content;
    unsigned char *plain;
};

static void wheel_make(struct wheel *w, size_t size, bool wrong_crc)
{
    z_stream z = {0};
    size_t bound = size + size / 8 + 4096;
    unsigned char *packed = xmalloc(bound);

    w->plain = xmalloc(size);
    for (size_t i = 0; i < size; i++)
        w->plain[i] = (unsigned char)((i * 2654435761u >> 13) ^ (i >> 9));
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = w->plain;
    z.avail_in = (uInt)size;
    z.next_out = packed;
    z.avail_out = (uInt)bound;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    w->input.name = "wheel";
    w->input.fd = (struct fd){memfd_create("wheel", MFD_CLOEXEC), true};
    memset(w->input.digest.bytes, 7, sizeof w->input.digest.bytes);
    assert_int_equal(pwrite(w->input.fd.n, packed, z.total_out, 100), (ssize_t)z.total_out);
    w->input.size = 100 + z.total_out;
    w->content = (struct content){.kind = CONTENT_DEFLATE,
                                  .size = size,
                                  .input = &w->input,
                                  .offset = 100,
                                  .packed = z.total_out,
                                  .crc = (uint32_t)crc32_z(0, w->plain, size) ^ wrong_crc};
    deflateEnd(&z);
    free(packed);
}

static void wheel_clear(struct wheel *w)
{
    fd_clear(&w->input.fd);
    free(w->plain);
}

struct buf_sink {
    struct sink sink;
    struct buf bytes;
};

static int buf_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    buf_add(&((struct buf_sink *)self)->bytes, bytes, len);
    return 0;
}

static void tree_make(struct tree *t, const struct wheel *w, bool reversed)
{
    struct err e = {0};
    struct entry big = {.path = STR("opt/lib.so"), .type = ENTRY_FILE, .mode = 0755, .mtime = 1000};

    big.content = w->content;
    for (int i = 0; i < 3; i++) {
        switch (reversed ? 2 - i : i) {
        case 0:
            mktree_dir(t, "opt", 0755, 1000);
            break;
        case 1:
            assert_int_equal(tree_add(t, &big, false, &e), 0);
            break;
        case 2:
            mktree_file(t, "opt/small.txt", 0644, 2000, STR("small\n"));
            mktree_link(t, "opt/link", "small.txt", 2000);
            break;
        }
    }
    tree_sort(t);
}

static void write_layer(struct layer_result *out, const struct tree *t, struct buf_sink *blob,
                        struct buf_sink *literals, struct segments *segments, bool skip)
{
    struct layer_output to = {.blob = &blob->sink,
                              .literals = literals ? &literals->sink : NULL,
                              .segments = segments,
                              .skip_diff_id = skip,
                              .name = "x"};
    struct err e = {0};

    blob->sink.write = buf_write;
    if (literals)
        literals->sink.write = buf_write;
    if (layer_write(out, t, &to, NULL, &e) < 0)
        fail_msg("%s", e.msg);
}

static struct buf gunzip(struct str gz)
{
    struct buf out = {0};
    z_stream z = {0};

    z.next_in = (Bytef *)(uintptr_t)gz.p;
    z.avail_in = (uInt)gz.len;
    while (z.avail_in) { /* member after member */
        assert_int_equal(inflateInit2(&z, MAX_WBITS + 16), Z_OK);
        int result = Z_OK;
        while (result == Z_OK) {
            z.next_out = (Bytef *)buf_room(&out, 1 << 20);
            z.avail_out = 1 << 20;
            result = inflate(&z, Z_NO_FLUSH);
            out.len += (1 << 20) - z.avail_out;
        }
        assert_int_equal(result, Z_STREAM_END);
        inflateEnd(&z);
    }
    return out;
}

static int each_entry(void *ctx, const struct tar_entry *u, struct source *data, struct err *e)
{
    const struct wheel *w = ctx;
    CLEANUP(buf_clear) struct buf bytes = {0};

    if (u->entry.type != ENTRY_FILE)
        return 0;
    assert_int_equal(source_read_all(data, &bytes, UINT64_MAX, e), 0);
    if (str_is(u->entry.path, "opt/lib.so")) {
        assert_int_equal(bytes.len, w->content.size);
        assert_memory_equal(bytes.p, w->plain, bytes.len);
    } else {
        assert_true(str_is(buf_view(&bytes), "small\n"));
    }
    return 0;
}

static void the_layer_is_the_tree(void **state)
{
    CLEANUP(tree_clear) struct tree t = {0};
    struct wheel w = {0};
    struct layer_result r;
    struct buf_sink blob = {0};
    struct digest d;
    struct buf tar;
    CLEANUP(tar_clear) struct tar_reader *reader = NULL;
    struct err e = {0};

    wheel_make(&w, BIG, false);
    tree_make(&t, &w, false);
    write_layer(&r, &t, &blob, NULL, NULL, false);
    assert_int_equal(r.size, blob.bytes.len);
    hash_bytes(&d, blob.bytes.p, blob.bytes.len);
    assert_true(digest_eq(&d, seen_digest(&r.digest)));
    tar = gunzip(buf_view(&blob.bytes));
    hash_bytes(&d, tar.p, tar.len);
    assert_true(digest_eq(&d, seen_digest(&r.diff_id)));
    assert_int_equal(tar.len, r.tar_size);
    reader = tar_open(source_bytes(buf_view(&tar), "layer"), TAR_PACKAGE);
    assert_int_equal(tar_walk(reader, each_entry, &w, &e), 0);
    /* The wheel's own deflate bytes are in the blob. */
    CLEANUP(buf_clear) struct buf packed = {0};
    assert_int_equal(fd_pread_all(w.input.fd.n, buf_room(&packed, w.content.packed),
                                  w.content.packed, 100, "x", &e),
                     0);
    packed.len = w.content.packed;
    assert_true(str_find_str(buf_view(&blob.bytes), buf_view(&packed)) < blob.bytes.len);
    buf_clear(&tar);
    buf_clear(&blob.bytes);
    wheel_clear(&w);
}

static void order_of_adding_and_skipping_change_nothing(void **state)
{
    struct wheel w = {0};
    struct layer_result r[3];
    struct buf_sink blob[3] = {0};

    wheel_make(&w, BIG, false);
    for (int i = 0; i < 3; i++) {
        CLEANUP(tree_clear) struct tree t = {0};

        tree_make(&t, &w, i == 1);
        write_layer(&r[i], &t, &blob[i], NULL, NULL, i == 2);
        assert_true(digest_eq(seen_digest(&r[i].digest), seen_digest(&r[0].digest)));
        assert_int_equal(r[i].tar_size, r[0].tar_size);
    }
    assert_true(digest_eq(seen_digest(&r[1].diff_id), seen_digest(&r[0].diff_id)));
    assert_false(digest_is_set(seen_digest(&r[2].diff_id)));
    for (int i = 0; i < 3; i++)
        buf_clear(&blob[i].bytes);
    wheel_clear(&w);
}

static void segments_give_the_blob_back(void **state)
{
    CLEANUP(tree_clear) struct tree t = {0};
    CLEANUP(layer_record_clear) struct layer_record record = {0}, read = {0};
    struct layer_result made;
    CLEANUP(buf_clear) struct buf text = {0};
    struct buf_sink blob = {0}, literals = {0}, joined = {.sink = {buf_write, NULL}};
    struct wheel w = {0};
    struct input literal_file = {.name = "literals"};
    const struct input *inputs[1];
    struct err e = {0};

    wheel_make(&w, BIG, false);
    tree_make(&t, &w, false);
    write_layer(&made, &t, &blob, &literals, &record.segments, false);
    assert_int_equal(record.segments.inputs.n, 1);
    assert_true(literals.bytes.len < 4096); /* headers and small files only */
    *vec_push(&record.slim) = (struct slim_count){slim_rule_at(0), 1, 2, 3};
    layer_record_print(&text, &made, &made.digest, &record.segments, &record.slim);
    assert_int_equal(layer_record_parse(&read, buf_view(&text), &e), 0);
    assert_true(digest_eq(&read.digest, seen_digest(&made.digest)));
    assert_true(digest_eq(&read.diff_id, seen_digest(&made.diff_id)));
    assert_int_equal(read.size, made.size);
    assert_int_equal(read.tar_size, made.tar_size);
    assert_int_equal(read.slim.n, 1);
    assert_ptr_equal(read.slim.v[0].rule, slim_rule_at(0));
    assert_int_equal(read.slim.v[0].packed, 3);

    literal_file.fd = (struct fd){memfd_create("literals", MFD_CLOEXEC), true};
    assert_int_equal(pwrite(literal_file.fd.n, literals.bytes.p, literals.bytes.len, 0),
                     (ssize_t)literals.bytes.len);
    inputs[0] = &w.input;
    assert_int_equal(segments_write(&read.segments, &literal_file, inputs, &joined.sink, NULL, &e),
                     0);
    assert_true(str_eq(buf_view(&joined.bytes), buf_view(&blob.bytes)));
    fd_clear(&literal_file.fd);
    buf_clear(&blob.bytes);
    buf_clear(&literals.bytes);
    buf_clear(&joined.bytes);
    wheel_clear(&w);
}

/* Whatever a lock says of it. */
static void a_record_has_no_diff_id_that_nobody_saw(void **state)
{
    CLEANUP(tree_clear) struct tree t = {0};
    CLEANUP(layer_record_clear) struct layer_record read = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    const struct segments none = {0};
    const struct slim_counts all = {0};
    struct buf_sink blob = {0};
    struct wheel w = {0};
    struct layer_result made;
    struct err e = {0};

    wheel_make(&w, BIG, false);
    tree_make(&t, &w, false);
    write_layer(&made, &t, &blob, NULL, NULL, true);
    layer_record_print(&text, &made, &made.digest, &none, &all);
    assert_int_equal(layer_record_parse(&read, buf_view(&text), &e), 0);
    assert_true(digest_eq(&read.digest, seen_digest(&made.digest)));
    assert_false(digest_is_set(&read.diff_id));
    buf_clear(&blob.bytes);
    wheel_clear(&w);
}

static void a_wrong_crc_is_refused(void **state)
{
    CLEANUP(tree_clear) struct tree t = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct buf_sink blob = {.sink = {buf_write, NULL}};
    struct layer_output to = {.blob = &blob.sink, .name = "x"};
    struct layer_result r;
    struct wheel w = {0};

    wheel_make(&w, BIG, true);
    tree_make(&t, &w, false);
    assert_int_equal(layer_write(&r, &t, &to, NULL, &e), -1);
    assert_int_equal(e.kind, ERR_INTEGRITY);
    assert_non_null(strstr(e.msg, "CRC"));
    buf_clear(&blob.bytes);
    wheel_clear(&w);
}

static void damaged_records_are_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "layer",
        "layer 00",
        "lawyer\n",
        "layer 0000000000000000000000000000000000000000000000000000000000000001 "
        "0000000000000000000000000000000000000000000000000000000000000002 1 2 "
        "0000000000000000000000000000000000000000000000000000000000000003 4\n1 0 5\n",
        "layer 0000000000000000000000000000000000000000000000000000000000000001 "
        "0000000000000000000000000000000000000000000000000000000000000002 1 2 "
        "0000000000000000000000000000000000000000000000000000000000000003 4\nslim what 1 2 3\n",
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(layer_record_clear) struct layer_record r = {0};
        CLEANUP(err_clear) struct err e = {0};

        assert_int_equal(layer_record_parse(&r, str_of(cases[i]), &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
    }
}

/* Format 1 is a promise: this tree has this digest for ever. */
static void format_1_is_pinned(void **state)
{
    CLEANUP(tree_clear) struct tree t = {0};
    struct layer_result r;
    struct buf_sink blob = {0};
    char digest[DIGEST_HEX + 1], diff[DIGEST_HEX + 1];
    struct buf text = {0};

    for (unsigned i = 0; i < 200000; i++)
        buf_fmt(&text, "%u ", i * 2654435761u >> 20);
    mktree_dir(&t, "a", 0755, 1);
    mktree_file(&t, "a/numbers", 0644, 1700000000, buf_view(&text));
    mktree_file(&t, "b", 0600, 2, STR(""));
    tree_sort(&t);
    write_layer(&r, &t, &blob, NULL, NULL, false);
    digest_hex(seen_digest(&r.digest), digest);
    digest_hex(seen_digest(&r.diff_id), diff);
    assert_string_equal(diff, "277f9c0980669a7d18b2c6684438e2c7cd2f9dc0e14a58d4a63dafd7f63a81d8");
    assert_string_equal(digest, "813a781fa357558616c7b38507183f2eeda51774062bede97d43a71a61371aa9");
    buf_clear(&text);
    buf_clear(&blob.bytes);
}

/* Its members are compressed by several threads, and are those that one would have made. */
static void a_big_file_is_pinned_whatever_the_threads(void **state)
{
    CLEANUP(tree_clear) struct tree t = {0};
    CLEANUP(buf_clear) struct buf bytes = {0};
    size_t size = (34 << 20) + 12345;
    uint32_t *words = (uint32_t *)(void *)buf_room(&bytes, size + sizeof *words);

    for (uint32_t i = 0; i < size / sizeof *words + 1; i++)
        words[i] = i * 2654435761u >> (i >> 8 & 31);
    mktree_file(&t, "before", 0644, 1, STR("small\n"));
    mktree_file(&t, "big", 0644, 1700000000, (struct str){bytes.p, size});
    mktree_file(&t, "later", 0644, 1, STR("small\n"));
    tree_sort(&t);
    for (unsigned threads = 0; threads < 4; threads += 3) {
        CLEANUP(layer_record_clear) struct layer_record record = {0};
        struct buf_sink blob = {.sink = {buf_write, NULL}};
        struct layer_output to = {
            .blob = &blob.sink, .segments = &record.segments, .name = "x", .threads = threads};
        struct layer_result r;
        char digest[DIGEST_HEX + 1];
        struct err e = {0};

        assert_int_equal(layer_write(&r, &t, &to, NULL, &e), 0);
        digest_hex(seen_digest(&r.digest), digest);
        assert_string_equal(digest,
                            "dffb4a61e74e7d3248e1b699ec4037f7fb834bde12a284442d4af886f604ddb2");
        assert_int_equal(r.size, blob.bytes.len);
        assert_int_equal(record.segments.literal_size, blob.bytes.len);
        buf_clear(&blob.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_layer_is_the_tree),
        cmocka_unit_test(order_of_adding_and_skipping_change_nothing),
        cmocka_unit_test(segments_give_the_blob_back),
        cmocka_unit_test(a_record_has_no_diff_id_that_nobody_saw),
        cmocka_unit_test(a_wrong_crc_is_refused),
        cmocka_unit_test(damaged_records_are_refused),
        cmocka_unit_test(format_1_is_pinned),
        cmocka_unit_test(a_big_file_is_pinned_whatever_the_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
