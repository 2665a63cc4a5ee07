/* SPDX-License-Identifier: Apache-2.0 */
#include "io/huffman.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void assert_complete(const uint8_t *len, unsigned n, unsigned limit)
{
    uint64_t used = 0;

    for (unsigned i = 0; i < n; i++) {
        assert_true(len[i] <= limit);
        used += len[i] ? 1ull << (limit - len[i]) : 0;
    }
    assert_true(used == 1ull << limit);
}

static void known_counts_give_the_shortest_code(void **state)
{
    static const struct {
        uint32_t count[6];
        unsigned limit;
        uint8_t want[6];
    } cases[] = {
        {{1, 1, 1, 1, 0, 0}, 15, {2, 2, 2, 2, 0, 0}},
        {{45, 13, 12, 16, 9, 5}, 15, {1, 3, 3, 3, 4, 4}},
        {{1, 1, 2, 4, 8, 16}, 15, {5, 5, 4, 3, 2, 1}},
        {{1, 1, 2, 4, 8, 16}, 4, {4, 4, 4, 4, 2, 1}}, /* cut at the limit */
        {{1, 1, 2, 4, 8, 16}, 3, {3, 3, 3, 3, 2, 2}},
        {{0, 0, 0, 7, 0, 0}, 15, {1, 0, 0, 1, 0, 0}}, /* at least two symbols have a code */
        {{0, 0, 0, 0, 0, 0}, 15, {1, 1, 0, 0, 0, 0}},
        {{7, 0, 0, 0, 0, 0}, 15, {1, 1, 0, 0, 0, 0}},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t len[6];

        huffman_lengths(len, cases[i].count, 6, cases[i].limit);
        assert_complete(len, 6, cases[i].limit);
        assert_memory_equal(len, cases[i].want, 6);
    }
}

static void steep_counts_are_cut_at_the_limit_and_stay_complete(void **state)
{
    static const unsigned limits[] = {7, 9, 15};
    uint32_t count[HUFFMAN_SYMBOLS] = {0};
    uint8_t len[HUFFMAN_SYMBOLS];

    for (unsigned n = 2; n <= 30; n++) /* Fibonacci's numbers make the deepest trees */
        for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
            for (unsigned s = 0; s < n; s++)
                count[s] = s < 2 ? 1 : count[s - 1] + count[s - 2];
            huffman_lengths(len, count, n, limits[i]);
            assert_complete(len, n, limits[i]);
            for (unsigned s = 1; s < n; s++)
                assert_true(len[s] <= len[s - 1]);
        }
}

static void codes_are_in_order_of_length_then_symbol(void **state)
{
    /* The example of RFC 1951, 3.2.2, with each code's bits turned around. */
    static const uint8_t len[8] = {3, 3, 3, 3, 3, 2, 4, 4};
    static const uint16_t want[8] = {2, 6, 1, 5, 3, 0, 7, 15};
    uint16_t code[8];

    huffman_codes(code, len, 8);
    assert_memory_equal(code, want, sizeof want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_counts_give_the_shortest_code),
        cmocka_unit_test(steep_counts_are_cut_at_the_limit_and_stay_complete),
        cmocka_unit_test(codes_are_in_order_of_length_then_symbol),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
