/* SPDX-License-Identifier: Apache-2.0 */
#include "oci_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "store/gc.h"
#include "store/roots.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define MEMO "aa/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* Of 4 bytes each; `age` is when they were changed, in seconds since 1970. */
static const struct {
    const char *name;
    int64_t age;
    bool always, older; /* goes when A is needed: by need alone; by what is from before 100 */
} files[] = {
    {"blobs/sha256/" A, 1, false, false},
    {"blobs/sha256/" B, 1, true, true},
    {"blobs/sha256/" C, 200, true, false},
    {"partial/" A, 1, false, false},
    {"partial/" B, 1, true, true},
    {"layers/" MEMO, 1, false, true},
    {"pages/" MEMO, 200, false, false},
    {"scans/" MEMO, 1, false, true},
    {"sealed/" MEMO, 1, false, true},
    /* not ours */
    {"blobs/sha256/" A ".txt", 1, false, false},
    {"blobs/sha512/" B, 1, false, false},
    {"layers/aa/note", 1, false, false},
    {"mine/" MEMO, 1, false, false},
    {B, 1, false, false},
    {".lock", 1, false, false},
    {"scratch/.envbuild-1-1-1", 1, false, false}, /* its process lives */
    {"scratch/.envbuild-2147483646-1-1", 1, true, true},
};

static void fill(const char *dir)
{
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        CLEANUP(free_clear) char *path = path_join(dir, files[i].name);
        CLEANUP(err_clear) struct err e = {0};
        const struct timespec times[] = {{files[i].age, 0}, {files[i].age, 0}};

        assert_ok(fs_mkdirs_for(path, &e), &e);
        assert_ok(fs_write(path, STR("text"), &e), &e);
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    }
}

static bool has_file(const char *dir, const char *name)
{
    CLEANUP(free_clear) char *path = path_join(dir, name);

    return fs_exists(path);
}

static void what_is_not_needed_goes(void **state)
{
    static const int64_t before[] = {0, 100};
    struct digest needed;

    assert_true(digest_from_hex(&needed, STR(A)));
    for (size_t k = 0; k < ARRAY_LEN(before); k++) {
        struct gc_rules rules = {.needed = &needed, .needed_n = 1, .before = before[k]};
        CLEANUP(err_clear) struct err e = {0};
        struct gc_result counted, removed;
        uint64_t n = 0, all = 0;

        fill(*state);
        for (size_t i = 0; i < ARRAY_LEN(files); i++)
            n += before[k] ? files[i].older : files[i].always;
        assert_ok(gc_store(&counted, *state, &rules, &e), &e);
        for (size_t i = 0; i < ARRAY_LEN(files); i++)
            assert_true(has_file(*state, files[i].name));
        rules.remove = true;
        assert_ok(gc_store(&removed, *state, &rules, &e), &e);
        assert_int_equal(counted.unneeded.files, n);
        assert_int_equal(removed.unneeded.files, n);
        assert_int_equal(removed.unneeded.bytes, 4 * n);
        for (size_t i = 0; i < GC_KINDS; i++)
            all += removed.kinds[i].files;
        assert_int_equal(all, ARRAY_LEN(files));
        for (size_t i = 0; i < ARRAY_LEN(files); i++)
            if (has_file(*state, files[i].name) == (before[k] ? files[i].older : files[i].always))
                fail_msg("before %d: %s", (int)before[k], files[i].name);
    }
}

static void no_link_is_followed(void **state)
{
    const struct gc_rules rules = {.remove = true};
    CLEANUP(free_clear)
    char *store = path_join(*state, "store"),
         *blobs = path_join(*state, "store/blobs"), *link = path_join(*state, "store/partial/" A);
    CLEANUP(err_clear) struct err e = {0};
    struct gc_result result;

    fill(*state);
    assert_ok(fs_mkdirs(store, &e), &e);
    assert_ok(fs_mkdirs_for(link, &e), &e);
    assert_int_equal(symlink("../blobs", blobs), 0);
    assert_int_equal(symlink("../../blobs/sha256/" A, link), 0);
    assert_ok(gc_store(&result, store, &rules, &e), &e);
    assert_int_equal(result.unneeded.files, 0);
    assert_true(has_file(*state, "blobs/sha256/" A));
    assert_true(has_file(*state, "store/partial/" A));
}

static bool interrupt(void *ctx)
{
    return true;
}

static void an_interrupt_ends_it(void **state)
{
    const struct events events = {.cancelled = interrupt};
    const struct gc_rules rules = {.remove = true, .events = &events};
    CLEANUP(err_clear) struct err e = {0};
    struct gc_result result;

    fill(*state);
    assert_int_equal(gc_store(&result, *state, &rules, &e), -1);
    assert_int_equal(e.kind, ERR_INTERRUPTED);
    assert_true(has_file(*state, "blobs/sha256/" B));
}

static void roots_are_told_again(void **state)
{
    CLEANUP(roots_clear) struct roots none = {0}, two = {0}, one = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(free_clear) char *strange = path_join(*state, "locks/" A);

    assert_ok(roots_list(&none, *state, &e), &e);
    assert_int_equal(none.n, 0);
    assert_ok(roots_note(*state, "/b\nc/x.lock", &e), &e);
    assert_ok(roots_note(*state, "/a/x.lock", &e), &e);
    assert_ok(roots_note(*state, "/a/x.lock", &e), &e);
    assert_ok(fs_write(strange, STR("/etc/passwd"), &e), &e); /* not what its name says */
    assert_ok(roots_list(&two, *state, &e), &e);
    assert_int_equal(two.n, 2);
    assert_string_equal(two.v[0].path, "/a/x.lock");
    assert_string_equal(two.v[1].path, "/b\nc/x.lock");
    assert_true(two.v[0].used > 1700000000);
    assert_ok(roots_forget(*state, "/a/x.lock", &e), &e);
    assert_ok(roots_list(&one, *state, &e), &e);
    assert_int_equal(one.n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_not_needed_goes, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(no_link_is_followed, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(an_interrupt_ends_it, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(roots_are_told_again, make_folder, remove_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
