/* SPDX-License-Identifier: Apache-2.0 */
#include "oci_fixture.h"

#include <pthread.h>

#include "io/tar.h"
#include "oci/tarball.h"

enum { EPOCH = 1700000000 };

/* The names in a tar, one a line; its headers are ours, so plain. */
static void list_tar(struct buf *out, const struct buf *tar)
{
    for (size_t at = 0; at + TAR_BLOCK <= tar->len && tar->p[at];) {
        const char *head = tar->p + at;

        buf_fmt(out, "%.100s\n", head);
        assert_int_equal(strtoul(head + 136, NULL, 8), EPOCH);
        assert_int_equal(strtoul(head + 108, NULL, 8), 0);
        at += TAR_BLOCK + (strtoul(head + 124, NULL, 8) + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
    }
}

static void make_archive(const char *path, enum tarball_kind kind)
{
    CLEANUP(place_clear) struct place *p = NULL;
    CLEANUP(err_clear) struct err e = {0};
    struct digest digest;

    assert_ok(tarball_create(&p, path, kind, EPOCH, &e), &e);
    assert_ok(put_tagged(p, STR("layer"), "1.0", &digest, &e), &e);
    assert_ok(put_tagged(p, STR("layer"), "2.0", &digest, &e), &e); /* shares every blob */
    assert_false(fs_exists(path));
    assert_ok(place_close(p, &e), &e);
}

static void archives_have_the_parts_in_order(void **state)
{
    CLEANUP(free_clear) char *path = path_join(*state, "x.tar");
    CLEANUP(err_clear) struct err e = {0};

    for (enum tarball_kind kind = TARBALL_OCI; kind <= TARBALL_DOCKER; kind++) {
        CLEANUP(buf_clear) struct buf tar = {0}, names = {0};
        size_t blobs = 0;

        make_archive(path, kind);
        assert_ok(fs_read(&tar, path, 1 << 20, &e), &e);
        assert_int_equal(tar.len % TAR_BLOCK, 0);
        list_tar(&names, &tar);
        assert_non_null(strstr(names.p, "oci-layout\nblobs/\nblobs/sha256/\n"));
        for (const char *at = names.p; (at = strstr(at, "blobs/sha256/")); at++)
            blobs++;
        assert_int_equal(blobs, 1 + 3); /* the folder; layer, config, manifest, each once */
        assert_true(str_ends(buf_view(&names), kind == TARBALL_DOCKER
                                                   ? STR("\nindex.json\nmanifest.json\n")
                                                   : STR("\nindex.json\n")));
        assert_ok(fs_remove(path, &e), &e);
    }
}

static void equal_images_give_equal_archives(void **state)
{
    CLEANUP(free_clear) char *one = path_join(*state, "1.tar");
    CLEANUP(free_clear) char *two = path_join(*state, "sub/2.tar");
    CLEANUP(buf_clear) struct buf a = {0}, b = {0};
    CLEANUP(err_clear) struct err e = {0};

    make_archive(one, TARBALL_DOCKER);
    make_archive(two, TARBALL_DOCKER);
    assert_ok(fs_read(&a, one, 1 << 20, &e), &e);
    assert_ok(fs_read(&b, two, 1 << 20, &e), &e);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.p, b.p, a.len);
}

static void manifest_json_names_paths_and_tags(void **state)
{
    CLEANUP(free_clear) char *path = path_join(*state, "x.tar");
    CLEANUP(buf_clear) struct buf tar = {0};
    CLEANUP(err_clear) struct err e = {0};
    char hex[DIGEST_HEX + 1], want[200];
    struct digest layer;
    const char *json;

    make_archive(path, TARBALL_DOCKER);
    assert_ok(fs_read(&tar, path, 1 << 20, &e), &e);
    for (size_t at = 0;; at += TAR_BLOCK) {
        assert_true(at + TAR_BLOCK < tar.len);
        if (!strcmp(tar.p + at, "manifest.json")) {
            json = tar.p + at + TAR_BLOCK;
            break;
        }
    }
    hash_bytes(&layer, "layer", 5);
    digest_hex(&layer, hex);
    snprintf(want, sizeof want, "\"RepoTags\":[\"mini:1.0\"],\"Layers\":[\"blobs/sha256/%s\"]}",
             hex);
    assert_non_null(strstr(json, want));
    assert_non_null(strstr(json, "\"RepoTags\":[\"mini:2.0\"]"));
}

