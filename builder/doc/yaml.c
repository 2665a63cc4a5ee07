/* SPDX-License-Identifier: Apache-2.0 */
#include "yaml.h"

#include <yaml.h>

#include "../base/fs.h"
#include "../base/map.h"

enum { YAML_MAX = 1024 * 1024, YAML_DEPTH = 32 };

struct reader {
    yaml_parser_t parser;
    struct str text; /* all of it */
    struct doc *doc;
    struct pos quote; /* of the last quoted text that goes over several lines, and its last line */
    unsigned quote_end;
    struct err *e;
};

static struct pos pos_of(const struct reader *r, yaml_mark_t mark)
{
    return (struct pos){r->doc->file, (unsigned)mark.line + 1, (unsigned)mark.column + 1};
}

/* Columns count characters, as libyaml's do. */
static struct pos pos_of_byte(const struct reader *r, size_t at)
{
    struct pos pos = {r->doc->file, 1, 1};

    for (size_t i = 0; i < at && i < r->text.len; i++) {
        if (r->text.p[i] == '\n')
            pos = (struct pos){pos.file, pos.line + 1, 1};
        else if (((unsigned char)r->text.p[i] & 0xc0) != 0x80)
            pos.col++;
    }
    return pos;
}

/* Is only blank space before the mark, and a tab there? */
static bool is_tab(const struct reader *r, yaml_mark_t mark)
{
    struct str rest = r->text, line = {0};

    for (size_t i = 0; i <= mark.line; i++)
        if (!str_line(&rest, &line))
            return false;
    for (size_t i = 0; i < line.len && i <= mark.column; i++)
        if (line.p[i] == '\t')
            return true;
        else if (line.p[i] != ' ')
            return false;
    return false;
}

static int syntax(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    struct pos pos = pos_of(r, p->problem_mark);

    if (p->error == YAML_READER_ERROR) {
        pos = pos_of_byte(r, p->problem_offset);
        if (p->problem_value >= 0 && p->problem_value < ' ')
            return err_at(r->e, &pos, "a control character (0x%02x), which no YAML text has",
                          (unsigned)p->problem_value);
        return err_at(r->e, &pos, "not UTF-8 text: %s", p->problem ? p->problem : "unreadable");
    }
    if (is_tab(r, p->problem_mark))
        return err_at(r->e, &pos, "a tab; YAML indents with spaces");
    if (p->context && strcmp(p->context, "while scanning a quoted scalar") == 0) {
        pos = pos_of(r, p->context_mark);
        return err_at(r->e, &pos, "a quote opens here and is never closed");
    }
    if (r->quote_end && r->quote_end == pos.line)
        return err_at(r->e, &r->quote,
                      "a quote opens here and closes only in line %u; is one missing?",
                      r->quote_end);
    return err_at(r->e, &pos, "not valid YAML: %s%s%s", p->context ? p->context : "",
                  p->context ? ": " : "", p->problem ? p->problem : "unreadable");
}

static void skip_digits(struct str *s)
{
    while (s->len && c_digit(s->p[0]))
        *s = str_sub(*s, 1, s->len);
}

/* A number that JSON would write the same way: "007" and "1." stay text. */
static bool is_number(struct str s)
{
    size_t all;

    str_skip(&s, STR("-"));
    all = s.len;
    if (!str_skip(&s, STR("0")))
        skip_digits(&s);
    if (s.len == all)
        return false;
    if (str_skip(&s, STR("."))) {
        all = s.len;
        skip_digits(&s);
        if (s.len == all)
            return false;
    }
    return !s.len;
}

/* A plain word that the YAML core schema takes for something else than text. */
static void classify(struct node *n)
{
    struct str t = n->text;

    if (n->quoted)
        return;
    if (!t.len || str_is(t, "~") || str_is(t, "null")) {
        n->kind = NODE_NULL;
        return;
    }
    if (str_is(t, "true") || str_is(t, "false")) {
        n->kind = NODE_BOOL;
        n->boolean = str_is(t, "true");
        return;
    }
    if (is_number(t))
        n->kind = NODE_NUMBER;
}

