/* SPDX-License-Identifier: Apache-2.0 */
#include "toml_parts.h"

#include "../base/date.h"
#include "../base/utf8.h"

/* ---- strings ---- */

/* How a string that has just begun is written. */
struct quoting {
    struct str end;     /* one quote, or three */
    const char *opened; /* where it began */
    bool escapes, lines;
};

static struct quoting begin_string(struct toml *t, bool key)
{
    struct quoting q = {.opened = t->rest.p, .escapes = t->rest.p[0] == '"'};
    struct str three = q.escapes ? STR("\"\"\"") : STR("'''");

    q.lines = !key && str_starts(t->rest, three);
    q.end = str_sub(three, 0, q.lines ? 3 : 1);
    str_skip(&t->rest, q.end);
    if (q.lines)
        toml_line_end(&t->rest); /* the first does not count */
    return q;
}

static int read_code(struct toml *t, const char *at, size_t digits)
{
    struct str hex = str_sub(t->rest, 0, digits);
    uint32_t code = 0;

    for (size_t i = 0; i < digits; i++) {
        static const char all[] = "0123456789abcdef";
        const char *found = i < hex.len ? memchr(all, c_lower(hex.p[i]), 16) : NULL;

        if (!found)
            return toml_fault(t, at, "an escape of %zu hex digits begins here and has fewer",
                              digits);
        code = code << 4 | (uint32_t)(found - all);
    }
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return toml_fault(t, at, "U+%04X is no character", (unsigned)code);
    utf8_put(&t->made, code);
    t->rest = str_sub(t->rest, digits, t->rest.len);
    return 0;
}

/* "\" before the end of a line: all white space up to the next character goes. */
static bool joins_lines(struct toml *t)
{
    struct str rest = t->rest;

    toml_skip_blanks(&rest);
    if (!toml_line_end(&rest))
        return false;
    do
        toml_skip_blanks(&rest);
    while (toml_line_end(&rest));
    t->rest = rest;
    return true;
}

