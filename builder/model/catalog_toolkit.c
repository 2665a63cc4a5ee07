/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog.h"

#include "../base/dotted.h"

struct str catalog_toolkit_from(const struct catalog *c, struct str cuda)
{
    struct str major = dotted_first(cuda, 1);
    const struct node *n = node_get_str(node_get(c->toolkit.root, "providers"), major);

    return n ? n->text : STR("");
}

uint32_t catalog_toolkit_gcc(const struct catalog *c, struct str cuda)
{
    const struct node *n;
    uint32_t gcc = 0;

    /* CUDA versions compare as driver versions do. */
    node_each(n, node_get(c->toolkit.root, "gcc"))
        if (dotted_compare(n->key, cuda) <= 0 && !str_u32(n->text, &gcc))
            gcc = 0;
    return gcc;
}

void catalog_toolkit_parts(const struct catalog *c, struct strs *out)
{
    const struct node *n;

    node_each(n, node_get(c->toolkit.root, "parts"))
        vec_add(out, n->key);
}

void catalog_toolkit_items(const struct catalog *c, struct str part, const char *from,
                           struct strs *out)
{
    const struct node *n, *parts = node_get(c->toolkit.root, "parts");

    node_each(n, node_get(node_get_str(parts, part), from))
        vec_add(out, n->text);
}
