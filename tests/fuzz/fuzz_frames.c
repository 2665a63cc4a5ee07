/* A blob that may be frames of zstd: what is found is the whole blob, part by part, and each part
 * unpacks by itself to what the whole unpacks to there. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "io/decompress.h"
#include "io/zstd.h"
#include "out/delta_frames.h"

enum { PLAIN_MAX = 4 * 1024 * 1024 };

static void check_part(const struct delta_part *part, struct str blob, struct str plain)
{
    CLEANUP(buf_clear) struct buf own = {0};
    CLEANUP(err_clear) struct err e = {0};

    if (!part->plain)
        return;
    assert(zstd_unpack(buf_room(&own, part->plain), part->plain,
                       str_sub(blob, part->at, part->size), &e) == 0);
    assert(memcmp(own.p, plain.p + part->plain_at, part->plain) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct str blob = {(const char *)bytes, len};
    CLEANUP(source_clear) struct source *from = source_bytes(blob, "x"), *plain = NULL;
    CLEANUP(buf_clear) struct buf whole = {0};
    CLEANUP(err_clear) struct err e = {0};
    struct delta_parts parts = {0};
    uint64_t at = 0, plain_at = 0;
    const struct delta_part *part;

    if (len < 4 || !delta_frames_begin(bytes))
        return 0;
    plain = decompress(source_bytes(blob, "x"));
    plain->limit = PLAIN_MAX;
    if (source_read_all(plain, &whole, PLAIN_MAX, &e) < 0) {
        /* Nobody asks then; it ends all the same. */
        (void)!delta_frames_find(&parts, from, len, PLAIN_MAX, len, &e);
        vec_clear(&parts);
        return 0;
    }
    if (delta_frames_find(&parts, from, len, whole.len, len, &e) == 0)
        vec_each(part, &parts) {
            assert(part->at == at && part->plain_at == plain_at && part->size);
            check_part(part, blob, buf_view(&whole));
            at += part->size;
            plain_at += part->plain;
        }
    assert(!parts.n || (at == len && plain_at == whole.len) || err_is_set(&e));
    vec_clear(&parts);
    return 0;
}