static int read_escape(struct toml *t, const struct quoting *q)
{
    static const char names[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
    const char *at = t->rest.p - 1, *found;
    char c = t->rest.len ? t->rest.p[0] : 0;

    if (q->lines && joins_lines(t))
        return 0;
    t->rest = str_sub(t->rest, 1, t->rest.len);
    if (c == 'u' || c == 'U')
        return read_code(t, at, c == 'u' ? 4 : 8);
    found = c ? strchr(names, c) : NULL;
    if (!found)
        return toml_fault(t, at,
                          "\"\\\" stands before b, t, n, f, r, u, U, a quote or another \"\\\"; "
                          "text in single quotes has no escapes");
    buf_putc(&t->made, values[found - names]);
    return 0;
}

/* Up to two quotes may stand before the three that end a text of several lines. */
static bool ends(struct toml *t, const struct quoting *q)
{
    struct str rest = t->rest;

    if (!str_skip(&rest, q->end))
        return false;
    for (int i = 0; q->lines && i < 2 && str_starts(rest, str_sub(q->end, 0, 1)); i++) {
        buf_putc(&t->made, rest.p[0]);
        rest = str_sub(rest, 1, rest.len);
    }
    t->rest = rest;
    return true;
}

int toml_string(struct toml *t, bool key, struct str *out)
{
    struct quoting q = begin_string(t, key);
    bool closed;

    buf_reset(&t->made);
    while (!(closed = ends(t, &q)) && t->rest.len) {
        const char *at = t->rest.p;
        bool end = toml_line_end(&t->rest);

        if (end && !q.lines)
            break;
        if (end) {
            buf_putc(&t->made, '\n');
        } else if (q.escapes && str_skip(&t->rest, STR("\\"))) {
            if (read_escape(t, &q) < 0)
                return -1;
        } else if (toml_is_control(*at)) {
            return toml_fault(t, at, "a control character (0x%02x), which no TOML text has",
                              (unsigned)(unsigned char)*at);
        } else {
            buf_putc(&t->made, *at);
            t->rest = str_sub(t->rest, 1, t->rest.len);
        }
    }
    if (!closed)
        return toml_fault(t, q.opened, "a quote opens here and is never closed%s",
                          q.lines || key ? ""
                                         : "; text of several lines stands between three quotes");
    *out = arena_str(&t->doc->arena, buf_view(&t->made));
    return 0;
}

/* ---- numbers ---- */

static bool is_digit(char c, unsigned base)
{
    c = c_lower(c);
    return base == 16 ? c_digit(c) || (c >= 'a' && c <= 'f')
                      : c >= '0' && (unsigned)(c - '0') < base;
}

/* The digits at the front to `out`, without the "_" between two of them; how many there were. */
static size_t take_digits(struct str *s, unsigned base, struct buf *out)
{
    size_t before = out->len, i;

    for (i = 0; i < s->len; i++)
        if (is_digit(s->p[i], base))
            buf_putc(out, s->p[i]);
        else if (s->p[i] != '_' || !i || !is_digit(s->p[i - 1], base) || i + 1 == s->len ||
                 !is_digit(s->p[i + 1], base))
            break;
    *s = str_sub(*s, i, s->len);
    return out->len - before;
}

/* 0xdead_beef, 0o755, 0b1010 to `out` in decimal; false when it is none, or beyond 63 bits. */
static bool based_number(struct str s, struct buf *out)
{
    unsigned base = str_skip(&s, STR("0x"))   ? 16
                    : str_skip(&s, STR("0o")) ? 8
                    : str_skip(&s, STR("0b")) ? 2
                                              : 0;
    CLEANUP(buf_clear) struct buf digits = {0};
    uint64_t value = 0;

    if (!base || !take_digits(&s, base, &digits) || s.len)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        char c = c_lower(digits.p[i]);

        if (value > INT64_MAX / base)
            return false;
        value = value * base + (uint64_t)(c_digit(c) ? c - '0' : c - 'a' + 10);
    }
    buf_fmt(out, "%llu", (unsigned long long)value);
    return value <= INT64_MAX;
}

/* Behind the sign: digits, and a fraction or an exponent or both; *whole: neither. */
static bool decimal_number(struct str s, struct buf *out, bool *whole)
{
    size_t before = out->len;

    *whole = true;
    if (!take_digits(&s, 10, out) || (out->p[before] == '0' && out->len > before + 1))
        return false;
    if (str_skip(&s, STR("."))) {
        *whole = false;
        buf_putc(out, '.');
        if (!take_digits(&s, 10, out))
            return false;
    }
    if (str_skip(&s, STR("e")) || str_skip(&s, STR("E"))) {
        *whole = false;
        buf_putc(out, 'e');
        if (str_skip(&s, STR("-")))
            buf_putc(out, '-');
        else
            str_skip(&s, STR("+"));
        if (!take_digits(&s, 10, out))
            return false;
    }
    return !s.len;
}

/* What JSON would write to `out`. */
static bool number(struct str s, struct buf *out)
{
    bool minus = str_skip(&s, STR("-")), sign = minus || str_skip(&s, STR("+")), whole;
    uint64_t value;

    buf_puts(out, minus ? "-" : "");
    if (str_is(s, "inf") || str_is(s, "nan")) {
        buf_str(out, s);
        return true;
    }
    if (!sign && based_number(s, out))
        return true;
    buf_reset(out);
    buf_puts(out, minus ? "-" : "");
    if (!decimal_number(s, out, &whole))
        return false;
    return !whole || (str_u64(str_sub(buf_view(out), minus, out->len), &value) &&
                      value <= (uint64_t)INT64_MAX + minus);
}

/* ---- dates and times ---- */

static bool take_number(struct str *s, size_t digits, unsigned *out)
{
    uint32_t n;

    if (s->len < digits || !str_u32(str_sub(*s, 0, digits), &n))
        return false;
    *out = n;
    *s = str_sub(*s, digits, s->len);
    return true;
}

