/* TOML: what parsed is written as JSON that holds the same texts in the same order, but for keys
 * with a NUL, which JSON of ours has not. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "doc/toml.h"
#include "same_nodes.h"

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
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err e = {0};

    if (toml_parse(&doc, (struct str){(const char *)data, size}, "input", &e) < 0) {
        assert(err_is_set(&e) && !doc.root);
        return 0;
    }
    if (has_nul(doc.root))
        return 0;
    check_json_keeps(&doc);
    return 0;
}
