/* tests/unit/inflate_judge.h - our decoder of deflate and zlib's, asked the same: both take a
 * stream, give the same bytes for it and end at the same byte, or both refuse it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#define ZLIB_CONST /* next_in points at const bytes */
#include <zlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "io/inflate_engine.h"

enum { JUDGE_OUT_MAX = 1 << 20 }; /* bytes; streams that give more are not judged */

struct judged {
    bool taken, more; /* more: than is judged */
    size_t used;      /* bytes of the stream, when taken */
    struct buf plain;
};

static inline struct judged ask_zlib(struct str packed)
{
    struct judged j = {0};
    z_stream z = {.next_in = (const Bytef *)packed.p, .avail_in = (uInt)packed.len};
    int result;

    if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
        abort();
    z.next_out = (Bytef *)buf_room(&j.plain, JUDGE_OUT_MAX + 1);
    z.avail_out = JUDGE_OUT_MAX + 1;
    result = inflate(&z, Z_FINISH);
    j.plain.len = z.total_out;
    j.more = !z.avail_out;
    j.taken = result == Z_STREAM_END;
    j.used = z.total_in;
    inflateEnd(&z);
    return j;
}

/* Ours, fed `step` bytes at a time. */
static inline struct judged ask_ours(struct engine *engine, struct str packed, size_t step)
{
    struct judged j = {0};
    size_t at = 0;
    bool sound = true;

    engine_reset(engine);
    while (sound && !j.more && at < packed.len && !engine_done(engine)) {
        struct str part = str_sub(packed, at, step), out;

        at += part.len;
        engine_feed(engine, part.p, part.len);
        do {
            sound = engine_step(engine, SIZE_MAX, &out);
            if (sound)
                buf_str(&j.plain, out);
            j.more = j.plain.len > JUDGE_OUT_MAX;
        } while (sound && !j.more && out.len);
    }
    j.taken = sound && engine_done(engine);
    j.used = j.taken ? at - engine_unused(engine) : 0;
    return j;
}

/* Do both say the same of these bytes, however they come? *taken: what they say. */
static inline bool judges_agree(struct engine *engine, struct str packed, bool *taken)
{
    static const size_t steps[] = {SIZE_MAX, 1, 61};
    struct judged zlib = ask_zlib(packed);
    bool agree = true;

    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct judged ours = ask_ours(engine, packed, steps[i]);

        if (!zlib.more && !ours.more)
            agree &= ours.taken == zlib.taken &&
                     (!ours.taken || (ours.used == zlib.used &&
                                      str_eq(buf_view(&ours.plain), buf_view(&zlib.plain))));
        buf_clear(&ours.plain);
    }
    *taken = zlib.taken;
    buf_clear(&zlib.plain);
    return agree;
}
