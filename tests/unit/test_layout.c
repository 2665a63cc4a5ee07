/* SPDX-License-Identifier: Apache-2.0 */
#include "oci_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

static const struct blob_files unremembered = {0};

static struct place *open_layout(const char *dir)
{
    CLEANUP(err_clear) struct err e = {0};
    struct place *place = NULL;

    assert_ok(layout_open(&place, dir, &unremembered, &e), &e);
    return place;
}

static bool has(struct place *p, const struct digest *digest, uint64_t size)
{
    CLEANUP(err_clear) struct err e = {0};
    bool there = false;

    assert_ok(place_has_blob(&there, p, digest, size, &e), &e);
    return there;
}

static bool has_all(struct place *p, const char *dir, const struct descriptor *d)
{
    CLEANUP(image_manifest_clear) struct image_manifest m = {0};
    CLEANUP(free_clear) char *path = layout_blob_path(dir, &d->digest);
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(err_clear) struct err e = {0};
    bool all = has(p, &d->digest, d->size);

    if (!all || fs_read(&text, path, 1 << 20, &e) < 0 ||
        image_manifest_parse(&m, buf_view(&text), NULL, path, &e) < 0)
        return false;
    all = has(p, &m.config.digest, m.config.size);
    for (size_t i = 0; i < m.layers.n; i++)
        all = all && has(p, &m.layers.v[i].digest, m.layers.v[i].size);
    return all;
}

/* Is all there that index.json leads to, with the bytes of its name? */
static bool is_sound(const char *dir)
{
    CLEANUP(place_clear) struct place *p = open_layout(dir);
    CLEANUP(free_clear) char *index = read_text(dir, "index.json");
    CLEANUP(image_index_clear) struct image_index list = {0};
    CLEANUP(err_clear) struct err e = {0};
    bool sound = true;

    assert_ok(image_index_parse(&list, str_of(index), MEDIA_INDEX, "index.json", &e), &e);
    for (size_t i = 0; i < list.manifests.n; i++)
        sound = sound && has_all(p, dir, &list.manifests.v[i]);
    return sound;
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
    assert_true(is_sound(*state));
    header = read_text(*state, "oci-layout");
    assert_string_equal(header, "{\"imageLayoutVersion\":\"1.0.0\"}");
    index = read_text(*state, "index.json");
    assert_non_null(strstr(index, "\"" ANNOTATION_REF_NAME "\":\"1.0\""));
    assert_non_null(
        strstr(index, "\"" ANNOTATION_CONTAINERD_NAME "\":\"docker.io/library/mini:1.0\""));
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
    assert_int_equal(layout_open(&p, *state, &unremembered, &e), -1);
    assert_non_null(strstr(e.msg, "thesis.txt"));
    assert_null(p);
    assert_ok(fs_write(header, STR("{\"imageLayoutVersion\":\"2.0.0\"}"), &later), &later);
    assert_int_equal(layout_open(&p, *state, &unremembered, &later), -1);
    assert_non_null(strstr(later.msg, "2.0.0"));
}

static void an_image_without_its_blobs_is_refused(void **state)
{
    CLEANUP(place_clear) struct place *p = open_layout(*state);
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf json = {0};
    CLEANUP(free_clear) char *path = NULL;
    struct image_name name = {.repository = STR("mini"), .tag = STR("1")};
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
        assert_false(has(p, &want, cases[i].size));
        assert_false(has(p, &want, 5));
    }
}

struct warnings {
    struct events events;
    unsigned n;
};

static void count_warning(void *ctx, const struct event *event)
{
    ((struct warnings *)ctx)->n += event->kind == EVENT_WARNING;
}

static bool holds(const char *dir, const char *bytes, size_t len)
{
    CLEANUP(free_clear) char *path = NULL;
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct digest digest;

    hash_bytes(&digest, bytes, len);
    path = layout_blob_path(dir, &digest);
    return fs_read(&text, path, len + 1, &e) == 0 && text.len == len &&
           memcmp(text.p, bytes, len) == 0;
}

/* By name alone it would be taken for the layer. */
static void what_has_the_name_and_not_the_bytes_is_written_anew(void **state)
{
    const struct str wrong[] = {STR("lay3r"), STR("lay"), STR(""), STR("layer, and more")};
    struct warnings told = {.events = {.emit = count_warning}};
    struct blob_files files = {.events = &told.events};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(place_clear) struct place *p = NULL;
    CLEANUP(free_clear) char *path = NULL;
    struct digest layer, digest;

    told.events.ctx = &told;
    assert_ok(layout_open(&p, *state, &files, &e), &e);
    hash_bytes(&layer, "layer", 5);
    path = layout_blob_path(*state, &layer);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_ok(fs_write(path, wrong[i], &e), &e);
        told.n = p->wrong = 0;
        assert_false(has(p, &layer, 5));
        assert_int_equal(told.n, 1);
        assert_int_equal(p->wrong, 1);
        assert_ok(put_tagged(p, STR("layer"), "1", &digest, &e), &e);
        assert_true(holds(*state, "layer", 5));
        assert_true(is_sound(*state));
    }
    assert_ok(fs_remove(path, &e), &e);
    told.n = 0;
    assert_false(has(p, &layer, 5));
    assert_int_equal(told.n, 0); /* what is not there is no fault */
}

