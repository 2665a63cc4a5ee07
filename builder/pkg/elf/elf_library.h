/* pkg/elf/elf_library.h - what ldconfig notes of a library for x86-64: its SONAME and its notes
 * (gABI 4.1, "Note Section"; the LSB's ABI tag; the x86-64 psABI's program properties).
 *
 * As ldconfig and the loader do, it goes by the program headers alone and takes what it can get:
 * damage behind them costs the SONAME, or a note.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/arena.h"
#include "../../io/blob_reader.h"

struct elf_library {
    struct str soname;   /* in the arena; empty when it names none */
    uint32_t os_version; /* the oldest Linux that it runs on: 3.2.0 is 0x00030200; 0 when unsaid */
    uint32_t isa;        /* x86-64-v<isa + 1> is what it needs; 0 when unsaid */
};

/* False when it is no shared library for x86-64. */
bool elf_library_read(struct elf_library *out, struct arena *a, struct blob_reader *in);
