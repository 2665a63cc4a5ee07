/* A reference that parses has a full form, which parses to the same. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "oci/ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    CLEANUP(ref_clear) struct ref ref = {0}, again = {0};
    CLEANUP(err_clear) struct err e = {0};
    CLEANUP(buf_clear) struct buf printed = {0}, full = {0};

    if (ref_parse(&ref, text, &e) < 0) {
        assert(e.kind == ERR_INPUT && !ref.path);
        return 0;
    }
    ref_print_full(&ref, &full);
    assert(ref.path && ref_path_ok(str_of(ref.path)));
    if (full.len <= REF_NAME_MAX) {
        assert(ref_parse(&again, buf_view(&full), &e) == 0 && again.host);
        ref_print_full(&again, &printed);
        assert(str_eq(buf_view(&printed), buf_view(&full)));
    }
    return 0;
}
