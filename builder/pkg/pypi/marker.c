/* SPDX-License-Identifier: Apache-2.0 */
#include "marker.h"

#include "../../base/dotted.h"

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
            return reader_fail(r, "a quoted string without its end");
        if (str_has(out->text, '\\') || str_has(out->text, '\n'))
            return reader_fail(r, "a quoted string with an escape or a line end");
        r->rest = str_sub(s, n + 1, s.len);
        return 0;
    }
    while (n < s.len && (reader_is_word(s.p[n]) || s.p[n] == '.'))
        n++;
    word = str_sub(s, 0, n);
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        if (!str_is(word, variables[i].name))
            continue;
        *out = (struct operand){.variable = variables[i].variable, .text = word};
        r->rest = str_sub(s, n, s.len);
        return 0;
    }
    return reader_fail(r, "not a marker variable or quoted string");
}

static int read_marker_op(struct reader *r, enum marker_op *out)
{
    if (reader_take_word(r, "in")) {
        *out = CMP_IN;
        return 0;
    }
    if (reader_take_word(r, "not")) {
        struct str before = r->rest;

        reader_skip_blanks(r);
        *out = CMP_NOT_IN;
        return before.len > r->rest.len && reader_take_word(r, "in")
                   ? 0
                   : reader_fail(r, "\"not\" without \"in\"");
    }
    for (size_t i = CMP_ARBITRARY; i < CMP_IN; i++) {
        if (!str_skip(&r->rest, marker_ops[i]))
            continue;
        *out = (enum marker_op)i;
        return 0;
    }
    return reader_fail(r, "no comparison (<=, <, !=, ==, >=, >, ~=, ===, in, not in)");
}

static bool is_choice(enum variable v)
{
    return v == VAR_EXTRA || v == VAR_EXTRAS || v == VAR_DEPENDENCY_GROUPS;
}

/* Names of extras and groups compare in their normal form. */
static void normalise_extra(struct reader *r, const struct operand *name, struct operand *literal)
{
    if (is_choice(name->variable) && literal->variable == VAR_LITERAL)
        literal->text = pep503_name(r->arena, literal->text);
}

static int read_comparison(struct reader *r, const struct marker **out)
{
    struct marker *m = arena_alloc(r->arena, sizeof *m);

    m->kind = MARKER_COMPARE;
    if (read_operand(r, &m->lhs) < 0)
        return -1;
    reader_skip_blanks(r);
    if (read_marker_op(r, &m->op) < 0)
        return -1;
    reader_skip_blanks(r);
    if (read_operand(r, &m->rhs) < 0)
        return -1;
    normalise_extra(r, &m->lhs, &m->rhs);
    normalise_extra(r, &m->rhs, &m->lhs);
    *out = m;
    return 0;
}

static int read_marker_atom(struct reader *r, const struct marker **out)
{
    reader_skip_blanks(r);
    if (reader_take(r, "(")) {
        if (++r->depth > MARKER_DEPTH_MAX)
            return reader_fail(r, "too many parentheses");
        if (marker_read(r, out) < 0)
            return -1;
        if (!reader_take(r, ")"))
            return reader_fail(r, "a parenthesis without its end");
        r->depth--;
    } else if (read_comparison(r, out) < 0) {
        return -1;
    }
    reader_skip_blanks(r);
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
    while (reader_take_word(r, "and")) {
        if (read_marker_atom(r, &right) < 0)
            return -1;
        *out = join(r, true, *out, right);
    }
    return 0;
}

int marker_read(struct reader *r, const struct marker **out)
{
    const struct marker *right;

    if (read_marker_and(r, out) < 0)
        return -1;
    while (reader_take_word(r, "or")) {
        if (read_marker_and(r, &right) < 0)
            return -1;
        *out = join(r, false, *out, right);
    }
    return 0;
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

/* What a marker is evaluated for. */
struct eval {
    const struct marker_env *env;
    struct str extra;
    const struct marker_choice *choice; /* NULL: of no lock file */
    struct err *e;
};

/* False for a variable that has no value here. */
static bool variable_value(enum variable variable, const struct eval *in, struct str *out)
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
        *out = in->env->platform_machine;
        return true;
    case VAR_PYTHON_FULL_VERSION:
    case VAR_IMPLEMENTATION_VERSION:
        *out = in->env->python_full_version;
        return true;
    case VAR_PYTHON_VERSION:
        *out = dotted_first(in->env->python_full_version, 2);
        return true;
    case VAR_PLATFORM_RELEASE: /* of the kernel that the image will meet: nobody knows */
    case VAR_PLATFORM_VERSION:
        *out = STR("");
        return true;
    case VAR_EXTRA:
        *out = in->extra;
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

/* Was it chosen, of a lock file's extras and groups? False where the marker asks something else. */
static bool compare_choice(const struct marker *m, const struct eval *in, bool *out)
{
    bool left = m->lhs.variable != VAR_LITERAL;
    enum variable v = left ? m->lhs.variable : m->rhs.variable;
    const struct operand *literal = left ? &m->rhs : &m->lhs;
    bool set = v == VAR_EXTRAS || v == VAR_DEPENDENCY_GROUPS, chosen;

    if (!in->choice || !is_choice(v) || literal->variable != VAR_LITERAL ||
        (set ? left || (m->op != CMP_IN && m->op != CMP_NOT_IN)
             : m->op != CMP_EQ && m->op != CMP_NE))
        return false;
    chosen = strs_has(v == VAR_DEPENDENCY_GROUPS ? in->choice->groups : in->choice->extras,
                      literal->text);
    *out = chosen == (m->op == CMP_IN || m->op == CMP_EQ);
    return true;
}

static int eval_comparison(const struct marker *m, const struct eval *in, bool *out)
{
    bool left = m->lhs.variable != VAR_LITERAL;
    const struct operand *named = left ? &m->lhs : &m->rhs;
    struct str value, lhs, rhs;

    if (compare_choice(m, in, out))
        return 0;
    if (!variable_value(named->variable, in, &value))
        return err_set(in->e, ERR_INPUT, "marker asks for \"" STR_FMT "\", which has no value here",
                       STR_ARG(named->text));
    lhs = left ? value : m->lhs.text;
    rhs = left ? m->rhs.text : value;
    if (is_version_variable(named->variable) && compare_versions(m->op, lhs, rhs, out))
        return 0;
    return compare_texts(m->op, lhs, rhs, out, in->e);
}

static int eval(const struct marker *m, const struct eval *in, bool *out)
{
    bool left, right;

    if (!m) {
        *out = true;
        return 0;
    }
    if (m->kind == MARKER_COMPARE)
        return eval_comparison(m, in, out);
    if (eval(m->left, in, &left) < 0 || eval(m->right, in, &right) < 0)
        return -1;
    *out = m->kind == MARKER_AND ? left && right : left || right;
    return 0;
}

int marker_eval(const struct marker *m, const struct marker_env *env, struct str extra, bool *out,
                struct err *e)
{
    return eval(m, &(struct eval){.env = env, .extra = extra, .e = e}, out);
}

int marker_eval_chosen(const struct marker *m, const struct marker_env *env,
                       const struct marker_choice *choice, bool *out, struct err *e)
{
    return eval(m, &(struct eval){.env = env, .choice = choice, .e = e}, out);
}

bool marker_has_extra(const struct marker *m)
{
    if (!m)
        return false;
    if (m->kind == MARKER_COMPARE)
        return is_choice(m->lhs.variable) || is_choice(m->rhs.variable);
    return marker_has_extra(m->left) || marker_has_extra(m->right);
}
