/* JSON: what parsed is written, in both styles, so that it parses back and is written the same. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include "doc/emit.h"
#include "doc/json.h"

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
    return 0;
}
