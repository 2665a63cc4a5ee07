/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/fs.h"
#include "base/path.h"
#include "peer.h"
#include "store/memo.h"

static char *folder;
static struct memo *memo;

static int begin(void **state)
{
    struct err e = {0};

    folder = scratch_make();
    return memo_open(&memo, folder, &e);
}

static int end(void **state)
{
    memo_clear(&memo);
    scratch_remove(folder);
    return 0;
}

static void expect(struct str key, const char *value, size_t len)
{
    struct buf out = {0};
    struct err e = {0};
    bool found;

    assert_int_equal(memo_get(memo, key, NULL, &out, &found, &e), 0);
    assert_int_equal(found, value != NULL);
    assert_int_equal(out.len, len);
    if (len)
        assert_memory_equal(out.p, value, len);
    buf_clear(&out);
}

static void what_is_put_is_found_under_its_key(void **state)
{
    struct err e = {0};

    expect(STR("a"), NULL, 0);
    assert_int_equal(memo_put_text(memo, STR("a"), STR("one"), &e), 0);
    assert_int_equal(memo_put_text(memo, STR("a\nb"), STR("x\0\n"), &e), 0);
    assert_int_equal(memo_put_text(memo, STR("empty"), STR(""), &e), 0);
    assert_int_equal(memo_put_text(memo, STR(""), STR("no key"), &e), 0);
    expect(STR("a"), "one", 3);
    expect(STR("a\nb"), "x\0\n", 3);
    expect(STR("empty"), "", 0);
    expect(STR(""), "no key", 6);
    expect(STR("A"), NULL, 0);
    assert_int_equal(memo_put_text(memo, STR("a"), STR("two, longer"), &e), 0);
    expect(STR("a"), "two, longer", 11);
}

/* The one file of a store that has one. */
static char *only_file(const char *dir)
{
    struct names top = {0}, sub = {0};
    struct err e = {0};
    char *in, *file;

    assert_int_equal(fs_list(&top, dir, &e), 0);
    assert_int_equal(top.n, 1);
    in = path_join(dir, top.v[0]);
    assert_int_equal(fs_list(&sub, in, &e), 0);
    assert_int_equal(sub.n, 1);
    file = path_join(in, sub.v[0]);
    free(in);
    names_clear(&top);
    names_clear(&sub);
    return file;
}

static void damage_is_as_good_as_nothing(void **state)
{
    char *dir = path_join(folder, "damaged"), *file;
    struct buf text = {0};
    struct memo *mine = NULL;
    struct err e = {0};

    assert_int_equal(memo_open(&mine, dir, &e), 0);
    assert_int_equal(memo_put_text(mine, STR("key"), STR("value"), &e), 0);
    file = only_file(dir);
    assert_int_equal(fs_read(&text, file, 1000, &e), 0);
    for (size_t i = 0; i <= text.len; i++) { /* each byte flipped, and each length */
        for (int cut = 0; cut < 2; cut++) {
            struct buf out = {0};
            bool found = true;

            if (i < text.len)
                text.p[i] ^= 1;
            assert_int_equal(
                fs_write(file, cut ? str_sub(buf_view(&text), 0, i) : buf_view(&text), &e), 0);
            assert_int_equal(memo_get(mine, STR("key"), NULL, &out, &found, &e), 0);
            assert_int_equal(found, i == text.len);
            assert_int_equal(out.len, found ? 5 : 0);
            if (i < text.len)
                text.p[i] ^= 1;
            buf_clear(&out);
        }
    }
    memo_clear(&mine);
    buf_clear(&text);
    free(file);
    free(dir);
}

