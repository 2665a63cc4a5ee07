/* SPDX-License-Identifier: Apache-2.0 */
#include "stub_names.h"

#include "../../base/map.h"
#include "stub_library.h"

enum {
    LINE_TOKENS = 8, /* of a directive; what matters has fewer */
    RENAMES = 8,     /* how often what was renamed may be renamed again */
};

enum token_kind { TOKEN_END, TOKEN_NEWLINE, TOKEN_WORD, TOKEN_QUOTED, TOKEN_SIGN };
struct token {
    enum token_kind kind;
    struct str text; /* a sign is one character */
};

struct function {
    struct str name;
    bool exported; /* the library has it */
    bool local;    /* the header itself defines it: static */
    bool text;     /* it returns a pointer */
};

/* `#define from to` */
struct rename {
    struct function *from, *to;
};

struct reader {
    struct arena *arena;
    struct str prefix;
    struct map by_name;
    struct VEC_OF(struct function *) functions;
    struct VEC_OF(struct rename) renames;
    /* of the header that is being read */
    size_t depth;           /* conditions around this place */
    size_t unread;          /* depth of the one whose branch is skipped; 0 when none is */
    struct token last[2];   /* before this one, the nearest first */
    bool is_type, is_local; /* of the declaration so far */
};

static void reader_clear(struct reader *r)
{
    map_clear(&r->by_name);
    vec_clear(&r->functions);
    vec_clear(&r->renames);
}

void stub_names_clear(struct stub_names *names)
{
    vec_clear(&names->names);
    vec_clear(&names->texts);
    arena_clear(&names->arena);
}

static bool is_word_character(char c)
{
    return c_alnum(c) || c == '_';
}

/* Skip blanks, comments and line ends that a backslash hides. */
static void skip_space(struct str *s)
{
    for (;;) {
        if (str_skip(s, STR("//"))) {
            *s = str_sub(*s, str_find(*s, '\n'), s->len);
        } else if (str_skip(s, STR("/*"))) {
            *s = str_sub(*s, str_find_str(*s, STR("*/")), s->len);
            str_skip(s, STR("*/"));
        } else if (s->len && c_space(*s->p) && *s->p != '\n') {
            *s = str_sub(*s, 1, s->len);
        } else if (!str_skip(s, STR("\\\n")) && !str_skip(s, STR("\\\r\n"))) {
            return;
        }
    }
}

/* Length of a literal with its quotes; one that does not end ends with the line. */
static size_t quoted_length(struct str s)
{
    size_t i = 1;

    for (; i < s.len && s.p[i] != '\n'; i++) {
        if (s.p[i] == s.p[0])
            return i + 1;
        if (s.p[i] == '\\' && i + 1 < s.len)
            i++;
    }
    return i < s.len ? i : s.len;
}

static struct token next_token(struct str *s)
{
    struct token t = {TOKEN_END, {NULL, 0}};
    size_t len = 1;

    skip_space(s);
    if (!s->len)
        return t;
    if (*s->p == '\n') {
        t.kind = TOKEN_NEWLINE;
    } else if (*s->p == '"' || *s->p == '\'') {
        t.kind = TOKEN_QUOTED;
        len = quoted_length(*s);
    } else if (is_word_character(*s->p)) {
        t.kind = TOKEN_WORD;
        while (len < s->len && is_word_character(s->p[len]))
            len++;
    } else {
        t.kind = TOKEN_SIGN;
    }
    t.text = str_sub(*s, 0, len);
    *s = str_sub(*s, len, s->len);
    return t;
}

static bool is_sign(const struct token *t, char c)
{
    return t->kind == TOKEN_SIGN && *t->text.p == c;
}

static bool is_word(const struct token *t, const char *word)
{
    return t->kind == TOKEN_WORD && str_is(t->text, word);
}

/* A word that the library may have as a function. */
static bool is_name(const struct reader *r, const struct token *t)
{
    struct str rest = t->text;

    return t->kind == TOKEN_WORD && str_skip(&rest, r->prefix) && rest.len && *rest.p >= 'A' &&
           *rest.p <= 'Z';
}

