/* Images in layouts and archives: which one is seen, and what its layers are checked for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "oci_fixture.h"

#include <fcntl.h>

#include "io/crypto.h"
#include "io/deflate.h"
#include "io/gzip.h"
#include "io/inflate.h"
#include "mktar.h"
#include "oci/layer_read.h"
#include "oci/rootfs.h"

/* A layout of one image, whose layer holds one file of that name. */
static void make_layout(const char *folder, const char *name, struct digest *digest)
{
    CLEANUP(place_clear) struct place *p = NULL;
    CLEANUP(buf_clear) struct buf layer = {0};
    CLEANUP(err_clear) struct err e = {0};

    mktar(&layer, name, '0', "", "x", 1);
    if (layout_open(&p, folder, &(struct blob_files){0}, &e) < 0 ||
        put_tagged(p, buf_view(&layer), "1", digest, &e) < 0 || place_close(p, &e) < 0)
        fail_msg("%s", e.msg);
}

static void add_file(struct buf *tar, const char *folder, const char *name, const char *as)
{
    CLEANUP(free_clear) char *path = path_join(folder, name);
    CLEANUP(buf_clear) struct buf bytes = {0};
    CLEANUP(err_clear) struct err e = {0};

    if (fs_read(&bytes, path, 1 << 20, &e) < 0)
        fail_msg("%s", e.msg);
    mktar(tar, as, '0', "", bytes.p, bytes.len);
}

static void add_blobs(struct buf *tar, const char *folder)
{
    CLEANUP(free_clear) char *blobs = path_join(folder, "blobs/sha256");
    CLEANUP(names_clear) struct names names = {0};
    CLEANUP(err_clear) struct err e = {0};

    if (fs_list(&names, blobs, &e) < 0)
        fail_msg("%s", e.msg);
    for (size_t i = 0; i < names.n; i++) {
        CLEANUP(free_clear) char *as = path_join("./blobs//sha256", names.v[i]);

        add_file(tar, blobs, names.v[i], as);
    }
}

static void write_file(const char *path, struct str bytes)
{
    CLEANUP(fd_clear) struct fd fd = {0};
    CLEANUP(err_clear) struct err e = {0};

    if (fd_open(&fd, path, O_WRONLY | O_CREAT | O_TRUNC, 0600, &e) < 0 ||
        fd_write_all(fd.n, bytes.p, bytes.len, path, &e) < 0)
        fail_msg("%s", e.msg);
}

static int keep_none(void *ctx, struct str path, uint64_t size, struct source *data,
                     struct buf *text, struct err *e)
{
    return 0;
}

/* "a": the name of the file in the image of that archive; or the fault. */
static void see(struct buf *out, const char *path, const char *prefix)
{
    CLEANUP(stored_clear) struct stored s = {0};
    CLEANUP(rootfs_clear) struct rootfs fs = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(err_clear) struct err e = {0};

    buf_fmt(&text, "%s%s", prefix, path);
    if (stored_open_any(&s, buf_view(&text), "", NULL, &e) < 0 ||
        rootfs_read(&fs, &s, keep_none, NULL, &e) < 0)
        buf_puts(out, e.msg);
    else
        buf_str(out, fs.nodes.v[0]->path);
}

static void expect(const char *path, const char *prefix, const char *want)
{
    CLEANUP(buf_clear) struct buf got = {0};

    see(&got, path, prefix);
    if (!strstr(got.p, want))
        fail_msg("\"%s\" where \"%s\" belongs", got.p, want);
}

static void the_last_file_of_a_name_counts(void **state)
{
    CLEANUP(free_clear) char *one = path_join(*state, "one"), *two = path_join(*state, "two");
    CLEANUP(free_clear) char *path = path_join(*state, "x.tar");
    CLEANUP(buf_clear) struct buf tar = {0};
    struct digest digest;
    size_t at;

    make_layout(one, "first", &digest);
    make_layout(two, "second", &digest);
    add_blobs(&tar, one);
    add_blobs(&tar, two);
    add_file(&tar, one, "index.json", "index.json");
    add_file(&tar, two, "index.json", "./index.json");
    write_file(path, buf_view(&tar));
    expect(path, "oci-archive:", "second");
    expect(path, "", "second");

    /* By the prefix this is "elsewhere/index.json". */
    at = tar.len;
    add_file(&tar, one, "index.json", "index.json");
    memcpy(tar.p + at + 345, "elsewhere", 9);
    mktar_sum((unsigned char *)tar.p + at);
    write_file(path, buf_view(&tar));
    expect(path, "", "second");

    mktar(&tar, "index.json", '2', "elsewhere/index.json", "", 0);
    write_file(path, buf_view(&tar));
    expect(path, "", "first");
    mktar(&tar, "index.json", '5', "", "", 0);
    write_file(path, buf_view(&tar));
    expect(path, "", "it holds neither an index.json nor a manifest.json");
}

