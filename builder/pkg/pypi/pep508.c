/* SPDX-License-Identifier: Apache-2.0 */
#include "pep508.h"

enum { MARKER_DEPTH_MAX = 100 };

enum variable {
    VAR_LITERAL, /* not a variable: a quoted string */
    VAR_OS_NAME,
    VAR_SYS_PLATFORM,
    VAR_PLATFORM_MACHINE,
    VAR_PLATFORM_PYTHON_IMPLEMENTATION,
    VAR_PLATFORM_RELEASE,
    VAR_PLATFORM_SYSTEM,
    VAR_PLATFORM_VERSION,
    VAR_PYTHON_VERSION,
    VAR_PYTHON_FULL_VERSION,
    VAR_IMPLEMENTATION_NAME,
    VAR_IMPLEMENTATION_VERSION,
    VAR_EXTRA,
    VAR_EXTRAS,
    VAR_DEPENDENCY_GROUPS,
};

/* The first spelling of each is the one that is printed; the others are PEP 345's. */
static const struct {
    const char *name;
    enum variable variable;
} variables[] = {
    {"os_name", VAR_OS_NAME},
    {"os.name", VAR_OS_NAME},
    {"sys_platform", VAR_SYS_PLATFORM},
    {"sys.platform", VAR_SYS_PLATFORM},
    {"platform_machine", VAR_PLATFORM_MACHINE},
    {"platform.machine", VAR_PLATFORM_MACHINE},
    {"platform_python_implementation", VAR_PLATFORM_PYTHON_IMPLEMENTATION},
    {"platform.python_implementation", VAR_PLATFORM_PYTHON_IMPLEMENTATION},
    {"python_implementation", VAR_PLATFORM_PYTHON_IMPLEMENTATION},
    {"platform_release", VAR_PLATFORM_RELEASE},
    {"platform_system", VAR_PLATFORM_SYSTEM},
    {"platform_version", VAR_PLATFORM_VERSION},
    {"platform.version", VAR_PLATFORM_VERSION},
    {"python_version", VAR_PYTHON_VERSION},
    {"python_full_version", VAR_PYTHON_FULL_VERSION},
    {"implementation_name", VAR_IMPLEMENTATION_NAME},
    {"implementation_version", VAR_IMPLEMENTATION_VERSION},
    {"extra", VAR_EXTRA},
    {"extras", VAR_EXTRAS},
    {"dependency_groups", VAR_DEPENDENCY_GROUPS},
};

enum marker_op {
    CMP_ARBITRARY,
    CMP_EQ,
    CMP_NE,
    CMP_COMPATIBLE,
    CMP_LE,
    CMP_GE,
    CMP_LT,
    CMP_GT,
    CMP_IN,
    CMP_NOT_IN
};

/* In the order of the enum; longer ones stand before their prefixes. */
static const struct str marker_ops[] = {
    STR_INIT("==="), STR_INIT("=="), STR_INIT("!="), STR_INIT("~="), STR_INIT("<="),
    STR_INIT(">="),  STR_INIT("<"),  STR_INIT(">"),  STR_INIT("in"), STR_INIT("not in"),
};

struct operand {
    enum variable variable;
    struct str text; /* the literal, or the variable's name */
};

struct marker {
    enum { MARKER_AND, MARKER_OR, MARKER_COMPARE } kind;
    const struct marker *left, *right; /* AND, OR */
    struct operand lhs, rhs;           /* COMPARE */
    enum marker_op op;
};

/* A requirement while it is read. */
struct reader {
    struct str rest, whole;
    struct arena *arena;
    unsigned depth;
    struct err *e;
};

static int fail(struct reader *r, const char *why)
{
    return err_set(r->e, ERR_INPUT, "requirement \"" STR_FMT "\": %s at byte %zu",
                   STR_ARG(r->whole), why, r->whole.len - r->rest.len);
}

static void skip_blanks(struct reader *r)
{
    while (r->rest.len && (r->rest.p[0] == ' ' || r->rest.p[0] == '\t'))
        r->rest = str_sub(r->rest, 1, r->rest.len);
}

static bool take(struct reader *r, const char *token)
{
    return str_skip(&r->rest, str_of(token));
}

static bool is_word(char c)
{
    return c_alnum(c) || c == '_';
}

/* Take `word` where it is not the front of a longer one. */
static bool take_word(struct reader *r, const char *word)
{
    size_t n = strlen(word);

    if (!str_starts(r->rest, str_of(word)) || (r->rest.len > n && is_word(r->rest.p[n])))
        return false;
    return take(r, word);
}

