/* SPDX-License-Identifier: Apache-2.0 */
#include "random.h"

#include <sys/random.h>

enum { GROUP = 4 };

int random_code(struct buf *out, unsigned groups, struct err *e)
{
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

    for (unsigned group = 0; group < groups; group++) {
        unsigned char bytes[GROUP];

        if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
            return err_errno(e, "no randomness is to be had");
        if (group)
            buf_putc(out, '-');
        for (size_t i = 0; i < sizeof bytes; i++)
            buf_putc(out, digits[bytes[i] % 32]);
    }
    return 0;
}
