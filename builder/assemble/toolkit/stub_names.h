/* assemble/toolkit/stub_names.h - the functions that a library must have, read from the C headers
 * that declare them: what stub_library() wants to know.
 *
 * This is no preprocessor. NVIDIA's cuda.h and nvml.h declare one function under several names: by
 * macros (`#define cuMemAlloc cuMemAlloc_v2`), by macros that depend on the per-thread default
 * stream (`#define cuMemcpy __CUDA_API_PTDS(cuMemcpy)`, which is cuMemcpy or cuMemcpy_ptds), and
 * once more without them, in sections for programs that were built long ago. The library has them
 * all, so both sides of a condition are read, but for what is of Windows alone. A name too many
 * does no harm; one that is missing is a program that does not link.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/arena.h"
#include "../../base/err.h"
#include "../../base/vec.h"

enum { STUB_HEADER_MAX = 16 * 1024 * 1024 }; /* bytes of a header */

struct stub_names {
    struct arena arena; /* owns every text below */
    struct strs names;  /* sorted by byte, each once */
    struct strs texts;  /* those of them that return a pointer; sorted */
};

/* `headers` holds the text of each header, in any order. A function is one whose name is `prefix`
 * ("cu", "nvml") and an upper-case letter, and more. ERR_INPUT when there is none, or more or
 * longer ones than stub_library() takes, or a header is too large. */
int stub_names_read(struct stub_names *out, struct str prefix, const struct strs *headers,
                    struct err *e) MUST_CHECK;
void stub_names_clear(struct stub_names *names);
