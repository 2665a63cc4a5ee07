/* SPDX-License-Identifier: Apache-2.0 */
#include "node.h"

void doc_clear(struct doc *doc)
{
    arena_clear(&doc->arena);
    *doc = (struct doc){0};
}

const struct node *node_get_str(const struct node *map, struct str key)
{
    const struct node *n;

    if (!map || map->kind != NODE_MAP)
        return NULL;
    node_each(n, map)
        if (str_eq(n->key, key))
            return n;
    return NULL;
}

const struct node *node_get(const struct node *map, const char *key)
{
    return node_get_str(map, str_of(key));
}

bool node_is_scalar(const struct node *n)
{
    return n && (n->kind == NODE_BOOL || n->kind == NODE_NUMBER || n->kind == NODE_STRING);
}

struct str node_text_of(const struct node *map, const char *key)
{
    const struct node *n = node_get(map, key);

    return node_is_scalar(n) ? n->text : (struct str){0};
}

const char *node_kind_name(const struct node *n)
{
    switch (n ? n->kind : NODE_NULL) {
    case NODE_NULL:
        return "nothing";
    case NODE_BOOL:
        return "true or false";
    case NODE_NUMBER:
        return "a number";
    case NODE_STRING:
        return "text";
    case NODE_LIST:
        return "a list";
    case NODE_MAP:
        return "a map";
    }
    return "nothing";
}

static struct node *node_new(struct doc *doc, enum node_kind kind)
{
    struct node *n = arena_alloc(&doc->arena, sizeof *n);

    n->kind = kind;
    n->pos.file = doc->file;
    return n;
}

struct node *node_new_map(struct doc *doc)
{
    return node_new(doc, NODE_MAP);
}

struct node *node_new_list(struct doc *doc)
{
    return node_new(doc, NODE_LIST);
}

struct node *node_add(struct doc *doc, struct node *list, struct node *item)
{
    if (list->last)
        list->last->next = item;
    else
        list->child = item;
    list->last = item;
    list->count++;
    return item;
}

struct node *node_put(struct doc *doc, struct node *map, const char *key, struct node *item)
{
    item->key = arena_str(&doc->arena, str_of(key));
    return node_add(doc, map, item);
}

static struct node *node_text(struct doc *doc, enum node_kind kind, struct str text)
{
    struct node *n = node_new(doc, kind);

    n->text = arena_str(&doc->arena, text);
    return n;
}

struct node *node_put_str(struct doc *doc, struct node *map, const char *key, struct str text)
{
    return node_put(doc, map, key, node_text(doc, NODE_STRING, text));
}

static struct node *node_u64(struct doc *doc, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    return node_text(doc, NODE_NUMBER, str_of(text));
}

struct node *node_put_u64(struct doc *doc, struct node *map, const char *key, uint64_t number)
{
    return node_put(doc, map, key, node_u64(doc, number));
}

struct node *node_add_u64(struct doc *doc, struct node *list, uint64_t number)
{
    return node_add(doc, list, node_u64(doc, number));
}

struct node *node_put_bool(struct doc *doc, struct node *map, const char *key, bool yes)
{
    struct node *n = node_text(doc, NODE_BOOL, yes ? STR("true") : STR("false"));

    n->boolean = yes;
    return node_put(doc, map, key, n);
}

struct node *node_add_str(struct doc *doc, struct node *list, struct str text)
{
    return node_add(doc, list, node_text(doc, NODE_STRING, text));
}

struct node *node_copy(struct doc *doc, const struct node *n)
{
    struct node *copy = node_text(doc, n->kind, n->text);
    const struct node *child;

    copy->quoted = n->quoted;
    copy->boolean = n->boolean;
    node_each(child, n) {
        struct node *c = node_copy(doc, child);

        c->key = arena_str(&doc->arena, child->key);
        node_add(doc, copy, c);
    }
    return copy;
}
