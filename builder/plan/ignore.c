/* SPDX-License-Identifier: Apache-2.0 */
#include "ignore.h"

#include "../base/path.h"

static const char *const built_in[] = {
    "**/.git",       "**/.env",   "**/__pycache__", "**/.ipynb_checkpoints",
    "**/.ssh",       "**/id_rsa", "**/id_dsa",      "**/id_ecdsa",
    "**/id_ed25519", "**/.netrc", "**/.pypirc",     "**/.git-credentials",
    "**/.aws",
};

/* ---- a pattern in pieces ---- */

struct ignore_piece {
    enum {
        PIECE_CHAR,    /* this one */
        PIECE_ONE,     /* any character but "/" */
        PIECE_SOME,    /* any number of these */
        PIECE_ALL,     /* anything */
        PIECE_SKIP,    /* nothing, or what PIECE_FOLDERS takes, which stands behind it */
        PIECE_FOLDERS, /* anything that ends in "/" */
        PIECE_SET
    } kind;
    char c;
    bool set[256];
};

/* Bytes of the set that `p` begins with; 0 when it is none. */
static size_t read_set(struct ignore_piece *out, struct str p)
{
    bool not = p.len > 1 && p.p[1] == '^';
    size_t first = 1 + not, i;

    for (i = first; i < p.len && p.p[i] != ']'; i++) {
        unsigned char low, high;

        i += p.p[i] == '\\';
        if (i >= p.len)
            return 0;
        low = high = (unsigned char)p.p[i];
        if (i + 2 < p.len && p.p[i + 1] == '-' && p.p[i + 2] != ']') {
            i += 2;
            i += p.p[i] == '\\';
            high = i < p.len ? (unsigned char)p.p[i] : 0;
        }
        if (low > high)
            return 0;
        memset(out->set + low, true, high - low + 1u);
    }
    for (size_t k = 0; k < sizeof out->set && not ; k++)
        out->set[k] = !out->set[k];
    return i < p.len && i > first ? i + 1 : 0;
}

/* "**" in front of plain text is any beginning, be it the first half of a name. */
static bool is_ending(struct str rest)
{
    for (size_t i = 0; i < rest.len; i++)
        if (str_has(STR("*?[\\"), rest.p[i]))
            return false;
    return rest.len && rest.p[0] != '/';
}

/* `p` begins with "**". */
static size_t read_deep(struct ignore_rule *r, struct str p)
{
    size_t n = 2, stars = r->n;

    while (n < p.len && p.p[n] == '*')
        n++;
    if (n == p.len || (!stars && is_ending(str_sub(p, n, p.len)))) {
        r->pieces[r->n++].kind = PIECE_ALL;
        return n;
    }
    r->pieces[r->n++].kind = PIECE_SKIP;
    r->pieces[r->n++].kind = PIECE_FOLDERS;
    n += p.p[n] == '/';
    if (n == p.len)
        r->pieces[r->n++].kind = PIECE_ALL;
    return n;
}

/* Bytes of the piece that `p` begins with; 0 when it is none. */
static size_t read_piece(struct ignore_rule *r, struct str p)
{
    struct ignore_piece *out = &r->pieces[r->n];

    if (str_starts(p, STR("**")))
        return read_deep(r, p);
    r->n++;
    out->c = p.p[0];
    switch (p.p[0]) {
    case '*':
        out->kind = PIECE_SOME;
        return 1;
    case '?':
        out->kind = PIECE_ONE;
        return 1;
    case '[':
        out->kind = PIECE_SET;
        return read_set(out, p);
    case '\\':
        out->c = p.len > 1 ? p.p[1] : 0;
        return p.len > 1 ? 2 : 0;
    }
    return 1;
}

static bool compile(struct ignore_rule *r, struct arena *a, struct str p)
{
    size_t n;

    if (p.len > IGNORE_PATTERN_MAX)
        return false;
    r->pieces = arena_alloc(a, (p.len + 2) * sizeof *r->pieces);
    for (; p.len; p = str_sub(p, n, p.len))
        if (!(n = read_piece(r, p)))
            return false;
    return true;
}

/* ---- one pattern against one path ----
 *
 * All places of the pattern that can be reached are followed at once, so no pattern takes longer
 * than its length times the path's. */

