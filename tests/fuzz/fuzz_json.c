/* JSON: what parsed is written, in both styles, so that it parses back and is written the same; and
 * the reader that makes no tree sees the same in it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include "doc/emit.h"
#include "doc/json.h"
#include "doc/pull.h"

static void check(const struct node *root, enum emit_style style)
{
    CLEANUP(doc_clear) struct doc again = {0};
    CLEANUP(buf_clear) struct buf once = {0}, twice = {0};
    CLEANUP(err_clear) struct err e = {0};

    emit_json(&once, root, style);
    assert(json_parse(&again, buf_view(&once), UINT64_MAX, "printed", &e) == 0);
    emit_json(&twice, again.root, style);
    assert(str_eq(buf_view(&once), buf_view(&twice)));
}

static void same(struct pull *p, const struct node *n)
{
    const struct node *child;
    struct str text;
    bool yes;

    assert(pull_kind(p) == n->kind);
    switch (n->kind) {
    case NODE_MAP:
        assert(pull_map(p));
        node_each(child, n) {
            assert(pull_key(p, &text) && str_eq(text, child->key));
            same(p, child);
        }
        assert(!pull_key(p, &text));
        break;
    case NODE_LIST:
        assert(pull_list(p));
        node_each(child, n) {
            assert(pull_item(p));
            same(p, child);
        }
        assert(!pull_item(p));
        break;
    case NODE_STRING:
        assert(pull_text(p, &text) && str_eq(text, n->text));
        break;
    case NODE_BOOL:
        assert(pull_bool(p, &yes) && yes == n->boolean);
        break;
    case NODE_NUMBER:
        assert(pull_number(p, &text) && str_eq(text, n->text));
        break;
    case NODE_NULL:
        pull_skip(p);
        break;
    }
}

static void check_pull(struct str input, const struct node *root)
{
    CLEANUP(arena_clear) struct arena a = {0};
    struct pull p;

    pull_open(&p, input, &a);
    same(&p, root);
    assert(pull_done(&p));
    pull_open(&p, input, &a);
    pull_skip(&p);
    assert(pull_done(&p));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err e = {0};

    if (json_parse(&doc, (struct str){(const char *)data, size}, 1 << 20, "input", &e) < 0) {
        assert(err_is_set(&e) && !doc.root);
        return 0;
    }
    check(doc.root, EMIT_COMPACT);
    check(doc.root, EMIT_LINES);
    check_pull((struct str){(const char *)data, size}, doc.root);
    return 0;
}
