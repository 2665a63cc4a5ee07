/* Inflate: what we take, zlib takes, to the same bytes and the same end; and the other way round. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "inflate_judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct engine *engine = engine_open();
    bool taken;

    assert(judges_agree(engine, (struct str){(const char *)bytes, len}, &taken));
    engine_free(engine);
    return 0;
}
