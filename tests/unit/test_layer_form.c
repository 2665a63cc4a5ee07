/* tests/unit/test_layer_form.c - a tree as gzip of one member, as zstd, as zstd:chunked: always the
 * tar that gzip holds, the same bytes whatever the threads, and tables that say the truth. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "assemble/layer/layer.h"
#include "assemble/layer/layer_record.h"
#include "doc/json.h"
#include "io/crc64.h"
#include "io/decompress.h"
#include "mktree.h"

static const enum compression forms[] = {COMPRESSION_SINGLE, COMPRESSION_ZSTD, COMPRESSION_CHUNKED};

struct buf_sink {
    struct sink sink;
    struct buf bytes;
};

static int buf_write(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    buf_add(&((struct buf_sink *)self)->bytes, bytes, len);
    return 0;
}

/* A layer in memory. */
struct made {
    struct layer_result result;
    struct buf_sink blob;
    char warning[300];
};

static void take_warning(void *ctx, const struct event *event)
{
    struct made *m = ctx;

    if (event->kind == EVENT_WARNING)
        snprintf(m->warning, sizeof m->warning, "%s", event->name);
}

static void make(struct made *m, const struct tree *t, enum compression how, unsigned threads,
                 bool skip)
{
    struct events events = {.emit = take_warning, .ctx = m};
    struct layer_output to = {.blob = &m->blob.sink,
                              .skip_diff_id = skip,
                              .name = "x",
                              .compression = how,
                              .threads = threads};
    struct err e = {0};

    *m = (struct made){.blob = {.sink = {buf_write, NULL}}};
    if (layer_write(&m->result, t, &to, &events, &e) < 0)
        fail_msg("%s", e.msg);
    assert_int_equal(m->result.size, m->blob.bytes.len);
}

static void made_clear(struct made *m)
{
    buf_clear(&m->blob.bytes);
}

static void unpack(struct buf *out, struct str packed)
{
    CLEANUP(source_clear) struct source *s = decompress(source_bytes(packed, "blob"));
    struct err e = {0};

    s->limit = UINT64_MAX;
    if (source_read_all(s, out, UINT64_MAX, &e) < 0)
        fail_msg("%s", e.msg);
}

static void noise(struct buf *out, size_t len)
{
    uint32_t x = 1;

    while (out->len < len) {
        x = x * 1664525 + 1013904223;
        buf_number(out, out->len % 5000 < 2500 ? x >> 8 : 7, 3);
    }
    out->len = len;
}

/* Files below, at and above the size of a frame, empty ones, folders, links, odd names. */
static const size_t sizes[] = {
    0, 1, 512, FORM_FRAME - 1, FORM_FRAME, FORM_FRAME + 1, 2 * FORM_FRAME, 2 * FORM_FRAME + 511};

static void tree_make(struct tree *t, const struct buf *bytes)
{
    char name[200];

    mktree_dir(t, "d", 0755, 1000);
    mktree_dir(t, "d/empty", 01777, 0);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        snprintf(name, sizeof name, "d/f%zu", i);
        mktree_file(t, name, 0644, 2000, (struct str){bytes->p + i, sizes[i]});
    }
    snprintf(name, sizeof name, "d/%0150d", 7); /* too long for ustar */
    mktree_file(t, name, 0755, 3000, STR("long"));
    mktree_file(t, "d/quote\"\\\n\xc3\xa4", 0600, 3000, STR("odd"));
    mktree_link(t, "d/link", "f1", 2000);
    mktree_add(t, &(struct entry){.path = STR("d/z"),
                                  .type = ENTRY_HARDLINK,
                                  .mode = 0644,
                                  .mtime = 2000,
                                  .link = STR("d/f5")});
    mktree_add(t, &(struct entry){.path = STR("owned"),
                                  .type = ENTRY_FILE,
                                  .mode = 0640,
                                  .uid = 1000,
                                  .gid = 3000000, /* too large for ustar */
                                  .mtime = 4000,
                                  .content = {CONTENT_BYTES, .size = 3, .bytes = "own"}});
    tree_sort(t);
}

