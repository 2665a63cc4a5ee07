/* mkfatbin.h - a fatbin made by hand, its payloads filled with letters. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/buf.h"

struct mkfatbin_entry {
    uint16_t kind;
    uint32_t sm;
    uint64_t flags;
    size_t payload; /* bytes */
};

enum { MKFATBIN_ENTRY_HEAD = 64 };

static inline void mkfatbin_number(struct buf *out, uint64_t n, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        buf_putc(out, (char)(n >> 8 * i));
}

static inline void mkfatbin(struct buf *out, const struct mkfatbin_entry *entries, size_t n)
{
    uint64_t size = 0;

    for (size_t i = 0; i < n; i++)
        size += MKFATBIN_ENTRY_HEAD + entries[i].payload;
    mkfatbin_number(out, 0xBA55ED50, 4);
    mkfatbin_number(out, 1, 2);
    mkfatbin_number(out, 16, 2);
    mkfatbin_number(out, size, 8);
    for (size_t i = 0; i < n; i++) {
        mkfatbin_number(out, entries[i].kind, 2);
        mkfatbin_number(out, 0x101, 2);
        mkfatbin_number(out, MKFATBIN_ENTRY_HEAD, 4);
        mkfatbin_number(out, entries[i].payload, 8);
        mkfatbin_number(out, 0, 8);
        mkfatbin_number(out, 0x10007, 4);
        mkfatbin_number(out, entries[i].sm, 4);
        mkfatbin_number(out, 0, 8);
        mkfatbin_number(out, entries[i].flags, 8);
        mkfatbin_number(out, 0, 8);
        mkfatbin_number(out, 0, 8);
        for (size_t j = 0; j < entries[i].payload; j++)
            buf_putc(out, 'x');
    }
}
