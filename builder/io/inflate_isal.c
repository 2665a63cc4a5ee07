/* SPDX-License-Identifier: Apache-2.0 */
#ifdef HAVE_ISAL
#include <isa-l.h>

#include "inflate_engine.h"

struct engine {
    struct inflate_state state;
};

struct engine *engine_open(void)
{
    struct engine *e = xmalloc(sizeof *e);

    engine_reset(e);
    return e;
}

void engine_free(struct engine *e)
{
    free(e);
}

void engine_reset(struct engine *e)
{
    isal_inflate_init(&e->state);
}

void engine_feed(struct engine *e, const void *bytes, size_t len)
{
    e->state.next_in = (uint8_t *)(uintptr_t)bytes;
    e->state.avail_in = (uint32_t)len;
}

bool engine_step(struct engine *e, void *out, size_t size, size_t *n)
{
    e->state.next_out = out;
    e->state.avail_out = (uint32_t)size;
    if (isal_inflate(&e->state) != ISAL_DECOMP_OK)
        return false;
    *n = size - e->state.avail_out;
    return true;
}

bool engine_done(const struct engine *e)
{
    return e->state.block_state == ISAL_BLOCK_FINISH;
}

/* ISA-L reads ahead into a bit buffer: whole bytes left there were not the stream's. */
size_t engine_unused(const struct engine *e)
{
    return e->state.avail_in +
           (e->state.read_in_length > 0 ? (size_t)e->state.read_in_length / 8 : 0);
}

uint32_t engine_crc32(uint32_t crc, const void *bytes, size_t len)
{
    return len ? crc32_gzip_refl(crc, bytes, len) : crc;
}
#else
typedef int inflate_isal_is_not_built;
#endif
