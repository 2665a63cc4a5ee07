/* SPDX-License-Identifier: Apache-2.0 */
#include "oci_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

static struct place *open_layout(const char *dir)
{
    CLEANUP(err_clear) struct err e = {0};
    struct place *place = NULL;

    assert_ok(layout_open(&place, dir, NULL, &e), &e);
    return place;
}

static size_t count_of(const char *text, const char *word)
{
    size_t n = 0;

    while ((text = strstr(text, word))) {
        text += strlen(word);
        n++;
    }
    return n;
}

static void an_image_is_there_whole(void **state)
{
    CLEANUP(place_clear) struct place *p = open_layout(*state);
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(free_clear) char *header = NULL, *index = NULL;
    struct digest digest;

    assert_ok(put_tagged(p, STR("layer"), "1.0", &digest, &e), &e);
    assert_ok(place_close(p, &e), &e);
    assert_ok(layout_check(*state, "1.0", &e), &e);
    header = read_text(*state, "oci-layout");
    assert_string_equal(header, "{\"imageLayoutVersion\":\"1.0.0\"}");
    index = read_text(*state, "index.json");
    assert_non_null(strstr(index, "\"" ANNOTATION_REF_NAME "\":\"1.0\""));
    assert_non_null(
        strstr(index, "\"" ANNOTATION_CONTAINERD_NAME "\":\"docker.io/library/mini:1.0\""));
    assert_int_equal(layout_check(*state, "2.0", &e), -1);
    assert_int_equal(e.kind, ERR_INPUT);
}

static void index_keeps_others_and_replaces_its_tag(void **state)
{
    static const char theirs[] =
        "{\"schemaVersion\":2,\"theirs\":[1,2.5,null],\"manifests\":["
        "{\"mediaType\":\"a/b\",\"digest\":\"sha256:"
        "1111111111111111111111111111111111111111111111111111111111111111\",\"size\":3,"
        "\"urls\":[\"x\"],\"annotations\":{\"" ANNOTATION_REF_NAME "\":\"zz\",\"k\":\"v\"}}]}";
    CLEANUP(place_clear) struct place *p = open_layout(*state);
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(free_clear) char *path = path_join(*state, "index.json");
    CLEANUP(free_clear) char *one = NULL, *two = NULL;
    struct digest first, second;

    assert_ok(fs_write(path, str_of(theirs), &e), &e);
    assert_ok(put_tagged(p, STR("old"), "b", &first, &e), &e);
    assert_ok(put_tagged(p, STR("new"), "b", &second, &e), &e);
    assert_ok(put_tagged(p, STR("old"), "a", &first, &e), &e);
    one = read_text(*state, "index.json");
    assert_int_equal(count_of(one, "\"mediaType\":\"" MEDIA_MANIFEST), 2);
    assert_non_null(strstr(one, "\"theirs\":[1,2.5,null]"));
    assert_non_null(strstr(one, "\"urls\":[\"x\"]"));
    assert_true(strstr(one, "\":\"a\"") < strstr(one, "\":\"b\"")); /* sorted by tag */
    assert_true(strstr(one, "\":\"b\"") < strstr(one, "\":\"zz\""));
    assert_ok(put_tagged(p, STR("new"), "b", &second, &e), &e);
    two = read_text(*state, "index.json");
    assert_string_equal(one, two);
}

static void a_broken_index_stays_as_it_is(void **state)
{
    static const char *const broken[] = {
        "",
        "{",
        "[]",
        "{\"schemaVersion\":2}",
        "{\"schemaVersion\":2,\"manifests\":{}}",
        "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:x\"}]}",
    };
    CLEANUP(place_clear) struct place *p = open_layout(*state);
    CLEANUP(free_clear) char *path = path_join(*state, "index.json");

    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(free_clear) char *after = NULL;
        struct digest digest;

        assert_ok(fs_write(path, str_of(broken[i]), &e), &e);
        assert_int_equal(put_tagged(p, STR("layer"), "1", &digest, &e), -1);
        assert_int_equal(e.kind, ERR_INPUT);
        after = read_text(*state, "index.json");
        assert_string_equal(after, broken[i]);
    }
}

