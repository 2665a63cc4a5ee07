/* What a reader made and what JSON of it reads back: the same texts in the same order. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <assert.h>
#include "doc/emit.h"
#include "doc/json.h"

static bool is_parent(const struct node *n)
{
    return n->kind == NODE_LIST || n->kind == NODE_MAP;
}

static void check_same(const struct node *a, const struct node *b)
{
    const struct node *x = a->child, *y = b->child;

    assert(a->kind == b->kind && a->count == b->count);
    assert(is_parent(a) || a->kind == NODE_NULL || str_eq(a->text, b->text));
    assert(a->kind != NODE_BOOL || a->boolean == b->boolean);
    for (; x && y; x = x->next, y = y->next) {
        assert(a->kind != NODE_MAP || str_eq(x->key, y->key));
        check_same(x, y);
    }
    assert(!x && !y);
}

static void check_json_keeps(const struct doc *doc)
{
    CLEANUP(doc_clear) struct doc again = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf json = {0};

    emit_json(&json, doc->root, EMIT_LINES);
    assert(json_parse(&again, buf_view(&json), UINT64_MAX, "printed", &e) == 0);
    check_same(doc->root, again.root);
}
