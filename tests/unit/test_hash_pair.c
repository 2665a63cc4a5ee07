/* tests/unit/test_hash_pair.c - two hashes at once are what OpenSSL says of each. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/hash_pair.h"

enum { SIZE = 100000 };

static void add_in_pieces(struct hash_pair *p, const unsigned char *bytes, size_t len, size_t piece)
{
    for (size_t at = 0; at < len; at += piece)
        hash_pair_add(p, bytes + at, len - at < piece ? len - at : piece);
}

/* A part from `from` to `to`, in pieces of any size. */
static void check(const unsigned char *bytes, size_t from, size_t to, size_t piece, size_t kind,
                  bool plain)
{
    CLEANUP(hash_pair_clear) struct hash_pair p = {0};
    struct digest want, got, part;
    struct seen seen;

    hash_bytes(&part, bytes + from, to - from);
    hash_bytes(&want, bytes, SIZE);
    hash_pair_open(&p, plain);
    add_in_pieces(&p, bytes, from, piece);
    hash_pair_begin(&p, kind);
    add_in_pieces(&p, bytes + from, to - from, piece);
    assert_int_equal(hash_pair_end(&p, (struct str){(char *)part.bytes, sizeof part.bytes}),
                     kind == sizeof part.bytes);
    add_in_pieces(&p, bytes + to, SIZE - to, piece);
    hash_pair_begin(&p, sizeof part.bytes);
    part.bytes[31] ^= 1;
    assert_false(hash_pair_end(&p, (struct str){(char *)part.bytes, sizeof part.bytes}));
    hash_pair_finish(&p, &seen);
    got = *seen_digest(&seen);
    assert_true(digest_eq(&want, &got));
}

static void both_are_what_openssl_says(void **state)
{
    static const size_t froms[] = {0, 1, 63, 64, 512, 51200};
    static const size_t sizes[] = {0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 4096, 40000};
    static const size_t pieces[] = {1, 63, 64, 65, 1000, SIZE};
    unsigned char *bytes = xmalloc(SIZE);

    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (unsigned char)(i * 2654435761u >> 13 ^ i >> 9);
    for (size_t f = 0; f < ARRAY_LEN(froms); f++)
        for (size_t s = 0; s < ARRAY_LEN(sizes); s++)
            for (size_t k = 0; k < ARRAY_LEN(pieces); k++)
                for (int plain = 0; plain < 2; plain++) {
                    check(bytes, froms[f], froms[f] + sizes[s], pieces[k], 32, plain);
                    check(bytes, froms[f], froms[f] + sizes[s], pieces[k], 64, plain);
                }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_are_what_openssl_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
