/* io/inflate_code.h - the codes of deflate as tables that the next bits index (RFC 1951, 3.2).
 *
 * A code that is longer than the index leads to a second table behind the first.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CODE_MAX = 15,     /* bits of a code */
    CODE_SYMBOLS = 288 /* of an alphabet */
};

/* What the next bits mean, in a table that they index:
 *   bits 0-7    how many to take: the code's, and extra bits behind it
 *   bits 8-12   how many of these are the code's; in a link, how many index the second table
 *   bits 16-30  the literal, or what the extra bits are added to; in a link, the second table's
 * start Neither CODE_LITERAL nor CODE_SPECIAL: a length, or a distance. CODE_SPECIAL alone:
 * nothing, the data is broken. */
#define CODE_LITERAL 0x80000000u
#define CODE_SPECIAL 0x8000u
#define CODE_END 0x4000u
#define CODE_LINK 0x2000u
#define CODE_VALUE(base, extra) ((uint32_t)(base) << 16 | (extra))

/* What the symbols of an alphabet mean but for their codes: the first `literals` stand for
 * themselves. */
struct code_alphabet {
    unsigned literals;
    const uint32_t *others;
};

extern const struct code_alphabet
    code_litlens;                             /* literals, the end of a block, lengths of matches */
extern const struct code_alphabet code_dists; /* how far back a match lies */
/* How long codes are; CODE_SPECIAL repeats the length before, as often as the value says, what is
 * neither CODE_LITERAL nor CODE_SPECIAL repeats no code. */
extern const struct code_alphabet code_orders;

/* The table of the code whose symbols have codes of `len` bits (at most CODE_MAX; 0: none). False
 * when it is more or less than complete, as not every decoder takes that. `small`: one code of one
 * bit will do, or none at all; every other bit is then CODE_SPECIAL. The table has room for what a
 * complete code needs, see zlib's enough.c. */
bool code_build(uint32_t *table, unsigned index, const struct code_alphabet *a, const uint8_t *len,
                unsigned n, bool small);
