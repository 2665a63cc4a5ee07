/* base/str.h - borrowed text: a pointer and a length, not ended by NUL.
 *
 * Parsers move a `struct str` as their cursor and never write into their input.
 * All comparisons are by byte; nothing here knows a locale.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "mem.h"

struct str {
    const char *p; /* may be NULL when len is 0 */
    size_t len;
};

#define STR(literal) ((struct str){"" literal "", sizeof(literal) - 1})
#define STR_INIT(literal)                  \
    {                                      \
        "" literal "", sizeof(literal) - 1 \
    }
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).len, (s).p ? (s).p : ""

struct str str_of(const char *s); /* NULL gives the empty string */
struct str str_sub(struct str s, size_t from, size_t len);
char *str_dup(struct str s); /* owned, ends in NUL */

bool str_eq(struct str a, struct str b);
bool str_is(struct str a, const char *b);
bool str_eq_nocase(struct str a, struct str b); /* ASCII */
int str_cmp(struct str a, struct str b);        /* memcmp order, then length */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
bool str_has(struct str s, char c);
/* Index of `c` or of `needle`; s.len when absent. */
size_t str_find(struct str s, char c);
size_t str_find_str(struct str s, struct str needle);

struct str str_trim(struct str s); /* ASCII white space at both ends */
struct str str_trim_left(struct str s);
struct str str_trim_right(struct str s);

/* Split at the first `sep`: *head = what was before it, *s = what is after. Without `sep`
 * returns false and changes nothing. */
bool str_cut(struct str *s, struct str sep, struct str *head);
/* The same at the last `sep`: *tail = what was after it, *s = what is before. */
bool str_cut_last(struct str *s, struct str sep, struct str *tail);
/* Drop `prefix` from the front; false when it is not there. */
bool str_skip(struct str *s, struct str prefix);
bool str_drop(struct str *s, struct str suffix);
/* Take the next line (without "\n" or "\r\n"); false at the end of the text. */
bool str_line(struct str *s, struct str *line);
/* Take the next field between runs of ASCII white space; false when none is left. */
bool str_word(struct str *s, struct str *word);
/* Take the next item of a `sep`-separated list, untrimmed; false when the list is used up. */
bool str_item(struct str *s, char sep, struct str *item);

/* Decimal digits only, the whole string; false on anything else or overflow. */
bool str_u64(struct str s, uint64_t *out);
bool str_u32(struct str s, uint32_t *out);
/* Octal digits only, as a file's mode is written: "0755". */
bool str_octal(struct str s, uint32_t *out);

/* ASCII classes, free of locale. */
bool c_digit(char c);
bool c_alpha(char c);
bool c_alnum(char c);
bool c_space(char c);
char c_lower(char c);

/* Edit distance, for "did you mean"; at most `cap` (returns cap + 1 beyond it). */
unsigned str_distance(struct str a, struct str b, unsigned cap);

/* qsort comparison for arrays of `char *` and of `struct str`, by byte. */
int strp_compare(const void *a, const void *b);
int str_compare(const void *a, const void *b);
