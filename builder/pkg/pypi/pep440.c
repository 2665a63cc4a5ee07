/* SPDX-License-Identifier: Apache-2.0 */
#include "pep440.h"

static bool is_separator(char c)
{
    return c == '-' || c == '_' || c == '.';
}

/* The length of the run of digits at the front. */
static size_t digits(struct str s)
{
    size_t n = 0;

    while (n < s.len && c_digit(s.p[n]))
        n++;
    return n;
}

/* Take the digits at the front; false when there is none or they overflow. */
static bool take_number(struct str *s, uint64_t *out)
{
    size_t n = digits(*s);

    if (!str_u64(str_sub(*s, 0, n), out))
        return false;
    *s = str_sub(*s, n, s->len);
    return true;
}

/* Take one of `words`, in any case. The list has longer words before their prefixes. */
static bool take_word(struct str *s, const char *const *words, size_t n, size_t *which)
{
    for (size_t i = 0; i < n; i++) {
        struct str word = str_of(words[i]);

        if (!str_eq_nocase(str_sub(*s, 0, word.len), word))
            continue;
        *s = str_sub(*s, word.len, s->len);
        *which = i;
        return true;
    }
    return false;
}

/* Take "[sep]word[sep][number]"; a missing number is 0. *found says whether it was there; false
 * when the number is too large. */
static bool take_segment(struct str *s, const char *const *words, size_t n, size_t *which,
                         uint64_t *number, bool *found)
{
    struct str rest = *s;

    if (rest.len && is_separator(rest.p[0]))
        rest = str_sub(rest, 1, rest.len);
    *found = take_word(&rest, words, n, which);
    if (!*found)
        return true;
    if (rest.len && is_separator(rest.p[0]))
        rest = str_sub(rest, 1, rest.len);
    *number = 0;
    if (digits(rest) && !take_number(&rest, number))
        return false;
    *s = rest;
    return true;
}

static bool take_epoch(struct str *s, uint64_t *epoch)
{
    size_t n = digits(*s);

    *epoch = 0;
    if (!n || n >= s->len || s->p[n] != '!')
        return true;
    if (!take_number(s, epoch))
        return false;
    *s = str_sub(*s, 1, s->len);
    return true;
}

static bool take_release(struct pep440 *v, struct str *s)
{
    do {
        if (v->release_n == PEP440_RELEASE_MAX || !take_number(s, &v->release[v->release_n]))
            return false;
        v->release_n++;
    } while (s->len > 1 && s->p[0] == '.' && c_digit(s->p[1]) && str_skip(s, STR(".")));
    return true;
}

static bool take_pre(struct pep440 *v, struct str *s)
{
    static const char *const words[] = {"alpha", "a", "beta", "b", "preview", "pre", "c", "rc"};
    static const char letters[] = "aabbrrrr";
    size_t which;
    bool found;

    if (!take_segment(s, words, ARRAY_LEN(words), &which, &v->pre_n, &found))
        return false;
    if (found)
        v->pre = letters[which];
    return true;
}

static bool take_post(struct pep440 *v, struct str *s)
{
    static const char *const words[] = {"post", "rev", "r"};
    size_t which;

    if (s->len > 1 && s->p[0] == '-' && c_digit(s->p[1])) { /* "1.0-1" is 1.0.post1 */
        str_skip(s, STR("-"));
        v->has_post = true;
        return take_number(s, &v->post_n);
    }
    return take_segment(s, words, ARRAY_LEN(words), &which, &v->post_n, &v->has_post);
}

static bool take_dev(struct pep440 *v, struct str *s)
{
    static const char *const words[] = {"dev"};
    size_t which;

    return take_segment(s, words, 1, &which, &v->dev_n, &v->has_dev);
}

static bool take_local(struct pep440 *v, struct str *s)
{
    if (!str_skip(s, STR("+")))
        return true;
    do {
        size_t n = 0;

        while (n < s->len && c_alnum(s->p[n]))
            n++;
        if (!n || v->local_n == PEP440_LOCAL_MAX)
            return false;
        v->local[v->local_n++] = str_sub(*s, 0, n);
        *s = str_sub(*s, n, s->len);
    } while (s->len && is_separator(s->p[0]) && (*s = str_sub(*s, 1, s->len), true));
    return true;
}

bool pep440_parse(struct pep440 *out, struct str text)
{
    struct pep440 v = {.text = str_trim(text)};
    struct str s = v.text;

    if (s.len && c_lower(s.p[0]) == 'v')
        s = str_sub(s, 1, s.len);
    if (!take_epoch(&s, &v.epoch) || !take_release(&v, &s) || !take_pre(&v, &s) ||
        !take_post(&v, &s) || !take_dev(&v, &s) || !take_local(&v, &s) || s.len)
        return false;
    *out = v;
    return true;
}

