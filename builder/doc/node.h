/* doc/node.h - every document (recipe, base layer, catalog, lock, index page) as one tree.
 *
 * A document owns one arena; all its nodes and strings go with it. Scalars keep their text: what
 * "1.10" or "on" means is decided by who asks, never guessed. Maps keep the order of the file.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../base/arena.h"
#include "../base/err.h"

enum node_kind {
    NODE_NULL,
    NODE_BOOL,   /* JSON, TOML true/false; YAML plain true/false */
    NODE_NUMBER, /* JSON number; YAML plain decimal integer or float; `text` is as written; TOML's
                    as JSON would have it */
    NODE_STRING,
    NODE_LIST,
    NODE_MAP,
};

struct node {
    enum node_kind kind;
    bool quoted; /* YAML, TOML: the scalar stood in quotes: it is text whatever it looks like */
    bool boolean;
    struct str text; /* scalars: the text as written (unescaped) */
    struct pos pos;  /* where it begins; line 0 when the parser does not tell */
    struct str key;  /* member of a map: its key */
    struct pos key_pos;
    struct node *child, *last; /* first and last child of a list or map */
    struct node *next;         /* next sibling */
    size_t count;              /* children */
};

struct doc {
    struct arena arena;
    const char *file; /* name for messages, in the arena */
    struct node *root;
};

void doc_clear(struct doc *doc);

/* The member of a map, or NULL (also when `map` is NULL or no map). */
const struct node *node_get(const struct node *map, const char *key);
const struct node *node_get_str(const struct node *map, struct str key);
/* The text of a map's scalar member; empty when there is none. */
struct str node_text_of(const struct node *map, const char *key);
bool node_is_scalar(const struct node *n); /* bool, number or string */
/* "a list", "a map", "text", ... for messages. */
const char *node_kind_name(const struct node *n);

/* Building, for documents that are written. All go into the arena of `doc`. */
struct node *node_new_map(struct doc *doc);
struct node *node_new_list(struct doc *doc);
struct node *node_add(struct doc *doc, struct node *list,
                      struct node *item); /* to a list; returns item */
struct node *node_put(struct doc *doc, struct node *map, const char *key, struct node *item);
struct node *node_put_str(struct doc *doc, struct node *map, const char *key, struct str text);
struct node *node_put_u64(struct doc *doc, struct node *map, const char *key, uint64_t number);
struct node *node_put_bool(struct doc *doc, struct node *map, const char *key, bool yes);
struct node *node_add_str(struct doc *doc, struct node *list, struct str text);
struct node *node_add_u64(struct doc *doc, struct node *list, uint64_t number);
struct node *node_copy(struct doc *doc, const struct node *n); /* all of it, without its key */

#define node_each(item, parent) \
    for ((item) = (parent) ? (parent)->child : NULL; (item); (item) = (item)->next)
