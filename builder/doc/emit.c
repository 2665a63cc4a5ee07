/* SPDX-License-Identifier: Apache-2.0 */
#include "emit.h"

#include "../base/utf8.h"

enum { INDENT = 2, LINE_MAX_COLUMNS = 100 };

static void put_escaped(struct buf *out, unsigned char c)
{
    if (c == '"' || c == '\\')
        buf_fmt(out, "\\%c", c);
    else if (c == '\n')
        buf_puts(out, "\\n");
    else if (c == '\t')
        buf_puts(out, "\\t");
    else if (c < 0x20)
        buf_fmt(out, "\\u%04x", c);
    else
        buf_fmt(out, "\\\\x%02x", c); /* no UTF-8 */
}

void emit_json_string(struct buf *out, struct str text)
{
    size_t from = 0, at = 0, n; /* what stands between is written as it is */

    buf_putc(out, '"');
    while (at < text.len) {
        unsigned char c = (unsigned char)text.p[at];

        n = c < 0x80 ? 1 : utf8_length((struct str){text.p + at, text.len - at});
        if (n && c >= 0x20 && c != '"' && c != '\\') {
            at += n;
            continue;
        }
        buf_add(out, text.p + from, at - from);
        put_escaped(out, c);
        from = ++at;
    }
    if (at > from)
        buf_add(out, text.p + from, at - from);
    buf_putc(out, '"');
}

static bool is_parent(const struct node *n)
{
    return n->kind == NODE_LIST || n->kind == NODE_MAP;
}

static void emit_scalar(struct buf *out, const struct node *n)
{
    switch (n->kind) {
    case NODE_NULL:
        buf_puts(out, "null");
        break;
    case NODE_BOOL:
        buf_puts(out, n->boolean ? "true" : "false");
        break;
    case NODE_NUMBER:
        buf_str(out, n->text);
        break;
    case NODE_STRING:
        emit_json_string(out, n->text);
        break;
    case NODE_LIST:
    case NODE_MAP:
        break;
    }
}

/* Everything on one line; `gap` is what stands behind "," and ":". */
static void emit_flat(struct buf *out, const struct node *n, const char *gap)
{
    const struct node *child;

    if (!is_parent(n)) {
        emit_scalar(out, n);
        return;
    }
    buf_putc(out, n->kind == NODE_LIST ? '[' : '{');
    node_each(child, n) {
        if (child != n->child)
            buf_fmt(out, ",%s", gap);
        if (n->kind == NODE_MAP) {
            emit_json_string(out, child->key);
            buf_fmt(out, ":%s", gap);
        }
        emit_flat(out, child, gap);
    }
    buf_putc(out, n->kind == NODE_LIST ? ']' : '}');
}

/* A list or map of scalars goes on one line where it fits into what is left of it. */
static bool try_flat(struct buf *out, const struct node *n, size_t column)
{
    struct buf line = {0};
    const struct node *child;
    bool fits;

    node_each(child, n)
        if (is_parent(child) && child->count)
            return false;
    emit_flat(&line, n, " ");
    fits = column + line.len <= LINE_MAX_COLUMNS;
    if (fits)
        buf_str(out, buf_view(&line));
    buf_clear(&line);
    return fits;
}

static void emit_lines(struct buf *out, const struct node *n, size_t indent, size_t column)
{
    const struct node *child;

    if (!is_parent(n) || !n->count || try_flat(out, n, column)) {
        if (!is_parent(n) || !n->count)
            emit_flat(out, n, " ");
        return;
    }
    buf_puts(out, n->kind == NODE_LIST ? "[\n" : "{\n");
    node_each(child, n) {
        size_t start = out->len;

        buf_fmt(out, "%*s", (int)(indent + INDENT), "");
        if (n->kind == NODE_MAP) {
            emit_json_string(out, child->key);
            buf_puts(out, ": ");
        }
        emit_lines(out, child, indent + INDENT, out->len - start + 1);
        buf_puts(out, child->next ? ",\n" : "\n");
    }
    buf_fmt(out, "%*s%c", (int)indent, "", n->kind == NODE_LIST ? ']' : '}');
}

void emit_json(struct buf *out, const struct node *n, enum emit_style style)
{
    if (style == EMIT_COMPACT) {
        emit_flat(out, n, "");
        return;
    }
    emit_lines(out, n, 0, 0);
    buf_putc(out, '\n');
}
