/* TOML: what parsed is written as JSON that holds the same texts in the same order, but for keys
 * with a NUL, which JSON of ours has not. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include "doc/emit.h"
#include "doc/json.h"
#include "doc/toml.h"

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

static bool has_nul(const struct node *n)
{
    const struct node *child;

    node_each(child, n)
        if (str_has(child->key, '\0') || has_nul(child))
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(doc_clear) struct doc doc = {0}, again = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf json = {0};

    if (toml_parse(&doc, (struct str){(const char *)data, size}, "input", &e) < 0) {
        assert(err_is_set(&e) && !doc.root);
        return 0;
    }
    if (has_nul(doc.root))
        return 0;
    emit_json(&json, doc.root, EMIT_LINES);
    assert(json_parse(&again, buf_view(&json), UINT64_MAX, "printed", &e) == 0);
    check_same(doc.root, again.root);
    return 0;
}
