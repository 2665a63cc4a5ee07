/* SPDX-License-Identifier: Apache-2.0 */
#include "pep508.h"

/* Letters, digits, "-_.", beginning with a letter or digit and not ending in "-" or ".". */
static struct str take_identifier(struct reader *r)
{
    struct str s = r->rest, id;
    size_t n = 0;

    if (!s.len || !c_alnum(s.p[0]))
        return (struct str){0};
    while (n < s.len && (reader_is_word(s.p[n]) || s.p[n] == '-' || s.p[n] == '.'))
        n++;
    while (!reader_is_word(s.p[n - 1]))
        n--;
    id = str_sub(s, 0, n);
    r->rest = str_sub(s, n, s.len);
    return id;
}

void pep503_normalise(struct buf *out, struct str name)
{
    bool run = false;

    for (size_t i = 0; i < name.len; i++) {
        bool separator = name.p[i] == '-' || name.p[i] == '_' || name.p[i] == '.';

        if (!separator)
            buf_putc(out, c_lower(name.p[i]));
        else if (!run)
            buf_putc(out, '-');
        run = separator;
    }
}

struct str pep503_name(struct arena *a, struct str name)
{
    CLEANUP(buf_clear) struct buf b = {0};

    pep503_normalise(&b, name);
    return arena_str(a, buf_view(&b));
}

/* Sorts and makes unique. */
static void tidy(struct strs *names)
{
    size_t n = 0;

    vec_sort(names, str_compare);
    for (size_t i = 0; i < names->n; i++)
        if (!n || !str_eq(names->v[n - 1], names->v[i]))
            names->v[n++] = names->v[i];
    names->n = n;
}

static int read_extras(struct reader *r, struct requirement *out)
{
    struct str name;

    if (!reader_take(r, "["))
        return 0;
    reader_skip_blanks(r);
    if (reader_take(r, "]"))
        return 0;
    for (;;) {
        name = take_identifier(r);
        if (!name.len)
            return reader_fail(r, "no name of an extra");
        vec_add(&out->extras, pep503_name(r->arena, name));
        reader_skip_blanks(r);
        if (!reader_take(r, ","))
            break;
        reader_skip_blanks(r);
    }
    if (!reader_take(r, "]"))
        return reader_fail(r, "extras without \"]\"");
    tidy(&out->extras);
    return 0;
}

static size_t until_blank(struct str s)
{
    size_t n = 0;

    while (n < s.len && !c_space(s.p[n]))
        n++;
    return n;
}

static int read_url(struct reader *r, struct requirement *out)
{
    size_t n;

    reader_skip_blanks(r);
    n = until_blank(r->rest);
    if (!n)
        return reader_fail(r, "no URL after \"@\"");
    out->url = str_sub(r->rest, 0, n);
    r->rest = str_sub(r->rest, n, r->rest.len);
    return 0;
}

/* Only the last part of the list may be empty. */
static bool has_hole(struct str list)
{
    struct str part;
    bool hole = false;

    if (!str_trim(list).len)
        return false;
    while (!hole && str_item(&list, ',', &part))
        hole = list.p && !str_trim(part).len;
    return hole;
}

/* "===" takes all up to a blank, commas too, so "===1, <2" lacks one: pip refuses it. */
static bool lacks_comma(struct str list)
{
    for (size_t next; (list = str_trim(list)).len; list = str_sub(list, next, list.len)) {
        if (str_skip(&list, STR("==="))) {
            list = str_trim(list);
            list = str_trim(str_sub(list, until_blank(list), list.len));
            if (list.len && list.p[0] != ',')
                return true;
        }
        next = str_find(list, ',') + 1;
    }
    return false;
}

static int read_specifiers(struct reader *r, struct requirement *out)
{
    bool parentheses = reader_take(r, "(");
    struct str list = r->rest, bad;
    size_t n = 0;

    while (n < list.len && list.p[n] != ';' && list.p[n] != ')')
        n++;
    list = str_sub(list, 0, n);
    if (has_hole(list))
        return reader_fail(r, "an empty version specifier");
    if (lacks_comma(list))
        return reader_fail(r,
                           "a comma and a blank behind \"===\", which takes all up to the blank");
    if (!specifiers_parse(&out->specifiers, list, &bad))
        return err_set(r->e, ERR_INPUT,
                       "requirement \"" STR_FMT "\": \"" STR_FMT "\" is not a version specifier "
                       "(such as >=1.0, ==2.4.* or ~=3.1)",
                       STR_ARG(r->whole), STR_ARG(bad));
    r->rest = str_sub(r->rest, n, r->rest.len);
    if (parentheses && !reader_take(r, ")"))
        return reader_fail(r, "a parenthesis without its end");
    return 0;
}

static int read_requirement(struct reader *r, struct requirement *out)
{
    out->text = r->whole;
    out->name_written = take_identifier(r);
    if (!out->name_written.len)
        return reader_fail(r, "no name");
    out->name = pep503_name(r->arena, out->name_written);
    reader_skip_blanks(r);
    if (read_extras(r, out) < 0)
        return -1;
    reader_skip_blanks(r);
    if (reader_take(r, "@") ? read_url(r, out) < 0 : read_specifiers(r, out) < 0)
        return -1;
    reader_skip_blanks(r);
    if (!r->rest.len)
        return 0;
    if (!reader_take(r, ";"))
        return reader_fail(r, "neither \",\" nor \";\" nor the end");
    if (marker_read(r, &out->marker) < 0)
        return -1;
    return r->rest.len ? reader_fail(r, "something behind the marker") : 0;
}

/* They have no business here, and would not print as what they are. */
static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (((unsigned char)s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
            return true;
    return false;
}

int requirement_parse(struct requirement *out, struct arena *a, struct str text, struct err *e)
{
    CLEANUP(requirement_clear) struct requirement made = {0};
    struct str whole = arena_str(a, str_trim(text));
    struct reader r = {.rest = whole, .whole = whole, .arena = a, .e = e};

    if (has_control(whole))
        return err_set(e, ERR_INPUT, "a requirement with a control character in it");
    if (read_requirement(&r, &made) < 0)
        return -1;
    MOVE(out, &made);
    return 0;
}

void requirement_clear(struct requirement *r)
{
    vec_clear(&r->extras);
    specifiers_clear(&r->specifiers);
    *r = (struct requirement){0};
}

void requirement_print(struct buf *out, const struct requirement *r, bool with_marker)
{
    buf_str(out, r->name_written);
    for (size_t i = 0; i < r->extras.n; i++) {
        buf_fmt(out, "%s" STR_FMT, i ? "," : "[", STR_ARG(r->extras.v[i]));
        if (out->p[out->len - 1] == '-') /* of "x_"; as "x-" it would not parse */
            out->p[out->len - 1] = '_';
    }
    buf_puts(out, r->extras.n ? "]" : "");
    if (r->url.len)
        buf_fmt(out, " @ " STR_FMT, STR_ARG(r->url));
    specifiers_print(out, &r->specifiers);
    if (!with_marker || !r->marker)
        return;
    buf_puts(out, r->url.len ? " ; " : "; ");
    marker_print(out, r->marker);
}