static void foreign_folders_are_refused(void **state)
{
    CLEANUP(free_clear) char *file = path_join(*state, "thesis.txt");
    CLEANUP(free_clear) char *header = path_join(*state, "oci-layout");
    CLEANUP(err_clear) struct err e = {0}, later = {0};
    struct place *p = NULL;

    assert_ok(fs_write(file, STR("x"), &e), &e);
    assert_int_equal(layout_open(&p, *state, NULL, &e), -1);
    assert_non_null(strstr(e.msg, "thesis.txt"));
    assert_null(p);
    assert_ok(fs_write(header, STR("{\"imageLayoutVersion\":\"2.0.0\"}"), &later), &later);
    assert_int_equal(layout_open(&p, *state, NULL, &later), -1);
    assert_non_null(strstr(later.msg, "2.0.0"));
}

static void an_image_without_its_blobs_is_refused(void **state)
{
    CLEANUP(place_clear) struct place *p = open_layout(*state);
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf json = {0};
    CLEANUP(free_clear) char *path = NULL;
    struct image_name name = {STR("mini"), STR("1"), {0}};
    struct digest layer, digest;

    assert_ok(put_blobs(p, STR("layer"), &json, &e), &e);
    hash_bytes(&layer, "layer", 5);
    path = layout_blob_path(*state, &layer);
    assert_ok(fs_remove(path, &e), &e);
    assert_int_equal(place_put_image(p, buf_view(&json), &name, NULL, &digest, &e), -1);
    assert_non_null(strstr(e.msg, "is not there"));
}

static void wrong_content_is_never_published(void **state)
{
    static const struct {
        const char *bytes;
        uint64_t size;
    } cases[] = {{"right", 4}, {"right", 6}, {"wrong", 5}, {"", 5}};
    CLEANUP(place_clear) struct place *p = open_layout(*state);
    struct digest want;

    hash_bytes(&want, "right", 5);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(place_blob_clear) struct place_blob b = {0};
        CLEANUP(err_clear) struct err e = {0};

        assert_ok(place_blob_open(&b, p, &want, cases[i].size, &e), &e);
        assert_true(sink_write(&b.sink, cases[i].bytes, strlen(cases[i].bytes), &e) < 0 ||
                    sink_finish(&b.sink, &e) < 0);
        assert_int_equal(e.kind, ERR_INTEGRITY);
        assert_false(place_has_blob(p, &want, cases[i].size));
        assert_false(place_has_blob(p, &want, 5));
    }
}

static void check_finds_what_is_damaged(void **state)
{
    CLEANUP(place_clear) struct place *p = open_layout(*state);
    CLEANUP(err_clear) struct err e = {0}, flipped = {0}, cut = {0}, gone = {0};
    CLEANUP(free_clear) char *path = NULL;
    struct digest layer, digest;

    assert_ok(put_tagged(p, STR("layer"), "1", &digest, &e), &e);
    hash_bytes(&layer, "layer", 5);
    path = layout_blob_path(*state, &layer);
    assert_ok(fs_write(path, STR("lay3r"), &e), &e);
    assert_int_equal(layout_check(*state, NULL, &flipped), -1);
    assert_int_equal(flipped.kind, ERR_INTEGRITY);
    assert_ok(fs_write(path, STR("lay"), &e), &e);
    assert_int_equal(layout_check(*state, NULL, &cut), -1);
    assert_int_equal(cut.kind, ERR_INTEGRITY);
    assert_ok(put_tagged(p, STR("layer"), "1", &digest, &e), &e); /* a cut blob is written anew */
    assert_ok(layout_check(*state, NULL, &e), &e);
    assert_ok(fs_remove(path, &e), &e);
    assert_int_equal(layout_check(*state, NULL, &gone), -1);
    assert_int_equal(gone.kind, ERR_INTEGRITY);
}

enum { WRITERS = 4, IMAGES = 8 };

struct writer {
    const char *dir;
    unsigned n;
    struct err e;
};

