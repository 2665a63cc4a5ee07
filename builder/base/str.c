/* SPDX-License-Identifier: Apache-2.0 */
#include "str.h"

struct str str_of(const char *s)
{
    return (struct str){s, s ? strlen(s) : 0};
}

struct str str_sub(struct str s, size_t from, size_t len)
{
    if (from > s.len)
        from = s.len;
    if (len > s.len - from)
        len = s.len - from;
    return (struct str){s.p ? s.p + from : NULL, len};
}

char *str_dup(struct str s)
{
    return xstrndup(s.p ? s.p : "", s.len);
}

bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (!a.len || memcmp(a.p, b.p, a.len) == 0);
}

bool str_is(struct str a, const char *b)
{
    return str_eq(a, str_of(b));
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (c_lower(a.p[i]) != c_lower(b.p[i]))
            return false;
    return true;
}

int str_cmp(struct str a, struct str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.p, b.p, n) : 0;

    return c ? c : (a.len > b.len) - (a.len < b.len);
}

bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_eq(str_sub(s, 0, prefix.len), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.len >= suffix.len && str_eq(str_sub(s, s.len - suffix.len, suffix.len), suffix);
}

bool str_has(struct str s, char c)
{
    return str_find(s, c) < s.len;
}

size_t str_find(struct str s, char c)
{
    const char *at = s.len ? memchr(s.p, c, s.len) : NULL;

    return at ? (size_t)(at - s.p) : s.len;
}

size_t str_find_str(struct str s, struct str needle)
{
    const char *at = s.len && needle.len ? memmem(s.p, s.len, needle.p, needle.len) : NULL;

    if (!needle.len)
        return 0;
    return at ? (size_t)(at - s.p) : s.len;
}

struct str str_trim_left(struct str s)
{
    while (s.len && c_space(s.p[0]))
        s = str_sub(s, 1, s.len);
    return s;
}

struct str str_trim_right(struct str s)
{
    while (s.len && c_space(s.p[s.len - 1]))
        s.len--;
    return s;
}

struct str str_trim(struct str s)
{
    return str_trim_right(str_trim_left(s));
}

bool str_cut(struct str *s, struct str sep, struct str *head)
{
    size_t at = str_find_str(*s, sep);

    if (at == s->len)
        return false;
    *head = str_sub(*s, 0, at);
    *s = str_sub(*s, at + sep.len, s->len);
    return true;
}

bool str_cut_last(struct str *s, struct str sep, struct str *tail)
{
    for (size_t at = s->len; at-- > 0;) {
        if (!str_starts(str_sub(*s, at, s->len), sep))
            continue;
        *tail = str_sub(*s, at + sep.len, s->len);
        *s = str_sub(*s, 0, at);
        return true;
    }
    return false;
}

bool str_skip(struct str *s, struct str prefix)
{
    if (!str_starts(*s, prefix))
        return false;
    *s = str_sub(*s, prefix.len, s->len);
    return true;
}

bool str_drop(struct str *s, struct str suffix)
{
    if (!str_ends(*s, suffix))
        return false;
    s->len -= suffix.len;
    return true;
}

bool str_line(struct str *s, struct str *line)
{
    size_t at;

    if (!s->len)
        return false;
    at = str_find(*s, '\n');
    *line = str_sub(*s, 0, at);
    *s = str_sub(*s, at < s->len ? at + 1 : at, s->len);
    str_drop(line, STR("\r"));
    return true;
}

bool str_word(struct str *s, struct str *word)
{
    size_t n = 0;

    *s = str_trim_left(*s);
    while (n < s->len && !c_space(s->p[n]))
        n++;
    *word = str_sub(*s, 0, n);
    *s = str_sub(*s, n, s->len);
    return n > 0;
}

bool str_item(struct str *s, char sep, struct str *item)
{
    size_t at;

    if (!s->p)
        return false;
    at = str_find(*s, sep);
    *item = str_sub(*s, 0, at);
    *s = at < s->len ? str_sub(*s, at + 1, s->len) : (struct str){0};
    return true;
}

bool str_u64(struct str s, uint64_t *out)
{
    uint64_t n = 0;

    if (!s.len)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!c_digit(s.p[i]) || __builtin_mul_overflow(n, 10u, &n) ||
            __builtin_add_overflow(n, (uint64_t)(s.p[i] - '0'), &n))
            return false;
    }
    *out = n;
    return true;
}

bool str_u32(struct str s, uint32_t *out)
{
    uint64_t n;

    if (!str_u64(s, &n) || n > UINT32_MAX)
        return false;
    *out = (uint32_t)n;
    return true;
}

bool str_octal(struct str s, uint32_t *out)
{
    uint32_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '7' || n > UINT32_MAX / 8)
            return false;
        n = n * 8 + (uint32_t)(s.p[i] - '0');
    }
    *out = n;
    return s.len > 0;
}

bool c_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool c_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool c_alnum(char c)
{
    return c_digit(c) || c_alpha(c);
}

bool c_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

char c_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

unsigned str_distance(struct str a, struct str b, unsigned cap)
{
    unsigned row[65];

    if (a.len > 64 || b.len > 64)
        return cap + 1;
    for (unsigned j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        unsigned diagonal = row[0];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b.len; j++) {
            unsigned best = diagonal + (c_lower(a.p[i - 1]) != c_lower(b.p[j - 1]));

            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b.len] <= cap ? row[b.len] : cap + 1;
}

int strp_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int str_compare(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}
