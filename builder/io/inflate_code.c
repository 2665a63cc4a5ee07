/* SPDX-License-Identifier: Apache-2.0 */
#include "inflate_code.h"

#include <string.h>

static const uint32_t lengths[] = {
    CODE_SPECIAL | CODE_END, CODE_VALUE(3, 0),   CODE_VALUE(4, 0),   CODE_VALUE(5, 0),
    CODE_VALUE(6, 0),        CODE_VALUE(7, 0),   CODE_VALUE(8, 0),   CODE_VALUE(9, 0),
    CODE_VALUE(10, 0),       CODE_VALUE(11, 1),  CODE_VALUE(13, 1),  CODE_VALUE(15, 1),
    CODE_VALUE(17, 1),       CODE_VALUE(19, 2),  CODE_VALUE(23, 2),  CODE_VALUE(27, 2),
    CODE_VALUE(31, 2),       CODE_VALUE(35, 3),  CODE_VALUE(43, 3),  CODE_VALUE(51, 3),
    CODE_VALUE(59, 3),       CODE_VALUE(67, 4),  CODE_VALUE(83, 4),  CODE_VALUE(99, 4),
    CODE_VALUE(115, 4),      CODE_VALUE(131, 5), CODE_VALUE(163, 5), CODE_VALUE(195, 5),
    CODE_VALUE(227, 5),      CODE_VALUE(258, 0), CODE_SPECIAL,       CODE_SPECIAL,
};
static const uint32_t distances[] = {
    CODE_VALUE(1, 0),      CODE_VALUE(2, 0),      CODE_VALUE(3, 0),     CODE_VALUE(4, 0),
    CODE_VALUE(5, 1),      CODE_VALUE(7, 1),      CODE_VALUE(9, 2),     CODE_VALUE(13, 2),
    CODE_VALUE(17, 3),     CODE_VALUE(25, 3),     CODE_VALUE(33, 4),    CODE_VALUE(49, 4),
    CODE_VALUE(65, 5),     CODE_VALUE(97, 5),     CODE_VALUE(129, 6),   CODE_VALUE(193, 6),
    CODE_VALUE(257, 7),    CODE_VALUE(385, 7),    CODE_VALUE(513, 8),   CODE_VALUE(769, 8),
    CODE_VALUE(1025, 9),   CODE_VALUE(1537, 9),   CODE_VALUE(2049, 10), CODE_VALUE(3073, 10),
    CODE_VALUE(4097, 11),  CODE_VALUE(6145, 11),  CODE_VALUE(8193, 12), CODE_VALUE(12289, 12),
    CODE_VALUE(16385, 13), CODE_VALUE(24577, 13), CODE_SPECIAL,         CODE_SPECIAL,
};
static const uint32_t repeats[] = {CODE_VALUE(3, 2) | CODE_SPECIAL, CODE_VALUE(3, 3),
                                   CODE_VALUE(11, 7)};

const struct code_alphabet code_litlens = {256, lengths};
const struct code_alphabet code_dists = {0, distances};
const struct code_alphabet code_orders = {16, repeats};

static uint32_t meaning(const struct code_alphabet *a, unsigned symbol)
{
    return symbol < a->literals ? CODE_LITERAL | (uint32_t)symbol << 16
                                : a->others[symbol - a->literals];
}

/* The code after `code` among those of `len` bits, first bit lowest. */
static unsigned next_code(unsigned code, unsigned len)
{
    unsigned bit = 1u << (len - 1);

    while (code & bit)
        bit >>= 1;
    return bit ? (code & (bit - 1)) | bit : 0;
}

/* Index bits of the second table that begins with a code of `len` bits. `left`: codes of each
 * length that have no place yet. */
static unsigned second_index(const uint16_t *left, unsigned index, unsigned len)
{
    unsigned bits = len - index, used = left[len];

    while (used < 1u << bits) {
        bits++;
        used = 2 * used + left[index + bits];
    }
    return bits;
}

/* A code that is one bit or nothing at all: what it does not use is broken data. */
static bool build_small(uint32_t *table, unsigned index, const struct code_alphabet *a,
                        const uint8_t *len, unsigned n)
{
    unsigned symbol = 0;

    for (unsigned i = 0; i < 1u << index; i++)
        table[i] = CODE_SPECIAL | 1;
    while (symbol < n && !len[symbol])
        symbol++;
    for (unsigned i = 0; symbol < n && i < 1u << index; i += 2)
        table[i] = meaning(a, symbol) + (1u << 8 | 1);
    return true;
}

/* A table for `index` bits that says the same as its first `filled` entries, a power of two. */
static unsigned repeat(uint32_t *table, unsigned filled, unsigned index)
{
    for (; filled < 1u << index; filled *= 2)
        memcpy(table + filled, table, filled * sizeof *table);
    return filled;
}

static void build_table(uint32_t *table, unsigned index, const struct code_alphabet *a,
                        const uint8_t *len, unsigned n, uint16_t *left)
{
    uint16_t first[CODE_MAX + 2] = {0}, sorted[CODE_SYMBOLS];
    unsigned codes, code = 0, prefix = UINT32_MAX, bits = 0, start = 0, end = 1u << index;
    unsigned filled = 1; /* entries; those of a shorter index, which a longer one repeats */

    for (unsigned l = 1; l <= CODE_MAX; l++)
        first[l + 1] = (uint16_t)(first[l] + left[l]);
    codes = first[CODE_MAX + 1];
    table[0] = 0;
    for (unsigned i = 0; i < n; i++)
        if (len[i])
            sorted[first[len[i]]++] = (uint16_t)i;
    for (unsigned i = 0; i < codes; i++) {
        unsigned l = len[sorted[i]], done = l > index ? index : 0, own = l - done;
        uint32_t entry = meaning(a, sorted[i]) + (own << 8 | own);

        filled = repeat(table, filled, l < index ? l : index);
        if (!done) {
            table[code] = entry;
        } else {
            if ((code & ((1u << index) - 1)) != prefix) {
                prefix = code & ((1u << index) - 1);
                bits = second_index(left, index, l);
                start = end;
                end += 1u << bits;
                table[prefix] = CODE_VALUE(start, 0) | CODE_SPECIAL | CODE_LINK | bits << 8 | index;
            }
            for (unsigned k = code >> done; k < 1u << bits; k += 1u << own)
                table[start + k] = entry;
        }
        left[l]--;
        code = next_code(code, l);
    }
    repeat(table, filled, index);
}

bool code_build(uint32_t *table, unsigned index, const struct code_alphabet *a, const uint8_t *len,
                unsigned n, bool small)
{
    uint16_t of_len[CODE_MAX + 1] = {0};
    int room = 1;
    unsigned codes;

    for (unsigned i = 0; i < n; i++)
        of_len[len[i]]++;
    codes = n - of_len[0];
    for (unsigned l = 1; l <= CODE_MAX; l++) {
        room = 2 * room - of_len[l];
        if (room < 0)
            return false;
    }
    if (room)
        return small && codes == of_len[1] && build_small(table, index, a, len, n);
    build_table(table, index, a, len, n, of_len);
    return true;
}
