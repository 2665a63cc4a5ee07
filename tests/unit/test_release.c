/* The signed files were made by tests/unit/data/release/make.sh. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>
#include "base/fs.h"
#include "base/path.h"
#include "pkg/deb/release.h"

#define FOLDER "tests/unit/data/release/"

/* 2024-01-01 12:34:56 UTC, by `date -d`. */
enum { SIGNED = 1704112496, DAY = 86400 };

static void load(struct buf *out, const char *name)
{
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(free_clear) char *path = path_join(FOLDER, name);

    if (fs_read(out, path, 1 << 20, &e) < 0)
        fail_msg("%s", e.msg);
}

/* Verify FOLDER/`file` with the keys in `keyrings`, allowing the keys that `keys` name. */
static int verify(struct release *out, const char *file, const char *keyrings, const char *keys,
                  struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0}, ring = {0}, prints = {0};
    struct strs allowed = {0};
    struct str list, word, rest;

    load(&text, file);
    for (list = str_of(keyrings); str_word(&list, &word);) {
        CLEANUP(buf_clear) struct buf name = {0};
        buf_fmt(&name, STR_FMT ".gpg", STR_ARG(word));
        load(&ring, name.p);
    }
    for (list = str_of(keys); str_word(&list, &word);) {
        CLEANUP(buf_clear) struct buf name = {0};
        buf_fmt(&name, STR_FMT ".fpr", STR_ARG(word));
        load(&prints, name.p);
    }
    for (rest = buf_view(&prints); str_word(&rest, &word);)
        vec_add(&allowed, word);
    int result = release_verify(out, buf_view(&text), buf_view(&ring), &allowed, "test", NULL, e);
    vec_clear(&allowed);
    return result;
}

