/* A challenge that parses prints and parses back the same. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "net/challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct challenges c = {0}, again = {0};
    struct buf first = {0}, second = {0};

    if (challenges_parse(&c, (struct str){(const char *)data, size})) {
        challenges_print(&first, &c);
        require(challenges_parse(&again, buf_view(&first)));
        challenges_print(&second, &again);
        require(str_eq(buf_view(&first), buf_view(&second)));
        require(again.list.n == c.list.n);
    }
    challenges_clear(&c);
    challenges_clear(&again);
    buf_clear(&first);
    buf_clear(&second);
    return 0;
}