static int cmp_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int cmp_release(const struct pep440 *a, const struct pep440 *b)
{
    unsigned n = a->release_n > b->release_n ? a->release_n : b->release_n;
    int c = 0;

    for (unsigned i = 0; i < n && !c; i++)
        c = cmp_u64(i < a->release_n ? a->release[i] : 0, i < b->release_n ? b->release[i] : 0);
    return c;
}

/* Where a version's pre-release part sorts: a dev-release alone is before all pre-releases, a
 * version without one is behind them. */
static int pre_rank(const struct pep440 *v)
{
    if (v->pre)
        return v->pre;
    return v->has_dev && !v->has_post ? 0 : 'z';
}

static bool is_number(struct str s)
{
    return digits(s) == s.len;
}

static struct str without_zeros(struct str s)
{
    while (s.len > 1 && s.p[0] == '0')
        s = str_sub(s, 1, s.len);
    return s;
}

static int cmp_nocase(struct str a, struct str b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        int c = c_lower(a.p[i]) - c_lower(b.p[i]);

        if (c)
            return c;
    }
    return (a.len > b.len) - (a.len < b.len);
}

static int cmp_local_part(struct str a, struct str b)
{
    if (is_number(a) != is_number(b))
        return is_number(a) ? 1 : -1;
    if (!is_number(a))
        return cmp_nocase(a, b);
    a = without_zeros(a);
    b = without_zeros(b);
    return a.len != b.len ? (a.len > b.len) - (a.len < b.len) : str_cmp(a, b);
}

static int cmp_local(const struct pep440 *a, const struct pep440 *b)
{
    for (unsigned i = 0; i < a->local_n && i < b->local_n; i++) {
        int c = cmp_local_part(a->local[i], b->local[i]);

        if (c)
            return c;
    }
    return (a->local_n > b->local_n) - (a->local_n < b->local_n);
}

/* The order without local parts. */
static int cmp_public(const struct pep440 *a, const struct pep440 *b)
{
    int c = cmp_u64(a->epoch, b->epoch);

    if (!c)
        c = cmp_release(a, b);
    if (!c)
        c = pre_rank(a) - pre_rank(b);
    if (!c && a->pre)
        c = cmp_u64(a->pre_n, b->pre_n);
    if (!c)
        c = a->has_post - b->has_post;
    if (!c && a->has_post)
        c = cmp_u64(a->post_n, b->post_n);
    if (!c)
        c = b->has_dev - a->has_dev;
    if (!c && a->has_dev)
        c = cmp_u64(a->dev_n, b->dev_n);
    return c;
}

int pep440_cmp(const struct pep440 *a, const struct pep440 *b)
{
    int c = cmp_public(a, b);

    return c ? c : cmp_local(a, b);
}

bool pep440_is_pre(const struct pep440 *v)
{
    return v->pre || v->has_dev;
}

static void print_local(struct buf *out, const struct pep440 *v)
{
    for (unsigned i = 0; i < v->local_n; i++) {
        struct str part = v->local[i];

        buf_putc(out, i ? '.' : '+');
        if (is_number(part))
            part = without_zeros(part);
        for (size_t j = 0; j < part.len; j++)
            buf_putc(out, c_lower(part.p[j]));
    }
}

void pep440_print(struct buf *out, const struct pep440 *v)
{
    if (v->epoch)
        buf_fmt(out, "%llu!", (unsigned long long)v->epoch);
    for (unsigned i = 0; i < v->release_n; i++)
        buf_fmt(out, "%s%llu", i ? "." : "", (unsigned long long)v->release[i]);
    if (v->pre) {
        buf_puts(out, v->pre == 'r' ? "rc" : v->pre == 'a' ? "a" : "b");
        buf_fmt(out, "%llu", (unsigned long long)v->pre_n);
    }
    if (v->has_post)
        buf_fmt(out, ".post%llu", (unsigned long long)v->post_n);
    if (v->has_dev)
        buf_fmt(out, ".dev%llu", (unsigned long long)v->dev_n);
    print_local(out, v);
}

static const struct {
    struct str text;
    enum pep440_op op;
} ops[] = {
    /* Longer ones before their prefixes. */
    {STR_INIT("==="), OP_ARBITRARY}, {STR_INIT("=="), OP_EQ}, {STR_INIT("!="), OP_NE},
    {STR_INIT("~="), OP_COMPATIBLE}, {STR_INIT("<="), OP_LE}, {STR_INIT(">="), OP_GE},
    {STR_INIT("<"), OP_LT},          {STR_INIT(">"), OP_GT},
};

static struct str op_text(enum pep440_op op)
{
    for (size_t i = 0; i < ARRAY_LEN(ops); i++)
        if (ops[i].op == op)
            return ops[i].text;
    return STR("");
}

static bool has_space(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (c_space(s.p[i]))
            return true;
    return false;
}

static bool is_bare_release(const struct pep440 *v)
{
    return !v->pre && !v->has_post && !v->has_dev && !v->local_n;
}

