/* Deflate: whatever is packed, zlib unpacks to the same; a deflater that has seen other bytes
 * before packs them no differently. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#define ZLIB_CONST /* next_in points at const bytes */
#include <zlib.h>

#include "io/deflate.h"

static void check(const struct buf *packed, const uint8_t *bytes, size_t len)
{
    CLEANUP(free_clear) uint8_t *got = xmalloc(len + 1);
    z_stream z = {.next_in = (const Bytef *)packed->p,
                  .avail_in = (uInt)packed->len,
                  .next_out = got,
                  .avail_out = (uInt)len + 1};

    assert(inflateInit2(&z, -15) == Z_OK);
    assert(inflate(&z, Z_FINISH) == Z_STREAM_END);
    assert(!z.avail_in && z.total_out == len && !memcmp(got, bytes, len));
    inflateEnd(&z);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    CLEANUP(deflater_clear) struct deflater *d = deflater_open();
    CLEANUP(buf_clear) struct buf out = {0};
    CLEANUP(buf_clear) struct buf again = {0};

    if (len > DEFLATE_INPUT_MAX)
        return 0;
    deflate_fixed1(&out, bytes, len);
    check(&out, bytes, len);
    buf_reset(&out);
    deflate_1(d, &out, bytes, len);
    check(&out, bytes, len);
    deflate_1(d, &again, bytes + len / 2, len - len / 2);
    check(&again, bytes + len / 2, len - len / 2);
    buf_reset(&again);
    deflate_1(d, &again, bytes, len);
    assert(again.len == out.len && !memcmp(again.p, out.p, out.len));
    return 0;
}
