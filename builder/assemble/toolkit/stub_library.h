/* assemble/toolkit/stub_library.h - a shared object to link programs with where the real one is
 * missing, such as the driver's libcuda.so.1, which a host lends to a container only when it runs.
 *
 * It has the real one's SONAME and functions of the real one's names. So the linker finds what a
 * program calls and notes which library it needs; what is called there at run time is the real
 * one's. Whoever loads the stub itself gets an error code from every function.
 *
 * The form: System V gABI 4.1 (chapters 4 and 5), System V psABI for AMD64; ET_DYN, a DT_HASH
 * table, no versions, no relocations, nothing needed. Symbols are in the order of their names.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "../../base/err.h"
#include "../../base/vec.h"

enum {
    STUB_SYMBOLS_MAX = 16384,
    STUB_NAME_MAX = 255, /* bytes of a symbol's name or of the SONAME */
};

/* What functions of a stub say. NVIDIA's own libcuda.so says CUDA_ERROR_STUB_LIBRARY everywhere.
 * In its libnvidia-ml.so, nvmlInit says NVML_ERROR_DRIVER_NOT_LOADED and all else, which no
 * program gets to, NVML_ERROR_UNINITIALIZED; ours says the former everywhere. */
enum { STUB_RESULT_CUDA = 34, STUB_RESULT_NVML = 9 };

/* `names`: C identifiers, sorted by byte, each once, at least one. All are functions that return
 * `result`, but those that are in `texts` too (sorted; may be NULL) return a `const char *` to a
 * sentence that says what this is. Replaces *out; it depends on nothing but the arguments.
 * ERR_INPUT for names that are no names, repeat, or are too many or too long. */
int stub_library(struct buf *out, struct str soname, const struct strs *names,
                 const struct strs *texts, int32_t result, struct err *e) MUST_CHECK;