static struct node *read_node(struct reader *r, const yaml_event_t *ev, unsigned depth);

static struct node *scalar(struct reader *r, const yaml_event_t *ev)
{
    struct node *n = arena_alloc(&r->doc->arena, sizeof *n);

    n->kind = NODE_STRING;
    n->text = arena_str(&r->doc->arena,
                        (struct str){(const char *)ev->data.scalar.value, ev->data.scalar.length});
    n->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    n->pos = pos_of(r, ev->start_mark);
    if (n->quoted && ev->end_mark.line > ev->start_mark.line &&
        (ev->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE ||
         ev->data.scalar.style == YAML_SINGLE_QUOTED_SCALAR_STYLE)) {
        r->quote = n->pos;
        r->quote_end = (unsigned)ev->end_mark.line + 1;
    }
    classify(n);
    return n;
}

/* The next event into `ev` (deleted by the caller); false after telling the fault. */
static bool next(struct reader *r, yaml_event_t *ev)
{
    if (yaml_parser_parse(&r->parser, ev))
        return true;
    syntax(r);
    return false;
}

static struct node *next_node(struct reader *r, unsigned depth)
{
    struct node *n = NULL;
    yaml_event_t ev;

    if (!next(r, &ev))
        return NULL;
    n = read_node(r, &ev, depth);
    yaml_event_delete(&ev);
    return n;
}

static bool at_end(struct reader *r, yaml_event_type_t end, struct node **item, unsigned depth)
{
    yaml_event_t ev;
    bool ended;

    *item = NULL;
    if (!next(r, &ev))
        return true;
    ended = ev.type == end;
    if (!ended)
        *item = read_node(r, &ev, depth);
    yaml_event_delete(&ev);
    return ended;
}

static bool read_list(struct reader *r, struct node *list, unsigned depth)
{
    struct node *item;

    while (!at_end(r, YAML_SEQUENCE_END_EVENT, &item, depth)) {
        if (!item)
            return false;
        node_add(r->doc, list, item);
    }
    return !err_is_set(r->e);
}

static bool add_member(struct reader *r, struct node *map, struct map *seen, const struct node *key,
                       unsigned depth)
{
    const struct node *twin;
    struct node *value;

    if (key->kind == NODE_LIST || key->kind == NODE_MAP || key->kind == NODE_NULL) {
        err_at(r->e, &key->pos, "a key must be a word, not %s", node_kind_name(key));
        return false;
    }
    twin = map_get(seen, key->text);
    if (twin) {
        err_at(r->e, &key->pos, "key \"" STR_FMT "\" stands here twice; the first is on line %u",
               STR_ARG(key->text), twin->key_pos.line);
        return false;
    }
    value = next_node(r, depth);
    if (!value)
        return false;
    value->key = key->text;
    value->key_pos = key->pos;
    node_add(r->doc, map, value);
    map_set(seen, value->key, value);
    return true;
}

static bool read_map(struct reader *r, struct node *map, unsigned depth)
{
    CLEANUP(map_clear) struct map seen = {0};
    struct node *key;

    while (!at_end(r, YAML_MAPPING_END_EVENT, &key, depth))
        if (!key || !add_member(r, map, &seen, key, depth))
            return false;
    return !err_is_set(r->e);
}

static struct node *refuse(struct reader *r, const yaml_event_t *ev, const char *what)
{
    struct pos pos = pos_of(r, ev->start_mark);

    err_at(r->e, &pos, "%s", what);
    return NULL;
}