/* Letters, digits, "-_.", beginning with a letter or digit and not ending in "-" or ".". */
static struct str take_identifier(struct reader *r)
{
    struct str s = r->rest, id;
    size_t n = 0;

    if (!s.len || !c_alnum(s.p[0]))
        return (struct str){0};
    while (n < s.len && (is_word(s.p[n]) || s.p[n] == '-' || s.p[n] == '.'))
        n++;
    while (!is_word(s.p[n - 1]))
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

static int read_operand(struct reader *r, struct operand *out)
{
    struct str s = r->rest, word;
    char quote = s.len ? s.p[0] : 0;
    size_t n = 0;

    if (quote == '\'' || quote == '"') {
        s = str_sub(s, 1, s.len);
        n = str_find(s, quote);
        *out = (struct operand){.text = str_sub(s, 0, n)};
        if (n == s.len)
            return fail(r, "a quoted string without its end");
        if (str_has(out->text, '\\') || str_has(out->text, '\n'))
            return fail(r, "a quoted string with an escape or a line end");
        r->rest = str_sub(s, n + 1, s.len);
        return 0;
    }
    while (n < s.len && (is_word(s.p[n]) || s.p[n] == '.'))
        n++;
    word = str_sub(s, 0, n);
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        if (!str_is(word, variables[i].name))
            continue;
        *out = (struct operand){.variable = variables[i].variable, .text = word};
        r->rest = str_sub(s, n, s.len);
        return 0;
    }
    return fail(r, "not a marker variable or quoted string");
}

static int read_marker_op(struct reader *r, enum marker_op *out)
{
    if (take_word(r, "in")) {
        *out = CMP_IN;
        return 0;
    }
    if (take_word(r, "not")) {
        struct str before = r->rest;

        skip_blanks(r);
        *out = CMP_NOT_IN;
        return before.len > r->rest.len && take_word(r, "in") ? 0
                                                              : fail(r, "\"not\" without \"in\"");
    }
    for (size_t i = CMP_ARBITRARY; i < CMP_IN; i++) {
        if (!str_skip(&r->rest, marker_ops[i]))
            continue;
        *out = (enum marker_op)i;
        return 0;
    }
    return fail(r, "no comparison (<=, <, !=, ==, >=, >, ~=, ===, in, not in)");
}

/* Names of extras compare in their normal form. */
static void normalise_extra(struct reader *r, const struct operand *name, struct operand *literal)
{
    if (name->variable == VAR_EXTRA && literal->variable == VAR_LITERAL)
        literal->text = pep503_name(r->arena, literal->text);
}

static int read_comparison(struct reader *r, const struct marker **out)
{
    struct marker *m = arena_alloc(r->arena, sizeof *m);

    m->kind = MARKER_COMPARE;
    if (read_operand(r, &m->lhs) < 0)
        return -1;
    skip_blanks(r);
    if (read_marker_op(r, &m->op) < 0)
        return -1;
    skip_blanks(r);
    if (read_operand(r, &m->rhs) < 0)
        return -1;
    normalise_extra(r, &m->lhs, &m->rhs);
    normalise_extra(r, &m->rhs, &m->lhs);
    *out = m;
    return 0;
}

static int read_marker(struct reader *r, const struct marker **out);

static int read_marker_atom(struct reader *r, const struct marker **out)
{
    skip_blanks(r);
    if (take(r, "(")) {
        if (++r->depth > MARKER_DEPTH_MAX)
            return fail(r, "too many parentheses");
        if (read_marker(r, out) < 0)
            return -1;
        if (!take(r, ")"))
            return fail(r, "a parenthesis without its end");
        r->depth--;
    } else if (read_comparison(r, out) < 0) {
        return -1;
    }
    skip_blanks(r);
    return 0;
}

static const struct marker *join(struct reader *r, bool both, const struct marker *left,
                                 const struct marker *right)
{
    struct marker *m = arena_alloc(r->arena, sizeof *m);

    m->kind = both ? MARKER_AND : MARKER_OR;
    m->left = left;
    m->right = right;
    return m;
}

static int read_marker_and(struct reader *r, const struct marker **out)
{
    const struct marker *right;

    if (read_marker_atom(r, out) < 0)
        return -1;
    while (take_word(r, "and")) {
        if (read_marker_atom(r, &right) < 0)
            return -1;
        *out = join(r, true, *out, right);
    }
    return 0;
}