static bool take_day(struct str *s, struct date *d)
{
    unsigned year;
    bool taken = take_number(s, 4, &year) && str_skip(s, STR("-")) &&
                 take_number(s, 2, &d->month) && str_skip(s, STR("-")) &&
                 take_number(s, 2, &d->day);

    d->year = taken ? year : 0;
    return taken;
}

static bool take_clock(struct str *s, struct date *d)
{
    if (!take_number(s, 2, &d->hour) || !str_skip(s, STR(":")) || !take_number(s, 2, &d->minute) ||
        !str_skip(s, STR(":")) || !take_number(s, 2, &d->second))
        return false;
    if (!str_skip(s, STR(".")))
        return true;
    if (!s->len || !c_digit(s->p[0]))
        return false;
    while (s->len && c_digit(s->p[0]))
        *s = str_sub(*s, 1, s->len);
    return true;
}

/* Nothing, "Z" or "+01:00". */
static bool is_offset(struct str s)
{
    unsigned hours, minutes;

    if (!s.len || str_eq_nocase(s, STR("z")))
        return true;
    return (str_skip(&s, STR("+")) || str_skip(&s, STR("-"))) && take_number(&s, 2, &hours) &&
           str_skip(&s, STR(":")) && take_number(&s, 2, &minutes) && !s.len && hours < 24 &&
           minutes < 60;
}

/* RFC 3339, or only its day, only its time, or both without an offset. */
static bool is_moment(struct str s)
{
    struct date d = {.year = 1970, .month = 1, .day = 1};

    if (s.len > 2 && s.p[2] == ':')
        return take_clock(&s, &d) && !s.len && date_is_valid(&d);
    if (!take_day(&s, &d))
        return false;
    if (!s.len)
        return date_is_valid(&d);
    return (str_skip(&s, STR("T")) || str_skip(&s, STR("t")) || str_skip(&s, STR(" "))) &&
           take_clock(&s, &d) && is_offset(s) && date_is_valid(&d);
}

static bool looks_like_moment(struct str s)
{
    return (s.len > 2 && s.p[2] == ':') || (s.len > 4 && s.p[4] == '-' && c_digit(s.p[0]));
}

/* ---- what has no quotes ---- */

/* Up to white space or what ends a value; a blank between day and time belongs to both. */
static struct str take_word(struct toml *t)
{
    struct str s = t->rest;
    size_t n = 0;

    while (n < s.len && !str_has(STR(" \t\r\n,]}#="), s.p[n]))
        n++;
    if (n == strlen("1979-05-27") && looks_like_moment(s) && n + 1 < s.len && s.p[n] == ' ' &&
        c_digit(s.p[n + 1]))
        for (n++; n < s.len && !str_has(STR(" \t\r\n,]}#="), s.p[n]);)
            n++;
    t->rest = str_sub(s, n, s.len);
    return str_sub(s, 0, n);
}

int toml_scalar(struct toml *t, struct node *n)
{
    struct str word = take_word(t);

    n->kind = NODE_STRING;
    if (str_is(word, "true") || str_is(word, "false")) {
        n->kind = NODE_BOOL;
        n->boolean = str_is(word, "true");
    } else if (looks_like_moment(word)) {
        if (!is_moment(word))
            return toml_fault(t, word.p,
                              "\"" STR_FMT "\" is no date or time, as 1979-05-27, "
                              "07:32:00 or 1979-05-27T07:32:00Z are",
                              STR_ARG(word));
    } else {
        buf_reset(&t->made);
        if (!word.len)
            return toml_fault(t, word.p, "a value is missing here");
        if (!number(word, &t->made))
            return toml_fault(t, word.p, "\"" STR_FMT "\" is no value; text stands in quotes",
                              STR_ARG(word));
        word = buf_view(&t->made);
        if (!str_ends(word, STR("inf")) && !str_ends(word, STR("nan")))
            n->kind = NODE_NUMBER;
    }
    n->text = arena_str(&t->doc->arena, word);
    return 0;
}
