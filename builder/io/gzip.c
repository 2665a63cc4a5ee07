/* SPDX-License-Identifier: Apache-2.0 */
#include "gzip.h"

const unsigned char gzip_head[GZIP_HEAD] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};

static void put_le32(unsigned char *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(value >> (8 * i));
}

void gzip_tail(unsigned char out[GZIP_TAIL], uint32_t crc, uint64_t size)
{
    put_le32(out, crc);
    put_le32(out + 4, (uint32_t)size); /* ISIZE is the size modulo 2^32 */
}
