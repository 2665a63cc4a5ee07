/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include <jansson.h>

#include "../base/fs.h"

enum { JSON_DEPTH = 64 };

/* Numbers as jansson reads them: integers exactly, reals in the shortest form that reads back. */
static struct str number_text(struct arena *a, const json_t *value)
{
    CLEANUP(free_clear) char *text = NULL;

    for (unsigned digits = 15; digits <= 17; digits++) {
        free_clear(&text);
        text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits));
        if (json_is_integer(value) || strtod(text, NULL) == json_real_value(value))
            break;
    }
    return arena_str(a, str_of(text));
}

static struct node *convert(struct doc *doc, const json_t *value, unsigned depth);

static void convert_object(struct doc *doc, struct node *n, json_t *object, unsigned depth)
{
    const char *key;
    json_t *item;

    json_object_foreach(object, key, item)
    {
        struct node *child = convert(doc, item, depth + 1);

        if (child)
            node_put(doc, n, key, child);
        else
            n->kind = NODE_NULL; /* too deep: reported by json_parse */
    }
}

static struct node *convert(struct doc *doc, const json_t *value, unsigned depth)
{
    struct node *n = arena_alloc(&doc->arena, sizeof *n);
    size_t i;
    json_t *item;

    if (depth >= JSON_DEPTH && (json_is_object(value) || json_is_array(value)))
        return NULL;
    n->pos.file = doc->file;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        n->kind = NODE_MAP;
        convert_object(doc, n, (json_t *)(uintptr_t)value, depth);
        return n->kind == NODE_MAP ? n : NULL;
    case JSON_ARRAY:
        n->kind = NODE_LIST;
        json_array_foreach(value, i, item)
        {
            struct node *child = convert(doc, item, depth + 1);

            if (!child)
                return NULL;
            node_add(doc, n, child);
        }
        return n;
    case JSON_STRING:
        n->kind = NODE_STRING;
        n->text = arena_str(&doc->arena,
                            (struct str){json_string_value(value), json_string_length(value)});
        return n;
    case JSON_INTEGER:
    case JSON_REAL:
        n->kind = NODE_NUMBER;
        n->text = number_text(&doc->arena, value);
        return n;
    case JSON_TRUE:
    case JSON_FALSE:
        n->kind = NODE_BOOL;
        n->boolean = json_is_true(value);
        n->text = n->boolean ? STR("true") : STR("false");
        return n;
    case JSON_NULL:
        n->kind = NODE_NULL;
        return n;
    }
    return n;
}

int json_parse(struct doc *out, struct str text, uint64_t limit, const char *file, struct err *e)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    json_error_t fault;
    json_t *root;

    if (text.len > limit)
        return err_set(e, ERR_INPUT, "%s is larger than %llu bytes, the most allowed here", file,
                       (unsigned long long)limit);
    doc.file = arena_strdup(&doc.arena, file);
    root =
        json_loadb(text.p ? text.p : "", text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &fault);
    if (!root)
        return err_at(e,
                      &(struct pos){doc.file, fault.line > 0 ? (unsigned)fault.line : 1,
                                    fault.column > 0 ? (unsigned)fault.column : 1},
                      "no valid JSON: %s", fault.text);
    doc.root = convert(&doc, root, 0);
    json_decref(root);
    if (!doc.root)
        return err_at(e, &(struct pos){doc.file, 0, 0}, "nested deeper than %d levels", JSON_DEPTH);
    MOVE(out, &doc);
    return 0;
}

int json_read(struct doc *out, const char *path, uint64_t limit, struct err *e)
{
    CLEANUP(buf_clear) struct buf text = {0};

    return fs_read(&text, path, limit, e) < 0 ? -1
                                              : json_parse(out, buf_view(&text), limit, path, e);
}
