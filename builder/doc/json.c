/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include "../base/fs.h"
#include "../base/vec.h"
#include "pull.h"

struct builder {
    struct doc *doc;
    struct pull pull;
    struct VEC_OF(const struct node *) members; /* of one map, to find what stands twice */
    const struct node *twice;                   /* the first such member that was found */
};

static int member_compare(const void *a, const void *b)
{
    const struct node *x = *(const struct node *const *)a, *y = *(const struct node *const *)b;
    int order = str_cmp(x->key, y->key);

    if (order)
        return order;
    return x->key_pos.line != y->key_pos.line ? (x->key_pos.line > y->key_pos.line ? 1 : -1)
           : x->key_pos.col > y->key_pos.col  ? 1
                                              : -1;
}

/* Sorted, so that a hostile document of many keys costs little more than an honest one. */
static void find_twice(struct builder *b, const struct node *map)
{
    const struct node *child;

    b->members.n = 0;
    node_each(child, map)
        vec_add(&b->members, child);
    vec_sort(&b->members, member_compare);
    for (size_t i = 1; i < b->members.n && !b->twice; i++)
        if (str_eq(b->members.v[i - 1]->key, b->members.v[i]->key))
            b->twice = b->members.v[i];
}

static struct node *build(struct builder *b);

/* A string may be borrowed from the text, which need not last. */
static struct str keep(struct builder *b, struct str text)
{
    return arena_str(&b->doc->arena, text);
}

static void build_map(struct builder *b, struct node *map)
{
    struct pull *p = &b->pull;
    struct str key;

    if (!pull_map(p))
        return;
    while (pull_key(p, &key)) {
        struct pos pos = pull_key_pos(p, b->doc->file);
        struct node *child;

        if (str_has(key, '\0'))
            pull_refuse(p, "a NUL in a key");
        child = build(b);
        child->key = keep(b, key);
        child->key_pos = pos;
        node_add(b->doc, map, child);
    }
    if (!b->twice)
        find_twice(b, map);
}

static struct node *build(struct builder *b)
{
    struct node *n = arena_alloc(&b->doc->arena, sizeof *n);
    struct pull *p = &b->pull;
    struct str text = {0};

    n->pos = pull_pos(p, b->doc->file);
    n->kind = pull_kind(p);
    switch (n->kind) {
    case NODE_MAP:
        build_map(b, n);
        break;
    case NODE_LIST:
        if (pull_list(p))
            while (pull_item(p))
                node_add(b->doc, n, build(b));
        break;
    case NODE_STRING:
        if (pull_text(p, &text))
            n->text = keep(b, text);
        break;
    case NODE_NUMBER:
        if (pull_number(p, &text))
            n->text = keep(b, text);
        break;
    case NODE_BOOL:
        if (pull_bool(p, &n->boolean))
            n->text = n->boolean ? STR("true") : STR("false");
        break;
    case NODE_NULL:
        pull_skip(p);
        break;
    }
    return n;
}

int json_parse(struct doc *out, struct str text, uint64_t limit, const char *file, struct err *e)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    struct builder b = {.doc = &doc};
    int result;

    if (text.len > limit)
        return err_set(e, ERR_INPUT, "%s is larger than %llu bytes, the most allowed here", file,
                       (unsigned long long)limit);
    doc.file = arena_strdup(&doc.arena, file);
    pull_open(&b.pull, text, &doc.arena);
    pull_pos(&b.pull, doc.file);
    if (str_starts(text, STR("\xef\xbb\xbf")))
        pull_refuse(&b.pull, "it begins with a byte order mark; save it as UTF-8 without one");
    if (text.len && pull_kind(&b.pull) != NODE_MAP && pull_kind(&b.pull) != NODE_LIST)
        pull_refuse(&b.pull, "a map or a list is wanted");
    doc.root = build(&b);
    vec_clear(&b.members);
    result = pull_end(&b.pull, doc.file, e);
    if (result == 0 && b.twice)
        result = err_at(e, &b.twice->key_pos, "no valid JSON: the key \"" STR_FMT "\" stands twice",
                        STR_ARG(b.twice->key));
    if (result < 0)
        return -1;
    MOVE(out, &doc);
    return 0;
}

int json_read(struct doc *out, const char *path, uint64_t limit, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};

    return fs_read(&text, path, limit, e) < 0 ? -1
                                              : json_parse(out, buf_view(&text), limit, path, e);
}
