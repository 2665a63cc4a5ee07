/* SPDX-License-Identifier: Apache-2.0 */
#include "gzip.h"

const unsigned char gzip_head[GZIP_HEAD] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};

static void little_endian(unsigned char *out, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(n >> (8 * i) & 255);
}

void gzip_tail(unsigned char out[GZIP_TAIL], uint32_t crc, uint64_t size)
{
    little_endian(out, crc);
    little_endian(out + 4, (uint32_t)(size & UINT32_MAX)); /* ISIZE is modulo 2^32 */
}