static int read_marker(struct reader *r, const struct marker **out)
{
    const struct marker *right;

    if (read_marker_and(r, out) < 0)
        return -1;
    while (take_word(r, "or")) {
        if (read_marker_and(r, &right) < 0)
            return -1;
        *out = join(r, false, *out, right);
    }
    return 0;
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

    if (!take(r, "["))
        return 0;
    skip_blanks(r);
    if (take(r, "]"))
        return 0;
    for (;;) {
        name = take_identifier(r);
        if (!name.len)
            return fail(r, "no name of an extra");
        vec_add(&out->extras, pep503_name(r->arena, name));
        skip_blanks(r);
        if (!take(r, ","))
            break;
        skip_blanks(r);
    }
    if (!take(r, "]"))
        return fail(r, "extras without \"]\"");
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

    skip_blanks(r);
    n = until_blank(r->rest);
    if (!n)
        return fail(r, "no URL after \"@\"");
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
    bool parentheses = take(r, "(");
    struct str list = r->rest, bad;
    size_t n = 0;

    while (n < list.len && list.p[n] != ';' && list.p[n] != ')')
        n++;
    list = str_sub(list, 0, n);
    if (has_hole(list))
        return fail(r, "an empty version specifier");
    if (lacks_comma(list))
        return fail(r, "a comma and a blank behind \"===\", which takes all up to the blank");
    if (!specifiers_parse(&out->specifiers, list, &bad))
        return err_set(r->e, ERR_INPUT,
                       "requirement \"" STR_FMT "\": \"" STR_FMT "\" is no version specifier "
                       "(such as >=1.0, ==2.4.* or ~=3.1)",
                       STR_ARG(r->whole), STR_ARG(bad));
    r->rest = str_sub(r->rest, n, r->rest.len);
    if (parentheses && !take(r, ")"))
        return fail(r, "a parenthesis without its end");
    return 0;
}

