/* pkg/deb/control.c - deb822 paragraphs and relations: deb822(5), deb-control(5), Policy 7. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "control.h"

enum { PARAGRAPH_MAX = 1 << 20 };

static bool is_blank(struct str line)
{
    return !str_trim(line).len;
}

/* deb822(5): printable ASCII but the colon, not beginning with "#" or "-". */
static bool is_field_name(struct str s)
{
    if (!s.len || s.p[0] == '#' || s.p[0] == '-')
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] <= 0x20 || s.p[i] > 0x7e || s.p[i] == ':')
            return false;
    return true;
}

static bool has_field(const struct control *c, struct str name)
{
    for (size_t i = 0; i < c->fields.n; i++)
        if (str_eq_nocase(c->fields.v[i].name, name))
            return true;
    return false;
}

static int add_field(struct control *out, struct str line, const char *what, struct err *e)
{
    struct str name;

    if (!str_cut(&line, STR(":"), &name) || !is_field_name(name))
        return err_set(e, ERR_INPUT, "%s: \"" STR_FMT "\" is no \"Field: value\" line", what,
                       STR_ARG(str_sub(line, 0, 80)));
    if (has_field(out, name))
        return err_set(e, ERR_INPUT, "%s: the field \"" STR_FMT "\" stands twice in one paragraph",
                       what, STR_ARG(name));
    vec_add(&out->fields, ((struct control_field){name, str_trim(line)}));
    return 0;
}

/* The last field goes on: its value now ends where this line does, less white space at the end. */
static int continue_field(struct control *out, struct str line, const char *what, struct err *e)
{
    struct control_field *f;

    if (!out->fields.n)
        return err_set(e, ERR_INPUT, "%s: a continuation line stands before any field", what);
    f = &out->fields.v[out->fields.n - 1];
    line = str_trim_right(line);
    f->value.len = (size_t)(line.p + line.len - f->value.p);
    return 0;
}

int control_next(struct control *out, struct str *text, bool *more, const char *what, struct err *e)
{
    const char *start = NULL;
    struct str line;

    out->fields.n = 0;
    while (str_line(text, &line)) {
        if (is_blank(line) && start)
            break;
        if (is_blank(line) || line.p[0] == '#')
            continue;
        start = start ? start : line.p;
        if (line.p + line.len - start > PARAGRAPH_MAX)
            return err_set(e, ERR_INPUT, "%s: a paragraph is larger than 1 MiB", what);
        if ((line.p[0] == ' ' || line.p[0] == '\t' ? continue_field : add_field)(out, line, what,
                                                                                 e) < 0)
            return -1;
    }
    *more = start != NULL;
    return 0;
}

void control_clear(struct control *c)
{
    vec_clear(&c->fields);
}

struct str control_get(const struct control *c, const char *name)
{
    for (size_t i = 0; i < c->fields.n; i++)
        if (str_eq_nocase(c->fields.v[i].name, str_of(name)))
            return c->fields.v[i].value;
    return (struct str){0};
}

/* Take what stands between `open` and `close` at the front of *s; false when it is not closed. */
static bool take_bracket(struct str *s, char close, struct str *inside)
{
    *s = str_sub(*s, 1, s->len);
    return str_cut(s, (struct str){&close, 1}, inside);
}

/* "[amd64 arm64]" or "[!hurd-any]"; wildcards as in Policy 11.1, for Linux. */
static bool arch_term_matches(struct str term, struct str arch)
{
    if (str_is(term, "any") || str_is(term, "linux-any") || str_eq(term, arch))
        return true;
    return str_skip(&term, STR("any-")) && str_eq(term, arch);
}

static bool arch_list_matches(struct str list, struct str arch)
{
    struct str term;
    bool negative = false;

    while (str_word(&list, &term)) {
        negative = str_skip(&term, STR("!"));
        if (arch_term_matches(term, arch))
            return !negative;
    }
    return negative;
}

