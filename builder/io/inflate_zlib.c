/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HAVE_ISAL
#include <zlib.h>

#include "inflate_engine.h"

struct engine {
    z_stream z;
    bool done;
};

struct engine *engine_open(void)
{
    struct engine *e = xcalloc(1, sizeof *e);

    if (inflateInit2(&e->z, -MAX_WBITS) != Z_OK)
        abort(); /* only memory can be missing */
    return e;
}

void engine_free(struct engine *e)
{
    if (!e)
        return;
    inflateEnd(&e->z);
    free(e);
}

void engine_reset(struct engine *e)
{
    inflateReset(&e->z);
    e->done = false;
}

void engine_feed(struct engine *e, const void *bytes, size_t len)
{
    e->z.next_in = (Bytef *)(uintptr_t)bytes;
    e->z.avail_in = (uInt)len;
}

bool engine_step(struct engine *e, void *out, size_t size, size_t *n)
{
    int result;

    e->z.next_out = out;
    e->z.avail_out = (uInt)size;
    *n = 0;
    if (e->done)
        return true;
    result = inflate(&e->z, Z_NO_FLUSH);
    e->done = result == Z_STREAM_END;
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
        return false;
    *n = size - e->z.avail_out;
    return true;
}

bool engine_done(const struct engine *e)
{
    return e->done;
}

size_t engine_unused(const struct engine *e)
{
    return e->z.avail_in;
}

uint32_t engine_crc32(uint32_t crc, const void *bytes, size_t len)
{
    return (uint32_t)crc32_z(crc, bytes, len);
}
#else
typedef int inflate_zlib_is_not_built;
#endif