/* The function of that name with `suffix`, known from now on; NULL when it is one too many. */
static struct function *function(struct reader *r, struct str name, const char *suffix,
                                 struct err *e)
{
    struct str whole = name;

    if (name.len + strlen(suffix) > STUB_NAME_MAX) {
        err_set(e, ERR_INPUT, "the name of a function has %zu bytes; at most %d are possible",
                name.len + strlen(suffix), STUB_NAME_MAX);
        return NULL;
    }
    if (*suffix)
        whole = str_of(arena_fmt(r->arena, STR_FMT "%s", STR_ARG(name), suffix));
    struct function *f = map_get(&r->by_name, whole);
    if (f)
        return f;
    if (r->functions.n == STUB_SYMBOLS_MAX) {
        err_set(e, ERR_INPUT, "more than %d functions begin with \"" STR_FMT "\"", STUB_SYMBOLS_MAX,
                STR_ARG(r->prefix));
        return NULL;
    }
    f = arena_alloc(r->arena, sizeof *f);
    f->name = arena_str(r->arena, whole);
    map_set(&r->by_name, f->name, f);
    vec_add(&r->functions, f);
    return f;
}

static int add_rename(struct reader *r, struct str from, struct str to, const char *suffix,
                      struct err *e)
{
    struct rename rename = {.from = function(r, from, "", e)};

    if (rename.from)
        rename.to = function(r, to, suffix, e);
    if (!rename.to)
        return -1;
    vec_add(&r->renames, rename);
    return 0;
}

/* `define from to`, or `define from __CUDA_API_PTDS(to)`, which is both names of it. */
static int read_define(struct reader *r, const struct token *line, size_t n, struct err *e)
{
    static const char *const streams[][2] = {{"__CUDA_API_PTDS", "_ptds"},
                                             {"__CUDA_API_PTSZ", "_ptsz"}};

    if (n == 3 && is_name(r, &line[1]) && is_name(r, &line[2]))
        return add_rename(r, line[1].text, line[2].text, "", e);
    if (n != 6 || !is_name(r, &line[1]) || !is_sign(&line[3], '(') || !is_name(r, &line[4]) ||
        !is_sign(&line[5], ')'))
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(streams); i++)
        if (is_word(&line[2], streams[i][0]) &&
            (add_rename(r, line[1].text, line[4].text, "", e) < 0 ||
             add_rename(r, line[1].text, line[4].text, streams[i][1], e) < 0))
            return -1;
    return 0;
}

/* `ifdef _WIN32`, `if defined(_WIN32)`, `if defined _WIN32`, `if 0`. */
static bool is_never(const struct token *line, size_t n)
{
    static const char *const windows[] = {"_WIN32", "_WIN64", "_WINDOWS", "_MSC_VER"};
    const struct token *name = NULL;

    if (n == 2 && is_word(&line[0], "if"))
        return is_word(&line[1], "0");
    if (n == 2 && is_word(&line[0], "ifdef"))
        name = &line[1];
    if (n == 3 && is_word(&line[0], "if") && is_word(&line[1], "defined"))
        name = &line[2];
    if (n == 5 && is_word(&line[0], "if") && is_word(&line[1], "defined") &&
        is_sign(&line[2], '(') && is_sign(&line[4], ')'))
        name = &line[3];
    for (size_t i = 0; name && i < ARRAY_LEN(windows); i++)
        if (is_word(name, windows[i]))
            return true;
    return false;
}

/* What comes after a `#`, to the end of its line. */
static int read_directive(struct reader *r, struct str *s, struct err *e)
{
    struct token line[LINE_TOKENS], t;
    size_t n = 0;

    for (t = next_token(s); t.kind != TOKEN_END && t.kind != TOKEN_NEWLINE; t = next_token(s))
        if (n < LINE_TOKENS)
            line[n++] = t;
    if (!n)
        return 0;
    if (is_word(&line[0], "if") || is_word(&line[0], "ifdef") || is_word(&line[0], "ifndef")) {
        r->depth++;
        if (!r->unread && is_never(line, n))
            r->unread = r->depth;
    } else if (is_word(&line[0], "else") || is_word(&line[0], "elif")) {
        if (r->unread == r->depth)
            r->unread = 0;
    } else if (is_word(&line[0], "endif") && r->depth) {
        if (r->unread == r->depth)
            r->unread = 0;
        r->depth--;
    } else if (is_word(&line[0], "define") && !r->unread) {
        return read_define(r, line, n, e);
    }
    return 0;
}

