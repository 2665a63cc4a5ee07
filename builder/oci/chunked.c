/* SPDX-License-Identifier: Apache-2.0 */
#include "chunked.h"

#define PREFIX "io.github.containers.zstd-chunked."

enum { TYPE_CRFS = 1 }; /* of the table: the only one there is */

void chunked_footer(struct buf *out, const struct chunked *c)
{
    const uint64_t numbers[] = {c->offset,       c->size,       c->unpacked,      TYPE_CRFS,
                                c->split_offset, c->split_size, c->split_unpacked};

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        buf_number(out, numbers[i], 8);
    buf_puts(out, "GNUlInUx");
}

void chunked_annotate(struct pairs *to, const struct chunked *c, struct arena *a)
{
    char digest[DIGEST_TEXT + 1];

    if (!digest_is_set(&c->toc))
        return;
    digest_text(&c->toc, digest);
    pairs_add(to, STR(PREFIX "manifest-checksum"), arena_str(a, str_of(digest)));
    pairs_add(
        to, STR(PREFIX "manifest-position"),
        str_of(arena_fmt(a, "%llu:%llu:%llu:%d", (unsigned long long)c->offset,
                         (unsigned long long)c->size, (unsigned long long)c->unpacked, TYPE_CRFS)));
    pairs_add(to, STR(PREFIX "tarsplit-position"),
              str_of(arena_fmt(a, "%llu:%llu:%llu", (unsigned long long)c->split_offset,
                               (unsigned long long)c->split_size,
                               (unsigned long long)c->split_unpacked)));
}
