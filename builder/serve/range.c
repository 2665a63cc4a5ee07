/* SPDX-License-Identifier: Apache-2.0 */
#include "range.h"

/* A number too large for us is larger than any size. */
static bool number(struct str s, uint64_t *out)
{
    for (size_t i = 0; i < s.len; i++)
        if (!c_digit(s.p[i]))
            return false;
    if (!str_u64(s, out))
        *out = UINT64_MAX;
    return s.len > 0;
}

enum range range_parse(struct str header, uint64_t size, uint64_t *from, uint64_t *len)
{
    uint64_t first, last = UINT64_MAX;
    struct str head;

    *from = 0;
    *len = size;
    header = str_trim(header);
    if (!str_cut(&header, STR("="), &head) || !str_eq_nocase(head, STR("bytes")) ||
        !str_cut(&header, STR("-"), &head))
        return RANGE_ALL;
    head = str_trim(head);
    header = str_trim(header);
    if (!head.len) { /* the last so many bytes */
        if (!number(header, &last))
            return RANGE_ALL;
        if (!last || !size)
            return RANGE_OUTSIDE;
        *len = last < size ? last : size;
        *from = size - *len;
        return RANGE_PART;
    }
    if (!number(head, &first) || (header.len && !number(header, &last)) || first > last)
        return RANGE_ALL;
    if (first >= size)
        return RANGE_OUTSIDE;
    *from = first;
    *len = (last < size - 1 ? last : size - 1) - first + 1;
    return RANGE_PART;
}
