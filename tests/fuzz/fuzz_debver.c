/* Debian versions, one a line: comparing is a total order. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include "pkg/deb/debver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size}, v[3] = {0};

    for (size_t i = 0; i < ARRAY_LEN(v); i++)
        str_item(&text, '\n', &v[i]);
    int ab = debver_cmp(v[0], v[1]), bc = debver_cmp(v[1], v[2]), ac = debver_cmp(v[0], v[2]);
    assert(debver_cmp(v[0], v[0]) == 0);
    assert(debver_cmp(v[1], v[0]) == -ab);
    if (ab <= 0 && bc <= 0)
        assert(ac <= 0);
    if (ab >= 0 && bc >= 0)
        assert(ac >= 0);
    if (debver_valid(v[0]) && debver_valid(v[1]) && str_eq(v[0], v[1]))
        assert(ab == 0);
    assert(debver_satisfies(v[0], DEBVER_LE, v[1]) == !debver_satisfies(v[0], DEBVER_GT, v[1]));
    return 0;
}