/* What stands before the name of a function that is declared, not called: its type. */
static bool ends_type(const struct token *t)
{
    static const char *const statements[] = {"return", "else", "do", "case", "sizeof"};

    for (size_t i = 0; i < ARRAY_LEN(statements); i++)
        if (is_word(t, statements[i]))
            return false;
    return t->kind == TOKEN_WORD || is_sign(t, '*');
}

static int read_token(struct reader *r, struct token t, struct err *e)
{
    if (is_sign(&t, ';') || is_sign(&t, '{') || is_sign(&t, '}')) {
        r->is_type = r->is_local = false;
    } else if (is_word(&t, "typedef")) {
        r->is_type = true;
    } else if (is_word(&t, "static")) {
        r->is_local = true;
    } else if (is_sign(&t, '(') && is_name(r, &r->last[0]) && ends_type(&r->last[1]) &&
               !r->is_type) {
        struct function *f = function(r, r->last[0].text, "", e);
        if (!f)
            return -1;
        f->local |= r->is_local;
        f->exported |= !r->is_local;
        f->text |= is_sign(&r->last[1], '*');
    }
    r->last[1] = r->last[0];
    r->last[0] = t;
    return 0;
}

static int read_header(struct reader *r, struct str text, struct err *e)
{
    bool fresh = true; /* nothing but space is before this on its line */
    struct token t;

    if (text.len > STUB_HEADER_MAX)
        return err_set(e, ERR_INPUT, "a header of %zu bytes; at most %d are read", text.len,
                       STUB_HEADER_MAX);
    r->depth = r->unread = 0;
    memset(r->last, 0, sizeof r->last);
    r->is_type = r->is_local = false;
    while ((t = next_token(&text)).kind != TOKEN_END) {
        if (t.kind == TOKEN_NEWLINE) {
            fresh = true;
        } else if (fresh && is_sign(&t, '#')) {
            if (read_directive(r, &text, e) < 0)
                return -1;
        } else {
            fresh = false;
            if (!r->unread && read_token(r, t, e) < 0)
                return -1;
        }
    }
    return 0;
}

/* What is declared under a name that is renamed is there under both names; so is what is renamed to
 * a name that is there. */
static void follow_renames(struct reader *r)
{
    const struct rename *rename;
    bool more = true;

    for (unsigned i = 0; more && i < RENAMES; i++) {
        more = false;
        vec_each(rename, &r->renames) {
            struct function *from = rename->from, *to = rename->to;
            if (from->exported == to->exported || from->local || to->local)
                continue;
            from->text = to->text = from->text || to->text;
            from->exported = to->exported = more = true;
        }
    }
}

int stub_names_read(struct stub_names *out, struct str prefix, const struct strs *headers,
                    struct err *e)
{
    CLEANUP(stub_names_clear) struct stub_names names = {0};
    CLEANUP(reader_clear) struct reader r = {.arena = &names.arena, .prefix = prefix};

    for (size_t i = 0; i < headers->n; i++)
        if (read_header(&r, headers->v[i], e) < 0)
            return -1;
    follow_renames(&r);
    for (size_t i = 0; i < r.functions.n; i++) {
        const struct function *f = r.functions.v[i];
        if (f->exported)
            vec_add(&names.names, f->name);
        if (f->exported && f->text)
            vec_add(&names.texts, f->name);
    }
    if (!names.names.n)
        return err_set(e, ERR_INPUT, "no function whose name begins with \"" STR_FMT "\"",
                       STR_ARG(prefix));
    vec_sort(&names.names, str_compare);
    vec_sort(&names.texts, str_compare);
    MOVE(out, &names);
    return 0;
}
