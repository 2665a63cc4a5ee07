/* SPDX-License-Identifier: Apache-2.0 */
#include "oci_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "oci/layout_gc.h"

static const struct blob_files unremembered = {0};

/* "NAME:TAG date put", with date "-" for none; "!" in front: a referrer, "?" not here. Seconds. */
static void add_image(struct layout_images *out, const char *text)
{
    struct layout_image *i = vec_push(out);
    char tag[32], date[16];
    long long put;

    i->referrer = *text == '!';
    i->here = *text != '?';
    text += i->referrer || !i->here;
    assert_int_equal(sscanf(text, "%31s %15s %lld", tag, date, &put), 3);
    i->tag = strcmp(tag, "-") ? xstrdup(tag) : NULL;
    i->name = str_dup(str_sub(str_of(tag), 0, strcspn(tag, ":")));
    i->dated = strcmp(date, "-") != 0;
    i->created = i->dated ? atoll(date) : 0;
    i->put = put * 1000000000;
}

static void rules_say_which_images_go(void **state)
{
    static const struct {
        uint32_t keep;
        int64_t before;
        const char *images[6];
        const char *gone; /* a letter for each image */
    } cases[] = {
        {0, 0, {"a:1 1 1", "a:2 2 2"}, ".."},
        {1, 0, {"a:1 1 9", "a:2 2 2"}, "x."}, /* by its own date */
        {1, 0, {"a:1 5 1", "a:2 5 2"}, "x."}, /* of one date: by when it came */
        {1, 0, {"a:1 5 5", "a:2 5 5"}, "x."}, /* else by tag */
        {1, 0, {"a:1 - 7", "a:2 6 1"}, ".x"}, /* without a date: when it came */
        {1, 0, {"a:1 1 1", "b:1 2 2"}, ".."}, /* of each name */
        {2, 0, {"a:1 1 1", "a:2 2 2", "a:3 3 3"}, "x.."},
        {3, 0, {"a:1 1 1", "a:2 2 2"}, ".."},
        {0, 5, {"a:1 4 4", "a:2 5 5", "a:3 4 6", "a:4 6 4"}, "x..."}, /* both dates are older */
        {1, 5, {"a:1 1 1", "a:2 2 2", "a:3 3 3"}, "xx."},             /* both rules let it */
        {1, 2, {"a:1 1 1", "a:2 2 2", "a:3 3 3"}, "x.."},
        {1, 0, {"- 1 1", "?a:1 1 1", "!a:0 9 9", "a:2 2 2"}, "...."}, /* not for rules */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(layout_content_clear) struct layout_content c = {0};
        const struct layout_rules rules = {cases[i].keep, cases[i].before};
        char gone[8] = "";

        for (size_t k = 0; k < 6 && cases[i].images[k]; k++)
            add_image(&c.images, cases[i].images[k]);
        layout_judge(&c.images, &rules);
        for (size_t k = 0; k < c.images.n; k++)
            gone[k] = c.images.v[k].goes ? 'x' : '.';
        assert_string_equal(gone, cases[i].gone);
    }
}

/* ---- in a folder ---- */

static void write_file(const char *dir, const char *name, const char *text)
{
    CLEANUP(free_clear) char *path = path_join(dir, name);
    CLEANUP(err_clear) struct err e = {0};

    assert_ok(fs_mkdirs_for(path, &e), &e);
    assert_ok(fs_write(path, str_of(text), &e), &e);
}

static bool exists(const char *dir, const char *name)
{
    CLEANUP(free_clear) char *path = path_join(dir, name);

    return fs_exists(path);
}

static void put_images(const char *dir)
{
    CLEANUP(place_clear) struct place *p = NULL;
    CLEANUP(err_clear) struct err e = {0};
    struct digest digest;

    assert_ok(layout_open(&p, dir, &unremembered, &e), &e);
    assert_ok(put_tagged(p, STR("one"), "1", &digest, &e), &e);
    assert_ok(put_tagged(p, STR("two"), "2", &digest, &e), &e);
    assert_ok(put_tagged(p, STR("three"), "2", &digest, &e), &e); /* and "two" is nobody's */
}

#define NOBODYS "blobs/sha256/1111111111111111111111111111111111111111111111111111111111111111"

