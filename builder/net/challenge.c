/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge.h"

static bool is_token(char c)
{
    return c_alnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static struct str take_token(struct str *rest)
{
    size_t n = 0;
    struct str token;

    while (n < rest->len && is_token(rest->p[n]))
        n++;
    token = str_sub(*rest, 0, n);
    *rest = str_sub(*rest, n, rest->len);
    return token;
}

static void skip(struct str *rest, const char *these)
{
    size_t n = 0;

    while (n < rest->len && rest->p[n] && strchr(these, rest->p[n]))
        n++;
    *rest = str_sub(*rest, n, rest->len);
}

static struct str lower(struct arena *a, struct str s)
{
    char *text = arena_cstr(a, s);

    for (size_t i = 0; i < s.len; i++)
        text[i] = c_lower(text[i]);
    return (struct str){text, s.len};
}

/* Behind the opening quote. */
static bool take_quoted(struct str *out, struct str *rest, struct arena *a)
{
    CLEANUP(buf_clear) struct buf text = {0};
    size_t i = 0;

    for (; i < rest->len && rest->p[i] != '"'; i++) {
        if (rest->p[i] == '\\' && ++i == rest->len)
            return false;
        if ((unsigned char)rest->p[i] < ' ' && rest->p[i] != '\t')
            return false;
        buf_putc(&text, rest->p[i]);
    }
    if (i == rest->len)
        return false;
    *rest = str_sub(*rest, i + 1, rest->len);
    *out = arena_str(a, buf_view(&text));
    return true;
}

/* Behind the "=". */
static bool take_value(struct challenge *c, struct str name, struct str *rest, struct arena *a)
{
    struct challenge_value v = {.name = lower(a, name)};
    struct challenge_value *had;

    skip(rest, " \t");
    if (str_skip(rest, STR("\""))) {
        if (!take_quoted(&v.text, rest, a))
            return false;
    } else {
        v.text = arena_str(a, take_token(rest));
        if (!v.text.len)
            return false;
    }
    vec_each(had, &c->values)
        if (str_eq(had->name, v.name))
            return true;
    vec_add(&c->values, v);
    return true;
}

/* "abc==", up to the next comma: what some schemes have in place of parameters. */
static bool take_token68(struct challenge *c, struct str *rest, struct arena *a)
{
    size_t n = 0, end;

    while (n < rest->len && (c_alnum(rest->p[n]) || (rest->p[n] && strchr("-._~+/", rest->p[n]))))
        n++;
    for (end = n; end < rest->len && rest->p[end] == '=';)
        end++;
    if (!n || !(str_trim_left(str_sub(*rest, end, rest->len)).len == 0 ||
                str_starts(str_trim_left(str_sub(*rest, end, rest->len)), STR(","))))
        return false;
    c->token = arena_str(a, str_sub(*rest, 0, end));
    *rest = str_sub(*rest, end, rest->len);
    return true;
}

static bool take_item(struct challenges *all, struct str *rest)
{
    struct challenge *now = all->list.n ? &all->list.v[all->list.n - 1] : NULL;
    struct str word = take_token(rest), ahead = *rest;

    if (!word.len)
        return false;
    skip(&ahead, " \t");
    if (now && !now->token.len && str_skip(&ahead, STR("="))) {
        *rest = ahead;
        return take_value(now, word, rest, &all->arena);
    }
    now = vec_push(&all->list);
    now->scheme = lower(&all->arena, word);
    if (ahead.len == rest->len) /* no space behind the scheme: nothing belongs to it */
        return !ahead.len || ahead.p[0] == ',';
    *rest = ahead;
    if (!rest->len || rest->p[0] == ',' || take_token68(now, rest, &all->arena))
        return true;
    word = take_token(rest);
    skip(rest, " \t");
    return word.len && str_skip(rest, STR("=")) && take_value(now, word, rest, &all->arena);
}

bool challenges_parse(struct challenges *out, struct str text)
{
    CLEANUP(challenges_clear) struct challenges all = {0};

    for (skip(&text, " \t,"); text.len; skip(&text, " \t,")) {
        if (!take_item(&all, &text))
            return false;
        skip(&text, " \t");
        if (text.len && text.p[0] != ',')
            return false;
    }
    MOVE(out, &all);
    return true;
}

void challenges_clear(struct challenges *c)
{
    for (size_t i = 0; i < c->list.n; i++)
        vec_clear(&c->list.v[i].values);
    vec_clear(&c->list);
    arena_clear(&c->arena);
}

const struct challenge *challenges_find(const struct challenges *c, const char *scheme)
{
    const struct challenge *one;

    vec_each(one, &c->list)
        if (str_is(one->scheme, scheme))
            return one;
    return NULL;
}

struct str challenge_get(const struct challenge *c, const char *name)
{
    const struct challenge_value *v;

    vec_each(v, &c->values)
        if (str_is(v->name, name))
            return v->text;
    return (struct str){0};
}

static void print_quoted(struct buf *out, struct str text)
{
    buf_putc(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] == '"' || text.p[i] == '\\')
            buf_putc(out, '\\');
        buf_putc(out, text.p[i]);
    }
    buf_putc(out, '"');
}

void challenges_print(struct buf *out, const struct challenges *c)
{
    const struct challenge *one;
    const struct challenge_value *v;

    vec_each(one, &c->list) {
        const char *between = " ";

        buf_fmt(out, "%s" STR_FMT, out->len ? ", " : "", STR_ARG(one->scheme));
        if (one->token.len)
            buf_fmt(out, " " STR_FMT, STR_ARG(one->token));
        vec_each(v, &one->values) {
            buf_fmt(out, "%s" STR_FMT "=", between, STR_ARG(v->name));
            print_quoted(out, v->text);
            between = ", ";
        }
    }
}