enum { LARGE = BLOB_FILE_SMALL + 4096 };

static char *large_bytes(void)
{
    char *bytes = xmalloc(LARGE);

    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (char)(i * 2654435761u >> 24);
    return bytes;
}

static void write_at(const char *path, off_t at, const char *byte)
{
    CLEANUP(fd_clear) struct fd fd = {0};
    CLEANUP(err_clear) struct err e = {0};

    assert_ok(fd_open(&fd, path, O_WRONLY, 0, &e), &e);
    assert_int_equal(pwrite(fd.n, byte, 1, at), 1);
}

/* Read once and remembered; and read again when anything speaks for a change. */
static void a_large_blob_is_read_once_for_each_content(void **state)
{
    CLEANUP(free_clear) char *bytes = large_bytes(), *path = NULL, *copy = NULL;
    CLEANUP(free_clear) char *memory = path_join(*state, "memory"), *dir = path_join(*state, "out");
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(place_clear) struct place *p = NULL;
    struct blob_files files = {0}, again = {.again = true};
    struct memo *memo = NULL;
    const struct timespec back[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    enum blob_file state_now;
    struct digest digest;
    char flipped;

    assert_ok(memo_open(&memo, memory, &e), &e);
    files.memo = again.memo = memo;
    assert_ok(layout_open(&p, dir, &files, &e), &e);
    assert_ok(place_put_bytes(p, (struct str){bytes, LARGE}, &digest, &e), &e);
    path = layout_blob_path(dir, &digest);
    assert_true(blob_file_known(&files, path, &digest, LARGE)); /* written by us: not even once */
    assert_false(blob_file_known(&again, path, &digest, LARGE));
    assert_true(has(p, &digest, LARGE));

    flipped = (char)(bytes[LARGE / 2] ^ 1);
    write_at(path, LARGE / 2, &flipped);
    assert_int_equal(utimensat(AT_FDCWD, path, back, 0), 0); /* its date does not tell */
    assert_false(blob_file_known(&files, path, &digest, LARGE));
    assert_false(has(p, &digest, LARGE));
    write_at(path, LARGE / 2, &bytes[LARGE / 2]);
    assert_false(blob_file_known(&files, path, &digest, LARGE));
    assert_true(has(p, &digest, LARGE)); /* read, and right */
    assert_true(blob_file_known(&files, path, &digest, LARGE));

    /* Another file of the same bytes is another file. */
    copy = path_join(*state, "copy");
    assert_ok(fs_write(copy, (struct str){bytes, LARGE}, &e), &e);
    assert_int_equal(rename(copy, path), 0);
    assert_false(blob_file_known(&files, path, &digest, LARGE));
    assert_ok(blob_file_check(&state_now, &files, path, &digest, LARGE, &e), &e);
    assert_int_equal(state_now, BLOB_RIGHT);
    memo_clear(&memo);
}

static bool is_cancelled(void *ctx)
{
    return true;
}

static void reading_a_large_blob_ends_with_the_run(void **state)
{
    const struct events events = {.cancelled = is_cancelled};
    const struct blob_files files = {.events = &events};
    CLEANUP(free_clear) char *path = path_join(*state, "file");
    CLEANUP(err_clear) struct err e = {0};
    enum blob_file answer;
    struct digest digest;

    hash_bytes(&digest, "bytes", 5);
    assert_ok(fs_write(path, STR("bytes"), &e), &e);
    assert_int_equal(blob_file_check(&answer, &files, path, &digest, 5, &e), -1);
    assert_int_equal(e.kind, ERR_INTERRUPTED);
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

    if (layout_open(&p, w->dir, &unremembered, &w->e) < 0)
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
    assert_true(is_sound(*state));
}

/* In the child: a blob that is written and never finished. */
static void write_half(const char *dir)
{
    CLEANUP(err_clear) struct err e = {0};
    struct place_blob b;
    struct place *p;

    if (layout_open(&p, dir, &unremembered, &e) < 0 || place_blob_open(&b, p, NULL, 0, &e) < 0 ||
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
    assert_true(is_sound(*state));
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
    assert_true(has(p, &two.digest, 1));
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
        IN_FOLDER(what_has_the_name_and_not_the_bytes_is_written_anew),
        IN_FOLDER(a_large_blob_is_read_once_for_each_content),
        IN_FOLDER(reading_a_large_blob_ends_with_the_run),
        IN_FOLDER(many_writers_lose_nothing),
        IN_FOLDER(a_killed_writer_leaves_no_half_blob),
        IN_FOLDER(abandoned_blobs_vanish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
