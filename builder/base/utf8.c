/* SPDX-License-Identifier: Apache-2.0 */
#include "utf8.h"

size_t utf8_length(struct str s)
{
    unsigned char c, second;
    size_t n;

    if (!s.len)
        return 0;
    c = (unsigned char)s.p[0];
    n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : 4;
    if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || n > s.len)
        return 0;
    for (size_t i = 1; i < n; i++)
        if (((unsigned char)s.p[i] & 0xc0) != 0x80)
            return 0;
    if (n < 3)
        return n;
    second = (unsigned char)s.p[1];
    if ((c == 0xe0 && second < 0xa0) || (c == 0xed && second > 0x9f) ||
        (c == 0xf0 && second < 0x90) || (c == 0xf4 && second > 0x8f))
        return 0; /* too long a form, a surrogate, or beyond U+10FFFF */
    return n;
}

uint32_t utf8_code(struct str s, size_t length)
{
    uint32_t code = (unsigned char)s.p[0];

    if (length > 1)
        code &= 0x7fu >> length;
    for (size_t i = 1; i < length; i++)
        code = code << 6 | ((unsigned char)s.p[i] & 0x3f);
    return code;
}

void utf8_put(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_putc(out, (char)c);
        return;
    }
    if (c < 0x800) {
        buf_putc(out, (char)(0xc0 | c >> 6));
    } else if (c < 0x10000) {
        buf_putc(out, (char)(0xe0 | c >> 12));
        buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
    } else {
        buf_putc(out, (char)(0xf0 | c >> 18));
        buf_putc(out, (char)(0x80 | (c >> 12 & 0x3f)));
        buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
    }
    buf_putc(out, (char)(0x80 | (c & 0x3f)));
}

static uint32_t unit_at(struct str s, size_t at, bool big_endian)
{
    unsigned first = (unsigned char)s.p[at], second = (unsigned char)s.p[at + 1];

    return big_endian ? first << 8 | second : second << 8 | first;
}

bool utf8_from_utf16(struct buf *out, struct str s, bool big_endian)
{
    size_t at = 0;

    while (at + 2 <= s.len) {
        uint32_t c = unit_at(s, at, big_endian), low;

        at += 2;
        if (c >= 0xd800 && c < 0xe000) {
            low = c < 0xdc00 && at + 2 <= s.len ? unit_at(s, at, big_endian) : 0;
            if (low < 0xdc00 || low >= 0xe000)
                return false;
            c = 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
            at += 2;
        }
        utf8_put(out, c);
    }
    return at == s.len;
}

size_t utf8_valid(struct str s)
{
    size_t at = 0, n;
    uint64_t eight;

    while (at < s.len) {
        /* Nearly all text is ASCII: eight bytes at once. */
        while (at + sizeof eight <= s.len) {
            memcpy(&eight, s.p + at, sizeof eight);
            if (eight & 0x8080808080808080u)
                break;
            at += sizeof eight;
        }
        if (at == s.len)
            break;
        n = utf8_length((struct str){s.p + at, s.len - at});
        if (!n)
            break;
        at += n;
    }
    return at;
}

size_t utf8_prefix(struct str s, size_t count)
{
    size_t at = 0;

    while (at < s.len && count--) {
        size_t n = utf8_length((struct str){s.p + at, s.len - at});

        at += n ? n : 1;
    }
    return at;
}

static bool is_obeyed(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

static void escape(struct buf *out, uint32_t c, enum utf8_show how)
{
    if (how == SHOW_JSON || c >= 0x80)
        buf_fmt(out, "\\u%04x", c);
    else if (c == '\n' || c == '\t' || c == '\r')
        buf_puts(out, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r");
    else
        buf_fmt(out, "\\x%02x", c);
}

void utf8_show(struct buf *out, struct str text, enum utf8_show how)
{
    size_t from = 0, at = 0; /* what stands between is shown as it is */

    while (at < text.len) {
        struct str rest = {text.p + at, text.len - at};
        size_t n = utf8_length(rest);
        uint32_t c = n ? utf8_code(rest, n) : 0;

        if (n && (!is_obeyed(c) || (how != SHOW_LINE && (c == '\n' || c == '\t')))) {
            at += n;
            continue;
        }
        buf_add(out, text.p + from, at - from);
        if (n)
            escape(out, c, how);
        else
            buf_fmt(out, how == SHOW_JSON ? "\\\\x%02x" : "\\x%02x", (unsigned char)rest.p[0]);
        at += n ? n : 1;
        from = at;
    }
    if (at > from)
        buf_add(out, text.p + from, at - from);
}
