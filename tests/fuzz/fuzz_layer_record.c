/* Records of layers, as the store keeps them: what parses names no input that is not there. Only
 * what was seen is printed, so nothing that was parsed is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include "assemble/layer/layer_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    CLEANUP(layer_record_clear) struct layer_record r = {0};
    CLEANUP(err_clear) struct err e = {0};
    const struct segment *s;

    if (layer_record_parse(&r, (struct str){(const char *)bytes, len}, &e) < 0) {
        assert(e.kind == ERR_INPUT && !r.segments.list.n && !r.segments.inputs.n);
        return 0;
    }
    vec_each(s, &r.segments.list)
        assert(s->source <= r.segments.inputs.n);
    return 0;
}