static void what_no_image_needs_goes(void **state)
{
    const struct layout_rules none = {0}, one = {.keep = 1};
    CLEANUP(layout_content_clear)
    struct layout_content before = {0},
                          first = {0}, second = {0}, last = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(free_clear) char *index = NULL;

    put_images(*state);
    write_file(*state, NOBODYS, "orphan");
    write_file(*state, "blobs/sha256/readme.txt", "theirs");
    write_file(*state, "blobs/sha512/1111", "theirs");
    write_file(*state, "notes/1111", "theirs");
    assert_ok(layout_survey(&before, *state, &none, &e), &e);
    assert_int_equal(before.images.n, 2);
    assert_int_equal(before.unneeded.files, 4); /* layer, config, manifest; the orphan */
    assert_true(exists(*state, NOBODYS));
    assert_ok(layout_prune(&first, *state, &none, NULL, &e), &e);
    assert_int_equal(first.unneeded.files, 4);
    assert_int_equal(first.unneeded.bytes, before.unneeded.bytes);
    assert_false(exists(*state, NOBODYS));
    assert_true(exists(*state, "blobs/sha256/readme.txt"));
    assert_true(exists(*state, "blobs/sha512/1111"));
    assert_true(exists(*state, "notes/1111"));

    assert_ok(layout_prune(&second, *state, &one, NULL, &e), &e);
    assert_int_equal(second.images.n, 2);
    assert_true(second.images.v[0].goes);
    assert_false(second.images.v[1].goes);
    assert_int_equal(second.unneeded.files, 3);
    index = read_text(*state, "index.json");
    assert_null(strstr(index, "\"1\""));
    assert_non_null(strstr(index, "\"2\""));
    assert_ok(layout_survey(&last, *state, &none, &e), &e);
    assert_int_equal(last.images.n, 1);
    assert_int_equal(last.unneeded.files, 0);
}

static void no_link_leads_out(void **state)
{
    const struct layout_rules none = {0};
    CLEANUP(free_clear)
    char *layout = path_join(*state, "layout"),
         *blobs = path_join(*state, "layout/blobs/sha256"), *aside = path_join(*state, "elsewhere"),
         *link = path_join(*state, "layout/" NOBODYS), *other = path_join(*state, "layout/other");
    CLEANUP(layout_content_clear) struct layout_content c = {0};
    CLEANUP(err_clear) struct err e = {0}, refused = {0};

    put_images(layout);
    write_file(*state, "precious/1111111111111111111111111111111111111111111111111111111111111111",
               "mine");
    assert_int_equal(symlink("../../../precious/"
                             "1111111111111111111111111111111111111111111111111111111111111111",
                             link),
                     0);
    assert_int_equal(symlink("../precious", other), 0);
    assert_ok(layout_prune(&c, layout, &none, NULL, &e), &e);
    assert_int_equal(c.unneeded.files, 3);
    assert_true(exists(*state, "layout/" NOBODYS)); /* no blob of ours is a link */
    assert_true(exists(*state, "precious/"
                               "1111111111111111111111111111111111111111111111111111111111111111"));
    assert_int_equal(rename(blobs, aside), 0);
    assert_int_equal(symlink("../../elsewhere", blobs), 0);
    assert_int_equal(layout_prune(&c, layout, &none, NULL, &refused), -1);
    assert_int_equal(refused.kind, ERR_INPUT);
    assert_non_null(strstr(refused.msg, "behind a link"));
}

static void a_damaged_manifest_stops_it(void **state)
{
    const struct layout_rules none = {0};
    CLEANUP(layout_content_clear) struct layout_content c = {0};
    CLEANUP(place_clear) struct place *p = NULL;
    CLEANUP(err_clear) struct err e = {0}, refused = {0};
    CLEANUP(free_clear) char *path = NULL;
    struct digest digest;

    assert_ok(layout_open(&p, *state, &unremembered, &e), &e);
    assert_ok(put_tagged(p, STR("one"), "1", &digest, &e), &e);
    place_clear(&p);
    write_file(*state, NOBODYS, "orphan");
    path = layout_blob_path(*state, &digest);
    assert_ok(fs_write(path, STR("{}"), &e), &e);
    assert_int_equal(layout_prune(&c, *state, &none, NULL, &refused), -1);
    assert_int_equal(refused.kind, ERR_INTEGRITY);
    assert_true(exists(*state, NOBODYS));
}

static bool interrupt(void *ctx)
{
    return true;
}

static void who_uses_it_is_waited_for(void **state)
{
    const struct layout_rules none = {0};
    const struct events impatient = {.cancelled = interrupt};
    CLEANUP(layout_content_clear) struct layout_content c = {0};
    CLEANUP(place_clear) struct place *p = NULL;
    CLEANUP(err_clear) struct err e = {0}, waited = {0};

    put_images(*state);
    write_file(*state, NOBODYS, "orphan");
    assert_ok(layout_open(&p, *state, &unremembered, &e), &e);
    assert_int_equal(layout_prune(&c, *state, &none, &impatient, &waited), -1);
    assert_int_equal(waited.kind, ERR_INTERRUPTED);
    assert_true(exists(*state, NOBODYS));
    place_clear(&p);
    assert_ok(layout_prune(&c, *state, &none, NULL, &e), &e);
    assert_false(exists(*state, NOBODYS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_say_which_images_go),
        cmocka_unit_test_setup_teardown(what_no_image_needs_goes, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(no_link_leads_out, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_damaged_manifest_stops_it, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(who_uses_it_is_waited_for, make_folder, remove_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