static int read_requirement(struct reader *r, struct requirement *out)
{
    out->text = r->whole;
    out->name_written = take_identifier(r);
    if (!out->name_written.len)
        return fail(r, "no name");
    out->name = pep503_name(r->arena, out->name_written);
    skip_blanks(r);
    if (read_extras(r, out) < 0)
        return -1;
    skip_blanks(r);
    if (take(r, "@") ? read_url(r, out) < 0 : read_specifiers(r, out) < 0)
        return -1;
    skip_blanks(r);
    if (!r->rest.len)
        return 0;
    if (!take(r, ";"))
        return fail(r, "neither \",\" nor \";\" nor the end");
    if (read_marker(r, &out->marker) < 0)
        return -1;
    return r->rest.len ? fail(r, "something behind the marker") : 0;
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

static const char *variable_name(enum variable variable)
{
    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        if (variables[i].variable == variable)
            return variables[i].name;
    return "";
}

static void print_operand(struct buf *out, const struct operand *o)
{
    char quote = str_has(o->text, '"') ? '\'' : '"';

    if (o->variable != VAR_LITERAL)
        buf_puts(out, variable_name(o->variable));
    else
        buf_fmt(out, "%c" STR_FMT "%c", quote, STR_ARG(o->text), quote);
}

static void print_marker(struct buf *out, const struct marker *m, bool inside_and)
{
    bool parentheses = inside_and && m->kind == MARKER_OR;

    if (m->kind == MARKER_COMPARE) {
        print_operand(out, &m->lhs);
        buf_fmt(out, " " STR_FMT " ", STR_ARG(marker_ops[m->op]));
        print_operand(out, &m->rhs);
        return;
    }
    buf_puts(out, parentheses ? "(" : "");
    print_marker(out, m->left, m->kind == MARKER_AND);
    buf_puts(out, m->kind == MARKER_AND ? " and " : " or ");
    print_marker(out, m->right, m->kind == MARKER_AND);
    buf_puts(out, parentheses ? ")" : "");
}

void marker_print(struct buf *out, const struct marker *m)
{
    print_marker(out, m, false);
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

/* "3.11" of "3.11.2". */
static struct str minor_version(struct str full)
{
    size_t first = str_find(full, '.');
    struct str rest = str_sub(full, first + 1, full.len);

    return str_sub(full, 0, first < full.len ? first + 1 + str_find(rest, '.') : full.len);
}

/* False for a variable that has no value here. */
static bool variable_value(enum variable variable, const struct marker_env *env, struct str extra,
                           struct str *out)
{
    switch (variable) {
    case VAR_OS_NAME:
        *out = STR("posix");
        return true;
    case VAR_SYS_PLATFORM:
        *out = STR("linux");
        return true;
    case VAR_PLATFORM_SYSTEM:
        *out = STR("Linux");
        return true;
    case VAR_PLATFORM_PYTHON_IMPLEMENTATION:
        *out = STR("CPython");
        return true;
    case VAR_IMPLEMENTATION_NAME:
        *out = STR("cpython");
        return true;
    case VAR_PLATFORM_MACHINE:
        *out = env->platform_machine;
        return true;
    case VAR_PYTHON_FULL_VERSION:
    case VAR_IMPLEMENTATION_VERSION:
        *out = env->python_full_version;
        return true;
    case VAR_PYTHON_VERSION:
        *out = minor_version(env->python_full_version);
        return true;
    case VAR_PLATFORM_RELEASE: /* of the kernel that the image will meet: nobody knows */
    case VAR_PLATFORM_VERSION:
        *out = STR("");
        return true;
    case VAR_EXTRA:
        *out = extra;
        return true;
    case VAR_LITERAL:
    case VAR_EXTRAS:
    case VAR_DEPENDENCY_GROUPS:
        break;
    }
    return false;
}

static bool is_version_variable(enum variable v)
{
    return v == VAR_PYTHON_VERSION || v == VAR_PYTHON_FULL_VERSION ||
           v == VAR_IMPLEMENTATION_VERSION || v == VAR_PLATFORM_RELEASE;
}

/* Compare as versions where "<op><rhs>" is a specifier; false when it is none. */
static bool compare_versions(enum marker_op op, struct str lhs, struct str rhs, bool *out)
{
    CLEANUP(specifiers_clear) struct specifiers set = {0};
    CLEANUP(buf_clear) struct buf text = {0};
    struct pep440 version;
    struct str bad;

    if (op == CMP_IN || op == CMP_NOT_IN || str_has(rhs, ','))
        return false;
    buf_fmt(&text, STR_FMT STR_FMT, STR_ARG(marker_ops[op]), STR_ARG(rhs));
    if (!specifiers_parse(&set, buf_view(&text), &bad) || !set.n)
        return false;
    if (op == CMP_ARBITRARY)
        *out = str_eq_nocase(lhs, set.v[0].text);
    else
        *out = pep440_parse(&version, lhs) && specifiers_match(&set, &version);
    return true;
}

static int compare_texts(enum marker_op op, struct str lhs, struct str rhs, bool *out,
                         struct err *e)
{
    switch (op) {
    case CMP_EQ:
    case CMP_LE: /* text has no order: only equality is left of these */
    case CMP_GE:
        *out = str_eq(lhs, rhs);
        return 0;
    case CMP_NE:
        *out = !str_eq(lhs, rhs);
        return 0;
    case CMP_LT:
    case CMP_GT:
        *out = false;
        return 0;
    case CMP_IN:
    case CMP_NOT_IN:
        *out = (!lhs.len || str_find_str(rhs, lhs) < rhs.len) == (op == CMP_IN);
        return 0;
    case CMP_COMPATIBLE:
    case CMP_ARBITRARY:
        break;
    }
    return err_set(e, ERR_INPUT,
                   "marker compares \"" STR_FMT "\" and \"" STR_FMT "\" by \"" STR_FMT
                   "\", which only versions know",
                   STR_ARG(lhs), STR_ARG(rhs), STR_ARG(marker_ops[op]));
}

static int eval_comparison(const struct marker *m, const struct marker_env *env, struct str extra,
                           bool *out, struct err *e)
{
    bool left = m->lhs.variable != VAR_LITERAL;
    const struct operand *named = left ? &m->lhs : &m->rhs;
    struct str value, lhs, rhs;

    if (!variable_value(named->variable, env, extra, &value))
        return err_set(e, ERR_INPUT, "marker asks for \"" STR_FMT "\", which has no value here",
                       STR_ARG(named->text));
    lhs = left ? value : m->lhs.text;
    rhs = left ? m->rhs.text : value;
    if (is_version_variable(named->variable) && compare_versions(m->op, lhs, rhs, out))
        return 0;
    return compare_texts(m->op, lhs, rhs, out, e);
}

int marker_eval(const struct marker *m, const struct marker_env *env, struct str extra, bool *out,
                struct err *e)
{
    bool left, right;

    if (!m) {
        *out = true;
        return 0;
    }
    if (m->kind == MARKER_COMPARE)
        return eval_comparison(m, env, extra, out, e);
    if (marker_eval(m->left, env, extra, &left, e) < 0 ||
        marker_eval(m->right, env, extra, &right, e) < 0)
        return -1;
    *out = m->kind == MARKER_AND ? left && right : left || right;
    return 0;
}

bool marker_has_extra(const struct marker *m)
{
    if (!m)
        return false;
    if (m->kind == MARKER_COMPARE)
        return m->lhs.variable == VAR_EXTRA || m->rhs.variable == VAR_EXTRA;
    return marker_has_extra(m->left) || marker_has_extra(m->right);
}