/* No build profile is ever active here: "<!nocheck>" holds, "<stage1>" does not. */
static bool profile_list_matches(struct str list)
{
    struct str term;

    while (str_word(&list, &term))
        if (!str_starts(term, STR("!")))
            return false;
    return true;
}

static int bad_relation(struct str text, const char *why, struct err *e)
{
    return err_set(e, ERR_INPUT, "the relation \"" STR_FMT "\" %s", STR_ARG(text), why);
}

static bool is_package_name(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!c_alnum(s.p[i]) && s.p[i] != '+' && s.p[i] != '-' && s.p[i] != '.' && s.p[i] != '_')
            return false;
    return s.len > 0;
}

static struct str take_name(struct str *s)
{
    size_t n = 0;

    while (n < s->len && !c_space(s->p[n]) && s->p[n] != '(' && s->p[n] != '[' && s->p[n] != '<')
        n++;
    struct str name = str_sub(*s, 0, n);
    *s = str_trim_left(str_sub(*s, n, s->len));
    return name;
}

static int parse_version(struct relation *r, struct str inside, struct str text, struct err *e)
{
    size_t n = 0;

    inside = str_trim(inside);
    while (n < inside.len && (inside.p[n] == '<' || inside.p[n] == '=' || inside.p[n] == '>'))
        n++;
    r->version = str_trim(str_sub(inside, n, inside.len));
    if (!debver_op_parse(&r->op, str_sub(inside, 0, n)) || !r->version.len)
        return bad_relation(text, "has no \"(>= version)\" in its parentheses", e);
    return 0;
}

/* One "name:arch (op version) [arches] <profiles>"; *holds says whether it applies to `arch`. */
static int parse_relation(struct relation *r, struct str text, struct str arch, bool *holds,
                          struct err *e)
{
    struct str rest = text, inside, name = take_name(&rest);
    bool profiles = false, profile_holds = false;

    *holds = true;
    if (!str_cut(&name, STR(":"), &r->name))
        r->name = name;
    else
        r->arch = name;
    if (!is_package_name(r->name))
        return bad_relation(text, "names no package", e);
    for (; rest.len; rest = str_trim_left(rest)) {
        char c = rest.p[0];
        if (!(c == '('   ? take_bracket(&rest, ')', &inside)
              : c == '[' ? take_bracket(&rest, ']', &inside)
                         : c == '<' && take_bracket(&rest, '>', &inside)))
            return bad_relation(text, "is malformed", e);
        if (c == '(' && parse_version(r, inside, text, e) < 0)
            return -1;
        if (c == '[')
            *holds &= arch_list_matches(inside, arch);
        if (c == '<') {
            profiles = true;
            profile_holds |= profile_list_matches(inside);
        }
    }
    *holds &= !profiles || profile_holds;
    return 0;
}

static size_t count(struct str s, char c)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += s.p[i] == c;
    return n;
}

static int parse_group(struct relations *out, struct arena *a, struct str text, struct str arch,
                       struct err *e)
{
    struct relation *v = arena_alloc(a, (count(text, '|') + 1) * sizeof *v);
    struct str item;
    size_t n = 0;

    while (str_item(&text, '|', &item)) {
        struct relation r = {0};
        bool holds;
        if (parse_relation(&r, str_trim(item), arch, &holds, e) < 0)
            return -1;
        if (holds)
            v[n++] = r;
    }
    if (n)
        vec_add(out, ((struct relation_group){v, n}));
    return 0;
}

int relations_parse(struct relations *out, struct arena *a, struct str text, struct str arch,
                    struct err *e)
{
    struct relations list = {0};
    struct str item;

    while (str_item(&text, ',', &item)) {
        item = str_trim(item);
        /* Policy 7.1 knows no empty items, but dpkg takes the final comma that people write. */
        if (item.len && parse_group(&list, a, item, arch, e) < 0) {
            relations_clear(&list);
            return -1;
        }
    }
    relations_clear(out);
    *out = list;
    return 0;
}

void relations_clear(struct relations *r)
{
    vec_clear(r);
}
