/* SPDX-License-Identifier: Apache-2.0 */
#include "toml_parts.h"

#include "../base/fs.h"
#include "../base/map.h"
#include "../base/utf8.h"

enum { TOML_DEPTH = 64, TOML_VALUES = 1 << 20 };

/* What a key stands for, and so what may still be done to it. */
enum origin {
    VALUE,   /* not a table, or one in braces: nothing */
    PASSED,  /* a table that a header named on its way to another: a header of its own */
    HEADER,  /* a table with a header: headers of tables in it */
    DOTTED,  /* a table that a dotted key made: more such keys, and headers of tables in it */
    ELEMENTS /* tables with [[headers]]: one more; what goes into it goes into the last */
};

struct entry {
    enum origin origin;
    struct node *node;
    struct map members;  /* of a table: struct entry */
    struct entry *last;  /* of ELEMENTS */
    struct entry *other; /* of all that have members, the one before */
    unsigned depth;
};

struct reader {
    struct toml t;
    struct entry *root, *all;
    size_t values;
};

/* ---- what all share ---- */

static void move_on(struct pos *pos, const char *from, const char *to)
{
    for (; from < to; from++)
        if (*from == '\n')
            *pos = (struct pos){pos->file, pos->line + 1, 1};
        else if (((unsigned char)*from & 0xc0) != 0x80)
            pos->col++;
}

struct pos toml_pos(struct toml *t, const char *at)
{
    struct pos pos = {t->doc->file, 1, 1};

    if (at < t->at) {
        move_on(&pos, t->text, at);
        return pos;
    }
    move_on(&t->pos, t->at, at);
    t->at = at;
    return t->pos;
}

int toml_fault(struct toml *t, const char *at, const char *fmt, ...)
{
    CLEANUP(buf_clear) struct buf words = {0};
    struct pos pos = toml_pos(t, at);
    va_list args;

    va_start(args, fmt);
    buf_vfmt(&words, fmt, args);
    va_end(args);
    return err_at(t->e, &pos, "%s", words.p);
}

bool toml_is_control(char c)
{
    return ((unsigned char)c < ' ' && c != '\t') || c == 0x7f;
}

void toml_skip_blanks(struct str *s)
{
    while (s->len && (s->p[0] == ' ' || s->p[0] == '\t'))
        *s = str_sub(*s, 1, s->len);
}

bool toml_line_end(struct str *s)
{
    return str_skip(s, STR("\n")) || str_skip(s, STR("\r\n"));
}

/* Blanks, and a comment up to the end of its line. */
static int skip_comment(struct toml *t)
{
    toml_skip_blanks(&t->rest);
    if (!str_starts(t->rest, STR("#")))
        return 0;
    while (t->rest.len && t->rest.p[0] != '\n' && !str_starts(t->rest, STR("\r\n"))) {
        if (toml_is_control(t->rest.p[0]))
            return toml_fault(t, t->rest.p, "a control character (0x%02x), which no TOML text has",
                              (unsigned)(unsigned char)t->rest.p[0]);
        t->rest = str_sub(t->rest, 1, t->rest.len);
    }
    return 0;
}

/* White space, line ends and comments. */
static int skip_lines(struct toml *t)
{
    do
        if (skip_comment(t) < 0)
            return -1;
    while (toml_line_end(&t->rest));
    return 0;
}

static int end_line(struct toml *t, const char *what)
{
    if (skip_comment(t) < 0)
        return -1;
    if (!t->rest.len || toml_line_end(&t->rest))
        return 0;
    return toml_fault(t, t->rest.p, "a new line must begin behind %s", what);
}

/* NULL after telling that there are too many, or that they stand too deep. */
static struct node *new_node(struct reader *r, enum node_kind kind, const char *at, unsigned depth)
{
    struct node *n;

    if (kind != NODE_STRING && depth > TOML_DEPTH) {
        toml_fault(&r->t, at, "nested deeper than %d levels", TOML_DEPTH);
        return NULL;
    }
    if (++r->values > TOML_VALUES) {
        toml_fault(&r->t, at, "more than %d values", TOML_VALUES);
        return NULL;
    }
    n = arena_alloc(&r->t.doc->arena, sizeof *n);
    n->kind = kind;
    n->pos = toml_pos(&r->t, at);
    return n;
}

static struct entry *new_entry(struct reader *r, enum origin origin, struct node *n, unsigned depth)
{
    struct entry *x = arena_alloc(&r->t.doc->arena, sizeof *x);

    *x = (struct entry){.origin = origin, .node = n, .depth = depth};
    if (origin != VALUE) {
        x->other = r->all;
        r->all = x;
    }
    return x;
}

static void reader_clear(struct reader *r)
{
    for (; r->all; r->all = r->all->other)
        map_clear(&r->all->members);
    buf_clear(&r->t.made);
}

/* ---- keys ---- */

struct key {
    struct str text;
    const char *at;
    struct pos pos;
};