static void another_keys_file_is_not_believed(void **state)
{
    char *dir = path_join(folder, "swapped"), *file, *other, *moved;
    struct memo *mine = NULL;
    struct buf out = {0};
    struct err e = {0};
    bool found;

    assert_int_equal(memo_open(&mine, dir, &e), 0);
    assert_int_equal(memo_put_text(mine, STR("key"), STR("value"), &e), 0);
    file = only_file(dir);
    moved = path_join(folder, "moved");
    assert_int_equal(rename(file, moved), 0);
    other = path_dir(file);
    assert_int_equal(rmdir(other), 0);
    assert_int_equal(memo_put_text(mine, STR("yek"), STR("eulav"), &e), 0);
    free(other);
    other = only_file(dir);
    assert_int_equal(rename(moved, other), 0);
    assert_int_equal(memo_get(mine, STR("yek"), NULL, &out, &found, &e), 0);
    assert_false(found);
    memo_clear(&mine);
    free(file);
    free(other);
    free(moved);
    free(dir);
}

static struct seen seen_of(const char *text)
{
    struct hash h = {0};
    struct seen seen;

    hash_open(&h);
    hash_add(&h, text, strlen(text));
    hash_seen(&h, &seen);
    hash_clear(&h);
    return seen;
}

static bool knows(struct str key, const struct digest *of)
{
    struct buf out = {0};
    struct err e = {0};
    bool found;

    assert_int_equal(memo_get(memo, key, of, &out, &found, &e), 0);
    buf_clear(&out);
    return found;
}

static void a_finding_is_given_to_who_asks_of_the_same_bytes(void **state)
{
    struct seen mine = seen_of("bytes"), other = seen_of("other bytes");
    struct err e = {0};

    assert_int_equal(memo_put(memo, STR("finding"), &mine, STR("42"), &e), 0);
    assert_true(knows(STR("finding"), seen_digest(&mine)));
    assert_true(knows(STR("finding"), NULL));
    assert_false(knows(STR("finding"), seen_digest(&other)));
    assert_int_equal(memo_put(memo, STR("finding"), &other, STR("43"), &e), 0); /* replaces */
    assert_false(knows(STR("finding"), seen_digest(&mine)));
    expect(STR("finding"), "43", 2);
    /* A text is evidence of itself alone. */
    assert_int_equal(memo_put_text(memo, STR("finding"), STR("bytes"), &e), 0);
    assert_true(knows(STR("finding"), seen_digest(&mine)));
    assert_false(knows(STR("finding"), seen_digest(&other)));
}

/* What a store of envbuild 0.3 remembers: nobody can tell what of it was seen. */
static void memory_without_evidence_counts_for_nothing(void **state)
{
    char *dir = path_join(folder, "old"), *file;
    struct buf text = {0}, out = {0};
    struct memo *mine = NULL;
    struct digest digest;
    char hex[DIGEST_HEX + 1];
    struct err e = {0};
    bool found = true;

    assert_int_equal(memo_open(&mine, dir, &e), 0);
    assert_int_equal(memo_put_text(mine, STR("key"), STR("value"), &e), 0);
    file = only_file(dir);
    hash_bytes(&digest, "keyvalue", 8);
    digest_hex(&digest, hex);
    buf_fmt(&text, "memo 1 %s 3\nkeyvalue", hex);
    assert_int_equal(fs_write(file, buf_view(&text), &e), 0);
    assert_int_equal(memo_get(mine, STR("key"), NULL, &out, &found, &e), 0);
    assert_false(found);
    memo_clear(&mine);
    buf_clear(&text);
    free(file);
    free(dir);
}

static void a_folder_that_cannot_be_made_is_an_error(void **state)
{
    struct memo *mine = NULL;
    struct err e = {0};

    assert_int_equal(memo_open(&mine, "/dev/null/x", &e), -1);
    assert_int_equal(e.kind, ERR_SYSTEM);
    err_clear(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_found_under_its_key),
        cmocka_unit_test(damage_is_as_good_as_nothing),
        cmocka_unit_test(another_keys_file_is_not_believed),
        cmocka_unit_test(a_finding_is_given_to_who_asks_of_the_same_bytes),
        cmocka_unit_test(memory_without_evidence_counts_for_nothing),
        cmocka_unit_test(a_folder_that_cannot_be_made_is_an_error),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