static void an_archive_that_is_not_closed_does_not_appear(void **state)
{
    CLEANUP(free_clear) char *path = path_join(*state, "x.tar");
    CLEANUP(names_clear) struct names names = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct place *p;
    struct digest digest;

    assert_ok(tarball_create(&p, path, TARBALL_DOCKER, EPOCH, &e), &e);
    assert_ok(put_tagged(p, STR("layer"), "1.0", &digest, &e), &e);
    place_free(p);
    assert_ok(fs_list(&names, *state, &e), &e);
    assert_int_equal(names.n, 0);
}

static void a_cut_entry_spoils_the_archive(void **state)
{
    CLEANUP(free_clear) char *path = path_join(*state, "x.tar");
    CLEANUP(place_clear) struct place *p = NULL;
    CLEANUP(err_clear) struct err e = {0}, next = {0}, end = {0};
    struct place_blob b;
    struct digest digest;

    assert_ok(tarball_create(&p, path, TARBALL_DOCKER, EPOCH, &e), &e);
    hash_bytes(&digest, "whole", 5);
    assert_ok(place_blob_open(&b, p, &digest, 5, &e), &e);
    assert_ok(sink_write(&b.sink, "wh", 2, &e), &e);
    place_blob_clear(&b);
    assert_int_equal(place_blob_open(&b, p, &digest, 5, &next), -1);
    assert_int_equal(place_close(p, &end), -1);
    assert_false(fs_exists(path));
}

static void docker_needs_a_name_and_a_tag(void **state)
{
    static const struct image_name names[] = {
        {.tag = STR_INIT("1")},
        {.repository = STR_INIT("mini")},
        {.repository = STR_INIT("Mini"), .tag = STR_INIT("1")},
        {.repository = STR_INIT("mini"), .tag = STR_INIT("a b")},
    };
    CLEANUP(free_clear) char *path = path_join(*state, "x.tar");

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CLEANUP(place_clear) struct place *p = NULL;
        CLEANUP(buf_clear) struct buf json = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct digest digest;

        assert_ok(tarball_create(&p, path, TARBALL_DOCKER, EPOCH, &e), &e);
        assert_ok(put_blobs(p, STR("layer"), &json, &e), &e);
        assert_int_equal(place_put_image(p, buf_view(&json), &names[i], NULL, &digest, &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
    }
}

struct job {
    struct place *p;
    char text[32];
    struct err e;
};

static void *put_one(void *ctx)
{
    struct job *j = ctx;
    CLEANUP(place_blob_clear) struct place_blob b = {0};
    struct digest digest;
    size_t len = strlen(j->text);

    hash_bytes(&digest, j->text, len);
    if (place_blob_open(&b, j->p, &digest, len, &j->e) < 0)
        return NULL;
    for (size_t i = 0; i < len; i++)
        if (sink_write(&b.sink, j->text + i, 1, &j->e) < 0)
            return NULL;
    if (sink_finish(&b.sink, &j->e) < 0)
        return NULL;
    return NULL;
}

static void threads_take_turns(void **state)
{
    CLEANUP(free_clear) char *path = path_join(*state, "x.tar");
    CLEANUP(place_clear) struct place *p = NULL;
    CLEANUP(buf_clear) struct buf tar = {0}, names = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct job jobs[8] = {0};
    pthread_t threads[8];
    size_t lines = 0;

    assert_ok(tarball_create(&p, path, TARBALL_OCI, EPOCH, &e), &e);
    for (size_t i = 0; i < 8; i++) {
        jobs[i].p = p;
        snprintf(jobs[i].text, sizeof jobs[i].text, "text of layer %zu",
                 i / 2); /* pairs are equal */
        assert_int_equal(pthread_create(&threads[i], NULL, put_one, &jobs[i]), 0);
    }
    for (size_t i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        assert_false(err_is_set(&jobs[i].e));
    }
    assert_ok(place_close(p, &e), &e);
    assert_ok(fs_read(&tar, path, 1 << 20, &e), &e);
    list_tar(&names, &tar);
    for (size_t i = 0; i < names.len; i++)
        lines += names.p[i] == '\n';
    assert_int_equal(lines, 3 + 4 + 1);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(archives_have_the_parts_in_order),
        IN_FOLDER(equal_images_give_equal_archives),
        IN_FOLDER(manifest_json_names_paths_and_tags),
        IN_FOLDER(an_archive_that_is_not_closed_does_not_appear),
        IN_FOLDER(a_cut_entry_spoils_the_archive),
        IN_FOLDER(docker_needs_a_name_and_a_tag),
        IN_FOLDER(threads_take_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