static int read_key(struct reader *r, struct key *out)
{
    struct toml *t = &r->t;
    struct str s;
    size_t n = 0;

    toml_skip_blanks(&t->rest);
    s = t->rest;
    out->at = s.p;
    out->pos = toml_pos(t, s.p);
    if (str_starts(s, STR("\"")) || str_starts(s, STR("'"))) {
        if (toml_string(t, true, &out->text) < 0)
            return -1;
    } else {
        while (n < s.len && (c_alnum(s.p[n]) || s.p[n] == '_' || s.p[n] == '-'))
            n++;
        if (!n)
            return toml_fault(t, s.p,
                              "a key is missing here: letters, digits, \"_\" and \"-\", "
                              "or text in quotes");
        out->text = arena_str(&t->doc->arena, str_sub(s, 0, n));
        t->rest = str_sub(s, n, s.len);
    }
    toml_skip_blanks(&t->rest);
    return 0;
}

static struct entry *add(struct reader *r, struct entry *to, const struct key *key,
                         struct entry *made)
{
    made->node->key = key->text;
    made->node->key_pos = key->pos;
    node_add(r->t.doc, to->node, made->node);
    map_set(&to->members, key->text, made);
    return made;
}

/* A table below `at`. */
static struct entry *add_table(struct reader *r, struct entry *at, const struct key *key,
                               enum origin origin)
{
    struct node *n = new_node(r, NODE_MAP, key->at, at->depth + 1);

    return n ? add(r, at, key, new_entry(r, origin, n, at->depth + 1)) : NULL;
}

static int tell_twice(struct reader *r, const struct key *key, const struct entry *first)
{
    return toml_fault(&r->t, key->at,
                      "key \"" STR_FMT "\" stands here twice; the first is on line %u",
                      STR_ARG(key->text), first->node->key_pos.line);
}

/* The table that `key` of a header leads through. */
static struct entry *pass(struct reader *r, struct entry *at, const struct key *key)
{
    struct entry *x = map_get(&at->members, key->text);

    if (!x)
        return add_table(r, at, key, PASSED);
    if (x->origin == ELEMENTS)
        return x->last;
    if (x->origin != VALUE)
        return x;
    toml_fault(&r->t, key->at,
               "\"" STR_FMT "\" has its value on line %u, and no table goes into it",
               STR_ARG(key->text), x->node->key_pos.line);
    return NULL;
}

/* The table that `key` of a dotted key leads through. */
static struct entry *pass_dotted(struct reader *r, struct entry *at, const struct key *key)
{
    struct entry *x = map_get(&at->members, key->text);

    if (!x)
        return add_table(r, at, key, DOTTED);
    if (x->origin == DOTTED)
        return x;
    toml_fault(&r->t, key->at,
               "\"" STR_FMT "\" is there since line %u, and no dotted key adds to it",
               STR_ARG(key->text), x->node->key_pos.line);
    return NULL;
}

/* ---- values ---- */

static struct node *read_value(struct reader *r, unsigned depth);

/* `key = value` or `a.b.c = value` in a table. */
static int read_member(struct reader *r, struct entry *table)
{
    struct toml *t = &r->t;
    struct entry *first;
    struct node *value;
    struct key key;

    for (;;) {
        if (read_key(r, &key) < 0)
            return -1;
        if (!str_skip(&t->rest, STR(".")))
            break;
        table = pass_dotted(r, table, &key);
        if (!table)
            return -1;
    }
    if (!str_skip(&t->rest, STR("=")))
        return toml_fault(t, t->rest.p, "\"=\" is missing behind the key");
    first = map_get(&table->members, key.text);
    if (first)
        return tell_twice(r, &key, first);
    toml_skip_blanks(&t->rest);
    value = read_value(r, table->depth + 1);
    if (!value)
        return -1;
    add(r, table, &key, new_entry(r, VALUE, value, table->depth + 1));
    return 0;
}

/* [a, b,] over any number of lines. */
static int read_list(struct reader *r, struct node *list, unsigned depth)
{
    struct toml *t = &r->t;
    const char *opened = t->rest.p;
    struct node *item;

    t->rest = str_sub(t->rest, 1, t->rest.len);
    for (;;) {
        if (skip_lines(t) < 0)
            return -1;
        if (str_skip(&t->rest, STR("]")))
            return 0;
        if (!t->rest.len)
            return toml_fault(t, opened, "a list begins here and never ends");
        item = read_value(r, depth + 1);
        if (!item)
            return -1;
        node_add(t->doc, list, item);
        if (skip_lines(t) < 0)
            return -1;
        if (!str_skip(&t->rest, STR(",")) && t->rest.len && t->rest.p[0] != ']')
            return toml_fault(t, t->rest.p, "neither \",\" nor \"]\" stands behind the item");
    }
}

/* {a = 1, b.c = 2}, all on one line. */
static int read_braces(struct reader *r, struct node *map, unsigned depth)
{
    struct toml *t = &r->t;
    struct entry *table = new_entry(r, DOTTED, map, depth);

    t->rest = str_sub(t->rest, 1, t->rest.len);
    toml_skip_blanks(&t->rest);
    if (str_skip(&t->rest, STR("}")))
        return 0;
    for (;;) {
        if (read_member(r, table) < 0)
            return -1;
        toml_skip_blanks(&t->rest);
        if (str_skip(&t->rest, STR("}")))
            return 0;
        if (!str_skip(&t->rest, STR(",")))
            return toml_fault(t, t->rest.p, "neither \",\" nor \"}\" stands behind the value");
    }
}

