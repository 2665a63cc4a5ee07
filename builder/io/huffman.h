/* io/huffman.h - Huffman codes as deflate wants them (RFC 1951, 3.2.2): of limited length, given by
 * their lengths alone. Ties go by symbol, so equal counts give equal codes everywhere. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

enum { HUFFMAN_SYMBOLS = 288, HUFFMAN_BITS = 15 };

/* Lengths of a complete code for `n` symbols (2 to HUFFMAN_SYMBOLS) that occur `count` times; 0 for
 * those that do not occur. At least two symbols get a code, as not every decoder takes less.
 * `limit` is the most bits a code may have; the sum of all counts is below 2^23. */
void huffman_lengths(uint8_t *len, const uint32_t *count, unsigned n, unsigned limit);

/* The codes that these lengths stand for, first bit lowest: ready to be packed. */
void huffman_codes(uint16_t *code, const uint8_t *len, unsigned n);
