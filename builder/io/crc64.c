/* SPDX-License-Identifier: Apache-2.0 */
#include "crc64.h"

static const uint64_t polynomial = 0xd800000000000000; /* x^64 + x^4 + x^3 + x + 1, reversed */

void crc64_open(struct crc64 *c)
{
    c->value = 0;
    for (unsigned i = 0; i < 256; i++) {
        uint64_t crc = i;

        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
        c->table[0][i] = crc;
    }
    for (unsigned n = 1; n < 8; n++)
        for (unsigned i = 0; i < 256; i++)
            c->table[n][i] = c->table[0][c->table[n - 1][i] & 0xff] ^ c->table[n - 1][i] >> 8;
}

void crc64_add(struct crc64 *c, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    uint64_t crc = ~c->value;

    for (; len >= 8; p += 8, len -= 8) {
        for (unsigned i = 0; i < 8; i++)
            crc ^= (uint64_t)p[i] << (8 * i);
        crc = c->table[7][crc & 0xff] ^ c->table[6][crc >> 8 & 0xff] ^
              c->table[5][crc >> 16 & 0xff] ^ c->table[4][crc >> 24 & 0xff] ^
              c->table[3][crc >> 32 & 0xff] ^ c->table[2][crc >> 40 & 0xff] ^
              c->table[1][crc >> 48 & 0xff] ^ c->table[0][crc >> 56];
    }
    for (; len; p++, len--)
        crc = c->table[0][(crc ^ *p) & 0xff] ^ crc >> 8;
    c->value = ~crc;
}
