/* look/fatbin.h - the CUDA device code inside a file: for which GPUs it was compiled, and of which
 * there is text (PTX) that the driver can compile for later ones.
 *
 * NVIDIA publishes no specification. What is read here was found in libraries of CUDA 11.7 to 13.2
 * and is held against NVIDIA's own cuobjdump by tests/real/device-code-vs-cuobjdump.sh. All
 * numbers are little-endian:
 *
 *   fatbin: u32 magic 0xBA55ED50, u16 version 1, u16 size of this header (16),
 *           u64 size of what follows: entries, one behind the other
 *   entry:  u16 kind, u16 version, u32 size of this header (48 or more), u64 size of the payload
 *           behind it; at 28: u32 architecture (90 for sm_90); at 40: u64 flags; the header may go
 *           on with the plain size and the compiler's options
 *   flags:  0x2000 and 0x8000: the payload is compressed (LZ4, Zstandard), never the header;
 *           0x100000: for exactly this GPU (sm_90a); 0x200000: for its family (sm_100f)
 *
 * Fatbins stand in the section .nv_fatbin, which the CUDA runtime registers when the program
 * starts, and in __nv_relfatbin, which is input for a later device link and never run as it is.
 * Some libraries (cuFFT, cuSPARSE, cuSPARSELt, CUPTI) keep more of them among ordinary data and
 * load them on their own; cuobjdump does not show those. They are found by their magic number.
 * Bare cubins among ordinary data (CUPTI, nvperf) are not looked for.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../io/sink.h"
#include "../pkg/elf/elf.h"

enum { FATBIN_PTX = 1, FATBIN_CUBIN = 2 }; /* other kinds are listed under their number */

enum fatbin_place {
    FATBIN_LINKED,      /* .nv_fatbin */
    FATBIN_RELOCATABLE, /* __nv_relfatbin */
    FATBIN_EMBEDDED,    /* anywhere else, or not known */
};

/* All entries of one place, kind and architecture. */
struct fatbin_code {
    enum fatbin_place place;
    uint16_t kind;
    uint32_t sm;    /* 90 for sm_90 and compute_90 */
    char suffix;    /* 'a', 'f' or 0 */
    size_t entries; /* at least 1 */
    size_t compressed;
    uint64_t bytes; /* of the payloads, as they lie there */
};

struct fatbin_list {
    struct VEC_OF(struct fatbin_code) codes; /* sorted by place, kind, sm, suffix */
    size_t fatbins;
    size_t broken; /* fatbins that end early or make no sense from some entry on */
    size_t stray;  /* bytes of device sections that are neither zero nor in a fatbin */
};
void fatbin_list_clear(struct fatbin_list *list);

/* Everything in the file. `elf` is what elf_read() said of it, or NULL for a file that is none:
 * then all is FATBIN_EMBEDDED. Payloads are skipped, everything else is read once; memory is
 * constant. Damage is counted, not an error: only reading can fail. */
int fatbin_read(struct fatbin_list *out, struct blob_reader *in, const struct elf *elf,
                struct err *e) MUST_CHECK;

enum { FATBIN_WINDOW = 64 * 1024 };

/* One entry, where nobody can say yet what place it is in. */
struct fatbin_spot {
    uint64_t offset, bytes;
    uint32_t sm;
    uint16_t kind;
    char suffix;
    bool compressed;
};
struct fatbin_spots VEC_OF(struct fatbin_spot);

/* The same in one forward pass, for who has no blob_reader: write the file's bytes to `sink` and
 * finish. Keeps at most FATBIN_WINDOW bytes. With `spots` entries go there, for the section headers
 * of a file come last; fatbin_settle() then gives the codes of fatbin_read(). Without it their
 * place is what the caller says.
 */
struct fatbin_scan {
    struct sink sink;
    struct fatbin_list *list;   /* borrowed */
    struct fatbin_spots *spots; /* borrowed; may be NULL */
    enum fatbin_place place;
    bool inside;     /* between the header of a fatbin and its end */
    uint64_t left;   /* of that fatbin, behind what is held or skipped */
    uint64_t skip;   /* bytes to come that nobody looks at */
    uint64_t passed; /* bytes before the window */
    size_t held;
    unsigned char window[FATBIN_WINDOW];
};
void fatbin_scan_init(struct fatbin_scan *s, struct fatbin_list *list, enum fatbin_place place);
void fatbin_settle(struct fatbin_list *list, const struct fatbin_spots *spots,
                   const struct elf *elf);
