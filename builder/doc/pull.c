/* SPDX-License-Identifier: Apache-2.0 */
#include "pull.h"

#include "../base/utf8.h"

enum { PULL_DEPTH = 64 };

static bool fail(struct pull *p)
{
    p->bad = true;
    p->rest = (struct str){0};
    return false;
}

static void advance(struct pull *p, size_t n)
{
    p->rest.p += n;
    p->rest.len -= n;
}

static void skip_blanks(struct pull *p)
{
    size_t n = 0;

    while (n < p->rest.len && (p->rest.p[n] == ' ' || p->rest.p[n] == '\n' ||
                               p->rest.p[n] == '\t' || p->rest.p[n] == '\r'))
        n++;
    if (n)
        advance(p, n);
}

static bool next_is(struct pull *p, char c)
{
    skip_blanks(p);
    return p->rest.len && p->rest.p[0] == c;
}

static bool take(struct pull *p, char c)
{
    if (!next_is(p, c))
        return false;
    advance(p, 1);
    return true;
}

void pull_open(struct pull *p, struct str text, struct arena *a)
{
    *p = (struct pull){.rest = text, .arena = a};
}

enum node_kind pull_kind(struct pull *p)
{
    skip_blanks(p);
    switch (p->rest.len ? p->rest.p[0] : 0) {
    case '{':
        return NODE_MAP;
    case '[':
        return NODE_LIST;
    case '"':
        return NODE_STRING;
    case 't':
    case 'f':
        return NODE_BOOL;
    case 0:
    case 'n':
        return NODE_NULL;
    }
    return NODE_NUMBER;
}

static bool enter(struct pull *p, char opening)
{
    if (!take(p, opening))
        return false;
    if (++p->depth > PULL_DEPTH)
        return fail(p);
    p->fresh = true;
    return true;
}

/* Whether another member follows; else what closes is taken. */
static bool more(struct pull *p, char closing)
{
    bool fresh = p->fresh;

    p->fresh = false;
    if (p->bad)
        return false;
    if (take(p, closing)) {
        p->depth--;
        return false;
    }
    return fresh || take(p, ',') || fail(p);
}

bool pull_map(struct pull *p)
{
    return enter(p, '{');
}

bool pull_list(struct pull *p)
{
    return enter(p, '[');
}

bool pull_item(struct pull *p)
{
    return more(p, ']') && ((skip_blanks(p), p->rest.len > 0) || fail(p));
}

/* The length of a string up to its closing quote; *escapes tells of any. SIZE_MAX when it has no
 * end or a control character in it. */
static size_t string_length(struct str s, bool *escapes)
{
    *escapes = false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '"')
            return i;
        if ((unsigned char)s.p[i] < ' ')
            break;
        if (s.p[i] == '\\') {
            *escapes = true;
            i++;
        }
    }
    return SIZE_MAX;
}

static bool hex4(struct str s, uint32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < 4; i++) {
        char c = i < s.len ? c_lower(s.p[i]) : 0;

        if (!c_digit(c) && (c < 'a' || c > 'f'))
            return false;
        *out = *out * 16 + (uint32_t)(c_digit(c) ? c - '0' : c - 'a' + 10);
    }
    return true;
}

/* "\uXXXX", for what lies beyond 16 bits two of them; *s stands behind the "u". */
static bool unescape_unicode(struct buf *out, struct str *s)
{
    uint32_t c, low;

    if (!hex4(*s, &c))
        return false;
    *s = str_sub(*s, 4, s->len);
    if (c >= 0xd800 && c < 0xdc00) {
        if (!str_skip(s, STR("\\u")) || !hex4(*s, &low) || low < 0xdc00 || low > 0xdfff)
            return false;
        *s = str_sub(*s, 4, s->len);
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    } else if (c >= 0xdc00 && c < 0xe000) {
        return false;
    }
    utf8_put(out, c);
    return true;
}