static void what_a_listed_key_signed_is_read(void **state)
{
    static const struct {
        const char *file, *keyrings, *keys;
    } cases[] = {
        {"good.in", "good", "good"},       {"good.in", "good other", "good"},
        {"both.in", "good", "good"},       /* gpgv: NO_PUBKEY, and exit code 2 */
        {"both.in", "good other", "good"}, /* a second key that is not on the list */
        {"before.in", "good", "good"},     /* the text around the block is not read */
        {"after.in", "good", "good"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(release_clear) struct release r = {0};
        CLEANUP(err_clear) struct err e = {0};
        if (verify(&r, cases[i].file, cases[i].keyrings, cases[i].keys, &e) < 0)
            fail_msg("%s: %s", cases[i].file, e.msg);
        assert_true(str_is(r.suite, "stable") && str_is(r.codename, "test"));
        assert_int_equal(r.signers.n, 1);
        assert_int_equal(r.signers.v[0].len, 40);
    }
}

static void what_does_not_hold_is_refused(void **state)
{
    static const struct {
        const char *file, *keyrings, *keys, *says;
    } cases[] = {
        {"bad.in", "good", "good", "gpgv says BADSIG"},
        {"bad-both.in", "good other", "good", "gpgv says BADSIG"},
        {"bad-both.in", "other", "good other", "gpgv says BADSIG"},
        {"expired.in", "expired", "expired", "gpgv says EXPKEYSIG"},
        {"revoked.in", "revoked", "revoked", "gpgv says REVKEYSIG"},
        {"sha1.in", "good", "good", "weak digest"},
        {"two-blocks.in", "good", "good", "gpgv says ERROR"},
        {"two-blocks.in", "good other", "good other", "gpgv says ERROR"},
        {"cut.in", "good", "good", "gpgv says NODATA"},
        {"Release", "good", "good", "gpgv says NODATA"},
        {"good.gpg", "good", "good", "gpgv says"},
        {"other.in", "good", "good", "which is not in the archive's keyring"},
        {"other.in", "other", "good", "not among the fingerprints that may sign"},
        {"good.in", "good", "", "not among the fingerprints that may sign"},
        {"good.in", "", "good", "which is not in the archive's keyring"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(release_clear) struct release r = {0};
        CLEANUP(err_clear) struct err e = {0};
        if (verify(&r, cases[i].file, cases[i].keyrings, cases[i].keys, &e) == 0)
            fail_msg("%s was taken", cases[i].file);
        if (e.kind != ERR_INTEGRITY || !strstr(e.msg, cases[i].says))
            fail_msg("%s: expected \"%s\", got \"%s\"", cases[i].file, cases[i].says, e.msg);
        assert_int_equal(r.indexes.n, 0);
    }
}

static void a_missing_gpgv_is_told_with_its_package(void **state)
{
    CLEANUP(release_clear) struct release r = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(free_clear) char *path = xstrdup(getenv("PATH") ? getenv("PATH") : "");

    setenv("PATH", "/nonexistent", 1);
    int result = verify(&r, "good.in", "good", "good", &e);
    setenv("PATH", path, 1);
    assert_int_equal(result, -1);
    assert_int_equal(e.kind, ERR_SYSTEM);
    assert_non_null(strstr(e.msg, "install the package \"gpgv\""));
}

static void nothing_is_left_in_tmp(void **state)
{
    CLEANUP(names_clear) struct names names = {0};
    CLEANUP(release_clear) struct release r = {0};
    CLEANUP(buf_clear) struct buf mine = {0};
    CLEANUP(err_clear) struct err e = {0};

    buf_fmt(&mine, "envbuild-gpgv-%ld-", (long)getpid());
    assert_int_equal(verify(&r, "good.in", "good", "good", &e), 0);
    assert_int_equal(verify(&r, "bad.in", "good", "good", &e), -1);
    assert_int_equal(fs_list(&names, "/tmp", &e), 0);
    for (size_t i = 0; i < names.n; i++)
        assert_false(str_starts(str_of(names.v[i]), buf_view(&mine)));
}

static void fields_and_indexes_are_read(void **state)
{
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(release_clear) struct release r = {0};
    CLEANUP(err_clear) struct err e = {0};
    const struct release_index *x;

    load(&text, "Release");
    assert_int_equal(release_parse(&r, buf_view(&text), "test", &e), 0);
    assert_true(r.by_hash); /* stands behind the list */
    assert_int_equal(r.date, SIGNED);
    assert_int_equal(r.valid_until, SIGNED + 7 * DAY);
    assert_int_equal(r.components.n, 2);
    assert_int_equal(r.architectures.n, 3);
    assert_int_equal(r.indexes.n, 3);
    x = release_find(&r, STR("main/binary-amd64/Packages.xz"));
    assert_non_null(x);
    assert_int_equal(x->size, 1234);
    assert_int_equal(x->digest.bytes[31], 1);
    assert_null(release_find(&r, STR("main/binary-amd64/Packages.gz")));
}

static void an_incomplete_payload_is_refused(void **state)
{
    static const char hash[] = "0000000000000000000000000000000000000000000000000000000000000001";
    static const struct {
        const char *head, *list, *says;
    } cases[] = {
        {"Suite: a", " %s 1 p", "Date"},
        {"Date: yesterday", " %s 1 p", "is not a date in UTC"},
        {"Date: Mon, 01 Jan 2024 12:34:56 UTC\nValid-Until: x", " %s 1 p", "Valid-Until"},
        {"Date: Mon, 01 Jan 2024 12:34:56 UTC", "", "lists no SHA256"},
        {"Date: Mon, 01 Jan 2024 12:34:56 UTC", " %s x p", "hash size path"},
        {"Date: Mon, 01 Jan 2024 12:34:56 UTC", " %s 1", "hash size path"},
        {"Date: Mon, 01 Jan 2024 12:34:56 UTC", " 12 1 p", "hash size path"},
        {"Date: Mon, 01 Jan 2024 12:34:56 UTC", " %s 1 p\n\nSuite: b", "one paragraph"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf text = {0};
        CLEANUP(release_clear) struct release r = {0};
        CLEANUP(err_clear) struct err e = {0};
        struct str list = str_of(cases[i].list), before;
        buf_fmt(&text, "%s\nSHA256:\n", cases[i].head);
        if (str_cut(&list, STR("%s"), &before))
            buf_fmt(&text, STR_FMT "%s", STR_ARG(before), hash);
        buf_fmt(&text, STR_FMT "\n", STR_ARG(list));
        if (release_parse(&r, buf_view(&text), "test", &e) == 0)
            fail_msg("taken:\n%s", text.p);
        assert_int_equal(e.kind, ERR_INPUT);
        assert_non_null(strstr(e.msg, cases[i].says));
    }
}

static void suite_and_dates_are_checked(void **state)
{
    static const struct {
        const char *suite;
        int64_t now;
        bool dated;
        const char *says; /* NULL: it holds */
    } cases[] = {
        {"stable", SIGNED, false, NULL},
        {"test", SIGNED + 7 * DAY, false, NULL},
        {"test", SIGNED - 10, false, NULL},
        {"test", SIGNED - 11, false, "in the future"},
        {"test", SIGNED - 11, true, "in the future"},
        {"test", SIGNED + 7 * DAY + 10, false, NULL},
        {"test", SIGNED + 7 * DAY + 11, false, "Valid-Until passed"},
        {"test", SIGNED + 700 * DAY, true, NULL},
        {"testing", SIGNED, false, "asked for suite \"testing\""},
        {"", SIGNED, false, "asked for suite"},
    };
    CLEANUP(buf_clear) struct buf text = {0};
    CLEANUP(release_clear) struct release r = {0};
    CLEANUP(err_clear) struct err e = {0};

    load(&text, "Release");
    assert_int_equal(release_parse(&r, buf_view(&text), "test", &e), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int result =
            release_check(&r, str_of(cases[i].suite), cases[i].now, cases[i].dated, "test", &e);
        assert_int_equal(result, cases[i].says ? -1 : 0);
        if (cases[i].says) {
            assert_int_equal(e.kind, ERR_INTEGRITY);
            assert_non_null(strstr(e.msg, cases[i].says));
        }
        err_clear(&e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_listed_key_signed_is_read),
        cmocka_unit_test(what_does_not_hold_is_refused),
        cmocka_unit_test(a_missing_gpgv_is_told_with_its_package),
        cmocka_unit_test(nothing_is_left_in_tmp),
        cmocka_unit_test(fields_and_indexes_are_read),
        cmocka_unit_test(an_incomplete_payload_is_refused),
        cmocka_unit_test(suite_and_dates_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