static void an_entry_may_be_larger_than_8_GiB(void **state)
{
    CLEANUP(free_clear) char *one = path_join(*state, "one"), *path = path_join(*state, "x.tar");
    CLEANUP(buf_clear) struct buf tar = {0}, rest = {0};
    CLEANUP(fd_clear) struct fd fd = {0};
    CLEANUP(err_clear) struct err e = {0};
    const uint64_t size = (uint64_t)9 << 30;
    struct digest digest;

    make_layout(one, "a", &digest);
    mktar_pax(&tar, 'x', STR("size=9663676416\n"));
    mktar(&tar, "large", '0', "", "", 0);
    add_blobs(&rest, one);
    add_file(&rest, one, "index.json", "index.json");
    write_file(path, buf_view(&tar));
    if (fd_open(&fd, path, O_WRONLY, 0, &e) < 0 || /* a hole on the disk */
        fd_pwrite_all(fd.n, rest.p, rest.len, tar.len + size, path, &e) < 0)
        fail_msg("%s", e.msg);
    expect(path, "oci-archive:", "a");
}

static void what_docker_saved_is_found_through_links(void **state)
{
    CLEANUP(free_clear) char *path = path_join(*state, "x.tar");
    CLEANUP(buf_clear) struct buf tar = {0}, layer = {0}, config = {0};
    char hex[DIGEST_HEX + 1];
    struct digest digest;

    mktar(&layer, "a", '0', "", "x", 1);
    hash_bytes(&digest, layer.p, layer.len);
    digest_hex(&digest, hex);
    buf_fmt(&config,
            "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\","
            "\"diff_ids\":[\"sha256:%s\",\"sha256:%s\"]}}",
            hex, hex);
    mktar(&tar, "1/layer.tar", '0', "", layer.p, layer.len);
    mktar(&tar, "2/layer.tar", '2', "../1/layer.tar", "", 0);
    mktar(&tar, "c.json", '0', "", config.p, config.len);
#define SAVED "[{\"Config\":\"c.json\",\"Layers\":[\"1/layer.tar\",\"2/layer.tar\"]}]"
    mktar(&tar, "manifest.json", '0', "", SAVED, sizeof SAVED - 1);
    write_file(path, buf_view(&tar));
    expect(path, "docker-archive:", "a");
    mktar(&tar, "2/layer.tar", '2', "../../1/layer.tar", "", 0); /* leads out, to nowhere */
    mktar(&tar, "1/layer.tar", '1', "2/layer.tar", "", 0);
    write_file(path, buf_view(&tar));
    expect(path, "docker-archive:", "lacks its layer \"1/layer.tar\"");
}

static void what_is_no_archive_is_told(void **state)
{
    CLEANUP(free_clear) char *path = path_join(*state, "x.tar");
    CLEANUP(buf_clear) struct buf tar = {0};

    write_file(path, STR("no tar"));
    expect(path, "", "is not an image: neither a layout's folder nor a tar");
    expect(path, "oci-archive:", "is not an image");
    write_file(path, STR("\x1f\x8b"));
    expect(path, "", "is compressed as a whole");
    mktar(&tar, "../index.json", '0', "", "{}", 2);
    write_file(path, buf_view(&tar));
    expect(path, "", "\"../index.json\" is not a safe path");
    tar.len = 0;
    mktar(&tar, "a", '0', "", "x", 1);
    write_file(path, str_sub(buf_view(&tar), 0, 512));
    expect(path, "", "it ends early");
}

/* ---- layers ---- */

static void gzip(struct buf *out, struct str plain)
{
    unsigned char tail[GZIP_TAIL];
    struct deflater *d = deflater_open();

    buf_add(out, gzip_head, GZIP_HEAD);
    deflate_1(d, out, plain.p, plain.len);
    gzip_tail(tail, crc32_add(0, plain.p, plain.len), plain.len);
    buf_add(out, tail, sizeof tail);
    deflater_clear(&d);
}

