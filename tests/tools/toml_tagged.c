/* tests/tools/toml_tagged.c - standard input as TOML, printed as toml-test's tagged JSON:
 * {"type": "integer", "value": "1"} for what is no table and no list. Exit 1 and the error on
 * standard error where it is not valid.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include "doc/emit.h"
#include "doc/toml.h"

static const char *type_of(const struct node *n)
{
    struct str t = n->text;

    if (n->kind == NODE_BOOL)
        return "bool";
    if (n->kind == NODE_NUMBER)
        return str_has(t, '.') || str_has(t, 'e') ? "float" : "integer";
    if (n->quoted)
        return "string";
    if (str_ends(t, STR("inf")) || str_ends(t, STR("nan")))
        return "float";
    if (str_find(t, ':') == 2)
        return "time-local";
    if (!str_has(t, ':'))
        return "date-local";
    t = str_sub(t, str_find(t, ':'), t.len);
    return str_has(t, '+') || str_has(t, '-') || str_has(t, 'Z') || str_has(t, 'z')
               ? "datetime"
               : "datetime-local";
}

static struct node *tagged(struct doc *doc, const struct node *n)
{
    struct node *out = n->kind == NODE_LIST ? node_new_list(doc) : node_new_map(doc);
    const struct node *child;

    if (n->kind != NODE_LIST && n->kind != NODE_MAP) {
        node_put_str(doc, out, "type", str_of(type_of(n)));
        node_put_str(doc, out, "value", n->text);
    }
    node_each(child, n)
        node_add(doc, out, tagged(doc, child))->key = child->key;
    return out;
}

int main(void)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf text = {0}, out = {0};
    char part[4096];
    size_t n;

    while ((n = fread(part, 1, sizeof part, stdin)))
        buf_add(&text, part, n);
    if (toml_parse(&doc, buf_view(&text), "input", &e) < 0) {
        err_format(&e, &out);
        fprintf(stderr, "%s\n", out.p);
        return 1;
    }
    emit_json(&out, tagged(&doc, doc.root), EMIT_LINES);
    fwrite(out.p, 1, out.len, stdout);
    return 0;
}
