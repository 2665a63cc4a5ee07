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

/* One frame of one block that is not compressed: RFC 8878, 3.1.1. */
static void zstd(struct buf *out, struct str plain)
{
    const uint32_t n = (uint32_t)plain.len, block = n << 3 | 1;
    const unsigned char head[] = {0x28,
                                  0xb5,
                                  0x2f,
                                  0xfd,
                                  0xa0,
                                  (unsigned char)n,
                                  (unsigned char)(n >> 8),
                                  (unsigned char)(n >> 16),
                                  0,
                                  (unsigned char)block,
                                  (unsigned char)(block >> 8),
                                  (unsigned char)(block >> 16)};

    assert_true(n < 128 * 1024);
    buf_add(out, head, sizeof head);
    buf_str(out, plain);
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
    CLEANUP(free_clear) char *dir = path_dir(path), *scratch = path_join(dir, "scratch");

    buf_fmt(&text, "%s%s", prefix, path);
    if (stored_open_any(&s, buf_view(&text), "", &(struct stored_scratch){.dir = scratch}, &e) <
            0 ||
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
    expect(path, "", "x.tar");
    mktar(&tar, "../index.json", '0', "", "{}", 2);
    write_file(path, buf_view(&tar));
    expect(path, "", "\"../index.json\" is not a safe path");
    tar.len = 0;
    mktar(&tar, "a", '0', "", "x", 1);
    write_file(path, str_sub(buf_view(&tar), 0, 512));
    expect(path, "", "it ends early");
}

static void a_compressed_archive_is_read(void **state)
{
    CLEANUP(free_clear) char *one = path_join(*state, "one"), *path = path_join(*state, "x.tar.gz");
    CLEANUP(buf_clear) struct buf tar = {0}, packed = {0}, text = {0};
    CLEANUP(names_clear) struct names left = {0};
    CLEANUP(free_clear) char *scratch = path_join(*state, "scratch");
    CLEANUP(stored_clear) struct stored s = {0};
    CLEANUP(err_clear) struct err e = {0};
    char hex[DIGEST_TEXT + 1];
    struct digest digest;

    make_layout(one, "a", &digest);
    add_blobs(&tar, one);
    add_file(&tar, one, "index.json", "index.json");
    gzip(&packed, buf_view(&tar));
    write_file(path, buf_view(&packed));
    expect(path, "", "a");
    expect(path, "oci-archive:", "a");
    expect(path, "docker-archive:", "a");
    assert_int_equal(fs_list(&left, scratch, &e), 0);
    assert_int_equal(left.n, 0);

    /* Whoever builds on it reads it in place. */
    digest_text(&digest, hex);
    buf_fmt(&text, "oci-archive:%s@%s", path, hex);
    assert_int_equal(stored_open(&s, buf_view(&text), "", &(struct stored_scratch){0}, &e), -1);
    assert_non_null(strstr(e.msg, "is not an oci-archive: a tar, not compressed"));

    packed.p[packed.len - 5] ^= 1; /* the CRC */
    write_file(path, buf_view(&packed));
    expect(path, "", "x.tar.gz");
    write_file(path, str_sub(buf_view(&packed), 0, packed.len / 2));
    expect(path, "", "x.tar.gz");
    packed.len = 0;
    zstd(&packed, buf_view(&tar));
    write_file(path, buf_view(&packed));
    expect(path, "", "a");
    packed.len = 0;
    gzip(&packed, STR("no tar"));
    write_file(path, buf_view(&packed));
    expect(path, "", "is not an image: neither a layout's folder nor a tar");
}

/* As skopeo writes "dir:": all in one folder, "manifest.json" what the image is. */
static void a_flat_folder_is_read(void **state)
{
    CLEANUP(free_clear) char *one = path_join(*state, "one"), *flat = path_join(*state, "flat");
    CLEANUP(free_clear) char *blobs = path_join(one, "blobs/sha256"), *top = NULL, *version = NULL;
    CLEANUP(names_clear) struct names names = {0};
    CLEANUP(buf_clear) struct buf text = {0}, index = {0};
    CLEANUP(err_clear) struct err e = {0};
    char hex[DIGEST_TEXT + 1];
    struct digest digest;

    make_layout(one, "a", &digest);
    digest_hex(&digest, hex);
    assert_ok(fs_list(&names, blobs, &e), &e);
    assert_ok(fs_mkdirs(flat, &e), &e);
    version = path_join(flat, "version");
    top = path_join(flat, "manifest.json");
    for (size_t i = 0; i < names.n; i++) {
        CLEANUP(free_clear) char *from = path_join(blobs, names.v[i]);
        CLEANUP(free_clear) char *to = path_join(flat, names.v[i]);
        bool is_manifest = strcmp(names.v[i], hex) == 0;

        assert_int_equal(rename(from, is_manifest ? top : to), 0);
    }
    expect(flat, "dir:", "a");
    expect(flat, "", "index.json"); /* nothing says that it is one */
    write_file(version, STR("Directory Transport Version: 1.1\n"));
    expect(flat, "", "a");
    assert_true(stored_is_image(str_of(flat), ""));

    buf_fmt(&text, "dir:%s", flat);
    {
        CLEANUP(stored_clear) struct stored s = {0};

        assert_int_equal(stored_open(&s, buf_view(&text), "", &(struct stored_scratch){0}, &e), -1);
        digest_text(&digest, hex);
        assert_non_null(strstr(e.msg, "names no digest; what stands there now is"));
        assert_non_null(strstr(e.msg, hex));
        err_clear(&e);
        buf_fmt(&text, "@%s", hex);
        assert_ok(stored_open(&s, buf_view(&text), "", &(struct stored_scratch){0}, &e), &e);
        assert_true(digest_eq(&s.digest, &digest));
    }

    /* Several: `skopeo copy --all`. */
    {
        CLEANUP(free_clear) char *own = NULL;
        struct str manifest;

        assert_ok(fs_read(&index, top, 1 << 20, &e), &e);
        manifest = buf_view(&index);
        text.len = 0;
        buf_fmt(&text, "%s/%s.manifest.json", flat, hex + 7);
        own = buf_take(&text);
        write_file(own, manifest);
        buf_fmt(&text,
                "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_INDEX
                "\",\"manifests\":[{\"mediaType\":\"" MEDIA_MANIFEST
                "\",\"digest\":\"%s\",\"size\":%zu,\"platform\":{\"os\":\"linux\","
                "\"architecture\":\"amd64\"}}]}",
                hex, manifest.len);
        write_file(top, buf_view(&text));
    }
    expect(flat, "dir:", "a");
}

static void what_docker_exports_is_one_layer(void **state)
{
    CLEANUP(free_clear) char *path = path_join(*state, "x.tar");
    CLEANUP(buf_clear) struct buf tar = {0}, packed = {0};
    CLEANUP(stored_clear) struct stored s = {0};
    CLEANUP(err_clear) struct err e = {0};

    mktar(&tar, ".dockerenv", '0', "", "", 0);
    mktar(&tar, "dev/console", '3', "", "", 0);
    write_file(path, buf_view(&tar));
    expect(path, "", "it holds neither an index.json nor a manifest.json");
    mktar(&tar, "etc/hostname", '0', "", "x", 1);
    mktar(&tar, "lib/ld-linux-aarch64.so.1", '2', "x", "", 0);
    write_file(path, buf_view(&tar));
    expect(path, "", ".dockerenv");
    gzip(&packed, buf_view(&tar));
    write_file(path, buf_view(&packed));
    expect(path, "docker-archive:", ".dockerenv");
    write_file(path, buf_view(&tar));
    assert_ok(stored_open_any(&s, str_of(path), "", &(struct stored_scratch){0}, &e), &e);
    assert_true(str_is(s.config.platform.architecture, "arm64"));
    assert_true(s.no_digests);
    assert_int_equal(s.manifest.layers.n, 1);
    assert_int_equal(s.manifest.layers.v[0].size, tar.len);
}

/* ---- layers ---- */

/* An image by hand: one layer, its blob and the tar that its config names. */
static int read_layer(const char *folder, struct str blob, struct str plain, tar_each each,
                      void *ctx, const struct events *events, struct err *e)
{
    CLEANUP(place_clear) struct place *p = NULL;
    CLEANUP(stored_clear) struct stored s = {0};
    struct descriptor *d = vec_push(&s.manifest.layers);
    uint64_t size = blob.len;

    if (layout_open(&p, folder, &(struct blob_files){0}, e) < 0 ||
        place_put_bytes(p, blob, &d->digest, e) < 0 || place_close(p, e) < 0)
        return -1;
    assert_int_equal(stored_files_folder(&s.files, folder, false, NULL, e), 0);
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
    assert_non_null(strstr(broken.msg, "is not a valid tar"));
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
    if (stored_open_any(&s, buf_view(&text), "", &(struct stored_scratch){0}, &e) < 0)
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
        cmocka_unit_test_setup_teardown(a_compressed_archive_is_read, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_flat_folder_is_read, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_docker_exports_is_one_layer, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(layers_are_held_against_their_digests, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(damage_is_told_before_what_it_causes, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(who_is_interrupted_stops, make_folder, remove_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