/* All write the same shared tag, a tag of their own, and layers that they share. */
static void *write_images(void *ctx)
{
    struct writer *w = ctx;
    CLEANUP(place_clear) struct place *p = NULL;
    struct digest digest;
    char layer[32], tag[32];

    if (layout_open(&p, w->dir, NULL, &w->e) < 0)
        return NULL;
    for (unsigned i = 0; i < IMAGES; i++) {
        snprintf(layer, sizeof layer, "layer %u", i);
        snprintf(tag, sizeof tag, "t%u-%u", w->n, i);
        if (put_tagged(p, str_of(layer), tag, &digest, &w->e) < 0 ||
            put_tagged(p, str_of(layer), "shared", &digest, &w->e) < 0)
            return NULL;
    }
    return NULL;
}

static void many_writers_lose_nothing(void **state)
{
    struct writer writers[WRITERS] = {0};
    pthread_t threads[WRITERS];
    pid_t children[WRITERS];
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(free_clear) char *index = NULL;
    int status;

    for (unsigned i = 0; i < WRITERS; i++) {
        struct writer w = {.dir = *state, .n = WRITERS + i};

        children[i] = fork();
        if (children[i] == 0) {
            write_images(&w);
            _exit(err_is_set(&w.e));
        }
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.dir = *state, .n = i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_images, &writers[i]), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
        if (err_is_set(&writers[i].e))
            fail_msg("%s", writers[i].e.msg);
    }
    index = read_text(*state, "index.json");
    assert_int_equal(count_of(index, "\"" ANNOTATION_REF_NAME "\""), 2 * WRITERS * IMAGES + 1);
    assert_int_equal(count_of(index, "\"" ANNOTATION_REF_NAME "\":\"shared\""), 1);
    assert_ok(layout_check(*state, NULL, &e), &e);
}

/* In the child: a blob that is written and never finished. */
static void write_half(const char *dir)
{
    CLEANUP(err_clear) struct err e = {0};
    struct place_blob b;
    struct place *p;

    if (layout_open(&p, dir, NULL, &e) < 0 || place_blob_open(&b, p, NULL, 0, &e) < 0 ||
        sink_write(&b.sink, "half", 4, &e) < 0)
        _exit(1);
    raise(SIGKILL);
}

static void a_killed_writer_leaves_no_half_blob(void **state)
{
    CLEANUP(free_clear) char *dir = path_join(*state, "blobs/sha256");
    CLEANUP(names_clear) struct names names = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct place *p;
    int status;
    char **name;
    pid_t pid = fork();

    if (pid == 0)
        write_half(*state);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_ok(fs_list(&names, dir, &e), &e);
    vec_each(name, &names)
        assert_int_equal((*name)[0], '.'); /* a temporary name at most */
    p = open_layout(*state);               /* and the layout goes on working */
    place_free(p);
    assert_ok(layout_check(*state, NULL, &e), &e);
}

static void abandoned_blobs_vanish(void **state)
{
    CLEANUP(place_clear) struct place *p = open_layout(*state);
    CLEANUP(free_clear) char *dir = path_join(*state, "blobs/sha256");
    CLEANUP(names_clear) struct names names = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct place_blob one, two;

    assert_ok(place_blob_open(&one, p, NULL, 0, &e), &e); /* two at once */
    assert_ok(place_blob_open(&two, p, NULL, 0, &e), &e);
    assert_ok(sink_write(&one.sink, "1", 1, &e), &e);
    assert_ok(sink_write(&two.sink, "2", 1, &e), &e);
    assert_ok(sink_finish(&two.sink, &e), &e);
    assert_int_equal(two.size, 1);
    assert_true(place_has_blob(p, &two.digest, 1));
    place_blob_clear(&one);
    place_blob_clear(&two);
    place_blob_clear(&two);
    assert_ok(fs_list(&names, dir, &e), &e);
    assert_int_equal(names.n, 1);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(an_image_is_there_whole),
        IN_FOLDER(index_keeps_others_and_replaces_its_tag),
        IN_FOLDER(a_broken_index_stays_as_it_is),
        IN_FOLDER(foreign_folders_are_refused),
        IN_FOLDER(an_image_without_its_blobs_is_refused),
        IN_FOLDER(wrong_content_is_never_published),
        IN_FOLDER(check_finds_what_is_damaged),
        IN_FOLDER(many_writers_lose_nothing),
        IN_FOLDER(a_killed_writer_leaves_no_half_blob),
        IN_FOLDER(abandoned_blobs_vanish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