static bool unescape(struct buf *out, struct str s)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

    while (s.len) {
        const char *at;
        char c = s.p[0];

        s = str_sub(s, 1, s.len);
        if (c != '\\') {
            buf_putc(out, c);
            continue;
        }
        c = s.len ? s.p[0] : 0;
        s = str_sub(s, 1, s.len);
        at = c ? strchr(from, c) : NULL;
        if (at)
            buf_putc(out, to[at - from]);
        else if (c != 'u' || !unescape_unicode(out, &s))
            return false;
    }
    return true;
}

/* A string; `out` may be NULL. */
static bool take_string(struct pull *p, struct str *out)
{
    CLEANUP(buf_clear) struct buf plain = {0};
    struct str raw;
    bool escapes;
    size_t n;

    if (!take(p, '"'))
        return fail(p);
    n = string_length(p->rest, &escapes);
    if (n == SIZE_MAX)
        return fail(p);
    raw = str_sub(p->rest, 0, n);
    advance(p, n + 1);
    if (!out)
        return true;
    if (utf8_valid(raw) != raw.len)
        return fail(p);
    *out = raw;
    if (!escapes)
        return true;
    if (!unescape(&plain, raw))
        return fail(p);
    *out = arena_str(p->arena, buf_view(&plain));
    return true;
}

bool pull_key(struct pull *p, struct str *key)
{
    return more(p, '}') && take_string(p, key) && (take(p, ':') || fail(p));
}

/* "true", "-1.5e3": all up to what ends a value. */
static struct str take_word(struct pull *p)
{
    struct str word;
    size_t n = 0;

    skip_blanks(p);
    while (n < p->rest.len && (c_alnum(p->rest.p[n]) || p->rest.p[n] == '-' ||
                               p->rest.p[n] == '+' || p->rest.p[n] == '.'))
        n++;
    word = str_sub(p->rest, 0, n);
    if (n)
        advance(p, n);
    return word;
}

static size_t digits(struct str s)
{
    size_t n = 0;

    while (n < s.len && c_digit(s.p[n]))
        n++;
    return n;
}

static bool skip_digits(struct str *s)
{
    size_t n = digits(*s);

    *s = str_sub(*s, n, s->len);
    return n > 0;
}

static bool is_number(struct str s)
{
    str_skip(&s, STR("-"));
    if (!str_skip(&s, STR("0")) && !skip_digits(&s))
        return false;
    if (str_skip(&s, STR(".")) && !skip_digits(&s))
        return false;
    if (str_skip(&s, STR("e")) || str_skip(&s, STR("E"))) {
        if (!str_skip(&s, STR("+")))
            str_skip(&s, STR("-"));
        if (!skip_digits(&s))
            return false;
    }
    return !s.len;
}

static bool skip_word(struct pull *p)
{
    struct str w = take_word(p);

    return is_number(w) || str_is(w, "true") || str_is(w, "false") || str_is(w, "null") || fail(p);
}

void pull_skip(struct pull *p)
{
    struct str key;

    if (pull_map(p)) {
        while (pull_key(p, &key))
            pull_skip(p);
    } else if (pull_list(p)) {
        while (pull_item(p))
            pull_skip(p);
    } else if (next_is(p, '"')) {
        (void)take_string(p, NULL);
    } else {
        (void)skip_word(p);
    }
}

bool pull_text(struct pull *p, struct str *out)
{
    if (pull_kind(p) == NODE_STRING)
        return take_string(p, out);
    pull_skip(p);
    return false;
}

bool pull_number(struct pull *p, struct str *out)
{
    if (pull_kind(p) != NODE_NUMBER) {
        pull_skip(p);
        return false;
    }
    *out = take_word(p);
    return is_number(*out) || fail(p);
}

bool pull_bool(struct pull *p, bool *out)
{
    struct str w;

    if (pull_kind(p) != NODE_BOOL) {
        pull_skip(p);
        return false;
    }
    w = take_word(p);
    *out = str_is(w, "true");
    return *out || str_is(w, "false") || fail(p);
}

bool pull_done(struct pull *p)
{
    skip_blanks(p);
    return !p->bad && !p->rest.len && !p->depth;
}
