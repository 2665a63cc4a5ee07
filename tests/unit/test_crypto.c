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

static void a_thread_passes_everything_on(void **state)
{
    static const size_t sizes[] = {0, 1, 262143, 262144, 262145, 5000000};
    unsigned char *bytes = xmalloc(5000000);

    for (size_t i = 0; i < 5000000; i++)
        bytes[i] = (unsigned char)(i * 31 + (i >> 8));
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        CLEANUP(hash_sink_clear) struct hash_sink to = {0};
        struct hash_thread *t;
        struct digest want, got;
        struct err e = {0};

        hash_sink_open(&to, NULL);
        t = hash_thread_open(&to.sink);
        for (size_t at = 0; at < sizes[i];) {
            size_t n = sizes[i] - at < 70001 ? sizes[i] - at : 70001;

            assert_int_equal(sink_write(hash_thread_sink(t), bytes + at, n, &e), 0);
            at += n;
        }
        assert_int_equal(hash_thread_finish(&t, &e), 0);
        assert_null(t);
        hash_finish(&to.hash, &got);
        hash_bytes(&want, bytes, sizes[i]);
        assert_int_equal(to.size, sizes[i]);
        assert_true(digest_eq(&want, &got));
    }
    free(bytes);
}

static int refuse(struct sink *self, const void *bytes, size_t len, struct err *e)
{
    return err_set(e, ERR_INTEGRITY, "not these");
}

static void a_thread_tells_what_its_sink_failed_with(void **state)
{
    struct sink to = {refuse, NULL};
    struct hash_thread *t = hash_thread_open(&to);
    CLEANUP(err_clear) struct err e = {0};

    assert_int_equal(sink_write(hash_thread_sink(t), "abc", 3, &e), 0);
    assert_int_equal(hash_thread_finish(&t, &e), -1);
    assert_string_equal(e.msg, "not these");
    t = hash_thread_open(&to);
    assert_int_equal(sink_write(hash_thread_sink(t), "abc", 3, &e), 0);
    hash_thread_clear(&t);
    assert_null(t);
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

#define PEM /* of 2020 */                                                \
    "-----BEGIN CERTIFICATE-----\n"                                      \
    "MIIBLTCB1AIBATAKBggqhkjOPQQDAjAjMQ0wCwYDVQQKDARDb3JwMRIwEAYDVQQD\n" \
    "DAlDb3JwIFJvb3QwHhcNMjAwMTAxMDAwMDAwWhcNMjEwMTAxMDAwMDAwWjAjMQ0w\n" \
    "CwYDVQQKDARDb3JwMRIwEAYDVQQDDAlDb3JwIFJvb3QwWTATBgcqhkjOPQIBBggq\n" \
    "hkjOPQMBBwNCAATS2LcZIuKZs7mdK+mugdb77CHMRvUfmvdBrLd7tJjfrfIERbzU\n" \
    "PtVnf6RUhA8TGS6StDx4VmIEjj+Jxe7QAsjxMAoGCCqGSM49BAMCA0gAMEUCIQCZ\n" \
    "+FotJtdQTQI142g/etDCMANQoXYmjDTzcoQa4S/veQIgaRYfHTGPLKq0lLSw4xFM\n" \
    "z985mpiDXS79T3/iYMoLE6A=\n"                                         \
    "-----END CERTIFICATE-----\n"

static void certificates_are_taken_one_by_one(void **state)
{
    static const struct {
        const char *text;
        int found;        /* -1: says is told */
        const char *says; /* else the subject of each */
    } cases[] = {
        {"", 0, ""},
        {"only words", 0, ""},
        {PEM, 1, "O = Corp, CN = Corp Root"},
        {"Corp's own:\r\n" PEM "and again\n" PEM, 2, "O = Corp, CN = Corp Root"},
        {"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", -1,
         "holds a certificate that is damaged"},
        {"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", -1,
         "holds a PEM block that is damaged"},
        {"-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n", -1,
         "holds a \"X509 CRL\", and only certificates belong there"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str rest = str_of(cases[i].text);
        int found = 0, result;
        bool more = true;

        for (;;) {
            CLEANUP(cert_clear) struct cert cert = {0};
            CLEANUP(err_clear) struct err e = {0};

            result = cert_next(&cert, &rest, &more, &e);
            if (result < 0)
                assert_string_equal(e.msg, cases[i].says);
            if (result < 0 || !more)
                break;
            assert_string_equal(cert.pem.p, PEM);
            assert_string_equal(cert.subject.p, cases[i].says);
            assert_int_equal(cert.ends, 1609459200);
            found++;
        }
        assert_int_equal(result < 0 ? -1 : found, cases[i].found);
    }
}

static void a_secret_is_itself_alone(void **state)
{
    assert_true(secret_is(STR("code"), STR("code")));
    assert_true(secret_is(STR(""), STR("")));
    assert_false(secret_is(STR("codf"), STR("code")));
    assert_false(secret_is(STR("cod"), STR("code")));
    assert_false(secret_is(STR("code\0"), STR("code")));
    assert_false(secret_is(STR(""), STR("code")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(a_thread_passes_everything_on),
        cmocka_unit_test(a_thread_tells_what_its_sink_failed_with),
        cmocka_unit_test(base64_goes_both_ways),
        cmocka_unit_test(certificates_are_taken_one_by_one),
        cmocka_unit_test(a_secret_is_itself_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