/* Be at piece `i`, and wherever that leads without a character. */
static void reach(bool *to, const struct ignore_rule *r, size_t i)
{
    bool more = true;

    while (more && !to[i]) {
        to[i] = true;
        more = i < r->n && (r->pieces[i].kind == PIECE_SOME || r->pieces[i].kind == PIECE_ALL ||
                            r->pieces[i].kind == PIECE_SKIP);
        if (more && r->pieces[i].kind == PIECE_SKIP)
            to[++i] = true;
        i++;
    }
}

/* From piece `i` over the character `c`; a character of many bytes is one to "?". */
static void step(bool *to, const struct ignore_rule *r, size_t i, char c)
{
    bool inside = ((unsigned char)c & 0xc0) == 0x80;

    if (inside && i && r->pieces[i - 1].kind == PIECE_ONE)
        reach(to, r, i);
    if (i == r->n)
        return;
    switch (r->pieces[i].kind) {
    case PIECE_CHAR:
        if (r->pieces[i].c == c)
            reach(to, r, i + 1);
        break;
    case PIECE_ONE:
        if (c != '/' && !inside)
            reach(to, r, i + 1);
        break;
    case PIECE_SET:
        if (r->pieces[i].set[(unsigned char)c])
            reach(to, r, i + 1);
        break;
    case PIECE_SOME:
        if (c != '/')
            reach(to, r, i);
        break;
    case PIECE_ALL:
        reach(to, r, i);
        break;
    case PIECE_FOLDERS:
        to[i] = true;
        if (c == '/')
            reach(to, r, i + 1);
        break;
    case PIECE_SKIP: /* left already */
        break;
    }
}

/* Does it match the path, or a folder above it? */
static bool matches(const struct ignore_rule *r, struct str path)
{
    bool now[IGNORE_PATTERN_MAX + 3] = {0}, next[IGNORE_PATTERN_MAX + 3];

    reach(now, r, 0);
    for (size_t k = 0; k < path.len; k++) {
        if (path.p[k] == '/' && now[r->n])
            return true;
        memset(next, 0, r->n + 1);
        for (size_t i = 0; i <= r->n; i++)
            if (now[i])
                step(next, r, i, path.p[k]);
        memcpy(now, next, r->n + 1);
    }
    return now[r->n];
}

/* ---- the list ---- */

int ignore_add(struct ignore *g, struct str pattern, struct err *e)
{
    CLEANUP(buf_clear) struct buf clean = {0};
    struct str text = str_trim(pattern);
    bool back = str_skip(&text, STR("!"));
    struct ignore_rule rule = {.back = back};

    text = str_trim(text);
    if (!text.len && !back)
        return 0;
    while (str_skip(&text, STR("/")))
        ;
    if (!text.len || !path_clean(&clean, text) || !compile(&rule, &g->arena, buf_view(&clean)))
        return err_set(e, ERR_INPUT,
                       "\"" STR_FMT "\" is not a pattern as a .dockerignore has them, such as "
                       "\"data\", \"**/*.csv\" or \"!data/keep.csv\"",
                       STR_ARG(pattern));
    vec_add(&g->rules, rule);
    g->takes_back |= back;
    return 0;
}

void ignore_add_built_in(struct ignore *g)
{
    for (size_t i = 0; i < ARRAY_LEN(built_in); i++) {
        struct ignore_rule rule = {.built_in = true};

        compile(&rule, &g->arena, str_of(built_in[i]));
        vec_add(&g->rules, rule);
    }
}

int ignore_add_lines(struct ignore *g, struct str text, const char *name, struct err *e)
{
    struct str line;
    unsigned n = 0;

    str_skip(&text, STR("\xef\xbb\xbf"));
    while (str_line(&text, &line)) {
        n++;
        if (!str_starts(line, STR("#")) && ignore_add(g, line, e) < 0)
            return err_wrap(e, "%s:%u", name, n);
    }
    return 0;
}

enum ignored ignore_find(const struct ignore *g, struct str path)
{
    for (size_t i = g->rules.n; i--;) {
        const struct ignore_rule *r = &g->rules.v[i];

        if (matches(r, path))
            return r->back ? IGNORE_BACK : r->built_in ? IGNORE_BUILT_IN : IGNORE_OWN;
    }
    return IGNORE_NOT;
}

void ignore_clear(struct ignore *g)
{
    vec_clear(&g->rules);
    arena_clear(&g->arena);
    *g = (struct ignore){0};
}