static bool parse_arbitrary(struct specifier *out)
{
    if (has_space(out->text) || str_has(out->text, ';') || str_has(out->text, ')'))
        return false;
    if (!pep440_parse(&out->version, out->text))
        out->version = (struct pep440){0}; /* release_n 0: only its text counts */
    return true;
}

static bool specifier_parse(struct specifier *out, struct str text)
{
    struct specifier s = {0};
    struct str version;
    size_t i = 0;

    while (i < ARRAY_LEN(ops) && !str_skip(&text, ops[i].text))
        i++;
    if (i == ARRAY_LEN(ops))
        return false;
    s.op = ops[i].op;
    s.text = version = str_trim(text);
    if (s.op == OP_ARBITRARY) {
        if (!parse_arbitrary(&s))
            return false;
        *out = s;
        return true;
    }
    if (s.op == OP_EQ || s.op == OP_NE)
        s.prefix = str_drop(&version, STR(".*"));
    if (!pep440_parse(&s.version, version) || has_space(version) ||
        (s.prefix && !is_bare_release(&s.version)) ||
        (s.version.local_n && s.op != OP_EQ && s.op != OP_NE) ||
        (s.op == OP_COMPATIBLE && s.version.release_n < 2))
        return false;
    *out = s;
    return true;
}

bool specifiers_parse(struct specifiers *out, struct str text, struct str *bad)
{
    struct specifiers set = {0};
    struct str part;

    while (str_item(&text, ',', &part)) {
        part = str_trim(part);
        if (!part.len || specifier_parse(vec_push(&set), part))
            continue;
        *bad = part;
        specifiers_clear(&set);
        return false;
    }
    MOVE(out, &set);
    return true;
}

void specifiers_clear(struct specifiers *s)
{
    vec_clear(s);
}

void specifiers_print(struct buf *out, const struct specifiers *set)
{
    const struct specifier *s;

    vec_each(s, set) {
        if (s != set->v)
            buf_putc(out, ',');
        buf_str(out, op_text(s->op));
        buf_str(out, s->text);
    }
}

/* Whether the release of `v`, padded with zeros, begins with the first `n` numbers of `prefix`. */
static bool has_prefix(const struct pep440 *v, const struct pep440 *prefix, unsigned n)
{
    if (v->epoch != prefix->epoch)
        return false;
    for (unsigned i = 0; i < n; i++)
        if ((i < v->release_n ? v->release[i] : 0) != prefix->release[i])
            return false;
    return true;
}

/* "<V" leaves out the pre-releases of V itself, unless V is one. */
static bool is_below(const struct pep440 *v, const struct pep440 *limit)
{
    struct pep440 bound = *limit;

    if (!pep440_is_pre(limit)) {
        bound.has_dev = true;
        bound.dev_n = 0;
    }
    return pep440_cmp(v, &bound) < 0;
}

/* ">V" leaves out V's own local versions and, unless V is one, its post-releases. */
static bool is_above(const struct pep440 *v, const struct pep440 *limit)
{
    bool same = v->epoch == limit->epoch && !cmp_release(v, limit) && v->pre == limit->pre &&
                (!v->pre || v->pre_n == limit->pre_n);

    if (cmp_public(v, limit) <= 0)
        return false;
    return limit->has_post || limit->has_dev || !same;
}

static bool is_equal(const struct specifier *s, const struct pep440 *v)
{
    if (s->prefix)
        return has_prefix(v, &s->version, s->version.release_n);
    return s->version.local_n ? pep440_cmp(v, &s->version) == 0 : cmp_public(v, &s->version) == 0;
}

static bool is_same_text(const struct specifier *s, const struct pep440 *v)
{
    CLEANUP(buf_clear) struct buf b = {0};

    pep440_print(&b, v);
    return str_eq_nocase(buf_view(&b), s->text);
}

bool specifier_matches(const struct specifier *s, const struct pep440 *v)
{
    switch (s->op) {
    case OP_EQ:
        return is_equal(s, v);
    case OP_NE:
        return !is_equal(s, v);
    case OP_LE:
        return cmp_public(v, &s->version) <= 0;
    case OP_GE:
        return pep440_cmp(v, &s->version) >= 0;
    case OP_LT:
        return is_below(v, &s->version);
    case OP_GT:
        return is_above(v, &s->version);
    case OP_COMPATIBLE:
        return pep440_cmp(v, &s->version) >= 0 &&
               has_prefix(v, &s->version, s->version.release_n - 1);
    case OP_ARBITRARY:
        return is_same_text(s, v);
    }
    return false;
}

bool specifiers_match(const struct specifiers *set, const struct pep440 *v)
{
    const struct specifier *s;

    vec_each(s, set)
        if (!specifier_matches(s, v))
            return false;
    return true;
}

bool specifiers_want_pre(const struct specifiers *set)
{
    const struct specifier *s;

    vec_each(s, set)
        if (s->op != OP_NE && !s->prefix && pep440_is_pre(&s->version))
            return true;
    return false;
}
