/* SPDX-License-Identifier: Apache-2.0 */
#include "pull.h"

#include "../base/utf8.h"

enum { PULL_DEPTH = 64 };

static bool fail_at(struct pull *p, size_t at, const char *fault)
{
    if (!p->fault) {
        p->fault = fault;
        p->fault_at = at;
    }
    p->rest = (struct str){0};
    return false;
}

static size_t offset(const struct pull *p)
{
    return p->text.len - p->rest.len;
}

static bool fail(struct pull *p, const char *fault)
{
    return fail_at(p, offset(p), p->rest.len ? fault : "the text ends too early");
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
    size_t valid = utf8_valid(text);

    *p = (struct pull){.text = text, .rest = text, .arena = a};
    if (valid < text.len)
        fail_at(p, valid, "a byte that is not UTF-8");
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
        return fail_at(p, offset(p) - 1, "lists and maps are nested deeper than 64 levels");
    p->fresh = true;
    return true;
}

/* Whether another member follows; else what closes is taken. */
static bool more(struct pull *p, char closing)
{
    bool fresh = p->fresh;

    p->fresh = false;
    if (p->fault)
        return false;
    if (take(p, closing)) {
        p->depth--;
        return false;
    }
    return fresh || take(p, ',') ||
           fail(p, closing == '}' ? "a comma or \"}\" is missing" : "a comma or \"]\" is missing");
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
    return more(p, ']') && ((skip_blanks(p), p->rest.len > 0) || fail(p, NULL));
}

/* The length of a string up to what ends it: its quote, or what must not stand in it. *escapes
 * tells of any. */
static size_t string_length(struct str s, bool *escapes)
{
    *escapes = false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c == '"' || c < ' ')
            return i;
        if (c == '\\') {
            *escapes = true;
            i++;
        }
    }
    return s.len;
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

/* *s becomes what follows the last good one. */
static bool unescape(struct buf *out, struct str *s)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

    while (s->len) {
        size_t plain = str_find(*s, '\\');
        struct str next;
        const char *at;
        char c;

        buf_add(out, s->p, plain);
        *s = str_sub(*s, plain, s->len);
        if (!s->len)
            break;
        c = s->len > 1 ? s->p[1] : 0;
        next = str_sub(*s, 2, s->len);
        at = c ? strchr(from, c) : NULL;
        if (at)
            buf_putc(out, to[at - from]);
        else if (c != 'u' || !unescape_unicode(out, &next))
            return false;
        *s = next;
    }
    return true;
}

/* A string; `out` may be NULL. */
static bool take_string(struct pull *p, struct str *out)
{
    CLEANUP(buf_clear) struct buf plain = {0};
    struct str raw, left;
    bool escapes;
    size_t n;

    if (!take(p, '"'))
        return fail(p, "a key in double quotes is missing");
    n = string_length(p->rest, &escapes);
    raw = left = str_sub(p->rest, 0, n);
    if (n == p->rest.len || p->rest.p[n] != '"') {
        advance(p, n);
        return fail(p, "a control character in a text, which must be escaped");
    }
    if (escapes && !unescape(&plain, &left)) {
        advance(p, n - left.len);
        return fail(p, "not a valid escape");
    }
    advance(p, n + 1);
    if (out)
        *out = escapes ? arena_str(p->arena, buf_view(&plain)) : raw;
    return true;
}

bool pull_key(struct pull *p, struct str *key)
{
    if (!more(p, '}'))
        return false;
    skip_blanks(p);
    p->key_at = offset(p);
    return take_string(p, key) && (take(p, ':') || fail(p, "\":\" is missing"));
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

static bool skip_digits(struct str *s)
{
    size_t n = 0;

    while (n < s->len && c_digit(s->p[n]))
        n++;
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

static bool fail_word(struct pull *p, struct str word)
{
    return fail_at(p, offset(p) - word.len,
                   word.len || p->rest.len ? "not a valid value" : "the text ends too early");
}

static bool skip_word(struct pull *p)
{
    struct str w = take_word(p);

    return is_number(w) || str_is(w, "true") || str_is(w, "false") || str_is(w, "null") ||
           fail_word(p, w);
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
    return is_number(*out) || fail_word(p, *out);
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
    return *out || str_is(w, "false") || fail_word(p, w);
}

static struct pos place(struct pull *p, size_t at, const char *file)
{
    for (; p->mark.at < at; p->mark.at++) {
        unsigned char c = (unsigned char)p->text.p[p->mark.at];

        if (c == '\n') {
            p->mark.line++;
            p->mark.col = 0;
        } else {
            p->mark.col += (c & 0xc0) != 0x80; /* all but what continues a character */
        }
    }
    return (struct pos){file, p->mark.line + 1, p->mark.col + 1};
}

struct pos pull_pos(struct pull *p, const char *file)
{
    skip_blanks(p);
    return place(p, p->fault ? 0 : offset(p), file);
}

struct pos pull_key_pos(struct pull *p, const char *file)
{
    return place(p, p->fault ? 0 : p->key_at, file);
}

void pull_refuse(struct pull *p, const char *fault)
{
    fail_at(p, p->mark.at, fault);
}

bool pull_done(struct pull *p)
{
    skip_blanks(p);
    if (p->rest.len)
        fail(p, "text after the end");
    return !p->fault && !p->depth;
}

int pull_end(struct pull *p, const char *file, struct err *e)
{
    struct pos pos;

    if (pull_done(p))
        return 0;
    pos = place(p, p->fault_at, file);
    return err_at(e, &pos, "no valid JSON: %s", p->fault);
}
