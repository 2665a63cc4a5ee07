/* A signed payload: every index that was read is found again under its path. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include "pkg/deb/release.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    CLEANUP(release_clear) struct release r = {0};
    CLEANUP(err_clear) struct err e = {0};

    if (release_parse(&r, text, "input", &e) < 0) {
        assert(e.kind == ERR_INPUT && !r.indexes.n);
        return 0;
    }
    assert(r.indexes.n && r.date >= 0);
    for (size_t i = 0; i < r.indexes.n; i++) {
        const struct release_index *x = release_find(&r, r.indexes.v[i].path);
        assert(x && str_eq(x->path, r.indexes.v[i].path));
    }
    return 0;
}
