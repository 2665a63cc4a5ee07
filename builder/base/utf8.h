/* base/utf8.h - UTF-8 (RFC 3629), and text that a terminal may be shown. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "buf.h"

/* Bytes of the character at the front of `s`; 0 when none stands there. */
size_t utf8_length(struct str s);
/* The code point of such a character. */
uint32_t utf8_code(struct str s, size_t length);
void utf8_put(struct buf *out, uint32_t code);
/* Append what UTF-16 (RFC 2781), without its byte order mark, says; false at half a character or a
 * surrogate without its other half: then `out` has all before it. */
bool utf8_from_utf16(struct buf *out, struct str text, bool big_endian) MUST_CHECK;
/* How many bytes at the front are whole characters: s.len when all of `s` is UTF-8. */
size_t utf8_valid(struct str s);
/* Bytes of the first `count` characters, or all. What is no UTF-8 counts a byte as one. */
size_t utf8_prefix(struct str s, size_t count);

enum utf8_show {
    SHOW_LINE,  /* part of a line: line ends and tabs are escaped too */
    SHOW_LINES, /* line ends and tabs stay */
    SHOW_JSON,  /* JSON text, in which only strings can hold what is escaped */
};
/* Append `text`, with all escaped that a terminal obeys and does not show: control characters of
 * ASCII and of ISO 8859 (U+0080 to U+009F), those that turn the direction of writing (U+202A to
 * U+202E, U+2066 to U+2069), and bytes that are no UTF-8. A byte becomes "\x1b", another character
 * "\u202e". */
void utf8_show(struct buf *out, struct str text, enum utf8_show how);