/* What stands before a value and is refused; NULL when nothing does. */
static const char *decoration(const yaml_event_t *ev)
{
    static const char tag[] = "tags (!...) are not allowed here; write the value itself";
    static const char anchor[] = "anchors (&...) are not allowed here; write the value itself";

    if (ev->type == YAML_SCALAR_EVENT)
        return ev->data.scalar.tag ? tag : ev->data.scalar.anchor ? anchor : NULL;
    if (ev->type == YAML_SEQUENCE_START_EVENT)
        return ev->data.sequence_start.tag ? tag : ev->data.sequence_start.anchor ? anchor : NULL;
    if (ev->type == YAML_MAPPING_START_EVENT)
        return ev->data.mapping_start.tag ? tag : ev->data.mapping_start.anchor ? anchor : NULL;
    return NULL;
}

static struct node *read_node(struct reader *r, const yaml_event_t *ev, unsigned depth)
{
    const char *decorated = decoration(ev);
    struct node *n;

    if (decorated)
        return refuse(r, ev, decorated);
    if (ev->type == YAML_ALIAS_EVENT)
        return refuse(r, ev, "aliases (*...) are not allowed here; write the value itself");
    if (ev->type == YAML_SCALAR_EVENT) {
        n = scalar(r, ev);
        return str_has(n->text, '\0') ? refuse(r, ev, "text must not hold a NUL (\\0)") : n;
    }
    if (depth >= YAML_DEPTH)
        return refuse(r, ev, "nested deeper than 32 levels");
    n = arena_alloc(&r->doc->arena, sizeof *n);
    n->pos = pos_of(r, ev->start_mark);
    n->kind = ev->type == YAML_SEQUENCE_START_EVENT ? NODE_LIST : NODE_MAP;
    if (n->kind == NODE_LIST)
        return read_list(r, n, depth + 1) ? n : NULL;
    return read_map(r, n, depth + 1) ? n : NULL;
}

/* stream start, document start, the root, document end, stream end. */
static int read_stream(struct reader *r)
{
    yaml_event_t ev;
    bool more;

    for (;;) {
        yaml_event_type_t type;

        if (!next(r, &ev))
            return -1;
        type = ev.type;
        yaml_event_delete(&ev);
        if (type == YAML_STREAM_END_EVENT)
            return err_at(r->e, &(struct pos){r->doc->file, 0, 0}, "the file is empty");
        if (type == YAML_DOCUMENT_START_EVENT)
            break;
    }
    r->doc->root = next_node(r, 0);
    if (!r->doc->root)
        return -1;
    do {
        struct pos pos;

        if (!next(r, &ev))
            return -1;
        pos = pos_of(r, ev.start_mark);
        more = ev.type != YAML_STREAM_END_EVENT;
        if (ev.type == YAML_DOCUMENT_START_EVENT)
            err_at(r->e, &pos, "a second document begins here; one file holds one");
        yaml_event_delete(&ev);
    } while (more && !err_is_set(r->e));
    return err_is_set(r->e) ? -1 : 0;
}

int yaml_parse(struct doc *out, struct str text, const char *file, struct err *e)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    struct reader r = {.doc = &doc, .e = e};
    struct err fault = {0};
    int result;

    doc.file = arena_strdup(&doc.arena, file);
    if (text.len > YAML_MAX)
        return err_at(e, &(struct pos){doc.file, 0, 0}, "larger than 1 MiB, the most allowed");
    str_skip(&text, STR("\xef\xbb\xbf")); /* a byte order mark is no character of the text */
    r.text = text;
    if (!yaml_parser_initialize(&r.parser))
        abort(); /* only memory can be missing */
    r.e = &fault;
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.p ? text.p : ""),
                                 text.len);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    result = read_stream(&r);
    yaml_parser_delete(&r.parser);
    if (result < 0)
        return err_join(e, &fault);
    MOVE(out, &doc);
    return 0;
}

int yaml_read(struct doc *out, const char *path, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};

    return fs_read(&text, path, YAML_MAX, e) < 0 ? -1 : yaml_parse(out, buf_view(&text), path, e);
}