static void every_form_holds_the_tar_of_gzip(void **state)
{
    static const unsigned threads[] = {1, 2, 4, 9};
    CLEANUP(tree_clear) struct tree t = {0};
    CLEANUP(buf_clear) struct buf bytes = {0}, want = {0};
    struct made gzip, first, m;

    noise(&bytes, 3 * FORM_FRAME);
    tree_make(&t, &bytes);
    make(&gzip, &t, COMPRESSION_GZIP, 1, false);
    unpack(&want, buf_view(&gzip.blob.bytes));
    for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
        make(&first, &t, forms[f], 1, false);
        for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
            CLEANUP(buf_clear) struct buf tar = {0};

            make(&m, &t, forms[f], threads[i], i % 2);
            assert_true(str_eq(buf_view(&m.blob.bytes), buf_view(&first.blob.bytes)));
            unpack(&tar, buf_view(&m.blob.bytes));
            assert_true(str_eq(buf_view(&tar), buf_view(&want)));
            assert_int_equal(m.result.tar_size, tar.len);
            if (!(i % 2))
                assert_memory_equal(&m.result.diff_id, &gzip.result.diff_id,
                                    sizeof m.result.diff_id);
            assert_string_equal(m.warning, "");
            made_clear(&m);
        }
        made_clear(&first);
    }
    made_clear(&gzip);
}

