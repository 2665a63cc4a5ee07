/* YAML: what parsed is written as JSON that holds the same texts in the same order. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "doc/yaml.h"
#include "same_nodes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(doc_clear) struct doc doc = {0};
    CLEANUP(err_clear) struct err e = {0};

    if (yaml_parse(&doc, (struct str){(const char *)data, size}, "input", &e) < 0) {
        assert(err_is_set(&e) && !doc.root);
        return 0;
    }
    if (!is_parent(doc.root))
        return 0;
    check_json_keeps(&doc);
    return 0;
}
