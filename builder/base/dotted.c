/* SPDX-License-Identifier: Apache-2.0 */
#include "dotted.h"

#include <assert.h>

struct str dotted_first(struct str version, unsigned n)
{
    size_t len = 0;

    while (n-- && len < version.len)
        len += str_find(str_sub(version, len, version.len), '.') + (n ? 1 : 0);
    return str_sub(version, 0, len);
}

struct str dotted_prefix(struct str s)
{
    size_t n = 0;

    while (n < s.len &&
           (c_digit(s.p[n]) || (n && s.p[n] == '.' && n + 1 < s.len && c_digit(s.p[n + 1]))))
        n++;
    return str_sub(s, 0, n);
}

unsigned dotted_numbers(uint32_t *out, unsigned most, struct str version)
{
    struct str part;
    unsigned n = 0;

    memset(out, 0, most * sizeof *out);
    while (str_item(&version, '.', &part))
        if (n == most || !str_u32(part, &out[n++]))
            return 0;
    return n;
}

bool dotted_is(struct str version, unsigned least, unsigned most)
{
    uint32_t numbers[4];
    unsigned n;

    assert(most <= ARRAY_LEN(numbers));
    n = dotted_numbers(numbers, most, version);
    return n && n >= least;
}

static uint32_t take_number(struct str *version)
{
    struct str part;
    uint32_t n = 0;

    if (str_item(version, '.', &part) && !str_u32(part, &n))
        n = 0;
    return n;
}

int dotted_compare(struct str a, struct str b)
{
    while (a.len || b.len) {
        uint32_t x = take_number(&a), y = take_number(&b);

        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}