static struct node *read_value(struct reader *r, unsigned depth)
{
    struct toml *t = &r->t;
    char c = t->rest.len ? t->rest.p[0] : 0;
    struct node *n = new_node(r,
                              c == '['   ? NODE_LIST
                              : c == '{' ? NODE_MAP
                                         : NODE_STRING,
                              t->rest.p, depth);
    int result;

    if (!n)
        return NULL;
    n->quoted = c == '"' || c == '\'';
    if (c == '[')
        result = read_list(r, n, depth);
    else if (c == '{')
        result = read_braces(r, n, depth);
    else
        result = n->quoted ? toml_string(t, false, &n->text) : toml_scalar(t, n);
    return result < 0 ? NULL : n;
}

/* ---- headers ---- */

/* [key]: a new table, or one that was only passed so far. */
static struct entry *begin_table(struct reader *r, struct entry *at, const struct key *key)
{
    struct entry *x = map_get(&at->members, key->text);

    if (!x)
        return add_table(r, at, key, HEADER);
    if (x->origin != PASSED) {
        tell_twice(r, key, x);
        return NULL;
    }
    x->origin = HEADER;
    return x;
}

/* [[key]]: one more element. */
static struct entry *begin_element(struct reader *r, struct entry *at, const struct key *key)
{
    struct entry *x = map_get(&at->members, key->text);
    struct node *n;

    if (!x) {
        n = new_node(r, NODE_LIST, key->at, at->depth + 1);
        if (!n)
            return NULL;
        x = add(r, at, key, new_entry(r, ELEMENTS, n, at->depth + 1));
    }
    if (x->origin != ELEMENTS) {
        tell_twice(r, key, x);
        return NULL;
    }
    n = new_node(r, NODE_MAP, key->at, x->depth + 1);
    if (!n)
        return NULL;
    node_add(r->t.doc, x->node, n);
    x->last = new_entry(r, HEADER, n, x->depth + 1);
    return x->last;
}

/* [a.b.c] or [[a.b.c]]: the table that the next lines fill, or NULL. */
static struct entry *read_header(struct reader *r)
{
    struct toml *t = &r->t;
    bool element = str_skip(&t->rest, STR("[["));
    struct entry *at = r->root;
    struct key key;

    if (!element)
        str_skip(&t->rest, STR("["));
    for (;;) {
        if (read_key(r, &key) < 0)
            return NULL;
        if (!str_skip(&t->rest, STR(".")))
            break;
        at = pass(r, at, &key);
        if (!at)
            return NULL;
    }
    if (!str_skip(&t->rest, element ? STR("]]") : STR("]"))) {
        toml_fault(t, t->rest.p, "\"%s\" is missing behind the name", element ? "]]" : "]");
        return NULL;
    }
    at = element ? begin_element(r, at, &key) : begin_table(r, at, &key);
    return at && end_line(t, "the name of a table") == 0 ? at : NULL;
}

/* ---- all of it ---- */

static int read_all(struct reader *r)
{
    struct toml *t = &r->t;
    struct entry *table = r->root;

    for (;;) {
        if (skip_lines(t) < 0)
            return -1;
        if (!t->rest.len)
            return 0;
        if (t->rest.p[0] == '[') {
            table = read_header(r);
            if (!table)
                return -1;
        } else if (read_member(r, table) < 0 || end_line(t, "the value") < 0) {
            return -1;
        }
    }
}

int toml_parse(struct doc *out, struct str text, const char *file, struct err *e)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(reader_clear) struct reader r = {.t = {.doc = &doc, .e = e}};
    size_t whole;

    doc.file = arena_strdup(&doc.arena, file);
    if (text.len > TOML_MAX)
        return err_at(e, &(struct pos){doc.file, 0, 0}, "larger than %d MiB, the most allowed",
                      TOML_MAX >> 20);
    str_skip(&text, STR("\xef\xbb\xbf")); /* a byte order mark is no character of the text */
    r.t.text = r.t.at = text.p ? text.p : "";
    r.t.rest = (struct str){r.t.text, text.len};
    r.t.pos = (struct pos){doc.file, 1, 1};
    whole = utf8_valid(r.t.rest);
    if (whole < text.len)
        return toml_fault(&r.t, text.p + whole, "not UTF-8 text");
    doc.root = new_node(&r, NODE_MAP, r.t.text, 1);
    r.root = new_entry(&r, HEADER, doc.root, 1);
    if (read_all(&r) < 0)
        return -1;
    MOVE(out, &doc);
    return 0;
}

int toml_read(struct doc *out, const char *path, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};

    return fs_read(&text, path, TOML_MAX, e) < 0 ? -1 : toml_parse(out, buf_view(&text), path, e);
}