static void one_member_is_one_member(void **state)
{
    CLEANUP(tree_clear) struct tree t = {0};
    CLEANUP(buf_clear) struct buf bytes = {0};
    CLEANUP(free_clear) unsigned char *out = xmalloc(8 * FORM_FRAME);
    struct made m;
    z_stream z = {0};

    noise(&bytes, 3 * FORM_FRAME);
    tree_make(&t, &bytes);
    make(&m, &t, COMPRESSION_SINGLE, 2, false);
    z.next_in = (Bytef *)m.blob.bytes.p;
    z.avail_in = (uInt)m.blob.bytes.len;
    z.next_out = out;
    z.avail_out = 8 * FORM_FRAME;
    assert_int_equal(inflateInit2(&z, MAX_WBITS + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.avail_in, 0);
    assert_int_equal(z.total_out, m.result.tar_size);
    inflateEnd(&z);
    made_clear(&m);
}

/* ---- the table of contents ---- */

static uint64_t le64(const char *p)
{
    uint64_t value = 0;

    for (int i = 7; i >= 0; i--)
        value = value << 8 | (unsigned char)p[i];
    return value;
}

static uint64_t number(const struct node *map, const char *key)
{
    const struct node *n = node_get(map, key);
    uint64_t value = 0;

    if (n && !str_u64(n->text, &value))
        fail_msg("%s is no number", key);
    return value;
}

static const struct entry *entry_named(const struct tree *t, struct str name)
{
    const struct entry *entry = tree_get(t, str_sub(name, 0, name.len - str_ends(name, STR("/"))));

    if (!entry)
        fail_msg("no %.*s", (int)name.len, name.p);
    return entry;
}

static void check_row(const struct made *m, const struct tree *t, const struct node *row)
{
    const struct entry *entry = entry_named(t, node_get(row, "name")->text);
    uint64_t offset = number(row, "offset"), end = number(row, "endOffset");
    const struct node *digest = node_get(row, "digest");
    CLEANUP(buf_clear) struct buf bytes = {0};
    struct digest is, says;

    assert_int_equal(number(row, "mode"), entry->mode);
    assert_int_equal(number(row, "uid"), entry->uid);
    assert_int_equal(number(row, "gid"), entry->gid);
    assert_true(str_ends(node_get(row, "name")->text, STR("/")) == (entry->type == ENTRY_DIR));
    if (entry->type != ENTRY_FILE || !entry->content.size) {
        assert_null(digest);
        assert_int_equal(offset + end, 0);
        return;
    }
    assert_int_equal(number(row, "size"), entry->content.size);
    assert_true(digest_from_text(&says, digest->text));
    unpack(&bytes, str_sub(buf_view(&m->blob.bytes), offset, end - offset));
    hash_bytes(&is, bytes.p, bytes.len);
    assert_true(digest_eq(&is, &says));
    assert_int_equal(bytes.len, entry->content.size);
}

static void check_crc(struct buf *out, const char *bytes, size_t len, struct str payload)
{
    CLEANUP(buf_clear) struct buf says = {0};
    struct crc64 c;

    buf_add(out, bytes, len);
    crc64_open(&c);
    crc64_add(&c, bytes, len);
    assert_true(base64_decode(&says, payload, false));
    assert_int_equal(says.len, 8);
    for (int i = 0; i < 8; i++)
        assert_int_equal((unsigned char)says.p[i], (unsigned char)(c.value >> (56 - 8 * i)));
}

/* The record of tar-split, with the files' bytes, is the tar. */
static void check_split(const struct buf *tar, struct str lines)
{
    CLEANUP(buf_clear) struct buf out = {0};
    struct str line;
    uint64_t position = 0;

    while (str_line(&lines, &line)) {
        CLEANUP(doc_clear) struct doc doc = {0};
        struct err e = {0};
        const struct node *payload;

        assert_int_equal(json_parse(&doc, line, 1 << 20, "split", &e), 0);
        assert_int_equal(number(doc.root, "position"), position++);
        payload = node_get(doc.root, "payload");
        if (number(doc.root, "type") == 2)
            assert_true(base64_decode(&out, payload->text, false));
        else if (number(doc.root, "size"))
            check_crc(&out, tar->p + out.len, number(doc.root, "size"), payload->text);
        assert_true(payload->kind == NODE_NULL ? !number(doc.root, "size") : payload->text.len > 0);
    }
    assert_true(str_eq(buf_view(&out), buf_view(tar)));
}

static void check_tables(const struct made *m, const struct tree *t)
{
    struct str blob = buf_view(&m->blob.bytes), toc, split;
    const struct chunked *c = &m->result.chunked;
    const char *footer = blob.p + blob.len - 64;
    CLEANUP(buf_clear) struct buf text = {0}, lines = {0}, tar = {0};
    CLEANUP(doc_clear) struct doc doc = {0};
    const struct node *row, *rows;
    struct digest digest, says;
    struct err e = {0};

    assert_memory_equal(footer + 56, "GNUlInUx", 8);
    assert_int_equal(le64(footer), c->offset);
    assert_int_equal(le64(footer + 8), c->size);
    assert_int_equal(le64(footer + 16), c->unpacked);
    assert_int_equal(le64(footer + 24), 1);
    assert_int_equal(le64(footer + 32), c->split_offset);
    assert_int_equal(le64(footer + 40), c->split_size);
    assert_int_equal(le64(footer + 48), c->split_unpacked);
    assert_memory_equal(footer - 8, "\x50\x2a\x4d\x18\x40\0\0\0", 8);

    toc = str_sub(blob, c->offset, c->size);
    split = str_sub(blob, c->split_offset, c->split_size);
    hash_bytes(&digest, toc.p, toc.len);
    assert_true(digest_eq(&digest, &c->toc));
    unpack(&text, toc);
    assert_int_equal(text.len, c->unpacked);
    unpack(&lines, split);
    assert_int_equal(lines.len, c->split_unpacked);
    assert_int_equal(json_parse(&doc, buf_view(&text), 1 << 28, "toc", &e), 0);
    hash_bytes(&digest, split.p, split.len);
    assert_true(digest_from_text(&says, node_get(doc.root, "tarSplitDigest")->text));
    assert_true(digest_eq(&digest, &says));
    assert_int_equal(number(doc.root, "version"), 1);
    rows = node_get(doc.root, "entries");
    assert_int_equal(rows->count, t->entries.n);
    node_each(row, rows)
        check_row(m, t, row);
    unpack(&tar, blob);
    check_split(&tar, buf_view(&lines));
}

static void the_table_says_where_each_file_is(void **state)
{
    CLEANUP(tree_clear) struct tree t = {0};
    CLEANUP(buf_clear) struct buf bytes = {0};
    struct made m;

    noise(&bytes, 3 * FORM_FRAME);
    tree_make(&t, &bytes);
    make(&m, &t, COMPRESSION_CHUNKED, 3, false);
    check_tables(&m, &t);
    made_clear(&m);
}

static void an_empty_layer_has_a_table_too(void **state)
{
    CLEANUP(tree_clear) struct tree none = {0}, folder = {0};
    struct made m;

    make(&m, &none, COMPRESSION_CHUNKED, 2, false);
    check_tables(&m, &none);
    made_clear(&m);
    mktree_dir(&folder, "d", 0755, 0);
    tree_sort(&folder);
    make(&m, &folder, COMPRESSION_CHUNKED, 2, false);
    check_tables(&m, &folder);
    made_clear(&m);
}

/* The hash that a wheel's RECORD has is taken as it is: it is checked where the tar is hashed. */
static void a_hash_that_is_known_is_not_computed_again(void **state)
{
    CLEANUP(tree_clear) struct tree t = {0};
    struct input wheel = {.name = "wheel"};
    struct digest hash;
    struct made m;

    hash_bytes(&hash, "own", 3);
    mktree_add(
        &t, &(struct entry){.path = STR("f"),
                            .type = ENTRY_FILE,
                            .mode = 0644,
                            .content = {CONTENT_BYTES, .size = 3, .bytes = "own", .input = &wheel,
                                        .hash = {(char *)hash.bytes, sizeof hash.bytes}}});
    tree_sort(&t);
    make(&m, &t, COMPRESSION_CHUNKED, 1, false);
    check_tables(&m, &t);
    made_clear(&m);
}

static void a_layer_that_no_table_fits_is_whole_all_the_same(void **state)
{
    CLEANUP(tree_clear) struct tree odd = {0}, many = {0};
    CLEANUP(buf_clear) struct buf tar = {0}, long_name = {0};
    const struct tree *trees[] = {&odd, &many};
    static const char *const why[] = {"UTF-8", "too many files"};

    mktree_file(&odd, "caf\xe9", 0644, 1, STR("x"));
    tree_sort(&odd);
    for (int i = 0; i < 12; i++)
        buf_fmt(&long_name, "%0249d/", i);
    buf_puts(&long_name, "0");
    mktree_parents(&many, long_name.p, 1);
    for (unsigned i = 0; i < FORM_TOC_MAX / 3000; i++) {
        CLEANUP(buf_clear) struct buf name = {0};

        buf_fmt(&name, "%s%u", long_name.p, i); /* beside that one */
        mktree_file(&many, name.p, 0644, 1, STR(""));
    }
    tree_sort(&many);
    for (int i = 0; i < 2; i++) {
        struct made m;

        make(&m, trees[i], COMPRESSION_CHUNKED, 2, false);
        assert_false(digest_is_set(&m.result.chunked.toc));
        assert_non_null(strstr(m.warning, why[i]));
        buf_reset(&tar);
        unpack(&tar, buf_view(&m.blob.bytes));
        assert_int_equal(tar.len, m.result.tar_size);
        made_clear(&m);
    }
}

static void a_record_keeps_the_table(void **state)
{
    CLEANUP(tree_clear) struct tree t = {0};
    CLEANUP(layer_record_clear) struct layer_record read = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    const struct segments none = {0};
    const struct slim_counts all = {0};
    struct made m;
    struct err e = {0};

    mktree_file(&t, "f", 0644, 1, STR("x"));
    tree_sort(&t);
    make(&m, &t, COMPRESSION_CHUNKED, 2, false);
    layer_record_print(&text, &m.result, &m.result.digest, &none, &all);
    assert_int_equal(layer_record_parse(&read, buf_view(&text), &e), 0);
    assert_memory_equal(&read.chunked, &m.result.chunked, sizeof read.chunked);
    made_clear(&m);
}

static void the_annotations_are_those_that_podman_reads(void **state)
{
    CLEANUP(arena_clear) struct arena a = {0};
    struct pairs pairs = {0};
    struct chunked c = {.offset = 1,
                        .size = 2,
                        .unpacked = 3,
                        .split_offset = 4,
                        .split_size = 5,
                        .split_unpacked = 6};

    chunked_annotate(&pairs, &c, &a);
    assert_int_equal(pairs.n, 0);
    memset(c.toc.bytes, 0xab, sizeof c.toc.bytes);
    chunked_annotate(&pairs, &c, &a);
#define ANNOTATION(name) pairs_get(&pairs, "io.github.containers.zstd-chunked." name)
    assert_true(str_starts(*ANNOTATION("manifest-checksum"), STR("sha256:abab")));
    assert_true(str_is(*ANNOTATION("manifest-position"), "1:2:3:1"));
    assert_true(str_is(*ANNOTATION("tarsplit-position"), "4:5:6"));
    vec_clear(&pairs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_holds_the_tar_of_gzip),
        cmocka_unit_test(one_member_is_one_member),
        cmocka_unit_test(the_table_says_where_each_file_is),
        cmocka_unit_test(an_empty_layer_has_a_table_too),
        cmocka_unit_test(a_hash_that_is_known_is_not_computed_again),
        cmocka_unit_test(a_layer_that_no_table_fits_is_whole_all_the_same),
        cmocka_unit_test(a_record_keeps_the_table),
        cmocka_unit_test(the_annotations_are_those_that_podman_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
