/* pkg/deb/debver.c - Debian versions: deb-version(7). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "debver.h"

struct parts {
    struct str epoch, upstream, revision;
};

static struct parts split(struct str v)
{
    struct parts p = {.upstream = v};

    str_cut(&p.upstream, STR(":"), &p.epoch);
    str_cut_last(&p.upstream, STR("-"), &p.revision);
    return p;
}

/* "~" sorts before the end of the text, the end before letters, letters before all else. */
static int char_order(struct str s)
{
    if (!s.len || c_digit(s.p[0]))
        return 0;
    if (s.p[0] == '~')
        return -1;
    return c_alpha(s.p[0]) ? (unsigned char)s.p[0] : (unsigned char)s.p[0] + 256;
}

static void skip(struct str *s, size_t n)
{
    *s = str_sub(*s, n, s->len);
}

/* Take the leading digits without their leading zeros. */
static struct str take_number(struct str *s)
{
    size_t n = 0;

    while (s->len && s->p[0] == '0')
        skip(s, 1);
    while (n < s->len && c_digit(s->p[n]))
        n++;
    struct str digits = str_sub(*s, 0, n);
    skip(s, n);
    return digits;
}

static int number_cmp(struct str a, struct str b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return str_cmp(a, b);
}

static bool starts_with_letters(struct str s)
{
    return s.len && !c_digit(s.p[0]);
}

static int part_cmp(struct str a, struct str b)
{
    while (a.len || b.len) {
        while (starts_with_letters(a) || starts_with_letters(b)) {
            int x = char_order(a), y = char_order(b);
            if (x != y)
                return x < y ? -1 : 1;
            /* Equal orders mean equal characters, or an end against a digit: then this loop ends.
             */
            skip(&a, 1);
            skip(&b, 1);
        }
        struct str x = take_number(&a), y = take_number(&b);
        int c = number_cmp(x, y);
        if (c)
            return c;
    }
    return 0;
}

int debver_cmp(struct str a, struct str b)
{
    struct parts x = split(a), y = split(b);
    int c = number_cmp(take_number(&x.epoch), take_number(&y.epoch));

    if (!c)
        c = part_cmp(x.upstream, y.upstream);
    if (!c)
        c = part_cmp(x.revision, y.revision);
    return c < 0 ? -1 : c > 0;
}

static bool only(struct str s, const char *extra)
{
    for (size_t i = 0; i < s.len; i++)
        if (!c_alnum(s.p[i]) && (!s.p[i] || !strchr(extra, s.p[i])))
            return false;
    return true;
}

bool debver_valid(struct str v)
{
    struct str epoch, revision;
    uint32_t number;

    if (str_cut(&v, STR(":"), &epoch) && (!str_u32(epoch, &number) || number > INT32_MAX))
        return false;
    if (str_cut_last(&v, STR("-"), &revision) && (!revision.len || !only(revision, "+.~")))
        return false;
    /* Policy asks for a digit in front; dpkg takes a few old versions without, with a warning. */
    return v.len && c_digit(v.p[0]) && only(v, "+.~-:");
}

bool debver_op_parse(enum debver_op *out, struct str text)
{
    static const struct {
        const char *text;
        enum debver_op op;
    } ops[] = {
        {"<<", DEBVER_LT}, {"<=", DEBVER_LE}, {"=", DEBVER_EQ}, {">=", DEBVER_GE},
        {">>", DEBVER_GT}, {"<", DEBVER_LE},  {">", DEBVER_GE}, /* Policy 7.1: the old forms */
    };

    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (str_is(text, ops[i].text)) {
            *out = ops[i].op;
            return true;
        }
    return false;
}

bool debver_satisfies(struct str have, enum debver_op op, struct str want)
{
    int c = op == DEBVER_ANY ? 0 : debver_cmp(have, want);

    switch (op) {
    case DEBVER_ANY:
        return true;
    case DEBVER_LT:
        return c < 0;
    case DEBVER_LE:
        return c <= 0;
    case DEBVER_EQ:
        return c == 0;
    case DEBVER_GE:
        return c >= 0;
    case DEBVER_GT:
        return c > 0;
    }
    return false;
}
