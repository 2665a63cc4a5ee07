/* SPDX-License-Identifier: Apache-2.0 */
#include "oci_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "out/dest.h"
#include "out/load.h"

static void destinations_parse(void **state)
{
    static const struct {
        const char *text;
        enum dest_kind kind;
        const char *path, *name, *tag, *layout_tag, *printed;
    } cases[] = {
        {"oci:images", DEST_LAYOUT, "images", NULL, NULL, NULL, "oci:images:N:T"},
        {"oci:/a/b:1.0", DEST_LAYOUT, "/a/b", NULL, "1.0", NULL, "oci:/a/b:1.0"},
        {"oci:i:o/n:1", DEST_LAYOUT, "i", "o/n", "1", "o/n:1", "oci:i:o/n:1"},
        {"oci-archive:x.tar", DEST_OCI_ARCHIVE, "x.tar", NULL, NULL, NULL, "oci-archive:x.tar:N:T"},
        {"oci-archive:x.tar:v1", DEST_OCI_ARCHIVE, "x.tar", NULL, "v1", NULL,
         "oci-archive:x.tar:v1"},
        {"oci-archive:x:n:v1", DEST_OCI_ARCHIVE, "x", "n", "v1", "n:v1", "oci-archive:x:n:v1"},
        {"docker-archive:a:b", DEST_DOCKER_ARCHIVE, "a", "b", NULL, NULL, "docker-archive:a"},
        {"docker-archive:-", DEST_DOCKER_ARCHIVE, NULL, NULL, NULL, NULL, "docker-archive:-"},
        {"-", DEST_DOCKER_ARCHIVE, NULL, NULL, NULL, NULL, "docker-archive:-"},
        {"docker:", DEST_DOCKER, NULL, NULL, NULL, NULL, "N:T"},
        {"docker:x:1", DEST_DOCKER, NULL, "x", "1", NULL, "x:1"},
        {"oci:d:v1,compression=gzip,single", DEST_LAYOUT, "d", NULL, "v1", NULL, "oci:d:v1"},
        {"-,compression=zstd", DEST_DOCKER_ARCHIVE, NULL, NULL, NULL, NULL, "docker-archive:-"},
        {"podman:h:1/x", DEST_PODMAN, NULL, "h:1/x", NULL, NULL, "h:1/x:T"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(dest_clear) struct dest d = {0};
        CLEANUP(err_clear) struct err e = {0};
        CLEANUP(buf_clear) struct buf text = {0};
        struct image_name name;

        assert_ok(dest_parse(&d, cases[i].text, &e), &e);
        assert_int_equal(d.kind, cases[i].kind);
        assert_true(str_eq(str_of(d.path), str_of(cases[i].path)));
        assert_true(str_eq(str_of(d.name), str_of(cases[i].name)));
        assert_true(str_eq(str_of(d.tag), str_of(cases[i].tag)));
        assert_true(str_eq(str_of(d.layout_tag), str_of(cases[i].layout_tag)));
        name = dest_image_name(&d, STR("N"), STR("T"));
        dest_print(&d, &name, &text);
        assert_string_equal(text.p, cases[i].printed);
        assert_int_equal(dest_is_stdout(&d),
                         cases[i].kind == DEST_DOCKER_ARCHIVE && !cases[i].path);
    }
}

static void what_is_no_destination_says_what_would_be(void **state)
{
    static const char *const cases[][2] = {
        {"", "oci:DIR"},
        {"images", "oci:DIR"},
        {"zip:x", "docker-archive:FILE"},
        {"oci:", "no folder"},
        {"oci::1", "no folder"},
        {"oci:d:", "neither a tag"},
        {"oci:d:a b", "\"a b\""},
        {"oci:d:x@sha256:1", "neither a tag"},
        {"oci-archive:", "no file"},
        {"oci-archive:-", "docker-archive:-"},
        {"oci-archive:x:a b", "neither a tag"},
        {"docker-archive:x:UP", "UP"},
        {"docker-archive:", "no file"},
        {"docker:UP", "UP"},
        {"docker://ghcr.io/UP", "UP"},
        {"docker://", "not an image name"},
        {"docker://ghcr.io/x@sha256:1", "not a digest"},
        {"ghcr.io/o/n:1", "write docker://ghcr.io/o/n:1"},
        {"localhost:5000/n", "docker://localhost:5000/n"},
        {"oci:d,compression=zst", "did you mean \"zstd\"?"},
        {"oci:d,compression=", "there are gzip, gzip,single, zstd and zstd:chunked"},
        {",compression=zstd", "the places are oci:DIR"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct dest d = {0};
        CLEANUP(err_clear) struct err e = {0};

        if (dest_parse(&d, cases[i][0], &e) == 0)
            fail_msg("\"%s\" was taken", cases[i][0]);
        assert_int_equal(e.kind, ERR_USAGE);
        assert_null(e.next);
        if (!strstr(e.msg, cases[i][1]))
            fail_msg("\"%s\": \"%s\" lacks \"%s\"", cases[i][0], e.msg, cases[i][1]);
    }
}

/* A program that stands in for docker: `script` runs with the arguments. */
static char *make_program(const char *dir, const char *script)
{
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(err_clear) struct err e = {0};
    char *path = path_join(dir, "loader");

    buf_fmt(&text, "#!/bin/sh\n%s\n", script);
    assert_ok(fs_write(path, buf_view(&text), &e), &e);
    assert_int_equal(chmod(path, 0755), 0);
    return path;
}

static int load_image(const char *program, size_t layer_size, struct err *e)
{
    CLEANUP(place_clear) struct place *p = NULL;
    CLEANUP(buf_clear) struct buf layer = {0};
    struct digest digest;

    memset(buf_room(&layer, layer_size), 'x', layer_size);
    layer.len = layer_size;
    if (load_open(&p, program, 0, NULL, e) < 0 ||
        put_tagged(p, buf_view(&layer), "1", &digest, e) < 0)
        return -1;
    return place_close(p, e);
}

static void a_loader_gets_the_archive(void **state)
{
    CLEANUP(buf_clear) struct buf script = {0};
    CLEANUP(free_clear) char *program = NULL, *tar = NULL;
    CLEANUP(err_clear) struct err e = {0};

    buf_fmt(&script, "[ \"$1\" = load ] || exit 9; cat >%s/got", (char *)*state);
    program = make_program(*state, script.p);
    assert_ok(load_image(program, 1 << 20, &e), &e);
    tar = read_text(*state, "got");
    assert_string_equal(tar, "oci-layout");
}

static void a_loader_that_fails_is_quoted(void **state)
{
    static const struct {
        const char *script, *want;
    } cases[] = {
        {"echo 'no daemon' >&2; echo '  is it on?  '; exit 3", "(exit 3): no daemon; is it on?"},
        {"cat >/dev/null; echo 'disk full'; exit 1", "failed (exit 1): disk full"},
        {"kill -9 $$", "signal 9"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(free_clear) char *program = make_program(*state, cases[i].script);
        CLEANUP(err_clear) struct err e = {0};

        assert_int_equal(load_image(program, 1 << 20, &e), -1); /* more than a pipe holds */
        assert_int_equal(e.kind, ERR_SYSTEM);
        if (!strstr(e.msg, cases[i].want))
            fail_msg("\"%s\" lacks \"%s\"", e.msg, cases[i].want);
    }
}

static void a_missing_loader_says_what_to_do(void **state)
{
    CLEANUP(err_clear) struct err e = {0};
    struct place *p = NULL;

    assert_int_equal(load_open(&p, "no-such-loader", 0, NULL, &e), -1);
    assert_non_null(strstr(e.msg, "no-such-loader is not installed"));
    assert_null(p);
}

static void a_load_given_up_ends_the_loader(void **state)
{
    CLEANUP(buf_clear) struct buf script = {0};
    CLEANUP(free_clear) char *program = NULL, *done = path_join(*state, "done");
    CLEANUP(err_clear) struct err e = {0};
    struct place *p;

    buf_fmt(&script, "cat >/dev/null && sleep 5 && touch %s", done);
    program = make_program(*state, script.p);
    assert_ok(load_open(&p, program, 0, NULL, &e), &e);
    place_free(p); /* waits; its reader sees no end of the archive before the signal */
    assert_false(fs_exists(done));
}

static void a_reader_that_goes_away_is_no_signal(void **state)
{
    CLEANUP(place_clear) struct place *p = NULL;
    CLEANUP(err_clear) struct err e = {0};
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    assert_int_equal(load_stream(&p, ends[1], "the stream", 0, NULL, &e), -1);
    assert_non_null(strstr(e.msg, "the stream"));
    assert_null(p);
    close(ends[1]);
}

static void every_kind_of_file_opens(void **state)
{
    static const char *const forms[] = {"oci:%s/layout", "oci-archive:%s/o.tar",
                                        "docker-archive:%s/new/d.tar"};

    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        CLEANUP(place_clear) struct place *p = NULL;
        CLEANUP(dest_clear) struct dest d = {0};
        CLEANUP(buf_clear) struct buf text = {0};
        CLEANUP(err_clear) struct err e = {0};
        const struct blob_files files = {0};
        const struct dest_ways ways = {.files = &files};
        struct digest digest;

        buf_fmt(&text, "%.*s%s%s", (int)strcspn(forms[i], "%"), forms[i], (char *)*state,
                strchr(forms[i], '%') + 2);
        assert_ok(dest_parse(&d, text.p, &e), &e);
        assert_ok(dest_open(&p, &d, &ways, &e), &e);
        assert_ok(put_tagged(p, STR("layer"), "1", &digest, &e), &e);
        assert_ok(place_close(p, &e), &e);
        assert_true(fs_exists(d.path));
    }
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(destinations_parse),
        cmocka_unit_test(what_is_no_destination_says_what_would_be),
        IN_FOLDER(a_loader_gets_the_archive),
        IN_FOLDER(a_loader_that_fails_is_quoted),
        cmocka_unit_test(a_missing_loader_says_what_to_do),
        IN_FOLDER(a_load_given_up_ends_the_loader),
        cmocka_unit_test(a_reader_that_goes_away_is_no_signal),
        IN_FOLDER(every_kind_of_file_opens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