/* An image by hand: one layer, its blob and the tar that its config names. */
static int read_layer(const char *folder, struct str blob, struct str plain, tar_each each,
                      void *ctx, const struct events *events, struct err *e)
{
    CLEANUP(place_clear) struct place *p = NULL;
    CLEANUP(stored_clear) struct stored s = {0};
    CLEANUP(names_clear) struct names names = {0};
    struct descriptor *d = vec_push(&s.manifest.layers);
    uint64_t size = blob.len;

    if (layout_open(&p, folder, &(struct blob_files){0}, e) < 0 ||
        place_put_bytes(p, blob, &d->digest, e) < 0 || place_close(p, e) < 0 ||
        stored_files_open(&s.files, folder, false, true, e) < 0)
        return -1;
    d->size = size;
    s.events = events;
    hash_bytes(vec_push(&s.config.diff_ids), plain.p, plain.len);
    return layer_read(&s, 0, true, each, ctx, NULL, e);
}

static int count(void *ctx, const struct tar_entry *entry, struct source *data, struct err *e)
{
    ++*(size_t *)ctx;
    return 0;
}

static int give_up(void *ctx, const struct tar_entry *entry, struct source *data, struct err *e)
{
    return err_set(e, ERR_INPUT, "of the caller");
}

static void layers_are_held_against_their_digests(void **state)
{
    CLEANUP(buf_clear) struct buf tar = {0}, once = {0}, twice = {0}, zeros = {0};
    CLEANUP(err_clear) struct err other = {0}, broken = {0}, own = {0}, e = {0};
    size_t n = 0;

    mktar(&tar, "a", '0', "", "x", 1);
    mktar(&tar, "b", '0', "", "y", 1);
    gzip(&once, buf_view(&tar));
    gzip(&twice, buf_view(&once));
    buf_str(&zeros, buf_view(&once));
    buf_add(&zeros, "\0\0\0\0", 4);
    if (read_layer(*state, buf_view(&tar), buf_view(&tar), count, &n, NULL, &e) < 0 ||
        read_layer(*state, buf_view(&once), buf_view(&tar), count, &n, NULL, &e) < 0 ||
        read_layer(*state, buf_view(&zeros), buf_view(&tar), count, &n, NULL, &e) < 0)
        fail_msg("%s", e.msg);
    assert_int_equal(n, 6);
    assert_int_equal(read_layer(*state, buf_view(&once), buf_view(&once), count, &n, NULL, &other),
                     -1);
    assert_int_equal(other.kind, ERR_INTEGRITY);
    assert_non_null(strstr(other.msg, "its diff_id is not"));
    /* Undone once, it is gzip and no tar. */
    assert_int_equal(
        read_layer(*state, buf_view(&twice), buf_view(&once), count, &n, NULL, &broken), -1);
    assert_int_equal(broken.kind, ERR_INPUT);
    assert_non_null(strstr(broken.msg, "is not a sound tar"));
    assert_int_equal(read_layer(*state, buf_view(&once), buf_view(&tar), give_up, NULL, NULL, &own),
                     -1);
    assert_string_equal(own.msg, "of the caller");
}

static void damage_is_told_before_what_it_causes(void **state)
{
    CLEANUP(free_clear) char *blob = NULL;
    CLEANUP(buf_clear) struct buf tar = {0}, text = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(stored_clear) struct stored s = {0};
    struct digest digest;
    size_t n = 0;

    make_layout(*state, "a", &digest);
    buf_fmt(&text, "oci:%s", (const char *)*state);
    if (stored_open_any(&s, buf_view(&text), "", NULL, &e) < 0)
        fail_msg("%s", e.msg);
    blob = layout_blob_path(*state, &s.manifest.layers.v[0].digest);
    mktar(&tar, "a", '0', "", "x", 1);
    tar.p[0] = 'b'; /* its sum is wrong then, too */
    write_file(blob, buf_view(&tar));
    assert_int_equal(layer_read(&s, 0, false, count, &n, NULL, &e), -1);
    assert_int_equal(e.kind, ERR_INTEGRITY);
    assert_non_null(strstr(e.msg, "its digest is not sha256:"));
}

static bool at_once(void *ctx)
{
    return true;
}

static void who_is_interrupted_stops(void **state)
{
    CLEANUP(buf_clear) struct buf tar = {0};
    CLEANUP(err_clear) struct err e = {0};
    const struct events events = {.cancelled = at_once};
    size_t n = 0;

    mktar(&tar, "a", '0', "", "x", 1);
    assert_int_equal(read_layer(*state, buf_view(&tar), buf_view(&tar), count, &n, &events, &e),
                     -1);
    assert_int_equal(e.kind, ERR_INTERRUPTED);
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_last_file_of_a_name_counts, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(an_entry_may_be_larger_than_8_GiB, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(what_docker_saved_is_found_through_links, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(what_is_no_archive_is_told, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(layers_are_held_against_their_digests, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(damage_is_told_before_what_it_causes, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(who_is_interrupted_stops, make_folder, remove_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
