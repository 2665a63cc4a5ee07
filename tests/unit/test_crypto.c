/* tests/unit/test_crypto.c - hashes against published vectors, on a thread, and base64. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/crypto.h"

/* FIPS 180-4 and RFC 1321, the examples everybody has. */
static void published_vectors(void **state)
{
    char hex[DIGEST_HEX + 1], md5[MD5_HEX + 1];
    struct digest d;

    hash_bytes(&d, "abc", 3);
    digest_hex(&d, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hash_bytes(&d, NULL, 0);
    digest_hex(&d, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    md5_hex(md5, "abc", 3);
    assert_string_equal(md5, "900150983cd24fb0d6963f7d28e17f72");
}

static void a_thread_gives_the_same_digest(void **state)
{
    static const size_t sizes[] = {0, 1, 262143, 262144, 262145, 5000000};
    unsigned char *bytes = xmalloc(5000000);

    for (size_t i = 0; i < 5000000; i++)
        bytes[i] = (unsigned char)(i * 31 + (i >> 8));
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct hash_thread *t = hash_thread_open();
        struct digest want;
        struct seen got;
        struct err e = {0};
        uint64_t size;

        for (size_t at = 0; at < sizes[i];) {
            size_t n = sizes[i] - at < 70001 ? sizes[i] - at : 70001;

            assert_int_equal(sink_write(hash_thread_sink(t), bytes + at, n, &e), 0);
            at += n;
        }
        hash_thread_finish(&t, &got, &size);
        assert_null(t);
        hash_bytes(&want, bytes, sizes[i]);
        assert_int_equal(size, sizes[i]);
        assert_true(digest_eq(&want, seen_digest(&got)));
    }
    struct hash_thread *dropped = hash_thread_open();
    hash_thread_clear(&dropped);
    assert_null(dropped);
    free(bytes);
}

static void base64_goes_both_ways(void **state)
{
    static const struct {
        const char *plain, *coded;
        bool url;
    } cases[] = {{"", "", false},
                 {"f", "Zg==", false},
                 {"fo", "Zm8=", false},
                 {"foo", "Zm9v", false},
                 {"foobar", "Zm9vYmFy", false},
                 {"f", "Zg", true},
                 {"\377\376\375", "//79", false},
                 {"\377\376\375", "__79", true}};
    static const char *const bad[] = {
        "Z",      "Zg",       "Zg=",  "Zh==", "Z===", "Zm9v!",    "Zm 9v", " Zm9v",
        "Zm9v\n", "Zg==Zg==", "====", "=g==", "Zm9=", "Zm9v    ", "__79"};
    static const char *const bad_url[] = {"Zg==", "Zh", "Z", "//79", " Zm9v", "Zm9v\n\n\n\n"};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_clear) struct buf coded = {0}, plain = {0};

        base64_encode(&coded, cases[i].plain, strlen(cases[i].plain), cases[i].url);
        assert_string_equal(coded.p ? coded.p : "", cases[i].coded);
        assert_true(base64_decode(&plain, str_of(cases[i].coded), cases[i].url));
        assert_string_equal(plain.p ? plain.p : "", cases[i].plain);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEANUP(buf_clear) struct buf plain = {0};

        if (base64_decode(&plain, str_of(bad[i]), false))
            fail_msg("\"%s\" is taken", bad[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad_url); i++) {
        CLEANUP(buf_clear) struct buf plain = {0};

        if (base64_decode(&plain, str_of(bad_url[i]), true))
            fail_msg("\"%s\" is taken for an address's", bad_url[i]);
    }
    for (size_t n = 0; n < 200; n++) { /* every byte, and every length modulo 3 */
        CLEANUP(buf_clear) struct buf coded = {0}, plain = {0};
        unsigned char bytes[200];

        for (size_t i = 0; i < n; i++)
            bytes[i] = (unsigned char)(i * 37 + n);
        base64_encode(&coded, bytes, n, n & 1);
        assert_true(base64_decode(&plain, buf_view(&coded), n & 1));
        assert_int_equal(plain.len, n);
        assert_true(!n || !memcmp(plain.p, bytes, n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(a_thread_gives_the_same_digest),
        cmocka_unit_test(base64_goes_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
